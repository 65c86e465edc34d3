"""Pages with explorables for the tests of the player: no site around them, only figures, style and script."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from computegap.book import assets
from computegap.book.explore import Choice, Explorable, Play, Slider, Toggle, explore, picture

ROOT = Path(__file__).resolve().parents[2]


def roofline() -> Explorable:
    """The demo of the benchmarks, 144 states."""
    name = "computegap_roofline_demo"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "bench/explorables/demo.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name].explorable()


def draw_wave(step=0, shape="sine", mark=False, count=2):
    """A figure with every kind of control, whose structure changes with ``mark`` and ``count``."""
    x = np.linspace(0, 1, 40)
    y = np.sin(2 * np.pi * (x + step / 8)) if shape == "sine" else np.sign(np.sin(2 * np.pi * (x + step / 8)))
    fig, ax = plt.subplots()
    ax.plot(x, y)
    for k in range(count):
        ax.plot([k / 10], [0], "s", color="C1")
    if mark:
        ax.annotate("now & here <", (0.5, y[20]), color="0.5")
    ax.set(ylim=(-1.2, 1.2), xlabel="time (s)", ylabel="height")
    return fig


def describe_wave(step, shape, mark, count):
    """Its sentence."""
    return f"At step {step} the {shape} wave has {count} squares{' and a mark' if mark else ''}."


def wave(title: str = "A wave", seconds: float = 0.4) -> Explorable:
    """All controls in one figure: play, drop-down, check box, a slider in steps; 60 states."""
    return explore(
        draw_wave,
        title=title,
        describe=describe_wave,
        caption="For trying all controls.",
        basis=("simulated", "assumed"),
        step=Play([0, 1, 2, 3, 4], "Step", seconds=seconds),
        shape=Choice({"sine": "sine", "square": "square"}, "Shape"),
        mark=Toggle("Mark"),
        count=Slider([1, 2, 3], "Squares", smooth=False),
    )


def still():
    """A figure without controls."""
    fig, ax = plt.subplots()
    ax.loglog([1, 10, 1000], [1, 20, 40], "o-")
    ax.set(xlabel="x", ylabel="y")
    return picture(fig, alt="It rises, then bends.", title="Still", caption="No controls.", basis="measured")


def html(*figures: str, theme: str = "light") -> str:
    """A page of figures, with the style and the script that the site would load."""
    return (
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">'
        "<title>Figures</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{assets.tags('explorable', script=False)}"
        "<style>body{margin:1rem auto;max-width:43rem;padding:0 1rem;font-family:sans-serif;"
        "background:var(--cg-paper);color:var(--cg-ink)}</style></head><body><main><h1>Figures</h1>"
        f"{''.join(figures)}<p>The end.</p></main>{assets.tags('explorable', style=False)}</body></html>"
    )
