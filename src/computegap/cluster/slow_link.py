"""Methods of training over a slow wire, one after the other in one job: a program for torchrun.

::

    torchrun --nproc-per-node 4 -m computegap.cluster.slow_link \\
        --rate 2e6 --seconds 2 --method ddp --method diloco:interval=50,bits=4

Every method starts from the same weights, sees the same text in the same order, and stops when its seconds
are over. Processes, gradients and messages are real. The wire is slowed down
(:mod:`computegap.cluster.link`), and the chips are emulated: two cores cannot be four accelerators, so a
step of computation counts a nominal time, while a message counts the time that it really took.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.distributed.algorithms.model_averaging.averagers import PeriodicModelAverager
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn.parallel import DistributedDataParallel

from computegap.cluster import worker
from computegap.cluster.link import Link, connections, require
from computegap.cluster.low_communication import Averaging, OuterOptimiser, fragments
from computegap.cluster.records import emit
from computegap.cluster.replicas import Replicas, draw, held_out_losses, optimiser_of, worker_generators
from computegap.experiment import seeds


@dataclass(frozen=True)
class Method:
    """How workers are to learn together; written ``kind:option=value,option=value``.

    Attributes
    ----------
    kind : str
        ``alone`` (no messages at all), ``ddp``, ``fp16``, ``powersgd`` (torch's data parallel training with
        its own communication hooks), ``local`` (torch's periodic averaging), ``diloco``, ``streaming``.
    interval : int
        Steps between two synchronisations.
    momentum, outer_rate : float
        Of the outer optimiser.
    bits : int
        Bits on the wire for a number of the outer gradient; 32 is no rounding.
    rank : int
        Of PowerSGD's factors.
    accumulate : int
        Batches whose gradients a worker adds up before it speaks (``ddp``).
    parts, delay, keep : int, int, float
        Streaming: number of fragments, steps for which a message may travel, and how much of the local
        weights is kept when the shared ones arrive.
    faster : float
        How many times as fast as the job's wire this method's is; 0 takes the cap away and counts no time for
        messages.
    learn : float
        What the learning rate is multiplied with.
    fresh : int
        1 starts from untrained networks.
    arithmetic : int
        0 counts a message's time on the wire only, and not what compressing it took here.
    """

    kind: str
    interval: int = 50
    momentum: float = 0.9
    outer_rate: float = 0.7
    bits: int = 32
    rank: int = 2
    accumulate: int = 1
    parts: int = 4
    delay: int = 10
    keep: float = 0.5
    faster: float = 1.0
    learn: float = 1.0
    fresh: int = 0
    arithmetic: int = 1

    @classmethod
    def parse(cls, text: str) -> Method:
        """Read ``kind:option=value,...``; ValueError names what is not known."""
        kind, _, options = text.partition(":")
        if kind not in _TRAINERS:
            raise ValueError(f"there is no method {kind!r}; there are {', '.join(_TRAINERS)}")
        types = {field.name: type(field.default) for field in fields(cls) if field.name != "kind"}
        values = {}
        for option in filter(None, options.split(",")):
            name, _, value = option.partition("=")
            if name not in types:
                raise ValueError(f"{text!r}: there is no option {name!r}; there are {', '.join(types)}")
            try:
                values[name] = types[name](value)
            except ValueError:
                raise ValueError(f"{text!r}: {name} should be a number, not {value!r}") from None
        return cls(kind, **values)


class Task:
    """What all methods share: networks, text, wire, clock, and the record of states.

    The clock runs in two ways. A step of computation counts its nominal time on the emulated chip, however
    long it took here. A message counts the time that it really took, from the moment at which the last worker
    was ready.

    Parameters
    ----------
    options : argparse.Namespace
        Of the command line.
    link : Link
    start : torch.Tensor or None
        Weights to start from; None for untrained networks.
    seed_numbers : list of int
    """

    def __init__(self, options, link: Link, start: torch.Tensor | None, seed_numbers: list[int]) -> None:
        self.options, self.link = options, link
        self.networks = Replicas(seed_numbers)
        self._untrained = self.networks.flat.clone()
        self._start = self._untrained if start is None else start
        self.me = dist.get_rank()

    def reset(self, method: Method) -> None:
        """Back to the start: weights, inner optimiser, text, clock, wire."""
        networks = self.networks
        start = self._untrained if method.fresh else self._start
        networks.load(start)
        networks.zero_grad()
        self.optimiser = optimiser_of(networks, self.options.learning_rate * method.learn)
        numbers = networks.seed_numbers
        self._random = worker_generators(numbers, self.me)
        self.method = method
        self.link.set_rate(self.options.rate * method.faster * len(numbers) or None)
        self.steps, self.clock = 0, 0.0
        self.on_the_wire = self.beyond = 0.0
        self._marks = [self.options.seconds * i / self.options.points for i in range(self.options.points + 1)]
        self._kept: list[tuple[float, int, int, torch.Tensor]] = []
        self._latest = (0.0, 0, 0, start.clone())
        dist.barrier()
        self._sent = self.link.sent

    def backward(self, network: torch.nn.Module, share: float = 1.0) -> None:
        """Gradients of one more batch, which count as one step of the emulated chip."""
        self.steps += 1
        self.clock += self.options.step_time
        (share * network(draw(self._random, self.options.rows)).sum()).backward()

    def local_step(self) -> None:
        """One step of this worker alone."""
        self.optimiser.zero_grad()
        self.backward(self.networks)
        self.optimiser.step()

    @contextmanager
    def wire(self) -> Iterator[None]:
        """What the block sends counts as long as it takes, from when all workers are ready."""
        dist.barrier()
        begun, before = self.link.start()
        yield
        needed = self.link.settle(begun, before)
        took = time.perf_counter() - begun
        self.on_the_wire += needed
        self.beyond += took - needed
        if self.method.faster:
            self.clock += took if self.method.arithmetic else needed

    def note(self, weights: torch.Tensor) -> None:
        """Remember the weights that one would have, were training to stop now."""
        while self._marks and self.clock > self._marks[0] + 1e-9:
            self._kept.append(self._latest)
            self._marks.pop(0)
        if self._marks:
            self._latest = (self.clock, self.steps, self.link.sent - self._sent, weights.clone())

    @property
    def over(self) -> bool:
        """Whether this worker's seconds are over."""
        return self.clock >= self.options.seconds - 1e-9

    def all_over(self, steps: int = 0) -> bool:
        """Whether the seconds are over on the first worker, or would be in so many steps: one answer for all.

        A method that notes nothing before its next exchange has no use for steps that end after the time.
        """
        then = self.clock + steps * self.options.step_time
        flag = torch.tensor([float(then >= self.options.seconds - 1e-9)])
        dist.broadcast(flag, 0)
        return bool(flag)

    def curve(self) -> dict:
        """States at the marks: seconds, steps, bytes, and the held-out loss of each seed."""
        self._kept += [self._latest] * len(self._marks)
        states: list[torch.Tensor] = []
        place = []
        for entry in self._kept:
            if not states or entry[3] is not states[-1]:
                states.append(entry[3])
            place.append(len(states) - 1)
        marks = [self.options.seconds * i / self.options.points for i in range(self.options.points + 1)]
        losses = self._judge(states)
        if self.me:
            return {}  # The first worker speaks for all.
        return {
            "seconds": marks,
            "steps": [entry[1] for entry in self._kept],
            "bytes": [entry[2] / len(self.networks.seed_numbers) for entry in self._kept],
            "losses": [losses[i] for i in place],
            "beyond": self.beyond / self.on_the_wire if self.on_the_wire else 0.0,
        }

    def _judge(self, states: list[torch.Tensor]) -> list[list[float]]:
        """Held-out losses of the first worker's states; each worker reads its share of the text."""
        count = torch.tensor([len(states)])
        dist.broadcast(count, 0)
        mine = torch.stack(states) if self.me == 0 else torch.empty(int(count), len(self.networks.flat))
        dist.broadcast(mine, 0)
        losses = torch.tensor(held_out_losses(self.networks, list(mine), (self.me, dist.get_world_size())))
        dist.all_reduce(losses)
        return (losses / dist.get_world_size()).tolist()


def alone(task: Task, method: Method) -> None:
    """One worker by itself, the first; the others would do the same on other text, and only wait."""
    while task.me == 0 and not task.over:
        task.local_step()
        task.note(task.networks.flat)


def data_parallel(task: Task, method: Method) -> None:
    """Torch's data parallel training with one of torch's communication hooks."""
    state, hook = None, default_hooks.allreduce_hook
    if method.kind == "fp16":
        hook = default_hooks.fp16_compress_hook
    elif method.kind == "powersgd":
        # As early as torch allows; it sends everything uncompressed before that.
        state = powerSGD_hook.PowerSGDState(
            None,
            matrix_approximation_rank=method.rank,
            start_powerSGD_iter=2,
            batch_tensors_with_same_shape=True,
        )
        hook = powerSGD_hook.powerSGD_hook
    under_way = []

    def timed(_, bucket):
        # Torch calls this inside the backward pass, once all gradients are there.
        under_way.append(task.wire())
        under_way[-1].__enter__()
        return hook(state, bucket)

    model = DistributedDataParallel(task.networks, init_sync=False, bucket_cap_mb=1000)
    model.register_comm_hook(None, timed)
    dist.barrier()
    for update in itertools.count(1):
        task.optimiser.zero_grad()
        with model.no_sync():
            for _ in range(method.accumulate - 1):
                task.backward(model, 1 / method.accumulate)
        task.backward(model, 1 / method.accumulate)
        under_way.pop().__exit__(None, None, None)
        task.optimiser.step()
        task.note(task.networks.flat)
        if (method.accumulate > 1 or update % 4 == 0) and task.all_over(method.accumulate - 1):
            return


def local_sgd(task: Task, method: Method) -> None:
    """Torch's periodic averaging of the weights."""
    averager = PeriodicModelAverager(period=1)
    while not task.steps or not task.all_over(method.interval):
        for _ in range(method.interval):
            task.local_step()
        with task.wire():
            averager.average_parameters(task.networks.parameters())
        task.networks.gather()
        task.note(task.networks.flat)


def diloco(task: Task, method: Method) -> None:
    """Local steps, then one step of the outer optimiser on the averaged outer gradient."""
    shared = OuterOptimiser(task.networks.flat, method.outer_rate, method.momentum)
    while not task.steps or not task.all_over(method.interval):
        for _ in range(method.interval):
            task.local_step()
        with task.wire():
            moved = Averaging(shared.weights - task.networks.flat, _bits(method)).result()
        task.networks.load(shared.step(moved))
        task.note(shared.weights)


def streaming(task: Task, method: Method) -> None:
    """Fragments in turn, each under way while the worker goes on computing.

    Here computation takes its nominal time for real, by resting, since a message travels meanwhile. The clock
    adds what the worker then still has to wait for it.
    """
    apart = method.interval // method.parts
    if method.interval % method.parts or not 0 < method.delay < apart:
        raise ValueError(
            "streaming needs an interval that the parts divide, and a delay below their distance"
        )
    # One row for each seed: a fragment is a part of every seed's network, not some of the networks.
    flat = task.networks.flat.view(len(task.networks.seed_numbers), -1)
    shared = OuterOptimiser(flat, method.outer_rate, method.momentum)
    parts = itertools.cycle(fragments(flat.shape[1], method.parts))
    while not task.steps or not task.all_over(apart):
        for _ in range(apart - method.delay):
            task.local_step()
        part = (slice(None), next(parts))
        dist.barrier()
        begun = task.link.start()
        moved = Averaging((shared.weights[part] - flat[part]).flatten(), _bits(method))
        until = time.perf_counter()
        for step in range(method.delay):
            task.local_step()
            until += task.options.step_time
            time.sleep(max(0.0, until - time.perf_counter()))
            if step == method.delay // 2:
                moved.second_half()
        waiting = time.perf_counter()
        arrived = shared.step(moved.result().view_as(flat[part]), part)
        task.link.settle(*begun)
        task.clock += time.perf_counter() - waiting
        flat[part] = method.keep * flat[part] + (1 - method.keep) * arrived
        task.note(shared.weights.flatten())


_TRAINERS: dict[str, Callable[[Task, Method], None]] = {
    "alone": alone,
    "ddp": data_parallel,
    "fp16": data_parallel,
    "powersgd": data_parallel,
    "local": local_sgd,
    "diloco": diloco,
    "streaming": streaming,
}


def _bits(method: Method) -> int | None:
    return None if method.bits >= 32 else method.bits


def train(task: Task, method: Method) -> dict:
    """Run one method; its curve."""
    task.reset(method)
    _TRAINERS[method.kind](task, method)
    task.link.set_rate(None)
    dist.barrier()
    return task.curve()


def warm_up() -> None:
    """A few tiny messages on every wire: the kernel paces a connection from its eleventh segment on."""
    for _ in range(12):
        dist.all_reduce(torch.zeros(dist.get_world_size()))
        got = torch.empty(dist.get_world_size())
        dist.all_to_all_single(got, torch.zeros_like(got))


def parser() -> argparse.ArgumentParser:
    """Options of the program."""
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--method", action="append", required=True, metavar="KIND:OPTION=VALUE,...")
    parse.add_argument("--seconds", type=float, default=1.4, help="wall-clock seconds for each method")
    parse.add_argument(
        "--rate", type=float, default=3e6, help="bytes per second and seed; 0: as fast as it goes"
    )
    parse.add_argument(
        "--step-time", type=float, default=0.004, help="seconds of a step on the emulated chip"
    )
    parse.add_argument("--seeds", type=int, default=4)
    parse.add_argument(
        "--rows", type=int, default=32, help="symbols to predict, for each worker, step and seed"
    )
    parse.add_argument("--learning-rate", type=float, default=4e-3)
    parse.add_argument("--points", type=int, default=7, help="how many points a curve has")
    parse.add_argument("--weights", default=None, help="file with the weights to start from")
    return parse


@record
def main(argv: Sequence[str] | None = None) -> None:
    """Run the methods that the command line names, and emit a record of kind ``method`` for each."""
    options = parser().parse_args(argv)
    methods = [Method.parse(text) for text in options.method]
    inherited = connections()
    if options.rate:
        require()
    with worker.joined():
        warm_up()
        link = Link(None, skip=inherited)
        start = torch.load(options.weights, weights_only=True) if options.weights else None
        task = Task(options, link, start, seeds(options.seeds))
        for text, method in zip(options.method, methods, strict=True):
            result = train(task, method)
            if task.me == 0:
                emit("method", method=text, **result)
        link.close()


if __name__ == "__main__":
    main()
