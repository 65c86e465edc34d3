"""The book's figure style: one look for every plot, readable in light and dark and by colour-blind readers.

Figures are drawn in the light palette. On a page, :mod:`computegap.book.explore` replaces each colour of
:data:`LIGHT` by the CSS variable of the same place (``--cg-c0`` ...), so that a figure follows the page's
theme; :data:`DARK` is what those variables are in the dark. Every colour keeps a contrast of at least 3:1
against the page behind it (WCAG 2.2, 1.4.11), which a test computes.
"""

from __future__ import annotations

from cycler import cycler

#: Name -> light-mode hex. The order is the order of the plot cycle ("C0", "C1", ...).
LIGHT = {
    "blue": "#0068a8",
    "vermilion": "#c8500a",
    "green": "#00795a",
    "magenta": "#aa3377",
    "amber": "#8f6200",
    "sky": "#2f86ad",
    "slate": "#5f6b7a",
    "plum": "#6b3fa0",
}
#: Name -> dark-mode hex, same names.
DARK = {
    "blue": "#5ab4f0",
    "vermilion": "#ff9a5c",
    "green": "#4ccaa2",
    "magenta": "#ec8fc6",
    "amber": "#e6c04a",
    "sky": "#8fd6f5",
    "slate": "#a6b1bf",
    "plum": "#c3a4f4",
}
INK, GRID, PAPER, MUTED = "#1c2430", "#c9ced6", "#ffffff", "#566070"
INK_DARK, GRID_DARK, PAPER_DARK, MUTED_DARK = "#e7eaee", "#454d59", "#14181e", "#a9b2be"

#: Light-mode hex -> CSS variable that stands for it on a page.
CSS_VARIABLES = {
    INK: "--cg-ink",
    GRID: "--cg-grid",
    PAPER: "--cg-paper",
    MUTED: "--cg-muted",
    **{hex_: f"--cg-c{i}" for i, hex_ in enumerate(LIGHT.values())},
}

RC = {
    "figure.figsize": (7.0, 4.2),
    "figure.dpi": 100,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=list(LIGHT.values())),
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 2.0,
    "lines.markersize": 6,
    "font.size": 11,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "svg.fonttype": "none",
    "svg.hashsalt": "computegap",
    "path.simplify": False,
    "savefig.transparent": True,
}


def use() -> None:
    """Make the book's style the matplotlib default for this process."""
    import matplotlib as mpl

    mpl.rcParams.update(RC)


def color(name: str) -> str:
    """Hex of a named colour of the book's palette.

    Raises
    ------
    KeyError
        If the palette has no such name; the message lists the names.
    """
    try:
        return LIGHT[name]
    except KeyError:
        raise KeyError(f"no colour {name!r} in the book's palette; there are {', '.join(LIGHT)}") from None
