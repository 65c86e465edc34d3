"""Units of the registry: a closed table, so that a slip of the pen is refused and conversions are safe.

Each unit has a *dimension* and a *factor* to the base unit of that dimension. Two facts can be added or
compared only if their units are the same; :func:`convert` works only inside one dimension.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: how it is written in the data, its dimension, its factor and how a page prints it."""

    symbol: str
    dimension: str
    factor: float
    shown: str

    @property
    def words(self) -> str:
        """The unit as printed after a number; empty for a pure number."""
        return self.shown


def _table(rows: list[tuple[str, str, float, str]]) -> dict[str, Unit]:
    return {symbol: Unit(symbol, dimension, factor, shown) for symbol, dimension, factor, shown in rows}


#: symbol -> Unit. The base unit of a dimension is the one with factor 1.
UNITS = _table(
    [
        ("FLOP/s", "arithmetic rate", 1.0, "FLOP/s"),
        ("TFLOP/s", "arithmetic rate", 1e12, "TFLOP/s"),
        ("PFLOP/s", "arithmetic rate", 1e15, "PFLOP/s"),
        # Integer operations are counted like floating-point ones (a multiply-accumulate is two).
        ("TOP/s", "arithmetic rate", 1e12, "TOP/s"),
        ("B/s", "data rate", 1.0, "B/s"),
        ("GB/s", "data rate", 1e9, "GB/s"),
        ("TB/s", "data rate", 1e12, "TB/s"),
        ("Gbit/s", "data rate", 1e9 / 8, "Gbit/s"),
        ("B", "data", 1.0, "B"),
        ("MB", "data", 1e6, "MB"),
        ("GB", "data", 1e9, "GB"),
        ("TB", "data", 1e12, "TB"),
        ("W", "power", 1.0, "W"),
        ("kW", "power", 1e3, "kW"),
        ("m^2", "area", 1.0, "m²"),
        ("cm^2", "area", 1e-4, "cm²"),
        ("mm^2", "area", 1e-6, "mm²"),
        ("nm", "length", 1e-9, "nm"),
        ("us", "time", 1e-6, "µs"),
        ("ms", "time", 1e-3, "ms"),
        ("s", "time", 1.0, "s"),
        ("min", "time", 60.0, "min"),
        ("h", "time", 3600.0, "h"),
        ("days", "time", 86400.0, "days"),
        # An accelerator for an hour: the currency of training bills.
        ("chip-hours", "chip time", 3600.0, "chip-hours"),
        ("1e6 chip-hours", "chip time", 3.6e9, "million chip-hours"),
        ("USD/chip-hour", "money per chip time", 1.0 / 3600, "USD per chip-hour"),
        ("USD", "money", 1.0, "USD"),
        ("1e9 USD", "money", 1e9, "billion USD"),
        ("USD/wafer", "money per wafer", 1.0, "USD per 300 mm wafer"),
        ("transistors", "transistors", 1.0, "transistors"),
        ("1e9 transistors", "transistors", 1e9, "billion transistors"),
        ("1e6 transistors/mm^2", "transistor density", 1e12, "million transistors per mm²"),
        ("defects/cm^2", "defect density", 1e4, "defects per cm²"),
        ("dies", "dies", 1.0, "dies"),
        ("chips", "chips", 1.0, "chips"),
        ("stacks", "memory stacks", 1.0, "HBM stacks"),
        ("cards", "cards", 1.0, "cards"),
        ("firms", "firms", 1.0, "firms"),
        ("H100e", "H100 equivalents", 1.0, "H100 equivalents"),
        ("B300e", "B300 equivalents", 1.0, "B300 equivalents"),
        ("wafers/month", "wafer rate", 1.0, "wafers a month"),
        ("layers", "layers", 1.0, "EUV layers"),
        ("masks", "masks", 1.0, "masks"),
        ("steps", "lithography steps", 1.0, "DUV steps"),
        ("optimiser steps", "optimiser steps", 1.0, "steps"),
        ("interruptions", "interruptions", 1.0, "interruptions"),
        ("1/1000 node-days", "failure rate", 1.0, "per thousand node-days"),
        ("participants", "participants", 1.0, "participants"),
        ("nodes", "nodes", 1.0, "nodes"),
        ("racks", "racks", 1.0, "racks"),
        ("transceivers", "optical transceivers", 1.0, "transceivers"),
        ("parameters", "parameters", 1.0, "parameters"),
        ("1e9 parameters", "parameters", 1e9, "billion parameters"),
        ("tokens", "tokens", 1.0, "tokens"),
        ("1e9 tokens", "tokens", 1e9, "billion tokens"),
        ("1e12 tokens", "tokens", 1e12, "trillion tokens"),
        ("tokens/s", "token rate", 1.0, "tokens/s"),
        ("tokens/s/TFLOP/s", "tokens per arithmetic", 1e-12, "tokens/s per TFLOP/s"),
        ("GFLOP/token", "arithmetic per token", 1e9, "GFLOP per token"),
        ("nats", "cross-entropy", 1.0, "nats"),
        ("perplexity", "perplexity", 1.0, "perplexity"),
        ("fraction", "pure number", 1.0, ""),
        ("ratio", "pure number", 1.0, "times"),
        ("number", "pure number", 1.0, ""),
        ("TPP", "total processing performance", 1.0, "TPP"),
        ("TPP/mm^2", "performance density", 1.0, "TPP per mm²"),
        ("GB/s/mm^2", "bandwidth density", 1.0, "GB/s per mm²"),
    ]
)


def convert(value: float, unit: str, into: str) -> float:
    """Return ``value`` (in ``unit``) expressed in the unit ``into``.

    Raises
    ------
    LookupError
        If one of the units is not in :data:`UNITS`.
    ValueError
        If the two units measure different things (GB/s into W).
    """
    for name in (unit, into):
        if name not in UNITS:
            raise LookupError(f"unknown unit {name!r}; known units: {', '.join(UNITS)}")
    source, target = UNITS[unit], UNITS[into]
    if source.dimension != target.dimension:
        raise ValueError(f"cannot turn {unit} ({source.dimension}) into {into} ({target.dimension})")
    return value * (source.factor / target.factor)
