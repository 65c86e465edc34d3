"""How many of one chip do what a number of another does: in chips, watts, days and money, each a range.

The work of a cluster is a curve, tokens a second against chips, each point with the best layout for that
many chips (:mod:`computegap.cluster.layouts`). Equal work is where two curves reach the same height. A
curve can stop rising, and then no number of chips is enough: the answer is infinite, not large.

Where the range comes from is kept apart: the model's error (one curve for each calibration with a family
left out, the same calibration for both chips), disagreement about the chip (its peak), and how much of that
peak its software reaches, beside what software reaches on the reference. Wide ends are taken together.
Taught in chapter 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from computegap import facts
from computegap.cluster import failures
from computegap.cluster.hours import SECONDS_PER_DAY
from computegap.cluster.spans import Span


@dataclass(frozen=True)
class Curve:
    """Tokens per second of one job against the number of chips.

    Attributes
    ----------
    chips : tuple of float
        Ascending.
    tokens_per_s : tuple of float
        Of the whole job; zero where it does not fit.
    """

    chips: tuple[float, ...]
    tokens_per_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.chips) != len(self.tokens_per_s) or len(self.chips) < 2:
            raise ValueError("a curve has at least two points, and a rate for each number of chips")
        if any(a >= b for a, b in zip(self.chips, self.chips[1:], strict=False)) or self.chips[0] < 1:
            raise ValueError("the numbers of chips ascend from at least one")
        if any(rate < 0 or not math.isfinite(rate) for rate in self.tokens_per_s):
            raise ValueError("rates are finite and not negative")

    def best(self) -> np.ndarray:
        """Highest rate with so many chips or fewer: nobody has to use chips that do not help."""
        return np.maximum.accumulate(np.asarray(self.tokens_per_s, float))

    def at(self, chips: float) -> float:
        """Rate with a number of chips, interpolated between the points on logarithmic axes.

        Raises
        ------
        ValueError
            If the number lies outside of the points.
        """
        if not self.chips[0] <= chips <= self.chips[-1]:
            raise ValueError(
                f"the curve runs from {self.chips[0]:g} to {self.chips[-1]:g} chips, not to {chips:g}"
            )
        rates = self.best()
        above = int(np.searchsorted(self.chips, chips))
        if self.chips[above] == chips:
            return float(rates[above])
        if rates[above - 1] == 0:
            return 0.0
        logs = np.interp(np.log(chips), np.log(self.chips), np.log(np.maximum(rates, 1e-300)))
        return float(np.exp(logs))

    def chips_for(self, rate: float) -> float:
        """Fewest chips that reach a rate; infinite if none on the curve do.

        Raises
        ------
        ValueError
            If the rate is not positive.
        """
        if not rate > 0:
            raise ValueError(f"a rate is positive, not {rate}")
        rates = self.best()
        reached = np.flatnonzero(rates >= rate)
        if not len(reached):
            return math.inf
        first = int(reached[0])
        if first == 0 or rates[first - 1] == 0:
            return float(self.chips[first])
        share = math.log(rate / rates[first - 1]) / math.log(rates[first] / rates[first - 1])
        return float(self.chips[first - 1] * (self.chips[first] / self.chips[first - 1]) ** share)

    def scaled(self, factor: float) -> Curve:
        """The same curve with every rate times a factor."""
        return Curve(self.chips, tuple(factor * rate for rate in self.tokens_per_s))

    def after_failures(self, per_chip: float, checkpoint: float | Callable, restart: float) -> Curve:
        """What is left of the rates when failures strike; parameters as in :func:`.failures.useful_chips`."""
        worth = failures.useful_chips(self.chips, per_chip, checkpoint, restart) / np.asarray(self.chips)
        return Curve(self.chips, tuple(float(r) for r in worth * np.asarray(self.tokens_per_s)))

    def turning_point(self, gain: float = 1.25) -> float:
        """Chips from which doubling them multiplies the rate by less than ``gain``; infinite if nowhere."""
        for count, rate in zip(self.chips, self.best(), strict=True):
            if 2 * count > self.chips[-1]:
                break
            if rate > 0 and self.at(2 * count) < gain * rate:
                return float(count)
        return math.inf


@dataclass(frozen=True)
class Machine:
    """What a chip draws and costs.

    Attributes
    ----------
    name : str
    watts_alone : Span
        The chip's own design power.
    watts_served : Span
        With its share of server, switches and fans.
    price : Span or None
        US dollars for a chip, if any source gives one.
    notes : tuple of str
        What was assumed.
    """

    name: str
    watts_alone: Span
    watts_served: Span
    price: Span | None
    notes: tuple[str, ...] = ()


def served_watts(alone: Span, server_watts: float, chips: float, inside_watts: float) -> Span:
    """Power of a chip with its share of everything in its server.

    Parameters
    ----------
    alone : Span
        Design power of this chip.
    server_watts, chips, inside_watts : float
        Power of a server at most, chips in it, and the design power of the chips that it was built for.
    """
    share = server_watts / chips - inside_watts
    if share < 0:
        raise ValueError("the server draws less than its chips")
    return Span(alone.low + share, alone.middle + share, alone.high + share)


@dataclass(frozen=True)
class Equivalent:
    """What it takes to do the reference's work with another chip.

    Attributes
    ----------
    name : str
    chips : Span
        Chips for the same tokens a second; the high end is infinite where some case never gets there.
    ratio : Span
        Chips over the reference's chips.
    watts_ratio_alone, watts_ratio_served : Span
        Power over the reference's power, chips alone and with their servers.
    days_ratio : Span
        Days over the reference's days with as many chips as the reference.
    price : Span or None
        US dollars for the chips.
    """

    name: str
    chips: Span
    ratio: Span
    watts_ratio_alone: Span
    watts_ratio_served: Span
    days_ratio: Span
    price: Span | None


def equal_work(
    reference: Machine,
    reference_chips: float,
    reference_curves: Iterable[Curve],
    machine: Machine,
    curves: Iterable[Iterable[Curve]],
    software: Span,
) -> Equivalent:
    """Chips of one kind that do the work of another kind, over all cases.

    Parameters
    ----------
    reference : Machine
    reference_chips : float
    reference_curves : iterable of Curve
        One for each calibration; the first is the middle case.
    machine : Machine
    curves : iterable of iterable of Curve
        For each calibration, in the same order, one curve for each variant of the chip (the ends of its
        peak, say); the first variant is the middle case.
    software : Span
        Share of its peak that software reaches on this chip, over the share that it reaches on the
        reference; 1 if the model's calibration covers both.

    Returns
    -------
    Equivalent

    Raises
    ------
    ValueError
        If the reference cannot do the work, or the two lists of calibrations differ in length.
    """
    needed, slower = [], []
    for own, others in zip(list(reference_curves), list(curves), strict=True):
        rate = own.at(reference_chips)
        if not rate > 0:
            raise ValueError(f"{reference_chips:g} {reference.name} cannot run this job")
        for other in others:
            for share in (software.middle, software.low, software.high):
                needed.append(other.chips_for(rate / share))
                here = other.at(reference_chips) * share
                slower.append(rate / here if here > 0 else math.inf)
    chips, days = _spread(needed), _spread(slower)
    ratio = Span(*(end / reference_chips for end in (chips.low, chips.middle, chips.high)))
    return Equivalent(
        machine.name,
        chips,
        ratio,
        ratio * machine.watts_alone / reference.watts_alone,
        ratio * machine.watts_served / reference.watts_served,
        days,
        chips * machine.price if machine.price else None,
    )


def _spread(values: list[float]) -> Span:
    """From the lowest to the highest, with the first, which is the middle case, in the middle."""
    return Span(min(values), values[0], max(values))


def days_of_run(tokens: float, tokens_per_s: float) -> float:
    """Days to read so many tokens at a rate."""
    if not tokens > 0 or not tokens_per_s > 0:
        raise ValueError("tokens and their rate are positive")
    return tokens / tokens_per_s / SECONDS_PER_DAY


def electricity(chips: Span, watts: Span, days: float, usd_per_kwh: Span, overhead: Span) -> Span:
    """US dollars for the electricity of a run, wide ends together.

    Parameters
    ----------
    chips, watts : Span
        How many, and what each draws.
    days : float
    usd_per_kwh : Span
    overhead : Span
        Power of the building over that of the machines (power usage effectiveness), at least 1.
    """
    return chips * watts * overhead * usd_per_kwh * (days * 24 / 1000)


def intervals_of_a_ratio(
    first: Mapping[str, float], second: Mapping[str, float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Range of second over first, with errors taken as independent and as shared.

    Parameters
    ----------
    first, second : mapping of case to value
        Two predictions under each calibration; the same cases in both.

    Returns
    -------
    apart, in_pairs : tuple of (low, high)
        Lowest over highest to highest over lowest; and lowest to highest of the quotients case by case.
    """
    if set(first) != set(second) or not first:
        raise ValueError("both need a value for the same cases")
    apart = (min(second.values()) / max(first.values()), max(second.values()) / min(first.values()))
    quotients = [second[case] / first[case] for case in first]
    return apart, (min(quotients), max(quotients))


def price_of(name: str) -> Span | None:
    """Price of a chip in US dollars with its range, or None if no source that can be trusted gives one."""
    price = facts.chip(name).price_usd
    return Span.of(price) if price.known else None
