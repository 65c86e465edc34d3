"""Figures in which the step-time model is judged: errors by family, and each run's prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

#: What a figure of errors shows of each simulator: colour, sign, filled or not.
SIGNS = (("C0", "o", "full"), ("C1", "s", "none"), ("C2", "^", "none"), ("C3", "D", "none"))


def draw_errors(errors: Mapping[str, Mapping[str, float | None]], counts: Mapping[str, int]) -> Figure:
    """Mean error of several models, family by family, as dots on a line.

    Parameters
    ----------
    errors : mapping of model to mapping of family to share
        The first model is the one that is judged; None where a model was not run.
    counts : mapping of family to int
        Rows of each family, in the order in which they are drawn from the top.
    """
    families = list(counts)
    figure, axes = plt.subplots(figsize=(7, 1.3 + 0.32 * len(families)))
    height = figure.get_size_inches()[1]
    figure.subplots_adjust(left=0.36, right=0.97, bottom=0.6 / height, top=1 - 0.4 / height)
    for row, family in enumerate(families):
        known = [100 * table[family] for table in errors.values() if table.get(family) is not None]
        axes.plot([min(known), max(known)], [-row, -row], color="0.7", lw=1, zorder=1)
    for (name, table), (colour, sign, fill) in zip(errors.items(), SIGNS, strict=False):
        rows = [row for row, family in enumerate(families) if table.get(family) is not None]
        axes.plot(
            [100 * table[families[row]] for row in rows], [-row for row in rows], sign,
            color=colour, fillstyle=fill, markersize=7, mew=1.6, label=name, ls="",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set(xlim=(1.5, 130), ylim=(-len(families) + 0.4, 0.6), xlabel="mean error, % (logarithmic)")
    axes.set_xticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    axes.set_yticks([-row for row in range(len(families))], [f"{name} ({counts[name]})" for name in families])
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.57, 1),
        ncol=4,
        frameon=False,
        borderaxespad=0.2,
        handletextpad=0.1,
    )
    return figure


def describe_errors(errors: Mapping[str, Mapping[str, float | None]], counts: Mapping[str, int]) -> str:
    """What :func:`draw_errors` shows."""
    judged, *others = errors
    parts = []
    for family in counts:
        rival = ", ".join(
            f"{name} {100 * errors[name][family]:.0f}"
            for name in others
            if errors[name].get(family) is not None
        )
        parts.append(f"{family} {100 * errors[judged][family]:.1f} ({rival})")
    return f"Mean error in percent, {judged} and in brackets the others: {'; '.join(parts)}."


def draw_predictions(
    seconds: Sequence[float],
    predicted: Sequence[float],
    family: Sequence[str],
    chosen: str,
    interval: tuple[float, float],
) -> Figure:
    """Predicted over published time of every run, one family in colour.

    Parameters
    ----------
    seconds, predicted : sequence of float
        Published, and predicted with the run's family left out.
    family : sequence of str
    chosen : str
        The family to show in colour.
    interval : tuple of float
        Published over predicted, low and high end, as drawn for every prediction.
    """
    seconds, ratio = np.asarray(seconds, float), np.asarray(predicted, float) / np.asarray(seconds, float)
    mine = np.asarray(family) == chosen
    figure, axes = plt.subplots()
    axes.axhspan(1 / interval[1], 1 / interval[0], color="C0", alpha=0.14, lw=0)
    axes.axhline(1, color="0.4", lw=1)
    axes.plot(seconds[~mine], np.clip(ratio[~mine], 0.36, 2.75), "o", color="0.65", markersize=3.5)
    axes.plot(seconds[mine], np.clip(ratio[mine], 0.36, 2.75), "o", color="C1", markersize=6.5, mec="none")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(
        xlim=(0.2, 200),
        ylim=(0.35, 2.85),
        xlabel="published time of a step",
        ylabel="predicted over published",
    )
    axes.set_xticks([0.3, 1, 3, 10, 30, 100], ["0.3 s", "1 s", "3 s", "10 s", "30 s", "100 s"])
    axes.set_yticks([0.5, 0.8, 1, 1.25, 2], ["half", "0.8", "1", "1.25", "twice"])
    axes.minorticks_off()
    return figure


def describe_predictions(
    seconds: Sequence[float],
    predicted: Sequence[float],
    family: Sequence[str],
    chosen: str,
    interval: tuple[float, float],
) -> str:
    """What :func:`draw_predictions` shows."""
    seconds, predicted = np.asarray(seconds, float), np.asarray(predicted, float)
    mine = np.asarray(family) == chosen
    ratio = predicted[mine] / seconds[mine]
    inside = (1 / ratio >= interval[0]) & (1 / ratio <= interval[1])
    lean = "too long" if np.median(ratio) > 1 else "too short"
    return (
        f"{chosen}, {mine.sum()} runs, predicted without having been seen: mean error "
        f"{np.abs(ratio - 1).mean():.1%}, the median prediction {abs(np.median(ratio) - 1):.1%} {lean}; "
        f"{inside.sum()} of {mine.sum()} lie inside the interval."
    )
