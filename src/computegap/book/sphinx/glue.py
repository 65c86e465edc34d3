"""Numbers of one page in the text of another, without a format: a repair of MyST-NB's ``{glue:text}``.

Upstream splits its text at the last colon to find the format, and so takes the key of ``page.ipynb::key`` for
one. A format of ``s``, which changes nothing, is added where there is none.
"""

from __future__ import annotations

from myst_nb.ext.glue.roles import PasteTextRole
from sphinx.application import Sphinx


def with_format(text: str) -> str:
    """Add the neutral format to ``page::key``; leave ``key``, ``key:fmt`` and ``page::key:fmt`` alone."""
    page, colons, key = text.partition("::")
    return f"{page}::{key}:s" if colons and ":" not in key else text


class TextOfAnyPage(PasteTextRole):
    """``{glue:text}`` that also takes ``page::key``."""

    def run(self):
        """Paste the number."""
        self.text = with_format(self.text)
        return super().run()


def _on_builder_inited(app: Sphinx) -> None:
    # The domain is made by MyST-NB while extensions are set up, so its role is replaced after that.
    app.env.get_domain("glue").roles["text"] = TextOfAnyPage()


def setup(app: Sphinx) -> None:
    """Replace the role."""
    app.connect("builder-inited", _on_builder_inited)
