"""Published training runs, read into jobs of the step-time model.

The table ``cluster_runs.csv`` holds one row for each published measurement, with its source. What a row
doesn't say but its authors' software does (fused attention, overlap, what is recomputed) stands in a second
table, ``software_practice.csv``: one row for each publication, with what it rests on and how well it is
known. The loader joins the two for any table in the same format; a publication that isn't listed gets the
defaults of :class:`computegap.cluster.step_time.Practice`. No rule here looks at a row's name or family.

What a publication leaves open is filled by three rules, stated once: an unknown interleaving is the finest
that divides a stage's layers, eight chunks at most; an unknown micro-batch is 4 sequences without a pipeline
and 1 with one; an unknown network is that of an 8-card node with 200 Gb/s each.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from computegap import facts
from computegap.cluster.step_time import Hardware, Job, Layout, Model, Practice

DATA = resources.files("computegap.facts") / "data"
#: Columns that a table of runs must have; it may have more.
# fmt: off
NEEDED = (
    "id", "family", "kind", "arch", "layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "gated_mlp",
    "vocab", "n_experts", "top_k", "moe_ffn", "n_shared", "n_dense_layers", "dense_ffn", "seq_len", "accel",
    "peak_tflops", "peak_tflops_at_precision", "hbm_GBps", "n_accel", "tp", "pp", "vpp", "dp", "cp", "ep",
    "dp_shard", "seq_parallel", "global_batch", "micro_batch", "recompute", "precision", "nvlink_GBps_uni",
    "net_GBps_uni_per_accel", "gpus_per_node", "step_time_s", "notes", "source",
)
# fmt: on
SHARDING = {"fsdp": "fsdp", "fsdp+diloco": "fsdp", "zero3": "zero3", "zero2": "zero2", "zero1": "zero1"}
#: Best share of the peak in large matrix products where nobody measured one: between the A100's and the
#: GB200's.
UNMEASURED = 0.80
#: What products in FP8 reach of their peak, over what those in BF16 reach of theirs: 70.9 % and 80.3 % of
#: an H100.
LOW_TO_PLAIN = 0.709 / 0.803
#: Nominal power of chips that were run below it, in W, where a row's accelerator says at how many.
NOMINAL_POWER = {"H100": 700.0}
#: Share of a Hopper's matrix rate that instructions of the generation before reach: 62 to 63 % in the
#: measurements of W. Luo et al., "Dissecting the NVIDIA Hopper architecture" (arXiv:2501.12084);
#: FlashAttention-2 at 35 % of the peak of an H100 against 58 % of an A100 says the same (J. Shah et al.,
#: FlashAttention-3, abstract).
OLDER_KERNELS = 0.62


@dataclass(frozen=True)
class Runs:
    """A table of published runs, ready for the model.

    Attributes
    ----------
    rows : list[dict[str, str]]
        The rows as they stand in the table.
    job : Job
        All of them as one job with array fields.
    seconds : numpy.ndarray
        Published seconds of a step.
    family, precision, names : numpy.ndarray
        Columns of the table, as text.
    left_out : dict[str, str]
        Rows that can't be judged, by name, and why.
    """

    rows: list[dict[str, str]]
    job: Job
    seconds: np.ndarray
    family: np.ndarray
    precision: np.ndarray
    names: np.ndarray
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, mask) -> Runs:
        """Return the rows where a mask is true (or at given positions)."""
        places = np.arange(len(self))[mask]
        rows = [self.rows[i] for i in places]
        return Runs(
            rows, self.job.take(places), self.seconds[places], self.family[places],
            self.precision[places], self.names[places], self.left_out,
        )  # fmt: skip

    @property
    def dense(self) -> np.ndarray:
        """Whether a row's model has no experts."""
        return np.broadcast_to(np.asarray(self.job.model.experts) == 0, len(self))

    @property
    def bf16(self) -> np.ndarray:
        """Whether a row's matrix products are all in BF16."""
        return np.char.startswith(self.precision, "bf16")

    @property
    def judged(self) -> np.ndarray:
        """The rows that the bars are about: dense models in BF16."""
        return self.dense & self.bf16


def _rows(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def practices() -> tuple[dict[str, str], ...]:
    """Rows of the table of software practice, in order: the first that fits a run holds."""
    return tuple(_rows(DATA / "software_practice.csv"))


@cache
def flags() -> dict[str, tuple[str, str]]:
    """What is known about single rows of the book's table; the model never reads it."""
    return {row["id"]: (row["flag"], row["note"]) for row in _rows(DATA / "cluster_run_flags.csv")}


@cache
def matmul_ceilings() -> tuple[dict[str, str], ...]:
    """Rows of the table of measured matrix-product rates, as shares of the peak."""
    return tuple(_rows(DATA / "matmul_ceilings.csv"))


def ceiling(accelerator: str, low: bool = False) -> float:
    """Best measured share of a chip's peak in large matrix products; a default for the others.

    Where only BF16 was measured, lower precisions reach the share of it that they reach on an H100.
    """
    shares = {
        row["precision"]: float(row["share"])
        for row in matmul_ceilings()
        if accelerator.startswith(row["accelerator"])
    }
    plain = shares.get("bf16", UNMEASURED)
    return shares.get("fp8", plain * LOW_TO_PLAIN) if low else plain


def hardware(name: str, *, network: float = 50e9, per_node: int = 8, **changes) -> Hardware:
    """Return a chip of the facts registry as hardware of the model.

    Parameters
    ----------
    name : str
        Name or alias in the registry, such as ``"H800"``.
    network, per_node : float, int
        What a data sheet of a chip doesn't say: bytes/s of its share of the network cards in one direction
        (the default is a 400 Gb/s card for each chip), and chips of a node.
    **changes
        Any other field of :class:`computegap.cluster.step_time.Hardware`.

    Raises
    ------
    LookupError
        If the registry doesn't know the chip.
    computegap.facts.UntrustedValue
        If it doesn't know a rate that the model needs.
    """
    chip = facts.chip(name)
    fields = {
        "peak": chip.bf16.si, "memory_bandwidth": chip.mem_bw_gbs.si, "memory": float(chip.mem_gb.si),
        "link": chip.link_gbs.si / 2, "network": network, "per_node": per_node, "matmul_ceiling":
        ceiling(chip.name), "low_ceiling": ceiling(chip.name, low=True), "older_kernels": OLDER_KERNELS if
        chip.vendor == "NVIDIA" and chip.year >= 2022 and chip.name[0] != "A" else 1.0,
    }  # fmt: skip
    return Hardware(**(fields | changes))


def practice_of(row: Mapping[str, str]) -> Mapping[str, str]:
    """Return the row of the practice table for a run; the last row fits all and holds the defaults."""
    for candidate in practices():
        if all(
            candidate[f"match_{column}"] in row[column]
            for column in ("source", "arch", "notes", "precision", "accel", "ep")
        ):
            return candidate
    raise LookupError("software_practice.csv lacks its last row, the one without conditions")


def _number(row: Mapping[str, str], column: str, default: float | None = None) -> float:
    """Read a cell; an empty or unknown one gives the default, or ``ValueError`` if there is none."""
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    if default is None:
        raise ValueError(f"{column} must be a number, is {row[column]!r}")
    return default


def _chunks(row: Mapping[str, str]) -> float:
    stages = _number(row, "pp", 1)
    layers = math.ceil(_number(row, "layers") / stages)
    finest = max(v for v in range(1, 9) if layers % v == 0)
    return 1.0 if stages == 1 else _number(row, "vpp", finest)


def _recompute(row: Mapping[str, str], practice: Mapping[str, str]) -> tuple[float, float]:
    """Return the shares of matrix products and of attention cores that are computed again."""
    scheme = row["recompute"]
    if scheme in ("unk", ""):
        scheme = practice["unknown_recompute"]
    if scheme == "selective" and practice["selective"] == "half":
        return 0.5, 0.0
    if scheme == "selective" and practice["attention"] != "unfused":
        return 0.0, 0.0  # fused attention never writes what this scheme would compute again
    known = {"none": (0, 0), "full": (1, 1), "selective layer": (0.5, 0.5), "selective": (0, 1)}
    if scheme not in known and not scheme.startswith("partial"):
        raise ValueError(f"recompute {scheme!r}: one of {', '.join(known)}, partial, unk")
    return known.get(scheme, (0.1, 0.0))


def _fields(row: Mapping[str, str]) -> tuple[dict, dict, dict, dict]:
    """Return the four parts of a run's job as dictionaries of plain values."""
    practice = practice_of(row)
    experts = _number(row, "n_experts", 0)
    wide = _number(row, "moe_ffn") if experts else _number(row, "ffn")
    heads = _number(row, "heads")
    model = {
        "layers": _number(row, "layers"), "hidden": _number(row, "hidden"), "heads": heads,
        "kv_heads": _number(row, "kv_heads", heads), "head_dim": _number(row, "head_dim", _number(row,
        "hidden") / heads), "ffn": wide, "vocab": _number(row, "vocab"), "seq_len": _number(row, "seq_len"),
        "gated": row["gated_mlp"] == "1", "causal": practice["causal"] == "1", "window": 0.5 if "SWA" in
        row["arch"] else 1.0, "parallel_block": "parallel-block" in row["arch"], "experts": experts,
        "chosen": _number(row, "top_k", 0), "shared": _number(row, "n_shared", 0), "dense_layers":
        _number(row, "n_dense_layers", 0), "dense_ffn": _number(row, "dense_ffn", 0), "latent": "mla" in
        row["arch"], "nodes_limit": float(practice["nodes_limit"]),
    }  # fmt: skip
    reduced = not row["precision"].startswith("bf16")
    peak = _number(row, "peak_tflops") * 1e12
    low = _number(row, "peak_tflops_at_precision") * 1e12 if reduced else 0.0
    limit = re.search(r"(\d+)W\b", row["accel"])
    nominal = next((watts for name, watts in NOMINAL_POWER.items() if row["accel"].startswith(name)), None)
    memory = re.search(r"(\d+)GB", row["accel"])
    recent = row["accel"].startswith(("H", "B", "GB"))
    hardware = {
        "peak": peak, "memory_bandwidth": _number(row, "hbm_GBps") * 1e9, "link": _number(row,
        "nvlink_GBps_uni") * 1e9, "network": _number(row, "net_GBps_uni_per_accel", 25) * 1e9, "per_node":
        _number(row, "gpus_per_node", 8), "memory": float(memory[1]) * 1e9 if memory else 80e9,
        "matmul_ceiling": ceiling(row["accel"]), "low_peak": low, "low_ceiling": ceiling(row["accel"],
        low=True), "power": float(limit[1]) / nominal if limit and nominal else 1.0, "older_kernels":
        OLDER_KERNELS if recent else 1.0,
    }  # fmt: skip
    again, attention = _recompute(row, practice)
    chips, tensor, stages, context = (_number(row, c, 1) for c in ("n_accel", "tp", "pp", "cp"))
    ranks = _number(row, "dp", chips / (tensor * stages * context))
    unknown = min(4.0 if stages == 1 else 1.0, _number(row, "global_batch") / ranks)
    layout = {
        "chips": chips, "batch": _number(row, "global_batch"), "tensor": tensor,
        "pipeline": stages, "data": ranks, "context": context,
        "expert": _number(row, "ep", 1), "chunks": _chunks(row), "micro_batch": _number(row, "micro_batch",
        unknown), "sharding": SHARDING.get(row["dp_shard"].rstrip("?"), "none"), "sequence_parallel":
        row["seq_parallel"] == "1", "recompute": again, "recompute_attention": attention,
    }  # fmt: skip
    flags = (
        "tensor_overlap",
        "data_overlap",
        "split_sends",
        "gathers",
        "one_card",
        "expert_overlap",
        "expert_grouped",
        "blocking_engine",
        "input_checks",
    )
    habits = {
        "attention": practice["attention"],
        "elementwise": practice["elementwise"],
        "loss": practice["loss"],
    }
    habits |= {flag: practice[flag] == "1" for flag in flags}
    habits["keeps_products"] = row["recompute"] == "selective" and practice["selective"] == "half"
    habits["dispatch_bytes"] = float(practice["dispatch_bytes"])
    habits["gradient_bytes"] = float(practice["gradient_bytes"])
    return model, hardware, layout, habits


def read(rows: Iterable[Mapping[str, str]]) -> Runs:
    """Turn rows of the raw format into runs.

    Rows that are no timed steps, and rows with a cell that the model needs and can't read, are named with the
    reason in ``left_out``.

    Raises
    ------
    ValueError
        If a column is missing, or no row is left.
    """
    kept, parts, left_out = [], [], {}
    for row in rows:
        missing = [column for column in NEEDED if column not in row]
        if missing:
            raise ValueError(f"a table of runs needs the columns {', '.join(missing)} too")
        try:
            if row["kind"] != "step":
                raise ValueError(f"no single step: kind {row['kind']!r}")
            _number(row, "step_time_s")
            parts.append(_fields(row))
            kept.append(dict(row))
        except ValueError as reason:
            left_out[row["id"]] = str(reason)
    if not kept:
        raise ValueError(f"no row is a timed step that can be read: {left_out}")
    columns = [{name: np.array([part[i][name] for part in parts]) for name in parts[0][i]} for i in range(4)]
    job = Job(Model(**columns[0]), Hardware(**columns[1]), Layout(**columns[2]), Practice(**columns[3]))

    def text(column):
        return np.array([row[column] for row in kept])

    seconds = text("step_time_s").astype(float)
    return Runs(kept, job, seconds, text("family"), text("precision"), text("id"), left_out)


def load(path: str | Path | None = None) -> Runs:
    """Read a table of runs: the one of the book, or any file in its format."""
    return read(_rows(Path(path) if path is not None else DATA / "cluster_runs.csv"))
