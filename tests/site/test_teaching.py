"""Predictions, quizzes and tables of claims in a real browser: keyboard, announcements, contrast, no JS."""

from __future__ import annotations

from importlib.resources import files
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe

from computegap.book import style
from computegap.book.claims import claims_table
from computegap.book.teaching import Answer, opening, predict, quiz

pytestmark = pytest.mark.site

CLAIM = SimpleNamespace(
    text="The rule stops every fast chip.",
    verdict="partly",
    evidence="Some were sold.",
    sources=[SimpleNamespace(title="A report", url="https://example.org/report")],
)


def cards() -> str:
    return "".join(
        card.html
        for card in (
            opening("What may not be sold?", ["read a rule", "find its gaps"], ["Python"], 40),
            predict(
                "rate",
                "How fast is it?",
                1,
                1000,
                "TFLOP/s",
                148,
                "Fewer **cores**.\n\nSlower <sub>clock</sub>.",
            ),
            predict("range", "How many work?", 0, 100, "%", 30, "Estimates differ.", answer_range=(20, 40)),
            predict(
                "which",
                "Which one?",
                options=["the <old> one", "the new one"],
                answer="the new one",
                explain="It is.",
            ),
            quiz(
                "Why?",
                [Answer("because A", "A is only half of it"), Answer("because B", "B decides", right=True)],
            ),
            claims_table([("C1", "holds in part", "Two of five were sold.")], lookup=lambda _: CLAIM),
        )
    )


def page_html(theme: str = "light") -> str:
    palette = style.LIGHT if theme == "light" else style.DARK
    fixed = (
        {"ink": style.INK, "grid": style.GRID, "paper": style.PAPER, "muted": style.MUTED}
        if theme == "light"
        else {
            "ink": style.INK_DARK,
            "grid": style.GRID_DARK,
            "paper": style.PAPER_DARK,
            "muted": style.MUTED_DARK,
        }
    )
    variables = {**fixed, **{f"c{i}": value for i, value in enumerate(palette.values())}}
    css = ";".join(f"--cg-{name}:{value}" for name, value in variables.items())
    assets = files("computegap.book") / "assets"
    return (
        '<!doctype html><html lang="en"><head><title>Cards</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>:root{{{css}}}body{{background:var(--cg-paper);color:var(--cg-ink);font-family:sans-serif;margin:1rem}}"
        f"{(assets / 'teaching.css').read_text()}</style></head><body><main><h1>Cards</h1>{cards()}</main>"
        f"<script>{(assets / 'teaching.js').read_text()}</script></body></html>"
    )


@pytest.fixture
def open_cards(chromium):
    """Open the cards in a fresh context; console errors fail the test."""
    contexts, errors = [], []

    def open_(theme="light", **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.set_content(page_html(theme))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


def tab_to(page, selector: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_a_number_is_predicted_by_keyboard_and_the_gap_is_announced(open_cards):
    page = open_cards()
    card = page.locator("#cg-predict-rate")
    assert not card.get_by_text("Fewer cores").is_visible()
    tab_to(page, "#cg-predict-rate input[type=number]")
    page.keyboard.type("74")
    page.keyboard.press("Enter")
    status = card.get_by_role("status").inner_text()
    assert "You predicted 74\u00a0TFLOP/s" in status
    assert "2 times too low" in status
    assert "148\u00a0TFLOP/s" in status
    assert card.get_by_text("Fewer cores").is_visible()
    assert card.locator("input[type=number]").input_value() == "74"
    assert card.locator("input[type=number]").is_disabled()


def test_the_slider_sets_the_number_and_the_number_sets_the_slider(open_cards):
    page = open_cards()
    card = page.locator("#cg-predict-rate")
    slider, box = card.locator("input[type=range]"), card.locator("input[type=number]")
    assert box.input_value() == ""
    tab_to(page, "#cg-predict-rate input[type=range]")
    page.keyboard.press("End")
    assert box.input_value() == "1000"
    assert slider.get_attribute("aria-valuetext") == "1000\u00a0TFLOP/s"
    box.fill("1")
    assert slider.input_value() == "0"


def test_nothing_is_revealed_before_a_commitment(open_cards):
    page = open_cards()
    card = page.locator("#cg-predict-rate")
    card.get_by_role("button", name="Commit").click()
    assert card.get_by_role("status").inner_text() == ""
    assert not card.locator("details").is_visible()


@pytest.mark.parametrize(
    ("guess", "words"),
    [
        ("25", "inside the range"),
        ("40", "inside the range"),
        ("50", "10 percentage points above"),
        ("5", "15 percentage"),
    ],
)
def test_a_range_says_whether_the_prediction_fell_inside(open_cards, guess, words):
    page = open_cards()
    card = page.locator("#cg-predict-range")
    card.locator("input[type=number]").fill(guess)
    card.get_by_role("button", name="Commit").click()
    assert words in card.get_by_role("status").inner_text()
    assert "20 to 40" in card.get_by_role("status").inner_text()


def test_a_choice_is_committed_once(open_cards):
    page = open_cards()
    card = page.locator("#cg-predict-which")
    card.get_by_label("the <old> one").check()
    card.get_by_role("button", name="Commit").click()
    assert "You chose “the <old> one”. It turns out otherwise." in card.get_by_role("status").inner_text()
    assert card.locator("input").first.is_disabled()


def test_a_quiz_answers_each_choice_and_allows_another(open_cards):
    page = open_cards()
    card = page.locator(".cg-quiz")
    tab_to(page, ".cg-quiz input[type=radio]")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert "Not so. A is only half of it" in card.get_by_role("status").inner_text()
    assert not card.locator("details").is_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert "Right. B decides" in card.get_by_role("status").inner_text()
    assert card.locator("details").is_visible()


def test_without_javascript_every_answer_can_be_unfolded(open_cards):
    page = open_cards(java_script_enabled=False)
    for details in page.locator(".cg-teach details").all():
        assert details.is_visible()
        assert details.get_attribute("open") is None
    assert page.locator(".cg-teach button:visible").count() == 0
    page.locator("#cg-predict-rate summary").click()
    assert page.get_by_text("Fewer cores").is_visible()


def test_print_shows_questions_without_answers(open_cards):
    page = open_cards()
    page.locator("#cg-predict-rate input[type=number]").fill("3")
    page.locator("#cg-predict-rate button").click()
    page.emulate_media(media="print")
    assert page.get_by_text("How fast is it?").is_visible()
    assert not page.get_by_text("Fewer cores").is_visible()
    assert not page.locator("#cg-predict-rate").get_by_role("status").is_visible()


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_axe_finds_nothing_and_nothing_overflows(open_cards, theme, width, answered):
    page = open_cards(theme, viewport={"width": width, "height": 800})
    if answered:
        for box in page.locator("input[type=number]").all():
            box.fill("12")
        for radio in page.locator("input[type=radio][value='1']").all():
            radio.check()
        for button in page.get_by_role("button").all():
            button.click() if button.is_visible() else None
    results = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_targets_are_large_enough(open_cards):
    page = open_cards(viewport={"width": 375, "height": 800})
    for control in page.locator(".cg-teach :is(button, input, summary)").all():
        if control.is_visible():
            box = control.bounding_box()
            assert min(box["width"], box["height"]) >= 24, control.evaluate("e => e.outerHTML")


def test_the_cards_of_the_built_chapters_answer(site, address, chromium):
    """On every built page with cards: each prediction can be committed to, each quiz answers each choice."""
    pages = [path for path in site.rglob("*.html") if 'class="cg-teach' in path.read_text("utf-8")]
    assert pages, "no page of the built site carries a card; run `make book`"
    page = chromium.new_page()
    for path in pages:
        page.goto(f"{address}/{path.relative_to(site).as_posix()}")
        for card in page.locator(".cg-predict").all():
            number = card.locator("input[type=number]")
            number.fill("1") if number.count() else card.locator("input[type=radio]").first.check()
            card.get_by_role("button").click()
            assert "Answer: " in card.get_by_role("status").inner_text(), card.get_attribute("id")
        for card in page.locator(".cg-quiz").all():
            heard = []
            for radio in card.locator("input[type=radio]").all():
                radio.check()
                card.get_by_role("button").click()
                heard.append(card.get_by_role("status").inner_text())
            assert sum(text.startswith("Right.") for text in heard) == 1, card.get_attribute("id")
            assert len(set(heard)) == len(heard)
    page.close()
