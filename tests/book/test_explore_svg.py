"""From a figure to the SVG of a page: colours, sizes, ids, formulas; our short cuts change nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from computegap.book import assets, style
from computegap.book.explore import picture, svg


@pytest.fixture(autouse=True)
def book_style():
    with mpl.rc_context(style.RC):
        yield
    plt.close("all")


def frame_of(plot, **kw):
    fig, ax = plt.subplots(**kw)
    plot(ax)
    return svg.frame(fig)


def markup(plot, **kw):
    return svg.dumps(frame_of(plot, **kw))


def test_the_palette_becomes_variables_of_the_page():
    text = markup(lambda ax: [ax.plot([0, 1], [i, i]) for i in range(8)])
    for hex_, name in style.CSS_VARIABLES.items():
        if name.startswith("--cg-c"):
            assert f"var({name},{hex_})" in text
    assert f"var(--cg-grid,{style.GRID})" in text


@pytest.mark.parametrize(
    ("color", "variable"),
    [("k", "--cg-ink"), ("0.5", "--cg-muted"), ("lightgray", "--cg-grid"), ("w", "--cg-paper")],
)
def test_greys_that_people_type_follow_the_page(color, variable):
    assert f"stroke:var({variable}," in markup(lambda ax: ax.plot([0, 1], [0, 1], color=color))


def test_colours_of_a_colormap_are_data_and_stay():
    color = mpl.colors.to_hex(mpl.colormaps["viridis"](0.3))
    assert f"stroke:{color}" in markup(lambda ax: ax.plot([0, 1], color=color))


def test_the_page_is_the_background():
    root = frame_of(lambda ax: ax.plot([0, 1]))
    assert "--cg-paper" not in svg.dumps(root)


def test_the_figure_is_left_as_it_was():
    fig, ax = plt.subplots()
    svg.frame(fig)
    assert fig.patch.get_visible()
    assert ax.patch.get_visible()
    assert fig.dpi == style.RC["figure.dpi"]
    assert "_update_ticks" not in vars(ax.xaxis)


def test_nothing_of_this_machine_is_in_the_markup():
    text = markup(lambda ax: ax.set_title("t"))
    assert not re.search(r"font-family|<metadata|<!--|matplotlib|\bid=\"(?:figure|axes|text)", text)


def test_a_line_that_leaves_the_axes_keeps_its_points():
    def count(scale):
        text = markup(lambda ax: (ax.plot(np.arange(50), scale * np.arange(50)), ax.set_ylim(0, 10)))
        return max(d.count("L") for d in re.findall(r' d="([^"]*)"', text))

    assert count(1) == count(1000) == 49


def test_ticks_found_once_are_the_ticks_found_always(monkeypatch):
    def plot(ax):
        ax.loglog([1, 1000], [3, 40])
        ax.set(title="Ticks", xlabel="x", ylabel="y")
        ax.twinx().plot([1, 1000], [1, 2], "o")

    quick = markup(plot)
    monkeypatch.setattr(svg, "_ticks_once", lambda fig: mpl.rc_context())
    assert markup(plot) == quick


def test_powers_of_ten_flow_as_text():
    root = frame_of(lambda ax: (ax.set_xscale("log"), ax.set_xlim(1, 1e4)))
    powers = [e for e in root.iter("text") if len(e)]
    assert {"".join(e.itertext()) for e in powers} >= {"100", "101", "102"}
    for e in powers:
        assert e.get("x")
        assert not any(span.get("x") for span in e)
        assert float(e[1].get("dy")) < 0


def test_text_too_small_to_read_is_refused():
    with pytest.raises(ValueError, match="text of 6 pt, too small"):
        markup(lambda ax: ax.text(0, 0, "small print", fontsize=6))
    with pytest.raises(ValueError, match="too small"):  # ten points of a wide figure are few on a page
        markup(lambda ax: ax.text(0, 0, "x", fontsize=10), figsize=(14, 4))


def test_smaller_text_asks_for_a_wider_picture():
    def width(size):
        style_ = frame_of(lambda ax: (ax.set(xticks=[], yticks=[]), ax.text(0, 0, "x", fontsize=size))).get(
            "style"
        )
        return int(re.search(r"min-width:(\d+)px", style_)[1])

    for size in (9, 10, 14):
        assert width(size) * size / 504 >= 11.99  # effective pixels at the narrowest


def test_only_figures_become_svg():
    with pytest.raises(TypeError, match="a matplotlib Figure is needed, not list"):
        svg.frame([])


def test_ids_are_unique_and_all_references_resolve():
    def plot(ax):
        ax.plot([0, 1], "o")
        ax.bar([0, 1], [1, 2], hatch="//")

    frames = [frame_of(plot), frame_of(lambda ax: ax.plot([0, 1], "s"))]
    for root in svg.finish(frames, "u1", "Title", ["one", "two"]):
        text = svg.dumps(root)
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        assert all(i.startswith("u1-") for i in ids)
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text)) <= set(ids)
    assert [r.find("desc").text for r in frames] == ["one", "two"]
    assert frames[0].get("aria-labelledby") == "u1-title"


def test_two_pictures_of_one_title_do_not_clash():
    def make():
        fig, ax = plt.subplots()
        ax.plot([0, 1])
        return picture(fig, alt="A line rises.", title="Line", basis="computed")

    one, two = make(), make()
    assert one.uid != two.uid
    assert one.svg.replace(one.uid, "") == two.svg.replace(two.uid, "")


def test_the_style_sheet_has_the_palette_of_the_figures():
    css = assets.text("explorable.css")
    light = {name: hex_ for hex_, name in style.CSS_VARIABLES.items()}
    dark = {
        **{f"--cg-c{i}": hex_ for i, hex_ in enumerate(style.DARK.values())},
        "--cg-ink": style.INK_DARK,
        "--cg-grid": style.GRID_DARK,
        "--cg-paper": style.PAPER_DARK,
        "--cg-muted": style.MUTED_DARK,
    }
    blocks = [
        dict(re.findall(r"(--cg-\w+):(#[0-9a-f]{6})", block)) for block in re.findall(r"{([^{}]*)}", css)
    ]
    found = [b for b in blocks if len(b) > 4]
    assert found == [light, dark, dark]


def test_svg_is_well_formed():
    root = frame_of(lambda ax: ax.set_title("1 < 2 & 3"))
    assert "1 < 2 & 3" in "".join(ET.fromstring(svg.dumps(root)).itertext())
