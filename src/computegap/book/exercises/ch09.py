"""Checkers of chapter 9, "How many Ascends make an H100 cluster?"."""

from __future__ import annotations

import math

import numpy as np

from . import call, checker, expect, expect_that


@checker("09-1")
def tensor_parallel_seconds(fn) -> None:
    """Four all-reduces of the activations of a layer, as a ring over ``chips``."""

    def want(tokens, hidden, chips, rate):
        return 4 * 2 * (chips - 1) / chips * (2 * tokens * hidden) / rate

    expect(fn, (4096, 8192, 1, 450e9), 0.0, hint="a chip on its own sends nothing")
    for case in ((4096, 8192, 8, 450e9), (4096, 8192, 2, 200e9), (8192, 16384, 4, 200e9)):
        expect(
            fn,
            case,
            want(*case),
            hint="four all-reduces; each moves 2 (n - 1) / n of two bytes per activation",
        )
    cut = call(fn, 4096, 8192, 8, 200e9) / call(fn, 4096, 8192, 8, 450e9)
    expect_that(abs(cut - 450 / 200) < 1e-9, "halving the rate of the link should double the time")


@checker("09-2")
def macro_error_left_out(fn) -> None:
    """A constant utilisation fitted without the family that it is tested on."""
    even = {"a": [0.5, 0.5], "b": [0.5], "c": [0.5, 0.5, 0.5]}
    expect(fn, (even,), 0.0, hint="if all runs reach the same utilisation, the constant is right everywhere")
    rng = np.random.default_rng(9)
    mixed = {name: list(rng.uniform(0.3, 0.6, count)) for name, count in (("a", 4), ("b", 9), ("c", 2))}
    for families in ({"small": [0.2, 0.2], "large": [0.4, 0.5, 0.6]}, mixed):
        result = call(fn, {name: list(values) for name, values in families.items()})
        inside = _macro(families, left_out=False)
        if abs(inside - _macro(families)) > 1e-6 and abs(result - inside) < 1e-9:
            expect_that(
                False,
                "the constant for a family must be fitted on the other families only",
                hint="not on its own",
            )
        by_row = np.mean([error for errors in _errors(families).values() for error in errors])
        if abs(result - by_row) < 1e-9:
            expect_that(False, "that is the mean over runs; the macro error is the mean over families")
        expect(
            fn, (families,), _macro(families), hint="mean of the others' runs; relative error; mean of means"
        )


def _errors(families, left_out: bool = True) -> dict[str, list[float]]:
    result = {}
    for name, values in families.items():
        others = [u for other, run in families.items() for u in run if not left_out or other != name]
        constant = sum(others) / len(others)
        result[name] = [abs(u / constant - 1) for u in values]
    return result


def _macro(families, left_out: bool = True) -> float:
    return float(np.mean([np.mean(errors) for errors in _errors(families, left_out).values()]))


@checker("09-3")
def two_intervals(fn) -> None:
    """How far the slow link sets back, judged with errors taken apart and with errors shared."""
    fast, slow = [10.0, 8.0, 12.0], [11.0, 9.2, 13.2]
    result = call(fn, list(fast), list(slow))
    expect_that(
        isinstance(result, (tuple, list)) and len(result) == 2, "return two ranges: apart, and in pairs"
    )
    for f, s in ((fast, slow), ([1.0, 2.0], [1.5, 3.0]), ([5.0, 6.0, 7.0, 8.0], [6.0, 6.0, 9.1, 8.0])):
        apart, pairs = call(fn, list(f), list(s))
        want_apart = (min(s) / max(f), max(s) / min(f))
        ratios = [b / a for a, b in zip(f, s, strict=True)]
        expect_that(
            np.allclose(apart, want_apart),
            f"apart, the range of {s} over {f} is {want_apart[0]:.3g} to {want_apart[1]:.3g}",
            hint="lowest over highest, highest over lowest",
        )
        expect_that(
            np.allclose(pairs, (min(ratios), max(ratios))),
            f"in pairs, the ratios are {', '.join(f'{r:.3g}' for r in ratios)}",
            hint="divide case by case first, then take the ends",
        )


@checker("09-4")
def best_interval(fn) -> None:
    """First-order loss, minimised."""
    for save, mtbf in ((60.0, 11_136.0), (300.0, 11_136.0), (5.0, 1440.0)):
        result = call(fn, save, mtbf)
        expect_that(
            isinstance(result, (tuple, list)) and len(result) == 2, "return the interval and the share lost"
        )
        interval, lost = result
        expect_that(
            math.isclose(interval, math.sqrt(2 * save * mtbf), rel_tol=1e-6),
            f"saving takes {save:g} and failures come every {mtbf:g}: Young's interval is "
            f"{math.sqrt(2 * save * mtbf):.1f}, yours {interval:.1f}",
            hint="set the derivative of save / interval + interval / (2 mtbf) to zero",
        )
        want = save / interval + interval / (2 * mtbf)
        expect_that(
            math.isclose(lost, want, rel_tol=1e-6), f"there the share lost is {want:.4f}, yours {lost:.4f}"
        )
