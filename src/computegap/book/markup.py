"""Safe, small markup for the texts of questions, answers and tables.

Text is escaped; let through are ``**bold**``, ``*italic*``, code in back-ticks, ``[words](address)``, and
the bare tags ``<b> <i> <em> <strong> <code> <sub> <sup>``. Entities such as ``&nbsp;`` are understood.
"""

from __future__ import annotations

import html
import re
from typing import Any

_TAG = re.compile(r"&lt;(/?)(b|i|em|strong|code|sub|sup)&gt;")
_LINK = re.compile(r"\[([^\]\[]+)\]\(([^()\s]+)\)")
_ADDRESS = re.compile(r"(https?://|\.{0,2}/|#|[\w-]+(/|\.html|\.md|\.ipynb|#|$))[^\"'<>]*\Z")
_SPAN = re.compile(r"`([^`]+)`|\*\*(\S(?:.*?\S)?)\*\*|(?<![\w*])\*(\S(?:[^*]*?\S)?)\*(?![\w*])")


def inline(text: Any) -> str:
    """Turn a short text into safe HTML for a line of a page.

    Raises
    ------
    TypeError
        If ``text`` is not a string.
    ValueError
        If a tag is left open, or a link points at something other than a page.
    """
    if not isinstance(text, str):
        raise TypeError(f"text is needed here, not {type(text).__name__}")
    escaped = html.escape(html.unescape(text.strip()))
    escaped = _LINK.sub(_link, escaped)
    escaped = _SPAN.sub(_span, escaped)
    escaped = _TAG.sub(r"<\1\2>", escaped)
    _refuse_open_tags(escaped, text)
    return escaped


def blocks(text: Any) -> str:
    """Turn a text into paragraphs, split at empty lines, each through :func:`inline`."""
    if not isinstance(text, str):
        raise TypeError(f"text is needed here, not {type(text).__name__}")
    return "".join(f"<p>{inline(part)}</p>" for part in re.split(r"\n\s*\n", text.strip()) if part.strip())


def plain(text: str) -> str:
    """Drop the markup, for a text/plain output or a label."""
    bare = re.sub(r"<[^>]+>", "", inline(text))
    return html.unescape(bare)


def _link(match: re.Match[str]) -> str:
    words, address = match.groups()
    if not _ADDRESS.match(html.unescape(address)):
        raise ValueError(f"a link may lead to a page (https://... or a relative address), not to {address!r}")
    return f'<a href="{address}">{words}</a>'


def _span(match: re.Match[str]) -> str:
    code, bold, italic = match.groups()
    if code:
        return f"<code>{code}</code>"
    return f"<strong>{bold}</strong>" if bold else f"<em>{italic}</em>"


def _refuse_open_tags(escaped: str, text: str) -> None:
    open_tags: list[str] = []
    for closing, tag in re.findall(r"<(/?)(\w+)[^>]*>", escaped):
        if not closing:
            open_tags.append(tag)
        elif not open_tags or open_tags.pop() != tag:
            raise ValueError(f"</{tag}> closes nothing in {text!r}")
    if open_tags:
        raise ValueError(f"<{open_tags[-1]}> is left open in {text!r}")
