"""Build the demo with HoloViews, Panel and Plotly: one HTML file each, libraries inside, no requests.

Called by ``bench_explorables.py`` as ``python peers.py NAME FOLDER``; prints the seconds it took, or why the
library cannot do it. Each is used as its documentation shows for a page without a server.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import demo


def holoviews(path: Path) -> None:
    """A HoloMap with two key dimensions, drawn by Bokeh, all frames in the page."""
    import holoviews as hv
    from bokeh.resources import INLINE

    hv.extension("bokeh", logo=False)

    def frame(bandwidth: float, peak: float):
        x, ridge = demo.INTENSITY, peak / bandwidth
        y = demo.attainable(x, bandwidth, peak)
        speeds = [demo.attainable(i, bandwidth, peak) for _, i in demo.KERNELS]
        points = [
            (i, s, f"{n}: {s:.0f} ({s / peak:.0%})") for (n, i), s in zip(demo.KERNELS, speeds, strict=True)
        ]
        return (
            hv.Area((x, y)).opts(alpha=0.12, logx=True, logy=True, width=700, height=420)
            * hv.Curve((x, y), "intensity", "TFLOP/s")
            * hv.VLine(ridge).opts(line_dash="dashed", color="grey", line_width=1)
            * hv.Points([p[:2] for p in points]).opts(size=8)
            * hv.Labels(points, ["intensity", "TFLOP/s"], "label").opts(text_font_size="9pt")
        ).opts(title=f"{bandwidth:g} TB/s and {peak:g} TFLOP/s", xlim=(0.25, 4096), ylim=(0.4, 2000))

    frames = {(b, p): frame(b, p) for b in demo.BANDWIDTHS for p in demo.PEAKS}
    hv.save(
        hv.HoloMap(frames, kdims=["bandwidth", "peak"]), path, fmt="html", backend="bokeh", resources=INLINE
    )


def panel(path: Path) -> None:
    """The same matplotlib figure in a Panel, all states embedded as SVG."""
    import matplotlib.pyplot as plt
    import panel as pn
    from bokeh.resources import INLINE

    pn.extension()
    bandwidth = pn.widgets.DiscreteSlider(name="bandwidth", options=demo.BANDWIDTHS, value=4.0)
    peak = pn.widgets.DiscreteSlider(name="peak", options=demo.PEAKS, value=148)

    def draw(bandwidth, peak):
        figure = demo.draw(bandwidth, peak)
        plt.close(figure)
        return pn.pane.Matplotlib(figure, format="svg", tight=False, width=700, height=420)

    view = pn.Column(bandwidth, peak, pn.bind(draw, bandwidth, peak))
    view.save(path, resources=INLINE, embed=True, max_states=200, max_opts=20, progress=False)


def plotly(path: Path) -> None:
    """One slider over all 144 states: Plotly's sliders do not combine, so two cannot make a grid."""
    import plotly.graph_objects as go

    def frame(bandwidth: float, peak: float):
        x, ridge = demo.INTENSITY, peak / bandwidth
        speeds = [demo.attainable(i, bandwidth, peak) for _, i in demo.KERNELS]
        texts = [f"{n}: {s:.0f} ({s / peak:.0%})" for (n, _), s in zip(demo.KERNELS, speeds, strict=True)]
        return [
            go.Scatter(x=x, y=demo.attainable(x, bandwidth, peak), fill="tozeroy"),
            go.Scatter(x=[i for _, i in demo.KERNELS], y=speeds, text=texts, mode="markers+text"),
            go.Scatter(x=[ridge, ridge], y=[0.4, 2000], mode="lines"),
        ]

    states = [(b, p) for b in demo.BANDWIDTHS for p in demo.PEAKS]
    names = [f"{b:g} TB/s, {p:g} TFLOP/s" for b, p in states]
    frames = [go.Frame(data=frame(*s), name=n) for s, n in zip(states, names, strict=True)]
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    steps = [{"method": "animate", "label": n, "args": [[n], now]} for n in names]
    figure = go.Figure(
        frame(4.0, 148), frames=frames, layout={"sliders": [{"steps": steps}], "showlegend": False}
    )
    figure.update_xaxes(type="log", range=[-0.6, 3.6])
    figure.update_yaxes(type="log", range=[-0.4, 3.3])
    figure.write_html(path, include_plotlyjs=True, full_html=True)


if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    began = time.perf_counter()
    {"holoviews": holoviews, "panel": panel, "plotly": plotly}[name](folder / f"{name}.html")
    print(f"{time.perf_counter() - began:.2f}")
