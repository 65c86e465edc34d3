"""Searching layouts: every way to spread a training step over a cluster, and which of them fits and is
fastest.

:func:`sweep` writes all combinations of degrees of parallelism, micro-batches, chunks, sharding and
recomputation as arrays, throws out what doesn't multiply or divide, asks
:func:`computegap.cluster.step_time.step_time` for all of the rest at once, and marks what doesn't fit into
a chip's memory.

Memory follows V. Korthikanti et al., "Reducing activation recomputation in large transformer models", MLSys
2023, and for weights, gradients and optimizer S. Rajbhandari et al., "ZeRO: memory optimizations toward
training trillion parameter models", SC 2020, section 3.1. Taught in chapter 9.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from computegap.cluster import physics
from computegap.cluster.calibration import FITTED, Calibration
from computegap.cluster.step_time import (
    Breakdown,
    Hardware,
    Job,
    Layout,
    Model,
    Practice,
    check,
    layer_weights,
    step_time,
)

#: Combinations that are worked on at a time; memory stays within a few hundred megabytes.
AT_ONCE = 50_000
#: Share of a chip's memory that a plan may fill; the rest is for buffers of the libraries and for fragments.
USABLE = 0.92
#: What may be recomputed: share of the matrix products, share of attention cores.
RECOMPUTE = {
    "nothing": (0.0, 0.0),
    "attention": (0.0, 1.0),
    "a quarter": (0.25, 0.25),
    "half": (0.5, 0.5),
    "everything": (1.0, 1.0),
}


def memory_bytes(job: Job) -> np.ndarray:
    """Bytes that the fullest chip of a job needs: weights, gradients, optimizer and activations.

    Parameters
    ----------
    job : Job
        Numbers or arrays.

    Returns
    -------
    numpy.ndarray
        Bytes. Weights in 16 bits, gradients as they travel, 12 bytes of optimizer state for each parameter,
        divided as the sharding says; activations of the micro-batches that the first stage holds.
    """
    job = job.arrays()
    model, layout = job.model, job.layout
    layer = layer_weights(model, layout)
    held = model.layers * layer / layout.pipeline + model.vocab * model.hidden / layout.tensor
    state = physics.state_bytes(held, layout.data, layout.sharding, job.practice.gradient_bytes)
    whole = (layout.sharding == "fsdp") | (layout.sharding == "zero3")
    return state + np.where(whole, 2 * 2 * layer, 0.0) + activation_bytes(job)


def activation_bytes(job: Job) -> np.ndarray:
    """Bytes of activations that the first stage of a pipeline keeps, and of the logits of the last."""
    model, layout, tensor = job.model, job.layout, job.layout.tensor
    tokens = model.seq_len * layout.micro_batch / layout.context
    written = (job.practice.attention == "unfused") & (layout.recompute_attention < 1)
    heads = np.where(written, model.heads, 0)  # fused attention keeps no scores
    plain = physics.activation_bytes(tokens, 1, model.hidden, heads, tensor, "tensor")
    split = physics.activation_bytes(tokens, 1, model.hidden, heads, tensor, "sequence")
    kept = np.where(layout.sequence_parallel, split, plain)
    inputs = physics.activation_bytes(tokens, 1, model.hidden, heads, tensor, "full")
    inputs = inputs / np.where(layout.sequence_parallel, tensor, 1)
    layer = layout.recompute * inputs + (1 - layout.recompute) * kept
    waiting = np.minimum(layout.micro_batches, layout.pipeline)
    early = (layout.pipeline - 1) / (layout.pipeline * layout.chunks)
    waiting = waiting * np.where(layout.chunks > 1, 1 + early, 1.0)
    working = np.where(layout.recompute > 0, kept, 0.0)
    logits = 6 * tokens * model.vocab / tensor
    return layer * np.ceil(model.layers / layout.pipeline) * waiting + working + logits


@dataclass(frozen=True)
class Sweep:
    """Layouts with their times, the fastest that fit first.

    Attributes
    ----------
    job : Job
        All layouts as one job with arrays, in order of rising time; layouts that don't fit come last.
    seconds : numpy.ndarray
        Predicted seconds of a step.
    memory : numpy.ndarray
        Bytes that the fullest chip needs.
    fits : numpy.ndarray
        Whether they are there.
    tried : int
        Combinations that were looked at, with those that don't multiply or divide.
    """

    job: Job
    seconds: np.ndarray
    memory: np.ndarray
    fits: np.ndarray
    tried: int

    def __len__(self) -> int:
        return len(self.seconds)

    def layout(self, place: int = 0) -> Layout:
        """Return the layout at a place of the ranking, as plain numbers."""
        row = self.job.take(place).layout
        return Layout(**{f.name: np.asarray(getattr(row, f.name)).item() for f in fields(row)})

    def breakdown(self, place: int = 0, knobs: Calibration = FITTED) -> Breakdown:
        """Return where the time goes at a place of the ranking."""
        return step_time(self.job.take(place), knobs)


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


def combinations(
    model: Model,
    hardware: Hardware,
    chips: Sequence[int],
    batch: int,
    *,
    tensor: Sequence[int] | None = None,
    pipeline: Sequence[int] | None = None,
    context: Sequence[int] = (1,),
    expert: Sequence[int] | None = None,
    micro_batch: Sequence[int] = (1, 2, 4, 8),
    chunks: Sequence[int] = (1, 2, 4, 8),
    sharding: Sequence[str] = ("zero1", "fsdp"),
    recompute: Sequence[str] = tuple(RECOMPUTE),
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield the combinations of a piece of the search: how many, and the fields of the possible ones."""
    heads, layers, experts = int(model.heads), int(model.layers), int(model.experts)
    tensors = tensor or [t for t in _divisors(heads) if t <= max(int(hardware.per_node), 1)]
    # Stages need not hold equally many layers: Llama 3 gave one layer less to its first and last stage.
    powers = [2**i for i in range(layers.bit_length() - 1)]
    stages = pipeline or sorted({*_divisors(layers), *powers})
    spread = expert or ([e for e in _divisors(experts) if e <= 256] if experts else [1])
    names = (
        "chips",
        "tensor",
        "pipeline",
        "context",
        "expert",
        "micro_batch",
        "chunks",
        "sharding",
        "recompute",
    )
    axes = [np.array(a) for a in (chips, tensors, stages, context, spread, micro_batch, chunks)]
    axes += [np.arange(len(sharding)), np.arange(len(recompute))]
    total = int(np.prod([len(a) for a in axes]))
    shares = np.array([RECOMPUTE[name] for name in recompute])
    for first in range(0, total, 4 * AT_ONCE):
        flat = np.arange(first, min(first + 4 * AT_ONCE, total))
        grid = np.unravel_index(flat, [len(a) for a in axes])
        f = {name: axis[place] for name, axis, place in zip(names, axes, grid, strict=True)}
        inner = f["tensor"] * f["pipeline"] * f["context"]
        data = f["chips"] // inner
        good = (f["chips"] % inner == 0) & (data > 0)
        rank = np.maximum(data, 1) * f["micro_batch"]
        good &= (batch % rank == 0) & (np.maximum(data, 1) % f["expert"] == 0)
        good &= (f["chunks"] == 1) | ((f["pipeline"] > 1) & (-(-layers // f["pipeline"]) % f["chunks"] == 0))
        kinds = np.array(sharding)[f["sharding"]]
        good &= ~((f["pipeline"] > 1) & np.isin(kinds, ("fsdp", "zero3")))
        kept = {name: values[good] for name, values in f.items() if name not in ("sharding", "recompute")}
        kept |= {"data": data[good], "sharding": kinds[good]}
        kept |= {
            "recompute": shares[f["recompute"][good], 0],
            "recompute_attention": shares[f["recompute"][good], 1],
        }
        yield len(flat), kept


def sweep(
    model: Model,
    hardware: Hardware,
    chips: int | Sequence[int],
    batch: int,
    *,
    practice: Practice | None = None,
    knobs: Calibration = FITTED,
    keep: int = 1000,
    **axes,
) -> Sweep:
    """Try every layout of a model on a cluster and rank those that fit into memory by their time.

    Parameters
    ----------
    model, hardware : Model, Hardware
        What is trained, and on which chips.
    chips : int or sequence of int
        How many chips; several numbers are searched together.
    batch : int
        Sequences of a step.
    practice : Practice, optional
        What the software does.
    knobs : Calibration
        The fitted numbers.
    keep : int
        How many layouts the result holds; the rest is only counted.
    **axes
        Choices for ``tensor``, ``pipeline``, ``context``, ``expert``, ``micro_batch``, ``chunks``,
        ``sharding`` and ``recompute``, where not all of them are wanted.

    Returns
    -------
    Sweep
        The fastest layouts, those that fit first.

    Raises
    ------
    ValueError
        If no combination multiplies to the chips and divides the batch, or a number makes no sense.
    """
    counts = [chips] if np.ndim(chips) == 0 else list(chips)
    if min(counts) < 1 or batch < 1:
        raise ValueError(f"chips and batch must be at least 1, got {chips!r} and {batch!r}")
    practice = practice or Practice()
    check(Job(model, hardware, Layout(1, 1), practice))
    tried, found = 0, []
    for size, choices in combinations(model, hardware, counts, batch, **axes):
        tried += size
        for first in range(0, len(choices["chips"]), AT_ONCE):
            part = {name: values[first : first + AT_ONCE] for name, values in choices.items()}
            layout = Layout(batch=batch, sequence_parallel=part["tensor"] > 1, **part)
            job = Job(model, hardware, layout, practice)
            memory = np.broadcast_to(memory_bytes(job), part["chips"].shape)
            fits = memory <= USABLE * np.asarray(hardware.memory)
            seconds = step_time(job, knobs, checked=True).total
            order = np.lexsort((seconds, ~fits))[:keep]
            found.append((job.take(order), seconds[order], memory[order], fits[order]))
    if not found:
        raise ValueError(
            f"no layout of {chips} chips divides a batch of {batch}, {model.heads} heads and the layers"
        )
    seconds, memory, fits = (np.concatenate([piece[i] for piece in found]) for i in (1, 2, 3))
    order = np.lexsort((seconds, ~fits))[:keep]
    merged = {
        f.name: np.concatenate(
            [np.broadcast_to(getattr(piece[0].layout, f.name), piece[1].shape) for piece in found]
        )[order]
        for f in fields(Layout)
    }
    job = Job(model, hardware, Layout(**merged), practice)
    return Sweep(job, seconds[order], memory[order], fits[order], tried)
