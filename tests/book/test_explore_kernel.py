"""Explorables in a real kernel: what lands in a notebook, for the site and for a reader."""

from __future__ import annotations

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

SETUP = """
import matplotlib.pyplot as plt
from computegap.book import explore, show
from computegap.book.explore import install_formatter
install_formatter()

def draw(x=1, fail=False):
    if fail:
        raise ValueError("no such state")
    fig, ax = plt.subplots()
    ax.plot([0, x])
    return fig

def describe(x, fail=False):
    return f"It rises to {x}."
"""
FIGURES = """
show(draw(), alt="It rises.", title="Line", basis="computed")
explore(draw, title="Lines", describe=describe, x=[1, 2, 3])
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPUTEGAP_CACHE", str(tmp_path))
    monkeypatch.setenv("COMPUTEGAP_PROGRESS", "1")

    def execute(*sources, site):
        monkeypatch.setenv("COMPUTEGAP_SITE", "1" if site else "0")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in (SETUP, *sources)])
        nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
        return [output for cell in notebook.cells for output in cell.outputs]

    return execute


def test_the_site_gets_pages_and_nothing_else(run):
    outputs = run(FIGURES, site=True)
    assert [set(o["data"]) for o in outputs] == [{"text/html", "text/plain"}] * 2  # and no stream
    assert "cg-states" in outputs[1]["data"]["text/html"]


def test_an_error_at_build_stops_the_cell(run):
    source = 'explore(draw, title="Lines", describe=describe, x=[1, 2], fail=True)'
    (output,) = run(source, site=True)
    assert output["output_type"] == "error"
    assert "cannot be drawn at x=1, fail=True: ValueError: no such state" in output["evalue"]


def test_a_reader_gets_widgets_and_a_picture(run):
    outputs = run(FIGURES, "draw()", site=False)
    assert [o["output_type"] for o in outputs] == ["display_data", "execute_result", "execute_result"]
    assert set(outputs[1]["data"]) == {
        "application/vnd.jupyter.widget-view+json",
        "image/png",
        "text/html",
        "text/plain",
    }
    assert "show(fig, alt=" in outputs[2]["data"]["text/html"]
