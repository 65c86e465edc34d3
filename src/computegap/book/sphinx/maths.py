"""Maths as MathML, made when the book is built: the reader's browser draws it without any script.

LaTeX goes through ``latex2mathml``. What that library can't do is repaired or refused here: alignments are
rewritten to the environment that it knows, characters that would break the page are escaped, and a macro
that it passes through unread becomes a warning, which the build treats as an error.
"""

from __future__ import annotations

import html
import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

_ALIGNMENTS = re.compile(r"\\(begin|end)\{(?:aligned|align\*?|alignedat|eqnarray\*?)\}")
_WRAPPERS = re.compile(
    r"\\(?:begin|end)\{(?:equation\*?|displaymath)\}|\\label\{[^}]*\}|\\(?:nonumber|notag)\b"
)
_ROMAN = re.compile(r"\\(?:mathrm|operatorname\*?|textrm)\{([A-Za-z][A-Za-z0-9/ .-]+)\}")
_FUNCTIONS = ("min", "max", "log", "exp", "ln", "sin", "cos", "argmin", "argmax")
_TOKEN = re.compile(r"(<(m[a-z]+)(?: [^<>]*?)?>)([^<>]*|[<>&])(</\2>)", re.S)


class MathsError(ValueError):
    """A formula that can't be turned into MathML; the message says which part of it."""


def to_mathml(latex: str, *, display: bool = False) -> str:
    r"""Turn a LaTeX formula into a ``<math>`` element.

    Parameters
    ----------
    latex : str
        The formula, without dollar signs.
    display : bool
        Whether the formula stands on a line of its own.

    Returns
    -------
    str
        Markup that keeps the formula as ``alttext`` for readers that don't render MathML.

    Raises
    ------
    MathsError
        If braces don't balance, a macro is unknown, or an ``&`` stands outside an alignment.
    """
    source = latex.strip()
    _check_braces(source)
    prepared = _WRAPPERS.sub("", source).strip()
    prepared = _ALIGNMENTS.sub(lambda m: rf"\{m[1]}{{split}}", prepared)
    if r"\\" in prepared and r"\begin" not in prepared:
        prepared = rf"\begin{{split}}{prepared}\end{{split}}"
    # Several letters set upright are one word, not a product: one token, so that they are spaced as a word.
    prepared = _ROMAN.sub(lambda m: m[0] if m[1] in _FUNCTIONS else rf"\text{{{m[1]}}}", prepared)
    try:
        markup = convert(prepared, display="block" if display else "inline")
    except Exception as error:
        raise MathsError(f"cannot be read ({type(error).__name__}): {source}") from error
    unknown = re.search(r">(\\[A-Za-z]+)<", markup)
    if unknown:
        raise MathsError(f"unknown macro {unknown[1]}: {source}")
    if re.search(r"<m[io]>&</m[io]>", markup):
        raise MathsError(f"an & outside an alignment: {source}")
    markup = _TOKEN.sub(lambda m: m[1] + _escape(m[3]) + m[4], markup)
    # columnalign isn't part of MathML Core; browsers read the style instead.
    markup = re.sub(r'columnalign="(\w+)"', r'style="text-align:\1"', markup)
    markup = re.sub(r' (?:rowspacing|columnspacing)="[^"]*"', "", markup)
    alttext = html.escape(re.sub(r"\s+", " ", source), quote=True)
    return markup.replace("<math ", f'<math alttext="{alttext}" ', 1)


def _escape(text: str) -> str:
    text = re.sub(r"&(?!#?\w+;)", "&amp;", text)
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _check_braces(latex: str) -> None:
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex.replace(r"\\", "")):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            break
    if depth != 0:
        raise MathsError(f"braces do not balance: {latex}")


def _render(node: nodes.Element, *, display: bool) -> str:
    try:
        return to_mathml(node.astext(), display=display)
    except MathsError as error:
        logger.warning("formula: %s", error, location=node, type="maths")
        return f"<code>{html.escape(node.astext())}</code>"


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(_render(node, display=False) + "</span>")
    raise nodes.SkipNode


def visit_displaymath(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on its own line, with its number where it has one, in a box that scrolls by itself."""
    # The theme wraps a formula in a box that already carries its ids.
    ids = [] if node["ids"] == node.parent.get("ids") else node["ids"]
    self.body.append(self.starttag(nodes.container(), "div", CLASS="math notranslate nohighlight", IDS=ids))
    self.body.append(f'<div class="math-scroll">{_render(node, display=True)}</div>')
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})</span>')
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the renderer under the name ``mathml``."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
