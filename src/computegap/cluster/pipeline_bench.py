"""Run pipeline schedules for real and record every action: forward, backward, and where nobody works.

A program for torchrun: one worker a device, each with one or more stages of the same small network. The
schedules are those of ``torch.distributed.pipelining``; only the stage is ours, and only to keep a record.
Chips are emulated: a stage computes its real activations and gradients and then rests until the nominal time
of the action is over, so that four devices fit on two cores. Messages and waits are real.

On a shell::

    torchrun --nproc-per-node 4 -m computegap.cluster.pipeline_bench --runs gpipe:8 1f1b:8

Taught in chapter 7.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.elastic.multiprocessing.errors import record
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
)

from computegap.cluster.records import emit
from computegap.cluster.worker import joined

WIDTH = 16
#: Name: (class of the schedule, stages on each device).
SCHEDULES: dict[str, tuple[Any, int]] = {
    "gpipe": (ScheduleGPipe, 1),
    "1f1b": (Schedule1F1B, 1),
    "interleaved": (ScheduleInterleaved1F1B, 2),
    "zero-bubble": (ScheduleInterleavedZeroBubble, 1),
}


class RecordedStage(PipelineStage):
    """A pipeline stage that keeps a record of its actions and takes a nominal time for each.

    Attributes
    ----------
    nominal : dict of str to float
        Seconds of ``"forward"``, ``"input"`` (gradient of the input), ``"weight"`` (gradient of the weights)
        and ``"backward"`` (both at once).
    events : list of tuple
        Kind of action, microbatch, stage, start and end (seconds of the machine's monotonic clock, which all
        its processes share).
    """

    nominal: dict[str, float]
    events: list[tuple[str, int, int, float, float]]

    def _timed(self, kind: str, microbatch: int, action) -> Any:
        start = time.perf_counter()
        result = action()
        time.sleep(max(0.0, start + self.nominal[kind] - time.perf_counter()))
        self.events.append((kind, microbatch, self.stage_index, start, time.perf_counter()))
        return result

    def forward_one_chunk(self, fwd_chunk_id: int, *args: Any, **kwargs: Any) -> Any:
        """Forward of one microbatch, timed."""
        run = super().forward_one_chunk
        return self._timed("forward", fwd_chunk_id, lambda: run(fwd_chunk_id, *args, **kwargs))

    def backward_one_chunk(
        self, bwd_chunk_id: int, loss: Any = None, full_backward: bool = True, **kwargs: Any
    ) -> Any:
        """Backward of one microbatch, whole or for the input only, timed."""
        run = super().backward_one_chunk
        return self._timed(
            "backward" if full_backward else "input",
            bwd_chunk_id,
            lambda: run(bwd_chunk_id, loss=loss, full_backward=full_backward, **kwargs),
        )

    def backward_weight_one_chunk(self, bwd_chunk_id: int, *args: Any, **kwargs: Any) -> Any:
        """Gradient of the weights of one microbatch, timed."""
        run = super().backward_weight_one_chunk
        return self._timed("weight", bwd_chunk_id, lambda: run(bwd_chunk_id, *args, **kwargs))


def build(name: str, microbatches: int, forward_seconds: float) -> tuple[Any, list[RecordedStage]]:
    """Return a schedule and this worker's stages. A device does the same work however it is cut.

    ``forward_seconds`` is the nominal time of one microbatch on one device; a backward takes twice that, half
    of it for the input and half for the weights.
    """
    schedule, per_device = SCHEDULES[name]
    rank, devices = dist.get_rank(), dist.get_world_size()
    part = forward_seconds / per_device
    stages = []
    for turn in range(per_device):
        torch.manual_seed(100 + turn * devices + rank)
        stage = RecordedStage(
            nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh()),
            turn * devices + rank,
            devices * per_device,
            torch.device("cpu"),
        )
        stage.nominal = {"forward": part, "input": part, "weight": part, "backward": 2 * part}
        stage.events = []
        stages.append(stage)
    given: Any = stages[0] if name in ("gpipe", "1f1b") else stages
    return schedule(given, microbatches, loss_fn=nn.functional.mse_loss), stages


def run(name: str, microbatches: int, forward_seconds: float, repeats: int) -> None:
    """Run a schedule several times; emit each action of each repeat, with times from the repeat's start."""
    rank, devices = dist.get_rank(), dist.get_world_size()
    schedule, stages = build(name, microbatches, forward_seconds)
    torch.manual_seed(7)
    inputs, targets = torch.randn(2 * microbatches, WIDTH), torch.randn(2 * microbatches, WIDTH)
    last = stages[-1].is_last
    nominal = [stage.nominal for stage in stages]
    for repeat in range(-1, repeats):  # one run without rests opens the connections, and does not count
        for stage, times in zip(stages, nominal, strict=True):
            stage.events.clear()
            stage.nominal = dict.fromkeys(times, 0.0) if repeat < 0 else times
        dist.barrier()
        start = time.perf_counter()
        losses: list[torch.Tensor] = []
        passed = (inputs,) if rank == 0 else ()
        schedule.step(*passed, **({"target": targets, "losses": losses} if last else {}))
        if repeat < 0:
            continue
        events = sorted((event for stage in stages for event in stage.events), key=lambda event: event[3])
        emit(
            "pipeline",
            schedule=name,
            devices=devices,
            stages_per_device=len(stages),
            microbatches=microbatches,
            forward_seconds=forward_seconds,
            repeat=repeat,
            loss=float(torch.stack(losses).detach().mean()) if last else None,
            events=[[kind, mb, place, a - start, b - start] for kind, mb, place, a, b in events],
            started=start,
        )


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run pipeline schedules and record their actions.")
    parser.add_argument(
        "--runs", nargs="+", default=["gpipe:8"], help="schedule:microbatches; " + ", ".join(SCHEDULES)
    )
    parser.add_argument("--forward-ms", type=float, default=10.0, help="nominal time of a microbatch")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(argv)
    try:
        given.runs = [(text.split(":")[0], int(text.split(":")[1])) for text in given.runs]
    except (ValueError, IndexError):
        parser.error("write runs as schedule:microbatches, for instance gpipe:8")
    unknown = [name for name, _ in given.runs if name not in SCHEDULES]
    if unknown:
        parser.error(f"no schedule called {unknown[0]!r}; known are {', '.join(SCHEDULES)}")
    return given


@record
def main(argv: list[str] | None = None) -> None:
    """Run the schedules; see ``--help`` for the arguments. Emits records of kind ``pipeline``."""
    given = _arguments(argv)
    with joined():
        for name, microbatches in given.runs:
            run(name, microbatches, given.forward_ms / 1000, given.repeats)


if __name__ == "__main__":
    main()
