"""What a chapter sets up in its first cell, and what it remembers while it runs."""

from __future__ import annotations

import os
import random
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Seed of every generator that :func:`start` sets. Experiments carry their own seeds and say so.
SEED = 2022


@dataclass
class Session:
    """State of the running chapter.

    Attributes
    ----------
    chapter : str
        For instance ``"01-export-controls"``; empty before :func:`start`.
    published : dict
        Name -> :class:`computegap.book.numbers.Record`.
    """

    chapter: str = ""
    published: dict[str, Any] = field(default_factory=dict)


current = Session()


def start(chapter_id: str) -> None:
    """Set the scene for a chapter: figure style, seeds, threads, and a clean list of published numbers.

    Parameters
    ----------
    chapter_id : str
        The chapter's file name without ending, such as ``"01-export-controls"``.

    Raises
    ------
    ValueError
        If the identifier doesn't look like two digits, a hyphen and lower-case words.
    """
    if not isinstance(chapter_id, str) or not re.fullmatch(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*", chapter_id):
        raise ValueError(
            f"{chapter_id!r} is not a chapter; write its file name without ending: '01-export-controls'"
        )
    from . import live as live_prose
    from . import style
    from .explore import install_formatter

    current.chapter = chapter_id
    current.published.clear()
    style.use()
    install_formatter()
    _set_seeds()
    _set_threads(cores())
    live_prose.start()


def granted_cores() -> int:
    """How many processor cores this process may really use.

    A container often shows all cores of its host and grants a share of them. Where there are Linux control
    groups, their grant counts; it is rounded down, but to no less than one.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return count


def cores() -> int:
    """How many threads a chapter uses: one for each granted core, at most four.

    A thread for each core that is only *shown* makes small matrix products many times slower.
    """
    return min(granted_cores(), 4)


def _set_seeds() -> None:
    """Seed the global generators; torch is not imported for it, unseeded it starts the same each time."""
    import numpy as np

    random.seed(SEED)
    np.random.seed(SEED)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(SEED)


def _set_threads(count: int) -> None:
    """Limit torch's threads now if it is loaded, else through the variables that it reads when it loads."""
    if "torch" in sys.modules:
        asked = os.environ.get("OMP_NUM_THREADS", "")
        sys.modules["torch"].set_num_threads(min(count, int(asked)) if asked.isdigit() else count)
    else:
        os.environ.setdefault("OMP_NUM_THREADS", str(count))


def building_site() -> bool:
    """True while chapters are executed for the site, whose pages bring the styles and scripts themselves."""
    return os.environ.get("COMPUTEGAP_SITE") == "1"


def in_notebook() -> bool:
    """True inside a Jupyter kernel."""
    running = shell()
    return running is not None and getattr(running, "kernel", None) is not None


def live() -> bool:
    """True when a reader is at the keyboard: cells get edited and run again, in any order."""
    return in_notebook() and not building_site()


def shell() -> Any:
    """IPython's shell, or None in plain Python."""
    if "IPython" not in sys.modules:
        return None
    return sys.modules["IPython"].get_ipython()
