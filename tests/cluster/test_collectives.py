"""Formulas of collectives against published numbers, and ring and tree run on real workers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap import facts
from computegap.cluster import collectives as c
from computegap.cluster.collectives import Link
from computegap.cluster.launch import WorkerFailed, launch

GIB = 2.0**30
sizes = st.floats(1, 1e12)
counts = st.integers(1, 4096)
links = st.builds(Link, st.floats(0, 1e-2), st.floats(1e3, 1e13))


@pytest.mark.parametrize("name", ["all_reduce", "all_gather", "reduce_scatter", "all_to_all"])
def test_bus_factors_are_those_of_nccl_tests(name):
    """NVIDIA, nccl-tests, doc/PERFORMANCE.md: 2(n-1)/n for an all-reduce, (n-1)/n for the others."""
    doubled = 2 if name == "all_reduce" else 1
    assert c.BUS_FACTORS[name](8) == pytest.approx(doubled * 7 / 8)
    assert c.BUS_FACTORS["broadcast"](8) == c.BUS_FACTORS["reduce"](8) == 1


def test_the_worked_example_of_four_b200_nodes():
    """ml-engineering, network/README.md: 4 GiB over 32 accelerators; naive, flat, hierarchical."""
    size, port = 4 * GIB, 50e9
    nvlink = 740e9  # what one node reaches at this size, in the same table
    printed = {r.key.rsplit("-", 1)[1]: r for r in facts.collectives(item="worked example")}
    assert size / port * 1e3 == pytest.approx(printed["naive"].value, rel=2e-3)
    flat = c.ring_all_reduce(size, 32, Link(0, 8 * port))
    assert flat * 1e3 == pytest.approx(printed["flat"].value, rel=2e-3)
    low, high = printed["hierarchical"].range
    serial = c.hierarchical_all_reduce(size, 8, 4, Link(0, nvlink), Link(0, port))
    between = c.ring_all_reduce(size / 8, 4, Link(0, port))
    assert between * 1e3 == pytest.approx(low, rel=2e-3)
    assert serial * 1e3 == pytest.approx(high, rel=5e-3)
    assert low <= printed["measured"].value <= high


def test_reported_bus_bandwidth_and_time_agree():
    """The same example was measured at 22.05 ms, and the table reports 377.34 GB/s for it."""
    row = facts.fact("b200-all-reduce-4x8-4gib")
    seconds = c.seconds_from_bus_bandwidth("all_reduce", 4 * GIB, row.value * 1e9, 32)
    assert seconds * 1e3 == pytest.approx(facts.fact("b200-example-measured").value, rel=1e-3)
    assert c.bus_bandwidth("all_reduce", 4 * GIB, seconds, 32) == pytest.approx(row.value * 1e9)


def test_the_published_sweep_has_its_knee_where_the_line_bends():
    knees = []
    for nodes in (1, 4):
        rows = facts.collectives("all-reduce", metric="by size", nodes=nodes)
        points = [
            (
                s := float(r.given["size"]),
                c.seconds_from_bus_bandwidth("all_reduce", s, r.value * 1e9, 8 * nodes),
            )
            for r in rows
        ]
        fit = c.fit_alpha_beta(*zip(*[p for p in points if p[0] >= 2**20], strict=True))
        assert fit.error < 0.15
        knees.append(fit.knee)
        assert fit.seconds(fit.knee) == pytest.approx(2 * fit.start)
    assert 2**20 < knees[0] < knees[1] < GIB


@given(sizes, counts, links)
def test_one_worker_sends_nothing_and_more_never_pay_less(size, workers, link):
    for rule in c.ALGORITHMS.values():
        assert rule(size, 1, link) == 0
        assert rule(size, workers, link) <= rule(size, workers + 1, link) * (1 + 1e-12)


@given(sizes, counts, links, st.floats(1, 100))
def test_a_better_link_is_never_slower(size, workers, link, factor):
    for rule in c.ALGORITHMS.values():
        now = rule(size, workers, link)
        assert rule(size, workers, Link(link.latency, link.bandwidth * factor)) <= now * (1 + 1e-12)
        assert rule(size, workers, Link(link.latency / factor, link.bandwidth)) <= now * (1 + 1e-12)


@given(sizes, st.integers(2, 4096), links)
def test_no_algorithm_beats_the_bound_of_bandwidth(size, workers, link):
    """Each worker must send (n-1)/n of the data twice (Patarasuk and Yuan 2009)."""
    bound = 2 * (workers - 1) / workers * size / link.bandwidth
    assert all(rule(size, workers, link) >= bound * (1 - 1e-9) for rule in c.ALGORITHMS.values())


@given(st.integers(3, 512), st.floats(1e-6, 1e-2), st.floats(1e6, 1e12))
def test_tree_and_ring_cross_once(workers, latency, bandwidth):
    link = Link(latency, bandwidth)
    at = c.crossover(workers, link)
    if at == 0:  # three workers: as many messages either way
        assert c.ring_all_reduce(1, workers, link) <= c.tree_all_reduce(1, workers, link)
        return
    assert c.ring_all_reduce(at, workers, link) == pytest.approx(c.tree_all_reduce(at, workers, link))
    assert c.tree_all_reduce(at / 2, workers, link) < c.ring_all_reduce(at / 2, workers, link)
    assert c.tree_all_reduce(at * 2, workers, link) > c.ring_all_reduce(at * 2, workers, link)


@given(st.floats(1e-6, 1), st.floats(1e-12, 1e-6))
def test_a_fit_finds_the_line_that_made_the_times(start, per_byte):
    x = np.array([1e3, 1e5, 1e7, 1e9])
    fit = c.fit_alpha_beta(x, start + per_byte * x)
    assert fit.start == pytest.approx(start, rel=1e-3)
    assert fit.per_byte == pytest.approx(per_byte, rel=1e-3)
    assert fit.error < 1e-6
    link = fit.link(4)
    assert c.ring_all_reduce(1e6, 4, link) == pytest.approx(fit.seconds(1e6))


def test_a_fit_has_no_negative_start():
    fit = c.fit_alpha_beta([1e3, 1e6], [1e-6, 1.0])
    assert fit.start >= 0
    assert fit.per_byte > 0
    assert c.fit_alpha_beta([1, 1e6], [2.0, 1.0]).per_byte == 0


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7, 8])
def test_ring_and_tree_leave_everything_everywhere(workers):
    for history, length in (
        (c.ring_steps(workers), 2 * (workers - 1)),
        (c.tree_steps(workers), 2 * math.ceil(math.log2(workers))),
    ):
        assert len(history) == length + 1
        everybody = frozenset(range(workers))
        assert all(piece == everybody for pieces in history[-1] for piece in pieces)
        if workers > 1:
            assert any(piece != everybody for pieces in history[-2] for piece in pieces)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Link(-1, 1),
        lambda: Link(0, 0),
        lambda: c.ring_all_reduce(1, 0, Link(0, 1)),
        lambda: c.ring_all_reduce(-1, 2, Link(0, 1)),
        lambda: c.bus_bandwidth("gossip", 1, 1, 2),
        lambda: c.bus_bandwidth("all_reduce", 1, 0, 2),
        lambda: c.phase_seconds("gossip", 1, 2, Link(0, 1)),
        lambda: c.fit_alpha_beta([1], [1]),
        lambda: c.fit_alpha_beta([1, 2], [1]),
        lambda: c.fit_alpha_beta([1, 2], [1, 0]),
        lambda: c.median_seconds([]),
        lambda: c.fit_alpha_beta([1, 2], [1, 2]).link(1),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(ValueError, match=r".{15}"):
        call()


def medians(finished, algorithm, rate):
    pairs = [
        (r["size"], r["seconds"])
        for r in finished.of("all_reduce")
        if r["algorithm"] == algorithm and r["rate"] == rate
    ]
    return dict(zip(*c.median_seconds(pairs), strict=True))


def test_on_a_slow_wire_ring_and_tree_take_what_the_formulas_say():
    """Four real workers; each sum is checked by the program itself. The wire dominates on any machine."""
    rate, size = 20e6, 2**20
    finished = launch(
        "computegap.cluster.collective_bench",
        "--sizes",
        size,
        "--repeats",
        3,
        "--link-rates",
        rate,
        workers=4,
    )
    link = Link(0, rate)
    ring, tree = (medians(finished, name, rate)[size] for name in ("ring", "tree"))
    assert 0.7 < ring / c.ring_all_reduce(size, 4, link) < 2.5
    assert 0.7 < tree / c.tree_all_reduce(size, 4, link) < 2.5
    assert tree > 1.5 * ring


@pytest.mark.parametrize("workers", [1, 3])
def test_ring_and_tree_sum_rightly_among_odd_numbers_of_workers(workers):
    finished = launch(
        "computegap.cluster.collective_bench", "--sizes", 4, 40, 4000, "--repeats", 1, workers=workers
    )
    assert len(finished.of("all_reduce")) == 9


def test_the_program_refuses_what_it_does_not_know():
    with pytest.raises(WorkerFailed):
        launch("computegap.cluster.collective_bench", "--sizes", 2, workers=2)
