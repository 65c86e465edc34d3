"""The page of published training runs: which publications they come from, and every row.

.. code-block:: md

    ```{runs-table} publications
    ```

The directive ``runs-table`` writes one of the tables in :data:`TABLES` from the data files, with nothing
typed twice. The rows stand on a page of their own, because they would double the weight of the one that
lists every single value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from html import escape
from importlib import resources

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from computegap import facts
from computegap.book.sphinx.facts_page import depend_on_data

METRICS = {
    "step_time": "seconds of a step",
    "tokens_per_s_per_accel": "tokens per second",
    "mfu": "utilisation",
    "model_tflops_per_accel": "model FLOP/s",
    "hardware_tflops_per_accel": "hardware FLOP/s",
    "accel_hours": "accelerator-hours",
    "accel_hours_per_T_tokens": "accelerator-hours for each trillion tokens",
}
#: Layout columns as the table shows them: letter and column, left out where they are 1 or blank.
LAYOUT = (("TP", "tp"), ("PP", "pp"), ("DP", "dp"), ("CP", "cp"), ("EP", "ep"))


def publication_anchor(row: Mapping[str, str]) -> str:
    """Return the id of a publication's row in the first table."""
    address = re.sub(r"^https://", "", row["url"]).casefold()
    return "runs-" + re.sub(r"[^a-z0-9]+", "-", address).strip("-")


def _table(caption: str, head: Iterable[str], rows: Iterable[str]) -> str:
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    return (
        f'<table class="cg-facts cg-words"><caption><b>{caption}</b></caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _listing(words: Iterable[str]) -> str:
    return escape(", ".join(words))


def publication_table() -> str:
    """Return one row for each document: how many runs, on what, what it printed, and how well it is known."""
    rows = []
    for p in facts.publications():
        anchor = publication_anchor({"url": p.url})
        models = _listing(p.models[:4]) + (f" and {len(p.models) - 4} more" if len(p.models) > 4 else "")
        printed, known = _listing(METRICS[m] for m in p.metrics), _listing(p.confidences)
        rows.append(
            f'<tr id="{anchor}"><th scope="row"><a href="{escape(p.url, quote=True)}">{escape(p.source)}</a>'
            f"<small>{models}</small></th><td>{p.rows}</td><td>{_listing(p.accelerators)}</td>"
            f"<td>{printed}<small>confidence: {known}</small></td></tr>"
        )
    return _table(
        "Publications of training runs", ("Publication and models", "Rows", "On", "What was printed"), rows
    )


def _layout(row: Mapping[str, str]) -> str:
    parts = [f"{name} {row[column]}" for name, column in LAYOUT if row[column] not in ("", "1")]
    parts += [row["dp_shard"]] if row["dp_shard"] not in ("", "none") else []
    batch = f"batch {row['global_batch']} x {row['seq_len']}" if row["global_batch"] else ""
    return escape(", ".join(parts)) + (f"<small>{escape(batch)}</small>" if batch else "")


def _number(text: str) -> str:
    value = float(text)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def run_table() -> str:
    """Return every run: model, machine, layout and what was printed, with a link to its publication."""
    remarks: dict[str, list[str]] = {}
    for remark in _rows("cluster_run_flags.csv"):
        remarks.setdefault(remark["id"], []).append(remark["note"])
    rows = []
    for row in facts.cluster_runs():
        count = f"{_number(row['n_accel'])} x " if row["n_accel"] else ""
        unit = "tokens/s" if row["metric_unit"] == "tok/s/GPU" else row["metric_unit"]
        step = f"<small>{_number(row['step_time_s'])} s a step</small>" if row["step_time_s"] else ""
        said = f'<small><a href="#{publication_anchor(row)}">{escape(row["locator"])}</a></small>'
        said += "".join(f"<small>{escape(text)}</small>" for text in remarks.get(row["id"], ()))
        rows.append(
            f'<tr><th scope="row">{escape(row["model"])}<small>{escape(row["precision"])}</small></th>'
            f"<td>{count}{escape(row['accel'])}</td><td>{_layout(row)}</td>"
            f"<td>{_number(row['metric_value'])} {escape(unit)}{step}"
            f"{said}</td></tr>"
        )
    head = ("Model", "Accelerators", "Layout", "As printed, and where")
    return _table("Every published run", head, rows)


def _rows(name: str) -> list[dict[str, str]]:
    with (resources.files("computegap.facts") / "data" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _short(address: str) -> str:
    """An address as a link's words: host and the end of the path."""
    host, *path = re.sub(r"^https?://(www\.)?", "", address).rstrip("/").split("/")
    return f"{host}, {' '.join(path[-2:])}" if path else host


def practice_table() -> str:
    """Return what the software of each publication does beyond its table, and what that rests on."""
    rows = _rows("software_practice.csv")
    said = ("attention", "elementwise", "tensor_overlap", "data_overlap")
    body = []
    for row in rows:
        about = ", ".join(
            {"1": "overlaps ", "0": "does not overlap "}.get(row[c], "") + name
            for c, name in (("tensor_overlap", "tensor-parallel traffic"), ("data_overlap", "gradients"))
        )
        addresses = row["url"].split()
        link = ", ".join(
            f'<a href="{escape(address, quote=True)}">{escape(_short(address))}</a>' for address in addresses
        )
        known = row["known"] or "not stated"
        body.append(
            f'<tr><th scope="row">{escape(row["match_source"] or "all others")}'
            f"<small>{escape(row['key'])}</small></th>"
            f"<td>attention {escape(row[said[0]])}, elementwise {escape(row[said[1]])}; {about}</td>"
            f"<td>{escape(known)}</td>"
            f"<td>{escape(row['evidence'])}<small>{link or 'no address'}</small></td></tr>"
        )
    head = ("Publication", "What its software does", "Known from", "What that rests on")
    return _table("Software practice", head, body)


TABLES: dict[str, Callable[[], str]] = {
    "publications": publication_table,
    "practice": practice_table,
    "runs": run_table,
}


class RunsTable(SphinxDirective):
    """``runs-table``: one of the tables in :data:`TABLES`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table as HTML."""
        depend_on_data(self.env)
        name = self.arguments[0]
        if name not in TABLES:
            raise self.error(f"runs-table: no table {name!r}; there is {', '.join(TABLES)}")
        return [nodes.raw("", TABLES[name](), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive ``runs-table``."""
    app.add_directive("runs-table", RunsTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
