"""What a site needs beside its pages: sitemap, robots, a page for wrong addresses; and what it does not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

from computegap.book.sphinx.pages import color_css
from computegap.book.sphinx.settings import SITE_ASSETS, base_path

#: Pages that search engines shouldn't list.
UNLISTED = {"search.html", "404.html"}
#: What stays in ``_static``: our own files and what the search page loads.
SEARCH_SCRIPTS = {"searchtools.js", "language_data.js", "doctools.js", "documentation_options.js"}


def minify_css(text: str) -> str:
    """Take comments and needless white space out of a style sheet."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r"\s*([{};,>])\s*", r"\1", text).replace(";}", "}").strip()


def sitemap(pages: list[str], baseurl: str) -> str:
    """A sitemap of the given pages (paths relative to the site's root)."""
    urls = "".join(
        f"<url><loc>{baseurl.rstrip('/')}/{'' if page == 'index.html' else page}</loc></url>\n"
        for page in sorted(pages)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )


def _own_static_files() -> set[str]:
    own = set()
    for folder in (SITE_ASSETS / "static", SITE_ASSETS.parent / "assets"):
        own |= {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return own


def _drop_unused(static: Path) -> None:
    keep = _own_static_files() | SEARCH_SCRIPTS
    for path in sorted(static.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(static).as_posix() not in keep:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _on_build_finished(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    _drop_unused(static)
    for sheet in static.rglob("*.css"):
        sheet.write_text(minify_css(sheet.read_text(encoding="utf-8")), encoding="utf-8")
    baseurl = app.config.html_baseurl.rstrip("/") + "/"
    template = (SITE_ASSETS / "templates" / "404.html").read_text(encoding="utf-8")
    page = template.replace("{{ base }}", base_path(baseurl)).replace("{{ colors }}", color_css())
    (out / "404.html").write_text(page, encoding="utf-8")
    pages = [p.relative_to(out).as_posix() for p in out.rglob("*.html") if not p.is_relative_to(static)]
    listed = [page for page in pages if page not in UNLISTED and not page.startswith("_")]
    (out / "sitemap.xml").write_text(sitemap(listed, baseurl), encoding="utf-8")
    (out / "robots.txt").write_text(
        f"User-agent: *\nAllow: /\nSitemap: {baseurl}sitemap.xml\n", encoding="utf-8"
    )
    # GitHub Pages hides folders that start with an underscore unless this file is there.
    (out / ".nojekyll").touch()
    # Jupyter Book writes index.html as a redirect to the first page; a copy of that page needs no hop.
    home = out / f"{app.config.root_doc}.html"
    if home.name != "index.html" and home.exists():
        shutil.copyfile(home, out / "index.html")


def setup(app: Sphinx) -> None:
    """Register the last step of a build."""
    # Late, so that it runs after extensions which write files of their own at the end of a build.
    app.connect("build-finished", _on_build_finished, priority=950)
