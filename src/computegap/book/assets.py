"""Style and script of what the package puts into pages.

The built site loads each file once per page, as an ordinary file. With a kernel, or in a page that stands
alone, there is no such file to point at: there the text goes inline, beside what needs it.
"""

from __future__ import annotations

import functools
import os
from importlib import resources


@functools.cache
def text(file: str) -> str:
    """Content of a file of ``computegap/book/assets``.

    Raises
    ------
    LookupError
        If there is no such file; the message lists what there is.
    """
    home = resources.files("computegap.book").joinpath("assets")
    path = home.joinpath(file)
    if not path.is_file():
        there = sorted(p.name for p in home.iterdir())
        raise LookupError(f"no asset {file!r}; there are {', '.join(there) or 'none'}")
    return path.read_text(encoding="utf-8")


def tags(name: str, *, style: bool = True, script: bool = True) -> str:
    """``<style>`` and ``<script>`` with the content of ``name.css`` and ``name.js``.

    Parameters
    ----------
    name : str
        ``"explorable"`` or another pair of files in the folder.
    style, script : bool
        Which of the two.
    """
    css = f"<style>{text(name + '.css')}</style>" if style else ""
    js = f"<script>{text(name + '.js')}</script>" if script else ""
    return css + js


def inline(name: str) -> str:
    """:func:`tags` for a display with a kernel; empty for the built site, whose pages load the files."""
    return "" if os.environ.get("COMPUTEGAP_SITE") == "1" else tags(name)
