"""tools/run_chapters.py: it runs what has to run, once, and keeps what it learned."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest


def write(path: Path, cells: list[str], prose: str = "# A page") -> None:
    """Write a notebook of one Markdown cell and some code cells."""
    new = nbformat.v4
    notebook = new.new_notebook(cells=[new.new_markdown_cell(prose), *map(new.new_code_cell, cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the folder's own copy of the tool."""
    command = [sys.executable, str(folder / "tools" / "run_chapters.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a book of two short chapters and a package of two files."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "chapters").mkdir()
    (folder / "tools").mkdir()
    (folder / "src" / "book" / "sphinx").mkdir(parents=True)
    root = Path(__file__).resolve().parents[2]
    shutil.copy(root / "tools" / "run_chapters.py", folder / "tools")
    (folder / "constraints.txt").write_text("numpy==1\n")
    (folder / "src" / "book" / "model.py").write_text("x = 1\n")
    (folder / "src" / "book" / "style.css").write_text("a {}\n")
    (folder / "src" / "book" / "sphinx" / "pages.py").write_text("y = 1\n")
    return folder


@pytest.fixture
def tool_in(book: Path, tool, monkeypatch: pytest.MonkeyPatch):
    """Return the tool as a module that looks at that book."""
    module = tool("run_chapters")
    for name in ("WORK", "RUN", "BUDGETS", "STAMP", "CACHE", "DOCTREES"):
        monkeypatch.setattr(module, name, book / getattr(module, name).relative_to(module.ROOT))
    monkeypatch.setattr(module, "ROOT", book)
    return module


@pytest.mark.slow
def test_a_whole_life(book: Path) -> None:
    """One story, because every scene starts a kernel: a failure, its repair, prose, code, and the package."""
    good = [
        "import os, time; time.sleep(0.4); print(os.environ['COMPUTEGAP_SITE'])",
        "x = bytearray(150_000_000)",
    ]
    write(book / "chapters" / "01-good.ipynb", good)
    write(book / "chapters" / "02-bad.ipynb", ["1 / 0"])

    first = run(book)
    assert first.returncode == 1, first.stdout
    assert "2 to run" in first.stdout
    assert "division by zero" in first.stdout
    assert (book / "build/run/01-good.ipynb").exists()
    assert not (book / "build/run/02-bad.ipynb").exists()

    parsed = book / "_build/.doctrees/chapters/02-bad.doctree"
    parsed.parent.mkdir(parents=True, exist_ok=True)
    parsed.touch()
    write(book / "chapters" / "02-bad.ipynb", ["1 / 1"])
    repaired = run(book)
    assert repaired.returncode == 0, repaired.stdout
    assert "1 to run, 1 up to date" in repaired.stdout
    assert not parsed.exists(), "Sphinx would keep the old results"

    costs = json.loads((book / "build/run/budgets.json").read_text())
    assert set(costs) == {"01-good", "02-bad"}
    good_cost = costs["01-good"]
    assert good_cost["slowest_cell"] == 1
    assert 0.4 <= good_cost["slowest_cell_s"] <= good_cost["seconds"]
    assert good_cost["cells"] == 2

    executed = nbformat.read(book / "build/run/01-good.ipynb", as_version=4)
    assert executed.cells[1].outputs[0].text == "1\n"
    assert all("execution" not in cell.metadata for cell in executed.cells)

    write(book / "chapters" / "01-good.ipynb", good, prose="# A better sentence")
    assert "all 2 up to date" in run(book).stdout

    (book / "src/book/model.py").write_text("x = 2\n")
    assert "2 to run, 0 up to date" in run(book).stdout


def test_style_and_site_code_change_the_pages_and_no_result(book: Path, tool_in) -> None:
    before = tool_in.fingerprints()
    (book / "src/book/style.css").write_text("b {}\n")
    styled = tool_in.fingerprints()
    (book / "src/book/sphinx/pages.py").write_text("y = 2\n")
    extended = tool_in.fingerprints()
    assert before["results"] == styled["results"] == extended["results"]
    assert len({before["pages"], styled["pages"], extended["pages"]}) == 3


@pytest.mark.parametrize("name", ["src/book/model.py", "src/book/data.csv", "constraints.txt"])
def test_package_data_and_versions_change_the_results(book: Path, tool_in, name: str) -> None:
    before = tool_in.fingerprints()
    (book / name).write_text(f"{before['results']}\n")
    after = tool_in.fingerprints()
    assert before["results"] != after["results"]
    assert before["pages"] != after["pages"]


def test_compiled_files_change_nothing(book: Path, tool_in) -> None:
    before = tool_in.fingerprints()
    (book / "src/book/__pycache__").mkdir(exist_ok=True)
    (book / "src/book/__pycache__/model.pyc").write_bytes(b"x")
    assert tool_in.fingerprints() == before


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seconds": 61}, "it took 61 s of 60 s"),
        ({"slowest_cell_s": 31}, "code cell 4 took 31 s of 30 s"),
        ({"peak_mb": 1201}, "it used 1201 MB of 1200 MB"),
        ({}, None),
    ],
)
def test_each_budget_can_be_exceeded(tool, change: dict[str, float], complaint: str | None) -> None:
    fine = {"seconds": 60, "slowest_cell": 4, "slowest_cell_s": 30, "peak_mb": 1200, "cells": 9, "jobs": 1}
    cost = tool("run_chapters").Cost(**{**fine, **change})
    assert cost.over() == ([complaint] if complaint else [])


def test_a_slow_machine_gets_more_time_and_no_more_memory(tool) -> None:
    cost = tool("run_chapters").Cost(100, 1, 50, 1300, 9, 1)
    assert len(cost.over()) == 3
    assert len(cost.over(scale=2)) == 1


def test_a_book_without_chapters_is_an_error(tmp_path: Path, root: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(root / "tools" / "run_chapters.py", tmp_path / "tools")
    (tmp_path / "constraints.txt").touch()
    done = run(tmp_path)
    assert done.returncode == 1
    assert "no chapter found: chapters/*.ipynb" in done.stderr
