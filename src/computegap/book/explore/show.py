"""Figures without controls, and what happens to a figure that nobody described."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from computegap.book import assets

from . import page, svg
from .explorable import on_site

NO_ALT = (
    "This figure has no description, so some readers could not know what it shows. "
    'Display it with show(fig, alt="one sentence on what it shows", title="...", basis="computed").'
)


class UndescribedFigure(ValueError):
    """A figure is to be displayed and nobody said what it shows."""


class Picture:
    """A figure with its description, title and caption. Made by :func:`picture`; shows itself."""

    def __init__(self, fig: Figure, alt: str, title: str | None, caption: str, basis: str | Iterable[str]) -> None:
        import matplotlib as mpl

        from computegap.book import style

        if not isinstance(fig, Figure):
            raise TypeError(f"a matplotlib Figure is needed, not {type(fig).__name__}")
        if not isinstance(alt, str) or not alt.strip():
            raise ValueError("alt must say in a sentence what the figure shows")
        self.alt, self.caption, self.basis = " ".join(alt.split()), caption.strip(), page.bases(basis)
        own = next((a.get_title("left") or a.get_title() for a in fig.axes if a.get_title("left") or a.get_title()), "")
        self.title = (title or own).strip()
        if not self.title:
            raise ValueError("the figure needs a title: pass title=...")
        with mpl.rc_context(style.RC):
            frame = svg.frame(fig)
        self.uid = page.unique_id(self.title, svg.dumps(frame) + self.alt)
        self.svg = svg.dumps(svg.finish([frame], self.uid, self.title, [self.alt])[0])

    def html(self) -> str:
        """Markup of the figure, without style."""
        return page.figure(self.uid, self.title, self.caption, self.basis, self.svg)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        head = "" if on_site() else assets.tags("explorable", script=False)
        return {"text/html": head + self.html(), "text/plain": f"{self.title}. {self.alt}"}


def picture(
    fig: Figure, *, alt: str, title: str | None = None, caption: str = "", basis: str | Iterable[str]
) -> Picture:
    """As :func:`show`, but returns the picture instead of displaying it."""
    made = Picture(fig, alt, title, caption, basis)
    plt.close(fig)
    return made


def show(fig: Figure, *, alt: str, title: str | None = None, caption: str = "", basis: str | Iterable[str]) -> None:
    """Display a figure as inline SVG that takes the page's colours, with a description for those who can't see it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure. It is closed, so that it isn't displayed a second time.
    alt : str
        One sentence on what the figure shows, computed from the data where it can be.
    title : str, optional
        Printed before the caption; the title of the first axes where it isn't given.
    caption : str
        What to look at, and what the figure leaves out.
    basis : str or iterable of str
        What it rests on: ``"measured"``, ``"simulated"``, ``"computed"``, ``"quoted"``, ``"assumed"``.

    Raises
    ------
    TypeError
        If ``fig`` is not a Figure.
    ValueError
        If ``alt`` or the title is empty, or ``basis`` has an unknown word.
    """
    from IPython.display import display

    display(picture(fig, alt=alt, title=title, caption=caption, basis=basis))


def _refuse(fig: Figure, *_: Any) -> None:
    plt.close(fig)
    raise UndescribedFigure(NO_ALT)


def install_formatter() -> None:
    """Make a bare figure at the end of a cell an error that says how to display it. Without IPython, do nothing."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return
    if hasattr(shell, "kernel"):
        # The inline backend registers its own figure formatters when it is activated: let it do so first.
        shell.run_line_magic("matplotlib", "inline")
    formatter = shell.display_formatter.formatters
    for kind in ("image/png", "image/svg+xml", "image/jpeg", "application/pdf"):
        if kind in formatter:
            formatter[kind].pop(Figure, None)
    formatter["text/html"].for_type(Figure, _refuse)
