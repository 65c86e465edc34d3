"""Means of a few repeats, and what is known of them."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.experiment import paired, spread
from computegap.experiment.spread import student_factor

values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


def test_students_sleep_data():
    # Student (1908), the extra hours of sleep of ten patients: mean difference 1.58, sd 1.23, t = 4.06.
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    difference = paired(second, first)
    assert difference.mean == pytest.approx(1.58)
    assert difference.sd == pytest.approx(1.23, abs=0.005)
    assert difference.mean / (difference.sd / math.sqrt(10)) == pytest.approx(4.06, abs=0.01)
    assert (difference.low, difference.high) == (pytest.approx(0.70, abs=0.01), pytest.approx(2.46, abs=0.01))
    assert difference.excludes_zero


@given(values)
def test_interval_is_centred_on_the_mean(numbers):
    result = spread(numbers)
    assert result.low <= result.mean <= result.high
    assert result.high - result.mean == pytest.approx(result.mean - result.low, rel=1e-6, abs=1e-6)


@given(values, st.floats(-1e3, 1e3))
def test_shift_moves_the_mean_and_keeps_the_spread(numbers, shift):
    moved = spread([number + shift for number in numbers])
    assert moved.mean == pytest.approx(spread(numbers).mean + shift, abs=1e-6)
    assert moved.sd == pytest.approx(spread(numbers).sd, rel=1e-4, abs=1e-4)


def test_pairs_remove_what_the_seeds_share():
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 1, 8)
    better, worse = luck, luck + 0.1 + rng.normal(0, 0.01, 8)
    assert paired(worse, better).excludes_zero
    assert paired(worse, better).half_width < spread(worse).half_width / 5


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    rng = np.random.default_rng(1)
    held = [spread(rng.normal(3, 2, 4)) for _ in range(2000)]
    share = np.mean([result.low <= 3 <= result.high for result in held])
    assert 0.93 < share < 0.97


def test_student_factor_falls_to_the_normal():
    factors = [student_factor(n) for n in range(2, 200)]
    assert all(a >= b for a, b in pairwise(factors))
    assert student_factor(10_000) == pytest.approx(1.96, abs=0.001)
    assert student_factor(61) == pytest.approx(2.000, abs=0.001)  # tables: 60 degrees of freedom


def test_one_run_says_so():
    assert "one run" in str(spread([1.0]))
    assert not spread([1.0]).excludes_zero


@pytest.mark.parametrize("numbers", [[], [1.0, float("nan")], [1.0, float("inf")]])
def test_nothing_and_divergence_are_refused(numbers):
    with pytest.raises(ValueError, match=r"one value or more|not finite"):
        spread(numbers)


def test_unpaired_lengths_are_refused():
    with pytest.raises(ValueError, match="equal lengths, got 2 and 3"):
        paired([1, 2], [1, 2, 3])
