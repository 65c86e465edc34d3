"""What each page is given beside its text: its place in the book, its links, its scripts, its description.

A page loads only what it uses: the script of the explorables where there is an explorable, the teaching
script where there is a question, the search code on the search page. Everything else that Sphinx or an
extension would add is left out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from computegap.book import style
from computegap.book.sphinx.contents import numbered
from computegap.book.sphinx.settings import PAGE_ASSETS

#: Class in a page's body -> stem of the script and style that such a page needs, from ``book/assets``.
ASSETS_BY_CLASS = {
    "cg-explorable": "explorable",
    "cg-figure": "explorable",
    "cg-teach": "teaching",
    "cg-facts": "facts",
}
#: A figure that doesn't move needs the style of explorables but not their script.
STYLE_ONLY = {"cg-figure"}
WORDS_PER_MINUTE = 220
#: Shown on narrow screens only, by the style sheet; it works by the page's script.
ENLARGE = '<button type="button" class="enlarge" aria-pressed="false">Enlarge the figure</button>'


def color_css() -> str:
    """The palette of :mod:`computegap.book.style` as CSS variables, for light and for dark pages."""
    light = "".join(f"{name}:{value};" for value, name in style.CSS_VARIABLES.items())
    dark_values = [style.INK_DARK, style.GRID_DARK, style.PAPER_DARK, style.MUTED_DARK, *style.DARK.values()]
    dark = "".join(
        f"{name}:{value};" for name, value in zip(style.CSS_VARIABLES.values(), dark_values, strict=True)
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}"
        "@media screen and (prefers-color-scheme:dark)"
        f"{{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
    )


def tidy(body: str) -> str:
    """Mend the markup of Sphinx and MyST-NB for those who listen, use a keyboard, or read on a phone.

    Tables scroll in a box of their own; folded cells have a name that matches what is seen; roles that say
    nothing are dropped; a picture gets the button that enlarges it on a phone.
    """
    body = re.sub(r'(<div class="cg-picture".*?</svg></div>)', rf"\1{ENLARGE}", body, flags=re.S)
    body = re.sub(r'<div class="table-wrapper[^"]*">\s*(<table.*?</table>)\s*</div>', r"\1", body, flags=re.S)
    body = re.sub(
        r"<table\b.*?</table>",
        lambda m: f'<div class="table-scroll" role="group" {_table_name(m[0])}>{m[0]}</div>',
        body,
        flags=re.S,
    )
    body = re.sub(r" ?\b(?:tex2jax_ignore|mathjax_ignore)\b", "", body)
    body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    body = re.sub(
        r'<p class="(collapsed|expanded) admonition-title">(.*?)</p>', r'<span class="\1">\2</span>', body
    )
    body = _name_solutions(body)
    body = re.sub(r' role="(?:note|list|doc-noteref|doc-backlink|doc-biblioentry)"', "", body)
    return re.sub(
        r' title="(?:Link to this [^"]*|Permalink to this [^"]*)"', ' aria-label="Link to this place"', body
    )


def _table_name(table: str) -> str:
    """The name by which a scrolling table is announced: the bold words of its caption, or just "Table"."""
    match = re.search(r"<caption>\s*<b>([^<]*)</b>", table)
    return 'aria-label="{}"'.format(f"Table: {match[1]}".replace('"', "&quot;") if match else "Table")


def _name_solutions(body: str) -> str:
    def rename(match: re.Match[str]) -> str:
        return (
            match[0].replace("Show the code", "Show a solution").replace("Hide the code", "Hide the solution")
        )

    return re.sub(r'<div class="cell[^"]*\btag_solution\b.*?</summary>', rename, body, flags=re.S)


def _place(app: Sphinx, pagename: str) -> str:
    """Title of the part in which a page stands, from the table of contents; empty outside all parts."""
    site_map = getattr(app.env, "external_site_map", None)
    if site_map is None:
        return ""
    for part in site_map.root.subtrees:
        if any(_holds(site_map, str(item), pagename) for item in part.items):
            return part.caption or ""
    return ""


def _holds(site_map: Any, item: str, pagename: str) -> bool:
    """Whether an entry of the table of contents is a page, matches it, or has it below."""
    stem = re.sub(r"\.(md|ipynb)$", "", item)
    if pagename == stem or fnmatch(pagename, stem):
        return True
    document = site_map.get(stem)
    below = (str(child) for tree in document.subtrees for child in tree.items) if document else ()
    return any(_holds(site_map, child, pagename) for child in below)


def _text_of(doctree: nodes.document | None, kinds: Iterable[type[nodes.Element]]) -> list[str]:
    if doctree is None:
        return []
    found = []
    for paragraph in doctree.findall(nodes.paragraph):
        if not isinstance(paragraph.parent, tuple(kinds)):
            continue
        text = re.sub(r"\s+", " ", paragraph.astext()).strip()
        if text:
            found.append(text)
    return found


def description(doctree: nodes.document | None, fallback: str) -> str:
    """A page's first paragraph, cut at a word to 160 characters, for search engines and shared links."""
    for text in _text_of(doctree, (nodes.section, nodes.document)):
        if len(text) > 40:
            return text if len(text) <= 160 else text[:157].rsplit(" ", 1)[0].rstrip(",;:") + "…"
    return fallback


def reading_minutes(doctree: nodes.document | None) -> int:
    """Minutes that the prose of a page takes at 220 words a minute, at least one."""
    kinds = (nodes.section, nodes.document, nodes.list_item, nodes.block_quote)
    words = sum(len(text.split()) for text in _text_of(doctree, kinds))
    return max(1, round(words / WORDS_PER_MINUTE))


def page_assets(body: str) -> tuple[list[str], list[str]]:
    """Names of the styles and of the scripts that a page's body calls for, beside the site's own."""
    styles, scripts = [], []
    for marker, stem in ASSETS_BY_CLASS.items():
        if not re.search(rf'class="[^"]*\b{marker}\b', body):
            continue
        if (PAGE_ASSETS / f"{stem}.css").exists() and f"{stem}.css" not in styles:
            styles.append(f"{stem}.css")
        if marker not in STYLE_ONLY and (PAGE_ASSETS / f"{stem}.js").exists() and f"{stem}.js" not in scripts:
            scripts.append(f"{stem}.js")
    return styles, scripts


def launch_links(app: Sphinx, pagename: str, source: str, minutes: int) -> str:
    """Links that run, download or edit a chapter, as plain markup that needs no script.

    The notebook offered for download is the stripped source that lies in the site itself, so that it is there
    without a network, too.
    """
    repository = app.config.computegap_repository
    root = "../" * pagename.count("/")
    links = [
        (repository.binder(source), "Run on Binder", ""),
        (repository.colab(source), "Open in Colab", ""),
        (f"{root}_sources/{source}", "Download notebook", f' download="{Path(source).name}"'),
        (repository.edit(source), "Edit", ""),
    ]
    items = "".join(f'<a href="{html.escape(url)}"{extra}>{label}</a>' for url, label, extra in links)
    reading = f"<span>{minutes} min of reading</span>"
    return f'<nav class="launch" aria-label="Run or download this chapter">{reading}{items}</nav>'


def with_launch_links(body: str, links: str) -> str:
    """Put the links under the page's title."""
    return body.replace("</h1>", f"</h1>\n{links}", 1)


def _on_page_context(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    repository = app.config.computegap_repository
    body = tidy(context.get("body", ""))
    source = app.env.doc2path(pagename, base=False) if pagename in app.env.found_docs else ""
    is_chapter = source.startswith("chapters/") and source.endswith(".ipynb")
    number = int(Path(source).name.split("-")[0]) if is_chapter else 0
    if is_chapter:
        body = with_launch_links(body, launch_links(app, pagename, source, reading_minutes(doctree)))
    context["body"] = body
    styles, scripts = page_assets(body)
    title = html.unescape(re.sub(r"<[^>]+>", "", context.get("title", "") or "")) or pagename.capitalize()
    context.update(
        cg_colors=color_css(),
        html_baseurl_root=app.config.html_baseurl.rstrip("/") + "/",
        cg_social_image=app.config.html_baseurl.rstrip("/") + "/_static/social.png",
        cg_styles=styles,
        cg_scripts=scripts,
        cg_part=_place(app, pagename),
        cg_is_chapter=is_chapter,
        cg_number=number,
        cg_is_home=pagename == app.config.root_doc,
        cg_repository=repository,
        cg_edit=repository.edit(source) if source else "",
        cg_title=title,
        cg_description=description(doctree, f"{title}: {app.config.computegap_tagline}"),
        cg_tagline=app.config.computegap_tagline,
        cg_navigation=numbered(_navigation(context), pagename),
    )


def _navigation(context: dict[str, Any]) -> str:
    if "toctree" not in context:
        return ""
    tree = context["toctree"](collapse=True, titles_only=True, maxdepth=2, includehidden=True) or ""
    tree = tree.replace(' role="heading"', "")
    return re.sub(r'(<a class="current reference internal")', r'\1 aria-current="page"', tree)


def setup(app: Sphinx) -> None:
    """Register the page context."""
    app.add_config_value("computegap_tagline", "", "html")
    # After every extension that adds to the context, so that what is left out stays out.
    app.connect("html-page-context", _on_page_context, priority=950)
