"""The map of the book on its first page: every chapter that is planned, with a link once it is there.

.. code-block:: md

    ```{book-map}
    # The wall
    01-export-controls: What exactly may not be sold?
    ```

A line with ``#`` starts a part. A chapter whose notebook is in ``chapters/`` becomes a link by itself; one
that isn't there yet is announced in plain text, so that the map holds no dead links.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def parse_map(lines: list[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Parse the content of the directive.

    Returns
    -------
    list
        For each part its title and its chapters, each as file stem and question.

    Raises
    ------
    ValueError
        If a line is neither a part nor a chapter, or a chapter stands before the first part.
    """
    parts: list[tuple[str, list[tuple[str, str]]]] = []
    for line in filter(str.strip, lines):
        if line.startswith("# "):
            parts.append((line[2:].strip(), []))
            continue
        stem, colon, question = (piece.strip() for piece in line.partition(":"))
        if not colon or not question or not parts:
            raise ValueError(f"book-map: {line!r} is neither '# part' nor 'file: question' below a part")
        parts[-1][1].append((stem, question))
    return parts


class BookMap(SphinxDirective):
    """All parts and chapters of the book, as nested lists."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the lists."""
        try:
            parts = parse_map(list(self.content))
        except ValueError as error:
            raise self.error(str(error)) from error
        outer = nodes.bullet_list(classes=["map"])
        for title, chapters in parts:
            inner = nodes.bullet_list()
            for stem, question in chapters:
                inner += nodes.list_item("", self._chapter(stem, question))
            outer += nodes.list_item("", nodes.paragraph("", title, classes=["part"]), inner)
        return [outer]

    def _chapter(self, stem: str, question: str) -> nodes.paragraph:
        number = str(int(stem.split("-")[0]))
        line = nodes.paragraph()
        line += nodes.inline("", number, classes=["n"])
        docname = f"chapters/{stem}"
        if docname in self.env.found_docs:
            link = addnodes.pending_xref(
                "",
                nodes.inline("", question),
                refdomain="std",
                reftype="doc",
                refexplicit=True,
                reftarget=f"/{docname}",
            )
            link["refdoc"], link["refwarn"] = self.env.docname, True
            line += link
        else:
            line += nodes.inline("", question)
            line += nodes.Text(" ")
            line += nodes.inline("", "to come", classes=["to-come"])
        return line


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("book-map", BookMap)
