"""The repository's address: one place decides, every other place agrees, and one command changes them all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

#: Files that repeat the address because they cannot compute it.
REPEATS = ["README.md", "CITATION.cff", "CONTRIBUTING.md"]


def test_every_file_agrees_with_the_configuration(root: Path, tool) -> None:
    fork = tool("fork")
    slug = fork.current(root)
    name = slug.split("/")[1]
    address = re.compile(rf"(?:github\.com|/gh|/github)/([\w-]+/{re.escape(name)})(?![\w-])")
    pages = re.compile(rf"([\w-]+)\.github\.io/{re.escape(name)}(?![\w-])")
    for path in fork.files(root):
        text = path.read_text(encoding="utf-8")
        assert set(address.findall(text)) <= {slug}, path
        assert set(pages.findall(text)) <= {slug.split("/")[0].lower()}, path


@pytest.mark.parametrize("name", REPEATS)
def test_files_that_need_the_address_have_it(root: Path, tool, name: str) -> None:
    assert f"github.com/{tool('fork').current(root)}" in (root / name).read_text()


def test_chapters_install_the_package_from_the_address(root: Path, tool) -> None:
    slug = tool("fork").current(root)
    chapters = sorted((root / "chapters").glob("*.ipynb"))
    assert chapters
    for chapter in chapters:
        assert f"git+https://github.com/{slug}@" in chapter.read_text(encoding="utf-8"), chapter.name


@pytest.fixture
def copy(tmp_path: Path, root: Path) -> Path:
    """Return a small repository with the files that repeat the address."""
    for name in [*REPEATS, "_config.yml", "tools/fork.py", ".github/dependabot.yml"]:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((root / name).read_bytes())
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "01.ipynb").write_text(
        '{"git+https://github.com/example/the-compute-gap@main": 1}'
    )
    (tmp_path / "picture.png").write_bytes(b"\x89PNG github.com/example/the-compute-gap")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file outside .git."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git/" not in str(path) and "__pycache__" not in str(path)
    }


def run(folder: Path, slug: str) -> subprocess.CompletedProcess[str]:
    """Run the copy's own tools/fork.py."""
    command = [sys.executable, str(folder / "tools" / "fork.py"), slug]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_there_and_back_changes_nothing(copy: Path, root: Path, tool) -> None:
    slug = tool("fork").current(root)
    before = contents(copy)
    assert run(copy, "Ada-L/my.book").returncode == 0
    changed = contents(copy)
    assert b"https://github.com/Ada-L/my.book" in changed["_config.yml"]
    assert b"https://ada-l.github.io/my.book/" in changed["README.md"]
    assert b"github.com/Ada-L/my.book@main" in changed["chapters/01.ipynb"]
    for name, text in changed.items():
        if not name.endswith(".png"):
            assert slug.encode() not in text, name
    assert run(copy, slug).returncode == 0
    assert contents(copy) == before


@pytest.mark.parametrize("slug", ["", "ada", "ada/", "https://github.com/ada/book", "ada/book/more", "a b/c"])
def test_a_wrong_address_is_refused_with_an_example(copy: Path, slug: str) -> None:
    before = contents(copy)
    done = run(copy, slug)
    assert done.returncode == 1
    assert "make fork REPO=" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(copy) == before


def test_a_configuration_without_an_address_is_an_error(tmp_path: Path, tool) -> None:
    (tmp_path / "_config.yml").write_text("title: A book\n")
    with pytest.raises(LookupError, match="repository"):
        tool("fork").current(tmp_path)
