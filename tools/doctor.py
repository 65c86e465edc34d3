"""Say what is missing on this machine, and what to do about it.

Uses only the standard library and old syntax, for it runs before anything is installed.

    python tools/doctor.py venv          can this Python make a virtual environment?
    python tools/doctor.py torch-flags   the pip options that get torch's CPU build, or nothing
    python tools/doctor.py browser       the path of a Chromium that starts, for the tests of the site
    python tools/doctor.py site          is the site built, and where is it?
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NEWEST_TESTED = (3, 13)
FREE_GB = 3.0

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def say(*lines: str) -> None:
    """Print sentences for the person at the terminal, clear of what a caller reads from standard output."""
    print("\n".join(lines), file=sys.stderr, flush=True)


def module_missing(name: str) -> bool:
    """Tell whether a module of the standard library is left out of this Python."""
    try:
        __import__(name)
    except ImportError:
        return True
    return False


def check_venv() -> int:
    """Check that this Python can make an environment with pip in it, and that the disk has room.

    Returns
    -------
    int
        0, or 1 after saying what is missing. Debian and Ubuntu ship ``venv`` and ``ensurepip`` apart.
    """
    version = "%d.%d" % sys.version_info[:2]  # noqa: UP031 (runs on any Python 3)
    if sys.version_info < (3, 11):  # noqa: UP036
        say(f"This is Python {version}; the book needs 3.11, 3.12 or 3.13.")
        return 1
    if module_missing("venv") or module_missing("ensurepip"):
        say(
            f"Python {version} is here, but it cannot make virtual environments: the venv module is missing.",
            f"On Debian and Ubuntu: sudo apt-get install python{version}-venv   (or python3-venv)",
        )
        return 1
    if sys.version_info[:2] > NEWEST_TESTED:
        tested = "%d.%d" % NEWEST_TESTED  # noqa: UP031
        say(f"Note: Python {version} is newer than {tested}, the newest that the book is tested with.")
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if free < FREE_GB:
        say(f"Note: {free:.1f} GB are free on this disk; the installation takes about 1.5 GB.")
    return 0


def torch_flags() -> int:
    """Print the pip options that add torch's CPU index, when it is wanted and answers.

    On Linux the registry's torch brings several gigabytes of CUDA. The index is asked first, for
    at most five seconds, because pip would try an unreachable one again and again for every package.
    ``TORCH_INDEX`` names another index; empty, it leaves the choice to pip's own settings.
    """
    index = os.environ.get("TORCH_INDEX", CPU_INDEX)
    if not index or not sys.platform.startswith("linux"):
        return 0
    try:
        with urllib.request.urlopen(index.rstrip("/") + "/torch/", timeout=5) as answer:
            answers = answer.status == 200
    except (OSError, ValueError):
        answers = False
    if answers:
        print("--extra-index-url " + index)
    else:
        say(
            "Note: " + index + " does not answer, so pip takes torch from wherever it is set up to look.",
            "      From the public registry that is the CUDA build, a download of several gigabytes.",
        )
    return 0


def starts(browser: str) -> bool:
    """Tell whether a browser runs at all; Ubuntu's ``chromium-browser`` can be a stub that does not."""
    try:
        done = subprocess.run([browser, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def playwright_browser() -> str | None:
    """Return the path of the Chromium that Playwright downloaded, if Playwright is installed and it did."""
    code = (
        "from playwright.sync_api import sync_playwright as s\n"
        "with s() as p: print(p.chromium.executable_path)"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    path = done.stdout.strip()
    return path if path and os.path.exists(path) else None


def find_browser() -> str | None:
    """Return the path of the first Chromium that starts; the variable ``CHROMIUM`` goes before all others."""
    asked = os.environ.get("CHROMIUM")
    if asked:
        path = shutil.which(asked)
        return path if path and starts(path) else None
    for name in BROWSERS:
        path = shutil.which(name)
        if path and starts(path):
            return path
    return playwright_browser()


def browser() -> int:
    """Print the path of a browser for the tests of the site, or say how to get one."""
    path = find_browser()
    if path:
        print(path)
        return 0
    asked = os.environ.get("CHROMIUM")
    if asked:
        say(f"CHROMIUM={asked} does not start. Give the path of a Chromium, or leave it unset.")
        return 1
    say(
        "The tests of the site open its pages in Chromium, and none was found.",
        "Install one with `make browser`, or say where yours is: make test CHROMIUM=/path/to/chromium",
        "The tests that need no browser run with `make unit`.",
    )
    return 1


def site() -> int:
    """Say where the built site is."""
    page = ROOT / "_build" / "html" / "index.html"
    if not page.exists():
        say("The site is not built yet: run `make book`.")
        return 1
    print(f"\nThe book is built. Open it in a browser:\n  {page.as_uri()}\nor serve it: make serve")
    return 0


COMMANDS = {"venv": check_venv, "torch-flags": torch_flags, "browser": browser, "site": site}


def main(arguments: list[str]) -> int:
    """Run one command; see the module's text."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        say("usage: doctor.py " + " | ".join(COMMANDS))
        return 2
    return COMMANDS[arguments[0]]()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
