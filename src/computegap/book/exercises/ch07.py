"""Checkers of chapter 7, "Pooling chips": messages, pipelines, shares of a batch, averages."""

from __future__ import annotations

import numpy as np

from computegap.cluster.collectives import Link, ring_all_reduce, tree_all_reduce
from computegap.cluster.collectives import crossover as right_crossover
from computegap.cluster.pipeline import bubble
from computegap.cluster.stragglers import split_by_speed, step_time

from . import call, checker, expect, expect_that


@checker("07-1")
def crossover(fn) -> None:
    """The size at which ring and tree take equally long."""
    for workers, latency, bandwidth in ((4, 1e-3, 1e6), (8, 1e-4, 1e9), (64, 7e-6, 5e10), (1024, 2e-5, 1e10)):
        link = Link(latency, bandwidth)
        want = right_crossover(workers, link)
        expect(
            fn, (workers, latency, bandwidth), want, hint="set the two formulas equal and solve for the size"
        )
        size = call(fn, workers, latency, bandwidth)
        ring, tree = ring_all_reduce(size, workers, link), tree_all_reduce(size, workers, link)
        expect_that(abs(ring - tree) < 1e-6 * ring, "at your size the two formulas should give the same time")


@checker("07-2")
def microbatches(fn) -> None:
    """The fewest microbatches that keep the bubble small enough."""
    expect(fn, (4, 0.25), 9, hint="three of twelve rounds are idle with nine microbatches")
    expect(
        fn, (2, 0.5), 1, hint="with one microbatch on two devices half of the time is idle, which is allowed"
    )
    expect(fn, (1, 0.01), 1, hint="one device never waits, and still has one microbatch to do")
    for devices, idle in ((8, 0.1), (16, 0.05), (3, 0.9), (35, 0.11)):
        given = call(fn, devices, idle)
        expect_that(
            isinstance(given, int) and given >= 1,
            f"microbatches({devices}, {idle}) should be a whole number from 1",
        )
        expect_that(
            bubble(devices, given) <= idle + 1e-9,
            f"with {given} microbatches {devices} devices idle {bubble(devices, given):.3f} of the time, "
            f"more than {idle}",
        )
        expect_that(
            given == 1 or bubble(devices, given - 1) > idle - 1e-9,
            f"{given} microbatches are enough for {devices} devices, but so are {given - 1}",
            hint="round up only once",
        )


@checker("07-3")
def shares(fn) -> None:
    """Whole samples for each worker, so that the step ends as early as possible."""
    for batch, speeds in (
        (96, [1.0, 1.0, 1.0, 0.5]),
        (10, [2.0, 1.0, 1.0]),
        (7, [1.0, 1.0]),
        (5, [1.0, 0.01]),
        (100, [0.9, 0.35, 0.7, 1.3, 0.2]),
    ):
        answer = call(fn, batch, list(speeds))
        whole = isinstance(answer, (list, tuple, np.ndarray)) and all(
            isinstance(share, (int, float, np.number)) and float(share).is_integer() for share in answer
        )
        expect_that(whole, f"return a list of whole numbers, one for each worker; not {answer!r}"[:160])
        given = [int(share) for share in answer]
        expect_that(len(given) == len(speeds), f"{len(speeds)} workers need {len(speeds)} shares")
        expect_that(
            sum(given) == batch and min(given) >= 0,
            f"the shares {given} should add up to {batch} samples, none below zero",
            hint="who gets the samples that are left over?",
        )
        best = step_time(split_by_speed(batch, speeds), speeds)
        took = step_time(given, speeds)
        expect_that(
            took <= best * (1 + 1e-9),
            f"with shares {given} for speeds {speeds} the step takes {took:.3g}, and {best:.3g} is possible",
            hint="give each sample to the worker that would be done with it first",
        )


@checker("07-4")
def average(fn) -> None:
    """The mean gradient over samples, from the means of unequal shares."""
    expect(fn, ([[1.0, 2.0], [3.0, 6.0]], [4, 4]), [2.0, 4.0], hint="equal shares: the plain average")
    expect(fn, ([[1.0], [4.0]], [2, 1]), [2.0], hint="twice the samples count twice")
    expect(fn, ([[1.0, -1.0], [0.0, 0.0]], [5, 0]), [1.0, -1.0], hint="a worker without samples adds nothing")
    expect(fn, ([[0.5, 2.0], [1.5, 0.0], [-2.0, 8.0]], [48, 32, 16]), [5 / 12, 7 / 3])
