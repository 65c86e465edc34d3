"""The table of contents: parts that hold no chapter yet are left out, and a chapter has its file's number.

``_toc.yml`` names every part of the book by a pattern of file names, so that a chapter appears in its part
as soon as its notebook lies in ``chapters/``. Until then the pattern matches nothing, which Sphinx would
report as a mistake. And as chapters don't come in the order of the book, counting them would give the
seventh chapter the number three: the number is therefore read from the file's name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

#: A link of the list of contents: its address, up to the beginning of its text.
LINK = re.compile(r'<a\b[^>]*\bhref="([^"#]*)#?"[^>]*>')
CHAPTER = re.compile(r"chapters/(\d\d)-[^/]*")


def is_there(folder: Path, pattern: str, suffixes: list[str]) -> bool:
    """Whether a pattern of the table of contents matches a page in the folder of sources."""
    stem = next((pattern.removesuffix(s) for s in suffixes if pattern.endswith(s)), pattern)
    return any(any(folder.glob(stem + suffix)) for suffix in suffixes)


def leave_out_what_is_not_there(site_map: Any, folder: Path, suffixes: list[str]) -> None:
    """Take patterns without any page out of a table of contents, and then parts without any entry."""
    for document in site_map.values():
        for part in document.subtrees:
            missing = {item for item in part.globs() if not is_there(folder, item, suffixes)}
            part.items[:] = [item for item in part.items if str(item) not in missing]
        document.subtrees[:] = [part for part in document.subtrees if part.items]


def numbered(navigation: str, pagename: str) -> str:
    """Write the number of each chapter before its title in a list of links.

    Parameters
    ----------
    navigation
        The list as HTML, with addresses relative to the page.
    pagename
        The page on which it stands, such as ``chapters/07-pooling-chips``; a link to it may be just ``#``.
    """

    def number(link: re.Match[str]) -> str:
        address = posixpath.join(posixpath.dirname(pagename), link[1]) if link[1] else pagename
        chapter = CHAPTER.fullmatch(posixpath.normpath(address).removesuffix(".html"))
        return f"{link[0]}{int(chapter[1])}. " if chapter else link[0]

    return LINK.sub(number, navigation)


def _on_config(app: Sphinx, config: Config) -> None:
    site_map = getattr(config, "external_site_map", None)
    if site_map is not None:
        leave_out_what_is_not_there(site_map, Path(app.srcdir), list(config.source_suffix))


def setup(app: Sphinx) -> None:
    """Prune the table of contents as soon as it has been read."""
    # sphinx-external-toc reads the file at 900.
    app.connect("config-inited", _on_config, priority=950)
