"""The command line of :mod:`computegap.cluster.train`, and what it refuses."""

from __future__ import annotations

import argparse

WAYS = ("data", "sharded", "pipeline")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="computegap.cluster.train", description="Train on some workers.")
    add = parser.add_argument
    add("--parallel", choices=WAYS, default="data", help="how the work is shared")
    add("--steps", type=int, default=60)
    add("--global-batch", type=int, default=512, help="rows of a step, all workers together")
    add("--seed", type=int, default=0)
    add("--learning-rate", type=float, default=2e-3)
    add("--context", type=int, default=16, help="symbols that the network sees")
    add("--width", type=int, default=64)
    add("--blocks", type=int, default=4)
    add("--microbatches", type=int, default=8, help="parts of a batch (pipeline)")
    add("--schedule", choices=["gpipe", "1f1b"], default="1f1b", help="order of work (pipeline)")
    add("--chip-speed", type=speeds, help="samples/s of each worker's emulated chip: one number, or one each")
    add("--batch-split", choices=["even", "by-speed"], default="even", help="rows for each worker (data)")
    add("--timeline", action="store_true", help="record where the time of each step goes (data)")
    add("--link-rate", type=float, help="bytes/s that each connection may send")
    add("--checkpoint", help="folder to save to, and to go on from")
    add("--checkpoint-every", type=int, default=20, help="steps between checkpoints")
    add("--die-at-step", type=int, help="kill a worker in this step, once")
    add("--die-rank", type=int, default=0, help="which one")
    return parser.parse_args(argv)


def speeds(words: str) -> list[float]:
    """``"2000"`` or ``"2000,2000,1000"`` as numbers."""
    numbers = [float(word) for word in words.split(",")]
    if not all(number > 0 for number in numbers):
        raise argparse.ArgumentTypeError(f"speeds are numbers above zero, got {words!r}")
    return numbers


def check(options: argparse.Namespace, workers: int) -> None:
    """Refuse what cannot work, with a sentence on what would. Raises ValueError."""
    if options.steps < 1 or options.checkpoint_every < 1:
        raise ValueError("--steps and --checkpoint-every start at one")
    if options.global_batch < workers:
        raise ValueError(f"a batch of {options.global_batch} has no row for each of {workers} workers")
    if options.chip_speed:
        if options.parallel != "data":
            raise ValueError("chips are emulated for --parallel data only")
        if len(options.chip_speed) not in {1, workers}:
            raise ValueError(
                f"{len(options.chip_speed)} chip speeds for {workers} workers; give one, or one each"
            )
        if len(options.chip_speed) == 1:
            options.chip_speed *= workers
    if options.timeline and options.parallel != "data":
        raise ValueError(
            "a timeline can be recorded for --parallel data only, where messages have their own time"
        )
    if options.batch_split == "by-speed" and not options.chip_speed:
        raise ValueError("--batch-split by-speed needs --chip-speed")
    if options.parallel == "pipeline":
        if options.global_batch % options.microbatches:
            raise ValueError(
                f"{options.microbatches} microbatches do not divide a batch of {options.global_batch}"
            )
        if workers > options.blocks + 2:
            raise ValueError(f"{options.blocks + 2} layers cannot be cut into {workers} stages")
