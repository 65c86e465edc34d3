"""A program for the tests of launching: it trains on two or more workers, and misbehaves as it is told to."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn.parallel import DistributedDataParallel

from computegap.cluster import train
from computegap.cluster.records import emit
from computegap.cluster.timeline import Clock
from computegap.cluster.worker import joined


def cut_connections() -> int:
    """Shut this worker's connections to other workers, as a pulled cable would; returns how many."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as one:
                ends = {one.getsockname()[1], one.getpeername()[1]}
                if one.family == socket.AF_INET and int(os.environ["MASTER_PORT"]) not in ends:
                    one.shutdown(socket.SHUT_RDWR)
                    count += 1
        except (OSError, IndexError):
            continue
    return count


def misbehave(how: str) -> None:
    """Do it."""
    if how == "raise":
        raise ValueError("the data of this worker are bad")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(7)
    if how == "hang":
        time.sleep(1000)
    if how == "orphan":
        # A process of its own session, with closed ends: nothing ties it to this one but its parent.
        command = [sys.executable, "-c", "import time; time.sleep(1000)"]
        subprocess.Popen(command, start_new_session=True)


def compare_gradients(words: list[str]) -> None:
    """Gradients as the workers find them together, beside those of one network that sees the whole batch."""
    options = train.arguments(words)
    train.check(options, dist.get_world_size())
    network, alone = (train.build(3, 50, 4, 16, 1) for _ in range(2))
    rows = train.rows_of(torch.arange(1000) % 50, 0, 0, options.global_batch, 4)
    torch.nn.functional.cross_entropy(alone(rows[:, :-1]), rows[:, -1]).backward()
    way = train.WAYS[options.parallel](network, options, Clock())
    way.gradients(rows)
    for (name, mine), whole in zip(way.network.named_parameters(), alone.parameters(), strict=True):
        found = mine.grad.full_tensor() if hasattr(mine.grad, "full_tensor") else mine.grad
        emit("gradient", name=name, off=(found - whole.grad).abs().max() / whole.grad.abs().max())


@record
def main(argv: list[str] | None = None) -> None:
    """Run one worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--how", default="well")
    parser.add_argument("--rank", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--gradients", action="store_true", help="compare those of train.py")
    parser.add_argument("--small-disk", type=int, help="bytes that a file may have, then go on as train.py")
    parser.add_argument("--cut-after", type=float, help="seconds; then go on as train.py")
    options, rest = parser.parse_known_args(argv)
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
    if options.small_disk:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.small_disk, options.small_disk))
        return train.main(rest)
    if options.cut_after:
        if int(os.environ["RANK"]) == options.rank and not again:
            timer = threading.Timer(options.cut_after, lambda: emit("cut", count=cut_connections()))
            timer.daemon = True
            timer.start()
        return train.main(rest)
    if options.gradients:
        with joined():
            return compare_gradients(rest)
    print("hello from worker", os.environ["RANK"], flush=True)
    with joined() as (rank, workers):
        torch.manual_seed(0)
        network = DistributedDataParallel(torch.nn.Linear(8, 1))
        for step in range(options.steps):
            network(torch.full((4, 8), rank + 1.0)).mean().backward()
            total = torch.tensor([rank + 1.0])
            dist.all_reduce(total)
            gradient = network.module.weight.grad.mean()
            emit("step", step=step, total=total[0], gradient=gradient, threads=torch.get_num_threads())
            network.zero_grad()
            if step == 1 and rank == options.rank and not (options.once and again):
                misbehave(options.how)
        emit("ended", workers=workers, pid=os.getpid(), said=os.environ.get("SAID"))


if __name__ == "__main__":
    main()
