"""Let workers take times drawn by chance and wait for each other: what synchronous steps pay, measured.

A program for torchrun. Groups of one, two, four, ... workers step together. Nothing is computed: a worker's
"work" is a rest whose length was drawn (an emulated chip), and the waiting for the group's all-reduce is
real. Before that, one block without any chance shows what meeting costs by itself.

On a shell::

    torchrun --nproc-per-node 8 -m computegap.cluster.straggler_bench --deviation 0.2

Taught in chapter 7.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import record

from computegap.cluster.records import emit
from computegap.cluster.stragglers import TAILS, draw_times
from computegap.cluster.worker import joined


def _group_sizes(workers: int) -> list[int]:
    return [2**level for level in range(workers.bit_length()) if 2**level <= workers]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what waiting for the slowest costs.")
    parser.add_argument("--tails", nargs="+", default=list(TAILS), choices=TAILS)
    parser.add_argument("--deviation", type=float, default=0.2, help="standard deviation over mean")
    parser.add_argument("--mean-ms", type=float, default=20.0)
    parser.add_argument("--steps", type=int, default=12, help="steps in a block")
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    if given.steps < 2 or given.blocks < 1 or not 0 <= given.deviation <= 1 or not given.mean_ms > 0:
        parser.error("steps start at two, blocks at one, the deviation lies from 0 to 1, the mean above 0")
    return given


@record
def main(argv: list[str] | None = None) -> None:
    """Run all groups with all tails; see ``--help``. Emits records of kind ``waited``, one a block."""
    given = _arguments(argv)
    with joined() as (rank, workers):
        sizes = _group_sizes(workers)
        # Groups that fit beside each other run at the same time: 1, 2 and 4 of 8 workers, and then all 8.
        first, rounds = 0, [[]]
        for size in sizes:
            if first + size > workers:
                first, rounds = 0, [*rounds, []]
            rounds[-1].append(range(first, first + size))
            first += size
        # All of them together are a group already, and one worker waits for nobody.
        groups = {
            members: dist.new_group(list(members)) if 1 < len(members) < workers else None
            for turn in rounds
            for members in turn
        }
        for tail in ["none", *given.tails]:
            for turn in rounds:
                mine = next((members for members in turn if rank in members), None)
                dist.barrier()
                if mine is not None:
                    rng = np.random.default_rng([given.seed, rank, len(mine), len(tail)])
                    _run(given, rng, tail, mine, groups[mine])


def _run(given: argparse.Namespace, rng: np.random.Generator, tail: str, members: range, group) -> None:
    token = torch.zeros(1)
    if len(members) > 1:
        dist.all_reduce(token, group=group)  # all begin together
    for block in range(1 if tail == "none" else given.blocks):
        times = np.full(given.steps, given.mean_ms / 1000)
        if tail != "none":
            times = draw_times(rng, given.steps, given.mean_ms / 1000, given.deviation, tail)
        busy, steps = [], []
        for seconds in times:
            start = time.perf_counter()
            time.sleep(seconds)
            busy.append(time.perf_counter() - start)
            if len(members) > 1:
                dist.all_reduce(token, group=group)
            steps.append(time.perf_counter() - start)
        emit(
            "waited",
            tail=tail,
            workers=len(members),
            block=block,
            step_seconds=steps,
            busy_seconds=busy,
        )


if __name__ == "__main__":
    main()
