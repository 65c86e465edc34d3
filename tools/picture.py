#!/usr/bin/env python3
"""Make docs/picture.png, the picture in the README: the book's front page as it opens, in few colours."""

from __future__ import annotations

import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from doctor import find_browser
from PIL import Image
from playwright.sync_api import sync_playwright
from serve import ROOT, serving

TARGET = ROOT / "docs" / "picture.png"
SIZE = {"width": 1200, "height": 1280}
COLOURS = 64


def main() -> int:
    """Open the page, take the picture, and keep it small."""
    browser = find_browser()
    if not browser:
        print("The picture is taken in Chromium: run `make browser`.", file=sys.stderr)
        return 1
    with serving(ROOT / "_build" / "html") as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{address}/index.html", wait_until="networkidle")
        taken = page.screenshot()
        chromium.close()
    TARGET.parent.mkdir(exist_ok=True)
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
