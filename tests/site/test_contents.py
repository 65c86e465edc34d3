"""The table of contents grows by itself, and chapters keep the number of their file."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from sphinx_external_toc.parsing import parse_toc_yaml

from computegap.book.sphinx import contents
from computegap.book.sphinx.book_map import parse_map

ROOT = Path(__file__).parents[2]


def planned() -> list[tuple[str, list[str]]]:
    """Parts and chapters as the first page announces them."""
    text = (ROOT / "intro.md").read_text(encoding="utf-8")
    lines = re.search(r"(?s)```\{book-map\}\n(.*?)```", text)[1].splitlines()
    return [(part, [stem for stem, _ in chapters]) for part, chapters in parse_map(lines)]


def test_every_planned_chapter_has_its_place_already_and_just_one():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    chapters = [part for part in parts if any("chapters/" in e.get("glob", "") for e in part["chapters"])]
    assert [part["caption"] for part in chapters] == [title for title, _ in planned()]
    for part, (title, stems) in zip(chapters, planned(), strict=True):
        globs = [entry["glob"] for entry in part["chapters"]]
        for other, others in planned():
            for stem in others:
                found = sum(fnmatch(f"chapters/{stem}", glob) for glob in globs)
                assert found == (other == title), f"{stem} in the part {title!r}"
        assert stems == sorted(stems)


def test_every_notebook_is_on_the_map():
    stems = [stem for _, chapters in planned() for stem in chapters]
    assert stems == sorted(stems)
    assert {path.stem for path in (ROOT / "chapters").glob("*.ipynb")} <= set(stems)


@pytest.mark.parametrize("there", [["01-a"], ["02-b", "07-g"], ["07-g", "08-h", "12-l"]])
def test_parts_and_patterns_without_a_page_are_left_out(tmp_path, there):
    (tmp_path / "chapters").mkdir()
    for stem in there:
        (tmp_path / "chapters" / f"{stem}.ipynb").write_text("{}")
    for page in ("intro.md", "end.md", "one.md"):
        (tmp_path / page).write_text("# A page\n")
    text = "format: jb-book\nroot: intro\nparts:\n"
    for name, glob in (("first", "0[1-3]-*"), ("second", "0[4-6]-*"), ("third", "0[7-9]-*")):
        text += f"- caption: {name}\n  chapters:\n  - glob: chapters/{glob}\n"
    text += "- caption: last\n  chapters:\n  - file: end\n  - glob: none\n  - glob: one\n"
    (tmp_path / "_toc.yml").write_text(text)
    site_map = parse_toc_yaml(tmp_path / "_toc.yml")
    contents.leave_out_what_is_not_there(site_map, tmp_path, [".md", ".ipynb"])
    left = {part.caption: [str(item) for item in part.items] for part in site_map.root.subtrees}
    assert left.pop("last") == ["end", "one"]
    wanted = {"first": "0[1-3]", "second": "0[4-6]", "third": "0[7-9]"}
    assert set(left) == {
        name for name, digits in wanted.items() if any(fnmatch(s, f"{digits}-*") for s in there)
    }


def test_the_books_own_contents_can_be_read_and_name_pages_that_are_there():
    site_map = parse_toc_yaml(ROOT / "_toc.yml")
    contents.leave_out_what_is_not_there(site_map, ROOT, [".md", ".ipynb"])
    for document in site_map.values():
        for part in document.subtrees:
            for item in part.items:
                assert contents.is_there(ROOT, str(item), [".md", ".ipynb"]), item


def test_a_chapter_is_numbered_by_its_file_wherever_the_link_stands():
    link = '<li><a class="reference internal" href="{}">Title</a></li>'
    for pagename, prefix in (("intro", "chapters/"), ("teach/index", "../chapters/"), ("chapters/01-a", "")):
        text = link.format(f"{prefix}07-pooling-chips.html")
        assert ">7. Title<" in contents.numbered(text, pagename)
    assert ">1. Title<" in contents.numbered(link.format("#"), "chapters/01-export-controls")
    assert ">10. Title<" in contents.numbered(link.format("chapters/10-x.html"), "intro")


@pytest.mark.parametrize(
    ("address", "pagename"),
    [("01-export-controls.html", "teach/index"), ("../glossary.html", "chapters/01-a"), ("#", "glossary"),
     ("#section", "chapters/01-a"), ("https://example.org/chapters/01-a.html", "intro")],
)  # fmt: skip
def test_other_links_get_no_number(address, pagename):
    text = f'<li><a class="x" href="{address}">Title</a></li>'
    assert contents.numbered(text, pagename) == text


def test_numbers_are_written_once():
    page = "".join(f'<a href="chapters/0{n}-x.html">T{n}</a>' for n in (1, 2, 7))
    shown = [int(n) for n in re.findall(r">(\d+)\. T", contents.numbered(page, "intro"))]
    assert shown == [1, 2, 7]
    assert all(a < b for a, b in pairwise(shown))
