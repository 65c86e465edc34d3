"""Figures without controls, and what happens to a figure that nobody described."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from computegap.book import assets

from . import page, svg
from .explorable import on_site
from .states import png

NO_ALT = (
    "This figure has no description, so some readers could not know what it shows. "
    'Display it with show(fig, alt="one sentence on what it shows", title="...", basis="computed").'
)


class UndescribedFigure(ValueError):
    """A figure is to be displayed and nobody said what it shows."""


class Picture:
    """A figure with its description, title and caption. Made by :func:`picture`; shows itself."""

    def __init__(
        self, fig: Figure, alt: str, title: str | None, caption: str, basis: str | Iterable[str]
    ) -> None:
        import matplotlib as mpl

        from computegap.book import style

        if not isinstance(fig, Figure):
            raise TypeError(f"a matplotlib Figure is needed, not {type(fig).__name__}")
        if not isinstance(alt, str) or not alt.strip():
            raise ValueError("alt must say in a sentence what the figure shows")
        self.alt, self.caption, self.basis = " ".join(alt.split()), caption.strip(), page.bases(basis)
        titles = (axes.get_title("left") or axes.get_title() for axes in fig.axes)
        own = next(filter(None, titles), "")
        self.title = (title or own).strip()
        if not self.title:
            raise ValueError("the figure needs a title: pass title=...")
        with mpl.rc_context(style.RC):
            frame = svg.frame(fig)
        self.uid = page.unique_id(self.title, svg.dumps(frame) + self.alt)
        self.svg = svg.dumps(svg.finish([frame], self.uid, self.title, [self.alt])[0])
        self._png = "" if on_site() else png(fig)

    def html(self) -> str:
        """Markup of the figure, without style."""
        return page.figure(self.uid, self.title, self.caption, self.basis, self.svg)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Inline SVG, picture and sentence; the site needs no picture."""
        bundle = {"text/html": self.html(), "text/plain": f"{self.title}. {self.alt}"}
        if self._png:
            bundle["text/html"] = assets.tags("explorable", script=False) + bundle["text/html"]
            bundle["image/png"] = self._png
        return bundle


def picture(
    fig: Figure, *, alt: str, title: str | None = None, caption: str = "", basis: str | Iterable[str]
) -> Picture:
    """As :func:`show`, but returns the picture instead of displaying it."""
    made = Picture(fig, alt, title, caption, basis)
    plt.close(fig)
    return made


def show(
    fig: Figure, *, alt: str, title: str | None = None, caption: str = "", basis: str | Iterable[str]
) -> None:
    """Display a figure as inline SVG in the page's colours, with a description for those who can't see it.

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
        What it rests on: ``"measured"``, ``"simulated"``, ``"computed"``, ``"quoted"`` or ``"assumed"``, or
        several of these.

    Raises
    ------
    TypeError
        If ``fig`` is not a Figure.
    ValueError
        If ``alt`` or the title is empty, ``basis`` has an unknown word, or the figure has text that is too
        small to read.
    """
    from IPython.display import display

    display(picture(fig, alt=alt, title=title, caption=caption, basis=basis))


def bare(fig: Figure, *_: Any) -> str:
    """What becomes of a figure that was displayed without :func:`show`.

    A reader who tries something sees the figure, and how to describe it. In the built site nothing goes
    undescribed: there it is an error.
    """
    if on_site():
        plt.close(fig)
        raise UndescribedFigure(NO_ALT)
    return (
        f'<figure class="cg-figure"><img alt="" src="data:image/png;base64,{png(fig)}">'
        f"<figcaption>{page.escape(NO_ALT)}</figcaption></figure>"
    )


def install_formatter() -> None:
    """Ask for a description wherever a bare figure is displayed (see :func:`bare`).

    Without IPython there is nothing to do.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return
    if hasattr(shell, "kernel"):
        # The inline backend registers its own formatters when it is activated, so it has to come first.
        shell.run_line_magic("matplotlib", "inline")
    formatters = shell.display_formatter.formatters
    for kind in ("image/png", "image/svg+xml", "image/jpeg", "application/pdf"):
        if kind in formatters:
            formatters[kind].pop(Figure, None)
    formatters["text/html"].for_type(Figure, bare)
