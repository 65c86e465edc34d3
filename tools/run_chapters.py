"""Run every chapter once; the results feed the tests and the site.

A chapter that has to run is copied to build/work/NAME/NAME.ipynb and executed there by nbmake, with its
outputs written back. The executed notebook is kept as build/run/NAME.ipynb, for the tests, and in the
cache that `jupyter-book build` reads, so that the site executes nothing. A chapter runs again when the
code in its cells changes; all of them run again when the package, its data, or the pinned versions
change. A change of prose runs nothing.

The seconds, the slowest cell and the peak memory of each chapter are kept in build/run/budgets.json.
One chapter runs at a time, because chapters measure the machine they run on; JOBS=2 runs two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import nbformat
import psutil
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.main import JupyterCacheBase

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("chapters/*.ipynb",)

# nbmake skips every path with a part named _build, so the copies live beside it.
WORK = ROOT / "build" / "work"
RUN = ROOT / "build" / "run"
BUDGETS = RUN / "budgets.json"
STAMP = ROOT / "build" / "fingerprints.json"
CACHE = ROOT / "_build" / ".jupyter_cache"
DOCTREES = ROOT / "_build" / ".doctrees"

# What a chapter may take on two cores; Binder gives 2 GB of memory, and the server needs some of it.
SECONDS = 60.0
CELL_SECONDS = 30.0
MEGABYTES = 1200.0

# Where a run is cut off. Wider than the budgets: a slow machine should be told, not stopped.
CELL_LIMIT = 180
CHAPTER_LIMIT = 600

SAMPLE_EVERY = 0.25


@dataclass
class Cost:
    """What running one chapter took.

    Attributes
    ----------
    seconds
        Wall-clock time, the start of the kernel included.
    slowest_cell, slowest_cell_s
        The number of the slowest code cell, counted from one, and its time.
    peak_mb
        The largest memory of the kernel and all processes it started, in 10^6 bytes; shared pages are
        divided among their users (PSS) where the system says so, else resident memory is summed.
    cells
        How many code cells the chapter has.
    jobs
        How many chapters ran at the same time.
    """

    seconds: float
    slowest_cell: int
    slowest_cell_s: float
    peak_mb: float
    cells: int
    jobs: int

    def over(self, scale: float = 1.0) -> list[str]:
        """Say which budgets are exceeded when the time budgets are multiplied by ``scale``."""
        found = []
        if self.seconds > SECONDS * scale:
            found.append(f"it took {self.seconds:.0f} s of {SECONDS * scale:.0f} s")
        if self.slowest_cell_s > CELL_SECONDS * scale:
            found.append(
                f"code cell {self.slowest_cell} took {self.slowest_cell_s:.0f} s"
                f" of {CELL_SECONDS * scale:.0f} s"
            )
        if self.peak_mb > MEGABYTES:
            found.append(f"it used {self.peak_mb:.0f} MB of {MEGABYTES:.0f} MB")
        return found


def digest(paths: Iterable[Path]) -> str:
    """Return a hash of the names and contents of files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def fingerprints() -> dict[str, str]:
    """Hash what the chapters' results depend on, and what the pages depend on besides.

    The Sphinx extension and the styles and scripts of pages shape the site but no result, so editing
    them rebuilds the pages and runs no chapter.
    """
    package = [
        path
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    ]
    pages_only = {
        path for path in package if "sphinx" in path.relative_to(ROOT).parts or path.suffix in {".css", ".js"}
    }
    shared = [ROOT / "constraints.txt"]
    return {
        "results": digest([*shared, *(path for path in package if path not in pages_only)]),
        "pages": digest([*shared, *package]),
    }


def discover() -> list[Path]:
    """Return every executable page of the book, in order."""
    return sorted(path for pattern in PAGES for path in ROOT.glob(pattern))


def working_copy(chapter: Path) -> Path:
    """Return where a chapter is executed: a folder of its own, by which its kernel is recognised."""
    return WORK / chapter.stem / chapter.name


def executed(chapter: Path) -> Path:
    """Return where the executed notebook of a chapter is kept."""
    return RUN / chapter.name


def is_cached(cache: JupyterCacheBase, chapter: Path) -> bool:
    """Tell whether the cache holds results for the code that the chapter has now."""
    try:
        cache.match_cache_notebook(nbformat.read(chapter, as_version=4))
    except KeyError:
        return False
    return True


def memory(process: psutil.Process) -> float:
    """Return the memory of a process in bytes: its proportional share where the system tells it."""
    try:
        return float(process.memory_full_info().pss)
    except (AttributeError, psutil.AccessDenied):
        return float(process.memory_info().rss)


class Watch(threading.Thread):
    """Follow the kernels of one nbmake run: what they use at most, and which chapter is running."""

    def __init__(self, runner: int) -> None:
        super().__init__(daemon=True)
        self.runner = psutil.Process(runner)
        self.peak: dict[str, float] = {}
        self.done = threading.Event()

    def kernels(self) -> dict[str, psutil.Process]:
        """Return the running kernels by the name of their chapter."""
        found = {}
        for process in self.runner.children(recursive=True):
            try:
                if "ipykernel_launcher" in process.cmdline():
                    found[Path(process.cwd()).name] = process
            except psutil.Error:
                continue
        return found

    def sample(self) -> None:
        """Add up the memory of each kernel with its descendants, and keep the largest."""
        for name, kernel in self.kernels().items():
            if name not in self.peak:
                print(f"  {datetime.now():%H:%M:%S} running {name}", flush=True)
            total = 0.0
            try:
                for process in [kernel, *kernel.children(recursive=True)]:
                    total += memory(process)
            except psutil.Error:
                pass
            self.peak[name] = max(self.peak.get(name, 0.0), total)

    def run(self) -> None:
        """Sample until told to stop or until the runner is gone."""
        while not self.done.wait(SAMPLE_EVERY):
            try:
                self.sample()
            except psutil.Error:
                return


def execute(copies: list[Path], jobs: int) -> tuple[int, dict[str, float], dict[str, float]]:
    """Run notebooks under nbmake, in place.

    Returns
    -------
    code, seconds, peak
        The exit status of pytest; the seconds of each notebook that passed; the peak memory in bytes of
        each notebook, by name.
    """
    report = WORK / "report.xml"
    report.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        os.devnull,
        f"--rootdir={ROOT}",
        "-p",
        "no:cacheprovider",
    ]
    command += ["--nbmake", "--nbmake-kernel=python3", f"--nbmake-timeout={CELL_LIMIT}", "--overwrite"]
    command += [f"--timeout={CHAPTER_LIMIT}", f"--junitxml={report}", "-v", "--tb=short"]
    if jobs > 1:
        command += ["-n", str(jobs)]
    environment = {**os.environ, "COMPUTEGAP_SITE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    runner = subprocess.Popen([*command, *map(str, copies)], cwd=ROOT, env=environment)
    watch = Watch(runner.pid)
    watch.start()
    try:
        code = runner.wait()
    except KeyboardInterrupt:
        runner.wait()
        raise SystemExit(130) from None
    finally:
        watch.done.set()
    return code, passed(report), watch.peak


def passed(report: Path) -> dict[str, float]:
    """Read which notebooks passed, and their seconds, from pytest's report."""
    if not report.exists():
        return {}
    seconds = {}
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is None and case.find("error") is None and case.find("skipped") is None:
            name = case.get("classname", "").split(".")
            path = " ".join([*name, case.get("name", "")])
            for chapter in discover():
                if chapter.stem in path:
                    seconds[chapter.stem] = float(case.get("time", "0"))
    return seconds


def cell_seconds(notebook: nbformat.NotebookNode) -> list[float]:
    """Return the seconds of each code cell, from the times that nbclient noted."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            times = cell.metadata.get("execution", {})
            start, end = times.get("iopub.execute_input"), times.get("shell.execute_reply")
            taken = datetime.fromisoformat(end) - datetime.fromisoformat(start) if start and end else None
            found.append(taken.total_seconds() if taken else 0.0)
    return found


def keep(cache: JupyterCacheBase, chapter: Path, seconds: float, peak: float, jobs: int) -> Cost:
    """Put an executed chapter into the cache and return what it cost."""
    copy = working_copy(chapter)
    notebook = nbformat.read(copy, as_version=4)
    cells = cell_seconds(notebook)
    # nbclient's times would be part of the cache's key, and no source would ever match them.
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, executed(chapter))
    cache.cache_notebook_bundle(CacheBundleIn(notebook, str(chapter)), check_validity=False, overwrite=True)
    # Sphinx looks at the source's date only; without its parsed page it has to read the new results.
    relative = chapter.relative_to(ROOT).with_suffix(".doctree")
    (DOCTREES / relative).unlink(missing_ok=True)
    slowest = max(range(len(cells)), key=cells.__getitem__, default=0)
    return Cost(
        seconds=round(seconds, 2),
        slowest_cell=slowest + 1,
        slowest_cell_s=round(max(cells, default=0.0), 2),
        peak_mb=round(peak / 1e6, 1),
        cells=len(cells),
        jobs=jobs,
    )


def read_costs() -> dict[str, Cost]:
    """Return what each chapter cost when it last ran, by name."""
    if not BUDGETS.exists():
        return {}
    return {name: Cost(**entry) for name, entry in json.loads(BUDGETS.read_text()).items()}


def write_costs(costs: dict[str, Cost]) -> None:
    """Keep the costs of the chapters that exist."""
    names = [chapter.stem for chapter in discover()]
    kept = {name: asdict(costs[name]) for name in names if name in costs}
    BUDGETS.write_text(json.dumps(kept, indent=2) + "\n")


def table(costs: dict[str, Cost]) -> str:
    """Return the costs as lines of text."""
    rows = [f"  {'chapter':<28} {'seconds':>8} {'slowest cell':>16} {'peak MB':>8}"]
    for name, cost in sorted(costs.items()):
        cell = f"{cost.slowest_cell_s:.1f} s (cell {cost.slowest_cell})"
        rows.append(f"  {name:<28} {cost.seconds:>8.1f} {cell:>16} {cost.peak_mb:>8.0f}")
    return "\n".join(rows)


def prepare() -> None:
    """Forget what the present package could not have made: results, parsed pages, or both."""
    before = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    now = fingerprints()
    if before.get("results") != now["results"]:
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.rmtree(RUN, ignore_errors=True)
    if before.get("pages") != now["pages"]:
        shutil.rmtree(DOCTREES, ignore_errors=True)
    RUN.mkdir(parents=True, exist_ok=True)
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(json.dumps(now, indent=2) + "\n")


def run(jobs: int) -> int:
    """Execute the chapters that need it and return pytest's exit status."""
    prepare()
    chapters = discover()
    if not chapters:
        print("no chapter found: " + ", ".join(PAGES), file=sys.stderr)
        return 1
    shutil.rmtree(WORK, ignore_errors=True)
    cache = get_cache(CACHE)
    waiting = [path for path in chapters if not (is_cached(cache, path) and executed(path).exists())]
    ready = len(chapters) - len(waiting)
    if not waiting:
        print(f"Chapters: all {ready} up to date, nothing to run")
        return 0
    print(f"Chapters: {len(waiting)} to run, {ready} up to date", flush=True)
    for path in waiting:
        executed(path).unlink(missing_ok=True)
        working_copy(path).parent.mkdir(parents=True)
        shutil.copy(path, working_copy(path))
    start = time.perf_counter()
    code, seconds, peak = execute([working_copy(path) for path in waiting], jobs)
    costs = read_costs()
    for path in waiting:
        if path.stem in seconds:
            costs[path.stem] = keep(cache, path, seconds[path.stem], peak.get(path.stem, 0.0), jobs)
        else:
            costs.pop(path.stem, None)
    write_costs(costs)
    took = time.perf_counter() - start
    print(table({path.stem: costs[path.stem] for path in waiting if path.stem in costs}))
    print(f"Chapters: {len(seconds)} of {len(waiting)} ran in {took:.0f} s", flush=True)
    return code


def report() -> int:
    """Print the costs of all chapters and return 1 if one is over its budget."""
    costs = read_costs()
    print(table(costs))
    over = [f"{name}: {complaint}" for name, cost in sorted(costs.items()) for complaint in cost.over()]
    fine = f"All within {SECONDS:.0f} s, {CELL_SECONDS:.0f} s a cell and {MEGABYTES:.0f} MB."
    print("\n".join(over) or fine)
    return 1 if over else 0


def main() -> int:
    """Run the chapters, or report what they cost."""
    jobs = int(os.environ.get("JOBS", "1"))
    parser = argparse.ArgumentParser(description="Run every chapter whose code changed, once.")
    parser.add_argument("--report", action="store_true", help="print the recorded costs and run nothing")
    parser.add_argument("--jobs", type=int, default=jobs, help="how many chapters run at a time")
    arguments = parser.parse_args()
    return report() if arguments.report else run(arguments.jobs)


if __name__ == "__main__":
    raise SystemExit(main())
