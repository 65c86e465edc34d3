"""Equal work on curves, ranges, and the hours of a run against what was printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.cluster import equivalents, hours
from computegap.cluster.equivalents import Curve, Machine
from computegap.cluster.spans import Span

CHIPS = tuple(float(2**i) for i in range(6, 15))
LINEAR = Curve(CHIPS, tuple(100 * n for n in CHIPS))
FULL = Curve(CHIPS, tuple(100 * n / (1 + n / 2000) for n in CHIPS))
positive = st.floats(1e-6, 1e6)
spans = st.tuples(positive, positive, positive).map(lambda ends: Span(*sorted(ends)))
EXACT = Span.of(1.0)


def machine(name="weak", watts=500.0, price=None):
    return Machine(name, Span.of(watts), Span.of(2 * watts), Span.of(price) if price else None)


# -- hours -----------------------------------------------------------------------------------------
def test_hours_of_deepseek_v3_from_its_step():
    """Zhao et al. (2025), Table 4: 19.926 s for 15,360 sequences of 4,096; the report: 180,000 a trillion."""
    found = hours.hours_from_step(19.926, 15_360 * 4096, 2048, 1e12)
    assert found == pytest.approx(180_000, rel=0.005)


def test_hours_of_deepseek_v3_from_its_arithmetic():
    """250 GFLOP a token at 385 TFLOP/s, both counting causal attention, over 14.8 trillion tokens."""
    assert hours.hours_from_arithmetic(250e9, 14.8e12, 385e12) == pytest.approx(2.664e6, rel=0.005)


def test_its_days_and_its_sum():
    """3.7 days for a trillion tokens on 2,048 chips (the report's section 1)."""
    assert hours.days(180_000, 2048) == pytest.approx(3.7, abs=0.05)


def test_six_operations_for_each_parameter():
    assert hours.training_flop_per_token(37e9) == pytest.approx(222e9)


@given(positive, positive, positive, positive)
def test_both_routes_are_one(step, per_step, chips, tokens):
    per_token = 7e9
    rate = per_token * per_step / step / chips
    assert hours.hours_from_arithmetic(per_token, tokens, rate) == pytest.approx(
        hours.hours_from_step(step, per_step, chips, tokens)
    )


def test_an_estimate_knows_its_gap():
    estimate = hours.Estimate("a", 1.8e6, 2.2e6, 2.5e6, "")
    assert estimate.gap(2e6) == pytest.approx(0.1)
    assert estimate.holds(2e6)
    assert not estimate.holds(2.6e6)


# -- ranges ----------------------------------------------------------------------------------------
@given(spans, spans)
def test_products_and_quotients_hold_every_pair_of_inputs(a, b):
    for x in (a.low, a.middle, a.high):
        for y in (b.low, b.middle, b.high):
            assert (a * b).low <= x * y * (1 + 1e-12)
            assert x / y <= (a / b).high * (1 + 1e-12)
            assert (a + b).low <= (x + y) * (1 + 1e-12)
    assert (a / b).width == pytest.approx(a.width * b.width, rel=1e-9)


def test_a_range_reads_a_fact_and_a_number():
    from computegap import facts

    price = Span.of(facts.chip("H100").price_usd)
    assert price.low < price.middle < price.high
    assert Span.of(3) == Span(3, 3, 3)
    assert Span.around([4, 1, 2, 3]) == Span(1, 2.5, 4)
    assert Span(1000, 2000, math.inf).text(",.0f") == "1,000 to no end"
    assert (2 / Span(1, 2, 4)) == Span(0.5, 1, 2)
    assert (2 * Span(1, 2, 4)) == Span(2, 4, 8)


# -- curves ----------------------------------------------------------------------------------------
@given(st.floats(64, 16_384))
def test_chips_for_a_rate_gives_the_rate(chips):
    for curve in (LINEAR, FULL):
        assert curve.chips_for(curve.at(chips)) == pytest.approx(chips, rel=1e-6)


def test_no_number_of_chips_is_infinite_and_not_large():
    assert math.isinf(FULL.chips_for(200_001))
    assert LINEAR.chips_for(LINEAR.at(16_384)) == 16_384


def test_a_layout_that_does_not_fit_gives_nothing():
    curve = Curve((8, 16, 32), (0.0, 0.0, 50.0))
    assert curve.at(10) == 0
    assert curve.chips_for(20) == 32


def test_nobody_uses_chips_that_do_not_help():
    curve = Curve((8, 16, 32), (10.0, 30.0, 20.0))
    assert curve.at(32) == 30
    assert curve.chips_for(25) < 16


def test_where_doubling_stops_helping():
    assert math.isinf(LINEAR.turning_point())
    turning = FULL.turning_point(1.25)
    assert FULL.at(2 * turning) < 1.25 * FULL.at(turning)
    assert FULL.at(turning) >= 1.25 * FULL.at(turning / 2)
    assert FULL.turning_point(1.5) <= turning


def test_failures_take_more_from_more_chips():
    left = LINEAR.after_failures(50_000 * 3600, 60.0, 600.0)
    shares = np.array(left.tokens_per_s) / np.array(LINEAR.tokens_per_s)
    assert np.all(np.diff(shares) < 0)
    assert np.all((shares > 0) & (shares < 1))


# -- equal work ------------------------------------------------------------------------------------
def test_half_as_fast_needs_twice_as_many_and_takes_twice_as_long():
    found = equivalents.equal_work(
        machine("strong", 1000, 30_000),
        1024,
        [LINEAR],
        machine("weak", 500, 10_000),
        [[LINEAR.scaled(0.5)]],
        EXACT,
    )
    assert found.chips.middle == pytest.approx(2048)
    assert (found.ratio.low, found.ratio.high) == pytest.approx((2, 2))
    assert found.watts_ratio_alone.middle == pytest.approx(1)
    assert found.days_ratio.middle == pytest.approx(2)
    assert found.price.middle == pytest.approx(2048 * 10_000)


def test_software_and_the_peak_widen_the_range():
    variants = [[LINEAR.scaled(0.5), LINEAR.scaled(0.4)]]
    found = equivalents.equal_work(machine(), 1024, [LINEAR], machine(), variants, Span(0.8, 1.0, 1.0))
    assert found.ratio.low == found.ratio.middle == pytest.approx(2)
    assert found.ratio.high == pytest.approx(1 / 0.4 / 0.8)
    assert found.price is None


def test_an_error_that_both_chips_share_cancels():
    ours, theirs = [LINEAR, LINEAR.scaled(0.7)], [[LINEAR.scaled(0.5)], [LINEAR.scaled(0.35)]]
    found = equivalents.equal_work(machine(), 1024, ours, machine(), theirs, EXACT)
    assert found.ratio.width == pytest.approx(1)


def test_work_out_of_reach_has_no_upper_end():
    found = equivalents.equal_work(machine(), 16_384, [LINEAR], machine(), [[FULL]], EXACT)
    assert math.isinf(found.chips.low)
    assert "no end" in found.chips.text()


@given(st.floats(0.3, 1.0), st.floats(0.3, 1.0))
def test_a_weaker_chip_never_needs_fewer(fast, slow):
    fast, slow = max(fast, slow), min(fast, slow)
    counts = [
        equivalents.equal_work(machine(), 512, [FULL], machine(), [[FULL.scaled(s)]], EXACT).chips.middle
        for s in (fast, slow)
    ]
    assert counts[0] <= counts[1]


def test_a_shared_error_leaves_a_narrow_ratio():
    first, second = {"a": 10.0, "b": 5.0}, {"a": 11.0, "b": 5.4}
    apart, pairs = equivalents.intervals_of_a_ratio(first, second)
    assert apart == pytest.approx((0.54, 2.2))
    assert pairs == pytest.approx((1.08, 1.1))


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=8))
def test_in_pairs_is_never_wider_than_apart(values):
    first = {str(i): a for i, (a, _) in enumerate(values)}
    second = {str(i): b for i, (_, b) in enumerate(values)}
    apart, pairs = equivalents.intervals_of_a_ratio(first, second)
    assert apart[0] <= pairs[0] * (1 + 1e-12)
    assert pairs[1] <= apart[1] * (1 + 1e-12)


def test_power_and_money():
    served = equivalents.served_watts(Span(400, 400, 550), 10_200, 8, 700)
    assert served == Span(975, 975, 1125)
    bill = equivalents.electricity(Span.of(1000), Span.of(1000), 10, Span.of(0.1), Span.of(1.0))
    assert bill.middle == pytest.approx(1000 * 24 * 10 * 0.1)
    assert equivalents.days_of_run(86_400 * 5, 1) == pytest.approx(5)
    assert equivalents.price_of("H800") is None
    assert equivalents.price_of("H20").high == 12_000


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Span(2, 1, 3), "ascending order"),
        (lambda: Span.around([]), "at least one value"),
        (lambda: Curve((1,), (1,)), "at least two points"),
        (lambda: Curve((4, 2), (1, 1)), "ascend"),
        (lambda: Curve((1, 2), (1, math.nan)), "finite"),
        (lambda: LINEAR.at(1), "runs from"),
        (lambda: LINEAR.chips_for(0), "positive"),
        (lambda: equivalents.served_watts(Span.of(1), 10, 8, 700), "less than its chips"),
        (lambda: equivalents.intervals_of_a_ratio({"a": 1}, {"b": 1}), "same cases"),
        (lambda: equivalents.days_of_run(0, 1), "positive"),
        (lambda: hours.days(0, 1), "accelerator hours must be positive"),
        (
            lambda: equivalents.equal_work(
                machine(), 64, [Curve((8, 64), (0, 0))], machine(), [[FULL]], EXACT
            ),
            "cannot run",
        ),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
