"""Pictures of chapter 2's experiments with narrow numbers."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from computegap.networks.precision_runs import AccumulatorError, OutlierSweep, RecipeComparison

_STYLES = {
    "FP32": ("C6", "-"),
    "BF16": ("C0", "--"),
    "FP8, no scaling": ("C1", "-"),
    "FP8, per tensor": ("C2", "-."),
    "FP8, per block": ("C3", ":"),
}


def _style(name: str, place: int) -> tuple[str, str]:
    return _STYLES.get(name, (f"C{(4 + place) % 8}", "-"))


def draw_training(result: RecipeComparison, until: int | None = None) -> Figure:
    """Held-out loss of every recipe up to a step: mean over seeds, and the range of the seeds as a band."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.11, right=0.7, bottom=0.15, top=0.95)
    highest = max(float(run.losses.max()) for run in result.runs.values())
    lowest = min(float(run.losses.min()) for run in result.runs.values())
    ends = []
    for place, (name, run) in enumerate(result.runs.items()):
        steps, losses = np.array(run.steps), run.losses.numpy()
        shown = steps <= (steps[-1] if until is None else until)
        colour, dash = _style(name, place)
        mean = losses.mean(1)
        axes.fill_between(
            steps[shown], losses.min(1)[shown], losses.max(1)[shown], color=colour, alpha=0.15, lw=0
        )
        axes.plot(steps[shown], mean[shown], color=colour, ls=dash)
        ends.append((mean[shown][-1], name, colour))
    gap = (highest - lowest) / 13
    place = -np.inf
    for value, name, colour in sorted(ends):
        place = max(value, place + gap)
        axes.text(
            result.setting.steps * 1.03, place, f"{name}  {value:.2f}", color=colour, va="center", fontsize=10
        )
    axes.set(
        xlim=(0, result.setting.steps),
        ylim=(lowest - 0.1, highest + 0.1),
        xlabel="training step",
        ylabel="held-out loss, nats per byte",
    )
    return figure


def describe_training(result: RecipeComparison, until: int | None = None) -> str:
    """What :func:`draw_training` shows."""
    parts = []
    for name, run in result.runs.items():
        steps = np.array(run.steps)
        last = int(np.flatnonzero(steps <= (steps[-1] if until is None else until))[-1])
        parts.append(f"{name} {float(run.losses[last].mean()):.2f}")
    step = steps[last]
    n = result.setting.n_seeds
    return f"Held-out loss after {step} steps, mean of {n} seeds: {', '.join(parts)} nats per byte."


def draw_outliers(sweep: OutlierSweep) -> Figure:
    """What rounding to eight bits costs, against the size of one outlier channel."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.15, top=0.95)
    marks = {"INT8, per tensor": ("C1", "o-"), "INT8, per block": ("C1", "s--")}
    marks |= {"FP8, per tensor": ("C0", "o-"), "FP8, per block": ("C0", "s--")}
    for label, spreads in sweep.losses.items():
        colour, shape = marks.get(label, ("C4", "o-"))
        mean = np.array([value.mean for value in spreads])
        reach = np.array([value.half_width for value in spreads])
        axes.errorbar(
            sweep.factors, mean, yerr=reach, fmt=shape, color=colour, capsize=3, elinewidth=1, label=label
        )
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_xticks([1, 100, 1e4, 1e6], ["1", "100", "10,000", "1 million"])
    axes.set_yticks([0, 0.01, 0.1, 1], ["0", "0.01", "0.1", "1"])
    axes.minorticks_off()
    axes.set(
        ylim=(-0.008, 1.5), xlabel="outlier: one channel scaled up this many times", ylabel="added loss, nats"
    )
    axes.legend(loc="upper left")
    return figure


def describe_outliers(sweep: OutlierSweep) -> str:
    """What :func:`draw_outliers` shows."""
    parts = []
    for label, spreads in sweep.losses.items():
        hurt = [factor for factor, value in zip(sweep.factors, spreads, strict=True) if value.mean > 0.05]
        parts.append(f"{label} from a factor of {hurt[0]:,.0f}" if hurt else f"{label} at no factor tried")
    return f"Rounding costs more than a twentieth of a nat with {'; '.join(parts)}."


def draw_accumulator(result: AccumulatorError) -> Figure:
    """Relative error of a sum kept in few bits, against its length, with and without promotion."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.13, right=0.96, bottom=0.15, top=0.95)
    for label, spreads, colour in (("kept short", result.cut, "C1"), ("promoted", result.promoted, "C0")):
        axes.plot(result.lengths, [100 * value.mean for value in spreads], "o-", color=colour, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(result.lengths, [f"{length:,}" for length in result.lengths])
    axes.minorticks_off()
    axes.set(ylim=(0, None), xlabel="products in the sum", ylabel="largest relative error, %")
    axes.legend(loc="upper left")
    return figure


def describe_accumulator(result: AccumulatorError) -> str:
    """What :func:`draw_accumulator` shows."""
    return (
        f"For sums of {result.lengths[-1]:,} products the largest relative error is "
        f"{result.cut[-1].mean:.2%} with a short accumulator "
        f"and {result.promoted[-1].mean:.2%} when it is emptied into a long one."
    )
