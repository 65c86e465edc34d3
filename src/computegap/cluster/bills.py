"""What a run takes, in chips, watts, days and money, for a reference and for what would replace it.

Two quantities have no source in the registry and are assumed: the price of electricity, and how much more a
building draws than its machines. Both are ranges, wide enough for most places.
Taught in chapter 9.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from computegap.cluster.equivalents import Equivalent, Machine, electricity
from computegap.cluster.spans import Span

#: US dollars for a kilowatt-hour; assumed, from cheap industrial to dear grid power.
TARIFF = Span(0.05, 0.08, 0.12)
#: Power of the building over that of the machines; assumed, from the best to ordinary.
BUILDING = Span(1.1, 1.25, 1.5)


@dataclass(frozen=True)
class Bill:
    """What one kind of chip needs for the same run in the same time.

    Attributes
    ----------
    name : str
    chips : Span
    megawatts : Span
        From the chips alone at their low end to the chips with their servers at their high end.
    days : Span
        That the reference's number of these chips would take.
    purchase, power_cost : Span or None
        US dollars, for the systems and for the electricity of the run; None where no price is known.
    """

    name: str
    chips: Span
    megawatts: Span
    days: Span
    purchase: Span | None
    power_cost: Span | None

    def row(self) -> tuple[str, ...]:
        """The bill as cells of a table."""
        return (
            self.name,
            self.chips.text(",.0f"),
            self.megawatts.text(",.1f"),
            self.days.text(",.0f"),
            "not published" if self.purchase is None else (self.purchase / 1e6).text(",.0f"),
            "" if self.power_cost is None else (self.power_cost / 1e6).text(",.1f"),
        )


#: Heads of the columns of :meth:`Bill.row`.
COLUMNS = (
    "chip",
    "chips",
    "MW",
    "days with as many chips",
    "systems, million USD",
    "electricity, million USD",
)


def _megawatts(chips: Span, machine: Machine) -> Span:
    low, high = chips.low * machine.watts_alone.low, chips.high * machine.watts_served.high
    return Span(low / 1e6, min(max(chips.middle * machine.watts_served.middle, low), high) / 1e6, high / 1e6)


def bill(name: str, machine: Machine, chips: Span, days: Span, run_days: float) -> Bill:
    """Make a bill of a number of chips.

    Parameters
    ----------
    name : str
    machine : Machine
    chips : Span
    days : Span
        That the reference's number of these chips would take.
    run_days : float
        That this many chips take.
    """
    cost = None
    if math.isfinite(chips.high):
        watts = Span(machine.watts_alone.low, machine.watts_served.middle, machine.watts_served.high)
        cost = electricity(chips, watts, run_days, TARIFF, BUILDING)
    purchase = chips * machine.price if machine.price is not None else None
    return Bill(name, chips, _megawatts(chips, machine), days, purchase, cost)


def bills(
    reference: Machine, count: int, run_days: float, others: Mapping[str, tuple[Machine, Equivalent]]
) -> list[Bill]:
    """Bills of a reference cluster and of what would do its work in the same days.

    Parameters
    ----------
    reference : Machine
    count : int
        Chips of the reference.
    run_days : float
        That the reference takes.
    others : mapping of name to (Machine, Equivalent)
    """
    rows = [bill(reference.name, reference, Span.of(count), Span.of(run_days), run_days)]
    for name, (machine, found) in others.items():
        rows.append(bill(name, machine, found.chips, found.days_ratio * run_days, run_days))
    return rows
