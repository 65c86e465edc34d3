"""From wafers a month to H100-equivalents a year, with every input a range.

The chain is a product (wafers, dies on a wafer, share that works, dies in a package, share of packages that
work) until it meets memory: a package also needs its stacks of high-bandwidth memory, so that what can be
built is the smaller of two numbers. No public source knows the inputs well. :func:`simulate` therefore
draws each from its range many times, and :func:`swings` asks which range matters most.

Units: wafers a month, dies, packages and stacks a year, fractions. Taught in chapter 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

MONTHS = 12


def _at_least_zero(name: str, value) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if np.any(array < 0) or np.any(np.isnan(array)):
        raise ValueError(f"{name} must be zero or more, got {value!r}")
    return array


def _fraction(name: str, value) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if np.any(~((array >= 0) & (array <= 1))):
        raise ValueError(f"{name} is a fraction between 0 and 1, got {value!r}")
    return array


def _positive(name: str, value) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if np.any(~(array > 0)):
        raise ValueError(f"{name} must be positive, got {value!r}")
    return array


def _plain(array):
    return float(array) if np.ndim(array) == 0 else array


def packages_from_wafers(
    wafers_per_month,
    dies_per_wafer,
    yield_fraction,
    dies_per_package=2,
    packaging_loss=0.0,
    share_of_wafers=1.0,
):
    """Working packages a year that the wafers allow.

    All arguments may be arrays (they broadcast). ``share_of_wafers`` is the part of the fab given to this
    chip. Raises ValueError for negative counts and for fractions outside 0 to 1.
    """
    good_dies = (
        _at_least_zero("wafers per month", wafers_per_month)
        * MONTHS
        * _fraction("share of wafers", share_of_wafers)
        * _at_least_zero("dies per wafer", dies_per_wafer)
        * _fraction("yield", yield_fraction)
    )
    working = 1 - _fraction("packaging loss", packaging_loss)
    return _plain(good_dies / _positive("dies per package", dies_per_package) * working)


def packages_from_memory(stacks_per_year, stacks_per_package=8):
    """Packages a year that the supply of memory stacks allows."""
    stacks = _at_least_zero("stacks per year", stacks_per_year)
    return _plain(stacks / _positive("stacks per package", stacks_per_package))


def wafers_needed(packages_per_year, dies_per_wafer, yield_fraction, dies_per_package=2, packaging_loss=0.0):
    """Wafers a month that a number of packages a year takes: the chain run backwards."""
    chain = (dies_per_wafer, yield_fraction, dies_per_package, packaging_loss)
    per_wafer = packages_from_wafers(1 / MONTHS, *chain)
    if np.any(np.asarray(per_wafer) == 0):
        raise ValueError("no package comes out of a wafer with these inputs; no number of wafers is enough")
    return _plain(_at_least_zero("packages per year", packages_per_year) / per_wafer / MONTHS)


def h100_equivalents(packages, relative_speed):
    """Packages times their arithmetic speed relative to one H100 (a ratio of peaks, not of useful work)."""
    return _plain(_at_least_zero("packages", packages) * _at_least_zero("relative speed", relative_speed))


def h100e_per_year(
    *,
    wafers_per_month,
    share_of_wafers,
    dies_per_wafer,
    yield_fraction,
    dies_per_package,
    packaging_loss,
    stacks_per_year,
    stacks_per_package,
    relative_speed,
):
    """H100-equivalents a year: the smaller of what wafers and what memory allow, times the relative speed."""
    from_wafers = packages_from_wafers(
        wafers_per_month, dies_per_wafer, yield_fraction, dies_per_package, packaging_loss, share_of_wafers
    )
    from_memory = packages_from_memory(stacks_per_year, stacks_per_package)
    return h100_equivalents(np.minimum(from_wafers, from_memory), relative_speed)


@dataclass(frozen=True)
class Input:
    """An input that is known only as a range, with the value used where one is needed.

    Attributes
    ----------
    low, middle, high : float
        The range and a value inside it.
    unit : str
        For pictures and tables.
    basis : str
        Where the range comes from, in words ("reported, contested", "assumed", ...).
    """

    low: float
    middle: float
    high: float
    unit: str = ""
    basis: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.middle <= self.high:
            raise ValueError(
                f"a range needs low <= middle <= high, got {self.low!r}, {self.middle!r}, {self.high!r}"
            )

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draws from a triangle over the range with its peak at the middle; a point gives itself."""
        if self.low == self.high:
            return np.full(n, float(self.middle))
        return rng.triangular(self.low, self.middle, self.high, n)


@dataclass(frozen=True)
class Distribution:
    """Draws of a result, and what was drawn for each input."""

    values: np.ndarray
    inputs: Mapping[str, np.ndarray]

    def quantile(self, q):
        """Value below which a share ``q`` of the draws lies."""
        return _plain(np.quantile(self.values, q))

    @property
    def median(self) -> float:
        return float(np.median(self.values))

    def interval(self, share: float = 0.9) -> tuple[float, float]:
        """The middle ``share`` of the draws."""
        if not 0 < share < 1:
            raise ValueError(f"share is a fraction between 0 and 1, got {share!r}")
        low, high = np.quantile(self.values, [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(high)


def _check_inputs(inputs: Mapping[str, Input], names: tuple[str, ...]) -> None:
    for name in inputs:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no input {name!r}{hint}")
    missing = [name for name in names if name not in inputs]
    if missing:
        raise ValueError(f"missing inputs: {', '.join(missing)}")


#: Inputs of :func:`h100e_per_year`, in the order of the chain.
INPUTS = (
    "wafers_per_month",
    "share_of_wafers",
    "dies_per_wafer",
    "yield_fraction",
    "dies_per_package",
    "packaging_loss",
    "stacks_per_year",
    "stacks_per_package",
    "relative_speed",
)


def simulate(
    inputs: Mapping[str, Input], n: int = 20_000, seed: int = 0, model: Callable = h100e_per_year
) -> Distribution:
    """Draw every input from its range, independently, and run the chain on each draw.

    Raises
    ------
    ValueError
        If an input is missing or unknown (the nearest name is suggested), or ``n`` is not positive.
    """
    if model is h100e_per_year:
        _check_inputs(inputs, INPUTS)
    if n < 1:
        raise ValueError(f"n must be 1 or more, got {n!r}")
    rng = np.random.default_rng(seed)
    drawn = {name: value.sample(rng, n) for name, value in inputs.items()}
    return Distribution(np.asarray(model(**drawn), dtype=float), drawn)


@dataclass(frozen=True)
class Swing:
    """The result with one input at either end of its range and the others at their middle."""

    name: str
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        return abs(self.at_high - self.at_low)


def swings(inputs: Mapping[str, Input], model: Callable = h100e_per_year) -> list[Swing]:
    """Which range matters: one input at a time from low to high, sorted by how far the result moves."""
    if model is h100e_per_year:
        _check_inputs(inputs, INPUTS)
    middle = {name: value.middle for name, value in inputs.items()}
    found = [
        Swing(
            name,
            float(model(**{**middle, name: value.low})),
            float(model(**{**middle, name: value.high})),
        )
        for name, value in inputs.items()
    ]
    return sorted(found, key=lambda swing: -swing.width)
