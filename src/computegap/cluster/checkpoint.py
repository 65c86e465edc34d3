"""Checkpoints that survive what they are for: a process killed in mid-write, a full disk, a damaged file.

A checkpoint is written to a file of another name, forced to the disk, and only then renamed, which a file
system does at once or not at all. Its first line holds a checksum of the rest. The two newest are kept:
should the newest turn out damaged, the one before it is used, and the run says so. Loading executes nothing
from the file. Taught in chapter 7.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

_MAGIC = "computegap checkpoint"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read."""


class CorruptCheckpoint(CheckpointError):
    """A file whose content is not what was written into it."""


class NoSpace(CheckpointError):
    """The disk took no more; the checkpoints that were there before are untouched."""


@dataclass(frozen=True)
class Found:
    """A checkpoint that was read and verified.

    Attributes
    ----------
    step : int
        Steps that had been done.
    state : dict
        What was saved.
    refused : list of str
        Why newer files were passed over, one sentence each.
    """

    step: int
    state: dict[str, Any]
    refused: list[str]


def path_of(folder: str | os.PathLike, step: int) -> Path:
    """Name of the checkpoint after so many steps."""
    return Path(folder, f"step-{step:08d}.ckpt")


def steps_saved(folder: str | os.PathLike) -> list[int]:
    """Steps after which there is a checkpoint, newest first; whether the files are sound is not looked at."""
    names = (re.fullmatch(r"step-(\d+)\.ckpt", path.name) for path in Path(folder).glob("step-*.ckpt"))
    return sorted((int(name[1]) for name in names if name), reverse=True)


def save(folder: str | os.PathLike, step: int, state: Mapping[str, Any], keep: int = 2) -> Path:
    """Write a checkpoint so that it is there whole or not at all, then remove all but the newest ``keep``.

    Parameters
    ----------
    folder : path
        Made if it isn't there.
    step : int
        Steps done.
    state : mapping
        Tensors, numbers, texts, and lists and dictionaries of them.
    keep : int
        Two or more let a reader fall back if the newest is damaged.

    Raises
    ------
    ValueError
        If ``step`` is negative or ``keep`` not positive.
    NoSpace
        If the disk is full; what was there before stays, and the unfinished file is removed.
    """
    if step < 0 or keep < 1:
        raise ValueError(f"steps start at zero and one checkpoint or more is kept, got {step!r} and {keep!r}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getbuffer()
    head = {"is": _MAGIC, "step": step, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    target = path_of(folder, step)
    unfinished = target.with_suffix(f".unfinished-{os.getpid()}")
    try:
        with open(unfinished, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if error.errno not in _FULL:
            raise
        before = steps_saved(folder)
        left = f"the one of step {before[0]} is still good" if before else "there is none from before"
        raise NoSpace(
            f"no room for the checkpoint of step {step} in {folder} "
            f"({len(content)} bytes; {error.strerror}); {left}. "
            "Make room and start again with the same command."
        ) from None
    _settle(folder)
    for old in steps_saved(folder)[keep:]:
        with contextlib.suppress(OSError):
            path_of(folder, old).unlink()
    return target


def _settle(folder: Path) -> None:
    """Force the renaming itself to the disk, where the system lets a folder be opened for that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load(path: str | os.PathLike) -> dict[str, Any]:
    """Read a checkpoint and check that it is what was written.

    Raises
    ------
    CorruptCheckpoint
        If it isn't: cut short, changed, or not a checkpoint at all.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    first, _, content = path.read_bytes().partition(b"\n")
    try:
        head = json.loads(first)
        size, digest, is_one = head["bytes"], head["sha256"], head["is"] == _MAGIC
    except (ValueError, KeyError, TypeError):
        is_one = False
    if not is_one:
        raise CorruptCheckpoint(f"{path.name} does not begin as a checkpoint does")
    if len(content) != size:
        raise CorruptCheckpoint(f"{path.name} holds {len(content)} bytes where {size} were written")
    if hashlib.sha256(content).hexdigest() != digest:
        raise CorruptCheckpoint(f"{path.name} holds other bytes than were written (its checksum differs)")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def newest(folder: str | os.PathLike) -> Found | None:
    """The newest checkpoint that verifies; None if there is no file at all.

    Raises
    ------
    CorruptCheckpoint
        If there are files and none is sound: starting over in silence would throw a run away.
    """
    refused = []
    for step in steps_saved(folder):
        try:
            return Found(step, load(path_of(folder, step)), refused)
        except CorruptCheckpoint as error:
            refused.append(str(error))
    if refused:
        raise CorruptCheckpoint(
            f"no checkpoint in {folder} can be used: {'; '.join(refused)}. To begin anew, empty the folder."
        )
    return None


def tidy(folder: str | os.PathLike) -> int:
    """Remove what writers that were killed left unfinished; returns how many files. For one worker only."""
    count = 0
    for path in Path(folder).glob("step-*.unfinished-*"):
        with contextlib.suppress(OSError):
            path.unlink()
            count += 1
    return count


@dataclass(frozen=True)
class Recovery:
    """What one restart cost.

    Attributes
    ----------
    restart : int
        1 for the first.
    reached : int
        Steps done, by the worker that was furthest, when the job failed.
    resumed : int
        Steps done at the checkpoint that it went on from.
    seconds : float
        From the last thing reported before the failure to the first step after it.
    difference : float
        Largest difference between a loss of a lost step and the loss when the step was done again; zero if
        they are the same to the last bit, not a number if no step was done twice.
    """

    restart: int
    reached: int
    resumed: int
    seconds: float
    difference: float

    @property
    def lost(self) -> int:
        """Steps that had to be done again."""
        return self.reached - self.resumed


def recoveries(records: Sequence[Mapping[str, Any]]) -> list[Recovery]:
    """What each restart of a run of :mod:`computegap.cluster.train` cost, from the run's own records."""
    found = []
    steps: dict[int, dict[int, float]] = {}
    times: dict[int, list[float]] = {}
    for record in records:
        if record["kind"] == "step":
            steps.setdefault(record["restart"], {}).setdefault(record["step"], record["loss"])
            times.setdefault(record["restart"], []).extend((record["began"], record["ended"]))
    seen: dict[int, float] = dict(steps.get(0, {}))
    for restart in sorted(steps)[1:]:
        before = [attempt for attempt in steps if attempt < restart]
        reached = max(max(steps[attempt]) for attempt in before[-1:]) + 1
        again = [abs(loss - seen[step]) for step, loss in steps[restart].items() if step in seen]
        found.append(
            Recovery(
                restart,
                reached,
                min(steps[restart]),
                min(times[restart]) - max(times[before[-1]]),
                max(again, default=float("nan")),
            )
        )
        seen |= steps[restart]
    return found
