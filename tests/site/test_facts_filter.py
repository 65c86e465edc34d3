"""The filter of "Every number and its source" in a real browser: keyboard, announcements, no scripts."""

from __future__ import annotations

from importlib.resources import files

import pytest

from computegap.book.sphinx import facts_page, pages

pytestmark = pytest.mark.site

SCRIPT = (files("computegap.book") / "assets" / "facts.js").read_text(encoding="utf-8")
SHOWN = "[...document.querySelectorAll('tbody tr')].filter((row) => row.offsetParent).map((row) => row.id)"


def document(script: bool) -> str:
    body = (
        f"<section><h1>Numbers</h1>{facts_page.filter_box()}"
        f"<section id='huawei'><h2>Huawei</h2>{facts_page.chip_tables(['Huawei'])}</section>"
        f"<section id='intel'><h2>Intel</h2>{facts_page.chip_tables(['Intel'])}</section></section>"
    )
    return f"<!doctype html><title>Numbers</title>{pages.tidy(body)}" + (
        f"<script>{SCRIPT}</script>" if script else ""
    )


@pytest.fixture
def page(chromium):
    page = chromium.new_page()
    page.set_content(document(script=True))
    yield page
    page.close()


def type_in(page, words: str) -> None:
    page.get_by_label("Show only rows that contain").fill(words)
    page.wait_for_timeout(300)


def test_words_are_looked_for_in_the_row_and_in_the_name_of_the_part(page):
    before = page.evaluate(SHOWN)
    type_in(page, "910c bandwidth")
    after = page.evaluate(SHOWN)
    assert after == ["fact-ascend-910c-mem-bw-gbs"]
    assert page.locator("[role=status]").inner_text() == "1 row"
    type_in(page, "")
    assert page.evaluate(SHOWN) == before


def test_sections_without_a_hit_are_hidden_with_their_headings(page):
    type_in(page, "gaudi")
    assert page.locator("#intel h2").is_visible()
    assert not page.locator("#huawei h2").is_visible()
    type_in(page, "no such thing")
    assert page.evaluate(SHOWN) == []


def test_it_is_reached_and_left_by_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "cg-facts-find"
    page.keyboard.type("gaudi")
    page.wait_for_timeout(300)
    page.keyboard.press("Tab")
    row = page.evaluate("document.activeElement.closest('tr').id")
    assert row.startswith("fact-gaudi-3"), "the next stop is a link in a row that is shown"


def test_a_link_to_a_hidden_row_shows_it(page):
    type_in(page, "gaudi")
    page.evaluate("location.hash = 'fact-ascend-910c-bf16'")
    page.wait_for_timeout(300)
    assert page.locator("#fact-ascend-910c-bf16").is_visible()


def test_without_scripts_all_rows_are_shown_and_there_is_no_box(chromium):
    page = chromium.new_page()
    page.set_content(document(script=False))
    assert not page.locator(".cg-facts-filter").is_visible()
    assert len(page.evaluate(SHOWN)) == page.locator("tbody tr").count() > 50
    page.close()
