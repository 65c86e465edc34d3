"""How long a training step takes on a cluster, in named parts that add up.

Three things are kept apart. The *hardware* comes from data sheets: peak, memory, wires. The *physics* is a
handful of short functions, :mod:`computegap.cluster.physics`. The *calibration* is one record of fitted
numbers, :mod:`computegap.cluster.calibration`. This module puts them together: first what a micro-batch costs
on one layer, then on a pipeline stage, then what the whole step adds (bubble, gradients, optimizer).

Every field of a :class:`Job` may be a number or a numpy array; arrays broadcast, so that a million layouts are
one call. Times in seconds, rates in FLOP/s, bandwidths in bytes/s in one direction, sizes in bytes.

What is not in it: failures and checkpoints (:mod:`computegap.cluster.failures`), uneven experts, congestion by
other jobs, data loading. Taught in chapter 9.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from computegap.cluster import physics
from computegap.cluster.calibration import FITTED, INTERVAL, Calibration

Number = Any  # a float or a numpy array: everything below broadcasts

#: Share of a chip's peak that fused attention reaches, forward and backward together.
#: FlashAttention: 25-40 %, FlashAttention-2: 50-73 % of an A100 (Dao 2023, abstract and section 4.1).
FLASH_REACH = {"flash1": 0.35, "flash2": 0.58, "vendor": 0.58}
ATTENTION = ("unfused", *FLASH_REACH)
ELEMENTWISE = ("fused", "eager", "compiled")
SHARDING = ("none", "zero1", "zero2", "zero3", "fsdp")
#: Bytes through memory for each attention score that is written out: product, softmax, dropout, product.
SCORE_BYTES_FORWARD, SCORE_BYTES_BACKWARD = 13.0, 19.0
#: Bytes through memory for each logit, forward and backward. "library": the product's result, a 32-bit copy, a
#: softmax and a gradient, each written once. "sharded": the same split over tensor-parallel chips as Megatron-LM
#: writes it, one operation after another on a 32-bit copy (maximum, difference, exponential, sum, quotient, ...).
LOSS_BYTES = {"library": 24.0, "sharded": 55.0}
#: Bytes that Adam reads and writes for each parameter: 32-bit weight, gradient, two moments, 16-bit copy.
ADAM_BYTES = 30.0


@dataclass(frozen=True)
class Model:
    """Shape of a transformer. Lengths in tokens, widths in numbers.

    Attributes
    ----------
    layers, hidden, heads, kv_heads, head_dim, ffn, vocab, seq_len : int or array
        The usual; ``ffn`` is the width inside the MLP (of one expert, in a mixture of experts).
    gated : bool or array
        Whether the MLP has a third, gating matrix.
    causal : bool or array
        Whether tokens look back only.
    window : float or array
        Share of the earlier tokens that attention looks at, 1 = all.
    parallel_block : bool or array
        Whether attention and MLP of a layer run side by side on the same input.
    experts, chosen, shared : int or array
        Experts of a layer (0: none), experts that a token goes to, experts that all tokens go to.
    dense_layers, dense_ffn : int or array
        Layers without experts, and the width of their MLP.
    latent : bool or array
        Multi-head latent attention (DeepSeek-V2): its projections go through narrow middles.
    """

    layers: Number
    hidden: Number
    heads: Number
    kv_heads: Number
    head_dim: Number
    ffn: Number
    vocab: Number
    seq_len: Number
    gated: Number = False
    causal: Number = True
    window: Number = 1.0
    parallel_block: Number = False
    experts: Number = 0
    chosen: Number = 0
    shared: Number = 0
    dense_layers: Number = 0
    dense_ffn: Number = 0
    latent: Number = False

    @property
    def attention_weights(self) -> Number:
        """Parameters of a layer's attention."""
        plain = self.hidden * self.head_dim * 2 * (np.asarray(self.heads) + self.kv_heads)
        # DeepSeek-V2, table 2 of its appendix: queries through 1,536, keys and values through 512, 64 for positions.
        narrow = self.hidden * (1536 + 512 + 64) + np.asarray(self.heads) * (1536 * 192 + 512 * 256 + 128 * self.hidden)
        return np.where(self.latent, narrow, plain)

    @property
    def mlp_matrices(self) -> Number:
        """Matrices of an MLP: two, or three with a gate."""
        return np.where(self.gated, 3, 2)

    @property
    def parameters(self) -> Number:
        """Weights in matrices, the embedding counted once for reading and once for writing."""
        sparse = np.where(np.asarray(self.experts) > 0, np.asarray(self.layers) - self.dense_layers, 0)
        dense = np.asarray(self.layers) - sparse
        dense_width = np.where(np.asarray(self.experts) > 0, self.dense_ffn, self.ffn)
        mlp = self.mlp_matrices * self.hidden
        experts = (np.asarray(self.experts) + self.shared) * self.ffn
        return (
            self.layers * self.attention_weights
            + mlp * (dense * dense_width + sparse * experts)
            + 2 * np.asarray(self.vocab) * self.hidden
        )


@dataclass(frozen=True)
class Hardware:
    """A chip and its wires, from data sheets and published measurements.

    Attributes
    ----------
    peak : float or array
        Dense BF16 FLOP/s.
    memory_bandwidth, memory : float or array
        Bytes/s of its memory, and bytes.
    link, network : float or array
        Bytes/s in one direction: to the chips of its node, and through its share of the network cards.
    per_node : int or array
        Chips that the inner links join.
    matmul_ceiling : float or array
        Best measured share of the peak in large matrix products.
    low_peak, low_ceiling : float or array
        The same two for the precision of the matrix products, if it is below BF16; 0 means BF16.
    power : float or array
        Power limit as a share of the nominal one.
    older_kernels : float or array
        Share of its rate that kernels written for the generation before reach.
    """

    peak: Number
    memory_bandwidth: Number
    link: Number
    network: Number
    memory: Number = 80e9
    per_node: Number = 8
    matmul_ceiling: Number = 0.8
    low_peak: Number = 0.0
    low_ceiling: Number = 0.7
    power: Number = 1.0
    older_kernels: Number = 1.0


@dataclass(frozen=True)
class Layout:
    """How the work is spread over the chips.

    Attributes
    ----------
    chips, tensor, pipeline, data, context, expert : int or array
        Chips in all, and the degrees of parallelism; ``chips = tensor * pipeline * data * context``. Experts
        are spread over chips of the data-parallel group.
    chunks : int or array
        Chunks of layers on each pipeline stage (interleaved schedule), 1 = plain.
    batch, micro_batch : int or array
        Sequences of a step in all, and of a micro-batch on one data-parallel rank.
    sharding : str or array of str
        ``none``, ``zero1``, ``zero2``, ``zero3`` or ``fsdp``.
    sequence_parallel : bool or array
        Whether norms and dropout are split over the tensor-parallel chips.
    recompute, recompute_attention : float or array
        Shares of the layers' matrix products, and of their attention cores, that are computed again.
    """

    chips: Number
    batch: Number
    tensor: Number = 1
    pipeline: Number = 1
    data: Number = 1
    context: Number = 1
    expert: Number = 1
    chunks: Number = 1
    micro_batch: Number = 1
    sharding: Any = "none"
    sequence_parallel: Number = False
    recompute: Number = 0.0
    recompute_attention: Number = 0.0

    @property
    def micro_batches(self) -> Number:
        """Micro-batches that each data-parallel rank works through in a step."""
        return np.asarray(self.batch) / (np.asarray(self.data) * self.micro_batch)


@dataclass(frozen=True)
class Practice:
    """What the software does: read in papers, documentation and code, never fitted.

    The defaults are what a well-kept open stack does in 2025.

    Attributes
    ----------
    attention : str or array of str
        ``unfused``, ``flash1``, ``flash2`` or ``vendor``.
    elementwise : str or array of str
        ``fused`` (hand-written kernels), ``eager`` (one kernel for each operation) or ``compiled``.
    loss : str or array of str
        ``library`` (one call for the cross-entropy) or ``sharded`` (over the vocabulary, operation by operation).
    tensor_overlap, data_overlap : bool or array
        Whether that communication runs beside the computation.
    split_sends : bool or array
        Whether a message to the next stage is split over the tensor-parallel chips.
    gradient_bytes : float or array
        Bytes of a gradient on the wire.
    gathers : bool or array
        Whether a micro-batch gathers its weights from the other ranks (FSDP and ZeRO stage 3).
    one_card : bool or array
        Whether such a gather uses one network card a chip, not all cards of the node together.
    blocking_engine, input_checks : bool or array
        A pipeline engine that waits for the device; input compared across workers for each micro-batch.
    """

    attention: Any = "flash2"
    elementwise: Any = "fused"
    loss: Any = "library"
    tensor_overlap: Number = False
    data_overlap: Number = True
    split_sends: Number = True
    gradient_bytes: Number = 4.0
    gathers: Number = False
    one_card: Number = False
    blocking_engine: Number = False
    input_checks: Number = False


@dataclass(frozen=True)
class Job:
    """A model on a layout of a cluster under a software practice."""

    model: Model
    hardware: Hardware
    layout: Layout
    practice: Practice = field(default_factory=Practice)

    def take(self, index) -> Job:
        """Return the job with every array field indexed: a row of a table, or some of its rows."""

        def pick(part):
            cut = {f.name: np.asarray(getattr(part, f.name)) for f in fields(part)}
            return type(part)(**{name: value[index] if value.ndim else value for name, value in cut.items()})

        return Job(pick(self.model), pick(self.hardware), pick(self.layout), pick(self.practice))


#: The parts of a step and what a figure calls them.
PARTS = {
    "matmul": "matrix products",
    "attention": "attention",
    "elementwise": "norms, activations",
    "recompute": "recomputation",
    "loss": "logits and loss",
    "launch": "waiting for the host",
    "tensor": "tensor parallelism",
    "context": "context parallelism",
    "expert": "expert parallelism",
    "sharding": "gathering weights",
    "send": "messages between stages",
    "imbalance": "uneven stages",
    "bubble": "pipeline bubble",
    "data": "adding up gradients",
    "optimizer": "optimizer",
    "straggle": "stragglers",
}


@dataclass(frozen=True)
class Breakdown:
    """Where the time of a step goes: a prediction in named parts, with its interval.

    Attributes
    ----------
    parts : dict[str, numpy.ndarray]
        Seconds by part, keys of :data:`PARTS`, none below zero; they add up to ``total``.
    total : numpy.ndarray
        Seconds of a step.
    low, high : numpy.ndarray
        Interval of the step: 80 % of published runs fell inside it when their family was left out of the fit.
    """

    parts: dict[str, np.ndarray]
    total: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __getitem__(self, part: str) -> np.ndarray:
        return self.parts[part]

    def share(self, part: str) -> np.ndarray:
        """Share of the step that a part takes."""
        return self.parts[part] / self.total


def check(job: Job) -> None:
    """Raise ``ValueError`` if a job makes no sense, saying what is wrong and what would be right."""
    layout, model, hardware, practice = job.layout, job.model, job.hardware, job.practice
    for part in (hardware, layout, model):
        for f in fields(part):
            value = getattr(part, f.name)
            if not np.issubdtype(np.asarray(value).dtype, np.number):
                continue
            zero_is_fine = f.default in (0, 0.0) or f.name in ("experts", "chosen", "shared")
            bad = np.asarray(value) < 0 if zero_is_fine else np.asarray(value) <= 0
            if np.any(bad | ~np.isfinite(np.asarray(value, dtype=float))):
                bound = "zero or more" if zero_is_fine else "above zero"
                raise ValueError(f"{type(part).__name__}.{f.name} must be {bound} and finite, got {value!r}")
    degrees = np.asarray(layout.tensor) * layout.pipeline * layout.data * layout.context
    _refuse(degrees != layout.chips, f"tensor * pipeline * data * context must be {layout.chips} chips, is {degrees}")
    _refuse(
        np.asarray(model.heads) % layout.tensor != 0,
        f"{layout.tensor} tensor-parallel chips must divide {model.heads} heads",
    )
    _refuse(
        np.asarray(layout.pipeline) * layout.chunks > model.layers,
        f"{layout.pipeline} stages of {layout.chunks} chunks need as many layers, the model has {model.layers}",
    )
    _refuse(
        np.asarray(layout.micro_batches) < 1 - 1e-9,
        f"a batch of {layout.batch} is less than a micro-batch of {layout.micro_batch} on {layout.data} ranks",
    )
    for name, value, known in (
        ("attention", practice.attention, ATTENTION),
        ("elementwise", practice.elementwise, ELEMENTWISE),
        ("loss", practice.loss, LOSS_BYTES),
        ("sharding", layout.sharding, SHARDING),
    ):
        unknown = set(np.unique(np.asarray(value)).tolist()) - set(known)
        if unknown:
            raise ValueError(f"{name} {sorted(unknown)}: one of {', '.join(known)}")


def _refuse(condition, message: str) -> None:
    if np.any(condition):
        raise ValueError(message)


def _matmuls(job: Job, knobs: Calibration, tokens) -> tuple[Number, Number]:
    """Seconds of a layer's matrix products, forward, and the rate of those that stay in BF16."""
    model, chip, tensor = job.model, job.hardware, np.asarray(job.layout.tensor)
    power = physics.power_factor(chip.power, 1.0, knobs.power_exponent)
    rate = np.asarray(chip.peak) * chip.matmul_ceiling * knobs.matmul_reach * power
    low = np.asarray(chip.low_peak) * chip.low_ceiling * knobs.matmul_reach * knobs.low_reach * power
    inner = np.where(np.asarray(chip.low_peak) > 0, low, rate)
    memory = np.asarray(chip.memory_bandwidth) / knobs.matmul_traffic

    def product(m, n, k):
        return physics.matmul_seconds(m, n, k, inner, memory)

    def mlp(m, width):
        return product(m, (model.mlp_matrices - 1) * width / tensor, model.hidden) + product(
            m, model.hidden, width / tensor
        )

    query = np.asarray(model.heads) * model.head_dim
    out = model.attention_weights / model.hidden - query
    attention = product(tokens, out / tensor, model.hidden) + product(tokens, model.hidden, query / tensor)
    experts = np.asarray(model.experts)
    some = np.maximum(experts, 1)
    local = some / job.layout.expert
    routed = local * mlp(tokens * np.maximum(model.chosen, 1) / local, model.ffn)
    shared = np.where(np.asarray(model.shared) > 0, mlp(tokens, np.maximum(model.shared, 1) * np.asarray(model.ffn)), 0)
    dense = mlp(tokens, np.where(experts > 0, model.dense_ffn, model.ffn))
    sparse_share = np.where(experts > 0, 1 - np.asarray(model.dense_layers) / model.layers, 0.0)
    return attention + (1 - sparse_share) * dense + sparse_share * (routed + shared), rate


def _attention(job: Job, knobs: Calibration, tokens, rate) -> tuple[Number, Number]:
    """Seconds of a layer's attention core, forward and backward."""
    model, chip, tensor = job.model, job.hardware, np.asarray(job.layout.tensor)
    kind = np.asarray(job.practice.attention)
    width = np.asarray(model.heads) * model.head_dim / tensor
    reach = sum(np.where(kind == name, share, 0.0) for name, share in FLASH_REACH.items())
    older = np.where(kind == "vendor", 1.0, chip.older_kernels)
    power = physics.power_factor(chip.power, 1.0, knobs.power_exponent)
    fused_rate = np.asarray(chip.peak) * knobs.flash_reach * power * older * np.where(reach > 0, reach, 1.0)
    fused = physics.attention_flops(tokens, model.seq_len, width, model.causal) * model.window / fused_rate
    scores = tokens * np.asarray(model.seq_len) * model.heads / tensor
    full = physics.attention_flops(tokens, model.seq_len, width, False) / rate
    # Heads whose width isn't a multiple of 8 numbers (16 bytes) don't reach the matrix units: 78 of 312 TFLOP/s.
    full = full * np.where(np.asarray(model.head_dim) % 8 == 0, 1.0, 4.0)
    write = knobs.score_passes * scores / np.asarray(chip.memory_bandwidth)
    unfused = full + SCORE_BYTES_FORWARD * write, 2 * full + SCORE_BYTES_BACKWARD * write
    is_fused = kind != "unfused"
    return np.where(is_fused, fused, unfused[0]), np.where(is_fused, 2.5 * fused, unfused[1])


def _elementwise(job: Job, knobs: Calibration, tokens) -> Number:
    """Seconds of a layer's norms, additions and activations, forward."""
    model, tensor = job.model, np.asarray(job.layout.tensor)
    kind = np.asarray(job.practice.elementwise)
    passes = np.where(
        kind == "fused", knobs.fused_passes, np.where(kind == "eager", knobs.eager_passes, knobs.compiled_passes)
    )
    whole = 10 * np.asarray(model.hidden) / np.where(job.layout.sequence_parallel, tensor, 1)
    heads = 2 * (np.asarray(model.heads) + 2 * np.asarray(model.kv_heads)) * model.head_dim / tensor
    experts = np.asarray(model.experts) > 0
    inner = np.where(experts, np.asarray(model.ffn) * (np.asarray(model.chosen) + model.shared), model.ffn)
    inside = model.mlp_matrices * inner / tensor
    moved = np.where(experts, knobs.expert_passes * 2.0 * np.asarray(model.chosen) * model.hidden, 0.0)  # to the experts and back
    return passes * 2 * tokens * (whole + heads + inside + moved) / job.hardware.memory_bandwidth


def _layer_weights(job: Job) -> Number:
    """Parameters of an average layer that a chip computes with."""
    model, layout = job.model, job.layout
    experts = np.asarray(model.experts) > 0
    sparse = np.where(experts, 1 - np.asarray(model.dense_layers) / model.layers, 0.0)
    held = (np.asarray(model.experts) / layout.expert + model.shared) * model.ffn
    width = sparse * held + (1 - sparse) * np.where(experts, model.dense_ffn, model.ffn)
    return (model.attention_weights + model.mlp_matrices * model.hidden * width) / layout.tensor


def step_time(job: Job, knobs: Calibration = FITTED, *, checked: bool = False) -> Breakdown:
    """Predict the time of a training step.

    Parameters
    ----------
    job : Job
        Model, hardware, layout and practice; numbers, or arrays that broadcast.
    knobs : Calibration
        The fitted numbers.
    checked : bool
        Skip :func:`check` (a sweep has already done it).

    Returns
    -------
    Breakdown
        Seconds in named parts that add up, with an interval.

    Raises
    ------
    ValueError
        If the job makes no sense: degrees that don't multiply to the chips, heads that don't divide, ...
    """
    if not checked:
        check(job)
    model, chip, layout, practice = job.model, job.hardware, job.layout, job.practice
    tensor, pipeline = np.asarray(layout.tensor), np.asarray(layout.pipeline)
    data, layers, hidden = np.asarray(layout.data), np.asarray(model.layers), np.asarray(model.hidden)
    tokens = np.asarray(model.seq_len) * layout.micro_batch / layout.context
    link, network = np.asarray(chip.link) * knobs.nvlink_reach, np.asarray(chip.network) * knobs.network_reach
    again, again_attention = np.asarray(layout.recompute), np.asarray(layout.recompute_attention)

    # One layer, one micro-batch: computation.
    matmul, rate = _matmuls(job, knobs, tokens)
    ahead, back = _attention(job, knobs, tokens, rate)
    small = _elementwise(job, knobs, tokens)
    weights = _layer_weights(job)
    # Gradients of the weights are added to what earlier micro-batches left: read and written once more.
    accumulate = (2 * np.asarray(practice.gradient_bytes) - 2) * weights / chip.memory_bandwidth
    layer = {
        "matmul": 3 * matmul,
        "attention": ahead + back,
        "elementwise": 3 * small + accumulate,
        "recompute": again * matmul + np.where(again > 0, small, 0.0) + again_attention * ahead,
    }

    # One layer, one micro-batch: communication that the next operation waits for.
    wire = physics.group_bandwidth(tensor, 1, link, network, chip.per_node)
    reduce = physics.all_reduce_seconds(2 * tokens * hidden, tensor, wire, knobs.hop_seconds)
    reduces = np.where(model.parallel_block, 1, 2) * (2 + again)
    layer["tensor"] = reduces * reduce * np.where(practice.tensor_overlap, knobs.leak, 1.0)
    wire = physics.group_bandwidth(layout.context, tensor, link, network, chip.per_node)
    rings = 2 * tokens * np.asarray(layout.context) * 2 * np.asarray(model.kv_heads) * model.head_dim / tensor
    turn = physics.all_gather_seconds(rings, np.asarray(layout.context), wire)
    layer["context"] = 3 * physics.exposed_seconds(ahead, turn, knobs.leak) + 0 * matmul
    wire = physics.group_bandwidth(layout.expert, tensor, link, network, chip.per_node)
    sent = 2 * tokens * np.asarray(model.chosen) * hidden / tensor
    sparse = np.where(np.asarray(model.experts) > 0, 1 - np.asarray(model.dense_layers) / layers, 0.0)
    layer["expert"] = 4 * sparse * physics.all_to_all_seconds(sent, np.asarray(layout.expert), wire)

    # The host must have started the kernels; the gathered weights must have arrived.
    busy = sum(layer.values())
    started = np.maximum(busy, knobs.launch_seconds * (1 + again / 3))
    layer["launch"] = started - busy + np.where(practice.blocking_engine, knobs.engine_seconds, 0.0)
    layer["launch"] = layer["launch"] + sparse * knobs.expert_seconds
    busy = busy + layer["launch"]
    kind = np.asarray(layout.sharding)
    whole = (kind == "fsdp") | (kind == "zero3")
    trips = np.where(whole, np.where(practice.one_card, 2 + again, 2.0), np.where(kind == "zero2", 1.0, 0.0))
    wire = np.where(
        practice.one_card,
        np.asarray(chip.network) * knobs.card_reach,
        physics.group_bandwidth(data, tensor, link, network, chip.per_node),
    )
    gather = trips * physics.all_gather_seconds(2 * weights, data, wire, knobs.hop_seconds)
    grads = np.where(practice.one_card, 2.0, practice.gradient_bytes)
    gather = gather + physics.all_gather_seconds(grads * weights, data, wire, knobs.hop_seconds)
    gathers = np.where(practice.gathers, trips > 0, whole)
    layer["sharding"] = np.where(gathers, physics.exposed_seconds(busy, gather, knobs.leak), 0.0)
    busy = busy + layer["sharding"]

    # One pipeline stage, one micro-batch.
    memory = np.asarray(chip.memory_bandwidth) / knobs.matmul_traffic
    product = 3 * physics.matmul_seconds(tokens, np.asarray(model.vocab) / tensor, hidden, rate, memory)
    each = sum(np.where(np.asarray(practice.loss) == name, size, 0.0) for name, size in LOSS_BYTES.items())
    logits = knobs.loss_passes * each * tokens * np.asarray(model.vocab) / tensor / chip.memory_bandwidth
    head = product + logits
    mean = (layers * busy + head) / pipeline
    slowest = physics.slowest_stage(layers, pipeline, busy, head)
    wire = np.where(np.asarray(layout.chips) > chip.per_node, network, link)
    message = 2 * tokens * hidden / np.where(practice.split_sends, tensor, 1)
    send = np.where(pipeline > 1, 2 * np.asarray(layout.chunks) * message / wire, 0.0) * knobs.send_exposed

    # The step.
    rounds = layout.micro_batches
    parts = {name: value * layers / pipeline * rounds for name, value in layer.items()}
    parts["launch"] = parts["launch"] + rounds * np.where(practice.input_checks, knobs.check_seconds, 0.0)
    parts["loss"] = head / pipeline * rounds
    parts["send"] = send * rounds
    parts["imbalance"] = (slowest - mean) * rounds
    parts["bubble"] = physics.bubble_share(pipeline, 1.0, np.asarray(layout.chunks)) * (mean + send)
    owned = (layers * weights + np.asarray(model.vocab) * hidden / tensor) / pipeline
    traded = np.where(kind == "none", 2 * np.asarray(practice.gradient_bytes), np.asarray(practice.gradient_bytes) + 2)
    wire = physics.group_bandwidth(data, tensor * layout.context, link, network, chip.per_node)
    traffic = physics.all_gather_seconds(traded * owned, data, wire)
    leak = np.where(practice.data_overlap, knobs.leak, 1.0)
    parts["data"] = np.where(gathers, 0.0, leak * traffic)
    updated = np.where(kind == "none", owned, owned / data)
    parts["optimizer"] = knobs.optimizer_passes * ADAM_BYTES * updated / chip.memory_bandwidth + 0 * rounds
    parts["launch"] = parts["launch"] + knobs.step_seconds
    nodes = np.maximum(np.asarray(layout.chips) / chip.per_node, 1.0)
    parts["straggle"] = knobs.straggle * np.log2(nodes) * sum(parts.values())
    total = sum(parts.values())
    parts = {name: np.broadcast_to(parts[name], np.shape(total)) for name in PARTS}
    return Breakdown(parts, total, total * INTERVAL[0], total * INTERVAL[1])


def with_chip(job: Job, **changes) -> Job:
    """Return the same job on hardware with some fields changed, for asking what a rule cost."""
    return replace(job, hardware=replace(job.hardware, **changes))
