#!/usr/bin/env python3
"""Score the built pages with Lighthouse, on its settings for a phone.

    python tools/lighthouse.py                          # every page
    python tools/lighthouse.py index.html chapters/     # pages whose path contains one of these

Needs node and a Chromium; Lighthouse itself comes from the npm registry through ``npx``. Prints four scores a
page and exits with 1 if one lies below its bar.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from screenshots import browser_path, pages
from serve import ROOT, serving

BARS = {"performance": 95, "accessibility": 100, "best-practices": 95, "seo": 100}
#: Pages that aren't for search engines, so that their SEO score says nothing.
UNLISTED = {"404.html", "search.html"}
PACKAGE = "lighthouse@12"


def scores(url: str, chromium: str, folder: Path) -> tuple[dict[str, int], list[str]]:
    """Run Lighthouse on one address.

    Returns
    -------
    tuple
        The four scores out of 100, and the names of the audits that cost points.
    """
    report = folder / "report.json"
    command = ["npx", "--yes", PACKAGE, url, "--quiet", "--output=json", f"--output-path={report}"]
    command += [
        f"--only-categories={','.join(BARS)}",
        "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
    ]
    subprocess.run(
        command, check=True, env={**os.environ, "CHROME_PATH": chromium}, stdout=subprocess.DEVNULL
    )
    data = json.loads(report.read_text(encoding="utf-8"))
    found = {name: round(100 * (data["categories"][name]["score"] or 0)) for name in BARS}
    lost = []
    for name in BARS:
        for audit in data["categories"][name]["auditRefs"]:
            score = data["audits"][audit["id"]]["score"]
            if audit["weight"] > 0 and score is not None and score < 0.9:
                lost.append(audit["id"])
    return found, lost


def main() -> int:
    """Print the table."""
    folder = Path(os.environ.get("COMPUTEGAP_SITE_FOLDER", ROOT / "_build" / "html"))
    chromium = browser_path()
    if shutil.which("npx") is None or chromium is None:
        sys.exit(
            "Lighthouse needs npx and Chromium: sudo apt-get install nodejs npm chromium"
        )
    wanted = sys.argv[1:]
    failed = False
    print(f"{'page':48}" + "".join(f"{name:>16}" for name in BARS))
    with serving(folder) as address, tempfile.TemporaryDirectory() as scratch:
        for path in pages(folder):
            if path == "intro.html" or (wanted and not any(part in path for part in wanted)):
                continue
            found, lost = scores(f"{address}/{path}", chromium, Path(scratch))
            below = [n for n, bar in BARS.items() if found[n] < bar and not (n == "seo" and path in UNLISTED)]
            failed |= bool(below)
            print(
                f"{path:48}"
                + "".join(f"{found[n]:>16}" for n in BARS)
                + (f"   {', '.join(lost)}" if below else "")
            )
            sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
