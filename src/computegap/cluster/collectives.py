"""What it costs to add up numbers that lie on many machines: formulas of the alpha-beta model, and its fit.

A message of :math:`S` bytes takes :math:`\\alpha + S/B` seconds: a fixed price :math:`\\alpha` for starting
it, and a price for each byte. Hockney's model of 1994 has no more than that, and it orders the algorithms of
this chapter rightly. Sizes are in bytes, times in seconds, bandwidths in bytes/s in one direction.

Sources: R. W. Hockney, "The communication challenge for MPP", Parallel Computing 20 (1994); R. Thakur,
R. Rabenseifner and W. Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 19
(2005), sections 4 and 5; P. Patarasuk and X. Yuan, "Bandwidth optimal all-reduce algorithms", JPDC 69 (2009);
NVIDIA, nccl-tests, ``doc/PERFORMANCE.md`` (factors of the bus bandwidth).
Taught in chapter 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

#: The published factors between the size moved in a second and the traffic on the busiest link.
BUS_FACTORS: dict[str, Callable[[int], float]] = {
    "all_reduce": lambda n: 2 * (n - 1) / n,
    "reduce_scatter": lambda n: (n - 1) / n,
    "all_gather": lambda n: (n - 1) / n,
    "all_to_all": lambda n: (n - 1) / n,
    "broadcast": lambda n: 1.0,
    "reduce": lambda n: 1.0,
}


@dataclass(frozen=True)
class Link:
    """A connection between two machines.

    Attributes
    ----------
    latency : float
        Seconds that a message costs before its first byte arrives, alpha.
    bandwidth : float
        Bytes/s in one direction, B.

    Raises
    ------
    ValueError
        If the latency is negative or the bandwidth is not above zero.
    """

    latency: float
    bandwidth: float

    def __post_init__(self) -> None:
        if not self.latency >= 0:
            raise ValueError(f"a latency is zero seconds or more, got {self.latency!r}")
        if not self.bandwidth > 0:
            raise ValueError(f"a bandwidth is above zero bytes/s, got {self.bandwidth!r}")

    def seconds(self, size: float) -> float:
        """Time of one message of ``size`` bytes."""
        return self.latency + size / self.bandwidth


def _checked(size: float, workers: int) -> None:
    if workers < 1 or int(workers) != workers:
        raise ValueError(f"the number of workers is a whole number from 1, got {workers!r}")
    if not np.all(np.asarray(size) >= 0):
        raise ValueError(f"a size is zero bytes or more, got {size!r}")


def ring_all_reduce(size: float, workers: int, link: Link) -> float:
    """Seconds of an all-reduce around a ring: 2(n-1) messages of one n-th of the data each.

    Each worker sends and receives at the same time. Bandwidth-optimal, but the number of messages grows with
    the number of workers (Patarasuk and Yuan 2009).
    """
    _checked(size, workers)
    return 2 * (workers - 1) * link.seconds(size / workers)


def tree_all_reduce(size: float, workers: int, link: Link) -> float:
    """Seconds of adding up a binary tree and sending the sum back down: 2 log2(n) messages of everything.

    The plain tree that chapter 7 runs. Few messages, each with all of the data (Thakur et al. 2005).
    """
    _checked(size, workers)
    return 2 * math.ceil(math.log2(workers)) * link.seconds(size)


def pipelined_tree_all_reduce(size: float, workers: int, link: Link) -> float:
    """Seconds with two trees that carry half of the data each, in small pieces one after another.

    2 log2(n) latencies and twice the data, the limit that NCCL's double binary tree comes near to
    (S. Jeaugey, "Massively scale your deep learning training with NCCL 2.4", NVIDIA 2019).
    """
    _checked(size, workers)
    if workers == 1:
        return 0.0
    return 2 * math.ceil(math.log2(workers)) * link.latency + 2 * size / link.bandwidth


def central_all_reduce(size: float, workers: int, link: Link) -> float:
    """Seconds if all send to one worker, which adds up and sends to all: 2(n-1) messages of everything."""
    _checked(size, workers)
    return 2 * (workers - 1) * link.seconds(size)


def hierarchical_all_reduce(size: float, per_node: int, nodes: int, inside: Link, between: Link) -> float:
    """Seconds in three phases: reduce-scatter in each node, all-reduce across nodes, all-gather in each node.

    Each of the ``per_node`` workers has a link of its own to the other nodes and carries its share of the
    data over it. The phases follow each other; a library that overlaps them does better, down to the longest.
    """
    _checked(size, nodes)
    inner = phase_seconds("reduce_scatter", size, per_node, inside)
    return 2 * inner + ring_all_reduce(size / per_node, nodes, between)


def phase_seconds(collective: str, size: float, workers: int, link: Link) -> float:
    """Seconds of one pass round a ring or one exchange of all with all: (n-1) messages of one n-th each.

    ``collective`` is ``"reduce_scatter"``, ``"all_gather"`` or ``"all_to_all"``; in this model they cost the
    same. ``size`` counts the whole buffer.
    """
    if collective not in ("reduce_scatter", "all_gather", "all_to_all"):
        known = "reduce_scatter, all_gather, all_to_all"
        raise ValueError(f"no collective called {collective!r} here; known are {known}")
    _checked(size, workers)
    return (workers - 1) * link.seconds(size / workers)


ALGORITHMS: dict[str, Callable[[float, int, Link], float]] = {
    "ring": ring_all_reduce,
    "tree": tree_all_reduce,
    "pipelined tree": pipelined_tree_all_reduce,
    "central": central_all_reduce,
}


def crossover(workers: int, link: Link) -> float:
    """Bytes at which ring and plain tree take equally long; below, the tree is faster.

    Infinite where the tree is never slower (two workers), zero where it never wins.
    """
    _checked(0, workers)
    if workers < 2:
        return 0.0
    depth = math.ceil(math.log2(workers))
    messages_saved = (workers - 1) - depth
    bytes_added = depth - (workers - 1) / workers
    if bytes_added <= 0:
        return math.inf
    return messages_saved * link.latency * link.bandwidth / bytes_added


def bus_bandwidth(collective: str, size: float, seconds: float, workers: int) -> float:
    """Bytes/s on the busiest link, as NCCL's tests report it: size over time, times the collective's factor.

    Raises
    ------
    ValueError
        If the collective has no published factor, or the time is not above zero.
    """
    if collective not in BUS_FACTORS:
        raise ValueError(f"no factor for {collective!r}; known are {', '.join(BUS_FACTORS)}")
    if not np.all(np.asarray(seconds) > 0):
        raise ValueError(f"a time is above zero seconds, got {seconds!r}")
    return size / seconds * BUS_FACTORS[collective](workers)


def seconds_from_bus_bandwidth(collective: str, size: float, bandwidth: float, workers: int) -> float:
    """:func:`bus_bandwidth` run backwards: the time that a reported bus bandwidth stands for."""
    if collective not in BUS_FACTORS:
        raise ValueError(f"no factor for {collective!r}; known are {', '.join(BUS_FACTORS)}")
    return size / bandwidth * BUS_FACTORS[collective](workers)


@dataclass(frozen=True)
class Fit:
    """A straight line through measured times: ``start + per_byte * size`` seconds.

    Attributes
    ----------
    start : float
        Seconds that the operation takes however small it is.
    per_byte : float
        Seconds for each byte more.
    error : float
        Root mean square of the relative errors (0.1: typically a tenth off).
    sizes : tuple of float
        Smallest and largest size that went into the fit, in bytes. The line says nothing outside.
    """

    start: float
    per_byte: float
    error: float
    sizes: tuple[float, float]

    def seconds(self, size: float) -> float:
        """Time by the line, for a size in bytes (arrays welcome)."""
        return self.start + self.per_byte * size

    @property
    def knee(self) -> float:
        """Bytes at which half of the time is the start: below, latency rules, and above, bandwidth."""
        return self.start / self.per_byte

    def link(self, workers: int) -> Link:
        """The link of a ring of that many workers which takes these times."""
        if workers < 2:
            raise ValueError("one worker sends no messages; a fit to its times says nothing of a link")
        return Link(self.start / (2 * (workers - 1)), BUS_FACTORS["all_reduce"](workers) / self.per_byte)


def fit_alpha_beta(sizes: Iterable[float], seconds: Iterable[float]) -> Fit:
    """Fit start and seconds per byte to measured times, counting relative errors.

    Sizes span several powers of ten; with absolute errors the largest message alone would set both numbers.
    Both stay at zero or above (a least-squares line with a negative start is not a model of a message).

    Parameters
    ----------
    sizes, seconds
        Measured sizes (bytes) and times (seconds), of equal length; repeats of one size are welcome.

    Raises
    ------
    ValueError
        If there are fewer than two different sizes, or a time is not above zero.
    """
    x, t = np.asarray(list(sizes), dtype=float), np.asarray(list(seconds), dtype=float)
    if x.shape != t.shape or x.ndim != 1:
        raise ValueError(f"as many sizes as times are needed, got {len(x)} and {len(t)}")
    if len(set(x)) < 2:
        raise ValueError("a line needs two different sizes or more")
    if not (np.all(t > 0) and np.all(np.isfinite(t)) and np.all(x >= 0)):
        raise ValueError("times must be above zero and sizes zero or above, all of them finite")
    start, per_byte = np.linalg.lstsq(np.stack([1 / t, x / t], 1), np.ones_like(t), rcond=None)[0]
    if start < 0:
        start, per_byte = 0.0, float((x / t).sum() / ((x / t) ** 2).sum())
    elif per_byte < 0:
        start, per_byte = float((1 / t).sum() / (1 / t**2).sum()), 0.0
    error = float(np.sqrt(np.mean(((start + per_byte * x) / t - 1) ** 2)))
    return Fit(float(start), float(per_byte), error, (float(x.min()), float(x.max())))


# The same two algorithms on lists, so that a page can draw each step ------------------------------------


def ring_steps(workers: int) -> list[list[list[frozenset[int]]]]:
    """Which contributions each worker's pieces hold after each step of a ring all-reduce.

    Returns
    -------
    list
        ``steps[t][rank][piece]`` is the set of ranks whose numbers are in that piece after ``t`` steps; there
        are 2(n-1) steps. At the end each piece of each rank holds all.
    """
    _checked(0, workers)
    held = [[frozenset([rank]) for _ in range(workers)] for rank in range(workers)]
    steps = [held]
    for step in range(2 * (workers - 1)):
        after = [list(pieces) for pieces in held]
        for rank in range(workers):
            # In the first half a piece collects contributions, in the second the finished ones travel on.
            collecting = step < workers - 1
            piece = (rank - step if collecting else rank - step + workers) % workers
            neighbour = (rank + 1) % workers
            sent = held[rank][piece]
            after[neighbour][piece] = (held[neighbour][piece] | sent) if collecting else sent
        held = after
        steps.append(held)
    return steps


def tree_steps(workers: int) -> list[list[list[frozenset[int]]]]:
    """As :func:`ring_steps`, for a binary tree: up to rank 0 and down again, whole buffers each time."""
    _checked(0, workers)
    held = [frozenset([rank]) for rank in range(workers)]
    history = [held]
    distances = [2**level for level in range(math.ceil(math.log2(workers)))] if workers > 1 else []
    for distance in distances:
        held = list(held)
        for rank in range(0, workers, 2 * distance):
            if rank + distance < workers:
                held[rank] = held[rank] | held[rank + distance]
        history.append(held)
    for distance in reversed(distances):
        held = list(held)
        for rank in range(0, workers, 2 * distance):
            if rank + distance < workers:
                held[rank + distance] = held[rank]
        history.append(held)
    return [[[whole] * workers for whole in state] for state in history]


def median_seconds(measured: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Sizes in order, and the median of the times measured at each; pairs of (bytes, seconds) go in."""
    if not measured:
        raise ValueError("nothing was measured")
    sizes = sorted({size for size, _ in measured})
    medians = [float(np.median([t for s, t in measured if s == size])) for size in sizes]
    return np.array(sizes), np.array(medians)
