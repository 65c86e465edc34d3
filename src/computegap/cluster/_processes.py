"""What the system is asked about processes: who descends from whom, their memory, how to end them all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

LINUX = sys.platform.startswith("linux")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends; does nothing where it cannot (macOS)."""
    if not LINUX:
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have ended before the request was made.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none gets lost (Linux)."""
    if LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Processes below ``pid``, children before grandchildren; zombies count until they are waited for."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents().items():
        children.setdefault(parent, []).append(child)
    found, waiting = [], list(children.get(pid, []))
    while waiting:
        process = waiting.pop(0)
        found.append(process)
        waiting.extend(children.get(process, []))
    return found


def _parents() -> dict[int, int]:
    """Parent of each process."""
    if not LINUX:
        lines = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False
        ).stdout.splitlines()
        return {int(pid): int(parent) for pid, parent in (line.split() for line in lines)}
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name in brackets may hold anything, so count from the last bracket.
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    return parents


def reap() -> dict[int, int]:
    """Wait for every child that has ended already; return their exit codes (negative: the signal)."""
    codes = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return codes
        if pid == 0:
            return codes
        codes[pid] = os.waitstatus_to_exitcode(status)


def end_descendants(patience: float = 10.0) -> dict[int, int]:
    """Kill everything below this process and wait for it; return exit codes of those that were waited for.

    New processes may start while old ones are being killed, so it looks again until nothing is left.
    """
    codes = reap()
    until = time.monotonic() + patience
    while time.monotonic() < until:
        below = descendants(os.getpid())
        if not below:
            break
        for pid in below:
            # A stopped process dies of SIGKILL as well.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        codes |= reap()
    return codes


def memory(pids: list[int]) -> int:
    """Bytes of memory of some processes together, shared pages counted once in all (proportional set size).

    Processes that are gone, or that are not ours to look at, count nothing. Linux only.
    """
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total
