"""What it costs that everybody waits for the slowest: mixed chips, and chance.

In synchronous training a step ends when the last worker is done. If workers differ for good (a weaker chip),
sizing their shares by their speed gets the loss back. If they differ by chance (a page fault, a hot chip, a
retransmitted packet), no split does, and the price grows with the number of workers and with the tail of the
delays.

Sources: order statistics after H. A. David and H. N. Nagaraja, *Order Statistics*, 3rd edition, 2003,
sections 3.2 and 4.6; the waiting of synchronous training after J. Chen et al., "Revisiting distributed
synchronous SGD", 2016, section 2.
Taught in chapter 7.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

#: Distributions of a worker's time with mean one and a given standard deviation.
TAILS = ("normal", "exponential")


@lru_cache(maxsize=512)
def _normal_maximum(workers: int) -> float:
    """Mean of the largest of so many standard normal numbers: the integral of x n phi(x) Phi(x)^(n-1)."""
    x = np.linspace(-9.0, 9.0, 4001)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    # The distribution function by the trapezoid rule on the same grid.
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)]) * (x[1] - x[0])
    with np.errstate(under="ignore"):
        weight = workers * density * np.clip(below, 0, 1) ** (workers - 1)
    return float(np.trapezoid(x * weight, x))


def expected_slowest(workers: int, deviation: float, tail: str = "normal") -> float:
    """Mean time of the slowest of several workers, in units of one worker's mean time.

    Parameters
    ----------
    workers : int
        How many draw their time independently.
    deviation : float
        Standard deviation of a worker's time over its mean; for the exponential tail at most one.
    tail : str
        ``"normal"``: :math:`1 + \\sigma e_n`, ``e_n`` the mean of the largest of n standard normal numbers.
        ``"exponential"``: a fixed part and an exponential delay with the same mean and deviation in total,
        :math:`1 - \\sigma + \\sigma H_n` with the n-th harmonic number.

    Raises
    ------
    ValueError
        If a number is out of range or the tail unknown.
    """
    if workers < 1 or int(workers) != workers:
        raise ValueError(f"the number of workers is a whole number from 1, got {workers!r}")
    if tail not in TAILS:
        raise ValueError(f"no tail called {tail!r}; known are {', '.join(TAILS)}")
    if not 0 <= deviation <= 1:
        raise ValueError(f"the deviation is a share of the mean from 0 to 1, got {deviation!r}")
    if tail == "normal":
        return 1 + deviation * _normal_maximum(int(workers))
    if workers < 1000:
        harmonic = sum(1 / k for k in range(1, int(workers) + 1))
    else:
        harmonic = math.log(workers) + 0.5772156649 + 1 / (2 * workers)
    return 1 - deviation + deviation * harmonic


def draw_times(
    rng: np.random.Generator, count: int, mean: float, deviation: float, tail: str = "normal"
) -> np.ndarray:
    """Times of one worker for ``count`` steps (seconds), none below a tenth of the mean."""
    if tail not in TAILS:
        raise ValueError(f"no tail called {tail!r}; known are {', '.join(TAILS)}")
    if tail == "normal":
        times = 1 + deviation * rng.standard_normal(count)
    else:
        times = 1 - deviation + deviation * rng.standard_exponential(count)
    return mean * np.maximum(times, 0.1)


def _speeds(speeds: Sequence[float]) -> np.ndarray:
    array = np.asarray(speeds, dtype=float)
    if array.ndim != 1 or len(array) == 0 or not (np.all(array > 0) and np.all(np.isfinite(array))):
        raise ValueError(f"speeds are numbers above zero, one for each worker; got {speeds!r}")
    return array


def split_evenly(batch: int, workers: int) -> list[int]:
    """Give each worker the same share of a batch, the first ones the remainder."""
    if workers < 1 or batch < 0:
        raise ValueError(f"a batch of {batch!r} cannot be split among {workers!r} workers")
    return [batch // workers + (rank < batch % workers) for rank in range(workers)]


def split_by_speed(batch: int, speeds: Sequence[float]) -> list[int]:
    """Give each worker a share of a batch in proportion to its speed, in whole samples, so as to end soonest.

    Each sample in turn goes to the worker that would be done with it first, which makes the slowest worker as
    fast as whole samples allow.

    Raises
    ------
    ValueError
        If the batch is negative or a speed not above zero.
    """
    rates = _speeds(speeds)
    if batch < 0 or int(batch) != batch:
        raise ValueError(f"a batch is a whole number of samples from zero, got {batch!r}")
    shares = np.floor(batch * rates / rates.sum()).astype(int)
    for _ in range(batch - int(shares.sum())):
        shares[int(np.argmin((shares + 1) / rates))] += 1
    return [int(share) for share in shares]


def step_time(shares: Sequence[int], speeds: Sequence[float]) -> float:
    """Time of a synchronous step: the longest share over speed (samples over samples/s: seconds)."""
    rates = _speeds(speeds)
    if len(shares) != len(rates):
        raise ValueError(f"{len(shares)} shares for {len(rates)} workers")
    return float(np.max(np.asarray(shares) / rates))


def utilisation(shares: Sequence[int], speeds: Sequence[float]) -> float:
    """Share of the pool's speed that a synchronous step uses: samples done over samples possible."""
    total = float(sum(shares))
    time = step_time(shares, speeds)
    return total / (time * float(_speeds(speeds).sum())) if time else 1.0


def pool_speed(speeds: Sequence[float], split: str = "even") -> float:
    """Speed of a pool with shares of any size: with even ones the slowest sets the pace, fitting ones add up.

    ``split`` is ``"even"`` or ``"by-speed"``, as in the training program.
    """
    rates = _speeds(speeds)
    if split == "even":
        return float(len(rates) * rates.min())
    if split == "by-speed":
        return float(rates.sum())
    raise ValueError(f"no split called {split!r}; known are even, by-speed")


def recovered(even: float, fitted: float, ideal: float) -> float:
    """Share of what even shares lose that fitting shares get back, from three throughputs in one unit."""
    if not ideal > even:
        raise ValueError("nothing was lost with even shares, so nothing can be got back")
    return (fitted - even) / (ideal - even)


@dataclass(frozen=True)
class Waiting:
    """What waiting cost groups of one size, with times drawn from one distribution.

    Attributes
    ----------
    tail : str
        The distribution.
    workers : int
        Size of the group.
    measured : tuple of float
        For each block of steps, mean time of a step over the mean time that a worker worked in it; what
        meeting costs without chance, measured with the same group, is taken off.
    slowest : tuple of float
        For each block, mean of the longest recorded work of each step over the mean work: the same price from
        the workers' own clocks, without any message in it.
    """

    tail: str
    workers: int
    measured: tuple[float, ...]
    slowest: tuple[float, ...]


def waiting(records: Sequence[Mapping[str, Any]]) -> list[Waiting]:
    """Price of waiting from what :mod:`computegap.cluster.straggler_bench` recorded, smallest group first.

    Raises
    ------
    ValueError
        If there are no such records, or one group left none for the case without chance.
    """
    groups: dict[tuple[str, int], dict[int, list[Mapping[str, Any]]]] = {}
    for record in records:
        if record.get("kind") == "waited":
            blocks = groups.setdefault((record["tail"], record["workers"]), {})
            blocks.setdefault(record["block"], []).append(record)
    if not groups:
        raise ValueError("no record of waiting among these; run computegap.cluster.straggler_bench")
    result = []
    for (tail, workers), blocks in sorted(groups.items()):
        if tail == "none":
            continue
        if ("none", workers) not in groups:
            raise ValueError(f"the groups of {workers} left no record of steps without chance")
        calm = [r for block in groups["none", workers].values() for r in block]
        # The median, because a single disturbance of the machine would outweigh all other steps.
        steps, worked = (np.array([r[key] for r in calm]) for key in ("step_seconds", "busy_seconds"))
        meeting = float(np.median(steps - worked))
        measured, slowest = [], []
        for _, block in sorted(blocks.items()):
            busy = np.array([r["busy_seconds"] for r in block])
            step = float(np.mean([r["step_seconds"] for r in block]))
            measured.append((step - meeting) / float(busy.mean()))
            slowest.append(float(busy.max(0).mean() / busy.mean()))
        result.append(Waiting(tail, workers, tuple(measured), tuple(slowest)))
    return result
