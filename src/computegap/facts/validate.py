"""Checks on the data files: every fault is found and reported at once, with its file and line.

The rules say what a value must have before the book may print it: a unit from the closed table that fits
the field, the convention of the field, a known source, a date, a kind, and a range that contains it. They
also catch the most common slip of accelerator tables, a sparse peak taken for a dense one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import product

from computegap.facts.records import (
    CONFIDENCES,
    FIELDS,
    KINDS,
    SYSTEM_FIELDS,
    parse_given,
    parse_number,
    suggest,
)
from computegap.facts.units import UNITS

#: Types of source that may lack an address: not published, or not on the web.
ADDRESSLESS = {"secondary", "recalled", "computed", "measurement", "press"}

#: Expected ratio between matrix peaks, by the convention that the faster format's row states.
#: A sparse peak is twice the dense one, so any slip shows as a factor of two.
RATIOS = {
    "dense": (1.5, 2.8),
    "dense, same rate as BF16": (0.9, 1.1),
    "dense, three times FP8": (2.8, 3.4),
    "dense, reduced": (0.0, 0.9),
}
PAIRS = (("bf16", "fp8"), ("bf16", "int8"), ("fp8", "fp4"))


class Row(dict[str, str]):
    """One line of a data file, remembered with its place; a cell that isn't there is an empty text.

    A dictionary and no more, because the checks look into cells a hundred thousand times.
    """

    __slots__ = ("file", "line")

    def __init__(self, file: str, line: int, cells: dict[str, str]):
        super().__init__({column: value or "" for column, value in cells.items()})
        self.file, self.line = file, line

    def __missing__(self, column: str) -> str:
        return ""

    @property
    def cells(self) -> dict[str, str]:
        """The cells alone."""
        return dict(self)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


class FactsError(ValueError):
    """The data files break the rules; ``faults`` lists every breach."""

    def __init__(self, faults: list[Fault]):
        self.faults = faults
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"{len(faults)} fault{'s' * (len(faults) > 1)} in the facts registry:\n{lines}")


_DATE = re.compile(r"(?P<year>\d{4})(-(?P<month>\d{2})(-(?P<day>\d{2}))?)?")


def date_fault(text: str) -> str | None:
    """Say what is wrong with a date (YYYY, YYYY-MM or YYYY-MM-DD), or return None."""
    match = _DATE.fullmatch(text)
    if not match:
        return f"bad date {text!r}; write YYYY, YYYY-MM or YYYY-MM-DD"
    if not 1995 <= int(match["year"]) <= 2035:
        return f"bad date {text!r}: the year is out of range"
    if match["month"] and not 1 <= int(match["month"]) <= 12:
        return f"bad date {text!r}: there is no such month"
    if match["day"] and not 1 <= int(match["day"]) <= 31:
        return f"bad date {text!r}: there is no such day"
    return None


def check_provenance(row: Row, sources: Collection[str], say: Callable[[str], None]) -> None:
    """Check source, date, kind and confidence of one value."""
    if not row["source"]:
        say("a value without a source")
    elif row["source"] not in sources:
        say(f"unknown source {row['source']!r}.{suggest(row['source'], sources)}")
    if not row["date"]:
        say("a value without the date of its source")
    elif fault := date_fault(row["date"]):
        say(fault)
    if not row["kind"]:
        say("a value without a kind")
    elif row["kind"] not in KINDS:
        say(f"unknown kind {row['kind']!r}; known: {', '.join(KINDS)}")
    if row["confidence"] not in CONFIDENCES:
        say(f"unknown confidence {row['confidence']!r}; known: {', '.join(CONFIDENCES)}")
    if row["kind"] in ("recalled", "assumption") and row["confidence"] in ("solid", "reported"):
        say(f"a value of kind {row['kind']} cannot be {row['confidence']}")
    if row["kind"] == "computed" and not row["note"]:
        say("a computed value must say in its note how it was computed")


def check_number(row: Row, say: Callable[[str], None]) -> None:
    """Check value, range and unit of one row."""
    numbers: dict[str, float] = {}
    for column in ("value", "low", "high"):
        if not row[column]:
            continue
        try:
            numbers[column] = parse_number(row[column])
        except ValueError:
            say(f"{column} {row[column]!r} is not a finite number")
    if not row["value"]:
        say("no value; leave the row out and give the reason in withheld.csv")
    if numbers.get("value", 0) < 0:
        say("a negative value")
    if bool(row["low"]) != bool(row["high"]):
        say("a range needs both its ends")
    if {"low", "high"} <= numbers.keys() and numbers["low"] > numbers["high"]:
        say(f"the range is upside down: low {row['low']} is above high {row['high']}")
    elif len(numbers) == 3 and not numbers["low"] <= numbers["value"] <= numbers["high"]:
        say(f"the value {row['value']} lies outside its range {row['low']} to {row['high']}")
    if not row["unit"]:
        say("a value without a unit")
    elif row["unit"] not in UNITS:
        say(f"unknown unit {row['unit']!r}.{suggest(row['unit'], UNITS)}")


def check_field(row: Row, parts: Collection[str], say: Callable[[str], None]) -> None:
    """Check that an accelerator's row names a known part and field, with that field's unit and convention."""
    if row["chip"] not in parts:
        say(f"unknown part {row['chip']!r}.{suggest(row['chip'], parts)}")
    if row["field"] not in FIELDS:
        say(f"unknown field {row['field']!r}.{suggest(row['field'], FIELDS)}")
        return
    _, unit, convention = FIELDS[row["field"]]
    if row["unit"] in UNITS and row["unit"] != unit:
        say(f"{row['field']} is kept in {unit}, not in {row['unit']}")
    given = row["convention"]
    if convention == "dense":
        if "sparse" in given:
            say(f"{row['field']} holds dense peaks; this one is {given!r}: halve a 2:4-sparse peak first")
        elif not given:
            say(f"{row['field']} without a convention; it must say that the peak is dense")
        elif given not in RATIOS:
            say(f"unknown convention {given!r} for {row['field']}; known: {', '.join(RATIOS)}")
    elif given != convention:
        say(f"{row['field']} is kept by the convention {convention!r}, not {given!r}")


def check_peaks(rows: list[Row]) -> list[Fault]:
    """Catch a sparse peak taken for a dense one: a format half as wide runs at twice the rate.

    Where a part breaks that habit (no faster INT8 units, an FP4 unit of three times the rate), the row
    has to say so in its convention; a sparse slip then shows as an unexplained factor of two.
    """
    by_chip: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_chip.setdefault(row["chip"], {})[row["field"]] = row
    faults = []
    for chip, have in by_chip.items():
        for wide, narrow in PAIRS:
            if wide not in have or narrow not in have:
                continue
            row = have[narrow]
            try:
                ratio = float(row["value"]) / float(have[wide]["value"])
            except (ValueError, ZeroDivisionError):
                continue
            low, high = RATIOS.get(row["convention"], (0.0, float("inf")))
            if not low <= ratio <= high:
                faults.append(
                    Fault(
                        row.file,
                        row.line,
                        f"{chip}: {narrow} is {ratio:.2f} times {wide}, but {row['convention']!r} means "
                        f"{low:g} to {high:g}: is one of the two a sparse peak taken for a dense one?",
                    )
                )
    return faults


def check_values(
    rows: Iterable[Row],
    sources: Collection[str],
    *,
    parts: Collection[str] | None = None,
    key: Callable[[Row], str],
) -> list[Fault]:
    """Check all rows of one table of values; ``parts`` is given for the table of accelerators."""
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    rows = list(rows)
    for row in rows:

        def say(what: str, row: Row = row) -> None:
            faults.append(Fault(row.file, row.line, f"{key(row)}: {what}"))

        check_number(row, say)
        check_provenance(row, sources, say)
        if parts is not None:
            check_field(row, parts, say)
        if key(row) in seen:
            say(f"the same value stands on line {seen[key(row)]} already")
        seen.setdefault(key(row), row.line)
    if parts is not None:
        faults += check_peaks(rows)
    return faults


def check_sources(rows: Iterable[Row]) -> list[Fault]:
    """Check the table of sources: unique keys, a title, an address, a date and a type each."""
    faults: list[Fault] = []
    seen: set[str] = set()
    for row in rows:

        def say(what: str, row: Row = row) -> None:
            faults.append(Fault(row.file, row.line, f"source {row['key']!r}: {what}"))

        if not row["key"]:
            say("a source without a key")
        if row["key"] in seen:
            say("the key is used twice")
        seen.add(row["key"])
        if not row["title"]:
            say("no title")
        if row["type"] not in KINDS:
            say(f"unknown type {row['type']!r}; known: {', '.join(KINDS)}")
        if not row["url"] and row["type"] not in ADDRESSLESS:
            say("no address")
        if row["url"] and not row["url"].startswith(("https://", "http://")):
            say(f"{row['url']!r} is not a web address")
        if not row["date"]:
            say("no date")
        elif fault := date_fault(row["date"]):
            say(fault)
    return faults


def check_parts(rows: Iterable[Row]) -> list[Fault]:
    """Check the table of parts: unique names and aliases, and closed sets for yes/no columns."""
    faults: list[Fault] = []
    taken: dict[str, str] = {}
    for row in rows:
        where = (row.file, row.line)
        for name in [row["name"], *filter(None, row["aliases"].split(";"))]:
            if name.casefold() in taken:
                faults.append(Fault(*where, f"{name!r} already names {taken[name.casefold()]!r}"))
            taken[name.casefold()] = row["name"]
        for column in ("nonplanar", "datacenter"):
            if row[column] not in ("yes", "no", "unknown"):
                faults.append(Fault(*where, f"{row['name']}: {column} must be yes, no or unknown"))
        if not row["year"].isdigit():
            faults.append(Fault(*where, f"{row['name']}: bad year {row['year']!r}"))
        if row["announced"] and (fault := date_fault(row["announced"])):
            faults.append(Fault(*where, f"{row['name']}: {fault}"))
    return faults


#: Tables that a source prints in full: topic -> conditions by which cells are arranged. None may be missing.
GRIDS = {"bandwidth for a utilisation": ("model", "interval", "utilisation")}


def check_readings(rows: Iterable[Row], sources: Collection[str]) -> list[Fault]:
    """Check a table of readings: everything that a value needs, conditions of the closed set, whole grids."""
    rows = list(rows)
    faults = check_values(rows, sources, key=lambda row: row["key"])
    cells: dict[str, list[tuple[Row, tuple[float | str, ...]]]] = {}
    for row in rows:

        def say(what: str, row: Row = row) -> None:
            faults.append(Fault(row.file, row.line, f"{row['key']}: {what}"))

        for column in ("key", "topic", "item", "metric", "locator"):
            if not row[column]:
                say(f"no {column}")
        try:
            given = parse_given(row["given"])
        except ValueError as error:
            say(str(error))
            continue
        axes = GRIDS.get(row["topic"])
        if not axes:
            continue
        if missing := [axis for axis in axes if axis not in given]:
            say(f"a cell of {row['topic']!r} without {', '.join(missing)}")
        else:
            cells.setdefault(row["topic"], []).append((row, tuple(given[axis] for axis in axes)))
    for topic, found in cells.items():
        there = {place for _, place in found}
        for place in product(*(dict.fromkeys(column) for column in zip(*there, strict=True))):
            if place not in there:
                where = ", ".join(f"{a} {v}" for a, v in zip(GRIDS[topic], place, strict=True))
                faults.append(Fault(found[0][0].file, found[0][0].line, f"{topic}: no cell for {where}"))
    return faults


def check_systems(
    systems: Iterable[Row], values: Iterable[Row], parts: Collection[str], sources: Collection[str]
) -> list[Fault]:
    """Check the tables of systems: unique names, a known accelerator, each field in its own unit."""
    systems, values = list(systems), list(values)
    faults = check_values(values, sources, key=lambda row: f"{row['system']}.{row['field']}")
    taken: dict[str, str] = {}
    for row in systems:
        where = (row.file, row.line)
        for name in [row["name"], *filter(None, row["aliases"].split(";"))]:
            if name.casefold() in taken:
                faults.append(Fault(*where, f"{name!r} already names {taken[name.casefold()]!r}"))
            taken[name.casefold()] = row["name"]
        if row["part"] not in parts:
            faults.append(Fault(*where, f"unknown part {row['part']!r}.{suggest(row['part'], parts)}"))
        if not row["year"].isdigit():
            faults.append(Fault(*where, f"{row['name']}: bad year {row['year']!r}"))
    names = {row["name"] for row in systems}
    for row in values:
        where, key = (row.file, row.line), f"{row['system']}.{row['field']}"
        if row["system"] not in names:
            faults.append(Fault(*where, f"unknown system {row['system']!r}.{suggest(row['system'], names)}"))
        if row["field"] not in SYSTEM_FIELDS:
            faults.append(
                Fault(*where, f"unknown field {row['field']!r}.{suggest(row['field'], SYSTEM_FIELDS)}")
            )
            continue
        _, unit, convention = SYSTEM_FIELDS[row["field"]]
        if row["unit"] in UNITS and row["unit"] != unit:
            faults.append(Fault(*where, f"{key}: {row['field']} is kept in {unit}, not in {row['unit']}"))
        if row["convention"] != convention:
            what = f"{key}: kept by the convention {convention!r}, not {row['convention']!r}"
            faults.append(Fault(*where, what))
    return faults


def check_formulas(rows: Iterable[Row], sources: Collection[str]) -> list[Fault]:
    """Check the table of formulas: each has a name, its text, its symbols and where it was printed."""
    faults: list[Fault] = []
    seen: set[str] = set()
    for row in rows:

        def say(what: str, row: Row = row) -> None:
            faults.append(Fault(row.file, row.line, f"formula {row['key']!r}: {what}"))

        if row["key"] in seen:
            say("stands there twice")
        seen.add(row["key"])
        for column in ("key", "name", "text", "symbols", "locator"):
            if not row[column]:
                say(f"no {column}")
        if row["source"] not in sources:
            say(f"unknown source {row['source']!r}.{suggest(row['source'], sources)}")
        if row["confidence"] not in CONFIDENCES:
            say(f"unknown confidence {row['confidence']!r}; known: {', '.join(CONFIDENCES)}")
    return faults


VERDICTS = ("supported", "partly", "contested", "wrong", "outdated", "not checkable")


def check_claims(rows: Iterable[Row]) -> list[Fault]:
    """Check the table of claims: unique ids, a verdict of the closed set, and evidence for it."""
    faults: list[Fault] = []
    seen: set[str] = set()
    for row in rows:
        where = (row.file, row.line)
        if row["id"] in seen:
            faults.append(Fault(*where, f"claim {row['id']!r} stands there twice"))
        seen.add(row["id"])
        if row["verdict"] not in VERDICTS:
            faults.append(Fault(*where, f"claim {row['id']!r}: unknown verdict {row['verdict']!r}"))
        for column in ("id", "chapter", "text", "kind", "evidence", "sources", "checked"):
            if not row[column]:
                faults.append(Fault(*where, f"claim {row['id']!r}: no {column}"))
    return faults


def check_outcomes(rows: Iterable[Row], parts: Collection[str], rules: Collection[str]) -> list[Fault]:
    """Check the table of expected outcomes: known rules and parts, each pair once, and a reason."""
    faults: list[Fault] = []
    seen: set[tuple[str, str]] = set()
    for row in rows:
        where, pair = (row.file, row.line), (row["rule"], row["chip"])
        if pair in seen:
            faults.append(Fault(*where, f"{row['chip']} under {row['rule']} stands there twice"))
        seen.add(pair)
        if row["chip"] not in parts:
            faults.append(Fault(*where, f"unknown part {row['chip']!r}.{suggest(row['chip'], parts)}"))
        if row["rule"] not in rules:
            faults.append(Fault(*where, f"unknown edition {row['rule']!r}.{suggest(row['rule'], rules)}"))
        if not row["expected"] or not row["reason"]:
            faults.append(Fault(*where, f"{row['chip']} under {row['rule']}: no outcome or no reason"))
        if row["confidence"] not in CONFIDENCES:
            faults.append(Fault(*where, f"unknown confidence {row['confidence']!r}"))
    return faults


OPERATORS = ("ge", "gt", "le", "lt")
VARIABLES = ("tpp", "tpp_2022", "pd", "io_total", "mem_bw", "mem_plus_io", "transistors_bn", "bw_density")
FLAGS = ("dc", "nonplanar")


def expression_fault(expression: object) -> str | None:
    """Say what is wrong with a predicate's expression (limits already filled in), or return None."""
    if not isinstance(expression, dict) or len(expression) != 1:
        return f"an expression must be a dictionary with one operator, not {expression!r}"
    operator, body = next(iter(expression.items()))
    if operator in ("all", "any"):
        if not isinstance(body, list) or not body:
            return f"{operator!r} needs a list of expressions"
        return next((fault for part in body if (fault := expression_fault(part))), None)
    if operator == "not":
        return expression_fault(body)
    if not isinstance(body, list) or len(body) != 2:
        return f"{operator!r} needs a variable and a value"
    name, value = body
    if operator == "eq":
        if name not in FLAGS or value not in ("yes", "no"):
            return f"'eq' compares {' or '.join(FLAGS)} with yes or no, not {body!r}"
        return None
    if operator not in OPERATORS:
        return f"unknown operator {operator!r}.{suggest(operator, [*OPERATORS, 'all', 'any', 'not', 'eq'])}"
    if name not in VARIABLES:
        return f"unknown variable {name!r}.{suggest(str(name), VARIABLES)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name!r} is compared with {value!r}, which is not a number"
    return None
