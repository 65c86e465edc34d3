"""Pictures of chapter 7: collectives, pipelines, stragglers, and timelines recorded from real runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from computegap.cluster import collectives, pipeline, stragglers
from computegap.cluster.collectives import Fit, Link
from computegap.cluster.pipeline import Action
from computegap.cluster.timeline import Piece, Throughput
from computegap.experiment import spread

_SIZES = [2.0**10, 2.0**15, 2.0**20, 2.0**25, 2.0**30, 2.0**34]


def size_text(size: float) -> str:
    """A size in bytes for people: 64 KiB, 4 GiB."""
    for unit, bytes_in_it in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= bytes_in_it:
            return f"{size / bytes_in_it:.3g} {unit}"
    return f"{size:.0f} bytes"


def time_text(seconds: float) -> str:
    """A time for people: 12 ms, 3.4 s."""
    for unit, length in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


# Ring and tree, step by step ---------------------------------------------------------------------------


def _steps(algorithm: str, workers: int) -> list[list[list[frozenset[int]]]]:
    if algorithm not in ("ring", "tree"):
        raise ValueError(f"no algorithm called {algorithm!r} here; known are ring, tree")
    return (collectives.ring_steps if algorithm == "ring" else collectives.tree_steps)(workers)


def _progress(algorithm: str, step: int, workers: int) -> tuple[int, float]:
    """Messages one after another so far, and how much of the data the busiest worker has sent by then."""
    done = min(step, len(_steps(algorithm, workers)) - 1)
    return done, done / workers if algorithm == "ring" else float(done)


def draw_all_reduce_step(step: int = 0, algorithm: str = "ring", workers: int = 4) -> Figure:
    """Whose numbers are already in each piece of each worker's buffer, after some steps.

    Rows are workers, columns the pieces of the buffer; in each cell one bar for every worker whose
    contribution has arrived.
    """
    history = _steps(algorithm, workers)
    state = history[min(step, len(history) - 1)]
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.15, right=0.97, bottom=0.12, top=0.9)
    width = 0.8 / workers
    for row, pieces in enumerate(state):
        for column, held in enumerate(pieces):
            place = (column + 0.05, workers - row - 0.9)
            axes.add_patch(Rectangle(place, 0.9, 0.8, facecolor="none", edgecolor="0.5", lw=1))
            for worker in range(workers):
                left = column + 0.1 + worker * width
                axes.add_patch(
                    Rectangle(
                        (left, workers - row - 0.83),
                        0.85 * width,
                        0.66,
                        facecolor=f"C{worker}",
                        alpha=0.9 if worker in held else 0.06,
                    )
                )
    axes.set(xlim=(0, workers), ylim=(0, workers), xlabel="pieces of the buffer")
    axes.set_yticks(
        [workers - row - 0.5 for row in range(workers)], [f"worker {r + 1}" for r in range(workers)]
    )
    axes.set_xticks([column + 0.5 for column in range(workers)], [f"{c + 1}" for c in range(workers)])
    axes.tick_params(length=0)
    axes.grid(False)
    for side in axes.spines.values():
        side.set_visible(False)
    done, sent = _progress(algorithm, step, workers)
    finished = ", done" if done == len(history) - 1 else ""
    axes.set_title(
        f"{done} messages in a row, {sent:.2f} of the data over the busiest wire{finished}", fontsize=11
    )
    return figure


def describe_all_reduce_step(step: int = 0, algorithm: str = "ring", workers: int = 4) -> str:
    """What :func:`draw_all_reduce_step` shows."""
    history = _steps(algorithm, workers)
    state = history[min(step, len(history) - 1)]
    complete = sum(len(held) == workers for pieces in state for held in pieces)
    done, sent = _progress(algorithm, step, workers)
    return (
        f"After {done} of {len(history) - 1} messages in a row the {algorithm} has completed {complete} of "
        f"{workers**2} pieces; the busiest wire has carried {sent:.2f} times the data."
    )


# All-reduce against size -------------------------------------------------------------------------------


def draw_measured(
    measured: Mapping[str, Sequence[tuple[float, float]]],
    fit: Fit,
    fitted: str,
    formulas: Mapping[str, Link | None],
) -> Figure:
    """Measured times against sizes with medians as lines, one fit, and formulas of a known link.

    Parameters
    ----------
    measured
        Label: pairs of (bytes, seconds).
    fit, fitted
        A fitted line and the label of the times that it was fitted to.
    formulas
        Label: the link from which the formula of that algorithm ("ring", "tree") is drawn dashed.
    """
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.13, right=0.78, bottom=0.15, top=0.95)
    ends = []
    for place, (label, pairs) in enumerate(measured.items()):
        sizes, medians = collectives.median_seconds(pairs)
        axes.plot([s for s, _ in pairs], [t for _, t in pairs], ".", color=f"C{place}", alpha=0.35, ms=5)
        axes.plot(sizes, medians, color=f"C{place}", lw=1.6)
        ends.append((medians[-1], label, f"C{place}"))
        if label == fitted:
            x = np.geomspace(sizes[0], sizes[-1], 60)
            axes.plot(x, fit.seconds(x), color="0.3", ls="--", lw=1.2)
            if fit.start > 0 and fit.per_byte > 0 and sizes[0] < fit.knee < sizes[-1]:
                axes.axvline(fit.knee, color="0.5", ls=":", lw=1)
                axes.text(
                    fit.knee, 0.03, " knee", transform=axes.get_xaxis_transform(), color="0.35", fontsize=10
                )
        link = formulas.get(label)
        if link is not None:
            rule = collectives.tree_all_reduce if "tree" in label else collectives.ring_all_reduce
            x = np.geomspace(max(sizes[-1] / 64, sizes[0]), sizes[-1], 30)
            axes.plot(x, [rule(size, 4, link) for size in x], color=f"C{place}", ls="--", lw=1.1)
    _size_axis(axes)
    axes.set_yscale("log")
    axes.set_yticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s"])
    axes.set_ylabel("time of one all-reduce")
    axes.minorticks_off()
    _label_ends(axes, ends, factor=1.35)
    return figure


def describe_measured(measured: Mapping[str, Sequence[tuple[float, float]]], fit: Fit, fitted: str) -> str:
    """What :func:`draw_measured` shows."""
    parts = []
    for label, pairs in measured.items():
        sizes, medians = collectives.median_seconds(pairs)
        parts.append(
            f"{label} from {time_text(medians[0])} at {size_text(sizes[0])} to {time_text(medians[-1])} at "
            f"{size_text(sizes[-1])}"
        )
    return f"Median times: {'; '.join(parts)}. The line through {fitted} starts at {time_text(fit.start)}."


def _label_ends(axes, ends: list[tuple[float, str, str]], factor: float) -> None:
    """Names at the right end of curves on a logarithmic axis, pushed apart where they would overlap."""
    last = 0.0
    for value, label, colour in sorted(ends):
        last = max(value, last * factor)
        axes.text(
            1.015, last, label, color=colour, va="center", fontsize=10, transform=axes.get_yaxis_transform()
        )


def _size_axis(axes) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("size of the message")
    ticks = [2.0**power for power in (10, 14, 18, 22, 26, 30, 34)]
    low, high = axes.get_xlim()
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(ticks, [size_text(tick) for tick in ticks])
    axes.minorticks_off()


# Many nodes --------------------------------------------------------------------------------------------


def node_times(size: float, nodes: int, inside: Link, between: Link, per_node: int = 8) -> dict[str, float]:
    """Seconds of one all-reduce by three algorithms; inside a single node only the inside link is used.

    ``inside`` and ``between`` are links of one accelerator; a ring through all uses every port of a
    node at once.
    """
    everybody = nodes * per_node
    wire = Link(between.latency, between.bandwidth * per_node) if nodes > 1 else inside
    return {
        "one ring through all": collectives.ring_all_reduce(size, everybody, wire),
        "node by node": collectives.hierarchical_all_reduce(size, per_node, nodes, inside, between),
        "two trees": collectives.pipelined_tree_all_reduce(size, everybody, wire),
    }


def draw_nodes(
    nodes: int,
    size: float,
    inside: Link,
    between: Link,
    published: Mapping[int, Sequence[tuple[float, float]]],
    per_node: int = 8,
) -> Figure:
    """Time of an all-reduce against its size for a number of nodes, three algorithms, and published readings.

    Parameters
    ----------
    nodes, size
        What to draw, and the size (bytes) to mark.
    inside, between
        Links of one accelerator inside its node and to other nodes.
    published
        Number of nodes: pairs of (bytes, seconds), drawn where that number is shown.
    """
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.13, right=0.72, bottom=0.15, top=0.95)
    x = np.geomspace(2.0**15, 2.0**34, 40)
    ends, marks = [], []
    for place, name in enumerate(node_times(1, nodes, inside, between, per_node)):
        y = [node_times(s, nodes, inside, between, per_node)[name] for s in x]
        axes.plot(x, y, color=f"C{place}", lw=1.6, ls=("-", "--", "-.")[place])
        ends.append((y[-1], name, f"C{place}"))
        marks.append(node_times(size, nodes, inside, between, per_node)[name])
    # Where nothing was published the same dots are there and cannot be seen, so that all frames are alike.
    points = published.get(nodes) or next(iter(published.values()))
    seen = 1.0 if nodes in published else 0.0
    axes.plot([s for s, _ in points], [t for _, t in points], "o", color="0.2", ms=5, alpha=seen)
    axes.axvline(size, color="0.5", ls=":", lw=1)
    axes.set_yscale("log")
    axes.set(xlim=(2.0**14.5, 2.0**34.5), ylim=(2e-5, 1.0))
    _size_axis(axes)
    axes.set_yticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s"])
    axes.minorticks_off()
    axes.set_ylabel("time of one all-reduce")
    _label_ends(axes, ends, factor=1.6)
    return figure


def describe_nodes(
    nodes: int,
    size: float,
    inside: Link,
    between: Link,
    published: Mapping[int, Sequence[tuple[float, float]]],
    per_node: int = 8,
) -> str:
    """What :func:`draw_nodes` shows."""
    times = node_times(size, nodes, inside, between, per_node)
    fastest = min(times, key=lambda name: times[name])
    listed = ", ".join(f"{name} {time_text(seconds)}" for name, seconds in times.items())
    seen = dict(published.get(nodes, ())).get(size)
    read = "" if seen is None else f" Published: {time_text(seen)}."
    return (
        f"{nodes * per_node} accelerators in {nodes} node{'s' * (nodes > 1)}, {size_text(size)}: {listed}; "
        f"by formula the fastest is {fastest}.{read}"
    )


# Pipelines ---------------------------------------------------------------------------------------------

_KINDS = {"forward": "C0", "backward": "C1", "input": "C1", "weight": "C2"}
_NAMES = {"gpipe": "GPipe", "1f1b": "1F1B", "interleaved": "interleaved 1F1B", "zero-bubble": "zero bubble"}


def _draw_actions(axes, actions: Sequence[Action], scale: float = 1.0) -> None:
    """One row a device; colours by kind, a second stage of a device paler."""
    devices = max(a.device for a in actions) + 1
    for kind, colour in _KINDS.items():
        for later in (False, True):
            for device in range(devices):
                spans = _joined(
                    (a.start * scale, a.end * scale)
                    for a in actions
                    if a.kind == kind and a.device == device and (a.stage >= devices) == later
                )
                if spans:
                    row = devices - 1 - device
                    axes.broken_barh(
                        spans, (row + 0.12, 0.76), facecolor=colour, alpha=0.45 if later else 0.9, lw=0
                    )
    axes.set(ylim=(0, devices))
    axes.set_yticks(
        [devices - 1 - d + 0.5 for d in range(devices)], [f"device {d + 1}" for d in range(devices)]
    )
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")


def _joined(ends: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Start and length of stretches of time; those that touch become one, which looks the same."""
    joined: list[list[float]] = []
    for start, end in sorted(ends):
        if joined and start <= joined[-1][1] + 1e-9:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start, end - start) for start, end in joined]


def draw_schedule(schedule: str, devices: int, microbatches: int, longest: float) -> Figure:
    """A schedule played through with messages that take no time; the unit is one forward of a microbatch."""
    actions = pipeline.simulate(schedule, devices, microbatches)
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.13, right=0.97, bottom=0.15, top=0.88)
    _draw_actions(axes, actions)
    axes.set(xlim=(0, longest), xlabel="time, in forwards of one microbatch on one device")
    kinds = [("forward", "C0"), ("backward", "C1")]
    if schedule == "zero-bubble":
        kinds = [("forward", "C0"), ("backward, inputs", "C1"), ("backward, weights", "C2")]
    for place, (name, colour) in enumerate(kinds):
        axes.text(
            place * 0.25, 1.04, name, color=colour, transform=axes.transAxes, weight="bold", fontsize=10.5
        )
    return figure


def describe_schedule(schedule: str, devices: int, microbatches: int) -> str:
    """What :func:`draw_schedule` shows."""
    actions = pipeline.simulate(schedule, devices, microbatches)
    return (
        f"{_NAMES[schedule]}, {devices} devices, {microbatches} microbatches: idle "
        f"{pipeline.idle_share(actions):.0%} of the time; at most {pipeline.most_held(actions)} microbatches "
        "held at once."
    )


def draw_bubbles(runs: Sequence[pipeline.PipelineRun], expected: Mapping[str, tuple[float, float]]) -> Figure:
    """Recorded steps of several schedules above each other, and beside each its idle share.

    ``expected`` maps a schedule to its idle share by formula and as played again with the delays of the run.
    """
    names = list(dict.fromkeys(run.schedule for run in runs))
    longest = max(a.end for run in runs for a in run.actions)
    figure, rows = plt.subplots(len(names), 1, figsize=(7, 1.35 * len(names) + 0.5), sharex=True)
    figure.subplots_adjust(left=0.16, right=0.66, bottom=0.13, top=0.94, hspace=0.45)
    for axes, name in zip(np.atleast_1d(rows), names, strict=True):
        same = [run for run in runs if run.schedule == name]
        middle = sorted(same, key=lambda run: run.bubble)[len(same) // 2]
        _draw_actions(axes, middle.actions, 1000)
        axes.set_yticks([])
        axes.set_ylabel(
            _NAMES[name].replace(" 1F1B", "\n1F1B").replace("zero bubble", "zero\nbubble"), rotation=0
        )
        axes.yaxis.set_label_coords(-0.14, 0.3)
        formula, with_delays = expected[name]
        bubbles = [run.bubble for run in same]
        text = (
            f"idle {np.median(bubbles):.0%} ({min(bubbles):.0%} to {max(bubbles):.0%})\n"
            f"formula {formula:.0%}\nwith delays {with_delays:.0%}"
        )
        axes.text(1.03, 0.5, text, transform=axes.transAxes, va="center", fontsize=10)
    axes.set(xlim=(0, 1000 * longest), xlabel="time, ms")
    return figure


def describe_bubbles(
    runs: Sequence[pipeline.PipelineRun], expected: Mapping[str, tuple[float, float]]
) -> str:
    """What :func:`draw_bubbles` shows."""
    parts = []
    for name in dict.fromkeys(run.schedule for run in runs):
        idle = np.median([run.bubble for run in runs if run.schedule == name])
        formula, with_delays = expected[name]
        parts.append(f"{_NAMES[name]} {idle:.0%}, by formula {formula:.0%}, with delays {with_delays:.0%}")
    return f"Recorded idle time of {runs[0].devices} devices: {'; '.join(parts)}."


# Stragglers --------------------------------------------------------------------------------------------


def draw_mixed(weak: int, speed: float, split: str, workers: int = 8, batch: int = 96) -> Figure:
    """Who computes and who waits in one step of a pool with some weaker chips, and the speed of the pool."""
    speeds = [1.0] * (workers - weak) + [speed] * weak
    shares = _shares(split, batch, speeds)
    length = stragglers.step_time(shares, speeds)
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.15, right=0.97, bottom=0.15, top=0.88)
    for row, (share, rate) in enumerate(zip(shares, speeds, strict=True)):
        busy = share / rate
        place = workers - 1 - row
        axes.barh(place, busy, color="C0" if rate == 1.0 else "C1", height=0.7)
        axes.barh(place, length - busy, left=busy, color="0.6", alpha=0.35, height=0.7)
        axes.text(0.25, place, f"{share}", va="center", color="white", fontsize=9.5)
    axes.axvline(batch / workers, color="0.4", ls=":", lw=1)
    names = ["strong" if rate == 1.0 else "weak" for rate in speeds]
    axes.set_yticks(range(workers - 1, -1, -1), names)
    axes.set(xlim=(0, 5 * batch / workers), ylim=(-0.6, workers - 0.4))
    axes.set_xlabel("time of a step, in samples of a strong chip")
    axes.grid(False, axis="y")
    axes.set_title(
        f"the work of {batch / length:.2f} strong chips, out of {sum(speeds):.2f}",
        fontsize=11,
    )
    return figure


def _shares(split: str, batch: int, speeds: Sequence[float]) -> list[int]:
    if split == "even":
        return stragglers.split_evenly(batch, len(speeds))
    if split == "by-speed":
        return stragglers.split_by_speed(batch, speeds)
    raise ValueError(f"no split called {split!r}; known are even, by-speed")


def describe_mixed(weak: int, speed: float, split: str, workers: int = 8, batch: int = 96) -> str:
    """What :func:`draw_mixed` shows."""
    speeds = [1.0] * (workers - weak) + [speed] * weak
    shares = _shares(split, batch, speeds)
    done = batch / stragglers.step_time(shares, speeds)
    return (
        f"{workers - weak} strong and {weak} weak chips of speed {speed:g}, shares {split}: the pool does "
        f"the work of {done:.2f} strong chips, {stragglers.utilisation(shares, speeds):.0%} of what its "
        "parts add up to."
    )


def draw_waiting(measured: Sequence[stragglers.Waiting], deviation: float) -> Figure:
    """Price of waiting for the slowest against the number of workers, by formula and as measured."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.76, bottom=0.15, top=0.95)
    counts = np.unique(np.geomspace(1, 100_000, 60).astype(int))
    ends = []
    for place, tail in enumerate(stragglers.TAILS):
        curve = [stragglers.expected_slowest(int(n), deviation, tail) for n in counts]
        axes.plot(counts, curve, color=f"C{place}", lw=1.6)
        ends.append((curve[-1], f"{tail} tail", f"C{place}"))
        for result in measured:
            if result.tail == tail:
                seen = spread(result.slowest)
                axes.errorbar(
                    result.workers, seen.mean, seen.half_width, fmt="o", color=f"C{place}", ms=5, capsize=3
                )
                axes.plot(result.workers, np.mean(result.measured), "x", color=f"C{place}", ms=7)
    axes.set_xscale("log")
    axes.set(xlim=(0.8, 1.3e5), ylim=(0.9, 3.5), xlabel="workers that wait for each other")
    axes.set_xticks([1, 10, 100, 1000, 10_000, 100_000], ["1", "10", "100", "1,000", "10,000", "100,000"])
    axes.minorticks_off()
    axes.set_ylabel("time of a step, one worker's mean = 1")
    for value, label, colour in ends:
        axes.text(1.02, value, label, color=colour, transform=axes.get_yaxis_transform(), va="center")
    return figure


def describe_waiting(measured: Sequence[stragglers.Waiting], deviation: float) -> str:
    """What :func:`draw_waiting` shows."""
    parts = []
    for result in measured:
        if result.workers == max(m.workers for m in measured):
            formula = stragglers.expected_slowest(result.workers, deviation, result.tail)
            parts.append(
                f"{result.workers} workers with the {result.tail} tail pay {np.mean(result.slowest):.2f} of "
                f"one worker's time, by formula {formula:.2f}"
            )
    far = [f"{tail} {stragglers.expected_slowest(10_000, deviation, tail):.2f}" for tail in stragglers.TAILS]
    return f"{'; '.join(parts)}. At 10,000 workers the formulas give {' and '.join(far)}."


# Overlap -----------------------------------------------------------------------------------------------


def draw_overlap(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Time of a step without sending, sending afterwards, and sending while computing, at each link rate."""
    table = overlap_table(records)
    rates = sorted({rate for rate, _ in table}, reverse=True)
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.12, right=0.97, bottom=0.15, top=0.88)
    ways = (
        ("alone", "computing alone", "0.6"),
        ("after", "sending afterwards", "C1"),
        ("overlapped", "sending meanwhile", "C0"),
    )
    for place, (way, label, colour) in enumerate(ways):
        for column, rate in enumerate(rates):
            times = [1000 * seconds for seconds in table[rate, way]]
            axes.bar(column + 0.27 * (place - 1), np.median(times), 0.24, color=colour, alpha=0.85)
            axes.plot([column + 0.27 * (place - 1)] * len(times), times, ".", color="0.2", ms=5)
        axes.text(
            0.33 * place,
            1.04,
            label,
            color=colour if place else "0.4",
            transform=axes.transAxes,
            weight="bold",
        )
    axes.set_xticks(range(len(rates)), [f"links of {rate / 1e6:.0f} MB/s" for rate in rates])
    axes.grid(False, axis="x")
    axes.set_ylabel("time of one step, ms")
    return figure


def overlap_table(records: Sequence[Mapping[str, Any]]) -> dict[tuple[float, str], list[float]]:
    """Seconds of every measured step by (link rate, way), from :mod:`computegap.cluster.overlap_bench`."""
    table: dict[tuple[float, str], list[float]] = {}
    for record in records:
        if record.get("kind") == "overlap":
            table.setdefault((record["rate"], record["way"]), []).append(record["seconds"])
    if not table:
        raise ValueError("no record of overlap among these; run computegap.cluster.overlap_bench")
    return table


def hidden_shares(records: Sequence[Mapping[str, Any]], rate: float) -> list[float]:
    """Share of the time for sending that overlapping hid at one link rate, for each repeat.

    The time without any sending is the median of all repeats, since it doesn't depend on the link.
    """
    table = overlap_table(records)
    alone = float(np.median([t for (_, way), times in table.items() if way == "alone" for t in times]))
    pairs = zip(table[rate, "after"], table[rate, "overlapped"], strict=True)
    return [(after - meanwhile) / (after - alone) for after, meanwhile in pairs]


def describe_overlap(records: Sequence[Mapping[str, Any]]) -> str:
    """What :func:`draw_overlap` shows."""
    table = overlap_table(records)
    parts = []
    for rate in sorted({rate for rate, _ in table}, reverse=True):
        ms = {way: 1000 * float(np.median(table[rate, way])) for way in ("alone", "after", "overlapped")}
        parts.append(
            f"at {rate / 1e6:.0f} MB/s {ms['alone']:.0f} ms without sending, {ms['after']:.0f} ms sending "
            f"afterwards, {ms['overlapped']:.0f} ms sending meanwhile"
        )
    return f"Median step: {'; '.join(parts)}."


# Recorded timelines and throughput ---------------------------------------------------------------------

_TIMES = {"compute": ("C0", 0.95), "rest": ("C0", 0.45), "wait": ("0.6", 0.5), "communicate": ("C1", 0.95)}
_TIME_NAMES = {
    "compute": "computes",
    "rest": "emulated chip computes",
    "wait": "waits",
    "communicate": "communicates",
}


def _window(found: Sequence[Piece], first: int, steps: int) -> list[Piece]:
    """Pieces of some steps, times from the first of them."""
    some = [piece for piece in found if first <= piece.step < first + steps]
    if not some:
        raise ValueError(f"no piece of steps {first} to {first + steps - 1} was recorded")
    zero = min(piece.start for piece in some)
    return [replace(piece, start=piece.start - zero, end=piece.end - zero) for piece in some]


def _draw_pieces(axes, found: Sequence[Piece], workers: int) -> None:
    for what, (colour, alpha) in _TIMES.items():
        for rank in range(workers):
            spans = [
                (1000 * p.start, 1000 * p.seconds)
                for p in found
                if p.what == what and p.rank == rank and p.seconds > 2e-5
            ]
            if spans:
                axes.broken_barh(spans, (workers - rank - 0.88, 0.76), facecolor=colour, alpha=alpha, lw=0)
    axes.set(ylim=(0, workers))
    axes.set_yticks([workers - r - 0.5 for r in range(workers)], [f"worker {r + 1}" for r in range(workers)])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")


def draw_timeline(found: Sequence[Piece], first: int = 4, steps: int = 3) -> Figure:
    """What each worker did in some steps of a run, from the run's own clocks.

    Parameters
    ----------
    found
        Pieces of a run with ``--timeline``, see :func:`computegap.cluster.timeline.pieces`.
    first, steps
        The first step to draw, and how many.
    """
    some = _window(found, first, steps)
    workers = 1 + max(piece.rank for piece in found)
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.14, right=0.97, bottom=0.15, top=0.88)
    _draw_pieces(axes, some, workers)
    axes.set(xlim=(0, 1000 * max(piece.end for piece in some)), xlabel="time, ms")
    for place, what in zip((0.0, 0.17, 0.58, 0.72), _TIMES, strict=True):
        colour = "0.4" if what == "wait" else _TIMES[what][0]
        axes.text(
            place, 1.04, _TIME_NAMES[what], color=colour, transform=axes.transAxes, weight="bold", fontsize=10
        )
    return figure


def describe_timeline(found: Sequence[Piece], first: int = 4, steps: int = 3) -> str:
    """What :func:`draw_timeline` shows."""
    some = _window(found, first, steps)
    workers = 1 + max(piece.rank for piece in found)
    total = sum(piece.seconds for piece in some)
    shares = {what: sum(p.seconds for p in some if p.what == what) / total for what in _TIMES}
    count = len({piece.step for piece in some})
    return (
        f"{workers} worker{'s' if workers > 1 else ''}, {count} step{'s' if count > 1 else ''} in "
        f"{1000 * max(piece.end for piece in some):.0f} ms: computing "
        f"{shares['compute'] + shares['rest']:.0%} of the time, waiting "
        f"{shares['wait']:.0%}, communicating {shares['communicate']:.0%}."
    )


def draw_two_timelines(runs: Mapping[str, Sequence[Piece]], first: int = 4, steps: int = 3) -> Figure:
    """Runs above each other on one axis of time, each named."""
    windows = {name: _window(found, first, steps) for name, found in runs.items()}
    longest = 1000 * max(piece.end for some in windows.values() for piece in some)
    figure, rows = plt.subplots(len(runs), 1, sharex=True)
    figure.subplots_adjust(left=0.14, right=0.97, bottom=0.14, top=0.93, hspace=0.35)
    for axes, (name, some) in zip(np.atleast_1d(rows), windows.items(), strict=True):
        _draw_pieces(axes, some, 1 + max(piece.rank for piece in some))
        axes.set_title(name, fontsize=10.5, loc="left")
    axes.set(xlim=(0, longest), xlabel="time, ms")
    return figure


def draw_scaling(raw: Sequence[Throughput], emulated: Sequence[Throughput], cores: int) -> Figure:
    """Throughput over that of one worker against the number of workers, on bare cores and on emulated chips.

    Points are medians over the steps, bars the slowest and fastest tenth of them.
    """
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.11, right=0.72, bottom=0.15, top=0.95)
    most = max(run.workers for run in (*raw, *emulated))
    axes.plot([1, most], [1, most], color="0.5", ls=":", lw=1.2)
    axes.text(1.02, most, "perfect", color="0.4", transform=axes.get_yaxis_transform(), va="center")
    axes.axvline(cores, color="0.5", ls="--", lw=1)
    words = f"{cores} core" if cores == 1 else f"{cores} cores"
    axes.text(cores + 0.1, 0.97, words, transform=axes.get_xaxis_transform(), va="top", color="0.35")
    for runs, label, colour in ((raw, "bare cores", "C1"), (emulated, "emulated chips", "C0")):
        alone = next(run.samples_per_s for run in runs if run.workers == 1)
        x = [run.workers for run in runs]
        y = np.array([run.samples_per_s for run in runs]) / alone
        low, high = (np.array([getattr(run, end) for run in runs]) / alone for end in ("low", "high"))
        axes.errorbar(
            x, y, [np.maximum(y - low, 0), np.maximum(high - y, 0)], fmt="o-", color=colour, capsize=3
        )
        axes.text(1.02, y[-1], label, color=colour, transform=axes.get_yaxis_transform(), va="center")
    axes.set(xlim=(0.7, most + 0.3), ylim=(0, most + 0.5), xlabel="workers")
    axes.set_ylabel("throughput, one worker = 1")
    axes.set_xticks(sorted({run.workers for run in (*raw, *emulated)}))
    return figure


def describe_scaling(raw: Sequence[Throughput], emulated: Sequence[Throughput], cores: int) -> str:
    """What :func:`draw_scaling` shows."""
    parts = []
    for runs, label in ((raw, "bare cores"), (emulated, "emulated chips")):
        alone = next(run.samples_per_s for run in runs if run.workers == 1)
        ratios = ", ".join(f"{run.samples_per_s / alone:.2f} with {run.workers}" for run in runs)
        parts.append(f"on {label} {ratios}")
    return f"Throughput over one worker's, on a machine of {cores} cores: {'; '.join(parts)}."


# A worker is killed ------------------------------------------------------------------------------------


def losses_by_restart(records: Sequence[Mapping[str, Any]]) -> dict[int, tuple[list[int], list[float]]]:
    """Restart: steps and losses that worker 0 reported in it."""
    found: dict[int, tuple[list[int], list[float]]] = {}
    for record in records:
        if record["kind"] == "step" and record["rank"] == 0:
            steps, losses = found.setdefault(record["restart"], ([], []))
            steps.append(record["step"])
            losses.append(record["loss"])
    return found


def draw_killed(killed: Sequence[Mapping[str, Any]], calm: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss of a run that lost a worker and went on, over that of one that was left alone."""
    figure, axes = plt.subplots()
    figure.subplots_adjust(left=0.11, right=0.97, bottom=0.15, top=0.88)
    parts = losses_by_restart(killed)
    steps, losses = losses_by_restart(calm)[0]
    axes.plot(steps, losses, color="0.6", lw=5, alpha=0.4)
    for restart, (some, values) in parts.items():
        axes.plot(some, values, color=f"C{restart}", lw=1.6, ls="-" if restart == 0 else "--")
    died, resumed = parts[0][0][-1], parts[max(parts)][0][0]
    saved = [record["steps_done"] for record in killed if record["kind"] == "saved"]
    axes.axvspan(resumed, died, color="C1", alpha=0.12, lw=0)
    axes.plot(saved, [min(losses) - 0.12] * len(saved), "^", color="0.3", ms=6)
    axes.plot([died], [losses[died]], "x", color="C0", ms=10, mew=2)
    axes.set(xlabel="step", ylabel="training loss, nats per symbol", xlim=(0, len(steps)))
    names = (("until the kill", "C0"), ("after the restart", "C1"), ("never disturbed", "0.5"))
    for place, (name, colour) in zip((0.0, 0.25, 0.55), names, strict=True):
        axes.text(place, 1.04, name, color=colour, transform=axes.transAxes, weight="bold", fontsize=10.5)
    return figure


def describe_killed(killed: Sequence[Mapping[str, Any]], calm: Sequence[Mapping[str, Any]]) -> str:
    """What :func:`draw_killed` shows."""
    parts = losses_by_restart(killed)
    died, resumed = parts[0][0][-1], parts[max(parts)][0][0]
    steps, losses = losses_by_restart(calm)[0]
    mine = dict(zip(*parts[max(parts)], strict=True))
    gap = max(abs(mine[step] - loss) for step, loss in zip(steps, losses, strict=True) if step in mine)
    return (
        f"The last step before the kill was {died}; the run went on from step {resumed}, so that "
        f"{died + 1 - resumed} steps were done again. From there its loss is never further than {gap:.1g} "
        "from that of the undisturbed run."
    )
