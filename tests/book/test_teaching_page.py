"""From a cell to a page: a kernel runs a small chapter, MyST-NB builds it, the sentence holds the number."""

from __future__ import annotations

import nbformat
import nbformat.v4 as v4
import pytest
from nbclient import NotebookClient
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

SOURCES = [
    'from computegap import book\nbook.start("01-model")',
    'book.publish("dies", 1200, "dies")\nbook.publish_range("yield_range", 20, 40, "%")',
    'book.quiz("Why?", [book.Answer("A", "not A"), book.Answer("B", "it is B", right=True)])',
    'book.say("There are **{dies}**.")',
    'book.publish("last", 1.0)',
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Model\n\nOf {glue:text}`dies`, {glue:text}`yield_range` work."),
            *(v4.new_code_cell(source) for source in SOURCES),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPUTEGAP_SITE", "1")
        NotebookClient(notebook, timeout=120).execute()
    nbformat.write(notebook, folder / "index.ipynb")
    return folder, notebook


def test_publishing_cells_show_nothing_and_cards_show_once(executed):
    _, notebook = executed
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert outputs[0] == []
    assert all("scrapbook" in output.metadata for output in outputs[1])
    assert len(outputs[2]) == 1
    assert "cg-quiz" in outputs[2][0].data["text/html"]
    assert "<script" not in outputs[2][0].data["text/html"]
    assert outputs[3][0].data["text/markdown"] == "There are **1,200\u00a0dies**."
    assert len(outputs[4]) == 1


def test_the_page_prints_the_numbers(executed, tmp_path):
    folder, _ = executed
    (folder / "conf.py").write_text(
        "extensions = ['myst_nb']\nnb_execution_mode = 'off'\nhtml_theme = 'basic'\n"
    )
    warnings = (tmp_path / "warnings.txt").open("w+")
    folders = (folder, folder, tmp_path / "out", tmp_path / "trees")
    with docutils_namespace():
        Sphinx(*folders, "html", status=None, warning=warnings).build()
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "1,200\u00a0dies" in page
    assert "20 to 40\u00a0%" in page
    warnings.seek(0)
    assert warnings.read() == ""
