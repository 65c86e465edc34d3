"""Checkers of chapter 8, "Slow links": exchanges, the outer step, intervals, a wire's queue."""

from __future__ import annotations

import numpy as np

from computegap.cluster.wide_area import exchange_seconds

from . import call, checker, expect, expect_that


@checker("08-1")
def exchange(fn) -> None:
    """The lower bound of an all-reduce over several sites."""
    for weights, bits, gbits, sites in (
        (1e9, 16, 10, 2),
        (671e9, 16, 10, 2),
        (10e9, 4, 1, 4),
        (7e9, 8, 100, 3),
    ):
        want = float(exchange_seconds(weights, gbits * 1e9, bits=bits, sites=sites))
        expect(
            fn,
            (weights, bits, gbits, sites),
            want,
            hint="a Gbit is a thousand million bits, and mind the 2(1 - 1/M)",
        )
    expect(fn, (1e9, 16, 10, 1), 0.0, hint="one site has nobody to talk to")


@checker("08-2")
def outer_step(fn) -> None:
    """Nesterov momentum on the averaged distance."""
    rng = np.random.default_rng(8)

    def want(shared, arrived, velocity, rate, momentum):
        gradient = np.array(shared) - np.mean(arrived, axis=0)
        speed = momentum * np.array(velocity) + gradient
        return np.array(shared) - rate * (gradient + momentum * speed), speed

    shared, arrived = [1.0, 2.0], [[0.0, 2.0], [2.0, 4.0]]
    given = call(fn, shared, arrived, [0.0, 0.0], 1.0, 0.0)
    expect_that(
        isinstance(given, (tuple, list)) and len(given) == 2,
        "outer_step should return two lists: weights and velocity",
    )
    expect_that(
        np.allclose(given[0], np.mean(arrived, axis=0)),
        "with rate 1 and momentum 0 the shared weights should become the average of the workers' weights",
        hint="the outer gradient is the shared weights minus the average",
    )
    for momentum, rate in ((0.9, 0.7), (0.5, 1.0)):
        shared, velocity = rng.normal(size=3).tolist(), rng.normal(size=3).tolist()
        arrived = rng.normal(size=(4, 3)).tolist()
        weights, speed = call(fn, shared, arrived, velocity, rate, momentum)
        right = want(shared, arrived, velocity, rate, momentum)
        expect_that(
            np.allclose(speed, right[1]), f"the velocity is wrong at momentum {momentum}",
            hint="old velocity times momentum, plus the gradient",
        )  # fmt: skip
        expect_that(
            np.allclose(weights, right[0]), f"the weights are wrong at momentum {momentum}",
            hint="Nesterov's step takes the gradient plus momentum times the new velocity",
        )  # fmt: skip


@checker("08-3")
def smallest_interval(fn) -> None:
    """The utilisation formula run backwards."""
    for travel, step, share in ((1000.0, 20.0, 0.5), (1000.0, 20.0, 0.9), (3.0, 1.0, 0.8), (7.3, 2.0, 0.95)):
        found = call(fn, travel, step, share)
        expect_that(
            isinstance(found, (int, np.integer)) and not isinstance(found, bool),
            f"the interval should be a whole number (an int), not {found!r}",
        )
        busy = found * step / (found * step + travel)
        expect_that(
            busy >= share - 1e-9,
            f"with {found} steps of {step} s and {travel} s on the wire only {busy:.3f} of the time is "
            f"computing; asked for was {share}",
            hint="solve for H and round up",
        )
        less = (found - 1) * step / ((found - 1) * step + travel)
        expect_that(
            less < share, f"{found - 1} steps would have been enough", hint="the smallest such number"
        )
    expect(fn, (0.001, 10.0, 0.9), 1, hint="no interval is shorter than one step")


@checker("08-4")
def arrivals(fn) -> None:
    """A queue in front of a wire."""
    expect(fn, ([(0.0, 100)], 100.0), [1.0])
    expect(
        fn, ([(0.0, 100), (0.0, 100)], 100.0), [1.0, 2.0],
        hint="the second message waits until the first has left the wire",
    )  # fmt: skip
    expect(
        fn,
        ([(0.0, 100), (5.0, 100)], 100.0),
        [1.0, 6.0],
        hint="an idle wire starts when it is given something",
    )
    expect(fn, ([(0.0, 300), (1.0, 100), (10.0, 50)], 100.0), [3.0, 4.0, 10.5])
    expect(fn, ([], 100.0), [])
