"""Published training runs, read into jobs of the step-time model.

The table ``cluster_runs.csv`` holds one row for each published measurement, with its source. What a row
doesn't say but its authors' software does (fused attention, overlap, what is recomputed) stands in a second
table, ``software_practice.csv``: one row for each publication, with what it rests on and how well it is known.
The loader joins the two for any table in the same format; a publication that isn't listed gets the defaults of
:class:`computegap.cluster.step_time.Practice`. No rule here looks at a row's name or family.

What a publication leaves open is filled by three rules, stated once: an unknown interleaving is the finest
that divides a stage's layers, eight chunks at most; an unknown micro-batch is 4 sequences without a pipeline
and 1 with one; an unknown network is that of an 8-card node with 200 Gb/s each.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from computegap import facts
from computegap.cluster.step_time import Hardware, Job, Layout, Model, Practice

DATA = resources.files("computegap.facts") / "data"
#: Columns that a table of runs must have; it may have more.
NEEDED = tuple(
    "id family kind arch layers hidden heads kv_heads head_dim ffn gated_mlp vocab n_experts top_k moe_ffn n_shared "
    "n_dense_layers dense_ffn seq_len accel peak_tflops peak_tflops_at_precision hbm_GBps n_accel tp pp vpp dp cp ep "
    "dp_shard seq_parallel global_batch micro_batch recompute precision nvlink_GBps_uni net_GBps_uni_per_accel "
    "gpus_per_node step_time_s notes source".split()
)
SHARDING = {"fsdp": "fsdp", "fsdp+diloco": "fsdp", "zero3": "zero3", "zero2": "zero2", "zero1": "zero1"}
#: Nominal power of chips that were run below it, in W, where a row's accelerator says at how many.
NOMINAL_POWER = {"H100": 700.0}
#: Share of a Hopper's matrix rate that instructions of the generation before reach: 62 to 63 % in the measurements of
#: W. Luo et al., "Dissecting the NVIDIA Hopper architecture" (arXiv:2501.12084); FlashAttention-2 at 35 % of the
#: peak of an H100 against 58 % of an A100 says the same (J. Shah et al., FlashAttention-3, abstract).
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
    """

    rows: list[dict[str, str]]
    job: Job
    seconds: np.ndarray
    family: np.ndarray
    precision: np.ndarray
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, mask) -> Runs:
        """Return the rows where a mask is true (or at given positions)."""
        places = np.arange(len(self))[mask]
        rows = [self.rows[i] for i in places]
        return Runs(
            rows, self.job.take(places), self.seconds[places], self.family[places],
            self.precision[places], self.names[places],
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
def matmul_ceilings() -> tuple[dict[str, str], ...]:
    """Rows of the table of measured matrix-product rates, as shares of the peak."""
    return tuple(_rows(DATA / "matmul_ceilings.csv"))


def ceiling(accelerator: str, low: bool = False) -> float:
    """Best measured share of a chip's peak in large matrix products; a stated default for chips nobody measured."""
    for row in matmul_ceilings():
        if (row["precision"] == "fp8") == low and accelerator.startswith(row["accelerator"]):
            return float(row["share"])
    return 0.70 if low else 0.80


def hardware(name: str, *, network: float = 50e9, per_node: int = 8, **changes) -> Hardware:
    """Return a chip of the facts registry as hardware of the model.

    Parameters
    ----------
    name : str
        Name or alias in the registry, such as ``"H800"``.
    network, per_node : float, int
        What a data sheet of a chip doesn't say: bytes/s of its share of the network cards in one direction (the
        default is a 400 Gb/s card for each chip), and chips of a node.
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
        "link": chip.link_gbs.si / 2, "network": network, "per_node": per_node, "matmul_ceiling": ceiling(chip.name),
        "low_ceiling": ceiling(chip.name, low=True),
        "older_kernels": OLDER_KERNELS if chip.vendor == "NVIDIA" and chip.year >= 2022 and chip.name[0] != "A" else 1.0,
    }  # fmt: skip
    return Hardware(**(fields | changes))


def practice_of(row: Mapping[str, str]) -> Mapping[str, str]:
    """Return the row of the practice table for a run; the last row, without conditions, holds the defaults."""
    for candidate in practices():
        if all(candidate[f"match_{column}"] in row[column] for column in ("source", "arch", "notes", "precision")):
            return candidate
    raise LookupError("software_practice.csv lacks its last row, the one without conditions")


def _number(row: Mapping[str, str], column: str, default: float | None = None) -> float:
    try:
        return float(row[column])
    except ValueError:
        if default is None:
            raise ValueError(f"row {row['id']}: {column} must be a number, is {row[column]!r}") from None
        return default


def _chunks(row: Mapping[str, str]) -> float:
    stages = _number(row, "pp", 1)
    if row["vpp"] not in ("unk", "dualpipe", ""):
        return _number(row, "vpp")
    layers = math.ceil(_number(row, "layers") / stages)
    return 1 if stages == 1 else max(v for v in range(1, 9) if layers % v == 0)


def _recompute(row: Mapping[str, str], practice: Mapping[str, str]) -> tuple[float, float]:
    scheme = row["recompute"]
    if scheme in ("unk", ""):
        scheme = practice["unknown_recompute"]
    if scheme == "selective" and practice["selective"] == "half":
        return 0.5, 0.0
    known = {"none": (0, 0), "full": (1, 1), "selective layer": (0.5, 0.5), "selective": (0, 1)}
    if scheme not in known and not scheme.startswith("partial"):
        raise ValueError(f"row {row['id']}: recompute {scheme!r}: one of {', '.join(known)}, partial, unk")
    share, attention = known.get(scheme, (0.1, 0.0))
    return share, (0.0 if scheme == "selective" and practice["attention"] != "unfused" else attention)


def _fields(row: Mapping[str, str]) -> tuple[dict, dict, dict, dict]:
    """Return the four parts of a run's job as dictionaries of plain values."""
    practice = practice_of(row)
    experts = _number(row, "n_experts", 0)
    wide = _number(row, "moe_ffn", 0) if experts else _number(row, "ffn")
    model = {
        "layers": _number(row, "layers"), "hidden": _number(row, "hidden"), "heads": _number(row, "heads"),
        "kv_heads": _number(row, "kv_heads"), "head_dim": _number(row, "head_dim"), "ffn": wide,
        "vocab": _number(row, "vocab"), "seq_len": _number(row, "seq_len"), "gated": row["gated_mlp"] == "1",
        "causal": practice["causal"] == "1", "window": 0.5 if "SWA" in row["arch"] else 1.0,
        "parallel_block": "parallel-block" in row["arch"], "experts": experts,
        "chosen": _number(row, "top_k", 0), "shared": _number(row, "n_shared", 0),
        "dense_layers": _number(row, "n_dense_layers", 0), "dense_ffn": _number(row, "dense_ffn", 0),
        "latent": "mla" in row["arch"],
    }  # fmt: skip
    peak, low = _number(row, "peak_tflops") * 1e12, _number(row, "peak_tflops_at_precision") * 1e12
    reduced = not row["precision"].startswith("bf16")
    limit = re.search(r"(\d+)W\b", row["accel"])
    nominal = next((watts for name, watts in NOMINAL_POWER.items() if row["accel"].startswith(name)), None)
    memory = re.search(r"(\d+)GB", row["accel"])
    recent = row["accel"].startswith(("H", "B", "GB"))
    hardware = {
        "peak": peak, "memory_bandwidth": _number(row, "hbm_GBps") * 1e9, "link": _number(row, "nvlink_GBps_uni") * 1e9,
        "network": _number(row, "net_GBps_uni_per_accel", 25) * 1e9, "per_node": _number(row, "gpus_per_node", 8),
        "memory": float(memory[1]) * 1e9 if memory else 80e9,
        "matmul_ceiling": ceiling(row["accel"]), "low_peak": low if reduced else 0.0,
        "low_ceiling": ceiling(row["accel"], low=True),
        "power": float(limit[1]) / nominal if limit and nominal else 1.0, "older_kernels": OLDER_KERNELS if recent else 1.0,
    }  # fmt: skip
    again, attention = _recompute(row, practice)
    stages = _number(row, "pp", 1)
    unknown = min(4.0 if stages == 1 else 1.0, _number(row, "global_batch") / _number(row, "dp", 1))
    layout = {
        "chips": _number(row, "n_accel"), "batch": _number(row, "global_batch"), "tensor": _number(row, "tp", 1),
        "pipeline": stages, "data": _number(row, "dp", 1), "context": _number(row, "cp", 1),
        "expert": _number(row, "ep", 1), "chunks": _chunks(row), "micro_batch": _number(row, "micro_batch", unknown),
        "sharding": SHARDING.get(row["dp_shard"].rstrip("?"), "none"),
        "sequence_parallel": row["seq_parallel"] == "1", "recompute": again, "recompute_attention": attention,
    }  # fmt: skip
    flags = ("tensor_overlap", "data_overlap", "split_sends", "gathers", "one_card", "blocking_engine", "input_checks")
    habits = {"attention": practice["attention"], "elementwise": practice["elementwise"], "loss": practice["loss"]}
    habits |= {flag: practice[flag] == "1" for flag in flags}
    habits["gradient_bytes"] = float(practice["gradient_bytes"])
    return model, hardware, layout, habits


def read(rows: Iterable[Mapping[str, str]]) -> Runs:
    """Turn rows of the raw format into runs; rows that are no timed steps of a known layout are left out.

    Raises
    ------
    ValueError
        If a column is missing, or a row that should count has a cell that can't be read.
    """
    kept = []
    for row in rows:
        missing = [column for column in NEEDED if column not in row]
        if missing:
            raise ValueError(f"a table of runs needs the columns {', '.join(missing)} too")
        if row["kind"] == "step" and row["step_time_s"] and row["layers"] and row["tp"]:
            kept.append(dict(row))
    if not kept:
        raise ValueError("no row is a timed step: kind 'step', with step_time_s, layers and tp filled in")
    parts = list(zip(*(_fields(row) for row in kept), strict=True))
    columns = [{name: np.array([cells[name] for cells in part]) for name in part[0]} for part in parts]
    job = Job(Model(**columns[0]), Hardware(**columns[1]), Layout(**columns[2]), Practice(**columns[3]))

    def text(column):
        return np.array([row[column] for row in kept])

    return Runs(kept, job, text("step_time_s").astype(float), text("family"), text("precision"), text("id"))


def load(path: str | Path | None = None) -> Runs:
    """Read a table of runs: the one of the book, or any file in its format."""
    return read(_rows(Path(path) if path is not None else DATA / "cluster_runs.csv"))
