"""Races over a slow wire, started from a notebook: results of ``slow_link`` as curves."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from computegap.cluster.launch import launch
from computegap.cluster.replicas import WarmStart, together
from computegap.experiment import Spread, paired, spread


@dataclass(frozen=True)
class Curve:
    """One method's run, for all seeds.

    Attributes
    ----------
    label : str
    seconds : ndarray
        Time of the points: nominal for computation, as it was for messages.
    losses : ndarray
        Held-out loss of the weights that one would have at that time, nats: (points, seeds).
    steps : ndarray
        Steps that each worker had taken.
    megabytes : ndarray
        What one worker had sent for one seed's network.
    beyond : float
        What messages took beyond their time on the wire (compressing, starting, waiting for a busy machine),
        as a part of that time; 0 where nobody waited for a message.
    """

    label: str
    seconds: np.ndarray
    losses: np.ndarray
    steps: np.ndarray
    megabytes: np.ndarray
    beyond: float = 0.0

    @property
    def final(self) -> Spread:
        """Loss at the end."""
        return spread(self.losses[-1])

    @property
    def megabytes_per_step(self) -> float:
        """Sent by one worker for one network, for each step that it took."""
        return float(self.megabytes[-1] / max(1, self.steps[-1]))


@dataclass(frozen=True)
class Race:
    """Several methods over the same wire for the same time.

    Attributes
    ----------
    curves : dict of str to Curve
    rate : float
        Bytes per second of one wire, for one seed's network.
    seconds : float
    step_time : float
        Seconds of a step on the emulated chip.
    start : WarmStart
    took : float
        Wall-clock seconds of the job, its start included.
    """

    curves: dict[str, Curve]
    rate: float
    seconds: float
    step_time: float
    start: WarmStart
    took: float

    def __getitem__(self, label: str) -> Curve:
        if label not in self.curves:
            raise LookupError(f"no method is called {label!r}; there are {', '.join(self.curves)}")
        return self.curves[label]

    def against(self, label: str, other: str) -> Spread:
        """Final loss of one method minus that of another, seed by seed."""
        return paired(self[label].losses[-1], self[other].losses[-1])

    def joined_with(self, other: Race) -> Race:
        """Both races' curves, where wire, time and start are the same; ValueError where they are not."""
        for what in ("rate", "seconds", "step_time"):
            if getattr(self, what) != getattr(other, what):
                raise ValueError(f"the races differ in {what}, so their curves don't compare")
        if self.start is not other.start:
            raise ValueError("the races have different starts, so their curves don't compare")
        both = {**self.curves, **other.curves}
        return Race(both, self.rate, self.seconds, self.step_time, self.start, self.took + other.took)


def reach(curve: Curve, *, rate: float, step_time: float) -> float:
    """Seconds until which :func:`composed` can say something about a run over another wire."""
    return float(curve.steps[-1] * step_time + curve.megabytes[-1] * 1e6 / rate)


def composed(curve: Curve, at: float, *, rate: float, step_time: float) -> np.ndarray:
    """Loss of each seed at a time over *another* wire, put together from a run's own steps and bytes.

    A step of computation takes ``step_time``, and the bytes take their time on the wire; nothing overlaps. So
    this serves methods whose steps and bytes do not depend on the wire, and not streaming.

    Parameters
    ----------
    curve : Curve
    at : float
        Seconds.
    rate : float
        Bytes per second for one seed's network.
    step_time : float

    Returns
    -------
    ndarray
        (seeds,); nan where the run was too short to say.

    Raises
    ------
    ValueError
        If time, rate or step time is not positive.
    """
    if min(at, rate, step_time) <= 0:
        raise ValueError("time, rate and step time are positive")
    times = curve.steps * step_time + curve.megabytes * 1e6 / rate
    if at > times[-1] * (1 + 1e-9):
        return np.full(curve.losses.shape[1], np.nan)
    fresh = np.concatenate([[True], np.diff(times) > 0])
    return np.array([np.interp(at, times[fresh], seed[fresh]) for seed in curve.losses.T])


def race(
    methods: Mapping[str, str],
    start: WarmStart,
    *,
    rate: float = 3e6,
    seconds: float = 1.4,
    step_time: float = 0.004,
    workers: int = 4,
    learning_rate: float = 4e-3,
    points: int = 7,
) -> Race:
    """Run methods one after the other in one job of several workers.

    Parameters
    ----------
    methods : mapping of str to str
        Label and method, as ``computegap.cluster.slow_link.Method`` reads it: ``{"DiLoCo":
        "diloco:interval=50"}``.
    start : WarmStart
        Weights that all workers start from, and the seeds.
    rate : float
        Bytes per second of a wire, for one seed's network.
    seconds : float
        For each method.
    step_time : float
        Nominal seconds of a step of computation.
    workers, learning_rate, points
        As the program has them.

    Raises
    ------
    ValueError
        If there is no method.
    computegap.cluster.launch.WorkerFailed
        With the message of the worker, for example if links cannot be slowed down here.
    """
    import torch

    if not methods:
        raise ValueError("a race needs one method or more")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "start.pt")
        torch.save(start.flat, weights)
        arguments = ["--weights", weights, "--seeds", len(start.seed_numbers), "--rate", rate]
        arguments += ["--seconds", seconds, "--step-time", step_time, "--points", points]
        arguments += ["--learning-rate", learning_rate]
        for method in methods.values():
            arguments += ["--method", method]
        limit = 60 + 20 * seconds * len(methods)
        job = launch("computegap.cluster.slow_link", *arguments, workers=workers, timeout=limit)
    curves = {label: _curve(label, found) for label, found in zip(methods, job.of("method"), strict=True)}
    return Race(curves, rate, seconds, step_time, start, job.seconds)


def _curve(label: str, found: dict) -> Curve:
    columns = {name: np.array(found[name], dtype=float) for name in ("seconds", "losses", "steps")}
    return Curve(label, megabytes=np.array(found["bytes"]) / 1e6, beyond=found["beyond"], **columns)


def without_wire(
    start: WarmStart,
    *,
    seconds: float = 1.4,
    step_time: float = 0.004,
    workers: int = 4,
    learning_rate: float = 4e-3,
    points: int = 7,
    label: str = "no wire",
) -> Curve:
    """Data parallel training whose messages take no time: the same arithmetic, done in one process.

    Parameters are those of :func:`race`. ValueError if no step fits into the time.
    """  # fmt: skip
    steps = round(seconds / step_time)
    if steps < points:
        raise ValueError(f"{seconds} s hold {steps} steps of {step_time} s, fewer than the points asked for")
    marks = [round(steps * i / points) for i in range(points + 1)]
    losses = together(start, marks, workers=workers, learning_rate=learning_rate)
    weights = 4 * len(start.flat) / len(start.seed_numbers)
    megabytes = 2 * (1 - 1 / workers) * weights * np.array(marks) / 1e6
    return Curve(label, np.array(marks) * step_time, np.array(losses), np.array(marks, float), megabytes)
