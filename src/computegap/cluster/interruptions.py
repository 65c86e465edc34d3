"""A job that fails, event by event: the check on the formulas of :mod:`computegap.cluster.failures`.

The clock of the simulation goes from one failure to the next. Between them the job restarts, computes,
saves, computes again; a failure takes back everything since the last finished checkpoint. Failures come at
a constant rate or, with a Weibull shape below 1, in bursts, as logs of large machines show them (Schroeder
and Gibson 2010), with the same mean.
Taught in chapter 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

KINDS = ("computing", "saving", "lost", "restarting")


@dataclass
class Job:
    """What became of one simulated job.

    Attributes
    ----------
    computing, saving, lost, restarting : float
        Where the time went: work that was kept, finished checkpoints, work and unfinished checkpoints that
        a failure took back, and restarts. They add up to ``wall``.
    failures : int
    spans : list of tuple
        ``(start, end, kind)`` in order, if they were asked for.
    """

    computing: float = 0.0
    saving: float = 0.0
    lost: float = 0.0
    restarting: float = 0.0
    failures: int = 0
    spans: list[tuple[float, float, str]] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Time from start to end."""
        return self.computing + self.saving + self.lost + self.restarting

    @property
    def efficiency(self) -> float:
        """Share of the wall time that was kept work."""
        return self.computing / self.wall


def gaps(mtbf: float, rng: np.random.Generator, shape: float = 1.0) -> Callable[[], float]:
    """Return a function that draws the time to the next failure.

    Parameters
    ----------
    mtbf : float
        Mean of the draws.
    rng : numpy.random.Generator
    shape : float
        Of the Weibull distribution: 1 is a constant rate, less is bursty.

    Raises
    ------
    ValueError
        If the mean or the shape is not positive.
    """
    if not mtbf > 0 or not shape > 0:
        raise ValueError("the mean time between failures and the shape must be positive")
    scale = mtbf / math.gamma(1 + 1 / shape)
    return lambda: scale * rng.weibull(shape)


def simulate(
    work: float,
    interval: float,
    checkpoint: float,
    restart: float,
    next_failure: Callable[[], float],
    *,
    keep_spans: bool = False,
    most_failures: int = 100_000,
) -> Job:
    """Run one job until its work is done.

    Parameters
    ----------
    work, interval, checkpoint, restart : float
        Work to do, work between checkpoints, time to save, time to restart; one unit. Work is done when it
        has been saved: there is a checkpoint at the end.
    next_failure : callable
        Gives the time until the next failure, from the last one; see :func:`gaps`.
    keep_spans : bool
        Keep the history, for a timeline.
    most_failures : int
        Where to give up.

    Returns
    -------
    Job

    Raises
    ------
    ValueError
        If a time is negative or the interval is not positive.
    RuntimeError
        If the job fails so often that it does not end.
    """
    if work <= 0 or interval <= 0 or checkpoint < 0 or restart < 0:
        raise ValueError("work and interval must be positive, checkpoint and restart not negative")
    job, now, needed = Job(), 0.0, 0.0
    failure = next_failure()
    while job.computing < work * (1 - 1e-12):
        piece = min(interval, work - job.computing)
        steps = (("restarting", needed), ("computing", piece), ("saving", checkpoint))
        end = now + needed + piece + checkpoint
        if failure >= end:
            for kind, length in steps:
                now = _spend(job, now, length, kind, keep_spans)
            needed = 0.0
            continue
        broken = min(needed, failure - now)
        now = _spend(job, now, broken, "restarting", keep_spans)
        now = _spend(job, now, max(0.0, failure - now), "lost", keep_spans)
        job.failures += 1
        if job.failures > most_failures:
            raise RuntimeError(
                f"after {most_failures} failures {job.computing / work:.0%} of the work is done"
            )
        needed, failure = restart, now + next_failure()
    return job


def _spend(job: Job, now: float, length: float, kind: str, keep: bool) -> float:
    setattr(job, kind, getattr(job, kind) + length)
    if keep and length > 0:
        job.spans.append((now, now + length, kind))
    return now + length


def efficiencies(
    seeds: range | list[int],
    work: float,
    interval: float,
    checkpoint: float,
    restart: float,
    mtbf: float,
    shape: float = 1.0,
) -> np.ndarray:
    """Efficiency of one job for each seed.

    Returns
    -------
    numpy.ndarray of shape (seeds,)
    """
    return np.array(
        [
            simulate(
                work, interval, checkpoint, restart, gaps(mtbf, np.random.default_rng(seed), shape)
            ).efficiency
            for seed in seeds
        ]
    )
