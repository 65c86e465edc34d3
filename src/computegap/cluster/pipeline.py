"""Pipelines: how long devices stand idle while a batch fills and drains a chain of them.

A model is cut into ``p`` stages, a batch into ``m`` microbatches. A *bubble* is here the share of all
devices' time in which they do nothing: idle time over the whole step, :math:`(p-1)/(m+p-1)` for the plainest
schedule. Papers often give it over the *useful* time instead, :math:`(p-1)/m`; :func:`over_useful` converts.

Sources: Y. Huang et al., "GPipe", 2018; D. Narayanan et al., "Efficient large-scale language model training
on GPU clusters using Megatron-LM", SC21, section 2.2 (1F1B and interleaved schedules); P. Qi et al., "Zero
bubble pipeline parallelism", 2023, table 2 (ZB-H1).
Taught in chapter 7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

#: What the schedules are called here; "interleaved" takes two stages a device or more.
SCHEDULES = ("gpipe", "1f1b", "interleaved", "zero-bubble")


def _check(devices: int, microbatches: int, per_device: int = 1) -> None:
    given = {"devices": devices, "microbatches": microbatches, "stages a device": per_device}
    for name, value in given.items():
        if value < 1 or int(value) != value:
            raise ValueError(f"the number of {name} is a whole number from 1, got {value!r}")


def bubble(devices: int, microbatches: int, per_device: int = 1) -> float:
    """Idle share of a step of GPipe or 1F1B, or of the interleaved schedule with several stages a device.

    :math:`(p-1)/(v m + p - 1)` with ``v`` stages a device: Huang et al. 2018, section 2.3, for one;
    Narayanan et al. 2021, section 2.2, for more.
    """
    _check(devices, microbatches, per_device)
    return (devices - 1) / (per_device * microbatches + devices - 1)


def zero_bubble(
    devices: int, microbatches: int, forward: float = 1.0, backward_input: float = 1.0, weight: float = 1.0
) -> float:
    """Idle share of a step of ZB-H1, which fills gaps with gradients of weights (Qi et al. 2023, table 2).

    ``forward``, ``backward_input`` and ``weight`` are the times of the three parts, in any one unit.
    """
    _check(devices, microbatches)
    if min(forward, backward_input, weight) < 0 or forward + backward_input + weight <= 0:
        raise ValueError("times are zero or more, and not all of them zero")
    idle = (devices - 1) * max(0.0, forward + backward_input - weight)
    return idle / (microbatches * (forward + backward_input + weight) + idle)


def expected_bubble(schedule: str, devices: int, microbatches: int) -> float:
    """Return the formula's idle share for a schedule by name; interleaved means two stages a device here."""
    if schedule not in SCHEDULES:
        raise ValueError(f"no schedule called {schedule!r}; known are {', '.join(SCHEDULES)}")
    if schedule == "zero-bubble":
        return zero_bubble(devices, microbatches)
    return bubble(devices, microbatches, 2 if schedule == "interleaved" else 1)


def over_useful(share: float) -> float:
    """Idle time over useful time, from idle time over all time: the convention of SC21 and of Llama 3."""
    if not 0 <= share < 1:
        raise ValueError(f"a share of idle time lies from zero to below one, got {share!r}")
    return share / (1 - share)


# Schedules as lists of actions, and what they take -----------------------------------------------------


@dataclass(frozen=True)
class Action:
    """One piece of work of one device.

    Attributes
    ----------
    kind : str
        ``"forward"``, ``"backward"`` (whole), ``"input"`` or ``"weight"`` (its two halves).
    microbatch, stage, device : int
        What is worked on, which part of the network does it, and where.
    start, end : float
        Seconds from the beginning of the step.
    """

    kind: str
    microbatch: int
    stage: int
    device: int
    start: float
    end: float


def simulate(
    schedule: str, devices: int, microbatches: int, forward: float = 1.0, message: float = 0.0
) -> list[Action]:
    """Play a schedule through: each device takes the best action that is ready.

    The rules of preference *are* the schedules. GPipe does forwards before backwards. 1F1B prefers backwards,
    and holds no more microbatches than there are devices from it to the end. Interleaved is 1F1B with two
    stages a device, in rounds of as many microbatches as there are devices (a multiple of ``devices`` is
    needed). Zero-bubble splits the backward; the half for the weights waits for idle time, but device ``d``
    owes no more than ``d`` of them, so that no more is held than with 1F1B.

    Parameters
    ----------
    forward : float
        Seconds of a microbatch's forward on a device; a backward takes twice that.
    message : float
        Seconds that a result needs to reach the next device.

    Raises
    ------
    ValueError
        If the schedule is unknown, or interleaved is asked for a number of microbatches that does not divide.
    """
    _check(devices, microbatches)
    if schedule not in SCHEDULES:
        raise ValueError(f"no schedule called {schedule!r}; known are {', '.join(SCHEDULES)}")
    if schedule == "interleaved":
        return _interleaved(devices, microbatches, forward, message)
    split = schedule == "zero-bubble"
    done: dict[tuple[str, int, int], float] = {}
    free, count = [0.0] * devices, [defaultdict(int) for _ in range(devices)]
    actions: list[Action] = []
    while len(actions) < devices * microbatches * (3 if split else 2):
        options = []
        for device in range(devices):
            owed = count[device]["input"] - count[device]["weight"]
            for rank, (kind, duration) in enumerate(_preferences(schedule, split, forward, owed > device)):
                microbatch = count[device][kind]
                if microbatch >= microbatches:
                    continue
                ready = _ready(done, kind, microbatch, device, devices, split, message)
                held = count[device]["forward"] - count[device]["input" if split else "backward"]
                full = schedule != "gpipe" and kind == "forward" and held >= devices - device
                if ready is None or full:
                    continue
                options.append((max(ready, free[device]), rank, device, kind, microbatch, duration))
        start, _, device, kind, microbatch, duration = min(options)
        action = Action(kind, microbatch, device, device, start, start + duration)
        actions.append(action)
        free[device], done[kind, microbatch, device] = action.end, action.end
        count[device][kind] += 1
    return actions


def _preferences(schedule: str, split: bool, forward: float, pressed: bool) -> list[tuple[str, float]]:
    """Kinds of action with their times, best first; ``pressed``: it is time for a gradient of weights."""
    if schedule == "gpipe":
        return [("forward", forward), ("backward", 2 * forward)]
    if pressed:
        return [("weight", forward)]
    if split:
        return [("forward", forward), ("input", forward), ("weight", forward)]
    return [("backward", 2 * forward), ("forward", forward)]


def _ready(done, kind, microbatch, stage, stages, split, message) -> float | None:
    """When an action's inputs have arrived; None if somebody has not made them yet."""
    back = "input" if split else "backward"
    if kind == "weight":
        return done.get(("input", microbatch, stage))
    if kind == "forward":
        if stage == 0:
            return 0.0
        before = done.get(("forward", microbatch, stage - 1))
    elif stage == stages - 1:
        return done.get(("forward", microbatch, stage))
    else:
        before = done.get((back, microbatch, stage + 1))
    return None if before is None else before + message


def _interleaved(devices: int, microbatches: int, forward: float, message: float) -> list[Action]:
    """1F1B with two stages a device, in the fixed order of SC21: a warm-up, then turns, then the rest."""
    if microbatches % devices:
        raise ValueError(
            f"interleaved works in rounds of {devices} microbatches, one for each device; "
            f"{microbatches} is not a multiple of that"
        )
    total, part = 2 * microbatches, forward / 2
    orders = []
    for device in range(devices):
        warm_up = min(total, 2 * (devices - device - 1) + devices)
        order = [("forward", turn) for turn in range(warm_up)]
        for turn in range(total - warm_up):
            order += [("forward", warm_up + turn), ("backward", turn)]
        order += [("backward", turn) for turn in range(total - warm_up, total)]
        orders.append(order)
    done: dict[tuple[str, int, int], float] = {}
    free, place, actions = [0.0] * devices, [0] * devices, []
    while len(actions) < 2 * total * devices:
        moved = False
        for device in range(devices):
            while place[device] < len(orders[device]):
                kind, turn = orders[device][place[device]]
                turned = (turn // devices) % 2
                stage = (turned if kind == "forward" else 1 - turned) * devices + device
                microbatch = turn // (2 * devices) * devices + turn % devices
                ready = _ready(done, kind, microbatch, stage, 2 * devices, False, message)
                if ready is None:
                    break
                start = max(ready, free[device])
                end = start + (part if kind == "forward" else 2 * part)
                actions.append(Action(kind, microbatch, stage, device, start, end))
                free[device], done[kind, microbatch, stage] = end, end
                place[device] += 1
                moved = True
        if not moved:  # pragma: no cover - the order of SC21 always finds something to do
            raise RuntimeError("the schedule waits for itself")
    return actions


# What a run, simulated or real, shows --------------------------------------------------------------------


def idle_share(actions: Iterable[Action]) -> float:
    """Share of all devices' time, from the first start to the last end, in which they do nothing."""
    actions = list(actions)
    if not actions:
        raise ValueError("no action was recorded")
    span = max(a.end for a in actions) - min(a.start for a in actions)
    devices = len({a.device for a in actions})
    return 1 - sum(a.end - a.start for a in actions) / (devices * span)


def most_held(actions: Iterable[Action]) -> int:
    """Most microbatches that one device keeps at a time: forwards begun whose backward is not done.

    A device with several stages counts each stage's microbatch by its share of the device's work.
    """
    actions = list(actions)
    per_device = len({a.stage for a in actions if a.device == actions[0].device})
    changes: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for action in actions:
        if action.kind == "forward":
            changes[action.device].append((action.start, 1))
        elif action.kind in ("backward", "weight"):
            changes[action.device].append((action.end, -1))
    most = max(int(np.cumsum([step for _, step in sorted(at)]).max()) for at in changes.values())
    return -(-most // per_device)


def replay(
    actions: Iterable[Action], forward: float, message: float = 0.0, pause: float = 0.0
) -> list[Action]:
    """Play a schedule through once more in the order in which each device took its actions.

    Unlike :func:`simulate`, no device chooses anew, so that a delay moves actions and exchanges none.

    Parameters
    ----------
    actions
        A whole step, recorded or simulated.
    forward : float
        Seconds of a microbatch's forward on a device; a backward takes twice that, each of its halves once.
    message : float
        Seconds that a result needs to reach the next device.
    pause : float
        Seconds that a device needs between two of its actions.

    Raises
    ------
    ValueError
        If an action waits for one that is not among them.
    """
    actions = sorted(actions, key=lambda action: action.start)
    stages, split = 1 + max(a.stage for a in actions), any(a.kind == "input" for a in actions)
    part = forward * len({a.device for a in actions}) / stages
    done: dict[tuple[str, int, int], float] = {}
    free: dict[int, float] = {}
    waiting, played = actions, []
    while waiting:
        left, blocked = [], set()
        for action in waiting:
            stage, device = action.stage, action.device
            ready = _ready(done, action.kind, action.microbatch, stage, stages, split, message)
            if ready is None or device in blocked:
                blocked.add(device)  # what comes later on this device has to wait as well
                left.append(action)
                continue
            start = max(ready, free[device] + pause if device in free else 0.0)
            end = start + (2 * part if action.kind == "backward" else part)
            played.append(replace(action, start=start, end=end))
            free[device] = done[action.kind, action.microbatch, stage] = end
        if len(left) == len(waiting):
            raise ValueError("an action waits for a result that none of the others makes")
        waiting = left
    return played


def _delays(actions: Iterable[Action]) -> tuple[list[float], list[float]]:
    """Seconds from a result to the action of an idle device that needed it, and between other actions."""
    actions = list(actions)
    ends = {(a.kind, a.microbatch, a.stage): a for a in actions}
    free: dict[int, float] = {}
    messages, others = [], []
    for action in sorted(actions, key=lambda a: a.start):
        step = -1 if action.kind == "forward" else 1
        source = ends.get((action.kind, action.microbatch, action.stage + step))
        sent = action.kind != "weight" and source is not None and source.device != action.device
        if sent and free.get(action.device, 0.0) < source.end:
            messages.append(action.start - source.end)
        elif action.device in free:
            result = source.end if sent else -np.inf
            others.append((action.start - free[action.device], free[action.device] - result))
        free[action.device] = action.end
    # A result that came at the last moment may still have been on its way: no pause is read off there.
    usual = float(np.median(messages)) if messages else 0.0
    return messages, [pause for pause, since in others if since > usual]


def message_seconds(actions: Iterable[Action]) -> float:
    """Mean time from the end of an action to the start of the one on another device that waited for it.

    Counted are actions whose device stood idle when the result was ready: there the delay is the message's.

    Raises
    ------
    ValueError
        If no device ever waited for another.
    """
    messages, _ = _delays(actions)
    if not messages:
        raise ValueError("no device waited for another, so nothing is known of the messages")
    return float(np.mean(messages))


def pause_seconds(actions: Iterable[Action]) -> float:
    """Mean time between two actions of a device where the second had nothing to wait for; zero without any.

    This is the price of an action besides its work: the library's own code, and waiting for a core.
    """
    _, pauses = _delays(actions)
    return float(np.mean(pauses)) if pauses else 0.0


@dataclass(frozen=True)
class PipelineRun:
    """One recorded step of a schedule.

    Attributes
    ----------
    schedule : str
        Its name.
    devices, microbatches, per_device : int
        How it was cut.
    repeat : int
        Which repeat.
    actions : list of Action
        What all devices did, on one clock.
    loss : float
        Mean loss over the microbatches, which no schedule may change.
    """

    schedule: str
    devices: int
    microbatches: int
    per_device: int
    repeat: int
    actions: list[Action]
    loss: float

    @property
    def bubble(self) -> float:
        """Measured idle share."""
        return idle_share(self.actions)

    @property
    def expected(self) -> float:
        """Idle share by the formula, with messages that take no time."""
        return expected_bubble(self.schedule, self.devices, self.microbatches)


def from_records(records: Sequence[Mapping[str, Any]]) -> list[PipelineRun]:
    """Put together what the workers of :mod:`computegap.cluster.pipeline_bench` recorded.

    Raises
    ------
    ValueError
        If a run lacks the record of one of its devices.
    """
    groups: dict[tuple, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        if record.get("kind") == "pipeline":
            groups[record["schedule"], record["microbatches"], record["repeat"]].append(record)
    runs = []
    for (schedule, microbatches, repeat), parts in groups.items():
        devices = parts[0]["devices"]
        if len(parts) != devices:
            raise ValueError(f"{schedule}: {len(parts)} of {devices} devices left a record")
        zero = min(part["started"] for part in parts)
        actions = [
            Action(kind, mb, stage, part["rank"], a + part["started"] - zero, b + part["started"] - zero)
            for part in parts
            for kind, mb, stage, a, b in part["events"]
        ]
        loss = next(part["loss"] for part in parts if part["loss"] is not None)
        per_device = parts[0]["stages_per_device"]
        runs.append(PipelineRun(schedule, devices, microbatches, per_device, repeat, actions, loss))
    return runs
