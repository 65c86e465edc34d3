"""What every file of the repository keeps to."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".json",
    ".ipynb",
    ".cff",
    ".txt",
    ".sh",
    ".css",
    ".js",
    ".html",
    ".csv",
}
LARGEST = 600_000
LONGEST_LINE = 110

#: Put together here, so that this file does not find itself.
MARKERS = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")
HOMES = re.compile(
    r"(?<![\w.:/-])/(?:home|Users|root|workspace|content/drive)/[\w.-]+|file:///[a-z]|\b[A-Z]:\\\\?Users\b"
)
CONFLICT = re.compile(r"^(?:<{7} |>{7} |={7}$)", re.M)

#: Files that talk of such paths because they look for them.
LOOKS_FOR_PATHS = {"tests/chapters/test_executed.py", "tests/repo/test_hygiene.py"}


@pytest.fixture(scope="module")
def texts(tracked: list[Path], root: Path) -> dict[str, str]:
    """Return the text of each text file by its path in the repository."""
    named = {"Makefile", "LICENSE", "LICENSE-text", "run", "start", "postBuild"}
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in tracked
        if path.suffix in TEXT or path.name in named or path.name.startswith(".")
    }


def found(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    """Return where a pattern occurs, as ``file: words``."""
    return [f"{name}: {match.group()}" for name, text in texts.items() for match in pattern.finditer(text)]


def test_no_leftover_markers(texts: dict[str, str]) -> None:
    assert not found(MARKERS, texts)


def test_no_paths_of_somebodys_machine(texts: dict[str, str]) -> None:
    assert not found(HOMES, {name: text for name, text in texts.items() if name not in LOOKS_FOR_PATHS})


def test_no_unresolved_merges(texts: dict[str, str]) -> None:
    assert not found(CONFLICT, {name: text for name, text in texts.items() if not name.endswith(".csv")})


@pytest.mark.parametrize("planted", ["/home/ada/book", "in /Users/ada", "file:///x", "C:\\\\Users\\\\ada"])
def test_a_planted_path_is_found(planted: str) -> None:
    assert found(HOMES, {"a": planted})


@pytest.mark.parametrize("fine", ["https://example.org/home/x", "docs/home/x", "/home"])
def test_an_address_is_no_path(fine: str) -> None:
    assert not found(HOMES, {"a": fine})


def test_lines_end_as_on_unix_and_files_with_one(texts: dict[str, str]) -> None:
    assert not [name for name, text in texts.items() if "\r" in text and not name.endswith(".csv")]
    assert not [name for name, text in texts.items() if text and not text.endswith("\n")]


def test_data_files_parse(tracked: list[Path]) -> None:
    for path in tracked:
        if path.suffix == ".json" or path.suffix == ".ipynb":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".toml":
            tomllib.loads(path.read_text(encoding="utf-8"))
        elif path.suffix in {".yml", ".yaml", ".cff"}:
            yaml.safe_load(path.read_text(encoding="utf-8"))


def test_no_large_file(tracked: list[Path], root: Path) -> None:
    large = {path.relative_to(root).as_posix(): path.stat().st_size for path in tracked}
    assert not {name: size for name, size in large.items() if size > LARGEST}


def test_the_readmes_picture_is_there_and_small(root: Path) -> None:
    picture = root / "docs" / "picture.png"
    assert picture.is_file(), "make it with `make picture`"
    assert picture.stat().st_size < 150_000


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_to_files_of_the_repository_lead_somewhere(root: Path, name: str) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", (root / name).read_text())
    assert links
    assert not [link for link in links if not (root / link).exists()]


def test_notebooks_are_stripped(root: Path) -> None:
    chapters = sorted((root / "chapters").glob("*.ipynb"))
    assert chapters
    options = re.search(r"^STRIP := (.+)$", (root / "Makefile").read_text(), re.M).group(1)
    extra = re.search(r'--extra-keys "(.+)"', options).group(1)
    command = [
        str(Path(sys.executable).with_name("nbstripout")),
        "--verify",
        "--keep-id",
        "--extra-keys",
        extra,
    ]
    done = subprocess.run([*command, *map(str, chapters)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nrun `make strip`"


def test_notebooks_are_valid_and_their_cells_have_distinct_names(root: Path) -> None:
    for path in sorted((root / "chapters").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        names = [cell.get("id") for cell in notebook.cells]
        assert None not in names, path.name
        assert len(set(names)) == len(names), path.name
        assert notebook.metadata.kernelspec.name == "python3", path.name


def test_visible_lines_of_code_fit_the_page(root: Path) -> None:
    long = []
    for path in sorted((root / "chapters").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            hidden = {"remove-cell", "remove-input", "hide-cell"} & set(cell.metadata.get("tags", []))
            if cell.cell_type == "code" and not hidden:
                long += [
                    f"{path.name}: {line}" for line in cell.source.splitlines() if len(line) > LONGEST_LINE
                ]
    assert not long


def test_citation_has_what_citing_needs(root: Path) -> None:
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "version", "date-released", "license", "repository-code"} <= set(
        citation
    )
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    released = citation["date-released"]
    assert str(datetime.date.fromisoformat(str(released))) == str(released)
    assert citation["license"] == ["BSD-3-Clause", "CC-BY-4.0"]
    assert f"- {released}" in (root / "CHANGELOG.md").read_text()


def test_both_licences_are_there(root: Path) -> None:
    assert (root / "LICENSE").read_text().startswith("BSD 3-Clause License")
    text = (root / "LICENSE-text").read_text()
    assert "Attribution 4.0 International" in text
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in text


def test_changelog_versions_come_newest_first(root: Path) -> None:
    dates = re.findall(r"^## \[[\d.]+\] - (\d{4}-\d{2}-\d{2})$", (root / "CHANGELOG.md").read_text(), re.M)
    assert dates
    assert dates == sorted(dates, reverse=True)


def test_pages_without_navigation_are_not_left_in_the_book(root: Path) -> None:
    toc = (root / "_toc.yml").read_text()
    for page in ("errata", "negative-results", "glossary"):
        assert re.search(rf"file: {page}$", toc, re.M), page
