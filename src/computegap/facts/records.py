"""Typed records of the registry. All are frozen: a fact is looked up, never changed.

The central one is :class:`Fact`, a number that knows its unit, where it comes from and how sure one can
be. It behaves like the number in arithmetic, and refuses to when nobody trusts a value.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from computegap.facts.units import UNITS, convert

NO_BREAK_SPACE = "\u00a0"

#: Words that lose their s after a one.
COUNTED = {"dies", "chips", "cards", "firms", "days", "racks", "nodes", "transceivers", "chip-hours", "steps"}
COUNTED |= {"interruptions", "tokens", "parameters"}

#: What kind of statement a value is. Closed: the validators refuse anything else.
KINDS = {
    "datasheet": "the maker's own data sheet, product page or technical brief",
    "roadmap": "announced by the maker for a product not yet shipping",
    "filing": "a company's filing with a securities regulator",
    "law": "the text of a rule, proclamation or official guidance",
    "paper": "a scientific paper or conference presentation",
    "analyst estimate": "an estimate by an analyst, think tank or research firm",
    "press": "reported by the press or by a trade site",
    "database": "a public hardware database",
    "teardown": "measured on the opened part",
    "measurement": "measured on the running part by a third party",
    "secondary": "taken from a compilation that quotes others",
    "computed": "computed from other values; the note says how",
    "recalled": "common knowledge not yet checked against a source",
    "assumption": "assumed for lack of a source",
}

#: How well a value is known. Closed as well.
CONFIDENCES = {
    "solid": "stated by the maker or the law, or agreed on by several sources",
    "reported": "one source, or sources at second hand",
    "contested": "sources disagree; the range holds all of them",
    "weak": "a rumour, or a single claim that cannot be checked",
    "unchecked": "not yet checked against a source",
}

#: field of a part -> (label, unit, convention). The convention is what makes two parts comparable.
FIELDS: dict[str, tuple[str, str, str]] = {
    "fp64": ("FP64 peak", "TFLOP/s", "dense"),
    "fp32": ("FP32 peak", "TFLOP/s", "dense"),
    "tf32": ("TF32 matrix peak", "TFLOP/s", "dense"),
    "bf16": ("BF16/FP16 matrix peak", "TFLOP/s", "dense"),
    "fp8": ("FP8 matrix peak", "TFLOP/s", "dense"),
    "int8": ("INT8 matrix peak", "TOP/s", "dense"),
    "fp4": ("FP4 matrix peak", "TFLOP/s", "dense"),
    "mem_gb": ("memory", "GB", "per part"),
    "mem_bw_gbs": ("memory bandwidth", "GB/s", "peak"),
    "link_gbs": ("chip-to-chip links", "GB/s", "both directions together"),
    "host_io_gbs": ("host bus", "GB/s", "both directions together"),
    "tdp_w": ("power", "W", "per part"),
    "price_usd": ("price", "USD", "per part"),
    "n_compute_dies": ("compute dies", "dies", "per part"),
    "compute_die_mm2": ("area of one compute die", "mm^2", "each die"),
    "applicable_die_mm2": ("applicable die area", "mm^2", "all non-planar logic dies together"),
    "transistors_bn": ("transistors", "1e9 transistors", "per part"),
}

#: field of a whole system -> (label, unit, convention).
SYSTEM_FIELDS: dict[str, tuple[str, str, str]] = {
    "n_chips": ("accelerators", "chips", "whole system"),
    "n_racks": ("racks", "racks", "whole system"),
    "bf16": ("BF16/FP16 matrix peak", "PFLOP/s", "dense"),
    "mem_tb": ("memory of the accelerators", "TB", "whole system"),
    "mem_bw_tbs": ("memory bandwidth", "TB/s", "whole system"),
    "scale_up_gbs": ("links inside, each accelerator", "GB/s", "both directions together"),
    "scale_out_gbs": ("network to other systems, each accelerator", "GB/s", "each direction"),
    "n_transceivers": ("optical transceivers", "transceivers", "whole system"),
    "power_kw": ("power", "kW", "whole system"),
    "price_usd": ("price", "USD", "whole system"),
}

#: condition under which a reading was taken -> what it means and its unit. Closed, as all vocabularies.
CONDITIONS: dict[str, str] = {
    "algorithm": "how the collective was done: ring, tree, NVLS (the switch adds)",
    "size": "bytes of the message or buffer",
    "ranks": "accelerators or processes that take part",
    "nodes": "servers that take part",
    "parallel": "degree of expert parallelism",
    "method": "training method: data parallel, DiLoCo, ...",
    "model": "name of the model, as the source prints it",
    "parameters": "weights of the model",
    "tokens": "tokens trained on",
    "replicas": "replicas that train apart from each other",
    "interval": "steps between two exchanges",
    "data": "whether replicas see the same mixture of data: iid or non-iid",
    "utilisation": "share of the time spent computing, a fraction",
    "step": "seconds a step takes without communication",
    "bandwidth": "bits per second between the sites; inf for no limit",
    "rank": "rank of the low-rank approximation of a gradient",
    "chips": "accelerators of the job",
    "chip": "name of the accelerator",
    "checkpoint": "seconds that one checkpoint takes",
    "mtbf": "seconds between failures, mean",
    "microbatches": "microbatches in a step",
    "stages": "stages of a pipeline",
    "term": "how long the contract runs",
    "place": "where it is offered",
}

#: Kinds and confidences that a figure should not present as established.
_SHAKY = {"recalled", "assumption"}, {"weak", "unchecked"}


class UntrustedValue(ValueError):
    """Raised when a value that nobody trusts is used as a number."""


def suggest(name: str, known: Iterable[str], n: int = 4) -> str:
    """Return '' or " Did you mean ...?" with the known names nearest to ``name`` (case ignored)."""
    by_fold = {str(k).casefold(): str(k) for k in known}
    near = difflib.get_close_matches(str(name).casefold(), by_fold, n=n, cutoff=0.5)
    inside = [k for k in by_fold if str(name).casefold() in k and k not in near] if name else []
    names = [by_fold[k] for k in (near + inside)[:n]]
    return f" Did you mean {', '.join(names)}?" if names else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value comes from: key in the registry, title, address, date and type of the document.

    ``via`` names the document through which the source was read, when it was not opened itself.
    """

    key: str
    title: str
    url: str
    date: str
    type: str
    via: str = ""

    def __str__(self) -> str:
        through = f", as quoted by {self.via}" if self.via else ""
        when = f" ({self.date})" if self.date else ""
        return f"{self.title}{when}{through}"


def _show(value: float, spec: str = "") -> str:
    """A number for people: thousands separated, no trailing zeros, four figures are enough below ten."""
    if spec:
        return format(value, spec)
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Fact:
    """One number about the world, with everything needed to judge it.

    Attributes
    ----------
    key, what
        Its name in the registry (``"H20 96GB.bf16"``) and in words.
    value
        The number, or None where no value deserves trust (then ``note`` says why).
    unit, convention
        For instance ``"TFLOP/s"`` and ``"dense"``; ``"GB/s"`` and ``"both directions together"``.
    low, high
        The range that the sources span; None where there is only one value.
    source, date, kind, confidence, note
        Where it comes from, the date of that source, what kind of statement it is (:data:`KINDS`), how
        well it is known (:data:`CONFIDENCES`), and what else one should know.
    """

    key: str
    what: str
    value: float | None
    unit: str
    convention: str = ""
    low: float | None = None
    high: float | None = None
    source: Source | None = None
    date: str = ""
    kind: str = ""
    confidence: str = ""
    note: str = ""

    # -- what it says about itself -------------------------------------------------------------
    @property
    def known(self) -> bool:
        """True if there is a value to use."""
        return self.value is not None

    @property
    def trusted(self) -> bool:
        """True if the value is known, was checked against a source and is more than a rumour."""
        kinds, confidences = _SHAKY
        return self.known and self.kind not in kinds and self.confidence not in confidences

    @property
    def reason(self) -> str:
        """Why there is no value; empty if there is one."""
        return "" if self.known else (self.note or "no source gives this value")

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and highest value that sources give (twice the value where they agree).

        Raises
        ------
        UntrustedValue
            If there is no value.
        """
        value = float(self)
        return (value if self.low is None else self.low, value if self.high is None else self.high)

    @property
    def contested(self) -> bool:
        """True if the sources span a range."""
        return self.known and self.range[0] < self.range[1]

    def cite(self) -> str:
        """Return the source in one line: title, date, through whom, and the kind of statement."""
        if self.source is None:
            return f"not known: {self.reason}"
        return f"{self.source}; {self.kind}, {self.confidence}. {self.source.url}".rstrip(" .") + (
            "" if self.source.url else "."
        )

    # -- as text ---------------------------------------------------------------------------------
    def text(self, spec: str = "") -> str:
        """Return number and unit joined by a no-break space, for prose; ``spec`` formats the number."""
        if not self.known:
            return "not known"
        return _with_unit(self.value, self.unit, spec)

    def range_text(self, spec: str = "") -> str:
        """Return the range with its unit ("280 to 414 TFLOP/s"), or the value where there is no range."""
        if not self.contested:
            return self.text(spec)
        low, high = self.range
        if self.unit == "fraction":
            return f"{_percent(low)} to {_percent(high)}"
        words = UNITS[self.unit].words
        return f"{_show(low, spec)} to {_show(high, spec)}{NO_BREAK_SPACE if words else ''}{words}"

    def __str__(self) -> str:
        return self.text().replace(NO_BREAK_SPACE, " ")

    def __repr__(self) -> str:
        span = f", range {self.range_text()}" if self.contested else ""
        convention = f", {self.convention}" if self.convention else ""
        if not self.known:
            return f"<{self.key}: not known ({self.reason})>"
        where = self.source.title if self.source else "no source"
        return f"<{self.key}: {self}{convention}{span}; {self.kind}: {where}, {self.date}>".replace(
            NO_BREAK_SPACE, " "
        )

    def __format__(self, spec: str) -> str:
        """``f"{fact}"`` is number and unit; ``f"{fact:.1f}"`` is the bare number in that format."""
        return str(self) if not spec else format(float(self), spec)

    # -- as a number -------------------------------------------------------------------------------
    def __float__(self) -> float:
        if self.value is None:
            raise UntrustedValue(f"{self.key} has no value that can be trusted: {self.reason}")
        return self.value

    def __int__(self) -> int:
        return int(float(self))

    def __round__(self, digits: int | None = None) -> float | int:
        return round(float(self), digits)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """As a numpy array without dimensions; a blank fact raises, so that it can't be plotted."""
        import numpy as np

        return np.asarray(float(self), dtype=dtype)

    def to(self, unit: str) -> Fact:
        """Return the same fact in another unit of the same dimension, e.g. ``.to("TB/s")``."""

        def turn(x: float | None) -> float | None:
            return None if x is None else convert(x, self.unit, unit)

        convert(1.0, self.unit, unit)  # refuses a wrong unit for a blank fact, too
        return replace(self, value=turn(self.value), low=turn(self.low), high=turn(self.high), unit=unit)

    @property
    def si(self) -> float:
        """The value in base units: FLOP/s, B/s, B, W, m², USD, defects per m²..."""
        return float(self) * UNITS[self.unit].factor

    def _same_unit(self, other: Any, doing: str) -> float:
        if isinstance(other, Fact):
            if other.unit != self.unit:
                raise ValueError(
                    f"cannot {doing} {self.key} in {self.unit} and {other.key} in {other.unit}; "
                    "convert one with .to(...)"
                )
            return float(other)
        return float(other)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Fact):
            return self.unit == other.unit and self.known and self.value == other.value
        return self.value == other if isinstance(other, numbers.Real) and self.known else False

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: Any) -> bool:
        return float(self) < self._same_unit(other, "compare") if _is_number(other) else NotImplemented

    def __le__(self, other: Any) -> bool:
        return float(self) <= self._same_unit(other, "compare") if _is_number(other) else NotImplemented

    def __gt__(self, other: Any) -> bool:
        return float(self) > self._same_unit(other, "compare") if _is_number(other) else NotImplemented

    def __ge__(self, other: Any) -> bool:
        return float(self) >= self._same_unit(other, "compare") if _is_number(other) else NotImplemented

    def __add__(self, other: Any) -> float:
        return float(self) + self._same_unit(other, "add") if _is_number(other) else NotImplemented

    def __radd__(self, other: Any) -> float:
        return float(other) + float(self) if _is_number(other) else NotImplemented

    def __sub__(self, other: Any) -> float:
        return float(self) - self._same_unit(other, "subtract") if _is_number(other) else NotImplemented

    def __rsub__(self, other: Any) -> float:
        return float(other) - float(self) if _is_number(other) else NotImplemented

    def __mul__(self, other: Any) -> float:
        return float(self) * float(other) if _is_number(other) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> float:
        return float(self) / float(other) if _is_number(other) else NotImplemented

    def __rtruediv__(self, other: Any) -> float:
        return float(other) / float(self) if _is_number(other) else NotImplemented

    def __neg__(self) -> float:
        return -float(self)

    def __pow__(self, power: Any) -> float:
        return float(self) ** float(power) if _is_number(power) else NotImplemented


def _is_number(x: Any) -> bool:
    """Facts and real numbers; arrays are left to numpy, which asks :meth:`Fact.__array__`."""
    return isinstance(x, Fact | numbers.Real)


def _percent(x: float) -> str:
    return f"{_show(round(100 * x, 6))}{NO_BREAK_SPACE}%"


def _with_unit(value: float, unit: str, spec: str = "") -> str:
    if unit == "fraction":
        return _percent(value) if not spec else format(value, spec)
    words = UNITS[unit].words
    if value == 1 and words in COUNTED:
        words = words[:-1]
    return f"{_show(value, spec)}{NO_BREAK_SPACE if words else ''}{words}"


class UnknownField(AttributeError):
    """Raised by ``chip("H20").bf61``: an AttributeError that names the near ones."""


class _HasFacts:
    """Something with a ``name`` whose ``facts`` are its attributes."""

    def __getattr__(self, name: str) -> Fact:
        # Only called for names that are not ordinary attributes.
        if name.startswith("_") or name == "facts":
            raise AttributeError(name)
        try:
            return self.facts[name]
        except KeyError:
            near = suggest(name, [*self.facts, *(entry.name for entry in fields(self))])
            raise UnknownField(f"a {type(self).__name__.lower()} has no {name!r}.{near}") from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.facts})

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    def known(self, *names: str) -> bool:
        """True if every one of ``names`` has a value."""
        return all(getattr(self, name).known for name in names)


@dataclass(frozen=True, kw_only=True)
class Chip(_HasFacts):
    """One accelerator: what it is called, who makes it, and its facts as attributes.

    The facts are ``fp64 fp32 tf32 bf16 fp8 int8 fp4`` (dense peaks), ``mem_gb``, ``mem_bw_gbs``,
    ``link_gbs`` and ``host_io_gbs`` (both directions together), ``tdp_w``, ``price_usd``,
    ``n_compute_dies``, ``compute_die_mm2``, ``applicable_die_mm2`` and ``transistors_bn``. Each is a
    :class:`Fact`, possibly a blank one.
    """

    name: str
    aliases: tuple[str, ...]
    vendor: str
    country: str
    fab_node: str
    nonplanar: bool | None
    year: int
    announced: str
    datacenter: bool | None
    market: str
    mem_type: str
    basis: str
    note: str
    facts: Mapping[str, Fact] = field(repr=False)

    __hash__ = _HasFacts.__hash__

    def __repr__(self) -> str:
        some = [
            f"{f} {self.facts[f]}" for f in ("bf16", "mem_gb", "mem_bw_gbs", "tdp_w") if self.facts[f].known
        ]
        return f"<Chip {self.name}: {self.vendor}, {self.year}, {self.fab_node}; {', '.join(some)}>"

    def trusted(self, *fields: str) -> bool:
        """True if every one of ``fields`` has a value checked against a source (:attr:`Fact.trusted`)."""
        return all(getattr(self, name).trusted for name in fields)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FabRow(Fact):
    """A fact about a fab's process: foundry, node, metric, and which variant of the metric."""

    foundry: str
    node: str
    metric: str
    variant: str = ""
    as_of: str = ""

    __hash__ = Fact.__hash__


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ProductionRow(Fact):
    """An estimate of how much was made, sold, smuggled or planned in a year, and by whom it is given."""

    quantity: str
    year: int
    who: str = ""

    __hash__ = Fact.__hash__


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PublishedResult(Fact):
    """A result that somebody printed and that a chapter recomputes, to hold the book to it."""

    who: str

    __hash__ = Fact.__hash__


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Reading(Fact):
    """One published reading of a training cluster: what was measured, of what, under which conditions.

    Attributes
    ----------
    topic, item, metric
        For instance ``"all-reduce"``, ``"8 x H200"`` and ``"bus bandwidth"``.
    given
        Conditions by name, numbers in base units: ``{"ranks": 8.0, "algorithm": "ring"}``. The names are
        those of :data:`CONDITIONS`.
    locator
        The section, table or figure of the source.
    """

    topic: str
    item: str
    metric: str
    given: Mapping[str, float | str] = field(default_factory=dict)
    locator: str = ""

    __hash__ = Fact.__hash__


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A formula that a chapter uses, and where it was printed; ``text`` is for people, not for a parser."""

    key: str
    name: str
    text: str
    symbols: str
    source: Source
    locator: str
    confidence: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class System(_HasFacts):
    """A machine of many accelerators, sold as one: its facts as attributes, like those of a chip.

    The facts are ``n_chips``, ``n_racks``, ``bf16`` (dense peak of all), ``mem_tb``, ``mem_bw_tbs``,
    ``scale_up_gbs`` (links inside, each accelerator, both directions together), ``scale_out_gbs``
    (network, each accelerator, each direction), ``n_transceivers``, ``power_kw`` and ``price_usd``. Each is
    a :class:`Fact`, possibly a blank one. ``part`` names the accelerator in the registry.
    """

    name: str
    aliases: tuple[str, ...]
    vendor: str
    part: str
    year: int
    note: str
    facts: Mapping[str, Fact] = field(repr=False)

    __hash__ = _HasFacts.__hash__


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One edition of the export rule (or letter, guidance, tariff), with its test as a predicate.

    ``predicate`` maps an outcome to an expression over a part's measures, numbers filled in from
    ``limits``; it is None where the edition has no test of its own. ``subject`` says what the test is
    applied to: ``"chip"`` or ``"memory"`` (a stack of stand-alone memory). The expressions are nested
    dictionaries of ``all``, ``any``, ``not``, ``ge``, ``gt``, ``le``, ``lt``, ``eq``.
    """

    id: str
    name: str
    date: str
    effective: str
    citation: str
    status: str
    kind: str
    subject: str | None
    predicate: Mapping[str, Any] | None
    policy: Mapping[str, str]
    limits: Mapping[str, Fact]
    named: tuple[str, ...]
    conditions: tuple[str, ...]
    scope: str
    note: str
    confidence: str
    source: Source
    other_sources: tuple[Source, ...] = ()

    def __repr__(self) -> str:
        return f"<Edition {self.id}: {self.name}, effective {self.effective}; {self.citation}>"

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Countermeasure:
    """A dated Chinese answer to the controls."""

    date: str
    text: str
    note: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedOutcome:
    """What history says a rule did with a part: the cases against which a predicate is judged."""

    rule: str
    chip: str
    expected: str
    reason: str
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim of the essays, its verdict and the evidence; ``checked`` is yes, secondary, recalled or no."""

    id: str
    chapter: str
    text: str
    kind: str
    verdict: str
    evidence: str
    sources: str
    test: str
    refuted_by: str
    priority: int
    checked: str


def parse_given(text: str) -> dict[str, float | str]:
    """Return the conditions written in a data file, e.g. ``"ranks=8;algorithm=ring"``.

    Raises
    ------
    ValueError
        If a piece is not ``name=value``, a name is not in :data:`CONDITIONS` or stands there twice, or a
        value is not a number.
    """
    given: dict[str, float | str] = {}
    for piece in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (side.strip() for side in piece.partition("="))
        if not equals or not value:
            raise ValueError(f"the condition {piece!r} is not of the form name=value")
        if name not in CONDITIONS:
            raise ValueError(f"unknown condition {name!r}.{suggest(name, CONDITIONS)}")
        if name in given:
            raise ValueError(f"the condition {name!r} stands there twice")
        try:
            given[name] = float(value)
        except ValueError:
            given[name] = value
        if given[name] != given[name]:
            raise ValueError(f"the condition {name!r} is not a number")
    return given


def parse_number(text: str) -> float:
    """Return the number written in a data file; NaN and infinities are refused with a ValueError."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value
