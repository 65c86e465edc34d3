"""Where each worker's time went: computing, resting, waiting for others, communicating.

Workers of one machine read the same clock, so their records can be laid beside one another. Waiting is told
from communicating by a trick: before the gradients are added up, the workers add up a single number. That
takes hardly any time by itself, so nearly all of it is waiting for the slowest; what comes after is the
message. Taught in chapter 7.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Kinds of time. ``rest`` is what an emulated chip has over: the chip would still be computing.
KINDS = ("compute", "rest", "wait", "communicate")


class Clock:
    """Cuts a step into pieces: every call of :meth:`mark` names the time since the one before.

    Examples
    --------
    >>> clock = Clock()
    >>> clock.begin()
    >>> clock.mark("compute")
    >>> clock.mark("wait")
    >>> [what for what, start, end in clock.pieces]
    ['compute', 'wait']
    """

    def __init__(self) -> None:
        self.pieces: list[tuple[str, float, float]] = []
        self.began = self.last = time.monotonic()

    def begin(self) -> None:
        """A new step."""
        self.pieces = []
        self.began = self.last = time.monotonic()

    def mark(self, what: str) -> None:
        """Name the time since the last mark. ValueError for a kind that there isn't."""
        if what not in KINDS:
            raise ValueError(f"time is spent on {', '.join(KINDS)}, not on {what!r}")
        now = time.monotonic()
        if self.pieces and self.pieces[-1][0] == what:
            self.pieces[-1] = what, self.pieces[-1][1], now
        else:
            self.pieces.append((what, self.last, now))
        self.last = now


@dataclass(frozen=True)
class Piece:
    """A stretch of one worker's time; seconds count from the first step of the run."""

    rank: int
    step: int
    what: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


def pieces(records: Sequence[Mapping[str, Any]], restart: int = 0) -> list[Piece]:
    """All stretches that a run with ``--timeline`` recorded, in order of time.

    Raises
    ------
    LookupError
        If the run was made without ``--timeline``.
    """
    steps = [r for r in records if r["kind"] == "step" and r["restart"] == restart and "pieces" in r]
    if not steps:
        raise LookupError("these records hold no timeline; run the program with --timeline")
    zero = min(record["began"] for record in steps)
    found = [
        Piece(record["rank"], record["step"], what, start - zero, end - zero)
        for record in steps
        for what, start, end in record["pieces"]
    ]
    return sorted(found, key=lambda piece: (piece.start, piece.rank))


def shares(found: Sequence[Piece], skip: int = 2) -> dict[int, dict[str, float]]:
    """Share of each worker's time in each kind, 0 to 1, without the first ``skip`` steps (they warm up).

    Raises
    ------
    ValueError
        If nothing is left.
    """
    totals: dict[int, dict[str, float]] = {}
    for piece in found:
        if piece.step >= skip:
            mine = totals.setdefault(piece.rank, dict.fromkeys(KINDS, 0.0))
            mine[piece.what] += piece.seconds
    if not totals:
        raise ValueError(f"no step is left after the first {skip}")
    return {
        rank: {what: seconds / sum(mine.values()) for what, seconds in mine.items()}
        for rank, mine in sorted(totals.items())
    }


@dataclass(frozen=True)
class Throughput:
    """How fast a run was.

    Attributes
    ----------
    workers : int
        Processes.
    samples_per_s : float
        Samples of the global batch over the median time of a step.
    low, high : float
        The same with the slowest and the fastest tenth of the steps.
    late : float
        Share of worker-steps in which an emulated chip was not emulated, because the real computation took
        longer than the chip would have; zero without emulation.
    """

    workers: int
    samples_per_s: float
    low: float
    high: float
    late: float


def throughput(records: Sequence[Mapping[str, Any]], skip: int = 3) -> Throughput:
    """Throughput of a run of :mod:`computegap.cluster.train`, from one step's beginning to the next one's.

    Parameters
    ----------
    records : sequence of dict
        ``Finished.records``.
    skip : int
        Steps at the start that don't count: first calls, first messages.

    Raises
    ------
    ValueError
        If fewer than two steps are left.
    """
    steps = [record for record in records if record["kind"] == "step" and record["restart"] == 0]
    began: dict[int, float] = {}
    batch: dict[int, int] = {}
    for record in steps:
        step = record["step"]
        began[step] = min(began.get(step, record["began"]), record["began"])
        batch[step] = batch.get(step, 0) + record["samples"]
    counted = sorted(step for step in began if step >= skip)
    if len(counted) < 3:
        raise ValueError(f"{len(counted)} steps after the first {skip} are too few to tell a rate")
    seconds = np.diff([began[step] for step in counted])
    slow, middle, fast = np.quantile(seconds, [0.9, 0.5, 0.1])
    samples = batch[counted[0]]
    late = [record.get("late", 0.0) > 0 for record in steps if record["step"] >= skip]
    workers = len({record["rank"] for record in steps})
    rates = (float(samples / seconds) for seconds in (middle, slow, fast))
    return Throughput(workers, *rates, float(np.mean(late)))


def efficiency(runs: Sequence[Throughput]) -> dict[int, float]:
    """Throughput over workers times the throughput of one; 1 would be perfect.

    Raises
    ------
    LookupError
        If no run has one worker.
    """
    alone = [run.samples_per_s for run in runs if run.workers == 1]
    if not alone:
        raise LookupError("efficiency needs a run with one worker to compare with")
    return {run.workers: run.samples_per_s / (run.workers * alone[0]) for run in runs}
