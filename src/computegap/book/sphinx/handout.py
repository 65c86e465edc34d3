"""The student edition: the same book without the solutions.

It is built when ``COMPUTEGAP_HANDOUT=1`` is set, or with the configuration value ``handout``. Cells tagged
``solution`` are left out of the pages, and out of the notebooks that the pages offer for download.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

TAG = "solution"


def drop_solutions(app: Sphinx, doctree: nodes.document) -> None:
    """Remove solution cells from a page."""
    if not app.config.handout:
        return
    for cell in list(doctree.findall(nodes.container)):
        if f"tag_{TAG}" in cell.get("classes", []) and cell.parent is not None:
            cell.parent.remove(cell)


def strip_downloads(app: Sphinx, error: Exception | None) -> None:
    """Remove solution cells from the notebooks that were copied into the site."""
    if error or not app.config.handout:
        return
    for path in Path(app.outdir).rglob("*.ipynb"):
        without_solutions(path)


def without_solutions(path: Path) -> int:
    """Rewrite a notebook without its solution cells.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    int
        How many cells were left out.
    """
    notebook = nbformat.read(path, 4)
    kept = [cell for cell in notebook.cells if TAG not in cell.metadata.get("tags", [])]
    dropped = len(notebook.cells) - len(kept)
    if dropped:
        notebook.cells = kept
        nbformat.write(notebook, path)
    return dropped


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the configuration value and the two steps."""
    app.add_config_value("handout", os.environ.get("COMPUTEGAP_HANDOUT") == "1", "env", bool)
    app.connect("doctree-read", drop_solutions, priority=1)
    app.connect("build-finished", strip_downloads, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
