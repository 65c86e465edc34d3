"""What waiting for the slowest costs: order statistics, shares of a batch, and real workers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.cluster import draw_pooling
from computegap.cluster import stragglers as s
from computegap.cluster.launch import launch

speed_lists = st.lists(st.floats(0.05, 10), min_size=1, max_size=8)


@pytest.mark.parametrize(("workers", "mean"), [(2, 0.56419), (3, 0.84628), (5, 1.16296), (10, 1.53875)])
def test_means_of_the_largest_of_normal_numbers(workers, mean):
    """Tables of normal order statistics: H. L. Harter, Biometrika 48 (1961), p. 151."""
    assert s.expected_slowest(workers, 1.0) == pytest.approx(1 + mean, abs=2e-5)


@pytest.mark.parametrize("tail", s.TAILS)
def test_drawn_times_have_the_mean_the_deviation_and_the_maximum(tail):
    times = s.draw_times(np.random.default_rng(3), 160_000, 2.0, 0.2, tail)
    assert times.mean() == pytest.approx(2.0, rel=5e-3)
    assert times.std() == pytest.approx(0.4, rel=2e-2)
    slowest = times.reshape(-1, 8).max(1).mean() / 2.0
    assert slowest == pytest.approx(s.expected_slowest(8, 0.2, tail), rel=5e-3)


@given(st.integers(1, 3000), st.floats(0.01, 1), st.sampled_from(s.TAILS))
def test_more_workers_and_more_chance_wait_longer(workers, deviation, tail):
    now = s.expected_slowest(workers, deviation, tail)
    assert s.expected_slowest(workers + 1, deviation, tail) > now - 1e-9
    assert s.expected_slowest(workers, 0.0, tail) == pytest.approx(1)
    assert s.expected_slowest(1, deviation, tail) == pytest.approx(1, abs=1e-6)


def test_far_out_the_tail_decides():
    assert s.expected_slowest(10_000, 0.2, "exponential") > s.expected_slowest(10_000, 0.2) + 0.5
    # The logarithm takes over from the sum without a jump.
    below, above = (s.expected_slowest(n, 0.5, "exponential") for n in (999, 1000))
    assert 0 < above - below < 1e-3


@given(speed_lists, st.integers(0, 300))
def test_shares_by_speed_are_whole_and_as_quick_as_whole_shares_can_be(speeds, batch):
    shares = s.split_by_speed(batch, speeds)
    assert sum(shares) == batch
    assert min(shares) >= 0
    time = s.step_time(shares, speeds)
    for giver in range(len(speeds)):
        for taker in range(len(speeds)):
            moved = list(shares)
            moved[giver] -= 1
            moved[taker] += 1
            if giver != taker and min(moved) >= 0:
                assert s.step_time(moved, speeds) >= time - 1e-9


@given(speed_lists, st.integers(1, 300))
def test_fitting_shares_are_never_slower_than_even_ones(speeds, batch):
    even, fitted = s.split_evenly(batch, len(speeds)), s.split_by_speed(batch, speeds)
    assert s.step_time(fitted, speeds) <= s.step_time(even, speeds) + 1e-9
    assert 0 < s.utilisation(fitted, speeds) <= 1 + 1e-9
    assert s.pool_speed(speeds, "even") <= s.pool_speed(speeds, "by-speed") + 1e-9


def test_a_weak_chip_may_cost_more_than_it_brings():
    """With even shares a pool of n gains from one more chip only if that has n/(n+1) of their speed."""
    seven = s.pool_speed([1.0] * 7)
    assert s.pool_speed([1.0] * 7 + [0.87]) < seven < s.pool_speed([1.0] * 7 + [0.88])
    assert s.pool_speed([1.0] * 7 + [0.1], "by-speed") > seven


def test_what_fitting_shares_recover():
    assert s.recovered(4.0, 7.0, 7.0) == 1
    assert s.recovered(4.0, 5.5, 7.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: s.expected_slowest(0, 0.1),
        lambda: s.expected_slowest(2, 1.5),
        lambda: s.expected_slowest(2, 0.1, "flat"),
        lambda: s.draw_times(np.random.default_rng(0), 3, 1.0, 0.1, "flat"),
        lambda: s.split_by_speed(10, [1.0, 0.0]),
        lambda: s.split_by_speed(-1, [1.0]),
        lambda: s.split_evenly(4, 0),
        lambda: s.step_time([1], [1.0, 1.0]),
        lambda: s.pool_speed([1.0], "both"),
        lambda: s.recovered(2.0, 2.0, 2.0),
        lambda: s.waiting([]),
        lambda: s.waiting([{"kind": "waited", "tail": "normal", "workers": 2, "block": 0}]),
        lambda: draw_pooling.overlap_table([]),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(ValueError, match=r".{15}"):
        call()


def test_real_workers_wait_as_long_as_the_slowest_takes():
    finished = launch("computegap.cluster.straggler_bench", "--blocks", 3, "--mean-ms", 15, workers=4)
    results = {(w.tail, w.workers): w for w in s.waiting(finished.records)}
    assert set(results) == {(tail, n) for tail in s.TAILS for n in (1, 2, 4)}
    for (tail, workers), result in results.items():
        formula = s.expected_slowest(workers, 0.2, tail)
        assert np.mean(result.slowest) == pytest.approx(formula, abs=0.12)
    assert np.mean(results["normal", 4].measured) > 1.05


def test_sending_while_computing_hides_part_of_a_slow_wire():
    """Waits of emulated chips and of a capped wire: neither depends on how fast this machine is."""
    finished = launch(
        "computegap.cluster.overlap_bench", "--link-rates", 15e6, "--layer-ms", 8, "--repeats", 3, workers=2
    )
    table = draw_pooling.overlap_table(finished.records)
    alone, after, meanwhile = (np.median(table[15e6, way]) for way in ("alone", "after", "overlapped"))
    assert alone < meanwhile < after
    assert np.median(draw_pooling.hidden_shares(finished.records, 15e6)) > 0.3
