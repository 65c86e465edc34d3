"""A small model chapter passes every test of the structure; each planted fault makes the right one fail."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import pytest

HIDDEN = {"jupyter": {"source_hidden": True}, "cellView": "form"}
BOOTSTRAP = (
    'import importlib.util\n\nif importlib.util.find_spec("computegap") is None:\n    %pip install -q x'
)
ANSWERS = '[book.Answer("a", "b"), book.Answer("c", "d", right=True)]'
GLOSSARY = "# G\n\n```{glossary}\nHBM\n  Memory.\n\nyield\n  Share.\n```\n"
HINT = "<details><summary>Hint 1</summary>\n\nAdd it to itself.\n\n</details>"


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"planted_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


structure, exercises = load("test_structure"), load("test_exercises")


def code(source: str, *tags: str, hidden: bool = False):
    metadata = {**({**HIDDEN} if hidden else {}), **({"tags": list(tags)} if tags else {})}
    return v4.new_code_cell(source, metadata=metadata)


def model_cells() -> list:
    cells = [
        v4.new_markdown_cell("# What may not be sold?"),
        code(BOOTSTRAP, "remove-cell"),
        code('from computegap import book\n\nbook.start("01-model")', "exercise-setup"),
        code('book.opening("Q?", ["do"], "Python", 40)', "remove-input", hidden=True),
        code('book.explore(draw, title="T", describe=tell, x=(0, 1, 0.1))'),
        code('book.predict("a", "Q?", 0, 2, "GB", 1.0, "So.")', "remove-input", hidden=True),
        v4.new_markdown_cell(
            "## One\n\nThe {term}`HBM` and the {term}`yield` reach {glue:text}`x`. " + "word " * 2100
        ),
        code('book.publish("x", 1.0, "GB")\nbook.check(True, "A.")', "remove-cell"),
        code('book.check(True, "B.")\nbook.check(True, "C.")', "remove-cell"),
        code('book.explore(draw, title="T", describe=tell, y=[1, 2])'),
        code('book.explore(draw, title="T", describe=tell, z=[1, 2])'),
        code(
            'book.quiz("Q?", [book.Answer("a", "b"), book.Answer("c", "d", right=True)])',
            "remove-input",
            hidden=True,
        ),
        code(
            'book.quiz("R?", [book.Answer("a", "b"), book.Answer("c", "d", right=True)])',
            "remove-input",
            hidden=True,
        ),
        v4.new_markdown_cell("## What this does not show\n\nMuch."),
        v4.new_markdown_cell("## Claims tested"),
        code('book.claims_table([("C003", "holds", "x")])', "remove-input", hidden=True),
        v4.new_markdown_cell("## Exercises"),
    ]
    for n in (1, 2, 3):
        end = f'\n\n\nbook.check_exercise("01-{n}", f)'
        cells.append(v4.new_markdown_cell(f"### Exercise {n}: doubling\n\nWrite `f`.\n\n{HINT}"))
        cells.append(code(f"def f(x):\n    return None{end}", "exercise", f"exercise-{n}"))
        tags = ("solution", "hide-cell", f"exercise-{n}")
        cells.append(code(f"def f(x):\n    return 2 * x{end}", *tags, hidden=True))
    return [*cells, v4.new_markdown_cell("## Where to read on\n\nThere.")]


@pytest.fixture
def planted(tmp_path, helpers):
    """Write a chapter, and the files around it, into a repository of its own."""

    def write(cells, metadata=None, notes="Forty minutes. What goes wrong. Discuss."):
        (tmp_path / "chapters").mkdir()
        (tmp_path / "teach").mkdir()
        (tmp_path / "_toc.yml").write_text("root: intro\nchapters:\n- glob: chapters/*\n")
        (tmp_path / "glossary.md").write_text(
            "# G\n\n```{glossary}\nHBM\n  Memory.\n\nyield\n  Share.\n```\n"
        )
        if notes:
            (tmp_path / "teach" / "01-model.md").write_text(notes)
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        notebook = v4.new_notebook(cells=cells, metadata=metadata or {"kernelspec": kernel})
        path = tmp_path / "chapters" / "01-model.ipynb"
        nbformat.write(notebook, path)

        class Here(helpers):
            root = tmp_path

        return helpers.chapter(path), Here

    return write


class Silent:
    """Stands for capsys: what a planted chapter reports is of no interest."""

    disabled = staticmethod(lambda: contextlib.redirect_stdout(io.StringIO()))


def run(module, name: str, chapter, helpers) -> None:
    """Call one test with what it asks for."""
    function = getattr(module, name)
    known = {"chapter": chapter, "helpers": helpers, "record_property": lambda *_: None, "capsys": Silent}
    wanted = inspect.signature(function).parameters
    if "heading" in wanted:
        for heading in ("What this does not show", "Claims tested", "Exercises", "Where to read on"):
            function(chapter, heading)
    else:
        function(**{name_: known[name_] for name_ in wanted})


TESTS = [name for name in dir(structure) if name.startswith("test_")]


@pytest.mark.parametrize("name", TESTS)
def test_the_model_chapter_passes(name, planted):
    chapter, helpers = planted(model_cells())
    run(structure, name, chapter, helpers)


def test_the_models_exercises_are_in_order(planted):
    chapter, helpers = planted(model_cells())
    exercises.test_a_chapter_has_three_to_five_exercises_in_order(chapter)
    for n in (1, 2, 3):
        exercises.test_an_exercise_is_complete((chapter, n), helpers)
        exercises.test_the_stub_gives_nothing_away((chapter, n))


def drop(text: str):
    """Leave out the first cell that holds a text."""

    def change(cells):
        cells.remove(next(cell for cell in cells if text in cell.source))

    return change


def edit(text: str, **changes):
    """Change source or metadata of the first cell that holds a text."""

    def change(cells):
        cell = next(cell for cell in cells if text in cell.source)
        for name, value in changes.items():
            if name == "replace":
                cell.source = cell.source.replace(*value)
            elif name == "tags":
                cell.metadata["tags"] = value
            elif name == "metadata":
                cell.metadata.update(value)
            else:
                cell[name] = value

    return change


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (drop("# What may"), "test_it_starts_in_the_books_way"),
        (drop("find_spec"), "test_it_starts_in_the_books_way"),
        (drop("book.opening"), "test_it_starts_in_the_books_way"),
        (
            edit("book.start", replace=("01-model", "02-other")),
            "test_it_starts_in_the_books_way",
        ),
        (edit("## One", replace=("## One", "#### One")), "test_headings_step_down_one_level_at_a_time"),
        (drop("book.predict"), "test_it_asks_before_it_tells"),
        (drop("book.quiz"), "test_it_asks_before_it_tells"),
        (drop("book.explore"), "test_it_has_explorables"),
        (edit("book.explore", replace=("describe=tell, ", "")), "test_figures_are_described"),
        (drop("## What this does not show"), "test_it_closes_in_the_books_way"),
        (drop("## Where to read on"), "test_it_closes_in_the_books_way"),
        (drop("claims_table"), "test_it_says_what_happened_to_the_claims"),
        (edit("book.quiz", tags=["hide-input"]), "test_spoilers_are_hidden"),
        (edit("book.predict", metadata={"cellView": "code"}), "test_spoilers_are_hidden"),
        (edit("return 2 * x", metadata={"cellView": "code"}), "test_solutions_are_folded_where_chapters_run"),
        (edit("book.publish", tags=[]), "test_cells_that_only_publish_and_check_are_hidden"),
        (
            edit("{glue:text}", replace=("{glue:text}`x`", "much")),
            "test_numbers_are_published_and_printed",
        ),
        (
            edit("{glue:text}", replace=("`x`", "`y`")),
            "test_numbers_are_published_and_printed",
        ),
        (drop('book.check(True, "B.")'), "test_it_checks_its_own_numbers"),
        (edit("{term}", replace=("{term}`HBM`", "HBM")), "test_terms_are_linked_and_exist"),
        (edit("{term}", replace=("`HBM`", "`HBN`")), "test_terms_are_linked_and_exist"),
        (edit("book.publish", source="x = 1\n" * 41), "test_no_cell_is_longer_than_forty_lines"),
        (edit("book.publish", execution_count=3), "test_outputs_are_stripped"),
        (edit("book.publish", outputs=[v4.new_output("stream", text="x")]), "test_outputs_are_stripped"),
        (edit("book.publish", metadata={"execution": {}}), "test_metadata_is_clean"),
        (edit("book.publish", tags=["remove_cell"]), "test_tags_are_known"),
        (edit("word", source="Too short."), "test_reports_the_rhythm"),
    ],
)
def test_a_planted_fault_is_found(fault, name, planted):
    cells = model_cells()
    fault(cells)
    chapter, helpers = planted(cells)
    with pytest.raises(AssertionError):
        run(structure, name, chapter, helpers)


def test_missing_notes_are_found(planted):
    chapter, helpers = planted(model_cells(), notes="")
    with pytest.raises(AssertionError, match=r"teach/01-model\.md"):
        structure.test_the_teachers_notes_exist(chapter, helpers)


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        (edit("### Exercise 2", replace=("Hint 1", "Help")), 2),
        (edit("### Exercise 2", replace=("Exercise 2:", "Task:")), 2),
        (drop("return 2 * x"), 1),
    ],
)
def test_a_planted_fault_in_an_exercise_is_found(fault, number, planted):
    cells = model_cells()
    fault(cells)
    chapter, helpers = planted(cells)
    with pytest.raises((AssertionError, KeyError)):
        exercises.test_an_exercise_is_complete((chapter, number), helpers)


def test_too_few_exercises_are_found(planted):
    chapter, _ = planted(model_cells()[:-4])
    with pytest.raises(AssertionError, match="2 exercises"):
        exercises.test_a_chapter_has_three_to_five_exercises_in_order(chapter)
