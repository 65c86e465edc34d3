"""What the world says: every number that the book quotes, with its unit, source, date, kind and range.

A short call gives a number, and the same object can say where it comes from::

    >>> from computegap import facts
    >>> h20 = facts.chip("H20")
    >>> print(h20.bf16)
    148 TFLOP/s
    >>> h20.bf16.kind, h20.bf16.convention
    ('press', 'dense')
    >>> round(h20.bf16 / facts.chip("H100").bf16, 3)
    0.15

Values that nobody trusts are blank: they have a reason instead of a number, and using one as a number
raises :class:`UntrustedValue`. Nothing here is computed: processing performance and performance density
are derived in :mod:`computegap.chips.export_rules`. Used by every chapter; taught in
``01-export-controls`` and ``02-homegrown-chips``.
"""

from __future__ import annotations

from collections.abc import Iterable

from computegap.facts.load import registry as _registry
from computegap.facts.records import (
    CONDITIONS,
    CONFIDENCES,
    FIELDS,
    KINDS,
    SYSTEM_FIELDS,
    Chip,
    Claim,
    Countermeasure,
    Edition,
    ExpectedOutcome,
    FabRow,
    Fact,
    Formula,
    ProductionRow,
    PublishedResult,
    Reading,
    Source,
    System,
    UntrustedValue,
    suggest,
)
from computegap.facts.runs import Publication, cluster_runs, publications
from computegap.facts.units import UNITS
from computegap.facts.validate import FactsError

__all__ = [
    "CONDITIONS",
    "CONFIDENCES",
    "FIELDS",
    "KINDS",
    "SYSTEM_FIELDS",
    "UNITS",
    "Chip",
    "Claim",
    "Countermeasure",
    "Edition",
    "ExpectedOutcome",
    "FabRow",
    "Fact",
    "FactsError",
    "Formula",
    "ProductionRow",
    "Publication",
    "PublishedResult",
    "Reading",
    "Source",
    "System",
    "UntrustedValue",
    "chip",
    "chips",
    "claim",
    "claims",
    "cluster_runs",
    "collectives",
    "countermeasures",
    "edition",
    "editions",
    "expected_outcomes",
    "fab",
    "fabs",
    "fact",
    "formula",
    "formulas",
    "interruptions",
    "low_communication",
    "production",
    "publications",
    "published",
    "published_results",
    "sizing",
    "source",
    "sources",
    "system",
    "systems",
    "threshold",
    "thresholds",
]


def _unknown(what: str, name: str, known: Iterable[str]) -> LookupError:
    known = list(known)
    hint = suggest(name, known) or f" Known: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}."
    return LookupError(f"no {what} named {name!r}.{hint}")


def chip(name: str) -> Chip:
    """Return one accelerator by name or alias; case does not matter.

    ``"H20"`` stands for ``"H20 96GB"``, ``"H100"`` for ``"H100 SXM"``, ``"910C"`` for ``"Ascend 910C"``.

    Raises
    ------
    LookupError
        If there is no such part; the message names the nearest ones.
    """
    data = _registry()
    try:
        return data.chips[data.aliases[name.casefold()]]
    except KeyError:
        every = [alias for part in data.chips.values() for alias in (part.name, *part.aliases)]
        raise _unknown("chip", name, every) from None


def chips(
    *,
    vendor: str | None = None,
    country: str | None = None,
    market: str | None = None,
    datacenter: bool | None = None,
    year: int | tuple[int, int] | None = None,
    known: Iterable[str] = (),
    trusted: Iterable[str] = (),
) -> list[Chip]:
    """Return the accelerators that pass every filter given, in the order of the table.

    Parameters
    ----------
    vendor, country, market
        As in the record, e.g. ``"Huawei"``, ``"CN"``, ``"China"``.
    datacenter
        True for parts designed or marketed for data centres, False for the others.
    year
        One year, or the first and last of a span.
    known, trusted
        Names of facts that must have a value, or a value checked against a source.

    Raises
    ------
    LookupError
        If a vendor, country, market or fact is not in the registry at all.
    """
    every = list(_registry().chips.values())
    for what, asked in (("vendor", vendor), ("country", country), ("market", market)):
        there = {getattr(part, what) for part in every}
        if asked is not None and asked not in there:
            raise _unknown(what, asked, sorted(there))
    for name in (*known, *trusted):
        if name not in FIELDS:
            raise _unknown("fact", name, FIELDS)
    first, last = (year, year) if isinstance(year, int) else (year or (0, 9999))
    return [
        part
        for part in every
        if vendor in (None, part.vendor)
        and country in (None, part.country)
        and market in (None, part.market)
        and (datacenter is None or part.datacenter is datacenter)
        and first <= part.year <= last
        and part.known(*known)
        and part.trusted(*trusted)
    ]


def fabs(foundry: str | None = None, node: str | None = None, metric: str | None = None) -> list[FabRow]:
    """Return facts about fabs and their processes; every filter is optional.

    Metrics are ``density`` ``wafer_price`` ``defect_density`` ``yield`` ``capacity`` ``euv_layers``
    ``metal_pitch`` ``litho_cost_increase`` ``price_premium`` ``duv_steps_per_euv`` and ``mask_count``.

    Raises
    ------
    LookupError
        If a foundry, node or metric is not in the registry at all.
    """
    rows = list(_registry().fabs.values())
    for what, asked in (("foundry", foundry), ("node", node), ("metric", metric)):
        there = {getattr(row, what) for row in rows}
        if asked is not None and asked not in there:
            raise _unknown(what, asked, sorted(there))
    return [
        row
        for row in rows
        if foundry in (None, row.foundry) and node in (None, row.node) and metric in (None, row.metric)
    ]


def fab(foundry: str, node: str, metric: str, variant: str | None = None) -> FabRow:
    """Return one fact about a process, e.g. ``fab("TSMC", "N7", "defect_density")``.

    Where a metric has several values, ``variant`` chooses one; without it, the plain value is returned
    if there is one beside the variants.

    Raises
    ------
    LookupError
        If there is no such fact, or if there are several: then the message lists the variants.
    """
    rows = fabs(foundry, node, metric)
    chosen = [row for row in rows if row.variant == variant] if variant else rows
    if variant is None and len(rows) > 1:
        chosen = [row for row in rows if not row.variant] or rows
    if len(chosen) == 1:
        return chosen[0]
    if not rows:
        there = sorted({row.metric for row in fabs(foundry, node)}) or sorted(
            {row.node for row in fabs(foundry)}
        )
        raise LookupError(f"no {metric!r} for {foundry} {node}; there is: {', '.join(there)}")
    variants = ", ".join(repr(row.variant) for row in rows)
    if chosen:
        raise LookupError(
            f"{foundry} {node} has {len(rows)} values of {metric!r}; choose a variant: {variants}"
        )
    raise LookupError(f"{foundry} {node} has no {metric!r} of variant {variant!r}; there is: {variants}")


def production(quantity: str = "", year: int | None = None) -> list[ProductionRow]:
    """Return the estimates whose quantity contains ``quantity`` (case ignored), all of them by default.

    Raises
    ------
    LookupError
        If no quantity of that name is known in any year.
    """
    every = list(_registry().production.values())
    found = [row for row in every if quantity.casefold() in row.quantity.casefold()]
    if not found:
        raise _unknown("quantity", quantity, dict.fromkeys(row.quantity for row in every))
    return [row for row in found if year in (None, row.year)]


def published(key: str) -> PublishedResult:
    """Return one published result by its key, e.g. ``published("rtx4090-tpp")``.

    Raises
    ------
    LookupError
        If there is no such result; the message names the nearest keys.
    """
    known = _registry().published
    if key not in known:
        raise _unknown("published result", key, known)
    return known[key]


def published_results() -> list[PublishedResult]:
    """Return every result that somebody printed and that a chapter recomputes."""
    return list(_registry().published.values())


def _readings(
    table: str, topic: str | None, item: str | None, metric: str | None, given: dict[str, float | str]
) -> list[Reading]:
    """Rows of one table that pass every filter; a LookupError says which filter leaves nothing."""
    rows = list(_registry().readings[table].values())
    for name in given:
        if name not in CONDITIONS:
            raise _unknown("condition", name, CONDITIONS)
    if topic is not None:
        there = {row.topic for row in rows}
        if topic not in there:
            raise _unknown(f"topic of {table}", topic, sorted(there))
        rows = [row for row in rows if row.topic == topic]
    for what, asked in (("item", item), ("metric", metric)):
        if asked is None:
            continue
        there = list(dict.fromkeys(getattr(row, what) for row in rows))
        rows = [row for row in rows if asked.casefold() in getattr(row, what).casefold()]
        if not rows:
            raise _unknown(f"{what} of {topic or table}", asked, there)
    for name, value in given.items():
        there = sorted({str(row.given[name]) for row in rows if name in row.given})
        rows = [row for row in rows if row.given.get(name) == value]
        if not rows:
            known = f"it is given as {', '.join(there[:12])}" if there else "no such row states it"
            raise LookupError(f"nothing in {topic or table} with {name} = {value!r}; {known}")
    return rows


def collectives(
    topic: str | None = None, *, item: str | None = None, metric: str | None = None, **given: float | str
) -> list[Reading]:
    """Return published readings of links, collectives, expert exchange and matrix multiplication.

    Parameters
    ----------
    topic
        One of ``"link"``, ``"all-reduce"``, ``"all-gather"``, ``"reduce-scatter"``, ``"point to point"``,
        ``"bus factor"``, ``"expert exchange"``, ``"matrix multiplication"``, ``"pipeline"`` (all by default).
    item, metric
        Part of the name of what was measured, and of the quantity; case is ignored.
    **given
        Conditions, numbers in base units: ``collectives("all-reduce", ranks=8, algorithm="ring")``. The
        names are those of :data:`CONDITIONS`.

    Raises
    ------
    LookupError
        If a filter leaves nothing; the message says which, and what there is.
    """
    return _readings("collectives", topic, item, metric, given)


def low_communication(
    topic: str | None = None, *, item: str | None = None, metric: str | None = None, **given: float | str
) -> list[Reading]:
    """Return published readings of training that communicates little.

    Topics are ``"DiLoCo"``, ``"DiLoCo by size"``, ``"bandwidth for a utilisation"``, ``"streaming DiLoCo"``,
    ``"over the internet"`` and ``"gradient compression"``. Parameters, conditions and errors are those of
    :func:`collectives`.
    """
    return _readings("low_communication", topic, item, metric, given)


def interruptions(
    topic: str | None = None, *, item: str | None = None, metric: str | None = None, **given: float | str
) -> list[Reading]:
    """Return published readings of failures and checkpoints.

    Topics are ``"interruptions"`` (totals, rates, shares), ``"cause"`` (Llama 3's table of causes),
    ``"checkpoint"`` (sizes, times) and ``"best interval"`` (worked examples). Parameters, conditions and
    errors are those of :func:`collectives`.
    """
    return _readings("interruptions", topic, item, metric, given)


def sizing(
    topic: str | None = None, *, item: str | None = None, metric: str | None = None, **given: float | str
) -> list[Reading]:
    """Return published readings that a sizing of clusters is held against.

    Topics are ``"training bill"``, ``"rent"``, ``"serving"``, ``"arithmetic per token"`` and
    ``"worked example"``. Parameters, conditions and errors are those of :func:`collectives`.
    """
    return _readings("sizing", topic, item, metric, given)


def formula(key: str) -> Formula:
    """Return one formula by its key, e.g. ``formula("ring-all-reduce")``; LookupError with near keys."""
    known = _registry().formulas
    if key not in known:
        raise _unknown("formula", key, known)
    return known[key]


def formulas() -> list[Formula]:
    """Return the formulas that the chapters on clusters use, with where each was printed."""
    return list(_registry().formulas.values())


def system(name: str) -> System:
    """Return one system of many accelerators by name or alias, e.g. ``system("CloudMatrix 384")``.

    Raises
    ------
    LookupError
        If there is no such system; the message names the nearest ones.
    """
    every = {alias.casefold(): s for s in _registry().systems.values() for alias in (s.name, *s.aliases)}
    if name.casefold() not in every:
        raise _unknown("system", name, every)
    return every[name.casefold()]


def systems() -> list[System]:
    """Return all systems of many accelerators."""
    return list(_registry().systems.values())


def editions() -> list[Edition]:
    """Return the editions of the export rule in the order of their dates."""
    return sorted(_registry().editions.values(), key=lambda edition: (edition.effective, edition.date))


def edition(id: str) -> Edition:
    """Return one edition by its id, e.g. ``edition("oct2023")``.

    Raises
    ------
    LookupError
        If there is no such edition; the message names the nearest ones.
    """
    known = _registry().editions
    if id not in known:
        raise _unknown("edition", id, known)
    return known[id]


def thresholds(rule: str) -> dict[str, Fact]:
    """Return the limits of an edition by name: the very numbers that its predicate uses."""
    return dict(edition(rule).limits)


def threshold(rule: str, name: str) -> Fact:
    """Return one limit of an edition, e.g. ``threshold("oct2023", "tpp_a")``.

    Raises
    ------
    LookupError
        If the edition has no such limit; the message names the nearest ones.
    """
    limits = edition(rule).limits
    if name not in limits:
        raise _unknown(f"limit of {rule}", name, limits)
    return limits[name]


def countermeasures() -> list[Countermeasure]:
    """Return the dated Chinese answers to the controls."""
    return list(_registry().countermeasures)


def expected_outcomes(rule: str | None = None) -> list[ExpectedOutcome]:
    """Return what history says the rules did with parts, all of it or that of one edition."""
    if rule is not None:
        edition(rule)
    return [outcome for outcome in _registry().outcomes if rule in (None, outcome.rule)]


def claim(id: str) -> Claim:
    """Return one claim of the essays by its id, e.g. ``claim("C031")``; LookupError if there is none."""
    known = _registry().claims
    if id not in known:
        raise _unknown("claim", id, known)
    return known[id]


def claims(chapter: str | None = None, verdict: str | None = None) -> list[Claim]:
    """Return the claims on one chapter's subject or of one verdict; all of them by default.

    Raises
    ------
    LookupError
        If the subject or verdict is not in the registry at all.
    """
    every = list(_registry().claims.values())
    for what, asked in (("chapter", chapter), ("verdict", verdict)):
        there = {getattr(entry, what) for entry in every}
        if asked is not None and asked not in there:
            raise _unknown(what, asked, sorted(there))
    return [c for c in every if chapter in (None, c.chapter) and verdict in (None, c.verdict)]


def sources() -> dict[str, Source]:
    """Return all sources by key."""
    return dict(_registry().sources)


def source(key: str) -> Source:
    """Return one source by its key; LookupError with the nearest keys if there is none."""
    known = _registry().sources
    if key not in known:
        raise _unknown("source", key, known)
    return known[key]


def fact(key: str) -> Fact:
    """Return any fact by its key, as prose names it.

    Keys are ``"H20.bf16"`` (a part and a field), ``"oct2023.tpp_a"`` (an edition and a limit),
    ``"tsmc-n7.defect_density"`` (a process), ``"ascend-total-2025-semianalysis"`` (an estimate),
    ``"rtx4090-tpp"`` (a published result), ``"CloudMatrix 384.power_kw"`` (a system and a field) and
    ``"llama3-interruptions"`` (a reading of a cluster).

    Raises
    ------
    LookupError
        If there is no such fact; the message names the nearest keys.
    """
    data = _registry()
    for table in (data.fabs, data.production, data.published, *data.readings.values()):
        if key in table:
            return table[key]
    head, dot, tail = key.rpartition(".")
    if dot and head in data.editions:
        return threshold(head, tail)
    if dot and head.casefold() in data.aliases:
        if tail not in FIELDS:
            raise _unknown(f"fact of {head}", tail, FIELDS)
        return chip(head).facts[tail]
    names = {alias.casefold(): s.name for s in data.systems.values() for alias in (s.name, *s.aliases)}
    if dot and head.casefold() in names:
        if tail not in SYSTEM_FIELDS:
            raise _unknown(f"fact of {head}", tail, SYSTEM_FIELDS)
        return system(head).facts[tail]
    every = [*data.fabs, *data.production, *data.published, *(k for t in data.readings.values() for k in t)]
    every += [f"{e.id}.{name}" for e in data.editions.values() for name in e.limits]
    field = tail if tail in FIELDS else "bf16"
    every += [f"{alias}.{field}" for c in data.chips.values() for alias in (c.name, *c.aliases)]
    raise _unknown("fact", key, every)
