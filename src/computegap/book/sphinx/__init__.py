"""The Sphinx extension that turns executed chapters into the book's site.

Each part is a small module with its own ``setup(app)``; this one only lists them. The order matters in one
place: :mod:`~computegap.book.sphinx.settings` reads ``_config.yml`` first, because the others use what it
finds.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from sphinx.application import Sphinx

#: Submodules of this package, in the order in which they are set up.
PARTS = (
    "settings",
    "contents",
    "maths",
    "glue",
    "package_reference",
    "book_map",
    "pages",
    "site_files",
    "facts_page",
    "runs_page",
    "handout",
)


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Set up every part that is present."""
    for part in PARTS:
        name = f"{__name__}.{part}"
        if find_spec(name) is not None:
            import_module(name).setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
