"""How workers report: one line of JSON for each thing that happened, in a file of each worker's own.

A worker may be killed at any moment. Each line is written in one piece, so what was reported before stays,
and the reader drops at most one unfinished line. No worker waits for another, and none shares a file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

#: Variable that names the folder of a run; unset when a program runs outside
#: :mod:`computegap.cluster.launch`.
RUN_DIR = "COMPUTEGAP_RUN_DIR"

_open: dict[tuple[str, int], tuple[int, int]] = {}


def emit(kind: str, **values: Any) -> None:
    """Report something, from inside a worker.

    Started by :func:`computegap.cluster.launch.launch`, the line goes to the run's folder and comes back as a
    dictionary in ``Finished.records``, with ``kind``, ``rank`` and ``restart`` added. Under plain torchrun,
    which has no such folder, it is printed.

    Parameters
    ----------
    kind : str
        What sort of event, such as ``"step"`` or ``"restored"``.
    **values
        Numbers, texts, lists or dictionaries; numpy and torch scalars are turned into numbers.

    Raises
    ------
    ValueError
        If a value is called ``kind``, ``rank`` or ``restart``, which are filled in here.
    """
    taken = {"rank", "restart"} & set(values)
    if taken:
        raise ValueError(f"{sorted(taken)} are filled in for every record; choose another name")
    rank = int(os.environ.get("RANK", 0))
    folder = os.environ.get(RUN_DIR)
    if folder is None:
        restart = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
        line = json.dumps({"kind": kind, "rank": rank, "restart": restart, **values}, default=_plain)
        # In one piece, so that lines of several workers do not mix.
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return
    file, restart = _file(folder, rank)
    record = {"kind": kind, "rank": rank, "restart": restart, **values}
    line = json.dumps(record, default=_plain) + "\n"
    # One write to a file opened for appending: all of the line or, if the process dies, none.
    os.write(file, line.encode())


def _plain(value: Any) -> Any:
    """A number or a list in place of an array."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a record holds numbers, texts, lists and dictionaries, not {type(value).__name__}")


def _file(folder: str, rank: int) -> tuple[int, int]:
    """This worker's open file and how many times the job had restarted when the worker began."""
    # A process forked from this one must not write into this one's file.
    key = (folder, os.getpid())
    if key not in _open:
        restart = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        while True:
            # With two nodes, a node may start its workers anew without counting it as a restart of its own.
            try:
                file = os.open(Path(folder, f"rank-{rank}.{restart}.jsonl"), flags, 0o600)
                break
            except FileExistsError:
                restart += 1
        _open[key] = file, restart
    return _open[key]


def read(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """All records of a run, restarts in order, then ranks, then as they were written.

    An unfinished last line, as a killed worker may leave, is dropped.
    """
    named = []
    for path in Path(folder).glob("rank-*.jsonl"):
        match = re.fullmatch(r"rank-(\d+)\.(\d+)", path.stem)
        if match:
            named.append((int(match[2]), int(match[1]), path))
    found = []
    for _, _, path in sorted(named):
        for line in path.read_bytes().split(b"\n"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
