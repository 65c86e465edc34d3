"""Figures about the size of a cluster: where a step's time goes, equal work, what a cut link cost, growth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from computegap.cluster.equivalents import Curve
from computegap.cluster.hours import SECONDS_PER_DAY, Estimate
from computegap.cluster.spans import Span
from computegap.cluster.step_time import Breakdown
from computegap.cluster.supernodes import Ratio

#: Parts of a step as a figure groups them, with their colours.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "matrix products": ("C0", ("matmul", "loss")),
    "attention": ("C5", ("attention",)),
    "memory-bound rest": ("C6", ("elementwise", "optimizer")),
    "recomputation": ("C4", ("recompute",)),
    "tensor parallel": ("C1", ("tensor", "context")),
    "experts": ("C3", ("expert",)),
    "pipeline": ("C2", ("bubble", "send", "imbalance")),
    "gradients, waiting": ("C7", ("data", "sharding", "launch", "straggle")),
}


def grouped(step: Breakdown) -> dict[str, float]:
    """Seconds of a step by the groups of :data:`GROUPS`; they add up to its total."""
    return {name: float(sum(np.sum(step[part]) for part in parts)) for name, (_, parts) in GROUPS.items()}


def draw_steps(
    steps: Mapping[str, Breakdown],
    published: Mapping[str, float] | None = None,
    *,
    relative: bool = False,
    unit: float | None = None,
    limit: float | None = None,
) -> Figure:
    """Steps as stacked bars, each with its interval, and the published time where there is one.

    Parameters
    ----------
    steps : mapping of label to Breakdown
        Of single jobs.
    published : mapping of label to float, optional
        Seconds.
    relative : bool
        Draw every step as a share of its published time, which must be there.
    unit : float, optional
        Draw every step as a multiple of so many seconds, those of the best layout.
    limit : float, optional
        End of the axis.
    """
    published = published or {}
    height = 1.75 + 0.48 * len(steps)
    figure, axes = plt.subplots(figsize=(7, height))
    # Long labels need more room than the usual ones; the legend starts at the left edge either way.
    left = 0.3 if max(len(label) for label in steps) < 24 else 0.36
    figure.subplots_adjust(left=left, right=0.97, bottom=0.6 / height, top=1 - 0.62 / height)
    ends = []
    for row, (label, step) in enumerate(steps.items()):
        start, one = 0.0, published[label] if relative else unit or 1.0
        for name, value in grouped(step).items():
            axes.barh(-row, value / one, left=start, height=0.55, color=GROUPS[name][0], lw=0)
            start += value / one
        interval = [float(step.low) / one, float(step.high) / one]
        axes.plot(interval, [-row, -row], color="0", lw=1.6, marker="|", markersize=9)
        ends.append(interval[1])
        if label in published:
            axes.plot([published[label] / one], [-row], "D", color="w", mec="0", mew=1.3, markersize=6.5)
    label = "predicted time over the published one" if relative else "seconds a step"
    label = "time of a step over that of the best layout" if unit else label
    axes.set(ylim=(-len(steps) + 0.45, 0.55), xlim=(0, limit or 1.06 * max(ends)), xlabel=label)
    axes.set_yticks([-row for row in range(len(steps))], list(steps))
    axes.grid(axis="y", visible=False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour, _ in GROUPS.values()]
    axes.legend(
        handles, list(GROUPS), loc="lower left", bbox_to_anchor=(-(left - 0.005) / (0.97 - left), 1),
        ncol=4, frameon=False,
        fontsize=9.5, borderaxespad=0.2, handlelength=1.1, columnspacing=1.1, handletextpad=0.5,
    )  # fmt: skip
    return figure


def describe_steps(
    steps: Mapping[str, Breakdown],
    published: Mapping[str, float] | None = None,
    *,
    relative: bool = False,
    limit: float | None = None,
) -> str:
    """What :func:`draw_steps` shows."""
    parts = []
    for label, step in steps.items():
        shares = sorted(grouped(step).items(), key=lambda item: -item[1])
        total = float(step.total)
        first = ", ".join(f"{name} {value / total:.0%}" for name, value in shares[:3])
        # A label of a search ends in the time already.
        ends = f"{float(step.low):.3g} to {float(step.high):.3g}"
        text = f"{label.split(': ')[0]} {total:.3g} seconds ({ends}): {first}"
        if published and label in published:
            text += f"; published {published[label]:.3g}"
        parts.append(text)
    return f"{'; '.join(parts)}."


def draw_equivalents(rows: Mapping[str, Mapping[str, Span]], unit: str = "chips for one H100") -> Figure:
    """Ranges beside one another: for each chip one bar for each way of asking.

    Parameters
    ----------
    rows : mapping of chip to mapping of way to Span
        The same ways for every chip.
    unit : str
        Label of the axis.
    """
    ways = list(next(iter(rows.values())))
    height = 1.25 + 0.33 * len(rows) * len(ways)
    figure, axes = plt.subplots(figsize=(7, height))
    figure.subplots_adjust(left=0.14, right=0.95, bottom=0.6 / height, top=1 - 0.38 / height)
    top = 40.0
    for index, way in enumerate(ways):
        for row, (_, spans) in enumerate(rows.items()):
            span, place = spans[way], -row - (index - (len(ways) - 1) / 2) * 0.19
            high = min(span.high, top)
            axes.plot(
                [span.low, high], [place, place], color=f"C{index}", lw=5, solid_capstyle="butt", alpha=0.55
            )
            axes.plot(
                [min(span.middle, top)],
                [place],
                "o",
                color=f"C{index}",
                markersize=7,
                label=way if not row else None,
            )
            text = f"{span.middle:.2f}" if math.isfinite(span.middle) else "out of reach"
            end = ">" if math.isinf(span.high) and math.isfinite(span.middle) else ""
            if high < 0.6 * top:
                axes.text(high * 1.07, place, text + end, va="center", fontsize=9.5)
            else:
                start = min(span.low, span.middle, top)
                axes.text(start * 0.93, place, text + end, va="center", ha="right", fontsize=9.5)
    axes.set_xscale("log")
    axes.set(xlim=(0.7, top), ylim=(-len(rows) + 0.45, 0.55), xlabel=unit)
    axes.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.set_yticks([-row for row in range(len(rows))], list(rows))
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.15, 1),
        ncol=4,
        frameon=False,
        borderaxespad=0.2,
        handletextpad=0.2,
    )
    return figure


def describe_equivalents(rows: Mapping[str, Mapping[str, Span]], unit: str = "chips for one H100") -> str:
    """What :func:`draw_equivalents` shows."""
    parts = [
        f"{chip}: " + ", ".join(f"{way} {span.text('.2f')}" for way, span in spans.items())
        for chip, spans in rows.items()
    ]
    return f"{unit[:1].upper()}{unit[1:]}. {'; '.join(parts)}."


def draw_cut(rows: Mapping[str, tuple[float, tuple[float, float], tuple[float, float]]]) -> Figure:
    """What a change costs, in percent, with the interval of errors taken apart and of errors shared.

    Parameters
    ----------
    rows : mapping of label to (middle, apart, in pairs)
        Ratios of times, changed over unchanged.
    """
    height = 1.3 + 0.42 * len(rows)
    figure, axes = plt.subplots(figsize=(7, height))
    figure.subplots_adjust(left=0.4, right=0.92, bottom=0.6 / height, top=1 - 0.38 / height)
    limit = 100 * max(max(abs(end - 1) for end in apart) for _, apart, _ in rows.values()) * 1.05
    for row, (middle, apart, pairs) in enumerate(rows.values()):
        low, high = (100 * (end - 1) for end in apart)
        axes.plot(
            [low, high], [-row] * 2, color="C6", lw=2, alpha=0.7, label=None if row else "each on its own"
        )
        centre, half = 50 * (sum(pairs) - 2), max(50 * (pairs[1] - pairs[0]), limit / 150)
        axes.plot(
            [centre - half, centre + half], [-row] * 2, color="C1", lw=11, solid_capstyle="butt",
            label=None if row else "same model, shared errors",
        )  # fmt: skip
        axes.text(limit * 1.02, -row, f"{100 * (middle - 1):+.1f}", va="center", fontsize=10)
    axes.axvline(0, color="0.4", lw=1)
    axes.set(xlim=(-limit, limit), ylim=(-len(rows) + 0.4, 0.6), xlabel="change of the time of a step, %")
    axes.set_yticks([-row for row in range(len(rows))], list(rows))
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.65, 1), ncol=2, frameon=False, borderaxespad=0.2)
    return figure


def describe_cut(rows: Mapping[str, tuple[float, tuple[float, float], tuple[float, float]]]) -> str:
    """What :func:`draw_cut` shows."""
    parts = [
        f"{label}: {100 * (middle - 1):+.1f} % (shared errors {100 * (pairs[0] - 1):+.1f} to "
        f"{100 * (pairs[1] - 1):+.1f}, apart {100 * (apart[0] - 1):+.0f} to {100 * (apart[1] - 1):+.0f})"
        for label, (middle, apart, pairs) in rows.items()
    ]
    return f"Change of the time of a step. {'; '.join(parts)}."


def draw_growth(curves: Mapping[str, tuple[Curve, Curve]], unit: float = 1e9) -> Figure:
    """Tokens a day against chips: with a best layout, and after failures.

    Parameters
    ----------
    curves : mapping of chip to (before failures, after failures)
    unit : float
        Tokens in one unit of the axis.
    """
    figure, axes = plt.subplots()
    for index, (name, (before, after)) in enumerate(curves.items()):
        scale = SECONDS_PER_DAY / unit
        axes.plot(before.chips, np.maximum(before.best() * scale, 1e-9), color=f"C{index}", lw=1.2, ls=":")
        axes.plot(
            after.chips,
            np.maximum(np.array(after.tokens_per_s) * scale, 1e-9),
            color=f"C{index}",
            lw=2.3,
            label=name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    chips = next(iter(curves.values()))[0].chips
    axes.set(
        xlim=(chips[0], chips[-1]),
        xlabel="chips",
        ylabel="billion tokens a day" if unit == 1e9 else "tokens a day",
    )
    axes.set_xticks([1e3, 1e4, 1e5], ["1,000", "10,000", "100,000"])
    axes.set_ylim(1, 20_000)
    axes.set_yticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1,000", "10,000"])
    axes.minorticks_off()
    axes.legend(loc="upper left", frameon=False)
    return figure


def describe_growth(curves: Mapping[str, tuple[Curve, Curve]], unit: float = 1e9) -> str:
    """What :func:`draw_growth` shows."""
    parts = []
    for name, (before, after) in curves.items():
        useful = np.asarray(after.tokens_per_s)
        peak = int(useful.argmax())
        turn = before.turning_point()
        text = (
            f"{name} at most {useful[peak] * SECONDS_PER_DAY / unit:,.0f} with {after.chips[peak]:,.0f} chips"
        )
        if math.isfinite(turn):
            text += f", doubling adds less than a quarter from {turn:,.0f} on"
        parts.append(text)
    return f"Billion tokens a day after failures: {'; '.join(parts)}."


def draw_hours(estimates: Sequence[Estimate], published: float) -> Figure:
    """Accelerator-hours of a run by several routes, with the published number as a line; in millions."""
    height = 1.1 + 0.5 * len(estimates)
    figure, axes = plt.subplots(figsize=(7, height))
    figure.subplots_adjust(left=0.42, right=0.93, bottom=0.6 / height, top=0.97)
    for row, estimate in enumerate(estimates):
        low, middle, high = (end / 1e6 for end in (estimate.low, estimate.middle, estimate.high))
        axes.plot([low, high], [-row, -row], color="C0", lw=6, alpha=0.45, solid_capstyle="butt")
        axes.plot([middle], [-row], "o", color="C0", markersize=8)
        axes.text(high, -row + 0.13, f"  {middle:.2f}", va="bottom", fontsize=10)
    axes.axvline(published / 1e6, color="C1", lw=1.6, ls="--")
    limit = 1.15 * max(max(estimate.high for estimate in estimates), published) / 1e6
    axes.set(
        xlim=(0, limit),
        ylim=(-len(estimates) + 0.4, 0.6),
        xlabel="million accelerator-hours (dashed: published)",
    )
    axes.set_yticks([-row for row in range(len(estimates))], [estimate.route for estimate in estimates])
    axes.grid(axis="y", visible=False)
    return figure


def describe_hours(estimates: Sequence[Estimate], published: float) -> str:
    """What :func:`draw_hours` shows."""
    parts = []
    for estimate in estimates:
        spread = (
            ""
            if estimate.low == estimate.high
            else f" ({estimate.low / 1e6:.2f} to {estimate.high / 1e6:.2f})"
        )
        parts.append(f"{estimate.route} {estimate.middle / 1e6:.2f}{spread}, {estimate.gap(published):+.0%}")
    return f"Published {published / 1e6:.3f} million accelerator-hours. {'; '.join(parts)}."


def draw_ratios(ratios: Sequence[Ratio]) -> Figure:
    """Quantities of one machine over another's: ours as a bar from end to end, the printed one as a mark."""
    height = 1.2 + 0.42 * len(ratios)
    figure, axes = plt.subplots(figsize=(7, height))
    figure.subplots_adjust(left=0.47, right=0.95, bottom=0.6 / height, top=1 - 0.36 / height)
    for row, ratio in enumerate(ratios):
        low, high = ratio.ours.low, max(ratio.ours.high, ratio.ours.low * 1.012)
        axes.plot(
            [low, high], [-row, -row], color="C0", lw=9, solid_capstyle="butt", label=None if row else "ours"
        )
        if ratio.published is not None:
            axes.plot(
                [ratio.published],
                [-row],
                "D",
                color="C1",
                markersize=7,
                label="printed" if row == 1 else None,
            )
    axes.axvline(1, color="0.4", lw=1)
    axes.set_xscale("log")
    axes.set(xlim=(0.9, 6.5), ylim=(-len(ratios) + 0.4, 0.6), xlabel="CloudMatrix 384 over GB200 NVL72")
    axes.set_xticks([1, 1.5, 2, 3, 4, 5], ["1", "1.5", "2", "3", "4", "5"])
    axes.set_yticks([-row for row in range(len(ratios))], [ratio.what for ratio in ratios])
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncol=2, frameon=False, borderaxespad=0.2)
    return figure


def describe_ratios(ratios: Sequence[Ratio]) -> str:
    """What :func:`draw_ratios` shows."""
    parts = [
        f"{ratio.what} {ratio.ours.text('.2f')}"
        + (f" (printed {ratio.published:g})" if ratio.published else "")
        for ratio in ratios
    ]
    return f"CloudMatrix 384 over GB200 NVL72: {'; '.join(parts)}."
