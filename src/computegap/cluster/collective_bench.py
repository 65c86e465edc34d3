"""Measure all-reduce over message sizes: gloo's own, and a ring and a tree written with send and receive.

A program for torchrun: every worker runs it, and all of them together measure. From the notebook it is
started with :func:`computegap.cluster.launch.launch`; on a shell with::

    torchrun --nproc-per-node 4 -m computegap.cluster.collective_bench --sizes 1024 1048576

Every time it emits is the longest over the workers of one repeat: an all-reduce is over when the last worker
has the sum. Each sum is checked against the exact one.
Taught in chapter 7.
"""

from __future__ import annotations

import argparse
import math
import time
from itertools import product

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import record

from computegap.cluster import link
from computegap.cluster.records import emit
from computegap.cluster.worker import joined


def ring_sum(mine: torch.Tensor) -> None:
    """Add up a tensor over all workers, in place: pieces travel round a ring, collecting, then again."""
    rank, workers = dist.get_rank(), dist.get_world_size()
    right, left = (rank + 1) % workers, (rank - 1) % workers
    pieces = list(mine.tensor_split(workers))
    for step in range(2 * (workers - 1)):
        collecting = step < workers - 1
        shift = step if collecting else step - workers
        sent = dist.isend(pieces[(rank - shift) % workers], right)
        target = pieces[(rank - shift - 1) % workers]
        received = torch.empty_like(target)
        dist.recv(received, left)
        target.copy_(target + received if collecting else received)
        sent.wait()


def tree_sum(mine: torch.Tensor) -> None:
    """Add up a tensor over all workers, in place: pairs, pairs of pairs, and the sum back down."""
    rank, workers = dist.get_rank(), dist.get_world_size()
    distances = [2**level for level in range(math.ceil(math.log2(workers)))]
    received = torch.empty_like(mine)
    for distance in distances:  # upwards: the higher of each pair hands over, and is done
        if rank % (2 * distance) == distance:
            dist.send(mine, rank - distance)
        elif rank % (2 * distance) == 0 and rank + distance < workers:
            dist.recv(received, rank + distance)
            mine += received
    for distance in reversed(distances):  # downwards, in the opposite order
        if rank % (2 * distance) == 0 and rank + distance < workers:
            dist.send(mine, rank + distance)
        elif rank % (2 * distance) == distance:
            dist.recv(mine, rank - distance)


def library_sum(mine: torch.Tensor) -> None:
    """Add up a tensor over all workers, in place, with the library's own all-reduce."""
    dist.all_reduce(mine)


ALGORITHMS = {"library": library_sum, "ring": ring_sum, "tree": tree_sum}


def measure(name: str, size: int) -> float:
    """Seconds of one all-reduce of ``size`` bytes, the longest over the workers.

    Raises
    ------
    RuntimeError
        If the sum is wrong.
    """
    rank, workers = dist.get_rank(), dist.get_world_size()
    mine = torch.full((max(1, size // 4),), float(rank + 1))
    dist.barrier()
    start = time.perf_counter()
    ALGORITHMS[name](mine)
    seconds = torch.tensor(time.perf_counter() - start, dtype=torch.float64)
    if not bool((mine == workers * (workers + 1) / 2).all()):
        raise RuntimeError(f"{name}: the sum of {size} bytes is wrong on worker {rank}")
    dist.all_reduce(seconds, dist.ReduceOp.MAX)
    return float(seconds)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure all-reduce over message sizes.")
    parser.add_argument("--sizes", type=int, nargs="+", required=True, help="bytes")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS), choices=list(ALGORITHMS))
    parser.add_argument(
        "--link-rates", type=float, nargs="+", default=[0.0], help="bytes/s of each connection; 0: no limit"
    )
    given = parser.parse_args(argv)
    if given.repeats < 1 or min(given.sizes) < 4:
        parser.error("repeats start at one, and sizes at four bytes, which is one number")
    return given


@record
def main(argv: list[str] | None = None) -> None:
    """Run the measurement; see ``--help`` for the arguments. Emits records of kind ``all_reduce``."""
    given = _arguments(argv)
    before = link.connections()  # those of torchrun itself, which stay as they are
    with joined():
        for name in given.algorithms:  # opens all connections, so that none is opened while time is taken
            measure(name, 4096)
        for rate in sorted(given.link_rates, key=lambda rate: rate or float("inf"), reverse=True):
            if rate:
                link.pace(rate, skip=before)
            for repeat, size, name in product(range(given.repeats), given.sizes, given.algorithms):
                seconds = measure(name, size)
                if dist.get_rank() == 0:
                    emit("all_reduce", algorithm=name, size=size, seconds=seconds, repeat=repeat, rate=rate)


if __name__ == "__main__":
    main()
