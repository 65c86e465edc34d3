"""Cost per good die: dead dies and failed packages are paid for by the good ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.chips.cost import (
    MultiPatterning,
    cost_per_good_die,
    cost_per_good_die_without_euv,
    multipatterning_cost,
    silicon_per_package,
)
from computegap.chips.wafer import die_yield

fractions = st.floats(0.01, 1)


def test_cost_of_a_good_ascend_die():
    # 82 dies on a wafer. TSMC N7: 10,000 USD and Murphy at 0.09 per cm2, about 215 USD; SMIC at a price
    # 45 % higher and a reported yield of 40 or 20 %: 442 and 884 USD.
    at_tsmc = cost_per_good_die(10_000, 82, die_yield(665.6, 0.09))
    assert at_tsmc == pytest.approx(215.5, abs=0.5)
    assert cost_per_good_die(14_500, 82, 0.4) == pytest.approx(442, abs=1)
    assert cost_per_good_die(14_500, 82, 0.2) == pytest.approx(884, abs=1)


def test_published_cost_of_a_5_nm_wafer_without_euv():
    # SemiAnalysis (2023): lithography is about 30 % of the wafer and gets 55 to 60 % dearer, "about +20 %".
    low, high = multipatterning_cost(0.30, 0.55), multipatterning_cost(0.30, 0.60)
    assert 1.15 < low < high < 1.20


@given(st.floats(100, 1e5), st.floats(1, 1000), fractions, fractions)
def test_a_lower_yield_never_makes_a_cheaper_die(price, dies, a, b):
    assert cost_per_good_die(price, dies, min(a, b)) >= cost_per_good_die(price, dies, max(a, b))


@given(st.floats(1, 1e4), st.integers(1, 8), st.floats(0, 0.9))
def test_lost_packages_make_the_rest_dearer(cost, dies, loss):
    assert silicon_per_package(cost, dies, loss) >= silicon_per_package(cost, dies, 0)


@given(st.floats(0, 30), st.floats(1, 6), st.floats(0.9, 1))
def test_added_steps_only_lose_dies(layers, steps, survival):
    process = MultiPatterning(layers, steps, survival)
    assert process.extra_steps >= 0
    assert 0 < process.survival <= 1


def test_small_losses_compound():
    # 14 layers, four steps for one: 42 more steps. A loss of 1 % a step leaves about two dies in three.
    process = MultiPatterning(14, 4, 0.99)
    assert process.extra_steps == 42
    assert process.survival == pytest.approx(0.656, abs=0.001)


def test_without_added_steps_or_cost_nothing_changes():
    same = cost_per_good_die_without_euv(
        16_000, 80, 600, 0.1, MultiPatterning(14, 1), litho_share=0.3, litho_increase=0
    )
    assert same == pytest.approx(cost_per_good_die(16_000, 80, die_yield(600, 0.1)))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: cost_per_good_die(0, 80, 0.5), "wafer price"),
        (lambda: cost_per_good_die(1e4, 0, 0.5), "dies per wafer"),
        (lambda: cost_per_good_die(1e4, 80, 40), "yield is a fraction"),
        (lambda: cost_per_good_die(1e4, 80, 0), "above 0"),
        (lambda: silicon_per_package(100, 2, 1.0), "packaging loss"),
        (lambda: multipatterning_cost(30, 0.5), "litho share"),
        (lambda: multipatterning_cost(0.3, -2), "cheaper than free"),
        (lambda: MultiPatterning(-1, 4), "zero or more"),
        (lambda: MultiPatterning(14, 0.5), "one step or more"),
        (lambda: MultiPatterning(14, 4, 1.5), "step survival"),
    ],
)
def test_bad_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
