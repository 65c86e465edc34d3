"""Frames kept on disk between builds.

Drawing is by far the slowest part of an explorable, and most builds change no figure. A figure's frames are
kept under a key made of everything that they depend on: the source of the drawing and describing functions,
whatever these refer to (closures, defaults, names of the notebook), the package, the style and the version of
matplotlib. What cannot be put into the key is not cached: a figure may be slow, never stale.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
import pickle
import sys
import tempfile
import types
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib as mpl

_PACKAGE = Path(__file__).resolve().parents[2]
_KEEP = 300
# Settings that say where pictures go, not how they look.
_IRRELEVANT = (
    "backend",
    "interactive",
    "keymap",
    "toolbar",
    "webagg",
    "tk.",
    "savefig.directory",
    "datapath",
)


class Unkeyable(Exception):
    """Something a function depends on has no fingerprint."""


def folder() -> Path:
    """Where frames are kept.

    In ``$COMPUTEGAP_CACHE``, else in ``.cache`` of the repository that holds the package, else in the cache
    folder of the user.
    """
    if path := os.environ.get("COMPUTEGAP_CACHE"):
        return Path(path).expanduser() / "explorables"
    root = _PACKAGE.parents[1]
    if (root / "pyproject.toml").exists():
        return root / ".cache" / "explorables"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "computegap" / "explorables"


@functools.cache
def package_fingerprint() -> str:
    """Hash of all code and data of the package."""
    h = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".csv", ".json", ".toml", ".yml"):
            h.update(path.relative_to(_PACKAGE).as_posix().encode())
            h.update(path.read_bytes())
    return h.hexdigest()


def _feed(h: Any, value: Any, seen: set[int]) -> None:
    """Add ``value`` to a hash, following functions into what they use."""
    if id(value) in seen:
        return
    if isinstance(value, functools.partial):
        seen.add(id(value))
        for part in (value.func, value.args, value.keywords):
            _feed(h, part, seen)
    elif inspect.ismethod(value):
        _feed(h, value.__func__, seen)
        _feed(h, value.__self__, seen)
    elif inspect.isfunction(value):
        seen.add(id(value))
        h.update(f"{value.__module__}.{value.__qualname__}".encode())
        if value.__module__ and value.__module__.split(".")[0] == "computegap" and not value.__closure__:
            return  # the package's own fingerprint covers it
        try:
            h.update(inspect.getsource(value).encode())
        except (OSError, TypeError) as e:
            raise Unkeyable(f"no source of {value!r}") from e
        used = inspect.getclosurevars(value)
        for name, part in sorted({**used.globals, **used.nonlocals}.items()):
            h.update(name.encode())
            _feed(h, part, seen)
        _feed(h, value.__defaults__, seen)
        _feed(h, value.__kwdefaults__, seen)
    elif inspect.ismodule(value):
        h.update(f"{value.__name__} {getattr(value, '__version__', '')}".encode())
    elif inspect.isclass(value):
        h.update(f"{value.__module__}.{value.__qualname__}".encode())
        if value.__module__ == "__main__":
            with suppress(OSError, TypeError):
                h.update(inspect.getsource(value).encode())
    elif type(value) in (list, tuple):
        h.update(f"{type(value).__name__}{len(value)}".encode())
        for part in value:
            _feed(h, part, seen)
    elif type(value) is dict:
        h.update(f"dict{len(value)}".encode())
        for k, part in value.items():
            _feed(h, k, seen)
            _feed(h, part, seen)
    elif isinstance(value, types.BuiltinFunctionType):
        h.update(value.__qualname__.encode())
    else:
        try:
            h.update(pickle.dumps(value, protocol=4))
        except Exception as e:
            raise Unkeyable(f"no fingerprint of {type(value).__name__}") from e


def key(draw: Callable, describe: Callable, states: list[dict]) -> str | None:
    """Name under which the frames of a figure are kept; None where no safe one can be made."""
    look = {k: repr(v) for k, v in mpl.rcParams.items() if not k.startswith(_IRRELEVANT)}
    versions = [mpl.__version__, sys.version_info[:2], package_fingerprint()]
    h = hashlib.sha256(json.dumps([versions, look], sort_keys=True, default=str).encode())
    try:
        _feed(h, (draw, describe, [list(s.items()) for s in states]), set())
    except (Unkeyable, RecursionError):
        return None
    return h.hexdigest()[:40]


def load(name: str) -> dict | None:
    """What was kept under a name; None where there is nothing, or nothing that can be read."""
    try:
        kept = json.loads(zlib.decompress((folder() / name).read_bytes()))
    except (OSError, ValueError, zlib.error):
        return None
    return kept if isinstance(kept, dict) and kept.get("name") == name else None


def save(name: str, kept: dict) -> None:
    """Keep something under a name. A cache that cannot be written is no reason to stop a build."""
    with suppress(OSError):
        home = folder()
        home.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed: a reader sees the whole entry or none.
        fd, temporary = tempfile.mkstemp(dir=home, suffix=".part")
        try:
            with os.fdopen(fd, "wb") as f:
                f.write(zlib.compress(json.dumps({**kept, "name": name}).encode(), 1))
            os.replace(temporary, home / name)
        except BaseException:
            os.unlink(temporary)
            raise
        _prune(home)


def _prune(home: Path) -> None:
    entries = sorted((p for p in home.iterdir() if p.is_file()), key=lambda p: p.stat().st_mtime)
    for old in entries[:-_KEEP]:
        old.unlink(missing_ok=True)
