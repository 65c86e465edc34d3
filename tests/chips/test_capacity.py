"""Wafers to H100-equivalents: the published chains, and ranges that stay ranges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.chips.capacity import (
    INPUTS,
    Input,
    h100_equivalents,
    h100e_per_year,
    packages_from_memory,
    packages_from_wafers,
    simulate,
    swings,
    wafers_needed,
)

fractions = st.floats(0.01, 0.99)

ASCEND = {
    "wafers_per_month": Input(45_000, 45_000, 50_000),
    "share_of_wafers": Input(0.1, 0.2, 0.4),
    "dies_per_wafer": Input(78, 82, 85),
    "yield_fraction": Input(0.2, 0.3, 0.4),
    "dies_per_package": Input(2, 2, 2),
    "packaging_loss": Input(0.05, 0.15, 0.25),
    "stacks_per_year": Input(2e6, 6e6, 13e6),
    "stacks_per_package": Input(8, 8, 8),
    "relative_speed": Input(0.76, 0.78, 0.81),
}


def test_published_die_bank():
    # SemiAnalysis (2025): 2.9 million dies are 0.8 million one-die 910B and 1.05 million two-die 910C. The
    # same dies all as 910C make 1.45 million packages.
    one_die, two_dies = (packages_from_wafers(n / 12, 1, 1.0, k) for n, k in ((0.8e6, 1), (2.1e6, 2)))
    assert (one_die, two_dies) == (pytest.approx(0.8e6), pytest.approx(1.05e6))


def test_published_memory_bank():
    # The same: 13 million stacks at eight to a package are 1.6 million packages.
    assert packages_from_memory(13e6, 8) == pytest.approx(1.6e6, rel=0.02)


def test_published_h100_equivalents():
    # Heim (RAND, 2025): those dies are about one million H100-equivalents. 910B 320 to 376, 910C 752 to 800,
    # H100 989.5 TFLOP/s.
    low = h100_equivalents(0.8e6, 320 / 989.5) + h100_equivalents(1.05e6, 752 / 989.5)
    high = h100_equivalents(0.8e6, 376 / 989.5) + h100_equivalents(1.05e6, 800 / 989.5)
    assert 1.0e6 < low < high < 1.2e6


def test_wafers_for_600_000_packages():
    # 600,000 packages of two dies at a yield of 40 % and a packaging loss of 25 %: 9 % of 45,000 wafers a
    # month.
    assert wafers_needed(600_000, 82, 0.40, 2, 0.25) / 45_000 == pytest.approx(0.0903, abs=0.0005)


@given(st.floats(1, 1e5), st.floats(1, 500), fractions, st.integers(1, 8), fractions)
def test_wafers_there_and_back(wafers, dies, good, per_package, loss):
    packages = packages_from_wafers(wafers, dies, good, per_package, loss)
    assert wafers_needed(packages, dies, good, per_package, loss) == pytest.approx(wafers)


@given(st.floats(0, 2e7), st.floats(0, 2e7))
def test_more_memory_never_makes_fewer(a, b):
    middle = {name: value.middle for name, value in ASCEND.items()}
    few = h100e_per_year(**{**middle, "stacks_per_year": min(a, b)})
    many = h100e_per_year(**{**middle, "stacks_per_year": max(a, b)})
    assert few <= many


def test_the_smaller_of_wafers_and_memory_counts():
    middle = {name: value.middle for name, value in ASCEND.items()}
    starved = h100e_per_year(**{**middle, "stacks_per_year": 800})
    assert starved == pytest.approx(100 * middle["relative_speed"])
    assert h100e_per_year(**{**middle, "stacks_per_year": 1e12}) == pytest.approx(
        h100e_per_year(**{**middle, "stacks_per_year": 1e13})
    )


def test_draws_stay_in_what_the_ranges_allow():
    result = simulate(ASCEND, 4000, seed=1)
    lowest = h100e_per_year(**{n: v.low if n != "packaging_loss" else v.high for n, v in ASCEND.items()})
    highest = h100e_per_year(**{n: v.high if n != "packaging_loss" else v.low for n, v in ASCEND.items()})
    assert lowest <= result.values.min()
    assert result.values.max() <= highest
    low, high = result.interval(0.9)
    assert low < result.median < high


def test_wider_ranges_give_wider_answers():
    wide = {**ASCEND, "share_of_wafers": Input(0.01, 0.2, 0.9)}
    narrow_low, narrow_high = simulate(ASCEND, 4000, seed=2).interval()
    wide_low, wide_high = simulate(wide, 4000, seed=2).interval()
    assert wide_high - wide_low > narrow_high - narrow_low


def test_swings_are_sorted_and_fixed_inputs_do_not_move():
    found = swings(ASCEND)
    assert {swing.name for swing in found} == set(INPUTS)
    assert [swing.width for swing in found] == sorted((swing.width for swing in found), reverse=True)
    fixed = next(swing for swing in found if swing.name == "dies_per_package")
    assert fixed.width == 0


def test_same_seed_same_draws():
    np.testing.assert_array_equal(simulate(ASCEND, 50, seed=5).values, simulate(ASCEND, 50, seed=5).values)
    assert not np.array_equal(simulate(ASCEND, 50, seed=5).values, simulate(ASCEND, 50, seed=6).values)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: packages_from_wafers(-1, 80, 0.4), "wafers per month"),
        (lambda: packages_from_wafers(1, 80, 40), "yield is a fraction"),
        (lambda: packages_from_wafers(1, 80, 0.4, 0), "dies per package"),
        (lambda: packages_from_memory(-8), "stacks per year"),
        (lambda: wafers_needed(10, 80, 0.0), "no package comes out"),
        (lambda: Input(2, 1, 3), "low <= middle <= high"),
        (lambda: simulate({**ASCEND, "yeld_fraction": Input(0, 0, 0)}), "did you mean 'yield_fraction'"),
        (lambda: simulate({"wafers_per_month": Input(1, 1, 1)}), "missing inputs"),
        (lambda: simulate(ASCEND, 0), "n must be 1 or more"),
        (lambda: simulate(ASCEND, 10).interval(1.5), "share is a fraction"),
    ],
)
def test_bad_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
