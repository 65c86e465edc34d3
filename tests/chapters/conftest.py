"""Chapters are discovered, never listed: every notebook in chapters/ meets every test of this folder."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "build" / "run"
EXERCISE = re.compile(r"exercise-(\d+)\Z")


@dataclass(frozen=True)
class Chapter:
    """A chapter's notebook and what can be asked of it."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.stem

    @property
    def number(self) -> str:
        return self.id[:2]

    @cached_property
    def notebook(self) -> nbformat.NotebookNode:
        return nbformat.read(self.path, 4)

    @cached_property
    def cells(self) -> list[nbformat.NotebookNode]:
        return self.notebook.cells

    @property
    def code(self) -> list[nbformat.NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def markdown(self) -> list[nbformat.NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "markdown"]

    @property
    def text(self) -> str:
        return "\n\n".join(cell.source for cell in self.markdown)

    def tagged(self, tag: str) -> list[nbformat.NotebookNode]:
        return [cell for cell in self.cells if tag in tags(cell)]

    def calls(self, *names: str) -> list[ast.Call]:
        """Calls of functions of these names in all code cells, in order."""
        return [call for cell in self.code for call in calls(cell.source, *names)]

    def where(self, cell: nbformat.NotebookNode) -> str:
        return f"{self.path.name}, cell {self.cells.index(cell) + 1} ({cell.get('id', 'no id')})"

    @cached_property
    def exercises(self) -> dict[int, dict[str, nbformat.NotebookNode]]:
        """Number -> {"stub": cell, "solution": cell}."""
        found: dict[int, dict[str, nbformat.NotebookNode]] = {}
        for cell in self.code:
            for tag in tags(cell):
                if match := EXERCISE.match(tag):
                    kind = "solution" if "solution" in tags(cell) else "stub"
                    found.setdefault(int(match.group(1)), {})[kind] = cell
        return found

    @cached_property
    def executed(self) -> nbformat.NotebookNode:
        path = RUN / self.path.name
        assert path.is_file(), (
            f"{self.id} has not been executed: run `make test`, or `python tools/run_chapters.py`"
        )
        return nbformat.read(path, 4)


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def without_magics(source: str) -> str:
    """A cell's code with IPython's own lines turned into comments of the same place."""
    return re.sub(r"(?m)^(\s*)([%!].*)$", r"\1pass", source)


def calls(source: str, *names: str) -> list[ast.Call]:
    """Calls of functions of these names in a cell, bare or as an attribute (``book.quiz``)."""
    found = []
    for node in ast.walk(ast.parse(without_magics(source))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            if name in names:
                found.append(node)
    return sorted(found, key=lambda call: call.lineno)


CHAPTERS = [Chapter(path) for path in sorted((ROOT / "chapters").glob("*.ipynb"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chapter" in metafunc.fixturenames:
        metafunc.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.id)
    if "exercise" in metafunc.fixturenames:
        pairs = [(chapter, number) for chapter in CHAPTERS for number in sorted(chapter.exercises)]
        metafunc.parametrize(
            "exercise", pairs, ids=[f"{chapter.number}-{number}" for chapter, number in pairs]
        )


@pytest.fixture(scope="session")
def helpers():
    """The functions of this file, for tests."""

    class Helpers:
        root, run = ROOT, RUN
        tags, calls = staticmethod(tags), staticmethod(calls)
        without_magics = staticmethod(without_magics)
        chapter = staticmethod(Chapter)

    return Helpers
