"""One function, three lives: what is refused, what is kept, and that all lives show the same picture."""

from __future__ import annotations

import functools
import io
import json
import re
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell

from computegap.book.explore import (
    Choice,
    Play,
    Slider,
    StateError,
    Toggle,
    UndescribedFigure,
    cache,
    explore,
    picture,
    states,
    svg,
)
from computegap.book.explore.show import bare


class Calls(list):
    """Heights that were drawn; a constant to the cache, unlike a list."""

    def __reduce__(self):
        return Calls, ()


CALLS = Calls()


def draw(height=2.0, shape="o", grid=True, step=0):
    CALLS.append(height)
    fig, ax = plt.subplots()
    ax.plot([0, 1, 2], [0, height, step], marker=shape)
    ax.grid(grid)
    ax.set(xlim=(-1, 3), ylim=(-1, 10))
    if step > 1:
        ax.text(0, 0, f"step {step}")
    return fig


def describe(height, shape="o", grid=True, step=0):
    return f"The peak is {height:g} high at step {step}."


CONTROLS = {
    "height": Slider([1.0, 2.0, 5.0], "Height", "m"),
    "shape": Choice({"circle": "o", "square": "s"}, "Mark"),
    "grid": Toggle("Grid"),
    "step": Play([0, 1, 2], "Step"),
}

FEW = {k: CONTROLS[k] for k in ("height", "grid")}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPUTEGAP_CACHE", str(tmp_path))
    monkeypatch.delenv("COMPUTEGAP_SITE", raising=False)
    CALLS.clear()
    yield tmp_path / "explorables"
    plt.close("all")


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("COMPUTEGAP_SITE", "1")


def make(draw=draw, describe=describe, title="Peak", **kw):
    return explore(draw, title=title, describe=describe, **(kw or CONTROLS))


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kw", "error", "message"),
    [
        (
            {"tall": Slider([1], "x")},
            ValueError,
            "a control for 'tall', but draw has no such parameter; it takes height",
        ),
        ({"height": Slider([1.0, 3.0], "Height")}, ValueError, r"2.0 is not among .*nearest is 1.0"),
        ({"height": []}, ValueError, "no values"),
        ({"title": "", "height": (1.0, 2.0)}, ValueError, "needs a title"),
        (
            {"basis": "guessed", "height": [2.0]},
            ValueError,
            "'guessed' is not something a figure can rest on",
        ),
        ({"basis": (), "height": [2.0]}, ValueError, "say what the figure rests on"),
    ],
)
def test_refusals_say_what_is_wrong(kw, error, message):
    with pytest.raises(error, match=message):
        explore(draw, **{"title": "Peak", "describe": lambda **_: "x", **kw})


def test_a_figure_without_controls_is_sent_to_show():
    with pytest.raises(ValueError, match=r"no control; show\("):
        explore(draw, title="Peak", describe=describe)


def test_a_parameter_needs_a_control_or_a_default():
    def two(a, b):
        return plt.figure()

    with pytest.raises(ValueError, match="two needs b: give a control or a default"):
        explore(two, title="t", describe=lambda a: "x", a=[1])


def test_describe_must_know_the_controls():
    def partial_story(height):
        return "x"

    with pytest.raises(ValueError, match="partial_story must take the same state as draw; it lacks shape"):
        make(describe=partial_story)


def test_without_a_default_a_slider_starts_in_the_middle():
    def bare_draw(x):
        return plt.figure()

    assert explore(bare_draw, title="t", describe=lambda x: "x", x=Slider([1, 2, 3])).default == {"x": 2}


def test_partial_functions_will_do():
    figure = explore(
        functools.partial(draw, step=1), title="t", describe=lambda height: "x", height=[1.0, 2.0]
    )
    assert figure.default == {"height": 2.0}


@pytest.mark.parametrize("result", [None, 3, "figure"])
def test_draw_must_return_a_figure(result):
    with pytest.raises(StateError, match="'t' at x=1: a matplotlib Figure is needed, not"):
        explore(lambda x=1: result, title="t", describe=lambda x: "x", x=[1, 2])


@pytest.mark.parametrize("result", [None, 3, " "])
def test_describe_must_return_a_sentence(result):
    with pytest.raises(StateError, match=r"'t' at x=1: describe must return a sentence \(str\)"):
        explore(lambda x=1: plt.figure(), title="t", describe=lambda x: result, x=[1, 2])


@pytest.mark.usefixtures("site")
def test_an_error_names_the_state_and_keeps_its_cause():
    def fragile(a=1, b="p"):
        if (a, b) == (3, "q"):
            raise ZeroDivisionError("no such chip")
        return plt.figure()

    with pytest.raises(
        StateError, match=r"cannot be drawn at a=3, b='q': ZeroDivisionError: no such chip"
    ) as caught:
        explore(fragile, title="t", describe=lambda a, b: "x", a=[1, 2, 3], b=["p", "q"])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.usefixtures("site")
def test_an_error_of_describe_names_the_state():
    with pytest.raises(StateError, match="cannot be described at a=0: ZeroDivisionError"):
        explore(lambda a=1: plt.figure(), title="t", describe=lambda a: f"{1 / a}", a=[1, 0])


@pytest.mark.usefixtures("site")
def test_a_grid_too_large_is_refused_before_anything_is_drawn():
    with pytest.raises(
        ValueError, match=r"30 \(height\) × 30 \(step\) = 900 states, more than the 400.*max_states=900"
    ):
        make(
            describe=lambda **_: "x",
            height=Slider(range(30), "h"),
            step=(0, 29),
            draw=lambda height=1, step=1: CALLS.append(1),
        )
    assert not CALLS


@pytest.mark.usefixtures("site")
def test_the_limit_can_be_moved(monkeypatch):
    monkeypatch.setenv("COMPUTEGAP_MAX_STATES", "2")
    with pytest.raises(ValueError, match="3 states, more than the 2"):
        make(describe=lambda **_: "x", height=[1.0, 2.0, 5.0])
    made = explore(draw, title="t", describe=lambda **_: "x", max_states=3, height=[1.0, 2.0, 5.0])
    assert len(made.states()) == 3


def test_a_state_asked_for_must_exist():
    figure = make()
    with pytest.raises(ValueError, match="has no control 'width'; it has height"):
        figure.figure(width=1)
    with pytest.raises(ValueError, match="7 is not among"):
        figure.svg(height=7)


# -- what is displayed ---------------------------------------------------------------------------------------


def test_with_a_kernel_the_bundle_offers_everything_and_precomputes_nothing():
    bundle = make()._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "image/png", "text/plain"}
    assert "cg-states" not in bundle["text/html"]
    assert bundle["text/plain"] == "Peak. The peak is 2 high at step 0."
    assert set(CALLS) == {2.0}  # the default state alone was drawn


@pytest.mark.usefixtures("site")
def test_on_the_site_the_bundle_is_the_page_and_no_widget_is_made():
    from ipywidgets.widgets import widget

    before = set(widget._instances)
    bundle = make(**FEW)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "<style" not in bundle["text/html"]
    assert "<script>" not in bundle["text/html"]
    assert set(widget._instances) == before


@pytest.mark.usefixtures("site")
def test_nothing_is_printed_at_build(capfd):
    make(**FEW)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.usefixtures("site")
def test_progress_is_shown_to_a_terminal_that_asks_for_it(monkeypatch):
    seen = io.StringIO()
    assert list(states._progress(range(3), 3, "Peak", seen)) == [0, 1, 2]
    assert "drawing Peak" in seen.getvalue()
    assert states._progress(range(3), 3, "Peak", None) == range(3)


def normalised(markup):
    """A picture whose references are replaced by what they refer to: ids may differ between lives."""
    root = ET.fromstring(re.search(r"<svg.*</svg>", markup, re.S)[0])
    for e in root.iter():
        e.attrib.pop("aria-labelledby", None)
        e.attrib.pop("aria-describedby", None)
    known = {}
    for e in root.findall("defs/*"):
        name = e.attrib.pop("id")
        known[name] = svg.dumps(e)
    for d in root.findall("defs"):
        root.remove(d)
    for e in root.iter():
        e.attrib.pop("id", None)
        for k, v in e.attrib.items():
            e.set(k, re.sub(r"(?:url\(#|^#)([\w-]+)\)?", lambda m: known[m[1]], v))
    return svg.dumps(root)


def test_live_and_static_show_the_same_picture_at_every_state():
    figure = make()
    static = [normalised(svg.dumps(t)) for t in figure.frames()]
    sources, shown = live_controls(figure.widget())
    assert len(static) == 36
    assert len(set(static)) == 36
    for state, expected in zip(figure.states(), static, strict=True):
        for name, value in state.items():
            sources[name].value = value
        assert normalised(shown.value) == expected, state


def live_controls(box):
    """The live controls by parameter, and the picture."""
    from ipywidgets import HBox

    shown = [c.children[1] if isinstance(c, HBox) else c for c in box.children[0].children]
    return dict(zip(CONTROLS, shown, strict=True)), box.children[1]


def test_live_controls_have_the_labels_and_values_of_the_static_ones():
    sources, _ = live_controls(make().widget())
    assert [o[0] for o in sources["height"].options] == [
        "1\N{NO-BREAK SPACE}m",
        "2\N{NO-BREAK SPACE}m",
        "5\N{NO-BREAK SPACE}m",
    ]
    assert sources["shape"].description == "Mark"
    assert sources["grid"].value is True


def test_a_live_state_that_fails_is_named_and_the_controls_live_on():
    def fragile(height=2.0):
        if height == 5.0:
            raise RuntimeError("too <high>")
        return draw(height)

    box = explore(fragile, title="t", describe=lambda height: f"{height}", height=CONTROLS["height"]).widget()
    slider, shown, message = box.children[0].children[0], box.children[1], box.children[2]
    good = shown.value
    slider.value = 5.0
    assert "at height=5.0: RuntimeError: too &lt;high&gt;" in message.value
    assert shown.value == good
    slider.value = 1.0
    assert message.value == ""
    assert shown.value != good


@pytest.mark.usefixtures("site")
def test_the_page_holds_labels_groups_and_the_default_state():
    html = make(title="Peak & <co>")._repr_mimebundle_()["text/html"]
    assert 'aria-label="Peak &amp; &lt;co&gt;: controls"' in html
    assert 'aria-valuetext="2\N{NO-BREAK SPACE}m"' in html
    assert "<option selected>circle</option>" in html
    assert re.search(r'type="checkbox"[^>]* checked', html)
    assert 'role="status"' in html
    assert "<noscript>" in html
    assert "The peak is 2 high at step 0." in html
    for name in ("height", "shape", "grid", "step"):
        assert re.search(rf'<label for="(cg-\w+-c-{name})">', html)


@pytest.mark.usefixtures("site")
def test_ids_are_the_same_at_every_build_and_unique_on_the_page(monkeypatch):
    from computegap.book.explore import page

    def build():
        monkeypatch.setattr(page, "_seen", type(page._seen)())
        return [make(**FEW)._repr_mimebundle_()["text/html"] for _ in range(2)]

    (one, two), again = build(), build()
    assert [one, two] == again
    ids = re.findall(r'\bid="([^"]+)"', one + two)
    assert len(ids) == len(set(ids))


# -- the cache -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("site")
def test_what_was_drawn_once_is_not_drawn_again():
    first = make(**FEW).static_html()
    drawn = len(CALLS)
    second = make(**FEW).static_html()
    assert drawn == 6
    assert len(CALLS) == drawn
    uid = re.compile(r"cg-[0-9a-f]{7}(x\d+)?")
    assert uid.sub("", first.split("cg-states")[0]) == uid.sub("", second.split("cg-states")[0])


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_entry_is_ignored(own_cache, damage):
    make(**FEW)
    (entry,) = own_cache.iterdir()
    if damage is None:  # readable, but its frames are no SVG
        import zlib

        kept = json.loads(zlib.decompress(entry.read_bytes()))
        kept["frames"][3] = "<svg"
        entry.write_bytes(zlib.compress(json.dumps(kept).encode()))
    else:
        entry.write_bytes(damage)
    CALLS.clear()
    make(**FEW)
    assert len(CALLS) == 6


def test_an_unwritable_cache_stops_nothing(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COMPUTEGAP_CACHE", str(tmp_path / "file"))
    assert len(make(**FEW).frames()) == 6


def key_of(draw, values=(1,)):
    return cache.key(draw, describe, [{"x": v} for v in values])


def closure(data):
    return lambda x: plt.plot(data)


def test_the_key_sees_what_a_function_refers_to():
    keys = {
        key_of(closure([1])),
        key_of(closure([2])),
        key_of(functools.partial(draw, step=1)),
        key_of(functools.partial(draw, step=2)),
        key_of(draw),
        key_of(draw, (1, 2)),
    }
    assert len(keys) == 6
    assert key_of(closure([1])) == key_of(closure([1]))


def test_the_key_sees_names_of_the_notebook(monkeypatch):
    before = key_of(draw)
    monkeypatch.setitem(globals(), "CALLS", ["another list"])
    assert key_of(draw) != before


def test_the_key_sees_the_style():
    import matplotlib as mpl

    before = key_of(draw)
    with mpl.rc_context({"lines.linewidth": 9}):
        assert key_of(draw) != before


def test_what_has_no_fingerprint_is_not_cached():
    assert key_of(closure(iter(open(__file__)))) is None  # noqa: SIM115


# -- figures without controls --------------------------------------------------------------------------------


def test_a_picture_has_alt_title_badge_and_caption():
    fig = draw()
    fig.axes[0].set_title("Own title")
    html = picture(fig, alt="It rises.", caption="Look left.", basis=("measured", "assumed")).html()
    assert "<desc" in html
    assert "It rises.</desc>" in html
    assert "<b>Own title.</b> Look left." in html
    assert re.findall(r"cg-badge cg-(\w+)", html) == ["measured", "assumed"]
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("kw", "message"),
    [
        ({"alt": ""}, "alt must say"),
        ({"alt": "x"}, "needs a title"),
        ({"alt": "x", "title": "t", "basis": "b"}, "rest on"),
    ],
)
def test_a_picture_without_what_it_needs_is_refused(kw, message):
    with pytest.raises(ValueError, match=message):
        picture(draw(), **{"basis": "computed", **kw})


def test_a_bare_figure_is_shown_with_advice():
    html = bare(draw())
    assert "data:image/png;base64" in html
    assert "show(fig, alt=" in html


@pytest.mark.usefixtures("site")
def test_on_the_site_a_bare_figure_is_an_error():
    with pytest.raises(UndescribedFigure, match=r"show\(fig, alt="):
        bare(draw())


def test_the_formatter_takes_over_all_figures(monkeypatch):
    from matplotlib.figure import Figure

    from computegap.book.explore import install_formatter

    shell = InteractiveShell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    install_formatter()
    data, _ = shell.display_formatter.format(draw())
    assert set(data) == {"text/html", "text/plain"}
    assert shell.display_formatter.formatters["text/html"].lookup_by_type(Figure) is bare
