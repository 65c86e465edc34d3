"""Reading the data files into records. Everything is validated on the way; nothing is read twice."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from computegap.facts import validate
from computegap.facts.records import (
    FIELDS,
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
    parse_given,
)
from computegap.facts.validate import FactsError, Fault, Row

FLAG = {"yes": True, "no": False, "unknown": None}

#: Tables of readings: name as in the calls of :mod:`computegap.facts`, and file.
READINGS = {
    "collectives": "collectives.csv",
    "low_communication": "low_communication.csv",
    "interruptions": "interruptions.csv",
    "sizing": "sizing.csv",
}


@dataclass(frozen=True)
class Registry:
    """All records, by key where they have one."""

    sources: dict[str, Source]
    chips: dict[str, Chip]
    aliases: dict[str, str]
    fabs: dict[str, FabRow]
    production: dict[str, ProductionRow]
    published: dict[str, PublishedResult]
    editions: dict[str, Edition]
    countermeasures: tuple[Countermeasure, ...]
    claims: dict[str, Claim]
    outcomes: tuple[ExpectedOutcome, ...]
    readings: dict[str, dict[str, Reading]]
    formulas: dict[str, Formula]
    systems: dict[str, System]


def read_rows(folder: Traversable, name: str) -> list[Row]:
    """Return the rows of a CSV file, each with its line number."""
    with (folder / name).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return [Row(name, reader.line_num, dict(cells)) for cells in reader]


def _number(text: str) -> float | None:
    return float(text) if text else None


def _fact_fields(row: Row, sources: dict[str, Source]) -> dict[str, Any]:
    return {
        "value": _number(row["value"]),
        "low": _number(row["low"]),
        "high": _number(row["high"]),
        "unit": row["unit"],
        "convention": row["convention"],
        "source": sources[row["source"]],
        "date": row["date"],
        "kind": row["kind"],
        "confidence": row["confidence"],
        "note": row["note"],
    }


def _chips(
    parts: list[Row], values: list[Row], withheld: list[Row], sources: dict[str, Source]
) -> tuple[dict[str, Chip], dict[str, str]]:
    facts: dict[str, dict[str, Fact]] = {part["name"]: {} for part in parts}
    for row in values:
        name, field = row["chip"], row["field"]
        key, what = f"{name}.{field}", f"{name}: {FIELDS[field][0]}"
        facts[name][field] = Fact(key=key, what=what, **_fact_fields(row, sources))
    reasons: dict[tuple[str, str], str] = {}
    for row in withheld:
        for field in row["fields"].split():
            reasons[row["chip"], field] = row["reason"]
    chips, aliases = {}, {}
    for part in parts:
        name = part["name"]
        complete = {}
        for field, (label, unit, convention) in FIELDS.items():
            complete[field] = facts[name].get(field) or Fact(
                key=f"{name}.{field}",
                what=f"{name}: {label}",
                value=None,
                unit=unit,
                convention=convention,
                note=reasons.get((name, field), "no source gives this value"),
            )
        other_names = tuple(filter(None, part["aliases"].split(";")))
        chips[name] = Chip(
            name=name,
            aliases=other_names,
            vendor=part["vendor"],
            country=part["country"],
            fab_node=part["fab_node"],
            nonplanar=FLAG[part["nonplanar"]],
            year=int(part["year"]),
            announced=part["announced"],
            datacenter=FLAG[part["datacenter"]],
            market=part["market"],
            mem_type=part["mem_type"],
            basis=part["basis"],
            note=part["note"],
            facts=MappingProxyType(complete),
        )
        aliases.update({alias.casefold(): name for alias in (name, *other_names)})
    return chips, aliases


def _fill_in(expression: Any, limits: dict[str, float], outcomes: dict[tuple[str, str], Any]) -> Any:
    """Replace the name of a limit by its number, and a reference to another edition's test by that test."""
    operator, body = next(iter(expression.items()))
    if operator in ("all", "any"):
        return {operator: [_fill_in(part, limits, outcomes) for part in body]}
    if operator == "not":
        return {operator: _fill_in(body, limits, outcomes)}
    if operator == "is":
        return outcomes[tuple(body)]
    if operator == "eq":
        return expression
    variable, limit = body
    return {operator: [variable, limits[limit]]}


def _edition(
    raw: dict[str, Any], sources: dict[str, Source], outcomes: dict[tuple[str, str], Any]
) -> Edition:
    source = sources[raw["source"]]
    limits = {
        name: Fact(
            key=f"{raw['id']}.{name}",
            what=f"{raw['name']}: {limit['what']}",
            value=float(limit["value"]),
            unit=limit["unit"],
            convention="limit of the rule",
            source=sources[limit.get("source", raw["source"])],
            date=limit.get("date", raw["date"]),
            kind=limit.get("kind", "law"),
            confidence=limit.get("confidence", "solid"),
            note=limit.get("note", ""),
        )
        for name, limit in raw.get("limits", {}).items()
    }
    predicate = None
    if raw.get("predicate"):
        numbers = {name: fact.value for name, fact in limits.items()}
        predicate = {}
        for outcome, expression in raw["predicate"].items():
            predicate[outcome] = _fill_in(expression, numbers, outcomes)
            outcomes[raw["id"], outcome] = predicate[outcome]
    return Edition(
        id=raw["id"],
        name=raw["name"],
        date=raw["date"],
        effective=raw["effective"],
        citation=raw["citation"],
        status=raw["status"],
        kind=raw["kind"],
        subject=raw.get("subject"),
        predicate=predicate,
        policy=raw.get("policy", {}),
        limits=limits,
        named=tuple(raw.get("named", ())),
        conditions=tuple(raw.get("conditions", ())),
        scope=raw.get("scope", ""),
        note=raw.get("note", ""),
        confidence=raw["confidence"],
        source=source,
        other_sources=tuple(sources[key] for key in raw.get("other_sources", ())),
    )


def _edition_faults(raw: dict[str, Any], sources: Iterable[str], line: int) -> list[Fault]:
    """Check one edition's sources, dates, limits and the units of its limits, before it is built."""
    faults = []

    def say(what: str) -> None:
        faults.append(Fault("editions.json", line, f"edition {raw.get('id')!r}: {what}"))

    for column in ("id", "name", "date", "effective", "citation", "status", "kind", "confidence", "source"):
        if not raw.get(column):
            say(f"no {column}")
    for column in ("date", "effective"):
        if raw.get(column) and (fault := validate.date_fault(raw[column])):
            say(fault)
    limits = raw.get("limits", {})
    limit_sources = [limit["source"] for limit in limits.values() if "source" in limit]
    for key in [raw.get("source"), *raw.get("other_sources", ()), *limit_sources]:
        if key not in sources:
            say(f"unknown source {key!r}.{validate.suggest(str(key), sources)}")
    for name, limit in limits.items():
        cells = {
            "value": str(limit.get("value", "")),
            "unit": limit.get("unit", ""),
            "source": limit.get("source", raw.get("source", "")),
            "date": limit.get("date", raw.get("date", "")),
            "kind": limit.get("kind", "law"),
            "confidence": limit.get("confidence", "solid"),
        }
        row = Row("editions.json", line, cells)

        def say_limit(what: str, name: str = name) -> None:
            say(f"limit {name!r}: {what}")

        validate.check_number(row, say_limit)
        validate.check_provenance(row, sources, say_limit)
    return faults


def _line_of(text: str, id: str | None) -> int:
    """Line on which an edition begins; 1 if it can't be told."""
    return text.count("\n", 0, max(text.find(json.dumps(id)), 0)) + 1


def _editions(
    folder: Traversable, sources: dict[str, Source]
) -> tuple[dict[str, Edition], tuple[Countermeasure, ...], list[Fault], list[str]]:
    text = (folder / "editions.json").read_text(encoding="utf-8")
    raw = json.loads(text)
    outcomes: dict[tuple[str, str], Any] = {}
    editions: dict[str, Edition] = {}
    faults: list[Fault] = []
    for entry in raw["editions"]:
        line = _line_of(text, entry.get("id"))
        found = _edition_faults(entry, sources, line)
        faults += found
        if found:
            continue
        try:
            edition = _edition(entry, sources, outcomes)
        except KeyError as missing:
            what = f"edition {entry['id']!r}: the predicate refers to {missing}, which does not exist"
            faults.append(Fault("editions.json", line, what))
            continue
        for outcome, expression in (edition.predicate or {}).items():
            if fault := validate.expression_fault(expression):
                faults.append(Fault("editions.json", line, f"edition {edition.id!r}, {outcome!r}: {fault}"))
        if edition.id in editions:
            faults.append(Fault("editions.json", line, f"edition {edition.id!r} stands there twice"))
        editions[edition.id] = edition
    counter = tuple(Countermeasure(**entry) for entry in raw["countermeasures"])
    return editions, counter, faults, [entry.get("id", "") for entry in raw["editions"]]


def load(folder: Traversable) -> Registry:
    """Read and check the data files in ``folder``.

    Raises
    ------
    FactsError
        If anything breaks the rules of :mod:`computegap.facts.validate`; the message lists every fault.
    """
    source_rows = read_rows(folder, "sources.csv")
    parts, values = read_rows(folder, "parts.csv"), read_rows(folder, "accelerators.csv")
    withheld = read_rows(folder, "withheld.csv")
    fab_rows, production_rows = read_rows(folder, "fabs.csv"), read_rows(folder, "production.csv")
    sources = {
        row["key"]: Source(**{k: row[k] for k in ("key", "title", "url", "date", "type", "via")})
        for row in source_rows
    }
    names = {part["name"] for part in parts}
    faults = validate.check_sources(source_rows) + validate.check_parts(parts)
    faults += validate.check_values(
        values, sources, parts=names, key=lambda row: f"{row['chip']}.{row['field']}"
    )
    files = sorted(entry.name for entry in folder.iterdir())
    # Chapters may keep their own: published.csv, published-07.csv, ...
    more = [name for name in files if name.startswith("published-") and name.endswith(".csv")]
    published_rows = [row for name in ("published.csv", *more) for row in read_rows(folder, name)]
    for table in (fab_rows, production_rows, published_rows):
        faults += validate.check_values(table, sources, key=lambda row: row["key"])
    faults += _withheld_faults(withheld, names, values)
    editions, countermeasures, edition_faults, rules = _editions(folder, sources)
    faults += edition_faults
    claim_rows, outcome_rows = read_rows(folder, "claims.csv"), read_rows(folder, "expected_outcomes.csv")
    faults += validate.check_claims(claim_rows) + validate.check_outcomes(outcome_rows, names, rules)
    reading_rows = {table: read_rows(folder, name) for table, name in READINGS.items()}
    for table in reading_rows.values():
        faults += validate.check_readings(table, sources)
    formula_rows = read_rows(folder, "formulas.csv")
    faults += validate.check_formulas(formula_rows, sources)
    system_rows, system_values = read_rows(folder, "systems.csv"), read_rows(folder, "system_values.csv")
    faults += validate.check_systems(system_rows, system_values, names, sources)
    faults += _shared_keys([fab_rows, production_rows, published_rows, *reading_rows.values()])
    if faults:
        raise FactsError(faults)
    chips, aliases = _chips(parts, values, withheld, sources)
    fabs = {row["key"]: _fab(row, sources) for row in fab_rows}
    production = {row["key"]: _production(row, sources) for row in production_rows}
    published = {row["key"]: _published(row, sources) for row in published_rows}
    claims = {row["id"]: _claim(row) for row in claim_rows}
    outcomes = tuple(ExpectedOutcome(**row.cells) for row in outcome_rows)
    return Registry(
        sources=sources,
        chips=chips,
        aliases=aliases,
        fabs=fabs,
        production=production,
        published=published,
        editions=editions,
        countermeasures=countermeasures,
        claims=claims,
        outcomes=outcomes,
        readings={
            table: {row["key"]: _reading(row, sources) for row in rows}
            for table, rows in reading_rows.items()
        },
        formulas={row["key"]: _formula(row, sources) for row in formula_rows},
        systems=_systems(system_rows, system_values, sources),
    )


def _shared_keys(tables: list[list[Row]]) -> list[Fault]:
    """A key must not stand in two tables, because prose names a fact by its key alone."""
    first: dict[str, Row] = {}
    faults = []
    for rows in tables:
        for row in rows:
            other = first.setdefault(row["key"], row)
            if other.file != row.file:
                what = f"the key {row['key']!r} stands in {other.file}, line {other.line}, already"
                faults.append(Fault(row.file, row.line, what))
    return faults


def _withheld_faults(rows: list[Row], names: set[str], values: list[Row]) -> list[Fault]:
    have = {(row["chip"], row["field"]) for row in values}
    faults = []
    for row in rows:
        where = (row.file, row.line)
        if row["chip"] not in names:
            faults.append(Fault(*where, f"unknown part {row['chip']!r}"))
        if not row["reason"]:
            faults.append(Fault(*where, f"{row['chip']}: a value is withheld without a reason"))
        for field in row["fields"].split():
            if field not in FIELDS:
                faults.append(Fault(*where, f"{row['chip']}: unknown field {field!r}"))
            if (row["chip"], field) in have:
                faults.append(Fault(*where, f"{row['chip']}.{field} is withheld, yet has a value"))
    return faults


def _fab(row: Row, sources: dict[str, Source]) -> FabRow:
    text = {k: row[k] for k in ("foundry", "node", "metric", "variant", "as_of")}
    variant = f" ({row['variant']})" if row["variant"] else ""
    what = f"{row['foundry']} {row['node']}: {row['metric'].replace('_', ' ')}{variant}"
    return FabRow(key=row["key"], what=what, **text, **_fact_fields(row, sources))


def _production(row: Row, sources: dict[str, Source]) -> ProductionRow:
    who = f" ({row['who']})" if row["who"] else ""
    return ProductionRow(
        key=row["key"],
        what=f"{row['quantity']}, {row['year']}{who}",
        quantity=row["quantity"],
        year=int(row["year"]),
        who=row["who"],
        **_fact_fields(row, sources),
    )


def _published(row: Row, sources: dict[str, Source]) -> PublishedResult:
    return PublishedResult(
        key=row["key"], what=f"{row['what']} ({row['who']})", who=row["who"], **_fact_fields(row, sources)
    )


def _reading(row: Row, sources: dict[str, Source]) -> Reading:
    given = parse_given(row["given"])
    text = {k: row[k] for k in ("topic", "item", "metric", "locator")}
    what = f"{row['item']}: {row['metric']}"
    return Reading(
        key=row["key"], what=what, given=MappingProxyType(given), **text, **_fact_fields(row, sources)
    )


def _formula(row: Row, sources: dict[str, Source]) -> Formula:
    text = {k: row[k] for k in ("key", "name", "text", "symbols", "locator", "confidence", "note")}
    return Formula(source=sources[row["source"]], **text)


def _systems(heads: list[Row], values: list[Row], sources: dict[str, Source]) -> dict[str, System]:
    facts: dict[tuple[str, str], Fact] = {}
    for row in values:
        name, field = row["system"], row["field"]
        what = f"{name}: {SYSTEM_FIELDS[field][0]}"
        facts[name, field] = Fact(key=f"{name}.{field}", what=what, **_fact_fields(row, sources))
    systems = {}
    for head in heads:
        name = head["name"]
        complete = {
            field: facts.get((name, field))
            or Fact(
                key=f"{name}.{field}",
                what=f"{name}: {label}",
                value=None,
                unit=unit,
                convention=convention,
                note="no source gives this value",
            )
            for field, (label, unit, convention) in SYSTEM_FIELDS.items()
        }
        systems[name] = System(
            name=name,
            aliases=tuple(filter(None, head["aliases"].split(";"))),
            vendor=head["vendor"],
            part=head["part"],
            year=int(head["year"]),
            note=head["note"],
            facts=MappingProxyType(complete),
        )
    return systems


def _claim(row: Row) -> Claim:
    return Claim(**{**row.cells, "priority": int(row["priority"])})


@cache
def registry() -> Registry:
    """Return the registry that ships with the package; read on first use."""
    return load(resources.files("computegap.facts") / "data")
