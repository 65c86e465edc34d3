"""The figure at the top of the book: a weaker chip beside the H100, by the kind of work it is given.

It asks the book's question in one picture. "Weaker" isn't one number: a chip with a slow calculator and a
fast memory loses where work is arithmetic and keeps up where work is reading. The rooflines behind it are
explained in chapters 1 and 2.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from computegap import facts
from computegap.chips.roofline import attainable

#: The chip that all others are held against.
REFERENCE = "H100"
#: Chips offered on the landing page: made weaker for the rule, bought before the rule, or made in China.
CHIPS = ("H20", "H800", "A100", "910B", "910C")
#: Intensities of the slider, in operations for each byte fetched from memory: powers of two.
INTENSITIES = tuple(2**k for k in range(13))
#: Kinds of work and roughly where they lie: one answer at a time, many answers together, training.
WORK = ((1, "one answer\nat a time"), (64, "many answers\nat once"), (2048, "training,\nlong prompts"))


def offered() -> list[str]:
    """Names of the chips whose rate and bandwidth both come from sources that the registry trusts."""
    return [name for name in CHIPS if facts.chip(name).trusted("bf16", "mem_bw_gbs")]


def share_of_reference(name: str, intensity: float | np.ndarray) -> float | np.ndarray:
    """How fast a chip runs as a share of the H100, on work of a given intensity.

    Parameters
    ----------
    name : str
        A chip of the facts registry.
    intensity : float or array
        Operations for each byte fetched from memory (FLOP/byte), above zero.

    Returns
    -------
    float or array
        Ratio of the two attainable rates; above one where the chip is the faster of the two.
    """
    chip, reference = facts.chip(name), facts.chip(REFERENCE)
    ours = attainable(intensity, chip.bf16.si, chip.mem_bw_gbs.si)
    theirs = attainable(intensity, reference.bf16.si, reference.mem_bw_gbs.si)
    return ours / theirs


def _times(ratio: float) -> str:
    if ratio >= 1.05:
        return f"{ratio:.2g} times as fast as the {REFERENCE}"
    if ratio > 0.95:
        return f"as fast as the {REFERENCE}"
    return f"at {100 * ratio:.0f} % of the {REFERENCE}'s speed"


def describe(chip: str = "H20", intensity: float = 64) -> str:
    """One sentence about the state of the figure, for readers who can't see it and for everyone else."""
    operations = "operation" if intensity == 1 else "operations"
    return (
        f"With {intensity:,.0f} {operations} for each byte fetched, "
        f"the {chip} runs {_times(float(share_of_reference(chip, intensity)))}."
    )


def draw(chip: str = "H20", intensity: float = 64) -> Figure:
    """Draw a chip's speed as a share of the H100's, over all kinds of work, with the chosen one marked."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    line = np.array([2.0 ** (k / 2) for k in range(25)])
    share = share_of_reference(chip, line)
    axes.axhline(1, color="C6", linewidth=1.2)
    axes.text(4096, 1.06, REFERENCE, color="C6", ha="right", va="bottom")
    axes.fill_between(line, share, 1, where=share < 1, interpolate=True, color="C1", alpha=0.14, linewidth=0)
    axes.fill_between(line, share, 1, where=share > 1, interpolate=True, color="C2", alpha=0.16, linewidth=0)
    axes.plot(line, share, color="C1", linewidth=2.6)
    here = float(share_of_reference(chip, intensity))
    axes.plot([intensity, intensity], [1, here], color="C1", linewidth=1.2, linestyle=(0, (2, 2)))
    axes.plot([intensity], [here], "o", color="C1", markersize=10)
    right = intensity < 200
    axes.annotate(
        f"{chip}: {here:.2f}",
        (intensity, here),
        xytext=(12 if right else -12, 9),
        textcoords="offset points",
        ha="left" if right else "right",
        fontweight="bold",
    )
    for at, what in WORK:
        axes.text(at, -0.06, what, ha="left" if at == 1 else "center", va="top", fontsize=9.5)
    axes.axhline(0, color="C6", linewidth=0.8)
    axes.set(xscale="log", xlim=(0.9, 4600), ylim=(-0.32, 1.5))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1, 1.25])
    axes.set_xticks([1, 4, 16, 64, 256, 1024, 4096], ["1", "4", "16", "64", "256", "1,024", "4,096"])
    axes.minorticks_off()
    axes.set_xlabel("operations for each byte fetched from memory")
    axes.set_ylabel(f"speed, {REFERENCE} = 1")
    return figure
