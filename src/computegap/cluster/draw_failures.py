"""Figures about failures: how often they come, how often to save, and one job's history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from computegap.cluster import failures
from computegap.cluster.interruptions import Job

KIND_COLOURS = {"computing": "C0", "saving": "C2", "lost": "C1", "restarting": "C3"}
KIND_WORDS = {"computing": "work kept", "saving": "saving", "lost": "work lost", "restarting": "restarting"}


def time_words(seconds: float) -> str:
    """A length of time in words: seconds, minutes, hours or days, whichever reads best."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or (unit == "h" and seconds >= length):
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s"


def draw_interval(chips: float, per_chip_h: float, checkpoint_s: float, restart_s: float) -> Figure:
    """Share of useful time against the interval between checkpoints, with Young's, Daly's and the best.

    Parameters
    ----------
    chips : float
    per_chip_h : float
        Mean hours between failures of one chip.
    checkpoint_s, restart_s : float
        Seconds to save, and seconds from an interruption until the job computes again.
    """
    mean = failures.mtbf(per_chip_h * 3600, chips)
    intervals = np.geomspace(20, 86_400, 160)
    share = 100 / failures.slowdown(intervals, checkpoint_s, mean, restart_s)
    figure, axes = plt.subplots()
    axes.plot(intervals, share, color="C0", lw=2.2)
    marks = {
        "Young": (failures.young_interval(checkpoint_s, mean), "C1", "v", 7),
        "Daly": (failures.daly_interval(checkpoint_s, mean), "C3", "^", -13),
        "best": (failures.exact_interval(checkpoint_s, mean), "C2", "o", 0),
    }
    for name, (tau, colour, sign, _) in marks.items():
        height = 100 / failures.slowdown(tau, checkpoint_s, mean, restart_s)
        axes.plot([tau], [height], sign, color=colour, markersize=8, label=name)
    axes.axhline(90, color="0.5", lw=1, ls=":")
    axes.text(86_400, 90.8, "nine tenths", ha="right", va="bottom", color="0.4", fontsize=10)
    axes.axvline(mean, color="0.5", lw=1, ls="--")
    axes.text(
        min(mean, 60_000),
        3,
        f"time between\nfailures {time_words(mean)}  ",
        ha="right",
        va="bottom",
        fontsize=10,
    )
    axes.set_xscale("log")
    axes.set(
        xlim=(20, 86_400),
        ylim=(0, 100),
        xlabel="work between checkpoints",
        ylabel="useful share of the time, %",
    )
    axes.set_xticks([60, 600, 3600, 36_000], ["1 min", "10 min", "1 h", "10 h"])
    axes.minorticks_off()
    axes.legend(loc="upper left", ncol=3, frameon=False, bbox_to_anchor=(0, 1.13), borderaxespad=0)
    return figure


def describe_interval(chips: float, per_chip_h: float, checkpoint_s: float, restart_s: float) -> str:
    """What :func:`draw_interval` shows."""
    mean = failures.mtbf(per_chip_h * 3600, chips)
    young = failures.young_interval(checkpoint_s, mean)
    best = failures.exact_interval(checkpoint_s, mean)
    share = failures.best_efficiency(checkpoint_s, mean, restart_s)
    loss = share - 1 / failures.slowdown(young, checkpoint_s, mean, restart_s)
    return (
        f"With {chips:,.0f} chips a failure comes every {time_words(mean)}; saving every {time_words(best)} "
        f"of work leaves {share:.0%} of the time useful. Young's interval, {time_words(young)}, loses "
        f"{_points(100 * loss)} of that."
    )


def _points(loss: float) -> str:
    if loss < 0.05:
        return "less than a tenth of a percentage point"
    return f"{loss:.1f} percentage points"


def draw_scaling(
    points: Mapping[str, tuple[float, float, bool]], lines: Mapping[str, tuple[float, float]]
) -> Figure:
    """Hours between failures against chips: published points, and the lines that one over ``n`` draws.

    Parameters
    ----------
    points : mapping of name to (chips, hours, measured)
        Filled if measured, open if projected.
    lines : mapping of name to (chips, hours)
        Each line goes through this point with slope -1.
    """
    figure, axes = plt.subplots()
    chips = np.array([256, 262_144.0])
    for index, (name, (count, hours)) in enumerate(lines.items()):
        axes.plot(
            chips, hours * count / chips, color=f"C{index}", lw=1.4, ls="--", label=f"1/n through {name}"
        )
    for name, (count, hours, measured) in points.items():
        axes.plot(
            [count], [hours], "o", color="C3", markersize=8, fillstyle="full" if measured else "none", mew=1.8
        )
        place = {"xytext": (9, 4)} if measured and count > 4000 else {"xytext": (-9, -12), "ha": "right"}
        axes.annotate(name, (count, hours), textcoords="offset points", fontsize=10, **place)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlim=chips, ylim=(0.1, 200), xlabel="accelerators in the job", ylabel="hours between failures")
    axes.set_xticks([1e3, 1e4, 1e5], ["1,000", "10,000", "100,000"])
    axes.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes.minorticks_off()
    axes.legend(loc="upper right", frameon=False)
    return figure


def describe_scaling(
    points: Mapping[str, tuple[float, float, bool]], lines: Mapping[str, tuple[float, float]]
) -> str:
    """What :func:`draw_scaling` shows."""
    parts = [
        f"{name}: {hours:g} hours at {count:,.0f} ({'measured' if measured else 'projected'})"
        for name, (count, hours, measured) in points.items()
    ]
    off = []
    for name, (count, hours) in lines.items():
        for point, (at, seen, measured) in points.items():
            factor = hours * count / at / seen
            if measured and abs(np.log(factor)) > 0.5:
                off.append(f"the line through {name} is {max(factor, 1 / factor):.1f} times off at {point}")
    tail = f" With one over n, {'; '.join(off)}." if off else " All measured points lie near the lines."
    return f"Hours between failures. {'; '.join(parts)}.{tail}"


def draw_jobs(jobs: Sequence[Job], names: Sequence[str], until: float) -> Figure:
    """Histories of simulated jobs as bars in time; needs jobs simulated with ``keep_spans``."""
    figure, axes = plt.subplots(figsize=(7, 1.5 + 0.5 * len(jobs)))
    figure.subplots_adjust(left=0.2, right=0.97, bottom=0.8 / (1.5 + 0.5 * len(jobs)), top=0.86)
    for row, job in enumerate(jobs):
        # Work is the ground on which the rest is laid: one bar instead of hundreds.
        end = min(until, job.spans[-1][1]) / 3600
        axes.broken_barh([(0, end)], (-row - 0.35, 0.7), color=KIND_COLOURS["computing"], lw=0)
        for kind, colour in list(KIND_COLOURS.items())[1:]:
            spans = [(a / 3600, (b - a) / 3600) for a, b, what in job.spans if what == kind and a < until]
            axes.broken_barh(spans, (-row - 0.35, 0.7), color=colour, lw=0)
    axes.set(xlim=(0, until / 3600), ylim=(-len(jobs) + 0.4, 0.6), xlabel="hours since the start")
    axes.set_yticks([-row for row in range(len(jobs))], names)
    axes.grid(axis="y", visible=False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in KIND_COLOURS.values()]
    axes.legend(
        handles,
        KIND_WORDS.values(),
        loc="lower left",
        bbox_to_anchor=(-0.2, 1),
        ncol=4,
        frameon=False,
        borderaxespad=0.3,
    )
    return figure


def describe_jobs(jobs: Sequence[Job], names: Sequence[str], until: float) -> str:
    """What :func:`draw_jobs` shows."""
    parts = []
    for job, name in zip(jobs, names, strict=True):
        spent = dict.fromkeys(KIND_COLOURS, 0.0)
        for start, end, kind in job.spans:
            spent[kind] += max(0.0, min(end, until) - start)
        shares = {kind: value / sum(spent.values()) for kind, value in spent.items()}
        parts.append(
            f"{name}: {shares['computing']:.0%} work kept, {shares['saving']:.0%} saving, "
            f"{shares['lost']:.0%} lost, {shares['restarting']:.0%} restarting"
        )
    return f"The first {time_words(until)} of simulated jobs. {'; '.join(parts)}."
