"""Numbers that are known as a range: a low end, a middle, a high end.

Ranges of this chapter come from sources that disagree and from a model with a known error, so that products
and quotients take the wide ends together: the result holds whatever the inputs are. Where two ranges share
their error, dividing them like this is too wide; such a quotient has to be computed case by case.
Taught in chapter 9.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A positive number with a range.

    Attributes
    ----------
    low, middle, high : float
        In ascending order, positive; infinite where there is no upper end.
    """

    low: float
    middle: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.middle <= self.high:
            raise ValueError(
                f"a range has positive ends in ascending order, not {self.low}, {self.middle}, {self.high}"
            )

    @classmethod
    def of(cls, value) -> Span:
        """Make a range of a number, of a :class:`Span`, or of a fact of the registry with its range."""
        if isinstance(value, Span):
            return value
        if hasattr(value, "range"):
            low, high = value.range
            return cls(float(low), float(value), float(high))
        return cls(float(value), float(value), float(value))

    @classmethod
    def around(cls, values: Iterable[float]) -> Span:
        """From the lowest to the highest of some values, with their median in the middle."""
        ordered = sorted(values)
        if not ordered:
            raise ValueError("a range needs at least one value")
        half = len(ordered) // 2
        middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
        return cls(ordered[0], middle, ordered[-1])

    def __mul__(self, other) -> Span:
        """Product, wide ends together."""
        other = Span.of(other)
        return Span(self.low * other.low, self.middle * other.middle, self.high * other.high)

    __rmul__ = __mul__

    def __truediv__(self, other) -> Span:
        """Quotient, wide ends together."""
        other = Span.of(other)
        return Span(self.low / other.high, self.middle / other.middle, self.high / other.low)

    def __rtruediv__(self, other) -> Span:
        """Quotient of a plain number or fact and this range."""
        return Span.of(other) / self

    def __add__(self, other) -> Span:
        """Sum, wide ends together."""
        other = Span.of(other)
        return Span(self.low + other.low, self.middle + other.middle, self.high + other.high)

    __radd__ = __add__

    @property
    def width(self) -> float:
        """High end over low end; 1 for a number known exactly."""
        return self.high / self.low

    def text(self, fmt: str = ",.3g") -> str:
        """The range in words, "low to high", or one number where they print alike."""
        low, high = (f"{end:{fmt}}" if math.isfinite(end) else "no end" for end in (self.low, self.high))
        return low if low == high else f"{low} to {high}"
