"""Pictures of rooflines: data sheets, contested values as bands, and the reader's machine as measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from computegap.chips.roofline import Roofline
from computegap.chips.this_machine import MIB, Machine, cache_drops

_LIMITS = (0.3, 3000.0)


def speed(flops: float) -> str:
    """A rate for people: 989 TFLOP/s, 41 GFLOP/s."""
    for unit, size in (("PFLOP/s", 1e15), ("TFLOP/s", 1e12), ("GFLOP/s", 1e9)):
        if flops >= size or unit == "GFLOP/s":
            return f"{flops / size:.3g} {unit}"
    raise AssertionError("unreachable")


def draw_rooflines(
    roofs: Sequence[Roofline],
    highlight: str,
    compare: str = "",
    machine: Roofline | None = None,
    work: Mapping[str, float] | None = None,
) -> Figure:
    """All rooflines in grey, one or two in colour, the reader's machine, and some work as vertical lines.

    ``work`` maps a label to an intensity in FLOP/byte. Both axes are logarithmic.
    """
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.14, right=0.97, bottom=0.15, top=0.9)
    for roof in roofs:
        axes.plot(*_corners(roof), color="0.6", lw=0.8, alpha=0.55)
    for name, colour in ((compare, "C1"), (highlight, "C0")):
        for roof in roofs:
            if roof.name == name:
                _band(axes, roof, colour)
    if machine is not None:
        _band(axes, machine, "C2")
    for label, intensity in (work or {}).items():
        axes.axvline(intensity, color="0.4", lw=1, ls=":")
        axes.text(intensity, 1.02, label, transform=axes.get_xaxis_transform(), ha="center", fontsize=9.5)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlim=_LIMITS, ylim=(3e9, 6e15), xlabel="intensity of the work, FLOP per byte")
    axes.set_ylabel("attainable speed")
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.set_yticks([1e10, 1e11, 1e12, 1e13, 1e14, 1e15], ["10 G", "100 G", "1 T", "10 T", "100 T", "1 P"])
    axes.minorticks_off()
    shown = [(highlight, "C0"), (compare if compare != highlight else "", "C1")]
    shown.append(("this machine" if machine is not None else "", "C2"))
    for row, (name, colour) in enumerate(shown):
        axes.text(0.36, 2.6e15 / 2.4**row, name, color=colour, weight="bold")
    return figure


def _corners(roof: Roofline) -> tuple[list[float], list[float]]:
    """A roofline is two straight lines: three points are enough."""
    middle = (np.sqrt(roof.peak[0] * roof.peak[1]), np.sqrt(roof.bandwidth[0] * roof.bandwidth[1]))
    ridge = middle[0] / middle[1]
    return [_LIMITS[0], ridge, _LIMITS[1]], [_LIMITS[0] * middle[1], middle[0], middle[0]]


def _band(axes, roof: Roofline, colour: str) -> None:
    axes.plot(*_corners(roof), color=colour, lw=2.4)
    intensity = np.array([_LIMITS[0], *sorted((*roof.ridge, _corners(roof)[0][1])), _LIMITS[1]])
    low, high = roof.at(intensity)
    axes.fill_between(intensity, low, high, color=colour, alpha=0.2, lw=0)


def describe_rooflines(
    roofs: Sequence[Roofline],
    highlight: str,
    compare: str = "",
    machine: Roofline | None = None,
    work: Mapping[str, float] | None = None,
) -> str:
    """What :func:`draw_rooflines` shows."""
    by_name = {roof.name: roof for roof in roofs}
    parts = []
    for name in dict.fromkeys(name for name in (highlight, compare) if name in by_name):
        roof = by_name[name]
        low, high = roof.ridge
        ridge = f"{low:.0f}" if f"{low:.0f}" == f"{high:.0f}" else f"{low:.0f} to {high:.0f}"
        parts.append(f"{name} reaches {_speeds(roof)} and needs {ridge} operations per byte for it")
    if machine is not None:
        parts.append(f"this machine reaches {_speeds(machine)}")
    return "; ".join(parts) + "."


def _speeds(roof: Roofline) -> str:
    low, high = speed(roof.peak[0]), speed(roof.peak[1])
    return low if low == high else f"{low} to {high}"


def draw_cache(machine: Machine) -> Figure:
    """Bandwidth against the bytes in use: each step down is a cache that no longer holds them."""
    known = [(size, found.value) for size, found in sorted(machine.cache.items()) if found.value is not None]
    sizes = np.array([size for size, _ in known]) / MIB
    rate = np.array([value.mean for _, value in known]) / 1e9
    spread = (
        np.array([(value.mean - max(value.low, 0), value.high - value.mean) for _, value in known]).T / 1e9
    )
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.15, top=0.95)
    axes.errorbar(sizes, rate, yerr=spread, fmt="o-", color="C0", capsize=3)
    for small, large, _ in cache_drops(machine):
        axes.axvspan(small / MIB, large / MIB, color="C1", alpha=0.15, lw=0)
    axes.set_xscale("log")
    ticks = [0.25, 1, 4, 16, 64]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set(ylim=(0, None), xlabel="bytes in use, MiB", ylabel="GB/s")
    return figure


def describe_cache(machine: Machine) -> str:
    """What :func:`draw_cache` shows."""
    known = [
        (size, found.value.mean) for size, found in sorted(machine.cache.items()) if found.value is not None
    ]
    if not known:
        return "No bandwidth could be measured on this machine."
    best, worst = max(rate for _, rate in known), known[-1][1]
    steps = cache_drops(machine)
    where = "; ".join(f"between {small / MIB:.3g} and {large / MIB:.3g} MiB" for small, large, _ in steps)
    return (
        f"This machine moves up to {best / 1e9:.0f} GB/s while the data fit in a cache and "
        f"{worst / 1e9:.0f} GB/s when they take {known[-1][0] / MIB:.0f} MiB"
        + (f"; bandwidth falls {where}." if steps else ".")
    )
