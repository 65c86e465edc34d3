"""Pictures of chapter 8: races over a slow wire, and what a wide-area wire leaves of two data centres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from computegap.cluster import overlap_gain, wide_area
from computegap.cluster.slow_link_runs import Curve, Race, composed
from computegap.experiment import Spread

#: How much longer than the distance a cable is taken to be.
DETOUR = 1.5

_STYLES = {
    "one worker alone": ("0.5", "--"),
    "data parallel": ("C1", "-"),
    "data parallel, fp16": ("C1", "--"),
    "PowerSGD": ("C1", ":"),
    "larger batch": ("C4", "-"),
    "local SGD": ("C2", "-"),
    "DiLoCo": ("C0", "-"),
    "DiLoCo, four bits": ("C0", "--"),
    "streaming, four bits": ("C3", "-"),
    "no wire": ("C6", "-."),
}


def style(label: str) -> tuple[str, str]:
    """Colour and dash of a method, the same in all figures."""
    return _STYLES.get(label, ("C5", "-"))


def draw_transfers(rates: Sequence[float], measured: Sequence[Sequence[float]]) -> Figure:
    """Measured over nominal rate of timed transfers: rates in bytes per second, several transfers each."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.15, top=0.95)
    axes.axhline(1, color="0.5", lw=1)
    for rate, found in zip(rates, measured, strict=True):
        axes.plot([rate / 1e6] * len(found), [one / rate for one in found], "o", color="C0", alpha=0.7)
    axes.set_xscale("log")
    axes.set_xticks([rate / 1e6 for rate in rates], [f"{rate / 1e6:g}" for rate in rates])
    axes.minorticks_off()
    axes.set(ylim=(0, 1.5), xlabel="nominal rate of the wire, MB/s", ylabel="measured rate over nominal")
    return figure


def describe_transfers(rates: Sequence[float], measured: Sequence[Sequence[float]]) -> str:
    """What :func:`draw_transfers` shows."""
    shares = [one / rate for rate, found in zip(rates, measured, strict=True) for one in found]
    return (
        f"{len(shares)} timed transfers at {len(rates)} rates from {min(rates) / 1e6:g} to "
        f"{max(rates) / 1e6:g} MB/s ran at {min(shares):.2f} to {max(shares):.2f} of their nominal rate."
    )


def _place_labels(axes, ends: list[tuple[float, str, str]], x: float, gap: float) -> None:
    place = -np.inf
    for value, text, colour in sorted(ends):
        place = max(value, place + gap)
        axes.text(x, place, text, color=colour, va="center", fontsize=9.5)


def draw_race(race: Race, by: str = "seconds", until: float | None = None) -> Figure:
    """Held-out loss of every method up to a time, against seconds or against megabytes sent.

    Lines are means over the seeds. ``by`` is ``"seconds"`` or ``"megabytes"``; ValueError otherwise.
    """
    if by not in ("seconds", "megabytes"):
        raise ValueError(f"a race is drawn by seconds or by megabytes, not by {by!r}")
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.11, right=0.69, bottom=0.15, top=0.95)
    until = race.seconds if until is None else until
    means = {label: curve.losses.mean(1) for label, curve in race.curves.items()}
    lowest = min(mean.min() for mean in means.values())
    highest = max(mean.max() for mean in means.values())
    room = 0.05 * (highest - lowest)
    smallest = 0.02
    ends = []
    for label, curve in race.curves.items():
        colour, dash = style(label)
        shown = curve.seconds <= until + 1e-9
        x = curve.seconds if by == "seconds" else np.maximum(curve.megabytes, smallest)
        line = means[label][shown]
        axes.plot(x[shown], line, color=colour, ls=dash)
        axes.plot(x[shown][-1:], line[-1:], "o", ms=4, color=colour, clip_on=False)
        ends.append((line[-1], f"{label}  {line[-1]:.2f}", colour))
    axes.set_ylim(lowest - room, highest + room)
    _place_labels(axes, ends, 1.02, (highest - lowest) / 16)
    for text in axes.texts:
        text.set_transform(axes.get_yaxis_transform())
    axes.set_ylabel("held-out loss, nats a symbol")
    if by == "seconds":
        axes.set(xlim=(0, race.seconds), xlabel="seconds")
    else:
        most = max(curve.megabytes[-1] for curve in race.curves.values())
        axes.set_xscale("log")
        ticks = [tick for tick in (0.03, 0.1, 0.3, 1, 3, 10, 30, 100) if tick < 1.5 * most]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlim=(smallest, 1.5 * most), xlabel="sent by one worker for one network, MB")
    return figure


def describe_race(race: Race, by: str = "seconds", until: float | None = None) -> str:
    """What :func:`draw_race` shows."""
    until = race.seconds if until is None else until
    parts = []
    for label, curve in race.curves.items():
        last = int(np.flatnonzero(curve.seconds <= until + 1e-9)[-1])
        sent = f" with {curve.megabytes[last]:.2f} MB" if by == "megabytes" else ""
        parts.append(f"{label} {curve.losses[last].mean():.2f}{sent}")
    n = next(iter(race.curves.values())).losses.shape[1]
    return f"Held-out loss after {until:.2f} seconds, mean of {n} seeds: {', '.join(parts)}."


def draw_finish(race: Race) -> Figure:
    """Final loss of each method: every seed a dot, the 95 % interval of the mean, and the bytes beside it."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.24, right=0.8, bottom=0.15, top=0.92)
    order = sorted(race.curves.values(), key=lambda curve: -curve.final.mean)
    for place, curve in enumerate(order):
        colour, _ = style(curve.label)
        final = curve.final
        axes.plot(curve.losses[-1], [place] * curve.losses.shape[1], "o", color=colour, alpha=0.45, ms=5)
        axes.plot([final.low, final.high], [place, place], color=colour, lw=2)
        axes.plot([final.mean], [place], "D", color=colour, ms=6)
        sent = f"{curve.megabytes[-1]:.2f} MB" if curve.megabytes[-1] else "no bytes"
        axes.text(1.02, place, f"{curve.steps[-1]:.0f} steps, {sent}", transform=axes.get_yaxis_transform(),
                  va="center", fontsize=9)  # fmt: skip
    axes.axvline(np.mean(race.start.losses), color="0.5", lw=1, ls=":")
    axes.set_yticks(range(len(order)), [curve.label for curve in order])
    axes.set(
        xlabel="held-out loss at the end, nats a symbol (dotted: at the start)", ylim=(-0.6, len(order) - 0.4)
    )
    return figure


def describe_finish(race: Race) -> str:
    """What :func:`draw_finish` shows."""
    order = sorted(race.curves.values(), key=lambda curve: curve.final.mean)
    parts = [f"{curve.label} {curve.final.mean:.2f} ± {curve.final.half_width:.2f}" for curve in order]
    before = np.mean(race.start.losses)
    return f"Final held-out loss, from best to worst: {', '.join(parts)}; at the start {before:.2f}."


#: Rates of the wire for :func:`draw_by_rate`, bytes per second.
RATES = np.geomspace(1e5, 1e9, 41)


def losses_by_rate(curves: Mapping[str, Curve], at: float, step_time: float) -> dict[str, np.ndarray]:
    """Mean loss at a time over wires of :data:`RATES`, composed from each curve's own steps and bytes."""
    return {
        label: np.array([composed(curve, at, rate=rate, step_time=step_time).mean() for rate in RATES])
        for label, curve in curves.items()
    }


def draw_by_rate(
    curves: Mapping[str, Curve], at: float, step_time: float, limits: tuple[float, float] = (1.95, 2.4)
) -> Figure:
    """Loss at a time against the rate of the wire, composed from the steps and bytes of each run."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.11, right=0.72, bottom=0.15, top=0.95)
    ends = []
    for label, line in losses_by_rate(curves, at, step_time).items():
        colour, dash = style(label)
        axes.plot(RATES / 1e6, line, color=colour, ls=dash)
        known = line[np.isfinite(line)]
        ends.append((known[-1] if len(known) else limits[1], label, colour))
    axes.set_xscale("log")
    axes.set_xticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1,000"])
    axes.minorticks_off()
    axes.set(
        xlim=(0.1, 1000), ylim=limits, xlabel="rate of the wire, MB/s", ylabel="held-out loss, nats a symbol"
    )
    _place_labels(axes, ends, 1.02, (limits[1] - limits[0]) / 16)
    for text in axes.texts:
        text.set_transform(axes.get_yaxis_transform())
    return figure


def crossing(
    curves: Mapping[str, Curve], first: str, second: str, at: float, step_time: float
) -> float | None:
    """Rate (bytes per second) from which on ``first`` is at least as good as ``second``; None if never."""
    lines = losses_by_rate({label: curves[label] for label in (first, second)}, at, step_time)
    worse = np.flatnonzero(~(lines[first] <= lines[second]))
    after = worse[-1] + 1 if len(worse) else 0
    return float(RATES[after]) if after < len(RATES) else None


def describe_by_rate(curves: Mapping[str, Curve], at: float, step_time: float, **_) -> str:
    """What :func:`draw_by_rate` shows."""
    lines = losses_by_rate(curves, at, step_time)
    ways = []
    for rate in (1e6, 1e8):
        here = int(np.argmin(np.abs(np.log(RATES / rate))))
        known = {label: line[here] for label, line in lines.items() if np.isfinite(line[here])}
        if known:
            best = min(known, key=known.get)
            ways.append(f"at {rate / 1e6:g} MB/s {best} is ahead with {known[best]:.2f}")
    return f"After {at:g} seconds with {1000 * step_time:g} milliseconds a step, {' and '.join(ways)}."


def draw_choices(results: Mapping[str, Mapping[str, Spread]], xlabel: str, ylabel: str) -> Figure:
    """Several lines of spreads over named settings: ``results[line][setting]``."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.15, top=0.95)
    settings = list(next(iter(results.values())))
    for number, (label, line) in enumerate(results.items()):
        x = np.arange(len(settings)) + 0.06 * (number - (len(results) - 1) / 2)
        mean = [line[setting].mean for setting in settings]
        reach = [line[setting].half_width for setting in settings]
        axes.errorbar(x, mean, yerr=reach, fmt="o-", color=f"C{number}", capsize=3, elinewidth=1, label=label)
    axes.set_xticks(range(len(settings)), settings)
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(-0.4, len(settings) - 0.6))
    axes.legend()
    return figure


def describe_choices(results: Mapping[str, Mapping[str, Spread]], xlabel: str, ylabel: str) -> str:
    """What :func:`draw_choices` shows."""
    parts = []
    for label, line in results.items():
        numbers = ", ".join(f"{setting} {value.mean:.2f}" for setting, value in line.items())
        parts.append(f"{label}: {numbers}")
    return f"{ylabel[0].upper()}{ylabel[1:]} by {xlabel}. {'; '.join(parts)}."


def draw_recovered(wires: Sequence[overlap_gain.Wire], cut: float) -> Figure:
    """Share of the lost throughput that overlap recovers, measured and by formula.

    Against the time on the wire over the time computing; the dotted line is one half.
    """
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.15, top=0.95)
    ratio = np.geomspace(0.1, 30, 120)
    axes.axhline(50, color="0.5", lw=1, ls=":")
    axes.plot(ratio, 100 * overlap_gain.recovered_by_formula(ratio, cut), color="C0", label="formula")
    pairs = list(pairwise(wires))
    axes.plot(
        [slow.ratio for _, slow in pairs],
        [100 * overlap_gain.recovered(fast, slow) for fast, slow in pairs],
        "o", color="C1", label="measured",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30"])
    axes.minorticks_off()
    axes.set(xlim=(0.1, 30), ylim=(0, 320))
    axes.set(xlabel="time on the slower wire over time computing", ylabel="throughput recovered, %")
    axes.legend(loc="upper right")
    return figure


def describe_recovered(wires: Sequence[overlap_gain.Wire], cut: float) -> str:
    """What :func:`draw_recovered` shows."""
    parts = [
        f"{overlap_gain.recovered(fast, slow):.0%} at a ratio of {slow.ratio:.1f}"
        for fast, slow in pairwise(wires)
    ]
    return f"Of the throughput lost to a wire {cut:.2f} times slower, overlap recovered {', '.join(parts)}."


def draw_grid(cells: Sequence[wide_area.Cell]) -> Figure:
    """Bandwidths of the published grid against the formula's, one colour for each model."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.13, right=0.96, bottom=0.15, top=0.95)
    axes.plot([0.2, 2000], [0.2, 2000], color="0.5", lw=1)
    for number, model in enumerate(wide_area.MODELS):
        mine = [cell for cell in cells if cell.model == model and not cell.open_end]
        axes.plot(
            [cell.published for cell in mine], [cell.exact for cell in mine], "os^"[number], ms=5,
            color=f"C{number}", alpha=0.8, label=model,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [1, 10, 100, 1000]
    axes.set_xticks(ticks, ["1", "10", "100", "1,000"])
    axes.set_yticks(ticks, ["1", "10", "100", "1,000"])
    axes.minorticks_off()
    axes.set(xlim=(0.3, 1500), ylim=(0.3, 1500), xlabel="published, Gbit/s", ylabel="by the formula, Gbit/s")
    axes.legend(loc="upper left")
    return figure


def describe_grid(cells: Sequence[wide_area.Cell]) -> str:
    """What :func:`draw_grid` shows."""
    return (
        f"Of {len(cells)} published bandwidths, {wide_area.within(cells, 1)} lie within one step of the "
        f"sweep of the formula's and {wide_area.within(cells, 2)} within two; a step is a fifth."
    )


BANDWIDTHS = np.geomspace(1e8, 1e13, 61)


def draw_utilisation(
    parameters: float, step_seconds: float, interval: int, kilometres: float, bits: float = 16.0
) -> Figure:
    """Share of time computing against the wire's bandwidth, for two sites a distance apart."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.15, top=0.88)
    latency = 2 * wide_area.light_seconds(kilometres, DETOUR)
    # Label, interval, steps' worth of time that may be hidden, bits, colour, dash.
    lines = (
        ("every step, gradients", 1, wide_area.BACKWARD, 16.0, "C1", "-"),
        (f"every {interval} steps", interval, wide_area.BACKWARD, bits, "C0", "-"),
        (f"every {interval} steps, overlapped", interval, max(1.0, interval / 2), bits, "C3", "--"),
    )
    for label, every, hidden, width, colour, dash in lines:
        share = wide_area.utilisation(
            parameters, step_seconds, BANDWIDTHS, interval=every, bits=width, latency=latency, hidden=hidden
        )
        axes.plot(BANDWIDTHS / 1e9, 100 * share, color=colour, ls=dash, label=label)
    axes.set_xscale("log")
    axes.set_xticks([0.1, 1, 10, 100, 1000, 10000], ["0.1", "1", "10", "100", "1,000", "10,000"])
    axes.minorticks_off()
    axes.set(
        xlim=(0.1, 10000),
        ylim=(0, 104),
        xlabel="bandwidth between the sites, Gbit/s",
        ylabel="time computing, %",
    )
    axes.legend(loc="lower center", bbox_to_anchor=(0.47, 1.0), ncols=3, columnspacing=1.2)
    return figure


def describe_utilisation(
    parameters: float, step_seconds: float, interval: int, kilometres: float, bits: float = 16.0
) -> str:
    """What :func:`draw_utilisation` shows."""
    latency = 2 * wide_area.light_seconds(kilometres, DETOUR)
    every = wide_area.bandwidth_for(0.9, parameters, step_seconds, latency=latency)
    seldom = wide_area.bandwidth_for(
        0.9, parameters, step_seconds, interval=interval, bits=bits, latency=latency
    )
    return (
        f"{parameters / 1e9:g} billion weights, {step_seconds:g} s a step, sites {kilometres:,.0f} km apart: "
        f"nine tenths of the time computing take {_gbit(every)} with gradients at every step and "
        f"{_gbit(seldom)} with an exchange every {interval} steps."
    )


def _gbit(bandwidth: float) -> str:
    return f"{bandwidth / 1e9:,.3g} Gbit/s" if np.isfinite(bandwidth) else "more than any bandwidth"


def draw_latency(exchanges: Mapping[str, float], step_seconds: float, kilometres: float) -> Figure:
    """What latency alone leaves of the time, against distance, for several numbers of exchanges in a step.

    Parameters
    ----------
    exchanges : mapping of str to float
        Messages that have to go there and back one after the other, for each step.
    step_seconds : float
    kilometres : float
        A distance to mark.
    """
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.15, top=0.95)
    distance = np.geomspace(10, 20000, 80)
    there_and_back = np.array([2 * wide_area.light_seconds(km, DETOUR) for km in distance])
    for number, (label, count) in enumerate(exchanges.items()):
        share = step_seconds / (step_seconds + count * there_and_back)
        axes.plot(distance, 100 * share, color=f"C{number}", label=label)
    axes.axvline(kilometres, color="0.5", lw=1, ls=":")
    axes.set_xscale("log")
    axes.set_xticks([10, 100, 1000, 10000], ["10", "100", "1,000", "10,000"])
    axes.minorticks_off()
    axes.set(xlim=(10, 20000), ylim=(0, 104), xlabel="distance, km", ylabel="time computing, %")
    axes.legend(loc="lower left")
    return figure


def describe_latency(exchanges: Mapping[str, float], step_seconds: float, kilometres: float) -> str:
    """What :func:`draw_latency` shows."""
    back = 2 * wide_area.light_seconds(kilometres, DETOUR)
    parts = [
        f"{label} {step_seconds / (step_seconds + count * back):.0%}" for label, count in exchanges.items()
    ]
    return (
        f"At {kilometres:,.0f} km light needs {1000 * back:.0f} ms there and back by cable; with "
        f"{step_seconds:g} s a step, what latency alone leaves of the time is: {', '.join(parts)}."
    )
