"""The player of explorables in a real browser: every state, every way to move, every way to look."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from computegap.book import style
from computegap.book.explore import svg

pytestmark = pytest.mark.site


def load_pages():
    name = "computegap_player_pages"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("player_pages.py"))
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


pages = load_pages()


@pytest.fixture(scope="module")
def player_browser(chromium):
    # The browser of all tests of the site: Playwright allows one at a time in a process.
    return chromium


@pytest.fixture(scope="module")
def roofline():
    return pages.roofline()


@pytest.fixture(scope="module")
def wave():
    return pages.wave()


@pytest.fixture(scope="module")
def figures(roofline, wave):
    """What most pages hold: two figures of one title, another, and one without controls."""
    return [roofline.static_html(), wave.static_html(), wave.static_html(), pages.still().html()]


@pytest.fixture
def open_page(player_browser, tmp_path, figures):
    """Open a page as a file; console errors and requests to anything else fail the test."""
    contexts, errors, requests = [], [], []

    def open_(*parts, theme="light", script="", **options):
        context = player_browser.new_context(**{"viewport": {"width": 900, "height": 800}, **options})
        contexts.append(context)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("request", lambda r: requests.append(r.url))
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(pages.html(*(parts or figures), theme=theme), encoding="utf-8")
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []
    assert all(re.search(r"/page\d+\.html$", url) for url in requests), requests


def uid(markup: str) -> str:
    return re.search(r'id="([^"]+)"', markup)[1]


def frames(figure, markup: str) -> list[str]:
    """Python's frames, with the ids of the figure in the page."""
    return [svg.dumps(t) for t in figure.frames(uid(markup))]


#: Is the picture of the figure now equal, node by node, to this markup?
SAME = """([id, markup]) => {
  const box = document.createElement("div"); box.innerHTML = markup;
  return document.querySelector("#" + id + " .cg-picture svg").isEqualNode(box.firstChild); }"""
SWEEP = (pages.ROOT / "bench/explorables/sweep.js").read_text(encoding="utf-8")


def shape(figure):
    return [len(c.values) for c in figure.controls.values()]


def test_all_states_of_the_roofline_are_the_frames_that_python_made(open_page, roofline, figures):
    expected = frames(roofline, figures[0])
    assert len(set(expected)) == 144
    assert open_page().evaluate(SWEEP, [uid(figures[0]), expected, shape(roofline)]) == []


def test_states_that_differ_in_structure_are_redrawn_exactly(open_page, wave, figures):
    expected = frames(wave, figures[1])
    assert len(set(expected)) == 60
    assert open_page().evaluate(SWEEP, [uid(figures[1]), expected, shape(wave)]) == []


def now(page, n=0):
    return page.locator(".cg-explorable").nth(n).locator(".cg-now").inner_text()


def test_arrow_keys_move_a_slider_and_everything_says_so(open_page, roofline, figures):
    page = open_page()
    slider = page.get_by_label("Memory bandwidth").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.cg-now').textContent.includes('4.8 tera')")
    assert slider.get_attribute("aria-valuetext") == "4.8\u00a0TB/s"
    assert page.locator("output").first.inner_text() == "4.8\u00a0TB/s"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    state = roofline.states().index({"bandwidth": 0.9, "peak": 148})
    assert page.evaluate(SAME, [uid(figures[0]), frames(roofline, figures[0])[state]])
    page.keyboard.press("End")
    assert now(page) == roofline.describe(bandwidth=8.0)
    assert page.evaluate("document.querySelector('svg desc').textContent") == now(page)


def test_the_tab_key_reaches_every_control_and_no_picture_that_fits(open_page, figures):
    page = open_page(figures[1], viewport={"width": 1000, "height": 800})
    seen = []
    for _ in range(9):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.type ?? document.activeElement.className"))
    assert seen[:6] == ["button", "range", "select-one", "checkbox", "range", "button"]
    assert "cg-picture" not in seen


def test_drop_down_and_check_box_by_keyboard(open_page, figures):
    page = open_page(figures[1])
    page.get_by_label("Shape").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('.cg-now').textContent.includes('square wave')")
    page.get_by_label("Mark", exact=True).focus()
    page.keyboard.press("Space")
    assert now(page) == "At step 0 the square wave has 2 squares and a mark."
    assert "now & here <" in page.locator(".cg-picture svg").text_content()


def test_play_runs_to_the_end_and_starts_again(open_page, figures):
    page = open_page(figures[1])
    page.get_by_role("button", name="Play: Step").focus()
    page.keyboard.press("Space")
    assert page.get_by_role("button", name="Pause: Step").count() == 1
    page.get_by_role("button", name="Play: Step").wait_for()
    assert now(page).startswith("At step 4 ")
    assert page.get_by_label("Step", exact=True).input_value() == "4"
    page.keyboard.press("Space")
    page.wait_for_function("+document.querySelector('input').value < 3")


def test_play_can_be_paused_and_comes_to_rest_on_a_state(open_page, wave):
    markup = pages.wave("A slow wave", seconds=20).static_html()
    page = open_page(markup)
    button = page.locator(".cg-play")
    button.click()
    page.wait_for_function("document.querySelector('input').value % 1 > 0.1")
    button.click()
    assert float(page.get_by_label("Step", exact=True).input_value()) % 1 == 0
    page.wait_for_timeout(100)
    assert button.get_attribute("aria-label") == "Play: Step"


def drag(page, locator, start, end):
    box = locator.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, y, steps=6)
    return page.mouse.up


def line(page):
    return page.evaluate(
        "document.querySelector('.cg-picture svg path[style*=\"--cg-c0\"][d*=L]').getAttribute('d')"
    )


def test_a_drag_glides_between_states_and_snaps(open_page, roofline, figures):
    page = open_page()
    slider = page.get_by_label("Memory bandwidth").first
    release = drag(page, slider, 0.3, 0.56)
    page.wait_for_function("document.querySelector('[data-ready] desc').textContent.includes('ridge')")
    value = float(slider.input_value())
    page.wait_for_timeout(50)
    between = line(page)
    assert value % 1 > 0
    release()
    stop = round(value)
    assert float(slider.input_value()) == stop
    assert line(page) != between
    state = roofline.states().index({"bandwidth": roofline.controls["bandwidth"].values[stop], "peak": 148})
    assert page.evaluate(SAME, [uid(figures[0]), frames(roofline, figures[0])[state]])


def test_a_slider_in_steps_does_not_glide(open_page, figures):
    page = open_page(figures[1])
    slider = page.get_by_label("Squares")
    release = drag(page, slider, 0.5, 0.8)
    assert float(slider.input_value()) % 1 == 0
    release()


def test_reduced_motion_means_steps(open_page, figures):
    record = """window.seen = [];
      const note = () => { seen.push(+document.querySelector("input").value); requestAnimationFrame(note); };
      addEventListener("DOMContentLoaded", note);"""
    page = open_page(figures[1], reduced_motion="reduce", script=record)
    page.locator(".cg-play").click()
    page.wait_for_function("document.querySelector('input').value === '4'")
    seen = page.evaluate("seen")
    assert set(seen) <= {0, 1, 2, 3, 4}
    assert len(set(seen)) > 2
    page.locator(".cg-reset").click()
    release = drag(page, page.get_by_label("Step", exact=True), 0.1, 0.35)
    assert float(page.get_by_label("Step", exact=True).input_value()) % 1 == 0
    release()


def test_nothing_moves_by_itself(open_page):
    page = open_page()
    before = page.locator("main").inner_html()
    page.wait_for_timeout(300)
    assert page.locator("main").inner_html() == before


def test_the_sentence_is_seen_at_once_and_announced_when_things_rest(open_page):
    page = open_page()
    page.get_by_label("Memory bandwidth").first.focus()
    status = page.get_by_role("status").first
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.cg-now').textContent.includes('At 8 tera')")
    assert status.text_content() == ""
    page.wait_for_function("document.querySelector('[role=status]').textContent.includes('At 8 tera')")


def test_reset_restores_the_default_picture(open_page, wave, figures):
    page = open_page(figures[1])
    page.get_by_label("Shape").select_option("square")
    page.get_by_label("Mark", exact=True).check()
    page.get_by_label("Squares").press("ArrowRight")
    page.locator(".cg-reset").click()
    default = wave.states().index(wave.default)
    assert page.evaluate(SAME, [uid(figures[1]), frames(wave, figures[1])[default]])
    assert page.get_by_label("Shape").input_value() == "sine"


def test_figures_of_one_page_are_independent(open_page, figures):
    page = open_page()
    others = [now(page, 0), now(page, 2)]
    page.get_by_label("Mark", exact=True).first.check()
    page.wait_for_function("document.querySelectorAll('.cg-now')[1].textContent.includes('mark')")
    assert [now(page, 0), now(page, 2)] == others
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_states_are_unpacked_when_the_reader_comes_near(open_page):
    count = """window.unpacked = 0; const D = DecompressionStream;
      window.DecompressionStream = class extends D { constructor(...a) { super(...a); unpacked++; } };"""
    page = open_page(script=count)
    page.wait_for_timeout(200)
    assert page.evaluate("unpacked") == 0
    page.get_by_label("Memory bandwidth").first.focus()
    page.get_by_label("Peak").first.focus()
    page.wait_for_timeout(100)
    assert page.evaluate("unpacked") == 1


def test_a_browser_without_decompression_says_so_and_keeps_the_picture(open_page, wave, figures):
    page = open_page(figures[1], script="delete window.DecompressionStream")
    page.get_by_label("Mark", exact=True).check()
    page.wait_for_function("document.querySelector('.cg-now').textContent.includes('cannot unpack')")
    default = wave.states().index(wave.default)
    assert page.evaluate(SAME, [uid(figures[1]), frames(wave, figures[1])[default]])


def colors(page):
    return page.evaluate(
        """() => ["--cg-c0", "--cg-grid"].map(n => getComputedStyle(
             document.querySelector(`.cg-picture svg path[style*="stroke:var(${n}"]`)).stroke)
             .concat(getComputedStyle(document.querySelector(".cg-picture svg text")).fill)"""
    )


def rgb(hex_):
    return "rgb({}, {}, {})".format(*bytes.fromhex(hex_[1:]))


LIGHT = [rgb(style.LIGHT["blue"]), rgb(style.GRID), rgb(style.INK)]
DARK = [rgb(style.DARK["blue"]), rgb(style.GRID_DARK), rgb(style.INK_DARK)]


@pytest.mark.parametrize(
    ("theme", "scheme", "expected"),
    [
        ("light", "light", LIGHT),
        ("dark", "light", DARK),
        ("auto", "dark", DARK),
        ("auto", "light", LIGHT),
        ("light", "dark", LIGHT),
    ],
)
def test_figures_follow_the_theme(open_page, theme, scheme, expected):
    assert colors(open_page(theme=theme, color_scheme=scheme)) == expected


def test_print_shows_the_state_of_the_moment_in_light_without_controls(open_page, figures):
    page = open_page(figures[1], theme="dark")
    page.get_by_label("Mark", exact=True).check()
    page.wait_for_function("document.querySelector('.cg-now').textContent.includes('mark')")
    page.emulate_media(media="print")
    assert not page.locator(".cg-controls").is_visible()
    assert page.get_by_text("now & here <").is_visible()
    assert page.locator(".cg-now").is_visible()
    assert colors(page) == LIGHT


def test_without_javascript_there_is_the_default_picture(open_page, figures):
    page = open_page(java_script_enabled=False)
    assert not page.locator(".cg-controls").first.is_visible()
    assert page.locator(".cg-picture svg").first.is_visible()
    assert page.locator("noscript p").first.is_visible()
    assert page.locator(".cg-now").first.inner_text().startswith("At 4 terabytes per second")


def test_on_a_phone_the_picture_scrolls_and_the_page_does_not(open_page):
    page = open_page(viewport={"width": 375, "height": 700}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    boxes = page.evaluate(
        """[...document.querySelectorAll(".cg-picture")].map(p =>
             [p.scrollWidth > p.clientWidth, p.tabIndex])"""
    )
    assert boxes == [[True, 0]] * 4
    sizes = page.evaluate(
        """[...document.querySelectorAll(".cg-picture svg text")].filter(t => !t.children.length).map(t =>
             parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)"""
    )
    rotated = [s for s in sizes if s < 1]  # the matrix of turned text has its scale elsewhere
    assert len(rotated) <= 4
    assert min(s for s in sizes if s >= 1) >= 11.99


def test_targets_are_large_enough_and_touch_scrolls_the_page(open_page):
    page = open_page(viewport={"width": 375, "height": 700}, has_touch=True)
    sizes = page.evaluate(
        """[...document.querySelectorAll(".cg-controls :is(input, select, button)")].map(e => {
             const r = e.getBoundingClientRect();
             return [Math.min(r.width, r.height), getComputedStyle(e).touchAction]; })"""
    )
    assert len(sizes) == 15
    assert min(s for s, _ in sizes) >= 24
    assert "none" not in {t for _, t in sizes}
    box = page.get_by_label("Peak").first.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    page.wait_for_function("document.querySelector('.cg-now').textContent.includes('989 teraflops')")


def test_focus_is_visible(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"


def test_forced_colours_reach_the_picture(open_page):
    page = open_page(forced_colors="active")
    ink = page.evaluate("getComputedStyle(document.querySelector('.cg-picture svg text')).fill")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ink != paper


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1100])
def test_axe_finds_nothing(open_page, theme, width):
    page = open_page(theme=theme, viewport={"width": width, "height": 800})
    page.get_by_label("Memory bandwidth").first.press("ArrowRight")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}}).response["violations"]
    assert [(v["id"], v["nodes"][0]["target"]) for v in found] == []


def test_the_player_is_small():
    import gzip

    from computegap.book import assets

    assert len(gzip.compress(assets.text("explorable.js").encode(), 9)) <= 5 * 1024
    assert len(gzip.compress(assets.text("explorable.css").encode(), 9)) <= 3 * 1024
