"""The student edition holds no solution, on its pages and in its downloads."""

from __future__ import annotations

import nbformat
import nbformat.v4 as v4
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from computegap.book.sphinx.handout import without_solutions

STUB, SOLUTION = "def f(x):\n    return None", "def f(x):\n    return 'the-secret'"


@pytest.fixture
def source(tmp_path):
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title\n\nText."),
            v4.new_code_cell(STUB, metadata={"tags": ["exercise", "exercise-1"]}),
            v4.new_code_cell(SOLUTION, metadata={"tags": ["solution", "hide-cell", "exercise-1"]}),
            v4.new_markdown_cell("After."),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    folder = tmp_path / "source"
    folder.mkdir()
    nbformat.write(notebook, folder / "index.ipynb")
    (folder / "conf.py").write_text(
        "extensions = ['myst_nb', 'computegap.book.sphinx.handout']\nnb_execution_mode = 'off'\n"
        "html_theme = 'basic'\nhtml_sourcelink_suffix = ''\n"
    )
    return folder


@pytest.mark.parametrize("handout", [True, False])
def test_pages_and_downloads(source, tmp_path, handout):
    out = tmp_path / f"out-{handout}"
    settings, folders = {"handout": handout}, (source, source, out, tmp_path / f"trees-{handout}")
    with docutils_namespace():
        Sphinx(*folders, "html", settings, status=None, warning=None).build()
    page = (out / "index.html").read_text("utf-8")
    assert "After." in page
    assert ("the-secret" in page) is not handout
    copies = list(out.rglob("*.ipynb"))
    assert copies, "the site offers the notebook for download"
    for copy in copies:
        assert ("the-secret" in copy.read_text("utf-8")) is not handout


def test_counting(source):
    assert without_solutions(source / "index.ipynb") == 1
    assert without_solutions(source / "index.ipynb") == 0
