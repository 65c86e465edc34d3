"""How much of the throughput that a slower wire costs comes back when messages overlap the backward pass.

The claim to be tested is about one step down, from the link of an H100 to that of an H800. What overlap can
recover depends on how much there is to send for each second of computation, and so the measurement is made
for a row of wires, each slower than the one before by that same factor
(:mod:`computegap.cluster.overlap_bench`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from computegap.cluster.wide_area import BACKWARD


@dataclass(frozen=True)
class Wire:
    """Steps over one wire.

    Attributes
    ----------
    rate : float
        Bytes per second.
    alone, after, overlapped : float
        Seconds of a step without messages, with messages after the backward pass, and with messages during
        it: the quickest of the repeats, since other programs can only add to a step.
    """

    rate: float
    alone: float
    after: float
    overlapped: float

    @property
    def ratio(self) -> float:
        """Time on the wire over time computing."""
        return self.after / self.alone - 1

    @property
    def hidden(self) -> float:
        """Share of the messages' time that overlap hides."""
        return (self.after - self.overlapped) / (self.after - self.alone)


def wires(records: Sequence[dict]) -> list[Wire]:
    """The quickest of the ``overlap`` records of the program, fastest wire first.

    Raises
    ------
    ValueError
        If a way of sending is missing for a wire.
    """
    found = []
    for rate in sorted({record["rate"] for record in records}, reverse=True):
        quickest = {}
        for way in ("alone", "after", "overlapped"):
            seconds = [r["seconds"] for r in records if r["rate"] == rate and r["way"] == way]
            if not seconds:
                raise ValueError(f"no step was measured {way!r} at {rate:g} bytes per second")
            quickest[way] = float(min(seconds))
        found.append(Wire(rate, **quickest))
    return found


def recovered(fast: Wire, slow: Wire) -> float:
    """Share of the throughput lost between two wires that overlap on the slower one brings back.

    Lost is measured without overlap on both. More than 1 means that the slower wire with overlap is ahead
    of the faster one without it.
    """
    lost = 1 / fast.after - 1 / slow.after
    if lost <= 0:
        raise ValueError("the second wire is not slower than the first, so nothing was lost")
    return (1 / slow.overlapped - 1 / slow.after) / lost


def recovered_by_formula(ratio, cut: float, hidden: float = BACKWARD) -> np.ndarray:
    """The same share if a message may travel unnoticed for a part ``hidden`` of the step.

    Parameters
    ----------
    ratio : float or array
        Time on the slower wire over time computing.
    cut : float
        How many times slower the second wire is; above 1.
    hidden : float

    Raises
    ------
    ValueError
        For a ratio that is not positive, or a cut of 1 or less.
    """
    ratio = np.asarray(ratio, float)
    if np.any(ratio <= 0) or cut <= 1:
        raise ValueError("the ratio is positive and the cut greater than one")
    fast, slow = 1 / (1 + ratio / cut), 1 / (1 + ratio)
    overlapped = 1 / (1 + np.maximum(0, ratio - hidden))
    return (overlapped - slow) / (fast - slow)
