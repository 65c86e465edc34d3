"""The script that puts numbers into the prose of JupyterLab, on a page with the same elements."""

from __future__ import annotations

import html
import json

import pytest

from computegap.book import assets, live

pytestmark = pytest.mark.site

CELL = '<div class="jp-RenderedMarkdown jp-MarkdownOutput">{}</div>'
PROSE = """<p>The ridge lies at {glue:text}<code>ridge</code>, not at <b>{glue:text}<code>late</code></b>.</p>
<p>One {term}<code>die</code>, two {term}<code>dies &lt;die&gt;</code> {cite}<code>a2020b,c2021d</code>;
{cite:t}<code>e2022f</code>; see {doc}<code>the landing page &lt;../intro&gt;</code>.
Write <code>ridge</code> or {16: <code>x</code>} or <code>{term}</code><code>y</code>.</p>
<details><summary>Hint</summary><p>Divide by {glue:text}<code>ridge</code>.</p></details>"""
OUTPUT = (
    '<div class="jp-Cell-outputWrapper" style="padding:9px"><div class="jp-Cell-outputArea">'
    '<div class="jp-OutputArea-child" style="padding:5px"><div class="jp-OutputArea-prompt"></div>'
    '<div class="jp-OutputArea-output">{}</div></div></div></div>'
)

SHOWN = '<div class="jp-OutputArea-child"><div class="jp-OutputArea-output"><pre>42</pre></div></div>'


def carrier(time: int, **numbers: str) -> str:
    """An output with numbers, as a cell leaves it, at a given time."""
    data = html.escape(json.dumps(numbers))
    return OUTPUT.format(f'<div class="cg-prose" data-cg-time="{time}" data-cg-numbers="{data}"></div>')


def notebook(name: str, *parts: str) -> str:
    """A notebook on the page."""
    return f'<div class="jp-Notebook" id="{name}">{"".join(parts)}</div>'


@pytest.fixture
def page(chromium):
    """An empty page; ``page.errors`` holds what went wrong on it."""
    page = chromium.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: page.errors.append(message.text))
    yield page
    page.close()


def fill(page, *parts: str) -> None:
    """Set the content of the page."""
    page.evaluate("text => document.body.innerHTML = text", "".join(parts))


def add(page, where: str, part: str) -> None:
    """Add at the end of an element."""
    page.evaluate(
        "([at, text]) => document.querySelector(at).insertAdjacentHTML('beforeend', text)", [where, part]
    )


def settle(page) -> None:
    """Wait for longer than the script does between two looks at the page."""
    page.wait_for_timeout(250)


def text(page, where: str = ".jp-RenderedMarkdown") -> str:
    """What an element says."""
    return " ".join(page.locator(where).first.evaluate("e => e.textContent").split())


def start(page) -> None:
    """Run the script, as the first cell of a chapter does."""
    page.evaluate(assets.text("prose.js"))


def test_roles_become_text(page):
    fill(page, notebook("one", CELL.format(PROSE), carrier(1, ridge="74\u00a0FLOP/byte")))
    start(page)
    assert text(page) == (
        "The ridge lies at 74 FLOP/byte, not at …. One die, two dies [a2020b, c2021d]; [e2022f]; see the "
        "landing page. Write ridge or {16: x} or {term}y. HintDivide by 74 FLOP/byte."
    )
    titles = page.locator("[data-cg-name]").evaluate_all("all => all.map(e => e.title)")
    assert titles == ["computed by this notebook", "run the cells above", "computed by this notebook"]
    page.locator("summary").click()
    assert page.locator("details p").is_visible()
    assert page.errors == []


def test_numbers_that_come_later_replace_those_before(page):
    fill(page, notebook("one", CELL.format(PROSE)))
    start(page)
    assert "at …, not" in text(page)
    add(page, "#one", carrier(5, ridge="75"))
    settle(page)
    assert "at 75, not" in text(page)
    add(page, "#one", carrier(4, ridge="74"))  # an older output, drawn anew
    settle(page)
    assert "at 75, not" in text(page)
    add(page, "#one", carrier(6, ridge="76", late="80"))
    settle(page)
    assert "at 76, not at 80." in text(page)


def test_prose_drawn_anew_is_filled_again(page):
    fill(page, notebook("one", CELL.format(PROSE), carrier(1, ridge="74")))
    start(page)
    page.evaluate(
        "document.querySelectorAll('.jp-RenderedMarkdown, .jp-Cell-outputWrapper').forEach(e => e.remove())"
    )
    add(page, "#one", CELL.format(PROSE))
    settle(page)
    assert "at 74, not" in text(page)


def test_two_notebooks_on_a_page_keep_their_numbers_apart(page):
    fill(
        page,
        notebook("one", CELL.format(PROSE), carrier(1, ridge="74")),
        notebook("two", CELL.format(PROSE), carrier(2, ridge="9")),
    )
    start(page)
    assert "at 74, not" in text(page, "#one .jp-RenderedMarkdown")
    assert "at 9, not" in text(page, "#two .jp-RenderedMarkdown")


def test_running_it_twice_is_running_it_once(page):
    fill(page, notebook("one", CELL.format(PROSE), carrier(1, ridge="74")))
    start(page)
    before = page.inner_html("#one")
    page.evaluate("window.first = window.cgProse")
    start(page)
    assert page.evaluate("window.first === window.cgProse")
    settle(page)
    assert page.inner_html("#one") == before
    assert page.evaluate("Object.keys(window).filter(name => name.startsWith('cg'))") == ["cgProse"]


def test_it_comes_to_rest(page):
    fill(page, notebook("one", CELL.format(PROSE), carrier(1, ridge="74")))
    start(page)
    settle(page)
    page.evaluate(
        "window.seen = 0; new MutationObserver(() => window.seen++).observe(document.body, "
        "{childList: true, subtree: true, attributes: true, characterData: true})"
    )
    settle(page)
    assert page.evaluate("window.seen") == 0


def test_a_number_is_text_and_never_markup(page):
    fill(page, notebook("one", CELL.format(PROSE), carrier(1, ridge="<img src=x onerror=alert(1)>")))
    start(page)
    assert "at <img src=x onerror=alert(1)>, not" in text(page)
    assert page.locator("img").count() == 0


def test_broken_data_break_nothing(page):
    broken = '<div class="cg-prose" data-cg-time="1" data-cg-numbers="{not json"></div>'
    fill(page, notebook("one", CELL.format(PROSE), OUTPUT.format(broken)))
    start(page)
    settle(page)
    assert "{glue:text}ridge" in text(page)
    assert len(page.errors) >= 1  # a warning in the console, and no more


def test_other_pages_stay_as_they_are(page):
    fill(page, f'<div class="somewhere">{PROSE}</div>')
    start(page)
    settle(page)
    assert "{glue:text}ridge" in text(page, ".somewhere")


def test_an_output_of_numbers_takes_no_room(page):
    end = "</div></div>"
    beside = carrier(1).removesuffix(end) + SHOWN + end
    fill(page, f"<style>{live.STYLE}</style>", notebook("one", carrier(1)), notebook("two", beside))
    assert page.locator("#one").bounding_box()["height"] == 0
    assert page.locator("#two pre").is_visible()
    assert not page.locator("#two .jp-OutputArea-child").first.is_visible()
