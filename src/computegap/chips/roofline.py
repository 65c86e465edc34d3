"""The roofline: how fast a chip can go on work that needs a given number of bytes.

A chip has two speeds: how many floating-point operations it does a second (the flat roof) and how many
bytes its memory delivers a second (the slanted roof). Which of the two holds depends on the *intensity* of
the work, the operations it does for each byte that it fetches:

    attainable(I) = min(peak, I * bandwidth)

The two roofs meet at the *ridge point*, ``peak / bandwidth``. Work to the left of it waits for memory, work
to the right of it waits for arithmetic.

Units throughout: operations per second (FLOP/s), bytes per second (B/s), FLOP/byte. Data sheets print
TFLOP/s and GB/s; :func:`from_chip` converts.

Source: S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for
multicore architectures", Communications of the ACM 52(4), 2009. Taught in chapters 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

TERA = 1e12
GIGA = 1e9


def _positive(name: str, value) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(array)) or np.any(array <= 0):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return array


def attainable(intensity, peak, bandwidth):
    """Operations a second that a chip can reach on work of a given intensity.

    Parameters
    ----------
    intensity : float or array
        Operations per byte fetched from memory, FLOP/byte. Zero is allowed: no work, no speed.
    peak : float or array
        Arithmetic peak in FLOP/s (dense, not the sparse figure of an advertisement).
    bandwidth : float or array
        Memory bandwidth in B/s.

    Returns
    -------
    float or numpy.ndarray
        FLOP/s, in the shape that numpy broadcasting gives the three arguments.

    Raises
    ------
    ValueError
        If the intensity is negative, or the peak or the bandwidth is not positive.
    """
    work = np.asarray(intensity, dtype=float)
    if np.any(work < 0) or np.any(np.isnan(work)):
        raise ValueError(f"intensity must be zero or more FLOP/byte, got {intensity!r}")
    reached = np.minimum(_positive("peak", peak), work * _positive("bandwidth", bandwidth))
    return float(reached) if reached.ndim == 0 else reached


def ridge(peak, bandwidth):
    """Intensity at which the two roofs meet, in FLOP/byte: below it memory limits, above it arithmetic.

    Takes FLOP/s and B/s, floats or arrays; raises ValueError unless both are positive.
    """
    point = _positive("peak", peak) / _positive("bandwidth", bandwidth)
    return float(point) if point.ndim == 0 else point


def step_seconds(flops, bytes_moved, peak, bandwidth):
    """Least time for a step of ``flops`` operations that moves ``bytes_moved`` bytes, in seconds.

    The longer of the time to compute and the time to fetch, as if the two overlapped perfectly: a lower
    bound, which real programs miss. Raises ValueError for negative work or speeds that are not positive.
    """
    work, traffic = np.asarray(flops, dtype=float), np.asarray(bytes_moved, dtype=float)
    if np.any(work < 0) or np.any(traffic < 0):
        raise ValueError(f"work and bytes must be zero or more, got {flops!r} FLOP and {bytes_moved!r} bytes")
    seconds = np.maximum(work / _positive("peak", peak), traffic / _positive("bandwidth", bandwidth))
    return float(seconds) if seconds.ndim == 0 else seconds


def matmul_intensity(m: int, n: int, k: int, bytes_per_value: float = 2.0) -> float:
    """Intensity of an (m x k) by (k x n) matrix product whose three matrices cross memory once, FLOP/byte.

    ``2 m n k`` operations over ``bytes_per_value * (m k + k n + m n)`` bytes. For a batch of one (m = 1) it
    is about one operation per byte in 16-bit arithmetic: why writing text word by word waits for memory.
    """
    sizes = [_positive(label, value) for label, value in zip("mnk", (m, n, k), strict=True)]
    rows, columns, inner = (float(size) for size in sizes)
    width = float(_positive("bytes_per_value", bytes_per_value))
    return 2 * rows * columns * inner / (width * (rows * inner + inner * columns + rows * columns))


@dataclass(frozen=True)
class Roofline:
    """The two roofs of one chip, each as a range (low, high) that is a point where sources agree.

    Attributes
    ----------
    name : str
        What the picture says beside the line.
    peak : tuple of float
        FLOP/s, lowest and highest value given by a source.
    bandwidth : tuple of float
        B/s, lowest and highest.
    precision : str
        The arithmetic of the peak: "bf16", "fp8", ...
    kind : str
        "official", "press", "measured", ...: how well the numbers are known.
    """

    name: str
    peak: tuple[float, float]
    bandwidth: tuple[float, float]
    precision: str = "bf16"
    kind: str = ""

    def __post_init__(self) -> None:
        for label in ("peak", "bandwidth"):
            low, high = (float(_positive(label, value)) for value in getattr(self, label))
            if low > high:
                raise ValueError(f"{label} of {self.name}: low {low:g} is above high {high:g}")
            object.__setattr__(self, label, (low, high))

    @property
    def contested(self) -> bool:
        """True where the sources disagree, so that the roof is a band and not a line."""
        return self.peak[0] < self.peak[1] or self.bandwidth[0] < self.bandwidth[1]

    @property
    def ridge(self) -> tuple[float, float]:
        """Lowest and highest ridge point that the ranges allow, FLOP/byte."""
        return self.peak[0] / self.bandwidth[1], self.peak[1] / self.bandwidth[0]

    def at(self, intensity) -> tuple:
        """Lowest and highest attainable FLOP/s at an intensity (float or array)."""
        return (
            attainable(intensity, self.peak[0], self.bandwidth[0]),
            attainable(intensity, self.peak[1], self.bandwidth[1]),
        )


@dataclass(frozen=True)
class LeftOut:
    """A chip that is not drawn, and why."""

    name: str
    reason: str


def _range(fact) -> tuple[float, float]:
    low, high = fact.range
    return float(low), float(high)


def from_chip(chip, precision: str = "bf16") -> Roofline:
    """Roofline of a record of the registry (:func:`computegap.facts.chip`).

    Raises
    ------
    LookupError
        If the record has no trusted peak at this precision, or no trusted bandwidth; the message says which.
    """
    if precision not in ("fp64", "fp32", "tf32", "bf16", "fp8", "int8", "fp4"):
        raise LookupError(f"no precision {precision!r}; try fp64, fp32, tf32, bf16, fp8, int8 or fp4")
    peak, bandwidth = getattr(chip, precision), chip.mem_bw_gbs
    for label, fact in ((f"{precision} peak", peak), ("memory bandwidth", bandwidth)):
        if fact is None or not fact.known:
            raise LookupError(f"{chip.name}: no trusted {label}")
    return Roofline(
        name=chip.name,
        peak=tuple(value * TERA for value in _range(peak)),
        bandwidth=tuple(value * GIGA for value in _range(bandwidth)),
        precision=precision,
        kind=peak.confidence,
    )


def from_chips(chips: Iterable, precision: str = "bf16") -> tuple[list[Roofline], list[LeftOut]]:
    """Rooflines of all records with trusted numbers, and the others with the reason they are left out."""
    drawn, left_out = [], []
    for chip in chips:
        try:
            drawn.append(from_chip(chip, precision))
        except LookupError as problem:
            left_out.append(LeftOut(chip.name, str(problem).split(": ", 1)[-1]))
    return drawn, left_out
