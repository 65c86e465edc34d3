"""Run every benchmark in bench/, one after another, and fail if one misses its bar."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Return 0 when each script returned 0; a script says itself what it measures and holds."""
    scripts = sorted((ROOT / "bench").rglob("bench_*.py"))
    if not scripts:
        print("bench/ holds no bench_*.py", file=sys.stderr)
        return 1
    failed = []
    for script in scripts:
        print(f"\n== {script.relative_to(ROOT)}", flush=True)
        if subprocess.call([sys.executable, str(script)], cwd=ROOT) != 0:
            failed.append(script.name)
    if failed:
        print("\nbars missed or broken: " + ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
