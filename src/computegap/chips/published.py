"""Published results about wafers, dies and output, beside what this package computes from the same inputs.

A simulator that has never been held against a printed number proves little. Each :class:`Comparison` names
its source, and says whether ours agrees to the digits that were printed. One of them does not, and stays.
Taught in chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from computegap import facts
from computegap.chips.capacity import h100_equivalents, packages_from_memory, wafers_needed
from computegap.chips.cost import multipatterning_cost
from computegap.chips.wafer import die_yield, gross_dies, implied_d0


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
        Relative rounding of the printed number.
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


def _point(value: float) -> tuple[float, float]:
    return value, value


def textbooks() -> list[Comparison]:
    """Worked examples of textbooks and of a yield calculation in the press."""
    patterson, slides = "Hennessy and Patterson, chapter 1", "Hennessy and Patterson, solutions"
    rows = []
    for area, dies in ((225, 270), (100, 640)):
        ours = gross_dies(area, 300, "hennessy-patterson")
        rows.append(Comparison(patterson, f"dies of {area} mm² on 300 mm", _point(dies), _point(ours), 0.002))
    for area, good in ((225, 0.40), (100, 0.66)):
        ours = die_yield(area, 0.031, "bose-einstein", layers=13.5)
        what = f"yield at {area} mm², Bose-Einstein"
        rows.append(Comparison(patterson, what, _point(good), _point(ours), 0.01, ".2f"))
    for area, dies, d0, good in ((150, 416, 0.30, 0.65), (186, 331, 0.70, 0.32), (389, 148, 0.30, 0.36)):
        ours = gross_dies(area, 300, "hennessy-patterson")
        rows.append(Comparison(slides, f"dies of {area} mm² on 300 mm", _point(dies), _point(ours), 0.004))
        ours = die_yield(area, d0, "negative-binomial", alpha=4)
        what = f"yield at {area} mm², negative binomial"
        rows.append(Comparison(slides, what, _point(good), _point(ours), 0.016, ".2f"))
    for area, dies, good in ((230, 130, 0.10), (100, 314, 0.37)):
        ours = gross_dies(area, 210, "flynn")
        rows.append(
            Comparison("Flynn (1995)", f"dies of {area} mm² on 210 mm", _point(dies), _point(ours), 0.004)
        )
        ours = die_yield(area, 1.0, "poisson")
        what = f"yield at {area} mm², Poisson"
        rows.append(Comparison("Flynn (1995)", what, _point(good), _point(ours), 0.014, ".2f"))
    press, d0 = "AnandTech on a TSMC N5 test chip", implied_d0(0.80, 17.92, "murphy")
    rows.append(
        Comparison(press, "defects per cm² at a yield of 80 %", _point(1.271), _point(d0), 0.003, ".3f")
    )
    ours = 100 * die_yield(100, d0, "murphy")
    rows.append(Comparison(press, "yield at 100 mm², %", _point(32.0), _point(ours), 0.003, ".1f"))
    return rows


def misprint() -> list[Comparison]:
    """Good dies of the sixth edition's example, with the defect density it states and with the one that fits."""
    rows = []
    for d0 in (0.047, 0.031):
        for area, good in ((225, 120), (100, 444)):
            dies = gross_dies(area, 300, "hennessy-patterson")
            ours = dies * die_yield(area, d0, "bose-einstein", layers=12)
            what = f"good dies of {area} mm², {d0} per cm²"
            source = "Hennessy and Patterson, sixth edition"
            rows.append(Comparison(source, what, _point(good), _point(ours), 0.004))
    return rows


def analysts() -> list[Comparison]:
    """Estimates of analysts, recomputed from the registry."""
    b, c, h100 = (facts.chip(name) for name in ("910B", "910C", "H100"))
    increase, share = facts.fab("SMIC", "N+3", "litho_cost_increase").range, 0.30
    dearer = tuple(100 * (multipatterning_cost(share, value) - 1) for value in increase)
    stacks = facts.production("HBM stacks", year=2024)[0]
    packages = packages_from_memory(stacks.value, 8)
    one_die, two_dies = 0.8e6, 1.05e6  # 910B and 910C packages in SemiAnalysis's account
    dies = one_die + 2 * two_dies
    equivalents = [
        h100_equivalents(one_die, b.bf16.range[i] / h100.bf16.value)
        + h100_equivalents(two_dies, c.bf16.range[i] / h100.bf16.value)
        for i in (0, 1)
    ]
    best, large = facts.chip("B300").fp4.range, c.int8.value
    gap = tuple(value * 4 / (large * 8) for value in best)
    wafers = wafers_needed(600_000, 82, 0.40, 2, 0.25) / 45_000
    rows = [
        ("SemiAnalysis", "wafer cost without EUV, % more", 20, dearer, 0.15, ".0f"),
        ("SemiAnalysis", "dies in those chips, millions", 2.9, _point(dies / 1e6), 0.02, ".2f"),
        ("SemiAnalysis", "packages from stocked memory, millions", 1.6, _point(packages / 1e6), 0.03, ".2f"),
        (
            "Heim (RAND)",
            "those dies in H100s, millions",
            1.0,
            tuple(v / 1e6 for v in equivalents),
            0.05,
            ".2f",
        ),
        ("CFR", "best American over best Huawei chip, by TPP", 5, gap, 0.05, ".2f"),
        ("ours, from Bloomberg's 910C", "share of the fab's wafers, %", 9, _point(100 * wafers), 0.06, ".1f"),
    ]
    return [Comparison(who, what, _point(p), ours, near, fmt) for who, what, p, ours, near, fmt in rows]
