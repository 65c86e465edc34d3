"""A published number beside ours.

Each :class:`Comparison` names its source, and says whether ours agrees within the tolerance set for that row
(rounding, or more where the source says "about"). Used in chapters 2, 7 and 9.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """One published number and ours.

    Attributes
    ----------
    source, what : str
        Who printed it, and what it is.
    published : tuple of float
        Lowest and highest value printed (equal for a single number).
    ours : tuple of float
        Lowest and highest value that we compute.
    tolerance : float
        Relative rounding of the printed number; larger where the source says "about".
    fmt : str
        How both are written.
    """

    source: str
    what: str
    published: tuple[float, float]
    ours: tuple[float, float]
    tolerance: float
    fmt: str = ",.0f"

    @property
    def agrees(self) -> bool:
        """Whether the two ranges meet, allowing for the rounding of the printed one."""
        low, high = self.published[0] * (1 - self.tolerance), self.published[1] * (1 + self.tolerance)
        return self.ours[0] <= high and self.ours[1] >= low

    def row(self) -> tuple[str, str, str, str, str]:
        """Source, what, published, ours, and whether they agree, as text."""
        verdict = "agrees" if self.agrees else "differs"
        return self.source, self.what, self._text(self.published), self._text(self.ours), verdict

    def _text(self, ends: tuple[float, float]) -> str:
        low, high = (f"{end:{self.fmt}}" for end in ends)
        return low if low == high else f"{low} to {high}"
