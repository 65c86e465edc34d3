"""Controls of explorables: abbreviations as for interact, labels, refusals that say what would be right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.book.explore import Choice, Play, Slider, Toggle
from computegap.book.explore.controls import as_control


@pytest.mark.parametrize(
    ("spec", "kind", "values"),
    [
        ([1, 2, 5], Choice, [1, 2, 5]),
        (["a", "b"], Choice, ["a", "b"]),
        ({"first": 1, "second": 2}, Choice, [1, 2]),
        (True, Toggle, [False, True]),
        ((0, 4), Slider, [0, 1, 2, 3, 4]),
        ((0, 1, 0.25), Slider, [0, 0.25, 0.5, 0.75, 1.0]),
        ((1, 9, 4), Slider, [1, 5, 9]),
        (2, Slider, [-2, -1, 0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_abbreviations_of_interact(spec, kind, values):
    control = as_control(spec, "x")
    assert type(control) is kind
    assert control.values == values
    assert control.label == "x"


def test_a_range_of_floats_has_the_values_one_would_write():
    assert as_control((0.1, 0.5, 0.1), "x").values == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_counts_step_and_quantities_glide():
    assert not as_control((1, 8), "chips").smooth
    assert as_control((0.0, 1.0, 0.1), "share").smooth


def test_what_the_reader_sees():
    assert Slider([0.5, 1000], "Speed", "TB/s", fmt=",.1f").text(1) == "1,000.0\N{NO-BREAK SPACE}TB/s"
    assert Slider(["small", "large"], "Size").text(1) == "large"
    assert Choice({"October 2022": 1}, "Edition").text(0) == "October 2022"
    assert Toggle("Log", on="logarithmic", off="linear").text(1) == "logarithmic"


def test_numpy_values_become_plain_numbers():
    values = Slider(np.linspace(0, 1, 3), "x").values
    assert [type(v) for v in values] == [float] * 3


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3), st.integers(1, 50))
def test_every_value_finds_its_own_place(lo, step, n):
    control = Slider([lo + k * step for k in range(n)], "x")
    assert [control.index(v) for v in control.values] == list(range(n))


def test_a_value_that_is_missing_is_named_with_its_neighbour():
    with pytest.raises(ValueError, match=r"3 is not among .*'Peak' \(1, 2, 4\); the nearest is 2"):
        Slider([1, 2, 4], "Peak").index(3)


def test_true_is_not_one():
    with pytest.raises(ValueError, match="True is not among"):
        Slider([0, 1], "n").index(True)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Slider([], "x"), ValueError, "no values"),
        (lambda: Choice([], "x"), ValueError, "no values"),
        (lambda: Slider([1, 2, 1], "x"), ValueError, "value 1 twice"),
        (lambda: Slider("abc", "x"), TypeError, "sequence of values"),
        (lambda: Slider(3, "x"), TypeError, "sequence of values"),
        (lambda: Play([1, 2], "t", seconds=0), ValueError, "must take some time"),
        (lambda: as_control("abc", "x"), TypeError, "cannot be a control for 'x'"),
        (lambda: as_control(None, "x"), TypeError, "give Slider, Choice"),
        (lambda: as_control((3, 1), "x"), ValueError, "is empty"),
        (lambda: as_control((0, 1, 0), "x"), ValueError, "step > 0"),
        (lambda: as_control(("a", "b"), "x"), TypeError, "in numbers"),
        (lambda: as_control((0, 1e9), "x"), ValueError, "take a larger step"),
        (lambda: as_control([1], " "), ValueError, "label"),
    ],
)
def test_refusals_say_why(make, error, message):
    with pytest.raises(error, match=message):
        make()
