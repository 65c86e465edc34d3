"""Checkers of chapter 2, "Homegrown chips": dies, defects, packages, blocks."""

from __future__ import annotations

import numpy as np

from computegap.chips.wafer import die_yield, gross_dies, implied_d0

from . import call, checker, expect, expect_that


@checker("02-1")
def dies_on_a_wafer(fn) -> None:
    """The formula of Hennessy and Patterson; its printed examples come first."""
    for area, printed in ((225.0, 270), (100.0, 640)):
        want = gross_dies(area, 300.0, "hennessy-patterson")
        expect(fn, (area, 300.0), want, hint=f"before rounding; the book prints {printed}")
    for area, diameter in ((665.6, 300.0), (814.0, 300.0), (100.0, 200.0)):
        want = gross_dies(area, diameter, "hennessy-patterson")
        expect(fn, (area, diameter), want, hint="does the wafer's diameter go into both terms?")


@checker("02-2")
def implied_density(fn) -> None:
    """The negative binomial run backwards."""
    for reported, area, alpha in ((0.5, 100.0, 1.0), (0.4, 665.6, 2.0), (0.2, 665.6, 2.0), (0.8, 17.92, 4.0)):
        want = implied_d0(reported, area, "negative-binomial", alpha=alpha)
        expect(
            fn, (reported, area, alpha), want, hint="the density is per square centimetre, the area in mm²"
        )
    d0 = call(fn, 0.3, 500.0, 3.0)
    back = die_yield(500.0, d0, "negative-binomial", alpha=3.0)
    expect_that(abs(back - 0.3) < 1e-9, "putting the density back into the model should give the yield again")


@checker("02-3")
def packages(fn) -> None:
    """Dies tested before they are packaged, or only afterwards."""
    expect(
        fn, (1000, 0.5, 2, True), 250.0, hint="half of the dies are good, and every two good ones make one"
    )
    expect(
        fn, (1000, 0.5, 2, False), 125.0, hint="both dies of a package must be good: a chance of a quarter"
    )
    expect(fn, (900, 0.4, 1, True), 360.0)
    expect(
        fn,
        (900, 0.4, 1, False),
        360.0,
        hint="with one die a package, testing early or late makes no difference",
    )
    expect(fn, (1200, 0.9, 4, False), 1200 / 4 * 0.9**4)
    expect(fn, (1200, 0.9, 4, True), 1200 * 0.9 / 4)


@checker("02-4")
def rounded_in_blocks(fn) -> None:
    """Eight-bit integers with one scale factor a block."""
    rng = np.random.default_rng(2)
    outlier = rng.normal(size=64)
    outlier[3] = 900.0
    for values, block in (([1.0, -2.0, 0.5, 127.0], 4), ([0.01, 0.02, 50.0, 100.0], 2), (list(outlier), 16)):
        given = np.asarray(call(fn, list(values), block), dtype=float)
        expect_that(
            given.shape == (len(values),), f"{len(values)} numbers go in, {len(values)} should come out"
        )
        for start in range(0, len(values), block):
            part = np.asarray(values[start : start + block])
            step = np.abs(part).max() / 127
            error = np.abs(given[start : start + block] - part).max()
            expect_that(
                error <= step / 2 + 1e-9,
                f"in the block that starts at place {start} the error is {error:.3g}; "
                f"rounding allows {step / 2:.3g}",
                hint="each block has its own largest value, which becomes 127",
            )
            levels = given[start : start + block] / step
            expect_that(
                np.abs(levels - np.round(levels)).max() < 1e-6,
                "the results should lie on whole multiples of largest / 127",
                hint="scale, round, scale back",
            )
    expect(fn, ([0.0, 0.0], 2), [0.0, 0.0], hint="a block of zeros has no largest value to divide by")
