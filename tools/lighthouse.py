#!/usr/bin/env python3
"""Score every page of the built book with Lighthouse, on the settings of a phone with a slow connection.

    python tools/lighthouse.py                     # every page, into build/lighthouse
    python tools/lighthouse.py --only chapters/01

Needs node; npx fetches Lighthouse on the first run. Fails when a page is below the bars.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from doctor import find_browser
from serve import ROOT, serving

PACKAGE = "lighthouse@12.8.2"  # the last line that runs on node 20
OUT = ROOT / "build" / "lighthouse"
SITE = ROOT / "_build" / "html"

#: Category and the lowest score allowed, of 100.
BARS = {"performance": 95, "accessibility": 100, "best-practices": 95, "seo": 100}

#: Pages that ask not to be indexed, so that their score for search engines says nothing.
NOT_INDEXED = {"404.html", "search.html"}


def pages(only: str) -> list[str]:
    """Return the paths of the built pages that hold ``only``, in order."""
    found = (path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    return sorted(path for path in found if not path.startswith("_") and only in path)


def score(url: str, report: Path, browser: str) -> dict[str, int]:
    """Let Lighthouse open one page and return its scores by category.

    Raises
    ------
    RuntimeError
        If Lighthouse ends without a report, with the last lines that it wrote.
    """
    command = ["npx", "--yes", PACKAGE, url, "--quiet", "--output=json", f"--output-path={report}"]
    command += ["--only-categories=" + ",".join(BARS), "--chrome-flags=--headless=new --no-sandbox"]
    environment = {**os.environ, "CHROME_PATH": browser}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0 or not report.exists():
        raise RuntimeError(f"Lighthouse gave no report for {url}:\n" + done.stderr[-1500:])
    categories = json.loads(report.read_text(encoding="utf-8"))["categories"]
    return {name: round(100 * (categories[name]["score"] or 0)) for name in BARS}


def main() -> int:
    """Score the pages, print a table, and return 1 if one is below a bar."""
    parser = argparse.ArgumentParser(description="Score every page of the built book with Lighthouse.")
    parser.add_argument("--only", default="", help="score the pages whose path holds this")
    arguments = parser.parse_args()
    browser = find_browser()
    if not shutil.which("npx"):
        print("Lighthouse needs node with npx, from https://nodejs.org/", file=sys.stderr)
        return 1
    if not browser:
        print("Lighthouse needs Chromium: run `make browser`.", file=sys.stderr)
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    low = []
    print(f"{'page':<44}" + "".join(f"{name:>16}" for name in BARS))
    with serving(SITE) as address:
        for page in pages(arguments.only):
            report = OUT / (page.replace("/", "_") + ".json")
            scores = score(f"{address}/{page}", report, browser)
            print(f"{page:<44}" + "".join(f"{value:>16}" for value in scores.values()), flush=True)
            for name, value in scores.items():
                if value < BARS[name] and not (name == "seo" and page in NOT_INDEXED):
                    low.append(f"{page}: {name} {value}, at least {BARS[name]} wanted")
    bars = ", ".join(f"{name} {least}" for name, least in BARS.items())
    print("\n".join(low) or f"Every page is at or above {bars}.")
    return 1 if low else 0


if __name__ == "__main__":
    raise SystemExit(main())
