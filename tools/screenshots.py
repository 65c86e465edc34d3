#!/usr/bin/env python3
"""Take a picture of every page of the built book: light, dark, and as wide as a phone.

    python tools/screenshots.py            # into build/screenshots
    python tools/screenshots.py --only chapters/01 --out /tmp/shots

Somebody should look at them before each edition: tests see what is wrong, not what is ugly.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from serve import ROOT, serving

VIEWS = {
    "light": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 800}, "color_scheme": "light"},
}


def browser_path() -> str | None:
    """Path of a Chromium: $CHROMIUM, $COMPUTEGAP_CHROMIUM, or the first that is found; None without any."""
    given = os.environ.get("CHROMIUM") or os.environ.get("COMPUTEGAP_CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return given or next(filter(None, map(shutil.which, names)), None)


def pages(folder: Path, only: str = "") -> list[str]:
    """Paths of the pages of a built site, found in its folder."""
    found = (p.relative_to(folder) for p in folder.rglob("*.html"))
    return sorted(p.as_posix() for p in found if not p.parts[0].startswith("_") and only in p.as_posix())


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take a picture of every page of the built book.")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--only", default="", help="only pages whose path contains this")
    parser.add_argument("--top", action="store_true", help="only what is seen before scrolling")
    options = parser.parse_args()
    chromium = browser_path()
    if chromium is None:
        sys.exit("no Chromium found; on Debian or Ubuntu: sudo apt-get install chromium")
    from playwright.sync_api import sync_playwright

    options.out.mkdir(parents=True, exist_ok=True)
    with serving(options.folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for view, settings in VIEWS.items():
            context = browser.new_context(**settings)
            page = context.new_page()
            for path in pages(options.folder, options.only):
                page.goto(f"{address}/{path}")
                page.wait_for_load_state("networkidle")
                name = path.removesuffix(".html").replace("/", "-")
                page.screenshot(path=options.out / f"{name}.{view}.png", full_page=not options.top)
                print(options.out / f"{name}.{view}.png", flush=True)
            context.close()
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
