"""A matplotlib figure as a small SVG tree that takes the page's colours and fonts.

matplotlib's own SVG is meant for files: every element carries an id, every number six decimals, every colour
is fixed, and fonts are named. Here a figure becomes a *frame*: a tree with short numbers (a tenth of a
point), without idle groups and ids, whose palette colours are CSS variables
(:data:`computegap.book.style.CSS_VARIABLES`) and whose shared definitions (markers, clips) lie in one
``<defs>`` under their content hash, so that frames of the same figure can be compared node by node.
"""

from __future__ import annotations

import functools
import io
import re
import xml.etree.ElementTree as ET
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import ttfFontProperty
from matplotlib.textpath import TextToPath

from computegap.book import style

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
#: No picture asks for more width than this (px): the text column of a page on a desk has it.
WIDEST = 672
#: A number in an attribute of SVG.
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
#: Text below this size (in points of a figure 7 in wide) is under 12 px in the text column of a page.
SMALLEST_FONT = 9.0

# Greys that people type ("0.5", "grey", "k") follow the page, too; other greys may be data and stay.
_GREYS = {
    "--cg-ink": ["#000000", *(to_hex(str(g)) for g in (0.1, 0.2, 0.3)), "#696969"],
    "--cg-muted": [
        *(to_hex(str(g)) for g in (0.4, 0.5, 0.6)),
        to_hex("0.45"),
        to_hex("0.55"),
        "#808080",
        "#a9a9a9",
    ],
    "--cg-grid": [
        *(to_hex(str(g)) for g in (0.7, 0.75, 0.8, 0.85, 0.9)),
        "#b0b0b0",
        "#d3d3d3",
        "#c0c0c0",
        "#dcdcdc",
    ],
    "--cg-paper": ["#ffffff", "#f5f5f5", to_hex("0.95")],
}
#: Colour as matplotlib writes it -> what the page gets.
THEME = {
    **{grey: f"var({name},{grey})" for name, greys in _GREYS.items() for grey in greys},
    **{hex_: f"var({name},{hex_})" for hex_, name in style.CSS_VARIABLES.items()},
}


_TEXT_TO_PATH = TextToPath()


class _Renderer(RendererSVG):
    """matplotlib's SVG renderer, with changes that serve a figure in a page.

    Lines are not cut at the edge of the canvas (the clip of the axes hides them anyway), so a line keeps its
    number of points from state to state. Formulas of a single line, such as the powers of ten of a
    logarithmic axis, flow as text instead of being placed letter by letter in the metrics of a font that the
    page does not have. Parsed formulas are remembered from frame to frame.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._text2path = _TEXT_TO_PATH

    def _convert_path(self, path, transform=None, clip=None, simplify=None, sketch=None):
        return super()._convert_path(path, transform, False, False, sketch)

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        if ismath is True and mtext is not None and angle == 0:
            *_, glyphs, rects = self._text2path.mathtext_parser.parse(s, 72, prop)
            if glyphs and not rects:
                return self._draw_flowing(gc, y, glyphs, prop, mtext)
        return super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)

    def _draw_flowing(self, gc, y, glyphs, prop, mtext):
        """A formula as one ``<text>``: runs of letters of one size and height, each after the last."""
        anchor = {"left": "start", "right": "end", "center": "middle"}[mtext.get_ha()]
        css = {"font-size": f"{prop.get_size():g}px", "text-anchor": anchor}
        if (color := to_hex(gc.get_rgb())) != "#000000":
            css["fill"] = color
        if gc.get_alpha() != 1 and gc.get_forced_alpha():
            css["opacity"] = f"{gc.get_alpha():g}"
        ax = mtext.get_transform().transform(mtext.get_unitless_position())[0]
        attributes = {"x": f"{ax:f}", "y": f"{y:f}", "style": ";".join(f"{k}:{v}" for k, v in css.items())}
        runs: list[list] = []
        for font, size, code, _, _, up in sorted(glyphs, key=lambda g: g[4]):
            letter = chr(0xA0 if code == 32 else code)
            slanted = ttfFontProperty(font).style != "normal"
            if runs and runs[-1][:3] == [size, up, slanted]:
                runs[-1][3] += letter
            else:
                runs.append([size, up, slanted, letter])
        self.writer.start("text", **attributes)
        height = 0.0
        for size, up, slanted, letters in runs:
            span = {
                "dy": f"{height - up:f}",
                "style": f"font-size:{size:g}px" + (";font-style:italic" * slanted),
            }
            self.writer.element("tspan", letters, **span)
            height = up
        self.writer.end("text")


def number(x: float, digits: int = 1) -> str:
    """The shortest text of ``x`` at this many decimals; the player writes numbers in the same way."""
    s = f"{x:.{digits}f}"
    if "." in s:
        s = s.rstrip("0").rstrip(".")
    return "0" if s == "-0" else s


def _numbers(text: str, digits: int) -> str:
    return NUMBER.sub(lambda m: number(float(m[0]), digits), text)


def _path(d: str, digits: int) -> str:
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", re.sub(r"\s+", " ", _numbers(d, digits))).strip()


def _style(css: str) -> str:
    out = []
    for declaration in css.split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if not key or key == "font-family" or (key, value) == ("text-anchor", "start"):
            continue
        out.append(f"{key}:{THEME.get(value.lower(), value)}")
    return ";".join(out)


def _transform(text: str, digits: int) -> str:
    text = re.sub(r"rotate\(-?0(?:\.0*)?(?: [^)]*)?\)", "", text).strip()
    return _numbers(text, 4 if "scale" in text or "matrix" in text else digits)


_CLEAN = {
    "d": _path,
    "style": lambda v, _: _style(v),
    "transform": _transform,
    **dict.fromkeys(("x", "y", "dy", "width", "height", "points"), _numbers),
}


def _clean(e: ET.Element, used: set[str], defs: dict[str, ET.Element], digits: int) -> None:
    e.tag = e.tag.removeprefix(_SVG)
    e.tail = None
    if e.tag not in ("text", "tspan") or len(e):
        e.text = None
    if e.get("id") not in used:
        e.attrib.pop("id", None)
    if _HREF in e.attrib:
        e.set("href", e.attrib.pop(_HREF))
    for key, value in list(e.attrib.items()):
        new = _CLEAN[key](value, digits) if key in _CLEAN else value
        if new:
            e.set(key, new)
        else:
            del e.attrib[key]
    kept = []
    for child in list(e):
        if child.tag.endswith(("metadata", "}style")):
            continue
        _clean(child, used, defs, digits)
        if child.tag == "defs":
            defs.update((d.get("id"), d) for d in child)
        elif child.tag == "g" and not len(child):
            continue
        elif child.tag == "g" and not child.attrib and len(child) == 1:
            kept.append(child[0])
        else:
            kept.append(child)
    e[:] = kept


@contextmanager
def _on_the_page(fig: Figure):
    """Leave out the white boxes behind figure and axes: the page's own colour is the background."""
    paper = {style.PAPER, "#ffffff"}
    patches = [fig.patch, *(ax.patch for ax in fig.axes)]
    hidden = [p for p in patches if p.get_visible() and to_hex(p.get_facecolor()) in paper]
    dpi = fig.dpi
    for p in hidden:
        p.set_visible(False)
    try:
        yield
    finally:
        fig.dpi = dpi
        for p in hidden:
            p.set_visible(True)


@contextmanager
def _ticks_once(fig: Figure):
    """Let each axis find its ticks once per drawing instead of about five times (a third of the time).

    Only where nothing moves the axes meanwhile: a layout engine does.
    """
    found = [] if fig.get_layout_engine() else [axis for ax in fig.axes for axis in ax._axis_map.values()]
    for axis in found:
        axis._update_ticks = functools.cache(axis._update_ticks)
    try:
        yield
    finally:
        for axis in found:
            del axis._update_ticks


def _write(fig: Figure) -> bytes:
    """The SVG that matplotlib would save, written by our renderer in a single pass."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "computegap"}), _on_the_page(fig):
        FigureCanvasSVG(fig)
        dpi, (width, height) = fig.dpi, fig.get_size_inches()
        fig.dpi = 72
        nothing = dict.fromkeys(("Date", "Creator", "Type", "Format"))
        svg = _Renderer(width * 72, height * 72, buffer, image_dpi=dpi, metadata=nothing)
        renderer = MixedModeRenderer(fig, width, height, dpi, svg)
        with _ticks_once(fig):
            fig.draw(renderer)
        renderer.finalize()
    return buffer.getvalue().encode()


def _smallest_font(root: ET.Element) -> float:
    sizes = [
        float(m[1])
        for e in root.iter("text")
        if "".join(e.itertext()).strip() and (m := re.search(r"font-size:([\d.]+)px", e.get("style", "")))
    ]
    return min(sizes, default=12.0)


def frame(fig: Figure, digits: int = 1) -> ET.Element:
    """Turn a figure into a frame.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure; it is left as it was.
    digits : int
        Decimals kept of a coordinate, in points.

    Returns
    -------
    xml.etree.ElementTree.Element
        An ``<svg>`` whose first child is ``<defs>`` with all shared definitions by their hash.

    Raises
    ------
    TypeError
        If ``fig`` is not a Figure.
    ValueError
        If the figure has text of less than :data:`SMALLEST_FONT` points.
    """
    if not isinstance(fig, Figure):
        raise TypeError(f"a matplotlib Figure is needed, not {type(fig).__name__}")
    source = _write(fig)
    root = ET.fromstring(source)
    used = {u.decode() for u in re.findall(rb'(?:url\(#|href="#)([^)"]+)', source)}
    defs: dict[str, ET.Element] = {}
    _clean(root, used, defs, digits)
    width = float(root.get("viewBox").split()[2])
    smallest = _smallest_font(root) * 504 / width  # as in a figure of the usual 7 in
    if smallest < SMALLEST_FONT:
        raise ValueError(
            f"the figure has text of {smallest:g} pt, too small to be read on a page; "
            f"use {SMALLEST_FONT:g} pt or more"
        )
    root.attrib = {
        "viewBox": root.get("viewBox"),
        "role": "img",
        # Below this width its smallest text would be under 12 px: the picture scrolls in its box instead.
        "style": f"min-width:{min(WIDEST, round(504 * 12 / smallest))}px",
    }
    shared = ET.Element("defs")
    shared.extend(defs[k] for k in sorted(defs))
    root.insert(0, shared)
    return root


def _rename(e: ET.Element, short: dict[str, str]) -> None:
    for key, value in e.attrib.items():
        if key == "id":
            e.set(key, short[value])
        elif (key == "href" and value.startswith("#")) or "url(#" in value:
            e.set(key, re.sub(r"(url\(#|^#)([^)]+)", lambda m: m[1] + short[m[2]], value))
    for child in e:
        _rename(child, short)


def finish(frames: list[ET.Element], uid: str, title: str, descriptions: list[str]) -> list[ET.Element]:
    """Give all frames of a figure the same definitions, ids unique on the page, a title and a description.

    Parameters
    ----------
    frames : list of Element
        From :func:`frame`; they are changed in place.
    uid : str
        Prefix of all ids.
    title : str
        Accessible name of the picture.
    descriptions : list of str
        One sentence per frame.

    Returns
    -------
    list of Element
        The same frames, ready for the page.
    """
    union: dict[str, ET.Element] = {}
    for root in frames:
        union.update((d.get("id"), d) for d in root[0])
    ids = set(union) | {e.get("id") for d in union.values() for e in d.iter() if e.get("id")}
    short = {i: f"{uid}-{n}" for n, i in enumerate(sorted(ids))}
    shared = ET.Element("defs")
    shared.extend(union[i] for i in sorted(union))
    _rename(shared, short)
    widest = max((root.get("style") for root in frames), key=lambda s: int(NUMBER.findall(s)[-1].lstrip("-")))
    for root, description in zip(frames, descriptions, strict=True):
        root.remove(root[0])
        for child in root:
            _rename(child, short)
        head = []
        for tag, text in (("title", title), ("desc", description)):
            e = ET.Element(tag, {"id": f"{uid}-{tag}"})
            e.text = text
            head.append(e)
        root[:0] = [*head, shared] if len(shared) else head
        root.set("aria-labelledby", f"{uid}-title")
        root.set("aria-describedby", f"{uid}-desc")
        root.set("style", widest)
    return frames


def dumps(e: ET.Element) -> str:
    """Markup of a tree, as it is put into a page."""
    return ET.tostring(e, encoding="unicode").replace(" />", "/>")
