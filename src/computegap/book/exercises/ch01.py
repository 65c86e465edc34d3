"""Checkers of chapter 1, "Export controls": measures, the rule, the area tax, unknowns, the crossover."""

from __future__ import annotations

import math

from computegap.chips import export_rules
from computegap.chips.compliant import OCT_2023, Design

from . import call, checker, expect, expect_that


@checker("01-1")
def processing_performance(fn) -> None:
    """Largest product of rate and bits; the register's example comes first."""
    expect(fn, ({8: 600.0},), 4800.0, hint="multiply the rate by the bits of one operand")
    expect(fn, ({16: 300.0},), 4800.0)
    for name in ("A100", "RTX 4090", "B300", "H20"):
        rates: dict[int, float] = {}
        for precision, rate in export_rules.rates(name).items():
            bits = export_rules.BITS[precision]
            rates[bits] = max(rate, rates.get(bits, 0.0))
        expect(fn, (rates,), export_rules.tpp(name), hint="take the precision where the product is largest")


@checker("01-2")
def rule_of_2023(fn) -> None:
    """The text of October 2023 with Note 2, at its edges and in between."""
    cases = [
        (5000, 1.0, True), (1600, 5.92, True), (1599, 50.0, True), (2400, 1.6, True), (2399, 1.6, True),
        (1600, 3.2, True), (1600, 3.19, True), (4799, 1.59, True), (4799, 6.0, True),
        (4799, 6.0, False), (2400, 1.6, False), (4800, 0.5, False),
    ]  # fmt: skip
    for tpp, density, datacenter in cases:
        paper = {"tpp": tpp, "pd": density, "dc": "yes" if datacenter else "no"}
        want = export_rules.outcome(paper, "oct2023")
        hint = "mind Note 2: what is not meant for data centres and stays under the top line is free"
        expect(fn, (tpp, density, datacenter), want, hint="" if datacenter else hint)


@checker("01-3")
def least_area(fn) -> None:
    """Smallest area that keeps a data-centre chip outside the rule of 2023."""
    expect(fn, (1000,), 0.0, hint="below the lowest line density does not matter")
    for tpp in (1600, 1947.2, 2368, 2399, 2400, 3200, 4799):
        area = call(fn, tpp)
        expect_that(
            isinstance(area, int | float) and math.isfinite(area) and area > 0,
            f"least_area({tpp}) should be a number of square millimetres",
        )
        above, below = (Design(area * f, tpp, 1.0, 0.0, host_io=0.0) for f in (1 + 1e-6, 1 - 1e-6))
        expect_that(OCT_2023.allows(above), f"on {area:g} mm² a chip of {tpp:g} TPP is still caught",
                    hint="which density line applies at this TPP?")  # fmt: skip
        expect_that(not OCT_2023.allows(below), f"least_area({tpp}) could be smaller than {area:g}")
    expect(fn, (4800,), math.inf, hint="from the top line on no area helps")


@checker("01-4")
def all_of(fn) -> None:
    """Kleene's "all" over True, False and None."""
    expect(fn, ([True, True],), True)
    expect(fn, ([True, False],), False)
    expect(fn, ([True, None],), None, hint="an open part leaves the whole open")
    expect(fn, ([None, False],), False, hint="one part that fails settles it, whatever the unknown is")
    expect(fn, ([None],), None)


@checker("01-5")
def crossover(fn) -> None:
    """Batch at which arithmetic on one chip takes as long as reading the weights on the other."""
    expect(fn, (296e12, 3.35e12, 1.0), 296e12 / (2 * 3.35e12), hint="2 operations per weight and sequence")
    expect(fn, (148e12, 3.35e12, 2.0), 148e12 / 3.35e12, hint="a weight of two bytes takes twice as long")
    expect(fn, (1e15, 1e12, 0.5), 250.0)
