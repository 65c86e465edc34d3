"""Measure the explorables beside HoloViews, Panel and Plotly, all with the same demo, in one run.

Run it as ``python bench/explorables/bench_explorables.py`` after ``pip install -r bench/requirements.txt``;
with these in another environment, name its interpreter in ``COMPUTEGAP_BENCH_PYTHON``. What is measured:

* bytes: the whole page, libraries inside, compressed by gzip at its best: what a first visit transfers;
* build: seconds to draw the 144 states and write the page, nothing cached;
* input to paint: from the time stamp that the browser gives to a key press or click, to the first task after
  the frame in which the picture has changed (headless Chromium, 60 frames a second);
* states: each of the 144 pictures in the browser equal, node by node, to the one that Python made.

The pages go to a temporary folder, or to ``COMPUTEGAP_BENCH_PAGES``, where those of the peers are found
again (HoloViews and Panel take minutes). The exit status is 1 if a bar is missed.
"""

from __future__ import annotations

import gzip
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Error, Page, sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import demo  # noqa: E402

RESULTS = HERE.parent / "results" / "explorables.md"
TIMEOUT_S = 1500
FRAME_MS = 1000 / 60

#: Notes when an input came and when the frame that answers it was painted.
WATCH = """() => {
  window.delays = [];
  const channel = new MessageChannel(), walk = (root, found) => {
    for (const e of root.querySelectorAll("*")) {
      if (e.shadowRoot) walk(e.shadowRoot, found);
      found.push(e);
    }
    return found; };
  const deep = () => walk(document, []);
  const signature = () => SIGNATURE;
  const note = (event) => {
    const before = signature(), began = event.timeStamp;
    let painted = false;
    channel.port1.onmessage = () => delays.push(performance.now() - began);
    const look = () => {
      if (painted || performance.now() - began > 2000) return;
      if (signature() === before) return requestAnimationFrame(look);
      painted = true;
      channel.port2.postMessage(0);
    };
    requestAnimationFrame(look);
  };
  addEventListener("keydown", note, true);
  addEventListener("pointerdown", note, true);
}"""
COUNT_STROKES = """window.strokes = 0; const stroke = CanvasRenderingContext2D.prototype.stroke;
CanvasRenderingContext2D.prototype.stroke = function (...a) { strokes++; return stroke.apply(this, a); };"""
SIGNATURES = {
    "explorable": 'document.querySelector("svg desc").textContent',
    "holoviews": "strokes",
    "panel": """deep().filter((e) => ["IMG", "svg"].includes(e.tagName))
        .map((e) => (e.src ?? e.textContent).slice(-6000)).join()""",
    "plotly": 'document.querySelector(".scatterlayer path.js-line").getAttribute("d")',
}


@dataclass
class Result:
    """One way to carry the demo."""

    name: str
    page_bytes: int = 0
    build_s: float = 0.0
    controls: str = ""
    delays: tuple[float, ...] = ()
    note: str = ""

    @property
    def median(self) -> float:
        """Median input to paint, ms."""
        return statistics.median(self.delays) if self.delays else float("nan")

    @property
    def p95(self) -> float:
        """95th percentile of input to paint, ms."""
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] if ordered else float("nan")


def press_keys(page: Page, focus: list, count: int, seed: int = 1) -> None:
    """Arrow keys on each of the controls in turn, at irregular times, never pushing against an end."""
    rng = random.Random(seed)
    for give_focus in focus:
        give_focus()
        page.wait_for_timeout(500)
        for k in range(count // len(focus)):
            page.keyboard.press("ArrowRight" if k % 6 < 3 else "ArrowLeft")
            page.wait_for_timeout(rng.uniform(60, 140))


def measure(page: Page, name: str, count: int) -> list[float]:
    """Input-to-paint times of one page, ms."""
    if name == "explorable":
        sliders = page.locator("input[type=range]")
        focus = [sliders.nth(0).focus, sliders.nth(1).focus]
    elif name == "plotly":
        focus = []
    else:
        handles = page.locator(".noUi-handle")
        handles.first.wait_for(timeout=60_000)
        focus = [handles.nth(0).focus, handles.nth(1).focus]
    page.evaluate(WATCH.replace("SIGNATURE", SIGNATURES[name]))
    if focus:
        press_keys(page, focus, count)
    else:  # Plotly's slider takes no keys
        rail = page.locator(".slider-rail-touch-rect, .slider-rail-rect").first.bounding_box()
        rng = random.Random(1)
        for _ in range(count):
            x = rail["x"] + rail["width"] * rng.uniform(0.05, 0.95)
            page.mouse.click(x, rail["y"] + rail["height"] / 2)
            page.wait_for_timeout(rng.uniform(250, 350))
    page.wait_for_timeout(500)
    return page.evaluate("delays")


def ours(folder: Path) -> tuple[Result, object, str]:
    """The explorable: its page, and its bytes without style and player."""
    from computegap.book import assets

    os.environ["COMPUTEGAP_CACHE"] = str(folder / "cache")
    began = time.perf_counter()
    figure = demo.explorable()
    markup = figure.static_html()
    result = Result("explorable", build_s=time.perf_counter() - began, controls="two sliders")
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo</title>'
        f"<body>{markup}{assets.tags('explorable')}</body></html>"
    )
    (folder / "explorable.html").write_text(page, encoding="utf-8")
    began = time.perf_counter()
    figure.static_html()
    result.note = f"again with its frames cached: {time.perf_counter() - began:.1f} s"
    return result, figure, markup


def peer(name: str, folder: Path) -> Result:
    """Build a peer's page in the interpreter that has the libraries, unless it is there already."""
    python = os.environ.get("COMPUTEGAP_BENCH_PYTHON", sys.executable)
    result = Result(name, controls="one slider of 144 steps" if name == "plotly" else "two sliders")
    if (folder / f"{name}.seconds").exists():
        result.build_s = float((folder / f"{name}.seconds").read_text())
        return result
    command = [python, str(HERE / "peers.py"), name, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        result.build_s = float(done.stdout.split()[-1])
        (folder / f"{name}.seconds").write_text(str(result.build_s))
    except subprocess.TimeoutExpired:
        result.note = f"not built within {TIMEOUT_S} s"
    except subprocess.CalledProcessError as e:
        result.note = "not built: " + (e.stderr.strip().splitlines() or ["no message"])[-1]
    return result


def compressed(text: bytes) -> int:
    """Bytes after gzip."""
    return len(gzip.compress(text, 9))


def table(results: list[Result]) -> str:
    """The results as a Markdown table."""
    rows = [
        "| what | page and libraries, gzip | controls | build | input to paint, p50 / p95 | remark |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        size = f"{r.page_bytes / 1024:,.1f} KiB" if r.page_bytes else "-"
        paint = f"{r.median:.1f} / {r.p95:.1f} ms ({len(r.delays)} inputs)" if r.delays else "not measured"
        rows.append(f"| {r.name} | {size} | {r.controls} | {r.build_s:.1f} s | {paint} | {r.note} |")
    return "\n".join(rows)


def main() -> int:
    """Build, measure, print, and keep the table; 1 if a bar is missed."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("COMPUTEGAP_BENCH_PAGES", temporary))
        folder.mkdir(parents=True, exist_ok=True)
        mine, figure, markup = ours(folder)
        results = [mine]
        for name in ("holoviews", "panel", "plotly"):
            results.append(peer(name, folder))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
            )
            for result in results:
                path = folder / f"{result.name}.html"
                if not path.exists():
                    continue
                result.page_bytes = compressed(path.read_bytes())
                context = browser.new_context(viewport={"width": 900, "height": 900}, offline=True)
                context.add_init_script(COUNT_STROKES)
                page = context.new_page()
                try:
                    page.goto(path.as_uri(), wait_until="load", timeout=120_000)
                    page.wait_for_timeout(3000)
                    result.delays = tuple(measure(page, result.name, 240 if result is mine else 40))
                    if result is mine:
                        uid = markup.split('id="')[1].split('"')[0]
                        from computegap.book.explore import svg

                        frames = [svg.dumps(t) for t in figure.frames(uid)]
                        shape = [len(c.values) for c in figure.controls.values()]
                        wrong = page.evaluate((HERE / "sweep.js").read_text(), [uid, frames, shape])
                except Error as e:
                    result.note += f" cannot be operated offline ({e.message.splitlines()[0][:80]})"
                context.close()
            browser.close()
    figure_bytes = compressed(markup.encode())
    carrying = [r for r in results[1:] if r.page_bytes and r.controls == "two sliders"]
    smallest = min(carrying, key=lambda r: r.page_bytes, default=None)
    ratio = smallest.page_bytes / mine.page_bytes if smallest else float("nan")
    bars = [
        ("144 states, compressed", f"{figure_bytes / 1024:.1f} KiB", "<= 20 KiB", figure_bytes <= 20 * 1024),
        ("states equal to Python's frames", f"{144 - len(wrong)} of 144", "144", not wrong),
        (
            "input to paint, median",
            f"{mine.median:.1f} ms",
            f"<= {FRAME_MS:.1f} ms",
            mine.median <= FRAME_MS + 0.05,
        ),
        (
            "input to paint, p95",
            f"{mine.p95:.1f} ms",
            f"<= {2 * FRAME_MS:.1f} ms",
            mine.p95 <= 2 * FRAME_MS + 0.1,
        ),
        (
            f"smaller than {smallest.name if smallest else 'the smallest peer'} with both sliders",
            f"{ratio:.0f} times",
            ">= 20 times",
            ratio >= 20,
        ),
    ]
    lines = [
        "# Explorables beside their peers",
        "",
        "The same 144-state roofline. Compared is what a first visit to a page with this one figure",
        "transfers, the page with every library that it needs, compressed by gzip. Plotly's sliders do not",
        "combine into a grid, so it does not carry the same demo: it is shown with one slider of 144 steps,",
        "outside of the comparison. Painted means: the browser's main thread has done its part of the frame.",
        "",
        table(results),
        "",
        "| bar | measured | required | |",
        "|---|---|---|---|",
        *(f"| {what} | {got} | {need} | {'PASS' if ok else 'FAIL'} |" for what, got, need, ok in bars),
        "",
        f"Measured with {os.cpu_count()} processor cores (load {os.getloadavg()[0]:.1f}), headless Chromium, "
        f"{time.strftime('%Y-%m-%d')}.",
        "",
    ]
    print("\n".join(lines))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text("\n".join(lines), encoding="utf-8")
    return 0 if all(ok for *_, ok in bars) else 1


if __name__ == "__main__":
    raise SystemExit(main())
