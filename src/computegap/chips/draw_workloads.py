"""Pictures of step times: which workloads notice a watered-down chip (chapter 1)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from computegap.chips import workloads

#: Chips of the comparison, as the registry calls them -> short name on the axis.
CHIPS = {
    "H100": "H100",
    "H800": "H800",
    "A100": "A100",
    "H20": "H20",
    "910C": "Ascend 910C",
    "910B": "Ascend 910B",
}
_REFERENCE = "H100"
_COLOURS = {"H100": "C0", "H800": "C5", "A100": "C6", "H20": "C1", "910C": "C2", "910B": "C4"}


def relative_speeds(workload: str, batch: float) -> dict[str, float]:
    """Speed of each chip relative to the H100 for one step; chips without what is needed are left out."""
    reference = float(workloads.step_time(_REFERENCE, workload, batch))
    found = {}
    for name in CHIPS:
        try:
            found[name] = reference / float(workloads.step_time(name, workload, batch))
        except ValueError:
            continue  # no trusted rate or link on the data sheet
    return found


def what_batch_means(workload: str, batch: float = 2) -> str:
    """What the batch counts: sequences, or tokens."""
    plural = "" if batch == 1 else "s"
    if workload.startswith("decode"):
        return "sequence" + plural
    return f"prompt token{plural}" if workload == "prefill" else f"token{plural} a chip"


def step_bars(workload: str = "decode", batch: float = 1) -> Figure:
    """Speed of one step on each chip, the H100 being one.

    Parameters
    ----------
    workload : str
        A key of :data:`computegap.chips.workloads.WORKLOADS`.
    batch : float
        Sequences or tokens, see :func:`what_batch_means`.
    """
    speeds = relative_speeds(workload, batch)
    fig, ax = plt.subplots(layout="none")
    fig.subplots_adjust(0.165, 0.14, 0.975, 0.91)
    at = np.arange(len(CHIPS))
    values = [speeds.get(name, 0.0) for name in CHIPS]
    ax.barh(at, values, 0.66, color=[_COLOURS[name] for name in CHIPS])
    for i, name in enumerate(CHIPS):
        text = f"{speeds[name]:.2f}" if name in speeds else "no link on the data sheet"
        ax.annotate(text, (values[i], i), (5, 0), textcoords="offset points", va="center", fontsize=11)
    ax.axvline(1, color="C0", lw=1, ls=":")
    ax.set_yticks(at, CHIPS.values())
    ax.set(xlim=(0, 1.6), ylim=(len(CHIPS) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("speed of one step, H100 = 1")
    ax.set_title(f"{workload[0].upper()}{workload[1:]}: {batch:,.0f} {what_batch_means(workload, batch)}")
    return fig


def describe_step_bars(workload: str = "decode", batch: float = 1) -> str:
    """The chips in order of speed with their values."""
    speeds = relative_speeds(workload, batch)
    order = sorted(speeds, key=speeds.get, reverse=True)
    listed = ", ".join(f"{CHIPS[name]} {speeds[name]:.2f}" for name in order)
    what = f"{workload[0].upper()}{workload[1:]}, {batch:,.0f} {what_batch_means(workload, batch)}"
    return f"{what}, speed relative to the H100: {listed}."


def decode_curves(context: float = 0, largest: int = 512) -> Figure:
    """Decode step time against batch size on H100, H20 and H200, with the batch where H20 and H100 meet.

    Parameters
    ----------
    context : float
        Tokens in each sequence's cache.
    largest : int
        Right end of the axis.
    """
    batches = np.unique(np.round(np.geomspace(1, largest, 60), 3))
    fig, ax = plt.subplots(layout="none")
    fig.subplots_adjust(0.11, 0.145, 0.90, 0.91)
    ends = {}
    for name, colour in (("H100", "C0"), ("H20", "C1"), ("H200", "C2")):
        times = 1e3 * workloads.decode_time(name, batch=batches, context=context)
        ax.plot(batches, times, color=colour)
        ends[name] = (times[-1], colour)
    for name, y in _spread({name: end[0] for name, end in ends.items()}).items():
        ax.annotate(
            name,
            (largest, y),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=ends[name][1],
            fontsize=11,
            annotation_clip=False,
        )
    meet = workloads.crossover_batch("H20", "H100", context=context)
    inside = meet <= largest
    x = meet if inside else largest
    y = 1e3 * float(workloads.decode_time("H100", batch=x, context=context))
    ax.plot([x], [y], "o", color="C1", ms=8, alpha=1.0 if inside else 0.0, zorder=4)
    text = f"they meet at {meet:.0f}" if inside else "no meeting point"
    ax.annotate(text, (x, y), (-8, 10), textcoords="offset points", ha="right", fontsize=11)
    ax.set(xscale="log", yscale="log", xlim=(1, largest), ylim=(10, 2000))
    ax.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
    ax.set_yticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1,000"])
    ax.minorticks_off()
    ax.set_xlabel("sequences decoded together")
    ax.set_ylabel("one step (ms)")
    ax.set_title(
        "Decode: weights only" if context == 0 else f"Decode with {context:,.0f} tokens of context each"
    )
    return fig


def _spread(heights: dict[str, float], factor: float = 1.32) -> dict[str, float]:
    """Move labels on a log axis apart until neighbours differ by a factor."""
    placed, last = {}, 0.0
    for name, y in sorted(heights.items(), key=lambda item: item[1]):
        last = max(y, last * factor)
        placed[name] = last
    return placed


def describe_decode_curves(context: float = 0, largest: int = 512) -> str:
    """Which chip is ahead at one sequence, and from which batch on that changes."""
    first = float(
        workloads.decode_time("H100", batch=1, context=context)
        / workloads.decode_time("H20", batch=1, context=context)
    )
    meet = workloads.crossover_batch("H20", "H100", context=context)
    kind = "weights only" if context == 0 else f"{context:,.0f} tokens of context each"
    after = (
        f"from {meet:.0f} sequences on the H100 is ahead"
        if np.isfinite(meet)
        else "the H100 does not overtake it at any batch size"
    )
    return f"Decode, {kind}: alone, the H20 does {first:.2f} times the H100's steps; {after}."
