"""How long a training step takes on a cluster, in named parts that add up.

Three things are kept apart. The *hardware* comes from data sheets: peak, memory, wires. The *physics* is a
handful of short functions, :mod:`computegap.cluster.physics`. The *calibration* is one record of fitted
numbers, :mod:`computegap.cluster.calibration`. This module puts them together: first what a micro-batch costs
on one layer, then on a pipeline stage, then what the whole step adds (bubble, gradients, optimizer).

Every field of a :class:`Job` may be a number or a numpy array; arrays broadcast, so that a million layouts
are one call. Times in seconds, rates in FLOP/s, bandwidths in bytes/s in one direction, sizes in bytes.

What is not in it: failures and checkpoints (:mod:`computegap.cluster.failures`), uneven experts, congestion
by other jobs, data loading. Taught in chapter 9.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from computegap.cluster import physics
from computegap.cluster.calibration import FITTED, INTERVAL, INTERVAL_EXPERTS, INTERVAL_LOW, Calibration

Number = Any  # a float or a numpy array: everything below broadcasts

#: Share of a chip's peak that fused attention reaches, forward and backward together.
#: FlashAttention: 25-40 %, FlashAttention-2: 50-73 % of an A100 (Dao 2023, abstract and section 4.1).
FLASH_REACH = {"flash1": 0.35, "flash2": 0.58, "vendor": 0.58}
ATTENTION = ("unfused", *FLASH_REACH)
ELEMENTWISE = ("fused", "eager", "compiled")
SHARDING = ("none", "zero1", "zero2", "zero3", "fsdp")
#: Bytes through memory for each attention score that is written out (product, softmax, dropout, product).
SCORE_BYTES_FORWARD, SCORE_BYTES_BACKWARD = 13.0, 19.0
#: Bytes through memory for each logit, forward and backward. A library writes the product's result, a 32-bit
#: copy, a softmax and a gradient once each; Megatron-LM, over a split vocabulary, writes one operation after
#: another on the 32-bit copy (maximum, difference, exponential, sum, quotient and what their gradients need).
LOSS_BYTES = {"library": 24.0, "sharded": 55.0}
#: Bytes that Adam reads and writes for each parameter (32-bit weight, gradient, two moments, 16-bit copy).
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
    nodes_limit : int or array
        Nodes that the experts of a token may stand on (DeepSeek-V3: 4), 0 = any.
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
    nodes_limit: Number = 0

    @property
    def attention_weights(self) -> Number:
        """Parameters of a layer's attention."""
        plain = self.hidden * self.head_dim * 2 * (np.asarray(self.heads) + self.kv_heads)
        # DeepSeek-V3 report, section 4.2: queries through 1,536 numbers, keys and values through 512, and
        # 64 for positions; heads of 128, of 192 with their positions.
        narrow = self.hidden * (1536 + 512 + 64)
        narrow = narrow + np.asarray(self.heads) * (1536 * 192 + 512 * 256 + 128 * self.hidden)
        return np.where(self.latent, narrow, plain)

    @property
    def mlp_matrices(self) -> Number:
        """Two matrices of an MLP, or three with a gate."""
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
        ``library`` (one call for the cross-entropy) or ``sharded`` (over the vocabulary, operation by
        operation).
    tensor_overlap, data_overlap : bool or array
        Whether that communication runs beside the computation.
    split_sends : bool or array
        Whether a message to the next stage is split over the tensor-parallel chips.
    gradient_bytes : float or array
        Bytes of a gradient on the wire.
    gathers : bool or array
        Whether even ``zero2`` gathers the weights for each micro-batch (FSDP's SHARD_GRAD_OP), where other
        software does it once a step.
    one_card : bool or array
        Whether the gathers of ``zero3`` move no more for a chip than one network card does, and are copied,
        as in DeepSpeed of 2021.
    keeps_products : bool or array
        Whether recomputation keeps some matrix products of every layer and redoes all that lies between them,
        instead of redoing some layers whole.
    expert_overlap : bool or array
        Whether the exchange between experts runs beside the computation of its layer, of another micro-batch.
    expert_grouped : bool or array
        Whether a token crosses the network once for each node and fans out there (DeepEP, HybridEP), instead
        of once for each expert (plain all-to-all).
    dispatch_bytes : float or array
        Bytes of a number on its way to an expert, on chips whose matrix products are in lower precision than
        BF16; there are two on other chips, and on the way back.
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
    keeps_products: Number = False
    expert_overlap: Number = False
    expert_grouped: Number = True
    dispatch_bytes: Number = 2.0
    blocking_engine: Number = False
    input_checks: Number = False


@dataclass(frozen=True)
class Job:
    """A model on a layout of a cluster under a software practice."""

    model: Model
    hardware: Hardware
    layout: Layout
    practice: Practice = field(default_factory=Practice)

    def arrays(self) -> Job:
        """Return the job with every field as an array, so that all of them broadcast."""
        return Job(*(_arrays(part) for part in (self.model, self.hardware, self.layout, self.practice)))

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
        Interval of the step: 80 % of published runs of its kind (dense in BF16, in lower precision, with
        experts) fell inside it when their family was left out of the fit.
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
    _refuse(
        degrees != layout.chips,
        f"tensor * pipeline * data * context must be {layout.chips} chips, is {degrees}",
    )
    _refuse(
        np.asarray(model.heads) % layout.tensor != 0,
        f"{layout.tensor} tensor-parallel chips must divide {model.heads} heads",
    )
    _refuse(
        np.asarray(layout.chunks) > np.ceil(np.asarray(model.layers) / layout.pipeline),
        f"{layout.pipeline} stages of {layout.chunks} chunks need as many layers, there are {model.layers}",
    )
    _refuse(
        np.asarray(layout.micro_batches) < 1 - 1e-9,
        f"a batch of {layout.batch} is less than {layout.micro_batch} sequences on {layout.data} ranks",
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


def _arrays(part):
    """Return a part of a job with every field as an array, so that all of them broadcast."""
    return type(part)(**{f.name: np.asarray(getattr(part, f.name)) for f in fields(part)})


def _choose(kind, values: dict[str, float]):
    """Return the value that belongs to each of an array of names, 0 for others."""
    return sum(np.where(kind == name, value, 0.0) for name, value in values.items())


def _sparse_share(model: Model) -> Number:
    """Share of the layers that have experts."""
    return np.where(model.experts > 0, 1 - model.dense_layers / model.layers, 0.0)


def layer_weights(model: Model, layout: Layout) -> Number:
    """Parameters of an average layer that a chip computes with."""
    sparse = _sparse_share(model)
    held = (model.experts / layout.expert + model.shared) * model.ffn
    width = sparse * held + (1 - sparse) * np.where(model.experts > 0, model.dense_ffn, model.ffn)
    return (model.attention_weights + model.mlp_matrices * model.hidden * width) / layout.tensor


def _rates(chip: Hardware, knobs: Calibration) -> tuple[Number, Number, Number]:
    """FLOP/s of products in BF16 and in the precision of the layers, bytes/s of memory under them."""
    reach = knobs.matmul_reach * physics.power_factor(chip.power, 1.0, knobs.power_exponent)
    rate = chip.peak * chip.matmul_ceiling * reach
    low = chip.low_peak * chip.low_ceiling * reach * knobs.low_reach
    return rate, np.where(chip.low_peak > 0, low, rate), chip.memory_bandwidth / knobs.matmul_traffic


def _matmuls(job: Job, knobs: Calibration, tokens: Number) -> Number:
    """Seconds of a layer's matrix products, forward."""
    model, tensor = job.model, job.layout.tensor
    _, rate, memory = _rates(job.hardware, knobs)

    def mlp(m, width):
        into = physics.matmul_seconds(
            m, (model.mlp_matrices - 1) * width / tensor, model.hidden, rate, memory
        )
        return into + physics.matmul_seconds(m, model.hidden, width / tensor, rate, memory)

    query = model.heads * model.head_dim
    others = model.attention_weights / model.hidden - query
    attention = physics.matmul_seconds(tokens, others / tensor, model.hidden, rate, memory)
    attention = attention + physics.matmul_seconds(tokens, model.hidden, query / tensor, rate, memory)
    local = np.maximum(model.experts, 1) / job.layout.expert
    routed = local * mlp(tokens * np.maximum(model.chosen, 1) / local, model.ffn)
    shared = np.where(model.shared > 0, mlp(tokens, np.maximum(model.shared, 1) * model.ffn), 0.0)
    dense = mlp(tokens, np.where(model.experts > 0, model.dense_ffn, model.ffn))
    sparse = _sparse_share(model)
    return attention + (1 - sparse) * dense + sparse * (routed + shared)


def _attention(job: Job, knobs: Calibration, tokens: Number) -> tuple[Number, Number]:
    """Seconds of a layer's attention core, forward and backward."""
    model, chip, kind = job.model, job.hardware, job.practice.attention
    width = model.heads * model.head_dim / job.layout.tensor
    reach = _choose(kind, FLASH_REACH) * np.where(kind == "vendor", 1.0, chip.older_kernels)
    reach = reach * knobs.flash_reach * physics.power_factor(chip.power, 1.0, knobs.power_exponent)
    flops = physics.attention_flops(tokens, model.seq_len, width, model.causal) * model.window
    fused = flops / (chip.peak * np.where(reach > 0, reach, 1.0))
    products = physics.attention_flops(tokens, model.seq_len, width, False) / _rates(chip, knobs)[0]
    # Heads whose width isn't a multiple of 8 numbers (16 bytes) miss the matrix units: 78 of 312 TFLOP/s.
    products = products * np.where(model.head_dim % 8 == 0, 1.0, 4.0)
    scores = tokens * model.seq_len * model.heads / job.layout.tensor
    write = knobs.score_passes * scores / chip.memory_bandwidth
    ahead = np.where(reach > 0, fused, products + SCORE_BYTES_FORWARD * write)
    return ahead, np.where(reach > 0, 2.5 * fused, 2 * products + SCORE_BYTES_BACKWARD * write)


def _elementwise(job: Job, knobs: Calibration, tokens: Number) -> Number:
    """Seconds of a layer's norms, additions and activations, forward."""
    model, tensor = job.model, job.layout.tensor
    factor = {"fused": knobs.fused_passes, "eager": knobs.eager_passes, "compiled": knobs.compiled_passes}
    whole = 10 * model.hidden / np.where(job.layout.sequence_parallel, tensor, 1)
    heads = 2 * (model.heads + 2 * model.kv_heads) * model.head_dim
    experts = model.experts > 0
    inner = model.mlp_matrices * np.where(experts, model.ffn * (model.chosen + model.shared), model.ffn)
    sorting = np.where(experts, knobs.expert_passes * 2 * model.chosen * model.hidden, 0.0)
    numbers = tokens * (whole + (heads + inner) / tensor + sorting)
    return _choose(job.practice.elementwise, factor) * 2 * numbers / job.hardware.memory_bandwidth


def _computation(job: Job, knobs: Calibration, tokens: Number) -> dict[str, Number]:
    """Seconds that a chip computes on a layer for a micro-batch, by part."""
    matmul, small = _matmuls(job, knobs, tokens), _elementwise(job, knobs, tokens)
    ahead, back = _attention(job, knobs, tokens)
    again = job.layout.recompute
    # Gradients of the weights are added to those of earlier micro-batches: read and written once more.
    weights = layer_weights(job.model, job.layout)
    accumulate = (2 * job.practice.gradient_bytes - 2) * weights / job.hardware.memory_bandwidth
    around = np.where(job.practice.keeps_products & (again > 0), 1.0, again)
    redone = again * matmul + around * small + job.layout.recompute_attention * ahead
    return {
        "matmul": 3 * matmul,
        "attention": ahead + back,
        "elementwise": 3 * small + accumulate,
        "recompute": redone,
    }


def _wires(chip: Hardware, knobs: Calibration) -> tuple[Number, Number]:
    """Bytes/s that collectives reach inside a node, and through a network card."""
    return chip.link * knobs.nvlink_reach, chip.network * knobs.network_reach


def _messages(job: Job, knobs: Calibration, tokens: Number, attention: Number) -> dict[str, Number]:
    """Seconds of a layer's messages that the next operation waits for, by kind of parallelism."""
    model, layout, chip = job.model, job.layout, job.hardware
    link, network = _wires(chip, knobs)
    wire = physics.group_bandwidth(layout.tensor, 1, link, network, chip.per_node)
    reduce = physics.all_reduce_seconds(2 * tokens * model.hidden, layout.tensor, wire, knobs.hop_seconds)
    reduces = np.where(model.parallel_block, 1, 2) * (2 + layout.recompute)
    shown = np.where(job.practice.tensor_overlap, knobs.leak, 1.0)
    wire = physics.group_bandwidth(layout.context, layout.tensor, link, network, chip.per_node)
    keys = 2 * 2 * tokens * layout.context * model.kv_heads * model.head_dim / layout.tensor
    turn = physics.all_gather_seconds(keys, layout.context, wire)
    return {
        "tensor": reduces * reduce * shown,
        "context": physics.exposed_seconds(attention, 3 * turn, knobs.leak),
    }


def _exchange(job: Job, knobs: Calibration, tokens: Number, computing: Number) -> Number:
    """Seconds of a layer that sending tokens to experts and back shows beside ``computing`` seconds."""
    model, layout, practice, chip = job.model, job.layout, job.practice, job.hardware
    # Where there are more chips with experts than data-parallel ranks, tensor-parallel chips hold some too.
    stride = np.clip(layout.tensor * layout.data / layout.expert, 1, layout.tensor)
    local = np.clip(chip.per_node / stride, 1, layout.expert)
    across, within = physics.expert_copies(
        model.chosen, layout.expert, local, model.nodes_limit, practice.expert_grouped
    )
    # Forward and backward, there and back. Each chip sends the tokens that it holds, through its own card.
    ahead = np.where(chip.low_peak > 0, practice.dispatch_bytes, 2.0)
    size = 2 * (ahead + 2) * tokens * model.hidden / layout.tensor
    wires = _wires(chip, knobs)
    exchange = _sparse_share(model) * physics.hierarchical_all_to_all_seconds(size, across, within, *wires)
    covered = physics.exposed_seconds(computing, exchange, knobs.leak)
    return np.where(practice.expert_overlap, covered, exchange)


def _launch(job: Job, knobs: Calibration, busy: Number) -> Number:
    """Seconds that a chip waits on a layer because the host hasn't started the next kernel."""
    host = knobs.launch_seconds * (1 + job.layout.recompute / 3)
    blocking = np.where(job.practice.blocking_engine, knobs.engine_seconds, 0.0)
    return np.maximum(host - busy, 0.0) + blocking + _sparse_share(job.model) * knobs.expert_seconds


def _sharded(job: Job) -> Number:
    """Whether each micro-batch gathers its weights from other ranks and scatters its gradients."""
    kind = job.layout.sharding
    return (kind == "fsdp") | (kind == "zero3") | (job.practice.gathers & (kind == "zero2"))


def _gathering(job: Job, knobs: Calibration, busy: Number) -> Number:
    """Seconds that gathering a layer's weights and scattering its gradients shows beside ``busy`` seconds."""
    layout, chip, slow = job.layout, job.hardware, job.practice.one_card & (job.layout.sharding == "zero3")
    wire = physics.group_bandwidth(layout.data, layout.tensor, *_wires(chip, knobs), chip.per_node)
    wire = np.where(slow, chip.network * knobs.card_reach, wire)
    trips = np.where(layout.sharding == "zero2", 1.0, np.where(slow, 2 + layout.recompute, 2.0))
    gradient = np.where(slow, 2.0, job.practice.gradient_bytes)
    weights = layer_weights(job.model, layout)
    gather = trips * physics.all_gather_seconds(2 * weights, layout.data, wire, knobs.hop_seconds)
    scatter = physics.all_gather_seconds(gradient * weights, layout.data, wire, knobs.hop_seconds)
    return np.where(_sharded(job), physics.exposed_seconds(busy, gather + scatter, knobs.leak), 0.0)


def _head(job: Job, knobs: Calibration, tokens: Number) -> Number:
    """Seconds of logits and loss for a micro-batch, forward and backward."""
    model, tensor = job.model, job.layout.tensor
    rate, _, memory = _rates(job.hardware, knobs)
    product = physics.matmul_seconds(tokens, model.vocab / tensor, model.hidden, rate, memory)
    passes = knobs.loss_passes * _choose(job.practice.loss, LOSS_BYTES)
    return 3 * product + passes * tokens * model.vocab / tensor / job.hardware.memory_bandwidth


def _send(job: Job, knobs: Calibration, tokens: Number) -> Number:
    """Seconds of a micro-batch's messages to and from the next stage that show."""
    layout, chip = job.layout, job.hardware
    wire = np.where(layout.chips > chip.per_node, *_wires(chip, knobs)[::-1])
    message = 2 * tokens * job.model.hidden / np.where(job.practice.split_sends, layout.tensor, 1)
    return np.where(layout.pipeline > 1, 2 * layout.chunks * message / wire, 0.0) * knobs.send_exposed


def _update(job: Job, knobs: Calibration) -> tuple[Number, Number]:
    """Seconds of a step for adding up gradients over the data-parallel ranks, and for the optimizer."""
    model, layout, chip = job.model, job.layout, job.hardware
    owned = model.layers * layer_weights(model, layout) + model.vocab * model.hidden / layout.tensor
    owned = owned / layout.pipeline
    gradient, alone = job.practice.gradient_bytes, layout.sharding == "none"
    traded = np.where(alone, 2 * gradient, gradient + 2) * owned
    stride = layout.tensor * layout.context
    wire = physics.group_bandwidth(layout.data, stride, *_wires(chip, knobs), chip.per_node)
    traffic = physics.all_gather_seconds(traded, layout.data, wire)
    shown = np.where(job.practice.data_overlap, knobs.leak, 1.0)
    updated = np.where(alone, owned, owned / layout.data)
    optimizer = knobs.optimizer_passes * ADAM_BYTES * updated / chip.memory_bandwidth
    return np.where(_sharded(job), 0.0, shown * traffic), optimizer


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
    job = job.arrays()
    layout, layers, stages = job.layout, job.model.layers, job.layout.pipeline
    tokens = job.model.seq_len * layout.micro_batch / layout.context

    # A layer, for a micro-batch: what the chip computes, then what it waits for.
    layer = _computation(job, knobs, tokens)
    computing = sum(layer.values())
    layer |= _messages(job, knobs, tokens, layer["attention"])
    layer["expert"] = _exchange(job, knobs, tokens, computing)
    layer["launch"] = _launch(job, knobs, sum(layer.values()))
    layer["sharding"] = _gathering(job, knobs, sum(layer.values()))
    busy = sum(layer.values())

    # A stage, for a micro-batch: the slowest sets the beat.
    head, send = _head(job, knobs, tokens), _send(job, knobs, tokens)
    mean = (layers * busy + head) / stages
    slowest = physics.slowest_stage(layers, stages, busy, head)

    # The step: micro-batches, the bubble, then what comes once.
    rounds = layout.micro_batches
    parts = {name: seconds * layers / stages * rounds for name, seconds in layer.items()}
    parts |= {"loss": head / stages * rounds, "send": send * rounds, "imbalance": (slowest - mean) * rounds}
    parts["bubble"] = physics.bubble_share(stages, 1, layout.chunks) * (mean + send)
    parts["data"], parts["optimizer"] = _update(job, knobs)
    checks = np.where(job.practice.input_checks, knobs.check_seconds, 0.0)
    parts["launch"] = parts["launch"] + rounds * checks + knobs.step_seconds
    nodes = np.maximum(layout.chips / job.hardware.per_node, 1.0)
    parts["straggle"] = knobs.straggle * np.log2(nodes) * sum(parts.values())
    total = sum(parts.values())
    parts = {name: np.broadcast_to(parts[name], np.shape(total)) for name in PARTS}
    low, high = (
        np.where(job.model.experts > 0, experts, np.where(job.hardware.low_peak > 0, lower, plain))
        for plain, lower, experts in zip(INTERVAL, INTERVAL_LOW, INTERVAL_EXPERTS, strict=True)
    )
    return Breakdown(parts, total, total * low, total * high)


def with_chip(job: Job, **changes) -> Job:
    """Return the same job on hardware with some fields changed, for asking what a rule cost."""
    return replace(job, hardware=replace(job.hardware, **changes))
