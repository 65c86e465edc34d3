"""Published results about wafers, dies and output, beside what this package computes from the same inputs.

A simulator that has never been held against a printed number proves little. Rows that do not agree stay.
Taught in chapter 2.
"""

from __future__ import annotations

from computegap import facts
from computegap.chips.capacity import h100_equivalents, packages_from_memory
from computegap.chips.cost import multipatterning_cost
from computegap.chips.wafer import die_yield, gross_dies, implied_d0
from computegap.facts.comparison import Comparison


def _against(
    key: str,
    ours: float | tuple[float, float],
    tolerance: float,
    fmt: str = ",.0f",
    scale: float = 1,
    unit: str = "",
) -> Comparison:
    """Set ours beside the published result of that key; both are multiplied by ``scale`` before printing."""
    fact = facts.published(key)
    low, high = ours if isinstance(ours, tuple) else (ours, ours)
    what = fact.what.removesuffix(f" ({fact.who})") + (f", {unit}" if unit else "")
    printed = tuple(end * scale for end in fact.range)
    return Comparison(fact.who, what, printed, (low * scale, high * scale), tolerance, fmt)


def textbooks() -> list[Comparison]:
    """Worked examples of textbooks and of a yield calculation in the press."""
    rows = []
    for area in (225, 100):
        rows.append(_against(f"hp-dies-{area}", gross_dies(area, 300, "hennessy-patterson"), 0.002))
    for area in (225, 100):
        ours = die_yield(area, 0.031, "bose-einstein", layers=13.5)
        rows.append(_against(f"hp-yield-{area}", ours, 0.01, ".2f"))
    for area, d0 in ((150, 0.30), (186, 0.70), (389, 0.30)):
        rows.append(_against(f"hp-solution-dies-{area}", gross_dies(area, 300, "hennessy-patterson"), 0.004))
        ours = die_yield(area, d0, "negative-binomial", alpha=4)
        rows.append(_against(f"hp-solution-yield-{area}", ours, 0.016, ".2f"))
    for area in (230, 100):
        rows.append(_against(f"flynn-dies-{area}", gross_dies(area, 210, "flynn"), 0.004))
        rows.append(_against(f"flynn-yield-{area}", die_yield(area, 1.0, "poisson"), 0.014, ".2f"))
    d0 = implied_d0(0.80, 17.92, "murphy")
    rows.append(_against("testchip-d0", d0, 0.003, ".3f", unit="per cm²"))
    rows.append(_against("testchip-yield-100", die_yield(100, d0, "murphy"), 0.003, ".1f", 100, "%"))
    return rows


def misprint() -> list[Comparison]:
    """Good dies in the sixth edition's example, at the density that it states and at the one that fits."""
    rows = []
    for d0 in (0.047, 0.031):
        for area in (225, 100):
            dies = gross_dies(area, 300, "hennessy-patterson")
            ours = dies * die_yield(area, d0, "bose-einstein", layers=12)
            rows.append(_against(f"hp6-good-{area}", ours, 0.004, unit=f"{d0} defects per cm²"))
    return rows


def analysts() -> list[Comparison]:
    """Estimates of analysts, recomputed from the registry."""
    b, c, h100 = (facts.chip(name) for name in ("910B", "910C", "H100"))
    increase = facts.fab("SMIC", "N+3", "litho_cost_increase").range
    share = facts.published("litho-share").value
    dearer = tuple(multipatterning_cost(share, value) - 1 for value in increase)
    stacks = facts.production("HBM stacks", year=2024)[0]
    one_die, two_dies = facts.published("proxy-910b").value, facts.published("proxy-910c").value
    equivalents = tuple(
        h100_equivalents(one_die, b.bf16.range[i] / h100.bf16.value)
        + h100_equivalents(two_dies, c.bf16.range[i] / h100.bf16.value)
        for i in (0, 1)
    )
    gap = tuple(value * 4 / (c.int8.value * 8) for value in facts.chip("B300").fp4.range)
    return [
        _against("no-euv-cost", dearer, 0.15, ".0f", 100, "%"),
        _against("proxy-dies", one_die + 2 * two_dies, 0.02, ".2f", 1e-6, "millions"),
        _against("memory-packages", packages_from_memory(stacks.value, 8), 0.03, ".2f", 1e-6, "millions"),
        _against("proxy-h100e", equivalents, 0.05, ".2f", 1e-6, "millions"),
        _against("cfr-ratio", gap, 0.05, ".2f"),
    ]


def systems() -> list[Comparison]:
    """A CloudMatrix of Ascend 910C beside NVIDIA's rack of 72, from the parts; power is taken as printed."""
    chip, chips = facts.chip("910C"), facts.published("cm384-chips").value
    power = facts.published("cm384-power").value
    rows, ratios = [], {}
    for what, part in (("compute", chip.bf16), ("memory", chip.mem_gb), ("bandwidth", chip.mem_bw_gbs)):
        rack = facts.published(f"nvl72-{what}")
        scale = chips * part.si / part.value / rack.si
        ratios[what] = (part.range[0] * scale, part.range[1] * scale)
        rows.append(_against(f"cm384-{what}", ratios[what], 0.03, ".2f"))
    for key, what in (("per-flop", "compute"), ("per-bandwidth", "bandwidth"), ("per-memory", "memory")):
        low, high = ratios[what]
        rows.append(_against(f"cm384-power-{key}", (power / high, power / low), 0.05, ".2f"))
    return rows
