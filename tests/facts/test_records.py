"""A fact behaves like its number, says where it comes from, and refuses when nobody trusts it."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from computegap.facts import UNITS, Fact, Source, UntrustedValue
from computegap.facts.units import convert

SOURCE = Source(key="a", title="A data sheet", url="https://example.org/a", date="2024-03", type="datasheet")
finite = st.floats(1e-6, 1e12)
units = st.sampled_from(sorted(UNITS))


def make(value=148.0, unit="TFLOP/s", **more):
    given = {"key": "X.bf16", "what": "X: peak", "source": SOURCE, "date": "2024-03", "kind": "datasheet"}
    return Fact(value=value, unit=unit, **{"confidence": "solid", **given, **more})


BLANK = make(None, note="the only public figure contradicts history")


@given(finite, units)
def test_it_is_its_number(x, unit):
    fact = make(x, unit)
    assert float(fact) == x
    assert fact == x
    assert hash(fact) == hash(x)
    assert fact.range == (x, x)
    assert not fact.contested
    assert float(f"{fact:.17g}") == x


@given(finite, finite, units)
def test_arithmetic_and_order_are_those_of_the_numbers(x, y, unit):
    a, b = make(x, unit), make(y, unit)
    for op in (operator.add, operator.sub, operator.mul, operator.truediv):
        for left, right in ((a, b), (a, y), (x, b)):
            assert op(left, right) == op(x, y)
            assert type(op(left, right)) is float
    for op in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq):
        assert op(a, b) is op(x, y)
        assert op(a, y) is op(x, y)
    assert -a == -x


@given(finite, finite)
def test_different_units_do_not_mix_in_sums_and_comparisons(x, y):
    rate, power = make(x, "GB/s"), make(y, "W")
    for op in (operator.add, operator.sub, operator.lt, operator.ge):
        with pytest.raises(ValueError, match=r"GB/s.*W"):
            op(rate, power)
    assert rate != power
    assert rate / power == x / y  # a quotient of units is a new unit, and a plain number


@given(finite, units, units)
def test_conversion_goes_there_and_back_or_refuses(x, unit, other):
    fact = make(x, unit, low=x / 2, high=2 * x)
    if UNITS[unit].dimension != UNITS[other].dimension:
        with pytest.raises(ValueError, match="cannot turn"):
            fact.to(other)
        return
    turned = fact.to(other)
    assert turned.unit == other
    assert turned.source is fact.source
    assert turned.low <= turned.value <= turned.high
    assert math.isclose(float(turned.to(unit)), x, rel_tol=1e-12)
    assert math.isclose(turned.si, fact.si, rel_tol=1e-12)


def test_familiar_conversions():
    assert float(make(3350, "GB/s").to("TB/s")) == pytest.approx(3.35)
    assert make(989.5, "TFLOP/s").si == pytest.approx(9.895e14)
    assert convert(100, "mm^2", "cm^2") == pytest.approx(1)
    assert convert(700, "W", "kW") == pytest.approx(0.7)
    with pytest.raises(LookupError, match="unknown unit 'TB/h'"):
        convert(1, "TB/h", "GB/s")


@given(finite, st.floats(0, 0.9), st.floats(0, 3))
def test_the_range_contains_the_value(x, down, up):
    fact = make(x, low=x * (1 - down), high=x * (1 + up))
    low, high = fact.range
    assert low <= fact.value <= high
    assert fact.contested == (low < high)
    assert (" to " in fact.range_text()) == fact.contested


def test_text():
    assert str(make()) == "148 TFLOP/s"
    assert make().text() == "148\u00a0TFLOP/s"
    assert make(33600, "USD").text() == "33,600\u00a0USD"
    assert f"{make(989.5):.0f}" == "990"
    assert make(989.5).text(".0f") == "990\u00a0TFLOP/s"
    assert str(make(0.4, "fraction")) == "40 %"
    assert make(0.575, "fraction", low=0.55, high=0.6).range_text() == "55\u00a0% to 60\u00a0%"
    assert str(make(1, "dies")) == "1 die"
    assert str(make(0.09, "defects/cm^2")) == "0.09 defects per cm²"


def test_it_says_where_it_comes_from():
    fact = make(convention="dense", low=100, high=150)
    assert "A data sheet (2024-03)" in fact.cite()
    assert "https://example.org/a" in fact.cite()
    for part in ("X.bf16", "148 TFLOP/s", "dense", "100 to 150", "datasheet", "2024-03"):
        assert part in repr(fact)


def test_a_blank_fact_refuses_every_use_as_a_number_and_gives_the_reason():
    assert not BLANK.known
    assert not BLANK.trusted
    assert BLANK.text() == "not known"
    assert "contradicts history" in repr(BLANK)
    assert BLANK.reason == "the only public figure contradicts history"
    uses = [
        float,
        int,
        round,
        lambda f: f + 1,
        lambda f: 1 / f,
        lambda f: f < 3,
        lambda f: f.range,
        lambda f: f.si,
        lambda f: f"{f:.1f}",
        np.asarray,
        lambda f: np.array([make(), f]),
        lambda f: np.arange(3) * f,
        lambda f: np.sqrt(f),
    ]
    for use in uses:
        with pytest.raises(UntrustedValue, match="contradicts history"):
            use(BLANK)
    assert BLANK.value != BLANK
    assert make() != BLANK


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: ax.plot([1, 2], [make(), BLANK]),
        lambda ax: ax.plot(BLANK, make(), "o"),
        lambda ax: ax.scatter([BLANK], [1]),
        lambda ax: ax.bar(["a", "b"], [make(), BLANK]),
        lambda ax: ax.barh(["a"], [BLANK]),
        lambda ax: ax.axhline(BLANK),
        lambda ax: ax.errorbar([1], [BLANK]),
    ],
)
def test_a_blank_fact_cannot_be_plotted_by_accident(draw):
    figure = Figure()
    with pytest.raises(UntrustedValue):
        draw(figure.subplots())


def test_known_facts_can_be_plotted_and_put_into_arrays():
    axes = Figure().subplots()
    (line,) = axes.plot([1, 2], [make(1.0), make(2.0)])
    assert line.get_ydata().tolist() == [1.0, 2.0]
    array = np.asarray([make(1.0), make(2.0)])
    assert array.dtype == float
    assert (np.arange(3) * make(2.0)).tolist() == [0, 2, 4]
    assert (make(2.0) * np.arange(3)).tolist() == [0, 2, 4]


def test_facts_and_chips_cannot_be_changed():
    with pytest.raises(AttributeError):
        make().value = 3
