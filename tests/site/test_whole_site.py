"""The site as a whole: search, theme, keyboard, wrong addresses, and the files that robots read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.site
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    context.close()


def _search(page, start: str) -> list[str]:
    page.goto(start)
    page.get_by_role("searchbox", name="Search the book").fill("glossary")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results ul.search li a")
    return page.locator("#search-results ul.search li a").all_inner_texts()


def test_search_finds(page, address):
    assert any("Glossary" in title for title in _search(page, f"{address}/index.html"))
    page.wait_for_selector("#search-results .context")
    page.locator("#search-results li a").first.click()
    page.wait_for_selector("h1:not(:has-text('Search'))")
    assert not page.complaints


def test_search_finds_from_a_disk(page, site):
    assert any("Glossary" in title for title in _search(page, (site / "index.html").as_uri()))
    page.wait_for_timeout(300)
    assert not page.complaints


def test_search_that_finds_nothing_says_so(page, address):
    page.goto(f"{address}/search.html?q=xyzzyquux")
    page.wait_for_function(
        "document.querySelector('#search-results p')?.textContent.includes('did not match')"
    )
    assert not page.complaints


def test_first_tab_skips_to_the_text(page, address):
    page.goto(f"{address}/glossary.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box["x"] >= 0, "the skip link should show when it has the focus"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_tab_goes_from_the_masthead_to_the_contents_to_the_text(page, address):
    page.goto(f"{address}/glossary.html")
    order = []
    for _ in range(60):
        page.keyboard.press("Tab")
        where = page.evaluate(
            "document.activeElement.closest('.masthead,.contents,main,.on-page,.colophon')?.className "
            "|| document.activeElement.closest('main')?.id || 'skip'"
        )
        if not order or order[-1] != where:
            order.append(where)
        if where == "content":
            break
    assert order == ["skip", "masthead", "contents", "content"]


def test_theme_goes_round_and_is_kept(page, address):
    page.goto(f"{address}/glossary.html")
    paper = "getComputedStyle(document.body).backgroundColor"
    button = page.get_by_role("button", name=re.compile("Theme"))
    seen = [(page.evaluate("document.documentElement.dataset.theme"), page.evaluate(paper))]
    for _ in range(2):
        button.click()
        seen.append((page.evaluate("document.documentElement.dataset.theme"), page.evaluate(paper)))
    assert [name for name, _ in seen] == ["auto", "light", "dark"]
    assert seen[0][1] == seen[1][1] != seen[2][1]
    page.goto(f"{address}/index.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(paper) == seen[2][1]


def test_contents_fold_on_a_phone(chromium, address):
    context = chromium.new_context(viewport={"width": 375, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/glossary.html")
    link = page.locator(".contents a", has_text="Bibliography")
    assert not link.is_visible()
    page.locator(".contents summary").click()
    assert link.is_visible()
    context.close()


def test_everything_is_readable_without_scripts(chromium, address):
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/index.html")
    assert page.locator("h1").is_visible()
    page.locator(".contents summary").click()
    assert page.locator(".contents a", has_text="Glossary").is_visible()
    assert page.locator("main svg").first.is_visible(), "the figure at the top should show its default state"
    context.close()


def test_first_page_has_a_figure_that_answers(page, address):
    page.goto(f"{address}/index.html")
    figure = page.locator(".cg-explorable").first
    figure.scroll_into_view_if_needed()
    slider = figure.locator("input[type=range]").first
    before = figure.inner_text()
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(400)
    assert figure.inner_text() != before
    assert not page.complaints


def test_wrong_addresses_get_a_page_of_the_book(page, address):
    response = page.goto(f"{address}/no/such/page.html")
    assert response.status == 404
    assert page.get_by_role("link", name="Go to the start of the book").is_visible()
    page.get_by_role("link", name="Go to the start of the book").click()
    page.wait_for_load_state()
    assert "Compute Gap" in page.title()
    assert "No such page" not in page.title()


def test_sitemap_lists_every_page_at_the_configured_address(site):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    owner, name = config["repository"]["url"].rstrip("/").split("/")[-2:]
    base = f"https://{owner.lower()}.github.io/{name}/"
    space = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    listed = {e.text for e in ET.parse(site / "sitemap.xml").iterfind(".//s:loc", space)}
    assert base in listed
    assert all(url.startswith(base) for url in listed)
    pages = {
        p.relative_to(site).as_posix()
        for p in site.rglob("*.html")
        if not p.relative_to(site).parts[0].startswith("_")
    }
    missing = (
        pages
        - {url.removeprefix(base) for url in listed}
        - {"index.html", "intro.html", "404.html", "search.html"}
    )
    assert not missing
    assert f"Sitemap: {base}sitemap.xml" in (site / "robots.txt").read_text(encoding="utf-8")


def test_every_chapter_and_teaching_note_is_in_the_site(site):
    for folder, ending in (("chapters", ".ipynb"), ("teach", ".md")):
        for source in (ROOT / folder).glob(f"*{ending}"):
            assert (site / folder / f"{source.stem}.html").is_file(), f"{folder}/{source.name} has no page"


def test_every_part_of_the_package_has_a_reference_page(site):
    packages = [p.parent.name for p in (ROOT / "src" / "computegap").glob("*/__init__.py")]
    assert packages
    for name in packages:
        assert (site / "reference" / "package" / f"computegap-{name}.html").is_file(), (
            f"no reference page for {name}"
        )


def test_address_of_the_repository_is_written_once(site):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    address = config["repository"]["url"]
    for source in (ROOT / "src" / "computegap" / "book").rglob("*"):
        if source.suffix in {".py", ".html", ".js", ".css"}:
            assert address.removeprefix("https://") not in source.read_text(encoding="utf-8"), source
