"""Markup of a figure in a page: picture, badge, caption, controls."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable
from html import escape

from .controls import Control, Play, Slider

#: What a figure may rest on -> what that means, in a few words.
BASES = {
    "measured": "measured on the machine that ran this chapter",
    "simulated": "simulated by the code of this chapter",
    "computed": "computed from the numbers and formulas shown",
    "quoted": "numbers quoted from the cited sources",
    "assumed": "rests on assumptions that are named",
}
_seen: Counter[str] = Counter()


def bases(basis: str | Iterable[str]) -> tuple[str, ...]:
    """Check what a figure rests on.

    Raises
    ------
    ValueError
        For a word that is not one of :data:`BASES`.
    """
    words = (basis,) if isinstance(basis, str) else tuple(basis)
    for word in words:
        if word not in BASES:
            raise ValueError(f"{word!r} is not something a figure can rest on; there are {', '.join(BASES)}")
    if not words:
        raise ValueError(f"say what the figure rests on: one or several of {', '.join(BASES)}")
    return words


def unique_id(title: str, content: str) -> str:
    """An id made of title and content, the same at every build, and never given twice by one process."""
    name = "cg-" + hashlib.sha256(f"{title}\0{content}".encode()).hexdigest()[:7]
    _seen[name] += 1
    return name if _seen[name] == 1 else f"{name}x{_seen[name]}"


def _control(uid: str, name: str, control: Control, value: int) -> str:
    cid = f"{uid}-c-{name}"
    label = escape(control.label)
    texts = [control.text(i) for i in range(len(control.values))]
    if isinstance(control, Slider):
        play = ""
        if isinstance(control, Play):
            play = (
                f'<button type="button" class="cg-play" data-seconds="{control.seconds:g}" '
                f'aria-label="Play: {label}"><span aria-hidden="true">&#9654;</span></button>'
            )
        widest = max(map(len, texts))
        now, every = escape(texts[value]), escape("|".join(t.replace("|", "/") for t in texts))
        smooth = " data-smooth" if control.smooth else ""
        return (
            f'<div class="cg-control cg-is-{control.kind}"><label for="{cid}">{label}</label>'
            f'<output for="{cid}" aria-hidden="true" style="min-width:{widest}ch">{now}</output>'
            f'<div class="cg-track">{play}<input type="range" id="{cid}" min="0" max="{len(texts) - 1}" '
            f'step="1" value="{value}" autocomplete="off" aria-valuetext="{now}" data-texts="{every}"{smooth}'
            # JupyterLab keeps the arrow keys for itself unless it is told not to
            " data-lm-suppress-shortcuts></div></div>"
        )
    if control.kind == "select":
        options = "".join(
            f"<option{' selected' if i == value else ''}>{escape(t)}</option>" for i, t in enumerate(texts)
        )
        return (
            f'<div class="cg-control cg-is-select"><label for="{cid}">{label}</label>'
            f'<select id="{cid}" autocomplete="off">{options}</select></div>'
        )
    return (
        f'<div class="cg-control cg-is-checkbox"><input type="checkbox" id="{cid}" autocomplete="off"'
        f'{" checked" if value else ""}><label for="{cid}">{label}</label></div>'
    )


def badge(words: Iterable[str]) -> str:
    """The small sign that says what a figure rests on."""
    return "".join(
        f'<span class="cg-badge cg-{w}" title="{escape(BASES[w])}">'
        f'<span class="cg-aside">Basis: </span>{w}</span> '
        for w in words
    )


def _caption(title: str, caption: str, words: Iterable[str]) -> str:
    text = f" {escape(caption)}" if caption else ""
    dot = "" if title.endswith((".", "?", "!")) else "."
    return f"<figcaption>{badge(words)}<b>{escape(title)}{dot}</b>{text}</figcaption>"


def picture_box(uid: str, title: str, svg: str) -> str:
    """The box in which a picture scrolls where the screen is too narrow for it."""
    return (
        f'<div class="cg-picture" id="{uid}-picture" tabindex="0" role="group" '
        f'aria-label="{escape(title)}: picture">'
        f"{svg}</div>"
    )


def figure(uid: str, title: str, caption: str, words: Iterable[str], svg: str, state: str = "") -> str:
    """A figure without controls; ``state`` is the sentence under an explorable's default picture."""
    now = f'<p class="cg-now">{escape(state)}</p>' if state else ""
    return (
        f'<figure class="cg-figure" id="{uid}">{picture_box(uid, title, svg)}{now}'
        f"{_caption(title, caption, words)}</figure>"
    )


def explorable(
    uid: str,
    title: str,
    caption: str,
    words: Iterable[str],
    svg: str,
    state: str,
    controls: dict[str, Control],
    start: Iterable[int],
    packed: str,
) -> str:
    """An explorable with all its states, as it stands in the built page.

    Parameters
    ----------
    uid : str
        The figure's id, prefix of all others in it.
    title, caption : str
        As the author wrote them.
    words : iterable of str
        What the figure rests on.
    svg : str
        Markup of the default state.
    state : str
        Sentence about the default state.
    controls : dict
        Parameter -> control, in the order of the grid.
    start : iterable of int
        Index of each control's default value.
    packed : str
        The other states, from :func:`computegap.book.explore.encode.pack`.
    """
    parts = itertools.starmap(
        lambda item, value: _control(uid, item[0], item[1], value), zip(controls.items(), start, strict=True)
    )
    return (
        f'<figure class="cg-figure cg-explorable" id="{uid}">'
        f'<div class="cg-controls" role="group" aria-label="{escape(title)}: controls">{"".join(parts)}'
        f'<button type="button" class="cg-reset">Reset</button></div>'
        f"{picture_box(uid, title, svg)}"
        f'<p class="cg-now">{escape(state)}</p><p class="cg-say cg-aside" role="status"></p>'
        "<noscript><p>The controls need JavaScript; the picture shows the default setting.</p></noscript>"
        f"{_caption(title, caption, words)}"
        f'<script type="text/plain" class="cg-states">{packed}</script></figure>'
    )
