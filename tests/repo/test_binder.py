"""Binder: the Dockerfile that it would build, rendered here without Docker and without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the lines of the Dockerfile for the files that Binder reads."""
    root = Path(__file__).resolve().parents[2]
    folder = tmp_path_factory.mktemp("binder")
    shutil.copytree(root / ".binder", folder / ".binder")
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(root / name, folder / name)
    command = [
        sys.executable,
        "-m",
        "repo2docker",
        "--no-build",
        "--debug",
        "--user-id=1000",
        "--user-name=reader",
        ".",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return (done.stdout + done.stderr).splitlines()


def place(dockerfile: list[str], words: str) -> int:
    """Return the number of the first line that holds ``words``."""
    found = [number for number, line in enumerate(dockerfile) if words in line]
    assert found, f"no line with {words!r}"
    return found[0]


def test_python_is_the_one_the_versions_are_for(dockerfile: list[str], root: Path) -> None:
    assert (root / ".binder" / "runtime.txt").read_text().strip() == "python-3.11"
    place(dockerfile, "Building conda environment for python=3.11")


def test_packages_come_before_the_content_so_that_their_layer_is_kept(dockerfile: list[str]) -> None:
    copied = [
        n
        for n, line in enumerate(dockerfile)
        if line.strip().startswith("COPY") and " src/ ${REPO_DIR}" in line
    ]
    assert copied
    assert (
        place(dockerfile, '-r ".binder/requirements.txt"')
        < copied[-1]
        < place(dockerfile, ".binder/postBuild")
    )


def test_threads_are_limited_when_the_machine_starts(dockerfile: list[str], root: Path) -> None:
    place(dockerfile, "R2D_ENTRYPOINT")
    assert "OMP_NUM_THREADS=1" in (root / ".binder" / "start").read_text()


def test_scripts_can_be_started(root: Path) -> None:
    for name in ("postBuild", "start"):
        script = root / ".binder" / name
        assert script.stat().st_mode & 0o100, name
        assert script.read_text().startswith("#!/bin/bash\n")
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_package_is_installed_without_its_dependencies(root: Path) -> None:
    # They are in the layer below already; resolving them again could replace torch's CPU build.
    assert "pip install --no-cache-dir --no-deps -e ." in (root / ".binder" / "postBuild").read_text()
