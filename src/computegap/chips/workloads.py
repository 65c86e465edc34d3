"""Step times of training, prefill and decode from a data sheet (chapter 1, "watered-down chips").

Each time is the larger of two: arithmetic over peak rate, and bytes over bandwidth. Decode reads all weights
(and the key-value cache) to make one token per sequence; prefill and training do so much arithmetic for the
same bytes that the rate decides; training on several chips adds the exchange over the link.

Sources: weights-bound decode and its batch size, Pope et al. 2022, "Efficiently Scaling Transformer
Inference" (arXiv:2211.05102); 2 operations per weight and token forward and 6 in training, Kaplan et al.
2020 (arXiv:2001.08361); ring all-reduce volume 2 (n-1)/n, Patarasuk and Yuan 2009; tensor-parallel exchange
of four all-reduces a layer, Shoeybi et al. 2019 (arXiv:1909.08053).

What this does not model: achieved rather than peak rates (a constant fraction would cancel in ratios only
if it were the same on both chips), attention arithmetic, kernel launches, software maturity, memory
capacity except in :func:`largest_batch`, experts, speculative decoding, networks beyond one group of linked
chips, power and price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from computegap import facts
from computegap.chips.roofline import attainable

#: Rates that serve for arithmetic at a width, the first known one counts.
_RATE_FIELDS = {8: ("fp8", "int8"), 16: ("bf16",)}


@dataclass(frozen=True)
class Model:
    """What of a dense transformer the arithmetic needs.

    Attributes
    ----------
    name : str
    weights : float
        Number of weights.
    layers, width : int
    kv_heads, head_dim : int
        Of the key-value cache.
    """

    name: str
    weights: float
    layers: int
    width: int
    kv_heads: int
    head_dim: int

    def weight_bytes(self, bits: int = 8) -> float:
        """Bytes of all weights at a width in bits."""
        return self.weights * bits / 8

    def kv_bytes_per_token(self, bits: int = 8) -> float:
        """Bytes of keys and values that one token adds to the cache."""
        return 2 * self.layers * self.kv_heads * self.head_dim * bits / 8


#: Shape of Llama 3 70B (Grattafiori et al. 2024, arXiv:2407.21783, table 3), weights rounded to 70 billion.
DENSE_70B = Model("70B", 70e9, layers=80, width=8192, kv_heads=8, head_dim=128)
#: Shape of Llama 3 8B, same table.
DENSE_8B = Model("8B", 8e9, layers=32, width=4096, kv_heads=8, head_dim=128)


@dataclass(frozen=True)
class Machine:
    """A chip as the arithmetic sees it: from a data sheet, or invented by a designer.

    Attributes
    ----------
    name : str
    peak16, peak8 : float
        Dense matrix rates at 16 and 8 bits, FLOP/s (8 bits: FP8, or INT8 where there is no FP8).
    bandwidth : float
        Memory, B/s.
    link : float
        Chip-to-chip link in one direction, B/s.
    memory : float
        Bytes.

    A search gives arrays instead of floats, one entry a design.
    """

    name: str
    peak16: float
    peak8: float
    bandwidth: float
    link: float
    memory: float = float("nan")

    def peak(self, bits: int) -> float:
        """Rate at a width.

        Raises
        ------
        ValueError
            If the width is neither 8 nor 16.
        """
        if bits not in _RATE_FIELDS:
            raise ValueError(f"rates are kept for 8 and 16 bits, not {bits}")
        return self.peak8 if bits == 8 else self.peak16


def _first_known(chip: facts.Chip, fields: tuple[str, ...]) -> float:
    for field in fields:
        fact = getattr(chip, field)
        if fact.known:
            return float(fact) * 1e12
    raise ValueError(
        f"{chip.name} has no known rate among {', '.join(fields)}; it stays out of this comparison"
    )


def machine(chip: str | facts.Chip | Machine) -> Machine:
    """The arithmetic's view of a chip of the registry.

    Data sheets give links as the sum of both directions; the machine keeps one direction, half of it. A link
    that is not known is taken as zero, so that only workloads with a link notice.

    Raises
    ------
    LookupError
        For an unknown chip.
    ValueError
        If its rates are blank in the registry.
    """
    if isinstance(chip, Machine):
        return chip
    record = facts.chip(chip) if isinstance(chip, str) else chip
    link, memory = record.link_gbs, record.mem_gb
    return Machine(
        name=record.name,
        peak16=_first_known(record, _RATE_FIELDS[16]),
        peak8=_first_known(record, _RATE_FIELDS[8]),
        bandwidth=float(record.mem_bw_gbs) * 1e9,
        link=float(link) / 2 * 1e9 if link.known else 0.0,
        memory=float(memory) * 1e9 if memory.known else float("nan"),
    )


def _roof_time(operations: ArrayLike, moved: ArrayLike, m: Machine, bits: int) -> np.ndarray:
    """Seconds for an amount of work under the roofline: operations over the attainable rate."""
    operations, moved = np.asarray(operations, float), np.asarray(moved, float)
    return operations / attainable(operations / moved, m.peak(bits), m.bandwidth)


def _positive(**named: ArrayLike) -> None:
    for name, value in named.items():
        if np.any(np.asarray(value) <= 0):
            raise ValueError(f"{name} must be positive, not {value}")


def decode_time(
    chip: str | facts.Chip | Machine,
    model: Model = DENSE_70B,
    batch: ArrayLike = 1,
    context: float = 0,
    bits: int = 8,
) -> np.ndarray:
    """Seconds to make one token for each sequence of a batch.

    Parameters
    ----------
    chip : str, facts.Chip or Machine
    model : Model
    batch : array_like
        Sequences decoded together.
    context : float
        Tokens in each sequence's key-value cache; 0 counts weights only.
    bits : int
        Width of weights, cache and arithmetic.

    Returns
    -------
    numpy.ndarray
        Shape of ``batch``.
    """
    _positive(batch=batch)
    batch = np.asarray(batch, float)
    moved = model.weight_bytes(bits) + batch * context * model.kv_bytes_per_token(bits)
    return _roof_time(2 * model.weights * batch, moved, machine(chip), bits)


def prefill_time(
    chip: str | facts.Chip | Machine, model: Model = DENSE_70B, tokens: ArrayLike = 2048, bits: int = 8
) -> np.ndarray:
    """Seconds to read a prompt: all its tokens go through the weights at once."""
    _positive(tokens=tokens)
    tokens = np.asarray(tokens, float)
    moved = np.full_like(tokens, model.weight_bytes(bits))
    return _roof_time(2 * model.weights * tokens, moved, machine(chip), bits)


def exchange_time(
    chip: str | facts.Chip | Machine,
    model: Model = DENSE_70B,
    tokens: ArrayLike = 4096,
    parallel: str = "data",
    group: int = 8,
) -> np.ndarray:
    """Seconds a training step spends on the link, per chip, with ring all-reduces in 16 bits.

    Parameters
    ----------
    tokens : array_like
        Tokens per chip and step. In tensor parallel the group works on ``tokens * group`` tokens together,
        each chip with its share of every layer, so that arithmetic per chip is the same in both.
    parallel : {"data", "tensor"}
        ``"data"``: the gradients of all weights once a step. ``"tensor"``: activations, four times a layer.
    group : int
        Chips on one link.
    """
    _positive(tokens=tokens, group=group)
    m = machine(chip)
    tokens = np.asarray(tokens, float)
    if parallel == "data":
        volume = np.full_like(tokens, 2 * model.weights)
    elif parallel == "tensor":
        volume = 4 * model.layers * 2 * model.width * tokens * group
    else:
        raise ValueError(f"parallel is 'data' or 'tensor', not {parallel!r}")
    if group == 1:
        return np.zeros_like(tokens)
    if np.any(np.asarray(m.link) <= 0):
        raise ValueError(f"{m.name} has no link on its data sheet, so a group of {group} cannot be modelled")
    return 2 * (group - 1) / group * volume / m.link


def training_time(
    chip: str | facts.Chip | Machine,
    model: Model = DENSE_70B,
    tokens: ArrayLike = 4096,
    parallel: str = "data",
    group: int = 8,
    overlap: bool | None = None,
) -> np.ndarray:
    """Seconds of one training step in 16 bits, for ``tokens`` tokens a chip.

    Arithmetic is 6 operations per weight and token. Data-parallel exchange is taken to hide behind arithmetic
    (the longer of the two counts); tensor-parallel exchange sits between operations that need it and adds up.
    ``overlap`` overrides either.
    """
    _positive(tokens=tokens)
    m = machine(chip)
    compute = 6 * model.weights * np.asarray(tokens, float) / m.peak16
    exchange = exchange_time(m, model, tokens, parallel, group)
    hidden = parallel == "data" if overlap is None else overlap
    return np.maximum(compute, exchange) if hidden else compute + exchange


def largest_batch(
    chip: str | facts.Chip | Machine, model: Model = DENSE_70B, context: float = 4096, bits: int = 8
) -> float:
    """Sequences whose caches fit beside the weights in memory; 0 if the weights alone do not fit."""
    _positive(context=context)
    room = machine(chip).memory - model.weight_bytes(bits)
    return max(0.0, room / (context * model.kv_bytes_per_token(bits)))


def crossover_batch(
    slow: str | facts.Chip | Machine,
    fast: str | facts.Chip | Machine,
    model: Model = DENSE_70B,
    context: float = 0,
    bits: int = 8,
    largest: float = 1e6,
) -> float:
    """Batch size from which on ``slow`` (little arithmetic, wide memory) decodes slower than ``fast``.

    Weights only, the closed form is (bytes per weight) x peak(slow) / (2 x bandwidth(fast)), as long as
    ``fast`` is still bound by memory there; this solves the general case by bisection.

    Returns
    -------
    float
        Infinity if ``slow`` is never the slower one up to ``largest`` sequences, 1 if it is from the start.
    """

    def lag(batch: float) -> float:
        return float(
            decode_time(slow, model, batch, context, bits) - decode_time(fast, model, batch, context, bits)
        )

    slow, fast = machine(slow), machine(fast)
    if lag(1.0) > 0:
        return 1.0
    if lag(largest) <= 0:
        return float("inf")
    low, high = 1.0, largest
    for _ in range(80):  # halves the logarithm's interval: far below float precision at the end
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if lag(middle) > 0 else (middle, high)
    return high


def context_without_crossover(
    slow: str | facts.Chip | Machine,
    fast: str | facts.Chip | Machine,
    model: Model = DENSE_70B,
    bits: int = 8,
) -> float:
    """Context length from which on ``slow`` keeps up with ``fast`` at every batch size, in tokens.

    With a cache that long, a further sequence costs ``fast`` more reading time than it costs ``slow``
    arithmetic: context x cache bytes / bandwidth(fast) >= 2 x weights / peak(slow).
    """
    slow, fast = machine(slow), machine(fast)
    return 2 * model.weights / slow.peak(bits) * fast.bandwidth / model.kv_bytes_per_token(bits)


#: Workloads of the comparison -> one sentence on what the step is.
WORKLOADS = {
    "training, data parallel": "one step of training, gradients exchanged over the link",
    "training, tensor parallel": "one step of training, each layer split over eight linked chips",
    "prefill": "reading a prompt",
    "decode": "one more token for every sequence, weights only",
    "decode, long context": "one more token for every sequence, with its key-value cache",
}
#: Context of the last workload, tokens.
LONG_CONTEXT = 8192


def step_time(
    chip: str | facts.Chip | Machine, workload: str, batch: ArrayLike = 1, model: Model = DENSE_70B
) -> np.ndarray:
    """Seconds of one step of a named workload.

    Parameters
    ----------
    workload : str
        A key of :data:`WORKLOADS`.
    batch : array_like
        Sequences in decode; tokens per chip in training and prefill.

    Raises
    ------
    LookupError
        For an unknown workload.
    """
    if workload == "prefill":
        return prefill_time(chip, model, batch)
    if workload == "decode":
        return decode_time(chip, model, batch)
    if workload == "decode, long context":
        return decode_time(chip, model, batch, context=LONG_CONTEXT)
    if workload.startswith("training, ") and workload in WORKLOADS:
        return training_time(chip, model, batch, parallel=workload.split()[1])
    raise LookupError(f"no workload {workload!r}; there are {', '.join(WORKLOADS)}")
