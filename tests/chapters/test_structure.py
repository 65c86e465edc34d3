"""What every chapter carries, and how its notebook is kept."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from itertools import pairwise

import pytest
import yaml

from computegap.book.prose import prose_only

CELL_METADATA = {"tags", "jupyter", "cellView"}
KNOWN_TAGS = {
    "remove-cell",
    "remove-input",
    "remove-output",
    "hide-cell",
    "hide-input",
    "hide-output",
    "exercise",
    "exercise-setup",
    "solution",
}
GLOB = None
SPOILERS = ("opening", "predict", "quiz", "claims_table")
QUIET = ("publish", "publish_range", "publish_fact", "publish_text", "check", "say")


def test_there_are_chapters(helpers):
    assert list((helpers.root / "chapters").glob("*.ipynb")), "chapters/ holds no notebook"


def test_name_and_table_of_contents(chapter, helpers):
    assert re.fullmatch(r"\d\d-[a-z0-9-]+", chapter.id), "name a chapter 01-some-words.ipynb"
    entries = toc_entries(yaml.safe_load((helpers.root / "_toc.yml").read_text("utf-8")))
    assert any(fnmatch(f"chapters/{chapter.id}", entry) for entry in entries), (
        "the chapter is not in _toc.yml"
    )


def toc_entries(node) -> list[str]:
    """Files and patterns of a table of contents, at every level."""
    if isinstance(node, list):
        return [entry for item in node for entry in toc_entries(item)]
    if not isinstance(node, dict):
        return []
    here = [node[key].removesuffix(".ipynb") for key in ("file", "glob", "root") if key in node]
    return here + [entry for value in node.values() for entry in toc_entries(value)]


def test_outputs_are_stripped(chapter):
    for cell in chapter.code:
        assert cell.outputs == [], f"{chapter.where(cell)} has outputs; run nbstripout (make strip)"
        assert cell.execution_count is None, f"{chapter.where(cell)} has an execution count"


def test_metadata_is_clean(chapter):
    metadata = chapter.notebook.metadata
    assert metadata.kernelspec.name == "python3"
    assert set(metadata) <= {"kernelspec", "language_info"}, f"extra notebook metadata: {set(metadata)}"
    assert "version" not in metadata.get("language_info", {})
    ids = [cell.get("id") for cell in chapter.cells]
    assert all(ids), "a cell has no id"
    assert len(set(ids)) == len(ids), "two cells share an id"
    for cell in chapter.cells:
        assert set(cell.metadata) <= CELL_METADATA, (
            f"{chapter.where(cell)}: extra metadata {set(cell.metadata)}"
        )


def test_tags_are_known(chapter, helpers):
    for cell in chapter.cells:
        for tag in helpers.tags(cell):
            assert tag in KNOWN_TAGS or re.fullmatch(r"exercise-\d+", tag), (
                f"{chapter.where(cell)}: tag {tag!r}"
            )


def test_no_cell_is_longer_than_forty_lines(chapter):
    for cell in chapter.code:
        lines = len(cell.source.splitlines())
        assert lines <= 40, f"{chapter.where(cell)} has {lines} lines; move code to the package"


def test_it_starts_in_the_books_way(chapter, helpers):
    first = chapter.cells[0]
    assert first.cell_type == "markdown", "a chapter starts with its title"
    assert first.source.startswith("# "), "a chapter starts with its title"
    bootstrap = chapter.code[0]
    assert "remove-cell" in helpers.tags(bootstrap), (
        "the first code cell is the bootstrap, tagged remove-cell"
    )
    assert 'find_spec("computegap") is None' in bootstrap.source, (
        "the first code cell installs the package if missing"
    )
    starts = chapter.calls("start")
    assert [call.args[0].value for call in starts] == [chapter.id], f'call book.start("{chapter.id}") once'
    before = []
    for cell in chapter.cells:
        if cell.cell_type == "markdown" and re.search(r"(?m)^## ", cell.source):
            break
        before.append(cell)
    opened = [cell for cell in before if cell.cell_type == "code" and helpers.calls(cell.source, "opening")]
    assert len(opened) == 1, "the opening card stands before the first section, once"


def test_headings_step_down_one_level_at_a_time(chapter):
    text = re.sub(r"(?ms)^```.*?^```", "", chapter.text)
    levels = [len(marks) for marks in re.findall(r"(?m)^(#+) ", text)]
    assert levels.count(1) == 1, "a chapter has one title"
    for above, below in pairwise(levels):
        assert below <= above + 1, "a heading level is skipped"


def test_it_asks_before_it_tells(chapter):
    assert len(chapter.calls("predict")) >= 1, "a chapter asks for at least one prediction"
    assert len(chapter.calls("quiz")) >= 2, "a chapter has at least two quizzes"
    ids = [call.args[0].value for call in chapter.calls("predict") if isinstance(call.args[0], ast.Constant)]
    assert len(set(ids)) == len(ids), "two predictions share an id"


def test_it_has_explorables(chapter):
    assert len(chapter.calls("explore")) >= 3, "a chapter has at least three explorables"


def test_figures_are_described(chapter):
    for call in chapter.calls("explore"):
        assert {"title", "describe"} <= {keyword.arg for keyword in call.keywords}, ast.unparse(call)[:80]
    for call in chapter.calls("show"):
        assert "alt" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)[:80]


@pytest.mark.parametrize(
    "heading", ["What this does not show", "Claims tested", "Exercises", "Where to read on"]
)
def test_it_closes_in_the_books_way(chapter, heading):
    assert re.search(rf"(?m)^## {re.escape(heading)}\s*$", chapter.text), (
        f"the section “{heading}” is missing"
    )


def test_it_says_what_happened_to_the_claims(chapter):
    assert len(chapter.calls("claims_table")) == 1, "a chapter has one table of claims"


def test_spoilers_are_hidden(chapter, helpers):
    for cell in chapter.code:
        if not helpers.calls(cell.source, *SPOILERS):
            continue
        here = chapter.where(cell)
        assert "remove-input" in helpers.tags(cell), (
            f"{here}: tag it remove-input, its source gives the answer away"
        )
        folded(cell, here)


def folded(cell, here):
    assert cell.metadata.get("jupyter", {}).get("source_hidden") is True, f"{here}: jupyter.source_hidden"
    assert cell.metadata.get("cellView") == "form", f'{here}: "cellView": "form" hides it in Colab'


def test_solutions_are_folded_where_chapters_run(chapter, helpers):
    """The page folds them by their tag hide-cell; JupyterLab and Colab go by the metadata."""
    for cell in chapter.code:
        if "solution" in helpers.tags(cell):
            folded(cell, chapter.where(cell))


def test_cells_that_only_publish_and_check_are_hidden(chapter, helpers):
    for cell in chapter.code:
        body = ast.parse(helpers.without_magics(cell.source)).body
        ours = [
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and bool(helpers.calls(ast.unparse(node), *QUIET))
            for node in body
        ]
        if body and all(ours):
            tags = helpers.tags(cell)
            assert {"remove-input", "remove-cell"} & set(tags), (
                f"{chapter.where(cell)}: hide it (remove-input or remove-cell)"
            )


def test_numbers_are_published_and_printed(chapter):
    published, internal = set(), set()
    for call in chapter.calls("publish", "publish_range", "publish_fact", "publish_text"):
        if not isinstance(call.args[0], ast.Constant):
            continue  # a name made in a loop is checked by the build, which warns of unknown names
        name = call.args[0].value
        kept = any(
            keyword.arg == "internal" and getattr(keyword.value, "value", True) for keyword in call.keywords
        )
        (internal if kept else published).add(name)
    used = set(re.findall(r"\{glue:text\}`([^`:]+)`", chapter.text))
    strings = " ".join(
        node.value
        for cell in chapter.code
        for node in ast.walk(ast.parse(re.sub(r"(?m)^(\s*)([%!].*)$", r"\1pass", cell.source)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    spoken = {
        call.args[0].value
        for call in chapter.calls("number")
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    spoken |= set(re.findall(r"\{([a-z][a-z0-9_]*)\}", strings))
    looped = any(
        not isinstance(call.args[0], ast.Constant)
        for call in chapter.calls("publish", "publish_range", "publish_fact", "publish_text")
    )
    assert not published - used - spoken, f"published but never printed: {sorted(published - used - spoken)}"
    assert looped or not used - published - internal, (
        f"printed but never published: {sorted(used - published - internal)}"
    )


def test_it_checks_its_own_numbers(chapter):
    assert len(chapter.calls("check")) >= 3, "a chapter holds itself to what it says with book.check(...)"


def test_terms_are_linked_and_exist(chapter, helpers):
    linked = re.findall(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`", chapter.text)
    assert len(set(linked)) >= 2, "link terms to the glossary at first use: {term}`HBM`"
    known = glossary_terms((helpers.root / "glossary.md").read_text("utf-8"))
    missing = {term for term in linked if term.lower() not in known}
    assert not missing, f"not in the glossary: {sorted(missing)}"


def glossary_terms(text: str) -> set[str]:
    block = re.search(r"(?ms)^(`{3,}|:{3,})\{glossary\}\n(.*?)^\1", text)
    assert block, "glossary.md has no {glossary} block"
    lines = block.group(2).splitlines()
    return {line.strip().lower() for line in lines if line.strip() and not line.startswith((" ", ":"))}


def test_the_teachers_notes_exist(chapter, helpers):
    notes = helpers.root / "teach" / f"{chapter.id}.md"
    assert notes.is_file(), f"write teach/{chapter.id}.md: timing, what students get wrong, questions"
    text = notes.read_text("utf-8").lower()
    for part in ("minutes", "wrong", "discuss"):
        assert part in text, f"teach/{chapter.id}.md says nothing about {part!r}"


def test_reports_the_rhythm(chapter, helpers, record_property, capsys):
    """Words of prose for each line of code, and the median cell: reported, and held to wide bounds."""
    words = len(re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", prose_only(chapter.text)))
    shown = [
        cell
        for cell in chapter.code
        if not {"remove-input", "remove-cell", "solution", "hide-cell"} & set(helpers.tags(cell))
    ]
    sizes = sorted(len([line for line in cell.source.splitlines() if line.strip()]) for cell in shown)
    ratio, median = words / max(1, sum(sizes)), sizes[len(sizes) // 2]
    record_property("words", words)
    record_property("words_per_line", round(ratio, 1))
    with capsys.disabled():
        print(
            f"\n{chapter.id}: {words} words, {sum(sizes)} lines shown, {ratio:.1f} words a line,"
            f" median cell {median}"
        )
    assert 2000 <= words <= 6000, f"{words} words; a chapter has some three thousand"
    assert median <= 12, f"the median cell has {median} lines; move plumbing to the package"
