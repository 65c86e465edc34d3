"""Young, Daly and the simulation agree with each other and with what was printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap.cluster import failures, interruptions

HOUR = 3600.0
LLAMA3_MTBF = 54 * 24 * HOUR / 419  # Llama 3 report, section 3.3.4: unexpected interruptions in 54 days
costs = st.floats(0.01, 600)
times = st.floats(600, 1e6)


@pytest.mark.parametrize(("mtbf", "printed"), [(24 * 60, 117), (6 * 60, 57), (15, 9.1)])
def test_dalys_own_examples(mtbf, printed):
    """Daly (2006), figures 3 to 5: five minutes to save, the optimum in minutes."""
    assert failures.daly_interval(5, mtbf) == pytest.approx(printed, abs=0.5 if printed > 10 else 0.05)


@pytest.mark.parametrize(
    ("cost", "interval", "waste"), [(30, 817, 7.34), (60, 1156, 10.38), (300, 2585, 23.21)]
)
def test_young_at_the_rate_of_llama_3(cost, interval, waste):
    """Three worked points at 3.093 hours between interruptions."""
    assert pytest.approx(3.093, abs=5e-4) == LLAMA3_MTBF / HOUR
    assert failures.young_interval(cost, LLAMA3_MTBF) == pytest.approx(interval, abs=0.6)
    assert 100 * failures.first_order_waste(cost, LLAMA3_MTBF) == pytest.approx(waste, abs=0.006)


@pytest.mark.parametrize(("chips", "printed", "places"), [(16_384, 1.8, 0.05), (131_072, 0.23, 0.005)])
def test_projections_from_the_rate_of_rsc(chips, printed, places):
    """Kokolis et al. (2024): 6.50 failures in a thousand node-days, projected."""
    assert failures.mtbf_from_node_rate(6.50, chips) == pytest.approx(printed, abs=places)


def test_the_measured_point_of_rsc_is_not_on_that_line():
    """The same paper measured 7.9 hours at 1,024 GPUs; the line says more than three times as much."""
    assert failures.mtbf_from_node_rate(6.50, 1024) > 3 * 7.9


@pytest.mark.parametrize(("parameters", "printed"), [(176e9, 2.3e12), (1.008e12, 13.8e12)])
def test_size_of_published_checkpoints(parameters, printed):
    """BLOOM's chronicles, and section 5.10 of Narayanan et al. (2021)."""
    assert failures.checkpoint_bytes(parameters) == pytest.approx(printed, rel=0.1)


def test_rate_of_blooms_checkpoint():
    saving = failures.Saving("shared file system", 2.3e12 / 40, per_chip=False)
    assert saving.seconds(2.3e12, 384) == pytest.approx(40)
    assert failures.Saving("own disk", 1e9, per_chip=True).seconds(2e12, 500) == pytest.approx(4)


@given(costs, times)
def test_the_exact_optimum_is_an_optimum(cost, mtbf):
    best = failures.exact_interval(cost, mtbf)
    least = failures.slowdown(best, cost, mtbf)
    assert least <= failures.slowdown(1.02 * best, cost, mtbf)
    assert least <= failures.slowdown(best / 1.02, cost, mtbf)


@given(costs, times, st.floats(0, 1000))
def test_higher_order_is_closer_than_first(cost, mtbf, restart):
    best = failures.exact_interval(cost, mtbf)
    young, daly = failures.young_interval(cost, mtbf), failures.daly_interval(cost, mtbf)
    assert abs(daly - best) <= abs(young - best) * (1 + 1e-9)
    loss = failures.slowdown(daly, cost, mtbf, restart) / failures.slowdown(best, cost, mtbf, restart)
    assert 1 - 1e-12 <= loss < 1.001


@given(costs, times, st.floats(0, 1000), st.floats(1.01, 10))
def test_more_trouble_never_helps(cost, mtbf, restart, factor):
    share = failures.best_efficiency(cost, mtbf, restart)
    assert 0 < share < 1
    assert failures.best_efficiency(factor * cost, mtbf, restart) < share
    assert failures.best_efficiency(cost, mtbf / factor, restart) < share
    assert failures.best_efficiency(cost, mtbf, factor * (restart + 1)) < share


@given(costs, st.floats(1e5, 1e8), st.floats(0, 1000))
def test_first_order_is_the_limit_of_rare_failures(cost, mtbf, restart):
    share = failures.best_efficiency(cost, mtbf, restart)
    first = failures.first_order_waste(cost, mtbf, restart)
    assert abs((1 - share) - first) <= first**2


@given(times, st.integers(1, 100_000))
def test_chips_share_the_rate(per_chip, chips):
    assert failures.mtbf(per_chip, chips) * chips == pytest.approx(per_chip)
    assert failures.mtbf(per_chip, 2 * chips) < failures.mtbf(per_chip, chips)


@given(st.floats(0.5, 0.99), times, st.floats(0, 50))
def test_the_longest_checkpoint_just_reaches_the_efficiency(wanted, mtbf, restart):
    longest = failures.longest_checkpoint(wanted, mtbf, restart)
    if longest:
        assert failures.best_efficiency(longest, mtbf, restart) == pytest.approx(wanted, abs=1e-6)
    else:
        assert math.exp(-restart / mtbf) <= wanted + 1e-3


def test_chips_stop_adding_work():
    chips = np.geomspace(1e3, 1e7, 60)
    worth = failures.useful_chips(chips, 50_000 * HOUR, 60.0, 600.0)
    assert worth[10] > worth[0]
    assert worth.argmax() < len(chips) - 1
    assert np.all(worth < chips)


@settings(max_examples=40, deadline=None)
@given(st.floats(10, 1e4), st.floats(1, 2000), st.floats(0, 100), st.floats(0, 100), st.integers(0, 10_000))
def test_the_books_of_a_simulated_job_balance(work, interval, cost, restart, seed):
    draw = interruptions.gaps(3000.0, np.random.default_rng(seed))
    job = interruptions.simulate(work, interval, cost, restart, draw, keep_spans=True)
    assert job.computing == pytest.approx(work)
    assert job.saving == pytest.approx(cost * math.ceil(work / interval - 1e-9), rel=1e-6, abs=cost + 1e-9)
    assert job.spans[-1][1] == pytest.approx(job.wall)
    assert all(one[1] == pytest.approx(two[0]) for one, two in zip(job.spans, job.spans[1:], strict=False))
    for kind in interruptions.KINDS:
        spent = sum(end - start for start, end, what in job.spans if what == kind)
        assert spent == pytest.approx(getattr(job, kind), abs=1e-6)


def test_without_failures_only_saving_costs():
    job = interruptions.simulate(1000, 100, 10, 50, lambda: math.inf)
    assert (job.failures, job.lost, job.restarting) == (0, 0, 0)
    assert job.efficiency == pytest.approx(1000 / 1100)


@settings(max_examples=60)
@given(st.floats(1, 900), st.floats(1, 5000))
def test_one_failure_loses_at_most_an_interval_and_a_checkpoint(when, interval):
    failing = iter([when])
    job = interruptions.simulate(1000, interval, 10, 50, lambda: next(failing, math.inf))
    assert job.failures == 1
    assert job.lost <= interval + 10 + 1e-9
    assert job.restarting == pytest.approx(50)


@pytest.mark.parametrize("cost", [30.0, 300.0])
def test_simulation_agrees_with_dalys_cost(cost):
    """Twenty seeds of the whole 54 days; the formula lies within three standard errors."""
    interval, restart = failures.exact_interval(cost, LLAMA3_MTBF), 600.0
    seen = interruptions.efficiencies(range(20), 54 * 24 * HOUR, interval, cost, restart, LLAMA3_MTBF)
    formula = failures.best_efficiency(cost, LLAMA3_MTBF, restart)
    assert abs(seen.mean() - formula) < 3 * seen.std(ddof=1) / math.sqrt(len(seen))
    assert seen.std() > 0


def test_bursts_of_failures_have_the_same_mean():
    rng = np.random.default_rng(1)
    draw = interruptions.gaps(100.0, rng, shape=0.7)
    assert np.mean([draw() for _ in range(40_000)]) == pytest.approx(100, rel=0.03)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: failures.mtbf(10, 0.5), "at least one chip"),
        (lambda: failures.young_interval(0, 5), "checkpoint must be positive"),
        (lambda: failures.daly_interval(1, math.inf), "mtbf must be positive and finite"),
        (lambda: failures.slowdown(0, 1, 1), "interval and mtbf"),
        (lambda: failures.longest_checkpoint(1.0, 5), "between 0 and 1"),
        (lambda: interruptions.gaps(-1, np.random.default_rng(0)), "must be positive"),
        (lambda: interruptions.simulate(1, 0, 1, 1, lambda: 1), "work and interval"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_job_that_cannot_end_says_so():
    with pytest.raises(RuntimeError, match="failures"):
        interruptions.simulate(100, 50, 1, 1, lambda: 10.0, most_failures=50)
