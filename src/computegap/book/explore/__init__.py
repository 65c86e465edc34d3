"""Explorables: one Python function that draws a figure, alive with a kernel, in the built page, and on paper.

``explore(draw, title=..., describe=..., bandwidth=Slider([1, 2, 4], "Bandwidth", "TB/s"))`` gives a figure
with controls. With a kernel they are ipywidgets; in the built site all states were drawn in advance and a
small player redraws them without kernel or network; elsewhere there is the default picture with its caption.
``show(fig, alt=...)`` displays any other figure, with a description and in the page's colours.
"""

from .controls import Choice, Control, Play, Slider, Toggle
from .explorable import Explorable, explore
from .show import Picture, UndescribedFigure, install_formatter, picture, show
from .states import MAX_STATES, StateError

__all__ = [
    "MAX_STATES",
    "Choice",
    "Control",
    "Explorable",
    "Picture",
    "Play",
    "Slider",
    "StateError",
    "Toggle",
    "UndescribedFigure",
    "explore",
    "install_formatter",
    "picture",
    "show",
]
