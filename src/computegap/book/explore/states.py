"""Drawing all states of a figure: the grid, the progress bar, errors that name their state."""

from __future__ import annotations

import base64
import io
import itertools
import math
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg

from computegap.book import style

from . import cache, svg
from .controls import Control

#: A figure with more states than this is refused unless its author raises the limit.
MAX_STATES = 400


class StateError(RuntimeError):
    """The drawing or describing function failed at one state; the message names the state."""


def grid(controls: dict[str, Control]) -> list[dict[str, Any]]:
    """All combinations of values, the last control varying fastest."""
    names = list(controls)
    return [
        dict(zip(names, vs, strict=True)) for vs in itertools.product(*(c.values for c in controls.values()))
    ]


def check_size(title: str, controls: dict[str, Control], limit: int) -> None:
    """Refuse a grid that is too large to be drawn in advance.

    Raises
    ------
    ValueError
        Saying how large the grid is and what to do.
    """
    sizes = [len(c.values) for c in controls.values()]
    total = math.prod(sizes)
    if total > limit:
        product = " × ".join(f"{n} ({name})" for n, name in zip(sizes, controls, strict=True))
        raise ValueError(
            f"the explorable {title!r} has {product} = {total:,} states, more than the {limit:,} that may "
            "be drawn in advance: give its controls fewer values or take one away, or pass "
            f"max_states={total} if the page can afford it"
        )


def named(state: dict[str, Any]) -> str:
    """A state as ``bw=4.0, peak=148``."""
    return ", ".join(f"{k}={v!r}" for k, v in state.items()) or "its only state"


def draw_frame(draw: Callable, state: dict[str, Any], title: str) -> ET.Element:
    """The frame of one state.

    Raises
    ------
    StateError
        If ``draw`` raises, or doesn't return a Figure; the original error is chained.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context(style.RC):
        try:
            fig = draw(**state)
        except Exception as e:
            raise StateError(f"{title!r} cannot be drawn at {named(state)}: {type(e).__name__}: {e}") from e
        try:
            return svg.frame(fig)
        except Exception as e:
            raise StateError(f"{title!r} at {named(state)}: {e}") from e
        finally:
            if hasattr(fig, "savefig"):
                plt.close(fig)


def png(fig: Any) -> str:
    """A figure as base64 PNG, for front ends that show neither widgets nor HTML; the figure is closed."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    with mpl.rc_context({**style.RC, "savefig.transparent": False}):
        FigureCanvasAgg(fig).print_png(buffer)
    plt.close(fig)
    return base64.b64encode(buffer.getvalue()).decode()


def sentence(describe: Callable, state: dict[str, Any], title: str) -> str:
    """The sentence about one state.

    Raises
    ------
    StateError
        If ``describe`` raises, or doesn't return a sentence; the original error is chained.
    """
    try:
        text = describe(**state)
    except Exception as e:
        raise StateError(f"{title!r} cannot be described at {named(state)}: {type(e).__name__}: {e}") from e
    if not isinstance(text, str) or not text.strip():
        raise StateError(f"{title!r} at {named(state)}: describe must return a sentence (str), not {text!r}")
    return " ".join(text.split())


@contextmanager
def _terminal() -> Iterator[Any]:
    """The terminal behind us, for a progress bar; None where there is none or it would land in a notebook.

    A kernel turns its file descriptors into outputs of the notebook; it keeps a copy of the original ones.
    """
    wanted = os.environ.get("COMPUTEGAP_PROGRESS", "") not in ("", "0")
    fd = getattr(sys.stderr, "_original_stdstream_copy", None)
    try:
        if fd is None and "ipykernel" in sys.modules and type(sys.stderr).__module__.startswith("ipykernel"):
            yield None
            return
        raw = os.dup(fd if fd is not None else sys.__stderr__.fileno())
    except (AttributeError, OSError, ValueError):
        yield None
        return
    with os.fdopen(raw, "w") as stream:
        yield stream if wanted or os.isatty(raw) else None


def _progress(states: Iterable, total: int, title: str, stream: Any) -> Iterable:
    if stream is None:
        return states
    from tqdm import tqdm

    return tqdm(states, total=total, desc=f"drawing {title[:40]}", unit="state", file=stream, leave=False)


def draw_all(
    draw: Callable, describe: Callable, states: list[dict], title: str
) -> tuple[list[ET.Element], list[str]]:
    """Frames and sentences of all states, from the disk where they are known.

    Parameters
    ----------
    draw, describe : callable
        The author's functions.
    states : list of dict
        Arguments of each state.
    title : str
        For messages.

    Raises
    ------
    StateError
        If a state cannot be drawn or described.
    """
    import matplotlib as mpl

    with mpl.rc_context(style.RC):
        name = cache.key(draw, describe, states)
    kept = cache.load(name) if name else None
    if kept and len(kept.get("frames", ())) == len(kept.get("sentences", ())) == len(states):
        try:
            return [ET.fromstring(f) for f in kept["frames"]], list(kept["sentences"])
        except (ET.ParseError, TypeError):
            pass  # damaged: draw again
    sentences = [sentence(describe, s, title) for s in states]
    with _terminal() as stream:
        frames = [draw_frame(draw, s, title) for s in _progress(states, len(states), title, stream)]
    if name:
        cache.save(name, {"frames": [svg.dumps(f) for f in frames], "sentences": sentences})
    return frames, sentences
