"""The table with which a chapter closes: the claims it tested, its verdict, and the literature's."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from .markup import inline
from .teaching import Card, _show

#: Verdicts that a chapter may give.
VERDICTS = ("holds", "holds in part", "does not hold", "contested", "not tested", "not checkable")

HEADS = ("Claim", "In this chapter", "In the literature")


def claims_table(rows: Sequence[tuple[str, str, str]], *, lookup: Callable[[str], Any] | None = None) -> Card:
    """Show the claims that a chapter tested, its verdicts beside those of the literature.

    Parameters
    ----------
    rows : sequence of tuple
        Claim id, verdict and evidence, for instance ``("C003", "holds in part", "Two of five shipped.")``.
        The verdict is one of :data:`~computegap.book.claims.VERDICTS`; the evidence is what this chapter's
        experiment showed, with the markup of :mod:`computegap.book.markup`.
    lookup : callable, optional
        Id -> claim; by default :func:`computegap.facts.claim`.

    Raises
    ------
    ValueError
        For an empty table, an unknown verdict, a claim named twice, or evidence left out.
    LookupError
        For a claim that the registry doesn't have.
    """
    if lookup is None:
        from computegap.facts import claim as lookup
    rows = [tuple(row) for row in rows]
    if not rows:
        raise ValueError("a table of claims needs at least one claim")
    if len({row[0] for row in rows}) != len(rows):
        raise ValueError("a claim stands twice in the table")
    for row in rows:
        _check_row(row)
    claims = [lookup(row[0]) for row in rows]
    body = "".join(_row(claim, *row[1:]) for claim, row in zip(claims, rows, strict=True))
    heads = "".join(f'<th scope="col" role="columnheader">{head}</th>' for head in HEADS)
    page = (
        '<div class="cg-teach cg-claims"><table role="table">'
        "<caption><b>Claims tested in this chapter</b></caption>"
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead><tbody role="rowgroup">{body}</tbody>'
        "</table></div>"
    )
    lines = [f"| {' | '.join(HEADS)} |", "|---|---|---|"]
    for claim, (_, verdict, evidence) in zip(claims, rows, strict=True):
        cells = (
            claim.text,
            f"**{_capital(verdict)}.** {evidence}",
            f"**{_capital(claim.verdict)}.** {claim.evidence}",
        )
        lines.append(
            "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        )
    return _show(Card(page, "\n".join(lines)))


def _check_row(row: tuple) -> None:
    if len(row) != 3:
        raise ValueError(f"a row is (claim id, verdict, evidence), not {row!r}")
    id_, verdict, evidence = row
    if verdict not in VERDICTS:
        raise ValueError(f"claim {id_}: {verdict!r} is not a verdict; there are {', '.join(VERDICTS)}")
    if not evidence.strip():
        raise ValueError(f"claim {id_}: say what the chapter showed")


def _row(claim: Any, verdict: str, evidence: str) -> str:
    here = f"<strong>{_capital(verdict)}.</strong> {inline(evidence)}"
    there = f"<strong>{html.escape(_capital(str(claim.verdict)))}.</strong> {inline(claim.evidence)}"
    return (
        f'<tr role="row"><th scope="row" role="rowheader">{inline(claim.text)}</th>'
        f'<td role="cell" data-label="{HEADS[1]}">{here}</td>'
        f'<td role="cell" data-label="{HEADS[2]}">{there}{_sources(claim)}</td></tr>'
    )


def _capital(verdict: str) -> str:
    return verdict[:1].upper() + verdict[1:]


def _sources(claim: Any) -> str:
    """Sources as links where the registry has an address, else as text."""
    sources = claim.sources if isinstance(claim.sources, (list, tuple)) else [claim.sources]
    parts = []
    for source in sources:
        known = not isinstance(source, str)
        title = html.escape(str(source.title if known else source).strip())
        url = getattr(source, "url", "") or ""
        if title:
            linked = str(url).startswith(("https://", "http://"))
            parts.append(f'<a href="{html.escape(url)}">{title}</a>' if linked else title)
    return f' <span class="cg-sources">Sources: {"; ".join(parts)}.</span>' if parts else ""
