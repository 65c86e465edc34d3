"""The page "Every number and its source", and the role that links a number in prose to its row there.

``{fact}`H20.bf16` `` prints the value with its unit and links to the row that says where it comes from. After
a bar may stand a format (``|.1f``), another unit (``|TB/s``) or ``|range``. A name that the registry does not
know, and a value that nobody trusts, are warnings, so that a strict build fails.

The directive ``facts-table`` writes the tables of the page from the registry, with nothing typed twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import NoUri
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from computegap import facts
from computegap.facts import Chip, Edition, Fact, Reading, Source

logger = logging.getLogger(__name__)

#: The document that holds the tables.
PAGE = "reference/every-number"
#: Values of these kinds and confidences are marked on the page.
MARKED = {"recalled", "assumption", "weak", "unchecked", "contested"}


def anchor(key: str) -> str:
    """Return the id of a fact's row: stable, and safe in an address."""
    text = key.casefold().replace("+", "plus")
    return "fact-" + re.sub(r"[^a-z0-9]+", "-", text).strip("-")


# -- the role --------------------------------------------------------------------------------------
def render(text: str) -> tuple[Fact, str]:
    """Return the fact that a role names, and the words to print.

    Parameters
    ----------
    text
        A key, then any of: a unit to convert into, a format, ``range``; separated by bars.

    Raises
    ------
    LookupError
        If the registry does not know the key; the message names near ones.
    UntrustedValue
        If the value is blank.
    ValueError
        If an option is neither a unit of the same dimension nor a format.
    """
    key, *options = (part.strip() for part in text.split("|"))
    fact = facts.fact(key)
    float(fact)  # a blank fact must not be quoted
    spec, as_range, shown = "", False, fact
    for option in options:
        if option == "range":
            as_range = True
        elif option in facts.UNITS:
            shown = shown.to(option)
        else:
            format(float(shown), option)
            spec = option
    return fact, shown.range_text(spec) if as_range else shown.text(spec)


def summary(fact: Fact) -> str:
    """Return the sentence shown when one points at a number: what, kind, source, range."""
    span = f", range {fact.range_text()}" if fact.contested else ""
    convention = f" ({fact.convention})" if fact.convention else ""
    return f"{fact.what}{convention}{span}. {fact.kind.capitalize()}: {fact.source}."


class FactRole(SphinxRole):
    """``{fact}`key|format` ``: a number from the registry, linked to where it comes from."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link, or the bare text and a warning."""
        depend_on_data(self.env)
        try:
            fact, words = render(self.text)
        except (LookupError, ValueError) as error:
            logger.warning("fact: %s", error, location=self.get_location(), type="computegap", subtype="fact")
            return [nodes.literal(self.rawtext, self.text)], []
        try:
            page = self.env.app.builder.get_relative_uri(self.env.docname, PAGE)
        except NoUri:
            return [nodes.Text(words)], []
        reference = nodes.reference(
            self.rawtext,
            words,
            internal=True,
            refuri=f"{page}#{anchor(fact.key)}",
            reftitle=summary(fact),
            classes=["cg-fact"],
        )
        return [reference], []


def depend_on_data(env: BuildEnvironment) -> None:
    """Have a page rebuilt when a data file of the registry changes."""
    for entry in (resources.files("computegap.facts") / "data").iterdir():
        env.note_dependency(str(Path(str(entry))))


# -- the tables ------------------------------------------------------------------------------------
def source_anchor(source: Source) -> str:
    """Return the id of a source's row."""
    return f"source-{source.key}"


def _source_html(source: Source, date: str) -> str:
    via = f' (<a href="#{source_anchor(source)}">at second hand</a>)' if source.via else ""
    return f"{_plain_link(source)}, <time>{escape(date)}</time>{via}"


def _kind_html(fact: Fact) -> str:
    words = [fact.kind] + ([fact.confidence] if fact.confidence not in ("solid", "reported") else [])
    if fact.kind == "recalled":
        words = ["recalled, not checked"]
    mark = ' class="cg-mark"' if MARKED & {fact.kind, fact.confidence} else ""
    return f"<td{mark}>{escape(', '.join(words))}</td>"


def _row(fact: Fact, label: str) -> str:
    span = f"<small>range {escape(fact.range_text())}</small>" if fact.contested else ""
    note = f"<small>{escape(fact.note)}</small>" if fact.note else ""
    return (
        f'<tr id="{anchor(fact.key)}"><th scope="row">{escape(label[0].upper() + label[1:])}</th>'
        f"<td>{escape(fact.text())}{span}</td>"
        f"{_kind_html(fact)}<td>{_source_html(fact.source, fact.date)}{note}</td></tr>"
    )


def _table(
    caption: str, head: Iterable[str], rows: Iterable[str], identifier: str = "", *, words: bool = False
) -> str:
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    where = f' id="{identifier}"' if identifier else ""
    classes = "cg-facts cg-words" if words else "cg-facts"
    return (
        f'<table class="{classes}"{where}><caption>{caption}</caption><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


_HEAD = ("Quantity", "Value", "Known from", "Source and note")


def _label(fact: Fact, field: str) -> str:
    name = facts.FIELDS[field][0]
    return f"{name} ({fact.convention})" if fact.convention not in ("per part", "peak", "each die") else name


def _blank_rows(chip: Chip) -> list[str]:
    """One row for each reason, naming all the values that are left blank for it."""
    by_reason: dict[str, list[str]] = {}
    for field, fact in chip.facts.items():
        if not fact.known:
            by_reason.setdefault(fact.reason, []).append(field)
    rows = []
    for reason, fields in by_reason.items():
        names = ", ".join(
            f'<span id="{anchor(f"{chip.name}.{field}")}">{escape(facts.FIELDS[field][0])}</span>'
            for field in fields
        )
        rows.append(
            f'<tr class="cg-blank"><th scope="row">{names}</th>'
            f'<td colspan="3">not known: {escape(reason)}</td></tr>'
        )
    return rows


def chip_table(chip: Chip) -> str:
    """Return one part as a table: a row for every value, then the blanks with their reasons."""
    placed = {True: "for data centres", False: "not for data centres", None: "data-centre status unknown"}
    about = [chip.vendor, chip.fab_node, str(chip.year), chip.mem_type, placed[chip.datacenter]]
    if chip.market not in ("global",):
        about.append(f"market: {chip.market}")
    caption = f"<b>{escape(chip.name)}</b> <span>{escape(', '.join(filter(None, about)))}."
    caption += f" Rates: {escape(chip.basis)}.{' ' + escape(chip.note) if chip.note else ''}</span>"
    rows = [_row(fact, _label(fact, field)) for field, fact in chip.facts.items() if fact.known]
    return _table(caption, _HEAD, rows + _blank_rows(chip), f"part-{anchor(chip.name)[5:]}")


def chip_tables(vendors: Iterable[str]) -> str:
    """Return the tables of all parts of the given vendors."""
    return "".join(chip_table(chip) for vendor in vendors for chip in facts.chips(vendor=vendor))


def fab_tables(_: Iterable[str] = ()) -> str:
    """Return one table for each metric of fabs and nodes."""
    rows: dict[str, list[str]] = {}
    for row in facts.fabs():
        foundry = "" if row.foundry == "any" else f"{row.foundry} "
        when = "" if row.as_of[:4] in row.variant else f" ({row.as_of})"
        label = f"{foundry}{row.node}{f', {row.variant}' if row.variant else ''}{when}"
        rows.setdefault(row.metric, []).append(_row(row, label))
    return "".join(
        _table(f"<b>{escape(_METRICS[metric])}</b>", ("Process", *_HEAD[1:]), body)
        for metric, body in rows.items()
    )


_METRICS = {
    "density": "Transistor density",
    "metal_pitch": "Metal pitch",
    "euv_layers": "Layers exposed with EUV",
    "duv_steps_per_euv": "DUV steps that one EUV step replaces",
    "mask_count": "Masks",
    "litho_cost_increase": "Rise of lithography cost without EUV",
    "price_premium": "Price above that of TSMC",
    "wafer_price": "Price of a wafer",
    "defect_density": "Defect density",
    "capacity": "Capacity",
    "yield": "Yield",
    "stack_bandwidth": "Bandwidth of a memory stack",
    "stack_area": "Footprint of a memory stack",
}


def production_table(_: Iterable[str] = ()) -> str:
    """Return the estimates of what was made, sold, smuggled and planned."""
    rows = [
        _row(row, f"{row.quantity}, {row.year}{f' ({row.who})' if row.who else ''}")
        for row in facts.production()
    ]
    return _table("<b>Production, sales and smuggling</b>", ("Estimate", *_HEAD[1:]), rows)


def published_table(_: Iterable[str] = ()) -> str:
    """Return the results of others that the chapters recompute."""
    rows = [_row(row, row.what) for row in facts.published_results()]
    return _table("<b>Published results that the chapters recompute</b>", ("Result", *_HEAD[1:]), rows)


def system_tables(_: Iterable[str] = ()) -> str:
    """Return one table for each machine of many accelerators."""
    tables = []
    for system in facts.systems():
        about = f"{system.vendor}, {system.year}, with the {system.part}. {system.note}"
        caption = f"<b>{escape(system.name)}</b> <span>{escape(about)}</span>"
        rows, blanks = [], []
        for field, fact in system.facts.items():
            label, _, convention = facts.SYSTEM_FIELDS[field]
            if fact.known:
                label += f" ({convention})" if convention != "whole system" else ""
                rows.append(_row(fact, label))
            else:
                blanks.append(f'<span id="{anchor(fact.key)}">{escape(label)}</span>')
        if blanks:
            rows.append(
                f'<tr class="cg-blank"><th scope="row">{", ".join(blanks)}</th>'
                '<td colspan="3">not known: no source gives this value</td></tr>'
            )
        tables.append(_table(caption, _HEAD, rows, f"system-{anchor(system.name)[5:]}"))
    return "".join(tables)


def _size(length: float) -> str:
    for power, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if length >= 2**power:
            return f"{length / 2**power:,.4g} {name}"
    return f"{length:,.0f} B"


def _reading_row(reading: Reading) -> str:
    """One row; what tells it from its neighbours, and is not in its name, stands in brackets."""
    given = reading.given
    told = [reading.convention] if reading.convention else []
    told += [str(given["algorithm"])] if "algorithm" in given else []
    told += [_size(float(given["size"]))] if "size" in given else []
    brackets = f" ({', '.join(told)})" if told else ""
    row = _row(reading, f"{reading.item}: {reading.metric}{brackets}")
    # The place in the source stands behind its title.
    return row.replace("</time>", f"</time>, {escape(reading.locator)}", 1)


def _reading_tables(readings: list[Reading]) -> str:
    topics: dict[str, list[str]] = {}
    for reading in readings:
        topics.setdefault(reading.topic, []).append(_reading_row(reading))
    return "".join(
        _table(f"<b>{escape(topic[0].upper() + topic[1:])}</b>", ("Reading", *_HEAD[1:]), rows)
        for topic, rows in topics.items()
    )


def collective_tables(_: Iterable[str] = ()) -> str:
    """Return the readings of links and collectives, a table for each topic."""
    return _reading_tables(facts.collectives())


def low_communication_tables(_: Iterable[str] = ()) -> str:
    """Return the readings of training that communicates little, a table for each topic."""
    return _reading_tables(facts.low_communication())


def interruption_tables(_: Iterable[str] = ()) -> str:
    """Return the readings of failures and checkpoints, a table for each topic."""
    return _reading_tables(facts.interruptions())


def sizing_tables(_: Iterable[str] = ()) -> str:
    """Return training bills, rents and worked examples, a table for each topic."""
    return _reading_tables(facts.sizing())


def formula_table(_: Iterable[str] = ()) -> str:
    """Return the formulas that chapters on clusters use, and where each was printed."""
    rows = []
    for formula in facts.formulas():
        note = f"<small>{escape(formula.note)}</small>" if formula.note else ""
        mark = ' class="cg-mark"' if formula.confidence in MARKED else ""
        source = f"{_source_html(formula.source, formula.source.date)}, {escape(formula.locator)}{note}"
        rows.append(
            f'<tr id="formula-{formula.key}"><th scope="row">{escape(formula.name)}</th>'
            f"<td>{escape(formula.text)}<small>{escape(formula.symbols)}</small></td>"
            f"<td{mark}>{escape(formula.confidence)}</td>"
            f"<td>{source}</td></tr>"
        )
    head = ("Formula", "As printed", "Known how well", "Source and note")
    return _table("<b>Formulas and where they were printed</b>", head, rows, words=True)


def _edition_table(edition: Edition) -> str:
    about = f"{edition.citation}. Effective {edition.effective}; {edition.status}."
    if edition.scope:
        about += f" Scope: {edition.scope}."
    if edition.named:
        about += f" Names {', '.join(edition.named)}."
    about += f" {edition.note}" if edition.note else ""
    caption = f"<b>{escape(edition.name)}</b> <span>{escape(about)} Source: </span>"
    caption += f"{_source_html(edition.source, edition.source.date)}."
    rows = [_row(fact, fact.what.removeprefix(f"{edition.name}: ")) for fact in edition.limits.values()]
    if not rows:
        rows = ['<tr><th scope="row">No limit of its own</th><td colspan="3"></td></tr>']
    return _table(caption, ("Limit", *_HEAD[1:]), rows, f"rule-{edition.id.replace('_', '-')}")


def rule_tables(_: Iterable[str] = ()) -> str:
    """Return one table for each edition of the export rule, with the limits that its predicate uses."""
    return "".join(_edition_table(edition) for edition in facts.editions())


def countermeasure_table(_: Iterable[str] = ()) -> str:
    """Return the dated Chinese answers."""
    rows = [
        f'<tr><th scope="row">{escape(c.date)}</th><td>{escape(c.text)}</td><td>{escape(c.kind)}</td>'
        f"<td>{escape(c.note)}</td></tr>"
        for c in facts.countermeasures()
    ]
    return _table(
        "<b>Chinese answers to the controls</b>", ("Date", "What", "Known from", "Note"), rows, words=True
    )


def legend_tables(_: Iterable[str] = ()) -> str:
    """Return what the words in the column "Known from" mean, with the number of values of each kind."""
    data = [fact for chip in facts.chips() for fact in chip.facts.values() if fact.known]
    data += [*facts.fabs(), *facts.production(), *facts.published_results()]
    data += [fact for system in facts.systems() for fact in system.facts.values() if fact.known]
    data += [*facts.collectives(), *facts.low_communication(), *facts.interruptions(), *facts.sizing()]
    data += [fact for edition in facts.editions() for fact in edition.limits.values()]
    tables = []
    for title, words, of in (
        ("Kinds of statement", facts.KINDS, lambda fact: fact.kind),
        ("How well a value is known", facts.CONFIDENCES, lambda fact: fact.confidence),
    ):
        rows = [
            f'<tr><th scope="row">{escape(word)}</th><td>{escape(meaning)}</td>'
            f"<td>{sum(of(fact) == word for fact in data)}</td></tr>"
            for word, meaning in words.items()
        ]
        tables.append(_table(f"<b>{title}</b>", ("Word", "Meaning", "Values"), rows, words=True))
    return "".join(tables)


def source_table(_: Iterable[str] = ()) -> str:
    """Return all sources, and through which document each was read where it was not opened itself."""
    rows = [
        f'<tr id="{source_anchor(s)}"><th scope="row">{_plain_link(s)}</th><td>{escape(s.date)}</td>'
        f"<td>{escape(s.type)}</td><td>{escape(s.via)}</td></tr>"
        for s in sorted(facts.sources().values(), key=lambda s: s.title.casefold())
    ]
    return _table("<b>Sources</b>", ("Source", "Date", "Kind", "Read as quoted by"), rows, words=True)


def _plain_link(source: Source) -> str:
    title = escape(source.title)
    return f'<a href="{escape(source.url, quote=True)}">{title}</a>' if source.url else title


def filter_box(_: Iterable[str] = ()) -> str:
    """Return the box that filters the rows; it stays hidden where scripts do not run."""
    return (
        '<div class="cg-facts-filter" role="search" hidden>'
        '<label for="cg-facts-find">Show only rows that contain</label> '
        '<input id="cg-facts-find" type="search" autocomplete="off" spellcheck="false">'
        '<p role="status" aria-live="polite"></p></div>'
    )


TABLES: dict[str, Callable[[Iterable[str]], str]] = {
    "chips": chip_tables,
    "fabs": fab_tables,
    "production": production_table,
    "published": published_table,
    "systems": system_tables,
    "collectives": collective_tables,
    "low": low_communication_tables,
    "interruptions": interruption_tables,
    "sizing": sizing_tables,
    "formulas": formula_table,
    "rules": rule_tables,
    "countermeasures": countermeasure_table,
    "legend": legend_tables,
    "sources": source_table,
    "filter": filter_box,
}


class FactsTable(SphinxDirective):
    """``facts-table``: one of the tables in :data:`TABLES`; parts are chosen by ``:vendors:``."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"vendors": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the table as HTML."""
        depend_on_data(self.env)
        name = self.arguments[0]
        if name not in TABLES:
            raise self.error(f"facts-table: no table {name!r}; there is {', '.join(TABLES)}")
        vendors = [v.strip() for v in self.options.get("vendors", "").split(",") if v.strip()]
        try:
            html = TABLES[name](vendors)
        except LookupError as error:
            raise self.error(f"facts-table: {error}") from error
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role ``fact`` and the directive ``facts-table``."""
    app.add_role("fact", FactRole())
    app.add_directive("facts-table", FactsTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
