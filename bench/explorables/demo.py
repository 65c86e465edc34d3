"""The demo that all benchmarks draw: a roofline with two sliders of twelve stops, 144 states.

Attainable speed is the smaller of the peak and bandwidth times arithmetic intensity (Williams, Waterman and
Patterson, "Roofline", 2009); the knee is rounded, as measured rooflines are.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

#: Memory bandwidth, TB/s.
BANDWIDTHS = [0.5, 0.9, 1.2, 1.6, 2.0, 2.4, 2.8, 3.35, 4.0, 4.8, 6.4, 8.0]
#: Peak, TFLOP/s.
PEAKS = [64, 120, 148, 200, 256, 312, 400, 494, 640, 800, 989, 1250]
#: Name and arithmetic intensity, FLOP/byte.
KERNELS = [
    ("decode", 1.0),
    ("layer norm", 4.0),
    ("decode, batch 16", 16.0),
    ("expert", 45.0),
    ("prefill", 700.0),
]
INTENSITY = np.geomspace(0.25, 4096, 200)


def attainable(intensity, bandwidth, peak, sharpness=8):
    """TFLOP/s at an arithmetic intensity (FLOP/byte): a smooth minimum of the two limits."""
    return ((bandwidth * intensity) ** -sharpness + float(peak) ** -sharpness) ** (-1 / sharpness)


def draw(bandwidth: float = 4.0, peak: float = 148) -> Figure:
    """The roofline at one bandwidth (TB/s) and peak (TFLOP/s), with five kernels on it."""
    ridge = peak / bandwidth
    fig, ax = plt.subplots(figsize=(7, 4.2))
    fig.subplots_adjust(left=0.1, right=0.97, top=0.92, bottom=0.14)
    ax.loglog(INTENSITY, attainable(INTENSITY, bandwidth, peak))
    ax.fill_between(INTENSITY, attainable(INTENSITY, bandwidth, peak), 0.1, alpha=0.12)
    ax.axvline(ridge, ls="--", lw=1, color="0.5")
    ax.text(ridge * 1.06, 0.55, f"ridge {ridge:.0f} FLOP/byte", fontsize=9.5)
    for name, intensity in KERNELS:
        speed = attainable(intensity, bandwidth, peak)
        ax.plot([intensity], [speed], "o", color="C1" if intensity < ridge else "C2")
        label = f"{name}: {speed:.0f} ({speed / peak:.0%})"
        ax.annotate(label, (intensity, speed), xytext=(6, -13), textcoords="offset points", fontsize=9)
    ax.set(xlim=(0.25, 4096), ylim=(0.4, 2000), xlabel="arithmetic intensity (FLOP/byte)", ylabel="TFLOP/s")
    ax.minorticks_off()
    ax.set_title(f"{bandwidth:g} TB/s and {peak:g} TFLOP/s")
    return fig


def describe(bandwidth: float, peak: float) -> str:
    """One sentence on that state."""
    speed = attainable(KERNELS[0][1], bandwidth, peak)
    return (
        f"At {bandwidth:g} terabytes per second and {peak:g} teraflops the ridge lies at "
        f"{peak / bandwidth:.0f} FLOP per byte; decoding one sequence reaches {speed:.1f} teraflops, "
        f"{speed / peak:.1%} of the peak."
    )


def explorable():
    """The demo as an explorable."""
    from computegap.book.explore import Slider, explore

    return explore(
        draw,
        title="A roofline with two sliders",
        describe=describe,
        caption="Speed that a chip can reach, by how often it uses each byte it loads.",
        bandwidth=Slider(BANDWIDTHS, "Memory bandwidth", "TB/s"),
        peak=Slider(PEAKS, "Peak", "TFLOP/s"),
    )
