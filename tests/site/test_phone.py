"""On a phone a figure is shown whole, and large at a press; tables that cells show as Markdown are tables."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.site

PHONE = {"width": 375, "height": 812}
WIDE = "[...document.querySelectorAll('.cg-picture')].filter(p => p.scrollWidth > p.clientWidth + 1).length"


@pytest.fixture
def phone(chromium, address):
    page = chromium.new_page(viewport=PHONE)
    page.goto(f"{address}/chapters/02-homegrown-chips.html")
    yield page
    page.close()


def test_figures_are_whole_at_first(phone):
    assert phone.locator(".cg-picture").count() > 5
    assert phone.evaluate(WIDE) == 0
    assert phone.locator("button.enlarge").count() == phone.locator(".cg-picture").count()


def test_a_press_enlarges_one_figure_and_another_gives_it_back(phone):
    button = phone.locator("button.enlarge").first
    button.focus()
    phone.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert phone.evaluate(WIDE) == 1
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert phone.evaluate(WIDE) == 0


def test_on_a_wide_screen_there_is_nothing_to_press(phone):
    phone.set_viewport_size({"width": 1200, "height": 800})
    assert not phone.locator("button.enlarge").first.is_visible()


def test_published_numbers_stand_in_a_table(phone):
    table = phone.locator("table", has_text="CloudMatrix 384 over NVL72, memory").first
    assert table.locator("tr").count() > 20
    assert phone.locator("article p", has_text="|---").count() == 0
