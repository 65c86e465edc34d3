"""Send gradients while the backward pass still runs, or only after it: what overlap hides of a slow wire.

A program for torchrun. The network is a chain of layers on emulated chips: each layer computes its real
gradients and then rests until its nominal time is over. The wire is a capped connection
(:mod:`computegap.cluster.link`). "Overlapped" is ``DistributedDataParallel`` with one bucket a layer, which
sends a layer's gradients as soon as they are there; "after" sends all of them when the backward pass is done;
"alone" sends none, for comparison.

Taught in chapter 7.
"""

from __future__ import annotations

import argparse
import time
from itertools import product

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn.parallel import DistributedDataParallel

from computegap.cluster import link
from computegap.cluster.records import emit
from computegap.cluster.worker import joined


class _Rest(torch.autograd.Function):
    """Pass values and gradients on unchanged, a nominal time later."""

    @staticmethod
    def forward(ctx, values, forward_seconds, backward_seconds):
        ctx.seconds = backward_seconds
        time.sleep(forward_seconds)
        return values.view_as(values)

    @staticmethod
    def backward(ctx, gradients):
        time.sleep(ctx.seconds)
        return gradients, None, None


class Layer(nn.Module):
    """A linear layer that takes a nominal time, twice as long backwards as forwards.

    Parameters
    ----------
    width : int
        Inputs and outputs; ``width**2`` weights of four bytes.
    seconds : float
        Nominal time of the forward pass.
    """

    def __init__(self, width: int, seconds: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)
        self.seconds = seconds

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute the layer, then rest."""
        return _Rest.apply(torch.tanh(self.linear(values)), self.seconds, 2 * self.seconds)


WAYS = ("alone", "after", "overlapped")


def step(model: DistributedDataParallel, inputs: torch.Tensor, way: str) -> float:
    """Seconds of one forward and backward pass, gradients averaged over the workers unless ``"alone"``."""
    model.zero_grad()
    dist.barrier()
    start = time.perf_counter()
    if way == "overlapped":
        model(inputs).square().mean().backward()
    else:
        with model.no_sync():
            model(inputs).square().mean().backward()
        for weights in reversed(list(model.parameters())) if way == "after" else ():
            dist.all_reduce(weights.grad)
            weights.grad /= dist.get_world_size()
    return time.perf_counter() - start


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what overlapping communication hides.")
    parser.add_argument("--link-rates", type=float, nargs="+", default=[56e6, 25e6], help="bytes/s")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layer-ms", type=float, default=7.0, help="nominal forward time of a layer")
    parser.add_argument("--repeats", type=int, default=4)
    given = parser.parse_args(argv)
    if min(given.layers, given.width, given.repeats) < 1 or not given.layer_ms > 0:
        parser.error("layers, width and repeats start at one, the time of a layer above zero")
    return given


@record
def main(argv: list[str] | None = None) -> None:
    """Measure all three ways at each rate, in turns; see ``--help``. Emits records of kind ``overlap``."""
    given = _arguments(argv)
    before = link.connections()  # those of torchrun itself, which stay as they are
    with joined() as (rank, _):
        torch.manual_seed(1)
        layers = [Layer(given.width, given.layer_ms / 1000) for _ in range(given.layers)]
        size = 4 * given.width**2
        # A bucket closes when it holds a whole layer.
        model = DistributedDataParallel(nn.Sequential(*layers), bucket_cap_mb=0.9 * size / 2**20)
        inputs = torch.randn(4, given.width)
        for _ in range(2):  # DDP settles its buckets in the first step
            step(model, inputs, "overlapped")
        # Every repeat has all rates and ways, so that a disturbance of the machine meets all of them.
        for repeat, rate, way in product(range(given.repeats), given.link_rates, WAYS):
            link.pace(rate, skip=before)
            seconds = torch.tensor(step(model, inputs, way), dtype=torch.float64)
            dist.all_reduce(seconds, dist.ReduceOp.MAX)
            if rank == 0:
                emit(
                    "overlap",
                    rate=rate,
                    way=way,
                    repeat=repeat,
                    seconds=float(seconds),
                    compute_seconds=3 * given.layers * given.layer_ms / 1000,
                    gradient_bytes=given.layers * size,
                )


if __name__ == "__main__":
    main()
