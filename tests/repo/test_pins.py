"""Versions: one exact set, from which nothing differs and which nothing repeats wrongly."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest


def names(lines: list[str]) -> dict[str, str]:
    """Return the rest of each requirement (version and marker) by normalised name."""
    found = {}
    for line in lines:
        text = line.split("#")[0].strip()
        if text and not text.startswith("-"):
            name, rest = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(.*)", text).groups()
            found[re.sub(r"[-_.]+", "-", name).lower()] = rest
    return found


def project(root: Path) -> dict:
    """Return the project's table of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def lines(root: Path, name: str) -> list[str]:
    """Return the lines of a file at the root."""
    return (root / name).read_text().splitlines()


def test_constraints_are_exact_sorted_and_without_hashes_or_local_builds(root: Path) -> None:
    pins = [line for line in lines(root, "constraints.txt") if line and not line.startswith("#")]
    malformed = [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.!]+(?: ; .+)?", pin)]
    assert not malformed
    assert [pin.split("==")[0] for pin in pins] == sorted(pin.split("==")[0] for pin in pins)


def test_everything_asked_for_is_pinned(root: Path, constraints: dict[str, str]) -> None:
    extras = [name for extra in project(root)["optional-dependencies"].values() for name in extra]
    for wanted in (lines(root, "requirements.txt"), project(root)["dependencies"], extras):
        assert not set(names(wanted)) - set(constraints)


def test_versions_asked_for_are_those_pinned(root: Path, constraints: dict[str, str]) -> None:
    for name, rest in names(lines(root, "requirements.txt")).items():
        assert rest in ("", f"=={constraints[name]}"), name


def test_torch_is_the_version_both_builds_match(root: Path, constraints: dict[str, str]) -> None:
    assert constraints["torch"] == "2.13.0"
    assert names(lines(root, "requirements.txt"))["torch"] == "==2.13.0"


def test_the_package_asks_for_lower_bounds_only(root: Path) -> None:
    # Colab and Kaggle keep the torch and numpy that they have.
    for name, rest in names(project(root)["dependencies"]).items():
        assert re.fullmatch(r">=[0-9.]+", rest), name


def test_what_the_package_needs_is_asked_for(root: Path) -> None:
    asked = set(names(lines(root, "requirements.txt"))) | {"ipython"}  # ipykernel brings ipython
    assert set(names(project(root)["dependencies"])) <= asked


def test_this_environment_has_the_pinned_versions(constraints: dict[str, str]) -> None:
    different = {}
    for name, version in constraints.items():
        try:
            here = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            continue
        if here != version:
            different[name] = (here, version)
    assert not different, "run `make install`"


def test_binder_has_the_pinned_versions(root: Path, constraints: dict[str, str]) -> None:
    for name, rest in names(lines(root, ".binder/requirements.txt")).items():
        assert rest.split("+")[0] == f"=={constraints[name]}", name


def test_binder_has_all_that_the_package_needs(root: Path) -> None:
    assert set(names(project(root)["dependencies"])) <= set(names(lines(root, ".binder/requirements.txt")))


def test_the_benchmarks_compare_with_the_pinned_versions(root: Path, constraints: dict[str, str]) -> None:
    for path in sorted((root / "bench").rglob("requirements*.txt")):
        for name, rest in names(path.read_text().splitlines()).items():
            assert rest in ("", f"=={constraints[name]}"), f"{path.name}: {name}"


def test_readme_gives_the_commands_that_make_runs(root: Path) -> None:
    readme, makefile = (root / "README.md").read_text(), (root / "Makefile").read_text()
    install = "-m pip install -r requirements.txt -c constraints.txt -e ."
    assert install in readme
    assert install.replace("install ", "install $$flags ") in makefile
    for command in ("tools/run_chapters.py", "jupyter-book build . -W --keep-going -n", "-m pytest"):
        assert command in readme
        assert command in makefile
    index = "https://download.pytorch.org/whl/cpu"
    assert index in readme
    assert index in makefile
    assert index in (root / ".binder" / "requirements.txt").read_text()


def test_one_version_of_the_book(root: Path) -> None:
    version = project(root)["version"]
    package = re.search(r'__version__ = "(.+)"', (root / "src/computegap/__init__.py").read_text()).group(1)
    citation = re.search(r"^version: (.+)$", (root / "CITATION.cff").read_text(), re.M).group(1)
    assert package == version
    assert citation == version
    assert f"## [{version}]" in (root / "CHANGELOG.md").read_text()
    assert f"version = {{{version}}}" in (root / "README.md").read_text()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_covers_every_python_promised(root: Path, tool, python: str) -> None:
    assert python in tool("lock").PYTHONS
    assert python in (root / "README.md").read_text()


def test_lock_keeps_versions_that_differ_apart(tool) -> None:
    text = tool("lock").render({"3.11": {"a": "1", "b": "1", "nvidia-x": "9"}, "3.12": {"a": "2", "b": "1"}})
    assert 'a==1 ; python_version == "3.11"\na==2 ; python_version == "3.12"\n' in text
    assert "\nb==1\n" in text
    assert "nvidia" not in text
