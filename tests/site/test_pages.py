"""Every page of the built site in a real browser: offline, light, accessible, whole."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

pytestmark = pytest.mark.site

BUDGET = 200 * 1024
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Only what is wrong is reported: writing down each passing cell of a long table takes longer than checking.
AXE = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"], "preload": False}
VIEWS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 375, "height": 800}},
}


class Visit:
    """A page opened in a fresh context, with what it asked for and complained about."""

    def __init__(self, browser, url: str, until: str = "networkidle", **settings):
        self.context = browser.new_context(**settings)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url, wait_until=until)

    def _hear(self, message) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


def scroll_through(page) -> None:
    """Go down the page, so that whatever waits until it is seen gets loaded."""
    page.evaluate(
        "async () => { for (let y = 0; y < document.body.scrollHeight; y += 700) "
        "{ scrollTo(0, y); await new Promise(r => requestAnimationFrame(r)); } scrollTo(0, 0); }"
    )


def test_a_page_is_offline_quiet_and_light(chromium, address, path, site):
    sizes: dict[str, int] = {}
    with Visit(chromium, "about:blank") as visit:
        protocol = visit.context.new_cdp_session(visit.page)
        protocol.send("Network.enable")
        protocol.send("Network.setCacheDisabled", {"cacheDisabled": True})
        protocol.on(
            "Network.loadingFinished", lambda e: sizes.update({e["requestId"]: int(e["encodedDataLength"])})
        )
        visit.requests.clear()
        visit.page.goto(f"{address}/{path}")
        visit.page.wait_for_load_state("networkidle")
        scroll_through(visit.page)
        visit.page.wait_for_load_state("networkidle")
        elsewhere = [u for u in visit.requests if not u.startswith((address, "data:", "blob:"))]
        complaints = visit.complaints
    assert not elsewhere, f"{path} asks other hosts: {elsewhere}"
    assert not complaints, f"{path} complains: {complaints}"
    total = sum(sizes.values())
    assert sizes, "nothing was measured"
    assert total <= BUDGET, f"{path} loads {total / 1024:.0f} KiB compressed; the budget is {BUDGET // 1024}"


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_has_no_barriers(chromium, address, path, view):
    with Visit(chromium, f"{address}/{path}", until="load", reduced_motion="reduce", **VIEWS[view]) as visit:
        # Lay everything out: what the page saves for later must be looked at as well.
        visit.page.add_style_tag(content="*{content-visibility:visible!important}")
        visit.page.evaluate("dispatchEvent(new Event('resize'))")
        visit.page.wait_for_timeout(400)
        result = Axe().run(visit.page, options=AXE).response
        wide = visit.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    found = [
        f"{item['id']}: {item['help']} ({node['html'][:160]})"
        for item in result["violations"]
        for node in item["nodes"]
    ]
    assert not found, f"{path}, {view}:\n" + "\n".join(found[:10])
    assert wide <= 0, f"{path} scrolls sideways by {wide} px ({view})"


def test_a_page_opens_from_a_disk(chromium, path, site):
    with Visit(chromium, (site / path).as_uri()) as visit:
        assert not visit.complaints, f"{path} complains when opened as a file: {visit.complaints}"
        assert all(url.startswith(("file:", "data:", "blob:")) for url in visit.requests)
        shown = visit.page.evaluate(
            "getComputedStyle(document.body).fontFamily + document.querySelector('h1').textContent"
        )
    assert shown


def soup_of(site: Path, path: str) -> BeautifulSoup:
    return BeautifulSoup((site / path).read_text(encoding="utf-8"), "html.parser")


def test_a_page_says_what_it_is(site, path):
    soup = soup_of(site, path)
    assert soup.html["lang"] == "en"
    assert len(soup.find_all("h1")) == 1, f"{path} needs exactly one title"
    assert soup.title.get_text(strip=True)
    description = soup.find("meta", attrs={"name": "description"})
    assert 20 <= len(description["content"]) <= 200, f"{path}: {description}"
    if path == "404.html":
        return
    assert len(soup.find_all("main")) == 1
    assert soup.find("a", class_="skip")["href"] == f"#{soup.main['id']}"
    for name in ("og:title", "og:description", "og:type", "og:site_name"):
        assert soup.find("meta", property=name)["content"], f"{path} lacks {name}"
    if path != "search.html":
        canonical = soup.find("link", rel="canonical")["href"]
        assert canonical.startswith("https://")
        assert soup.find("meta", property="og:image")["content"].endswith("/_static/social.png")


def test_headings_go_down_one_level_at_a_time(site, path):
    soup = soup_of(site, path)
    levels = [int(h.name[1]) for h in (soup.main or soup).find_all(re.compile(r"^h[1-6]$"))]
    jumps = [(a, b) for a, b in pairwise(levels) if b > a + 1]
    assert not jumps, f"{path} skips a level of headings: {jumps}"


def test_pictures_have_words(site, path):
    soup = soup_of(site, path)
    for image in soup.find_all("img"):
        assert image.get("alt", "").strip(), f"{path}: no alt text on {image.get('src', '')[:80]}"
    for svg in soup.find_all("svg"):
        if svg.get("aria-hidden") == "true" or svg.find_parent(attrs={"aria-hidden": "true"}):
            continue
        named = svg.get("aria-label") or svg.get("aria-labelledby") or svg.find("title")
        assert named, f"{path}: a drawing without a name: {str(svg)[:120]}"


def test_formulas_are_mathml_with_the_source_beside(site, path):
    text = (site / path).read_text(encoding="utf-8")
    assert "mathjax" not in text.lower()
    for formula in soup_of(site, path).find_all("math"):
        assert formula.get("alttext"), f"{path}: a formula without its source"
        assert "\\" not in formula.get_text(), f"{path}: unread LaTeX in {formula['alttext']}"


def _targets(site: Path) -> dict[str, set[str]]:
    pages = {p.relative_to(site).as_posix(): p for p in site.rglob("*.html")}
    return {
        name: {
            tag["id"] for tag in BeautifulSoup(p.read_text(encoding="utf-8"), "html.parser").find_all(id=True)
        }
        for name, p in pages.items()
    }


@pytest.fixture(scope="session")
def targets(site):
    """Page -> the ids that a link can point at."""
    return _targets(site)


def test_links_within_the_book_lead_somewhere(site, path, targets):
    if path == "404.html":
        pytest.skip("its one link is the address of the published site")
    broken = []
    for tag in soup_of(site, path).find_all(["a", "link", "script", "img", "form"]):
        url = tag.get("href") or tag.get("src") or tag.get("action")
        if not url or urlsplit(url).scheme in {"http", "https", "mailto", "data"}:
            continue
        file, anchor = urldefrag(unquote(urljoin(f"/{path}", url)).lstrip("/"))
        file = file.split("?")[0]
        if not (site / file).is_file() or (anchor and file in targets and anchor not in targets[file]):
            broken.append(url)
    assert not broken, f"{path} has links that lead nowhere: {broken}"


def test_ids_are_used_once(site, path):
    ids = [tag["id"] for tag in soup_of(site, path).find_all(id=True)]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    assert not twice, f"{path} uses ids twice: {twice}"


def test_a_page_loads_only_what_it_uses(site, path):
    text = (site / path).read_text(encoding="utf-8")
    soup = BeautifulSoup(text, "html.parser")
    loaded = {
        (tag.get("src") or tag.get("href") or "").rsplit("/", 1)[-1].split("?")[0]
        for tag in soup.find_all(["script", "link"])
    }
    for marker, script in (("cg-explorable", "explorable.js"), ("cg-teach", "teaching.js")):
        uses = any(marker in tag.get("class", []) for tag in soup.find_all(class_=marker))
        assert uses == (script in loaded), f"{path}: {script} loaded is {script in loaded}, needed is {uses}"
    assert ("searchindex.js" in loaded) == (path == "search.html")
    assert all("defer" in tag.attrs for tag in soup.find_all("script", src=True))
    assert "application/vnd.jupyter.widget" not in text


def test_no_leftovers_of_the_tools(site, path):
    soup = soup_of(site, path)
    for code in soup.find_all(["code", "pre", "script", "style"]):
        code.decompose()
    visible = soup.get_text(" ")
    for leftover in (
        "SiteDefault",
        "{glue",
        "{term}",
        "{cite",
        "{fact}",
        "{doc}",
        "Projectname",
        "None None",
        "/home/",
        "/tmp/",
    ):
        assert leftover not in visible, f"{path} shows {leftover!r}"


def test_chapters_offer_to_be_run_downloaded_and_mended(site, path):
    if not path.startswith("chapters/"):
        pytest.skip("not a chapter")
    soup = soup_of(site, path)
    links = {a.get_text(strip=True): a for a in soup.find("nav", class_="launch").find_all("a")}
    assert set(links) == {"Run on Binder", "Open in Colab", "Download notebook", "Edit"}
    source = path.removesuffix(".html") + ".ipynb"
    assert re.fullmatch(
        rf"https://mybinder\.org/v2/gh/[\w.-]+/[\w.-]+/[\w.-]+\?urlpath=lab/tree/{re.escape(source)}",
        links["Run on Binder"]["href"],
    )
    assert re.fullmatch(
        rf"https://colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/[\w.-]+/{re.escape(source)}",
        links["Open in Colab"]["href"],
    )
    assert links["Edit"]["href"].endswith(f"/{source}")
    notebook = (site / path).parent / links["Download notebook"]["href"]
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert cells, "the downloaded notebook is empty"
    assert not any(cell.get("outputs") for cell in cells), "the notebook should be the stripped source"
