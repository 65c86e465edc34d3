"""One training program for one worker or many: data parallel, sharded or pipelined, with checkpoints.

Every worker runs this same file; torchrun tells each one who it is. On one machine::

    torchrun --nproc-per-node 4 -m computegap.cluster.train --parallel data --steps 60

and from a notebook ``launch("computegap.cluster.train", "--parallel", "data", "--steps", 60, workers=4)``.
On a cluster the line is the same but for where the workers meet, see the page on launching.

What a step learns from depends on the seed and the number of the step alone, not on how many workers share
the work or how. So all three ways take the same steps, up to rounding, and a step that is done again after a
crash is the same step. Taught in chapter 7.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections import OrderedDict
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.elastic.multiprocessing.errors import record
from torch.distributed.fsdp import fully_shard
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from computegap.cluster import checkpoint, link, stragglers
from computegap.cluster._train_options import arguments, check
from computegap.cluster.records import emit
from computegap.cluster.timeline import Clock
from computegap.cluster.worker import joined
from computegap.networks.text import python_help

# ------------------------------------------------------------------------------- the network and what it
# reads


class Embed(nn.Module):
    """The last few symbols of a text, side by side, as one vector."""

    def __init__(self, vocabulary: int, context: int, width: int) -> None:
        super().__init__()
        self.symbols = nn.Embedding(vocabulary, 16)
        self.mix = nn.Linear(16 * context, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.mix(self.symbols(tokens).flatten(1))


class Block(nn.Module):
    """Two layers whose result is added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(F.gelu(self.up(self.norm(x))))


def build(seed: int, vocabulary: int, context: int, width: int, blocks: int) -> nn.Sequential:
    """The same network on every worker: symbols in, scores of the next symbol out."""
    torch.manual_seed(seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict(embed=Embed(vocabulary, context, width))
    for number in range(blocks):
        layers[f"block{number}"] = Block(width)
    layers["head"] = nn.Linear(width, vocabulary)
    return nn.Sequential(layers)


def rows_of(text: torch.Tensor, seed: int, step: int, batch: int, context: int) -> torch.Tensor:
    """The global batch of a step: (batch, context + 1) symbols, the last of each row to be predicted."""
    drawn = torch.Generator().manual_seed((seed + 1) * 1_000_003 + step)
    starts = torch.randint(0, len(text) - context, (batch,), generator=drawn)
    return text[starts[:, None] + torch.arange(context + 1)]


# ------------------------------------------------------------------------------- three ways to share the work

WHOLE = StateDictOptions(full_state_dict=True)


class DataParallel:
    """Every worker holds the whole network and sees a part of the batch; gradients are averaged."""

    def __init__(self, network: nn.Sequential, options: argparse.Namespace, clock: Clock) -> None:
        self.rank, self.workers, self.clock = dist.get_rank(), dist.get_world_size(), clock
        self.speed = options.chip_speed[self.rank] if options.chip_speed else None
        self.shares, self.late = shares_of(options, self.workers), 0.0
        self.first = sum(self.shares[: self.rank])
        self.network = self.wrap(network, options)

    def wrap(self, network: nn.Sequential, options: argparse.Namespace) -> nn.Module:
        # One bucket: all gradients travel together, after the last one has been computed.
        shared = DistributedDataParallel(network, bucket_cap_mb=1024)
        if options.timeline or self.speed:
            shared.register_comm_hook(None, self.average)
        return shared

    @property
    def samples(self) -> int:
        """Rows of the batch that this worker learns from."""
        return self.shares[self.rank]

    def gradients(self, rows: torch.Tensor) -> torch.Tensor:
        """Leave the gradients of the whole batch's mean loss in the network; returns that loss."""
        mine = rows[self.first : self.first + self.samples]
        lost = F.cross_entropy(self.network(mine[:, :-1]), mine[:, -1], reduction="sum") / len(rows)
        # Averaging over workers divides by their number, whatever each one's share: multiply by it first.
        (lost * self.workers).backward()
        total = lost.detach().clone()
        dist.all_reduce(total)
        return total

    def average(self, _, bucket):
        """What DistributedDataParallel does by itself, with a look at the clock at each stage."""
        self.clock.mark("compute")
        if self.speed and bucket.is_last():
            self.rest()
        dist.all_reduce(torch.zeros(1))  # over when the slowest is here
        self.clock.mark("wait")
        gradients = bucket.buffer().div_(self.workers)
        dist.all_reduce(gradients)
        self.clock.mark("communicate")
        done: torch.futures.Future[torch.Tensor] = torch.futures.Future()
        done.set_result(gradients)
        return done

    def rest(self) -> None:
        """Be as slow as the emulated chip would be: its time for the step is samples over speed."""
        left = self.clock.began + self.samples / self.speed - time.monotonic()
        self.late = max(0.0, -left)
        time.sleep(max(0.0, left))
        self.clock.mark("rest")

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Weights and optimizer by name, whole, on worker 0. All workers call it."""
        weights, moments = get_state_dict(self.network, optimizer, options=WHOLE)
        return {"weights": weights, "optimizer": moments}

    def restore(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Take weights and optimizer from a whole state, of which every worker has a copy."""
        set_state_dict(
            self.network,
            optimizer,
            model_state_dict=state["weights"],
            optim_state_dict=state["optimizer"],
            options=WHOLE,
        )


class Sharded(DataParallel):
    """As data parallel, but every worker keeps only its part of each layer between uses (FSDP)."""

    def wrap(self, network: nn.Sequential, options: argparse.Namespace) -> nn.Module:
        mesh = init_device_mesh("cpu", (self.workers,))
        for layer in network:
            fully_shard(layer, mesh=mesh)
        return fully_shard(network, mesh=mesh)


class Pipelined:
    """Every worker holds some of the layers; small parts of the batch pass through them one after another."""

    def __init__(self, network: nn.Sequential, options: argparse.Namespace, clock: Clock) -> None:
        self.rank, self.workers, self.clock, self.late = dist.get_rank(), dist.get_world_size(), clock, 0.0
        self.last = self.rank == self.workers - 1
        self.samples = options.global_batch if self.last else 0
        layers = list(network.named_children())
        cuts = [round(len(layers) * part / self.workers) for part in range(self.workers + 1)]
        self.network = nn.Sequential(OrderedDict(layers[cuts[self.rank] : cuts[self.rank + 1]]))
        stage = PipelineStage(self.network, self.rank, self.workers, torch.device("cpu"))
        schedule = {"gpipe": ScheduleGPipe, "1f1b": Schedule1F1B}[options.schedule]
        self.schedule = schedule(stage, options.microbatches, loss_fn=F.cross_entropy)

    def gradients(self, rows: torch.Tensor) -> torch.Tensor:
        """As for data parallel; the loss is known to the last worker, which tells the others."""
        inputs = (rows[:, :-1],) if self.rank == 0 else ()
        losses: list[torch.Tensor] = []
        ends = {"target": rows[:, -1], "losses": losses} if self.last else {}
        self.schedule.step(*inputs, **ends)
        total = torch.stack(losses).mean().detach() if self.last else torch.zeros(())
        dist.broadcast(total, self.workers - 1)
        return total

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """The parts of all workers, put together on worker 0."""
        weights, moments = get_state_dict(self.network, optimizer, options=WHOLE)
        parts: list[Any] = [None] * self.workers
        dist.all_gather_object(parts, (weights, moments))
        group = dict(moments["param_groups"][0])
        group["params"] = [name for _, part in parts for name in part["param_groups"][0]["params"]]
        return {
            "weights": {name: value for part, _ in parts for name, value in part.items()},
            "optimizer": {
                "state": {name: value for _, part in parts for name, value in part["state"].items()},
                "param_groups": [group],
            },
        }

    def restore(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Take this worker's layers out of a whole state."""
        mine = set(self.network.state_dict())
        group = dict(state["optimizer"]["param_groups"][0])
        group["params"] = [name for name in group["params"] if name in mine]
        moments = {name: value for name, value in state["optimizer"]["state"].items() if name in mine}
        set_state_dict(
            self.network,
            optimizer,
            model_state_dict={name: value for name, value in state["weights"].items() if name in mine},
            optim_state_dict={"state": moments, "param_groups": [group]},
            options=WHOLE,
        )


WAYS = {"data": DataParallel, "sharded": Sharded, "pipeline": Pipelined}


def shares_of(options: argparse.Namespace, workers: int) -> list[int]:
    """How many rows of the global batch each worker learns from."""
    if options.batch_split == "by-speed":
        return stragglers.split_by_speed(options.global_batch, options.chip_speed)
    return stragglers.split_evenly(options.global_batch, workers)


# ------------------------------------------------------------------------------- training


def train(options: argparse.Namespace) -> None:
    """What every worker does from joining the others to leaving them."""
    check(options, dist.get_world_size())
    if options.link_rate:
        link.pace(options.link_rate)
    text, clock = python_help(), Clock()
    shape = {"vocabulary": text.vocabulary, "context": options.context, "width": options.width}
    network = build(options.seed, **shape, blocks=options.blocks)
    way = WAYS[options.parallel](network, options, clock)
    optimizer = torch.optim.AdamW(way.network.parameters(), lr=options.learning_rate)
    shape |= {"blocks": options.blocks, "seed": options.seed, "global_batch": options.global_batch}
    first = resume(way, optimizer, options.checkpoint, shape) if options.checkpoint else 0
    emit("began", pid=os.getpid(), from_step=first, samples=way.samples)
    # A pass for nothing. Torch settles in it how gradients are packed into messages; were that to happen in
    # the first step after a restart, sums would be rounded in another order than in the same step before.
    way.gradients(rows_of(text.train, options.seed, first, options.global_batch, options.context))
    optimizer.zero_grad()

    for step in range(first, options.steps):
        clock.begin()
        loss = way.gradients(rows_of(text.train, options.seed, step, options.global_batch, options.context))
        clock.mark("communicate" if clock.pieces else "compute")
        die_if_asked(options, step)
        optimizer.step()
        optimizer.zero_grad()
        clock.mark("compute")
        report(way, clock, step, loss, options.timeline)
        if options.checkpoint and (step + 1) % options.checkpoint_every == 0:
            save(way, optimizer, options.checkpoint, step + 1, shape)

    emit("ended", held=held(way.network, optimizer), sent=sent())


def report(
    way: DataParallel | Pipelined, clock: Clock, step: int, loss: torch.Tensor, timeline: bool
) -> None:
    """Tell what a step was like."""
    more = {"pieces": clock.pieces} if timeline else {}
    times = {"began": clock.began, "ended": clock.last}
    emit("step", step=step, loss=loss, samples=way.samples, late=way.late, **times, **more)


def save(way: DataParallel | Pipelined, optimizer, folder: str, step: int, shape: dict[str, int]) -> None:
    """All workers give their part; worker 0 writes."""
    began = time.monotonic()
    state = way.state(optimizer)
    if dist.get_rank() == 0:
        path = checkpoint.save(folder, step, state | {"shape": shape})
        emit("saved", steps_done=step, bytes=path.stat().st_size, seconds=time.monotonic() - began)


def resume(way: DataParallel | Pipelined, optimizer, folder: str, shape: dict[str, int]) -> int:
    """Go on from the newest sound checkpoint, if there is any; returns the steps that are done.

    Worker 0 reads and hands copies to the others, so that all go on from the same one. The state is whole: a
    run may go on with another number of workers, or another way of sharing the work, than it was saved with.
    """
    found: list[Any] = [None]
    if dist.get_rank() == 0:
        checkpoint.tidy(folder)
        found = [checkpoint.newest(folder)]
    dist.broadcast_object_list(found)
    if found[0] is None:
        return 0
    if found[0].state["shape"] != shape:
        raise ValueError(
            f"the checkpoint in {folder} belongs to another run: it has {found[0].state['shape']}, "
            f"this run {shape}. Give another folder, or the same settings."
        )
    way.restore(optimizer, found[0].state)
    if dist.get_rank() == 0:
        emit("restored", steps_done=found[0].step, refused=found[0].refused)
    return found[0].step


def die_if_asked(options: argparse.Namespace, step: int) -> None:
    """Be killed, as by a failing machine: no exception, no farewell. Only in the first run of the job."""
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
    if step == options.die_at_step and dist.get_rank() == options.die_rank and not again:
        os.kill(os.getpid(), signal.SIGKILL)


def held(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, int]:
    """Bytes of weights and of the optimizer's memory that this worker keeps between steps."""

    def size(tensor: torch.Tensor) -> int:
        mine = tensor.to_local() if hasattr(tensor, "to_local") else tensor
        return mine.numel() * mine.element_size()

    moments = [value for one in optimizer.state.values() for value in one.values() if torch.is_tensor(value)]
    return {"weights": sum(map(size, network.parameters())), "optimizer": sum(map(size, moments))}


def sent() -> int | None:
    """Bytes that this worker has sent to others; None where the system does not count them."""
    try:
        return link.bytes_sent()
    except link.PacingUnavailable:
        return None


@record
def main(argv: list[str] | None = None) -> None:
    """Run one worker; torchrun starts as many as are wanted."""
    options = arguments(argv)
    with joined():
        train(options)


if __name__ == "__main__":
    main()
