"""The Makefile: `make` alone explains itself, and each command does what it says, in that order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCUMENTED = [
    "book",
    "test",
    "serve",
    "lab",
    "clean",
    "help",
    "bench",
    "lighthouse",
    "screenshots",
    "lock",
    "browser",
]


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make and return what it said."""
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)


def targets(root: Path) -> set[str]:
    """Return the commands that the Makefile declares."""
    text = (root / "Makefile").read_text()
    listed = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", text, re.M).group(1)
    return set(listed.replace("\\", " ").split())


def test_help_is_the_default_and_lists_every_command(root: Path) -> None:
    said = make(root).stdout
    assert said == make(root, "help").stdout
    assert set(re.findall(r"^  ([a-z]+) ", said, re.M)) == targets(root) - {"ready"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_promised_command_exists(root: Path, name: str) -> None:
    assert name in targets(root)


def test_every_command_has_a_rule_that_make_can_follow(root: Path) -> None:
    for name in sorted(targets(root)):
        done = make(root, "-n", name)
        assert done.returncode == 0, f"make -n {name}: {done.stderr}"


def test_a_dry_run_runs_nothing(root: Path) -> None:
    # A recipe line that holds $(MAKE) is executed even by `make -n`, with all that stands beside it.
    recipes = [line for line in (root / "Makefile").read_text().splitlines() if line.startswith("\t")]
    assert not [line for line in recipes if "$(MAKE)" in line]


def test_tools_named_in_the_makefile_exist(root: Path) -> None:
    named = set(re.findall(r"tools/\w+\.(?:py|sh)", (root / "Makefile").read_text()))
    missing = [name for name in sorted(named) if not (root / name).exists()]
    assert not missing


def test_test_lints_runs_builds_and_tests_each_once(root: Path) -> None:
    said = make(root, "-n", "test").stdout
    steps = [
        "ruff check",
        "codespell",
        "nbstripout --verify",
        "run_chapters.py",
        "jupyter-book build",
        "-m pytest",
    ]
    places = [said.index(step) for step in steps]
    assert places == sorted(places)
    assert said.count("run_chapters.py") == 1
    assert said.count("jupyter-book build") == 1


def test_site_is_built_with_warnings_as_errors(root: Path) -> None:
    said = make(root, "-n", "site").stdout
    assert re.search(r"jupyter-book build \. -W --keep-going -n$", said, re.M)


def bare(root: Path, folder: Path) -> Path:
    """Copy what installing needs into a folder where nothing is installed yet."""
    copy = folder / "copy"
    shutil.copytree(root / "tools", copy / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "requirements.txt", "constraints.txt", "pyproject.toml"):
        shutil.copy(root / name, copy / name)
    return copy


@pytest.mark.parametrize("command", ["book", "test", "serve"])
def test_unusable_python_ends_in_a_sentence(root: Path, tmp_path: Path, command: str) -> None:
    done = make(bare(root, tmp_path), command, "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "no-such-python is not a Python of version 3.11 or newer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_requirement_installs_again(root: Path, tmp_path: Path) -> None:
    copy = bare(root, tmp_path)
    stamp = copy / ".venv" / ".installed"
    stamp.parent.mkdir()
    stamp.touch()
    assert "pip install" not in make(copy, "-n", "install").stdout
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml"):
        before = stamp.stat().st_mtime
        os.utime(copy / name, (before + 10, before + 10))
        assert "pip install" in make(copy, "-n", "install").stdout, name
        os.utime(copy / name, (before - 10, before - 10))
