"""The physics of one training step: short pure functions, each held against a number that somebody published.

Nothing here is fitted and nothing knows a chip by name. Every function takes plain numbers or numpy arrays,
broadcasts them, and returns seconds, bytes or operations in SI units. What is fitted stands in
:mod:`computegap.cluster.calibration`, what is built from these pieces in
:mod:`computegap.cluster.step_time`. The tests call each function with the figures of its paper.

Sources: D. Narayanan et al., "Efficient large-scale language model training on GPU clusters using
Megatron-LM", SC 2021 (called SC21 below); V. Korthikanti et al., "Reducing activation recomputation in large
transformer models", MLSys 2023; NVIDIA, nccl-tests, ``doc/PERFORMANCE.md``; C. Zhao et al., "Insights into
DeepSeek-V3", ISCA 2025; DeepSeek-AI, "DeepSeek-V3 technical report", arXiv:2412.19437; S. Williams et al.,
"Roofline", CACM 52(4), 2009.
"""

from __future__ import annotations

import numpy as np

# --- counting: parameters, operations, bytes
# -----------------------------------------------------------------


def parameters(layers, hidden, vocab, seq_len):
    """Parameters of a GPT with learned positions and a four times wider MLP (SC21, equation 2)."""
    return 12 * layers * hidden**2 * (1 + 13 / (12 * hidden) + (vocab + seq_len) / (12 * layers * hidden))


def hardware_flops(batch, seq_len, layers, hidden, vocab):
    """Operations of an iteration that computes every layer's forward pass twice (SC21, equation 3)."""
    bracket = 1 + seq_len / (6 * hidden) + vocab / (16 * layers * hidden)
    return 96 * batch * seq_len * layers * hidden**2 * bracket


def model_flops(batch, seq_len, layers, hidden, vocab):
    """Operations of an iteration without any recomputation (Korthikanti et al., equation 7)."""
    bracket = 1 + seq_len / (6 * hidden) + vocab / (12 * layers * hidden)
    return 72 * batch * seq_len * layers * hidden**2 * bracket


def selective_flops(batch, seq_len, layers, hidden, vocab):
    """Operations when only the attention core is computed twice (Korthikanti et al., equation 8)."""
    bracket = 1 + seq_len / (3 * hidden) + vocab / (12 * layers * hidden)
    return 72 * batch * seq_len * layers * hidden**2 * bracket


def training_seconds(parameter_count, tokens, chips, flops_per_chip):
    """End-to-end time of a run with full recomputation: 8 T P / (n X) (SC21, equation 4)."""
    return 8 * tokens * parameter_count / (chips * flops_per_chip)


def activation_bytes(seq_len, batch, hidden, heads, tensor=1, scheme="none"):
    """Bytes of activations kept for one layer on one chip (Korthikanti et al., equations 1 to 6, table 2).

    Parameters
    ----------
    seq_len, batch, hidden, heads, tensor : number or array
        Tokens of a sequence, sequences of the micro-batch, width, heads, tensor-parallel chips.
    scheme : {"none", "tensor", "sequence", "selective", "full"}
        No parallelism; tensor parallelism; with sequence parallelism; with the attention core recomputed on
        top of it; everything recomputed.

    Raises
    ------
    ValueError
        If the scheme is none of these.
    """
    unit, scores = seq_len * batch * hidden, 5 * heads * seq_len / hidden
    if scheme == "none":
        return unit * (34 + scores)
    if scheme == "tensor":
        return unit * (10 + 24 / tensor + scores / tensor)
    if scheme == "sequence":
        return unit / tensor * (34 + scores)
    if scheme == "selective":
        return unit / tensor * 34
    if scheme == "full":
        return unit * 2
    raise ValueError(f"scheme {scheme!r}: one of none, tensor, sequence, selective, full")


def state_bytes(parameters, ranks, sharding, gradient_bytes=2):
    """Bytes of weights, gradients and Adam's state on one chip (S. Rajbhandari et al., ZeRO, SC 2020).

    ``sharding`` names what is divided over the ranks: ``none``, the optimizer (``zero1``), gradients too
    (``zero2``), weights too (``zero3`` or ``fsdp``). Weights have 2 bytes, Adam's state 12 (section 3.1).
    """
    kind = np.asarray(sharding)
    whole = (kind == "fsdp") | (kind == "zero3")
    weights = 2 / np.where(whole, ranks, 1)
    gradients = gradient_bytes / np.where(whole | (kind == "zero2"), ranks, 1)
    return parameters * (weights + gradients + 12 / np.where(kind == "none", 1, ranks))


def attention_flops(tokens, context, width, causal=True):
    """Operations of an attention core, forward: 4 T s h, half of it under a causal mask."""
    return 4 * tokens * context * width * np.where(causal, 0.5, 1.0)


def kv_cache_bytes(layers, kv_heads, head_dim, bytes_each=2):
    """Bytes of keys and values that a token leaves behind (grouped heads; ISCA 2025, table 1)."""
    return 2 * layers * kv_heads * head_dim * bytes_each


def latent_cache_bytes(layers, latent, rope, bytes_each=2):
    """Bytes that a token leaves behind with multi-head latent attention (ISCA 2025, table 1)."""
    return layers * (latent + rope) * bytes_each


# --- one chip
# ------------------------------------------------------------------------------------------------


def matmul_seconds(m, n, k, rate, bandwidth, bytes_each=2.0):
    """Time of an (m, k) by (k, n) product: arithmetic, and then the three matrices through memory.

    A roofline whose two roofs are added instead of taken apart: small or thin products lose, large ones
    don't. ``rate`` is in FLOP/s, ``bandwidth`` in bytes/s.
    """
    return 2 * m * n * k / rate + bytes_each * (m * n + n * k + m * k) / bandwidth


def exposed_seconds(covering, hidden, leak):
    """What is left to pay of work that runs beside other work.

    ``hidden`` seconds of communication run beside ``covering`` seconds of computation. What is longer shows,
    and of what is covered the share ``leak`` shows too, because the two fight for memory and for the chip's
    units.
    """
    return np.maximum(hidden - covering, 0.0) + leak * np.minimum(hidden, covering)


def power_factor(power, nominal, exponent):
    """How much slower a chip's arithmetic is below its nominal power: (P/P0) to an exponent, at most one."""
    return np.minimum(power / nominal, 1.0) ** exponent


# --- wires
# ---------------------------------------------------------------------------------------------------


def all_reduce_seconds(size, chips, bandwidth, latency=0.0):
    """Ring all-reduce of ``size`` bytes: every chip sends 2 (n-1)/n of them (nccl-tests)."""
    return 2 * (chips - 1) / chips * size / bandwidth + 2 * (chips - 1) * latency


def all_gather_seconds(size, chips, bandwidth, latency=0.0):
    """Ring all-gather or reduce-scatter: (n-1)/n of ``size`` bytes cross each wire (nccl-tests)."""
    return (chips - 1) / chips * size / bandwidth + (chips - 1) * latency


def all_to_all_seconds(size, chips, bandwidth, latency=0.0):
    """Every chip sends each of the others its part of ``size`` bytes (nccl-tests)."""
    return (chips - 1) / chips * size / bandwidth + (chips - 1) * latency


def hierarchical_all_reduce_seconds(size, per_node, nodes, inside, between):
    """Reduce-scatter inside the nodes, all-reduce across them on a part each, gather inside again.

    ``inside`` and ``between`` are bytes/s of one chip inside a node and of one network card.
    """
    within = 2 * (per_node - 1) / per_node * size / inside
    return within + 2 * (nodes - 1) / nodes * size / per_node / between


def group_bandwidth(members, stride, inside, between, per_node):
    """Bytes/s at which a collective moves data for each chip, given where its members stand.

    Parameters
    ----------
    members, stride : number or array
        Chips in the group, and how far apart neighbours stand (the product of the parallelisms inside it).
    inside, between : number or array
        Bytes/s of a chip inside its node, and of its network card.
    per_node : number or array
        Chips of a node, each with a network card of its own.

    Returns
    -------
    numpy.ndarray
        Bytes/s. Inside a node the inner links. Across nodes the members that share a node share its cards:
        the group gets ``per_node / stride`` of them, but never more than the inner link carries.
    """
    cards = np.maximum(per_node / np.maximum(stride, 1), 1.0)
    return np.where(members * stride <= per_node, inside, np.minimum(inside, cards * between))


def expert_exchange_seconds(tokens, choices, hidden, bandwidth, dispatch_bytes=1.0, combine_bytes=2.0):
    """Time to send tokens to their experts and the answers back (ISCA 2025, section 2.3.2)."""
    return (dispatch_bytes + combine_bytes) * tokens * choices * hidden / bandwidth


def distinct_places(choices, places):
    """Expected number of different places among independent even choices: N (1 - (1 - 1/N)^k)."""
    return places * (1 - (1 - 1 / places) ** choices)


def expert_copies(choices, members, local, nodes_limit=0, grouped=True):
    """Copies of a token that cross the network, and copies that cross the links inside a node.

    Parameters
    ----------
    choices, members, local : number or array
        Experts of a token, chips that all experts are spread over evenly, and how many of these share a node.
    nodes_limit : number or array
        Nodes that a token's experts may stand on (4 in DeepSeek-V3, report of 2024, section 2.1.2); 0 means
        any.
    grouped : bool or array
        Whether a token crosses the network once for each node and fans out there over the inner links
        (DeepSeek-V3, section 3.2.2); otherwise every copy goes straight to its expert.

    Returns
    -------
    tuple of numpy.ndarray
        Copies for each token, those that stay on the chip or in the node not counted in the first.
    """
    nodes = np.maximum(members / local, 1.0)
    outside, elsewhere = (nodes - 1) / nodes, (local - 1) / local
    limit = np.asarray(nodes_limit)
    reached = np.where(limit > 0, np.minimum(nodes, np.maximum(limit, 1)), nodes)
    once = distinct_places(choices, reached)
    chips = distinct_places(choices, reached * local)
    across = np.where(grouped, once, choices) * outside
    return across, np.where(grouped, chips, choices / nodes) * elsewhere


def hierarchical_all_to_all_seconds(size, across, within, inside, between):
    """Exchange of tokens between chips of several nodes, each chip through its own network card.

    ``size`` bytes are a copy of all tokens of a chip; ``across`` and ``within`` are its copies
    (:func:`expert_copies`); ``inside`` and ``between`` are bytes/s of a chip inside its node and of its card.
    The two ways are used at the same time (DeepSeek-V3, section 3.2.2), so the slower counts.
    """
    return size * np.maximum(within / inside, across / between)


# --- pipelines
# -----------------------------------------------------------------------------------------------


def bubble_share(stages, micro_batches, chunks=1):
    """Idle time of a pipeline as a share of the ideal time: (p-1)/(v m) (SC21, section 2.2)."""
    return (stages - 1) / (chunks * micro_batches)


def pipeline_seconds(forward, backward, stages, micro_batches):
    """Time of an iteration of a plain pipeline: (m + p - 1)(t_f + t_b) (SC21, equation 1)."""
    return (micro_batches + stages - 1) * (forward + backward)


def slowest_stage(layers, stages, layer_seconds, head_seconds):
    """Time that a micro-batch spends on the slowest stage of a pipeline.

    Layers come in whole numbers, and the last stage also computes the loss; a layer less there pays for it
    where the layers don't divide evenly.
    """
    most, fewest = np.ceil(layers / stages), np.floor(layers / stages)
    slowest = np.maximum(most * layer_seconds, fewest * layer_seconds + head_seconds)
    return np.maximum(slowest, (layers * layer_seconds + head_seconds) / stages)
