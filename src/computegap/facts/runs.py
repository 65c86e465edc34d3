"""Published training runs: the rows that a model of clusters is judged on, as they were printed.

The table is wide and read by one chapter, so it is kept apart from the registry of single values and read on
first use. Cells are text, because a publication says "not stated" in many ways; what a model makes of them is
the model's affair (``computegap.cluster.published_runs``). Taught in ``09-sizing-a-cluster``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType

from computegap.facts.load import read_rows
from computegap.facts.records import parse_number
from computegap.facts.validate import FactsError, Fault, Row

#: Columns in which every row must say something.
NEEDED = ("id", "family", "kind", "model", "total_params_B", "active_params_B", "accel", "metric",
          "metric_value", "metric_unit", "confidence", "source", "url", "locator")  # fmt: skip
#: What is measured -> its unit as the table writes it.
METRICS = {
    "step_time": ("s",),
    "tokens_per_s_per_accel": ("tok/s/GPU",),
    "mfu": ("%",),
    "model_tflops_per_accel": ("TFLOP/s",),
    "hardware_tflops_per_accel": ("TFLOP/s", "TFLOP/s (incl. recompute)"),
    "accel_hours": ("accelerator-hours",),
    "accel_hours_per_T_tokens": ("H800-hours / 1e12 tokens",),
}
#: Columns that hold a number above zero where they are not blank.
NUMBERS = ("total_params_B", "active_params_B", "layers", "hidden", "seq_len", "peak_tflops", "hbm_GBps",
           "n_accel", "global_batch", "metric_value", "step_time_s", "tokens_per_s_per_accel", "tokens_B",
           "accel_hours")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Publication:
    """One document that printed runs: its title and address, and how many rows the table has from it."""

    source: str
    url: str
    rows: int
    models: tuple[str, ...]
    accelerators: tuple[str, ...]
    metrics: tuple[str, ...]
    confidences: tuple[str, ...]


def check_runs(rows: Iterable[Row]) -> list[Fault]:
    """Check a table of runs: unique ids, a source with an address and a place, units, numbers above zero."""
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for row in rows:

        def say(what: str, row: Row = row) -> None:
            faults.append(Fault(row.file, row.line, f"run {row['id']!r}: {what}"))

        for column in NEEDED:
            if not row[column]:
                say(f"no {column}")
        if row["id"] in seen:
            say(f"stands on line {seen[row['id']]} already")
        seen.setdefault(row["id"], row.line)
        if row["url"] and not row["url"].startswith("https://"):
            say(f"{row['url']!r} is not a web address")
        if row["metric"] not in METRICS:
            say(f"unknown metric {row['metric']!r}; known: {', '.join(METRICS)}")
        elif row["metric_unit"] not in METRICS[row["metric"]]:
            say(f"{row['metric']} is given in {METRICS[row['metric']][0]}, not in {row['metric_unit']!r}")
        for column in NUMBERS:
            if not row[column]:
                continue
            try:
                if parse_number(row[column]) <= 0:
                    say(f"{column} is not above zero")
            except ValueError:
                say(f"{column} {row[column]!r} is not a finite number")
    return faults


def load_runs(folder: Traversable, name: str = "cluster_runs.csv") -> tuple[Mapping[str, str], ...]:
    """Read and check a table of runs.

    Raises
    ------
    FactsError
        If anything breaks the rules of :func:`check_runs`; the message lists every fault.
    """
    rows = read_rows(folder, name)
    if faults := check_runs(rows):
        raise FactsError(faults)
    return tuple(MappingProxyType(row.cells) for row in rows)


@cache
def cluster_runs() -> tuple[Mapping[str, str], ...]:
    """Return the published runs, a read-only mapping of column to text each; read on first use."""
    return load_runs(resources.files("computegap.facts") / "data")


def publications() -> list[Publication]:
    """Return the documents that the runs come from, the one with most rows first."""
    rows = cluster_runs()
    counts = Counter((row["source"], row["url"]) for row in rows)
    found = []
    for (source, url), count in counts.most_common():
        own = [row for row in rows if (row["source"], row["url"]) == (source, url)]

        def different(column: str, own: list[Mapping[str, str]] = own) -> tuple[str, ...]:
            return tuple(dict.fromkeys(row[column] for row in own))

        columns = (different(c) for c in ("model", "accel", "metric", "confidence"))
        found.append(Publication(source, url, count, *columns))
    return found
