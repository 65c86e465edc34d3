"""The spread of a few repeats: mean, standard deviation, 95 % interval, and differences taken in pairs.

With four or eight repeats the normal distribution is too optimistic; the interval is Student's. Where two
methods share seeds (same start, same data), the luck of a seed hits both, and the difference within each
pair is known far better than either mean: use :func:`paired`.

Source: Student, "The probable error of a mean", Biometrika 6 (1908).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

# 97.5 % points of Student's distribution for 1 to 30 degrees of freedom (tables in any statistics textbook).
_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def student_factor(n: int) -> float:
    """How many standard errors a 95 % interval reaches to each side with ``n`` repeats (n of 2 or more)."""
    if n < 2:
        raise ValueError(f"an interval needs two repeats or more, got {n!r}")
    freedom = n - 1
    # Above 30 the first correction term to 1.96 is right to three digits.
    return _STUDENT[freedom - 1] if freedom <= len(_STUDENT) else 1.960 + 2.4 / freedom


@dataclass(frozen=True)
class Spread:
    """Mean of repeats and how well it is known.

    Attributes
    ----------
    mean, sd : float
        Mean and sample standard deviation of the repeats.
    low, high : float
        95 % interval of the mean; equal to the mean where there is only one repeat (then nothing is known
        of it).
    n : int
        Number of repeats.
    """

    mean: float
    sd: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """Half the 95 % interval, the number after the plus-minus sign."""
        return (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        """True where the interval lies on one side of zero, so that the sign is known. Needs two repeats."""
        return self.n > 1 and (self.low > 0 or self.high < 0)

    def __str__(self) -> str:
        if self.n == 1:
            return f"{self.mean:.3g} (one run)"
        return f"{self.mean:.3g} ± {self.half_width:.2g} (n={self.n})"


def spread(values: Iterable[float]) -> Spread:
    """Spread of repeats.

    Raises
    ------
    ValueError
        If there are no values, or one of them is not finite (a run that diverged must be counted, not
        averaged).
    """
    array = np.asarray(list(values), dtype=float)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError("a spread needs one value or more, in a flat list")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{np.sum(~np.isfinite(array))} of {len(array)} values are not finite numbers")
    mean = float(array.mean())
    if len(array) == 1:
        return Spread(mean, 0.0, mean, mean, 1)
    sd = float(array.std(ddof=1))
    half = student_factor(len(array)) * sd / np.sqrt(len(array))
    return Spread(mean, sd, float(mean - half), float(mean + half), len(array))


def paired(a: Iterable[float], b: Iterable[float]) -> Spread:
    """Spread of ``a - b``, seed by seed.

    Raises
    ------
    ValueError
        If the two have different lengths: the i-th of both must be the same seed.
    """
    first, second = np.asarray(list(a), dtype=float), np.asarray(list(b), dtype=float)
    if first.shape != second.shape:
        raise ValueError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    return spread(first - second)
