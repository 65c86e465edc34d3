"""Write constraints.txt: the exact version of every package that the book can install.

Run as ``make lock``. pip resolves requirements.txt, and the optional sets of pyproject.toml, for each
Python that the book supports, without installing anything. Versions already in constraints.txt are
kept unless ``--upgrade`` is given, so that a new package does not move the others.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "constraints.txt"
PYTHONS = ("3.11", "3.12", "3.13")

# Needed on one platform only, so a resolution on another does not meet them.
ELSEWHERE = {
    "appnope": ("0.1.4", 'sys_platform == "darwin"'),
    "colorama": ("0.4.6", 'sys_platform == "win32"'),
}

# torch's CUDA wheel pins these itself; a machine with the CPU wheel never asks for them.
CUDA = re.compile(r"nvidia-|cuda-|triton$")

HEADER = """\
# The exact set of versions that the book is tested with, on Python 3.11, 3.12 and 3.13. Made by `make lock`.
# No hashes: torch's CPU wheel and the registry's wheel share a version but not a file.
"""


def normalise(name: str) -> str:
    """Return a package's name in the one spelling that PEP 503 allows."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requested() -> list[str]:
    """Return every requirement of requirements.txt, pyproject.toml and its optional sets."""
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [line for line in lines if line] + project["dependencies"]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    return wanted


def resolve(python: str, upgrade: bool) -> dict[str, str]:
    """Ask pip which versions a fresh environment of that Python would get.

    Parameters
    ----------
    python
        The version, such as ``"3.12"``.
    upgrade
        Whether to ignore the versions that constraints.txt holds now.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "--python-version", python]
        command += ["--only-binary=:all:", "--target", str(Path(folder) / "target")]
        if TARGET.exists() and not upgrade:
            command += ["-c", str(TARGET)]
        subprocess.run([*command, *requested()], check=True)
        found = json.loads(report.read_text())["install"]
    return {normalise(item["metadata"]["name"]): item["metadata"]["version"].split("+")[0] for item in found}


def render(resolved: dict[str, dict[str, str]]) -> str:
    """Return the text of constraints.txt for ``{python: {package: version}}``."""
    versions: dict[str, dict[str, str]] = defaultdict(dict)
    for python, packages in resolved.items():
        for name, version in packages.items():
            if not CUDA.match(name):
                versions[name][python] = version
    lines = {name: f"{name}=={version} ; {marker}" for name, (version, marker) in ELSEWHERE.items()}
    for name, by_python in versions.items():
        if len(set(by_python.values())) == 1:
            lines[name] = f"{name}=={next(iter(by_python.values()))}"
        else:
            lines[name] = "\n".join(
                f'{name}=={version} ; python_version == "{python}"' for python, version in by_python.items()
            )
    return HEADER + "\n".join(lines[name] for name in sorted(lines)) + "\n"


def main() -> None:
    """Resolve for each Python and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade = parser.parse_args().upgrade
    resolved = {}
    for python in PYTHONS:
        print(f"resolving for Python {python} ...", flush=True)
        resolved[python] = resolve(python, upgrade)
    TARGET.write_text(render(resolved))
    print(f"{TARGET.name}: {len(resolved[PYTHONS[0]])} packages on Python {PYTHONS[0]}")


if __name__ == "__main__":
    main()
