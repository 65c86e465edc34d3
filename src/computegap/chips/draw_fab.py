"""Pictures of chapter 2's fab: the wafer, yield curves, the detective, the cost of a die, a year's output.

Each ``draw_*`` takes results and returns a matplotlib Figure; each ``describe_*`` says in one sentence,
computed from the same data, what the picture shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from computegap.chips.capacity import Distribution, Swing
from computegap.chips.wafer import Defects, Layout, die_yield, hits_per_die, implied_d0

#: What pictures call the models, with their parameters.
MODEL_LABELS = {
    "poisson": "Poisson",
    "murphy": "Murphy",
    "negative-binomial": "negative binomial",
    "seeds": "Seeds",
}


def million(value: float) -> str:
    """A count in words for people: 1.6 million, 805,000, 950."""
    if value >= 999_500:
        return f"{value / 1e6:.3g} million"
    if value >= 10_000:
        return f"{round(value, -3):,.0f}"
    return f"{value:,.0f}"


def _strokes(x: np.ndarray, y: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal strokes as the points of one broken line: one element of a picture instead of hundreds."""
    xs = np.stack([x, x + width, np.full_like(x, np.nan)], axis=-1).ravel()
    ys = np.stack([y, y, np.full_like(y, np.nan)], axis=-1).ravel()
    return np.round(xs, 1), np.round(ys, 1)


def draw_wafer(
    layout: Layout,
    defects: Defects,
    d0_per_cm2: float,
    *,
    levels: Sequence[float] = (),
    alpha: float = 2.0,
) -> Figure:
    """A wafer with its defects, dies that work and dies that do not; beside it, what the models expect.

    ``levels`` are the densities at which the same wafer will be drawn again: dies and defects are then
    grouped by the level at which they come, so that the pictures differ by what is shown and not by what is
    drawn.
    """
    levels = sorted({*levels, d0_per_cm2})
    hits = hits_per_die(layout, defects, d0_per_cm2)
    figure, (left, right) = plt.subplots(1, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    figure.subplots_adjust(left=0.01, right=0.97, bottom=0.14, top=0.9, wspace=0.08)
    reach = layout.diameter / 2 + 3
    left.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    left.axis("off")
    left.apply_aspect()
    left.add_patch(Circle((0, 0), layout.diameter / 2, fill=False, color="0.5", lw=1))
    _dies(left, layout, np.ones(len(layout), dtype=bool), color="C1", alpha=0.45)
    alive, thrown = np.ones(len(layout), dtype=bool), np.hypot(defects.x, defects.y) < layout.diameter / 2
    for level in levels:
        # Green lies over the colour of dead dies and is taken off where a defect has come.
        struck = alive & (hits_per_die(layout, defects, level) > 0)
        _dies(left, layout, struck, color="C2", alpha=0.0 if level <= d0_per_cm2 else 1.0)
        alive &= ~struck
        here = thrown & defects.present(level)
        thrown &= ~here
        dots = _strokes(defects.x[here], defects.y[here], 0.6)
        shown = 1.0 if level <= d0_per_cm2 else 0.0
        left.plot(*dots, color="0.1", lw=2.2, solid_capstyle="round", alpha=shown, zorder=3)
    _dies(left, layout, alive, color="C2", alpha=1.0)
    good = int(np.sum(hits == 0))
    left.set_title(f"{good} of {len(layout)} dies work", loc="center")

    for row, (model, label) in enumerate(MODEL_LABELS.items()):
        expected = die_yield(layout.area, d0_per_cm2, model, alpha=alpha)
        right.plot([100 * expected], [row], "o", color="C0", markersize=9)
        right.text(-3, row, label, ha="right", va="center")
    right.axvline(100 * good / len(layout), color="C2")
    right.text(50, 4.02, "line: this wafer", color="C2", ha="center", va="bottom")
    right.set(xlim=(0, 100), ylim=(-0.5, 4), yticks=[], xlabel="yield, %")
    right.spines["left"].set_visible(False)
    box = right.get_position()
    right.set_position([box.x0 + 0.175, box.y0, box.width - 0.175, box.height])
    return figure


def _dies(axes, layout: Layout, chosen: np.ndarray, *, color: str, alpha: float) -> None:
    """Dies as strokes as thick as a die is high, a little smaller than they are so that streets show."""
    points_per_mm = np.diff(axes.transData.transform([(0, 0), (0, 1)])[:, 1])[0] * 72 / axes.figure.dpi
    x, y = layout.x[chosen] + 0.7, layout.y[chosen] + layout.height / 2
    thickness = (layout.height - 1.4) * points_per_mm
    strokes = _strokes(x, y, layout.width - 1.4)
    axes.plot(*strokes, color=color, alpha=alpha, lw=thickness, solid_capstyle="butt", zorder=2)


def describe_wafer(layout: Layout, defects: Defects, d0_per_cm2: float, *, alpha: float = 2.0) -> str:
    """What :func:`draw_wafer` shows."""
    good = int(np.sum(hits_per_die(layout, defects, d0_per_cm2) == 0))
    low = die_yield(layout.area, d0_per_cm2, "poisson")
    high = die_yield(layout.area, d0_per_cm2, "seeds")
    return (
        f"At {d0_per_cm2:g} defects per square centimetre, {good} of {len(layout)} dies of "
        f"{layout.area:.0f} square millimetres work on this wafer "
        f"({good / len(layout):.0%}); the models expect {low:.0%} to {high:.0%}."
    )


def draw_yield_curves(
    d0_per_cm2: float, marks: Mapping[str, float], *, alpha: float = 2.0, largest: float = 900.0
) -> Figure:
    """Yield against die area in every model at one defect density; ``marks`` names some dies by area."""
    areas = np.linspace(1, largest, 90)
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.1, right=0.76, bottom=0.14, top=0.9)
    ends = {}
    for i, (model, label) in enumerate(MODEL_LABELS.items()):
        curve = 100 * np.asarray(die_yield(areas, d0_per_cm2, model, alpha=alpha))
        axes.plot(areas, np.round(curve, 1), color=f"C{i}")
        ends[label] = (curve[-1], f"C{i}")
    _labels_apart(axes, largest + 12, ends, gap=6.5)
    for name, area in marks.items():
        axes.axvline(area, color="0.5", lw=1, ls=":")
        axes.text(area - 8, 103, name, ha="right", va="bottom", fontsize=9.5)
    axes.set(xlim=(0, largest), ylim=(0, 102), xlabel="die area, mm²", ylabel="yield, %")
    return figure


def _labels_apart(axes, x: float, ends: Mapping[str, tuple[float, str]], gap: float) -> None:
    """Label lines at their right end, moved up just enough not to touch."""
    lowest = -np.inf
    for label, (y, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        lowest = max(y, lowest + gap)
        axes.text(x, lowest, label, color=colour, va="center")


def describe_yield_curves(
    d0_per_cm2: float, marks: Mapping[str, float], *, alpha: float = 2.0, largest: float = 900.0
) -> str:
    """What :func:`draw_yield_curves` shows."""
    parts = []
    for name, area in marks.items():
        low, high = (die_yield(area, d0_per_cm2, model, alpha=alpha) for model in ("poisson", "seeds"))
        parts.append(f"{low:.0%} to {high:.0%} of dies the size of {name}")
    return f"At {d0_per_cm2:g} defects per square centimetre the models expect {' and '.join(parts)} to work."


def draw_detective(
    reported_yield: float,
    area_mm2: float,
    published: Mapping[str, tuple[float, float]],
    *,
    alpha: float = 2.0,
) -> Figure:
    """Defect density that a reported yield implies, model by model, against published densities."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.24, right=0.96, bottom=0.16, top=0.86)
    for i, (name, (low, high)) in enumerate(published.items()):
        axes.axvspan(low * 0.985, high * 1.015, color=f"C{2 + i}", alpha=0.35, lw=0)
        side = "right" if i == 0 else "left"
        axes.text(
            low * 0.97 if i == 0 else high * 1.03,
            4.05,
            name,
            ha=side,
            va="bottom",
            color=f"C{2 + i}",
            fontsize=10,
        )
    found = [implied_d0(reported_yield, area_mm2, model, alpha=alpha) for model in MODEL_LABELS]
    for row, (d0, label) in enumerate(zip(found, MODEL_LABELS.values(), strict=True)):
        axes.plot([d0], [row], "o", color="C0", markersize=9)
        axes.text(d0 * 1.1, row + 0.12, f"{d0:.2f}", va="bottom", ha="left", fontsize=10)
        axes.text(0.0092, row, label, ha="right", va="center")
    axes.plot([min(found), max(found)], [-0.6, -0.6], color="C0", lw=5, solid_capstyle="butt")
    axes.text(0.0092, -0.6, "all models", ha="right", va="center")
    axes.set_xscale("log")
    axes.set(xlim=(0.01, 3), ylim=(-1, 4), yticks=[], xlabel="defect density, per cm²")
    axes.set_xticks([0.01, 0.03, 0.1, 0.3, 1, 3], ["0.01", "0.03", "0.1", "0.3", "1", "3"])
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)
    return figure


def describe_detective(
    reported_yield: float,
    area_mm2: float,
    published: Mapping[str, tuple[float, float]],
    *,
    alpha: float = 2.0,
) -> str:
    """What :func:`draw_detective` shows."""
    found = [implied_d0(reported_yield, area_mm2, model, alpha=alpha) for model in MODEL_LABELS]
    known = "; ".join(
        f"{name} {low:g}" + (f" to {high:g}" if high > low else "") for name, (low, high) in published.items()
    )
    return (
        f"A yield of {reported_yield:.0%} on a die of {area_mm2:.0f} square millimetres implies "
        f"{min(found):.2f} to {max(found):.2f} defects per square centimetre, depending on the model; "
        f"published: {known}."
    )


def draw_costs(costs: Mapping[str, tuple[float, float]]) -> Figure:
    """Cost per good die as bars from the lowest to the highest value; a point where both agree. USD."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.37, right=0.92, bottom=0.15, top=0.95)
    limit = 1.18 * max(high for _, high in costs.values())
    for row, (name, (low, high)) in enumerate(reversed(costs.items())):
        width = max(high - low, limit / 250)
        axes.barh(row, width, left=low, height=0.5, color=f"C{(len(costs) - 1 - row) % 2}")
        text = f"{low:,.0f}" if high - low < 0.5 else f"{low:,.0f} to {high:,.0f}"
        axes.text(low + width + limit / 80, row, text, va="center")
        axes.text(-limit / 60, row, name, ha="right", va="center")
    axes.set(xlim=(0, limit), yticks=[], xlabel="US dollars per good die")
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    return figure


def describe_costs(costs: Mapping[str, tuple[float, float]]) -> str:
    """What :func:`draw_costs` shows."""
    parts = [
        f"{name} {low:,.0f}" + ("" if high - low < 0.5 else f" to {high:,.0f}")
        for name, (low, high) in costs.items()
    ]
    return f"Cost per good die in US dollars: {'; '.join(parts)}."


def draw_output(
    from_wafers: float, from_memory: float, equivalents: tuple[float, float], published: Mapping[str, float]
) -> Figure:
    """Packages that wafers and memory allow, the H100-equivalents of the smaller, and published estimates."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.23, right=0.96, bottom=0.15, top=0.74)
    bars = [("wafers allow", from_wafers, "C0"), ("memory allows", from_memory, "C4")]
    for row, (name, value, colour) in zip((2, 1), bars, strict=True):
        binding = value <= min(from_wafers, from_memory)
        axes.barh(
            row, max(value, 1.1e4) - 1e4, left=1e4, height=0.55, color=colour, alpha=1 if binding else 0.45
        )
        axes.text(0.88e4, row, name, ha="right", va="center")
    low, high = (max(value, 1.1e4) for value in equivalents)
    axes.barh(0, max(high - low, low * 0.02), left=low, height=0.55, color="C3")
    axes.text(0.88e4, 0, "in H100s", ha="right", va="center")
    for i, (name, value) in enumerate(sorted(published.items(), key=lambda item: item[1])):
        axes.axvline(value, color="0.4", lw=1, ls=":")
        axes.text(value, 2.62 + 0.34 * (i % 3), name, ha="center", va="bottom", fontsize=9)
    axes.set_xscale("log")
    axes.set(
        xlim=(1e4, 2e7), ylim=(-0.5, 2.5), yticks=[], xlabel="packages a year (bottom: H100-equivalents)"
    )
    axes.set_xticks([1e4, 1e5, 1e6, 1e7], ["10,000", "100,000", "1 million", "10 million"])
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    return figure


def describe_output(
    from_wafers: float, from_memory: float, equivalents: tuple[float, float], published: Mapping[str, float]
) -> str:
    """What :func:`draw_output` shows."""
    limit = "memory is the limit" if from_memory < from_wafers else "wafers are the limit"
    return (
        f"Wafers allow {million(from_wafers)} packages a year and memory {million(from_memory)}, so {limit}: "
        f"{million(equivalents[0])} to {million(equivalents[1])} H100-equivalents."
    )


def draw_distribution(result: Distribution, published: Mapping[str, float], share: float = 0.9) -> Figure:
    """Histogram of a year's output over all draws, its interval, and published estimates; log axis."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.06, right=0.96, bottom=0.15, top=0.8)
    values = result.values[result.values > 0]
    edges = np.geomspace(3e4, 5e6, 46)
    counts, _ = np.histogram(values, edges)
    axes.stairs(counts / counts.max(), edges, fill=True, color="C0", alpha=0.6)
    low, high = result.interval(share)
    axes.plot([low, high], [-0.05, -0.05], color="C0", lw=5, solid_capstyle="butt")
    for i, (name, value) in enumerate(sorted(published.items(), key=lambda item: item[1])):
        axes.axvline(value, color="C1", lw=1.4, ls="--")
        axes.text(value, 1.04 + 0.085 * (i % 3), name, ha="center", va="bottom", color="C1", fontsize=9.5)
    axes.set_xscale("log")
    axes.set(xlim=(3e4, 5e6), ylim=(-0.1, 1.02), yticks=[], xlabel="H100-equivalents a year")
    axes.set_xticks([3e4, 1e5, 3e5, 1e6, 3e6], ["30,000", "100,000", "300,000", "1 million", "3 million"])
    axes.minorticks_off()
    return figure


def describe_distribution(result: Distribution, published: Mapping[str, float], share: float = 0.9) -> str:
    """What :func:`draw_distribution` shows."""
    low, high = result.interval(share)
    marks = "; ".join(f"{name} {million(value)}" for name, value in published.items())
    return (
        f"Over all draws the year's output has a median of {million(result.median)} H100-equivalents, and "
        f"{share:.0%} of them lie between {million(low)} and {million(high)}. Marked: {marks}."
    )


def draw_swings(swings: Sequence[Swing], labels: Mapping[str, str], middle: float) -> Figure:
    """How far the result moves when one input goes from the low to the high end of its range."""
    shown = [swing for swing in swings if swing.width > 0]
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.34, right=0.96, bottom=0.15, top=0.89)
    limit = 1.05 * max(max(swing.at_low, swing.at_high) for swing in shown)
    for row, swing in enumerate(reversed(shown)):
        for end, colour in ((swing.at_low, "C4"), (swing.at_high, "C0")):
            axes.barh(row, end - middle, left=middle, height=0.55, color=colour)
        axes.text(-limit / 60, row, labels.get(swing.name, swing.name), ha="right", va="center")
    axes.axvline(middle, color="0.3", lw=1)
    axes.set(xlim=(0, limit), yticks=[], xlabel="H100-equivalents a year, thousands")
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= limit]
    axes.set_xticks(ticks, [f"{tick / 1e3:,.0f}" for tick in ticks])
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    above = axes.get_xaxis_transform()
    axes.text(0, 1.03, "input at its low end", color="C4", transform=above)
    axes.text(limit, 1.03, "input at its high end", color="C0", ha="right", transform=above)
    return figure


def describe_swings(swings: Sequence[Swing], labels: Mapping[str, str], middle: float) -> str:
    """What :func:`draw_swings` shows."""
    parts = [
        f"{labels.get(swing.name, swing.name)} {million(min(swing.at_low, swing.at_high))} to "
        f"{million(max(swing.at_low, swing.at_high))}"
        for swing in swings
        if swing.width > 0
    ]
    return f"With all inputs at their middle: {million(middle)}. One input at a time: {'; '.join(parts)}."
