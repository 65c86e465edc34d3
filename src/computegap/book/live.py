"""Prose where a reader runs the chapter: numbers stand in the sentences, as they do in the book.

A front end such as JupyterLab shows a role of MyST, ``{glue:text}`h20_ridge```, as it is typed. In a live
session a small script (``assets/prose.js``) puts the published number in its place. The script goes out
once, in the cell that starts the chapter; the numbers follow after each cell that published or changed some.
Where scripts of outputs don't run, or reach only their own frame, the prose stays as it is typed.
"""

from __future__ import annotations

import html
import json
import sys
import time
from typing import Any

from . import assets, session

#: An output that holds no more than data takes no room on the page, nor does a cell's area of such outputs.
STYLE = (
    ".cg-prose,.jp-OutputArea-child:has(>.jp-OutputArea-output>.cg-prose),"
    ".jp-Cell-outputWrapper:has(.cg-prose):not(:has(.jp-OutputArea-output>:not(.cg-prose)))"
    "{display:none}"
)
#: For front ends that keep outputs in a frame of their own.
_NOTE = (
    "A name after {glue:text} stands for a number that the cells above compute; "
    'book.number("name") prints it.'
)

_sent: dict[str, str] = {}


def start() -> None:
    """Begin a live session: send the script, or print a sentence of help where it can't reach the prose.

    Does nothing outside a kernel, nor while the site is built.
    """
    if not session.live():
        return
    _sent.clear()
    if not scripts_reach_prose():
        print(_NOTE)
        return
    _display(f'<div class="cg-prose"><style>{STYLE}</style><script>{assets.text("prose.js")}</script></div>')
    events = session.shell().events
    events.register("post_run_cell", send_numbers)  # the same function again is not added twice


def scripts_reach_prose() -> bool:
    """False in Colab and Visual Studio Code, where an output can't see the text around it."""
    return "google.colab" not in sys.modules and "__vsc_ipynb_file__" not in session.shell().user_ns


def send_numbers(result: Any = None) -> None:
    """Send all published numbers to the page if one is new or has changed; runs after each cell.

    Parameters
    ----------
    result : IPython.core.interactiveshell.ExecutionResult, optional
        Not used; IPython hands it to each of its hooks.
    """
    numbers = {name: record.text for name, record in session.current.published.items()}
    if not session.live() or all(_sent.get(name) == text for name, text in numbers.items()):
        return
    _sent.update(numbers)
    _display(numbers_html(numbers))


def numbers_html(numbers: dict[str, str]) -> str:
    """An invisible element that carries the numbers and the time; of two, the later one counts.

    All numbers are in it, not only the new ones: a front end that draws only the cells in view may never
    draw the output that brought the others.
    """
    data = html.escape(json.dumps(numbers, ensure_ascii=False, separators=(",", ":")))
    return f'<div class="cg-prose" data-cg-time="{time.time_ns() // 1000}" data-cg-numbers="{data}"></div>'


def _display(page: str) -> None:
    from IPython.display import display

    display({"text/html": page, "text/plain": ""}, raw=True)
