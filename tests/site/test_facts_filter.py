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


LAID_OUT_LATE = (
    "html{scroll-behavior:smooth}.table-scroll{content-visibility:auto;contain-intrinsic-height:auto 20rem}"
)


@pytest.mark.parametrize("row", ["fact-ascend-910c-bf16", "fact-biren-br100-bf16", "system-dgx-h100"])
def test_a_link_to_a_row_lands_on_it_though_tables_above_grow(chromium, tmp_path, row):
    vendors = ["NVIDIA", "Huawei", "Intel", "Biren"]
    body = facts_page.filter_box() + facts_page.chip_tables(vendors) + facts_page.system_tables()
    path = tmp_path / "numbers.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>Numbers</title><style>{LAID_OUT_LATE}</style>"
        f"{pages.tidy(body)}<script>{SCRIPT}</script>",
        encoding="utf-8",
    )
    page = chromium.new_page()
    page.goto(f"{path.as_uri()}#{row}")
    page.wait_for_timeout(1500)
    top = page.evaluate(f"document.getElementById('{row}').getBoundingClientRect().top")
    at_end = page.evaluate("scrollY + innerHeight > document.documentElement.scrollHeight - 2")
    assert -5 <= top <= 120 or at_end, f"the row is {top:.0f} pixels below the top"
    page.close()
