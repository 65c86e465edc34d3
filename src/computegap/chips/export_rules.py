"""The United States' chip export rules as predicates, run over data sheets (chapter 1).

A rule names a few quantities, draws lines through them and says what happens on each side. The quantities are
derived here from :mod:`computegap.facts`; the lines live in the facts registry as expressions such as
``{"all": [{"ge": ["tpp", 4800]}, ...]}``; this module evaluates them. What a data sheet does not say stays
unknown, and an unknown input makes the outcome *undecidable* unless the known ones settle it (Kleene's
three-valued logic).

Sources: 87 FR 62186 (October 2022), 88 FR 73458 (October 2023, with the Technical Notes that define total
processing performance and performance density), 89 FR 96790 (December 2024, memory stacks), FR Doc 2025-00711
(foundry presumption), 91 FR 1684 (January 2026), and company filings and press for the letters.

What this does not model: who the customer is, end uses, re-exports, licence decisions in a single case, and
rules on tools, software and people.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from computegap import facts

#: Every quantity a rule may ask about -> what it is and its unit.
QUANTITIES = {
    "tpp": "total processing performance (TFLOP/s or TOP/s times bits)",
    "tpp_2022": "processing performance as the 2022 text has it (same product)",
    "pd": "performance density (TPP per mm² of applicable die area)",
    "io_total": "input and output bandwidth without memory, both directions (GB/s)",
    "mem_bw": "memory bandwidth (GB/s)",
    "mem_plus_io": "memory bandwidth plus input and output (GB/s)",
    "transistors_bn": "transistors in the package (billions)",
    "bw_density": "memory bandwidth per area of the memory stack (GB/s per mm²)",
    "dc": "designed or marketed for data centres (yes, no)",
    "nonplanar": "made with non-planar transistors (yes, no)",
}
_SYMBOLS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_COMPARE = {
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
}

#: Bit length of one operand by the name of the rate in the registry. TF32 is stored in 32 bits but multiplies
#: 19; the rule's text does not name it. No verdict in the registry depends on the choice (a test says so).
BITS = {"fp64": 64, "fp32": 32, "tf32": 19, "bf16": 16, "fp8": 8, "int8": 8, "fp4": 4}
#: Rates that come from matrix units; the other two are vector rates on the parts listed.
TENSOR_RATES = ("tf32", "bf16", "fp8", "int8", "fp4")
#: First year in which a vendor's data-centre and graphics parts advertise structured-sparsity peaks.
SPARSE_SINCE = {"NVIDIA": 2020, "AMD": 2023}

UNDECIDABLE = "undecidable"
FREE = "free"


@dataclass(frozen=True)
class Reading:
    """One way of reading a data sheet into the rule. The default is the rule as written.

    Attributes
    ----------
    name, title : str
        Key and what a reader sees.
    tensor_only : bool
        Ignore the vector units' rates (FP64, FP32).
    sparse : bool
        Mistake: use peaks advertised for 2:4-sparse matrices, twice the dense ones.
    doubled : bool
        Mistake: multiply an advertised rate by two once more, though data sheets already count a
        multiply-accumulate as two operations.
    host_io : bool
        Count the host bus (PCIe or like) in the input and output bandwidth.
    """

    name: str = "as_written"
    title: str = "as written"
    tensor_only: bool = False
    sparse: bool = False
    doubled: bool = False
    host_io: bool = True


AS_WRITTEN = Reading()
TENSOR_ONLY = Reading("tensor_only", "matrix units only", tensor_only=True)
SPARSE = Reading("sparse", "sparse peaks", sparse=True)
DOUBLED = Reading("doubled", "operations counted twice", doubled=True)
LINK_ONLY = Reading("link_only", "link without host bus", host_io=False)
#: Name -> reading, the correct one first.
READINGS = {r.name: r for r in (AS_WRITTEN, TENSOR_ONLY, SPARSE, DOUBLED, LINK_ONLY)}


def reading(which: str | Reading) -> Reading:
    """Look up a reading by name (or pass one through).

    Raises
    ------
    LookupError
        If there is no such reading; the message lists them.
    """
    if isinstance(which, Reading):
        return which
    try:
        return READINGS[which]
    except KeyError:
        raise LookupError(f"no reading {which!r}; there are {', '.join(READINGS)}") from None


# ---------------------------------------------------------------- quantities


def _chip(chip: str | facts.Chip) -> facts.Chip:
    return facts.chip(chip) if isinstance(chip, str) else chip


def _number(chip: facts.Chip, field: str) -> float | None:
    fact = getattr(chip, field)
    return float(fact) if fact.known else None


def rates(chip: str | facts.Chip, how: str | Reading = AS_WRITTEN) -> dict[str, float]:
    """Peak rates that enter TPP, by precision, in TFLOP/s or TOP/s; unknown ones are left out.

    Parameters
    ----------
    chip : str or facts.Chip
    how : str or Reading
        Dense rates of all units by default; a mistaken reading changes them.
    """
    chip, how = _chip(chip), reading(how)
    names = TENSOR_RATES if how.tensor_only else BITS
    found = {name: value for name in names if (value := _number(chip, name)) is not None}
    since = SPARSE_SINCE.get(chip.vendor)
    if how.sparse and since is not None and chip.year >= since and "CPU" not in chip.name:
        found = {n: v * 2 if n in TENSOR_RATES else v for n, v in found.items()}
    if how.doubled:
        found = {n: v * 2 for n, v in found.items()}
    return found


def tpp(chip: str | facts.Chip, how: str | Reading = AS_WRITTEN) -> float | None:
    """Total processing performance: the largest product of rate and bit length; None if no rate is known.

    88 FR 73458, Technical Notes 1 to 3 to ECCN 3A090. The register's worked example: 600 TOP/s at 8 bits or
    300 TFLOP/s at 16 bits are both 4,800.
    """
    products = [rate * BITS[name] for name, rate in rates(chip, how).items()]
    return max(products) if products else None


def performance_density(chip: str | facts.Chip, how: str | Reading = AS_WRITTEN) -> float | None:
    """TPP per mm² of applicable die area (logic dies with non-planar transistors); None if unknown.

    88 FR 73458, Technical Note 4. A chip whose logic is all planar has no applicable area; then the density
    is zero by definition of the rule's limb (nothing to divide by), which this returns as 0.0.
    """
    chip = _chip(chip)
    if chip.nonplanar is False:
        return 0.0
    performance, area = tpp(chip, how), _number(chip, "applicable_die_mm2")
    if performance is None or area is None:
        return None
    return performance / area


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else ("yes" if value else "no")


def _add(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


def quantities(chip: str | facts.Chip | Mapping[str, Any], how: str | Reading = AS_WRITTEN) -> dict[str, Any]:
    """All quantities of :data:`QUANTITIES` for one chip; what is not known is None.

    Parameters
    ----------
    chip : str, facts.Chip or mapping
        A mapping stands for a chip that exists only on paper, for example ``{"tpp": 2000, "pd": 3.0,
        "dc": "yes"}``; names it leaves out are unknown.
    how : str or Reading
        Ignored for a mapping.

    Raises
    ------
    LookupError
        If a mapping names a quantity that no rule knows.
    """
    if isinstance(chip, Mapping):
        for name in chip:
            _check_quantity(name)
        return {name: chip.get(name) for name in QUANTITIES}
    chip, how = _chip(chip), reading(how)
    link, host, memory = (_number(chip, f) for f in ("link_gbs", "host_io_gbs", "mem_bw_gbs"))
    io = _add(link, host) if how.host_io else link
    performance = tpp(chip, how)
    return {
        "tpp": performance,
        "tpp_2022": performance,
        "pd": performance_density(chip, how),
        "io_total": io,
        "mem_bw": memory,
        "mem_plus_io": _add(memory, io),
        "transistors_bn": _number(chip, "transistors_bn"),
        "bw_density": None,  # a property of a memory stack, not of a processor
        "dc": _yes_no(chip.datacenter),
        "nonplanar": _yes_no(chip.nonplanar),
    }


def _check_quantity(name: str) -> None:
    if name not in QUANTITIES:
        near = difflib.get_close_matches(name, QUANTITIES, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(QUANTITIES)}"
        raise LookupError(f"no rule asks about {name!r}{hint}")


# ------------------------------------------------------- three-valued logic


def _parts(expression: Any) -> tuple[str, Any]:
    if not isinstance(expression, Mapping) or len(expression) != 1:
        raise ValueError(
            f"an expression is a mapping with one operator, such as {{'ge': ['tpp', 4800]}}, "
            f"not {expression!r}"
        )
    ((operator, body),) = expression.items()
    if operator in ("all", "any"):
        if not isinstance(body, list | tuple) or not body:
            raise ValueError(f"{operator!r} takes a list of at least one expression, not {body!r}")
    elif operator in _COMPARE or operator == "eq":
        if not isinstance(body, list | tuple) or len(body) != 2:
            raise ValueError(
                f"{operator!r} takes a quantity and a value, such as ['tpp', 4800], not {body!r}"
            )
        _check_quantity(body[0])
    elif operator != "not":
        raise ValueError(f"no operator {operator!r}; there are all, any, not, eq, {', '.join(_COMPARE)}")
    return operator, body


def evaluate(expression: Mapping[str, Any], values: Mapping[str, Any]) -> bool | None:
    """Truth of an expression over quantities: True, False, or None where unknown inputs leave it open.

    Kleene's strong logic: ``all`` is False as soon as one part is, even if others are unknown; ``any`` is
    True as soon as one part is.

    Raises
    ------
    ValueError
        If the expression is malformed.
    LookupError
        If it asks about a quantity that does not exist.
    """
    operator, body = _parts(expression)
    if operator == "not":
        inner = evaluate(body, values)
        return None if inner is None else not inner
    if operator in ("all", "any"):
        settles = operator == "any"
        results = [evaluate(part, values) for part in body]
        if settles in results:
            return settles
        return None if None in results else not settles
    name, line = body
    value = values.get(name)
    if value is None:
        return None
    return value == line if operator == "eq" else bool(_COMPARE[operator](value, line))


def mask(expression: Mapping[str, Any], values: Mapping[str, Any]) -> np.ndarray:
    """Truth of an expression over many designs at once.

    Parameters
    ----------
    expression : mapping
    values : mapping of str to array or str
        Arrays that broadcast together, all known; ``dc`` and ``nonplanar`` may be single strings.

    Returns
    -------
    numpy.ndarray of bool

    Raises
    ------
    LookupError
        If a quantity the expression asks about is not given: a search needs all of them.
    """
    operator, body = _parts(expression)
    if operator == "not":
        return ~mask(body, values)
    if operator in ("all", "any"):
        combine = np.logical_and if operator == "all" else np.logical_or
        result = mask(body[0], values)
        for part in body[1:]:
            result = combine(result, mask(part, values))
        return result
    name, line = body
    if values.get(name) is None:
        raise LookupError(f"the rule asks about {name!r}, which these designs do not give")
    value = np.asarray(values[name])
    return value == line if operator == "eq" else _COMPARE[operator](value, line)


def lines(expression: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Every (quantity, number) that an expression compares, each once, in order of appearance."""
    operator, body = _parts(expression)
    if operator == "not":
        return lines(body)
    if operator in ("all", "any"):
        return list(dict.fromkeys(pair for part in body for pair in lines(part)))
    return [] if operator == "eq" else [(body[0], float(body[1]))]


@dataclass(frozen=True)
class Reason:
    """One comparison that the outcome rests on.

    Attributes
    ----------
    quantity : str
    operator : str
        ``"≥"``, ``">"``, ``"≤"``, ``"<"`` or ``"is"``.
    line : float or str
        What the quantity is compared with.
    value : float, str or None
    holds : bool or None
        None where the value is unknown.
    """

    quantity: str
    operator: str
    line: float | str
    value: float | str | None
    holds: bool | None

    @property
    def distance(self) -> float | None:
        """Relative distance above the line (negative: below); None if unknown or not a number."""
        if isinstance(self.line, str) or self.value is None:
            return None
        return float(self.value) / float(self.line) - 1.0

    def __str__(self) -> str:
        has = "unknown" if self.value is None else _plain(self.value)
        verb = {True: "holds", False: "fails", None: "open"}[self.holds]
        return f"{self.quantity} = {has} {self.operator} {_plain(self.line)}: {verb}"


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.2f}".rstrip("0").rstrip(".")


def witnesses(expression: Mapping[str, Any], values: Mapping[str, Any]) -> list[Reason]:
    """The comparisons that settle an expression (or, if it is open, those that keep it open)."""
    operator, body = _parts(expression)
    if operator == "not":
        return witnesses(body, values)
    truth = evaluate(expression, values)
    if operator in ("all", "any"):
        # "any" that holds and "all" that fails rest on one part; the others rest on every part alike.
        same = [part for part in body if evaluate(part, values) is truth]
        if truth is (operator == "any"):
            same = same[:1]
        found = [reason for part in same for reason in witnesses(part, values)]
        return list(dict.fromkeys(found))
    name, line = body
    return [Reason(name, _SYMBOLS.get(operator, "is"), line, values.get(name), truth)]


# ------------------------------------------------------------------ verdicts


@dataclass(frozen=True)
class Verdict:
    """What one edition says about one chip.

    Attributes
    ----------
    chip, edition, reading : str
        Names.
    outcome : str
        The first label that applies, ``"free"`` if none does, ``"undecidable"`` if unknown values leave it
        open. The letter of April 2025 has two published versions: the outcome is the more detailed one's.
    labels : tuple of str
        All labels that apply, as the registry names them (both versions of the letter appear here).
    open_labels : tuple of str
        Labels that hang on an unknown value.
    reasons : tuple of Reason
        The comparisons that the outcome rests on.
    values : dict
        The quantities used.
    distances : dict
        (quantity, line) -> relative distance above that line, for each line of the edition.
    """

    chip: str
    edition: str
    reading: str
    outcome: str
    labels: tuple[str, ...]
    open_labels: tuple[str, ...]
    reasons: tuple[Reason, ...]
    values: dict[str, Any]
    distances: dict[tuple[str, float], float]

    @property
    def decided(self) -> bool:
        """Whether the known values settle the outcome."""
        return self.outcome != UNDECIDABLE

    @property
    def missing(self) -> tuple[str, ...]:
        """Quantities that are unknown and would be needed."""
        return tuple(dict.fromkeys(r.quantity for r in self.reasons if r.holds is None))

    @property
    def nearest(self) -> tuple[str, float, float] | None:
        """(quantity, line, distance) of the line the chip is nearest to, in relative terms."""
        if not self.distances:
            return None
        (name, line), distance = min(self.distances.items(), key=lambda item: abs(item[1]))
        return name, line, distance

    def __str__(self) -> str:
        why = "; ".join(str(reason) for reason in self.reasons)
        return f"{self.chip} under {self.edition}: {self.outcome} ({why})"


def short_label(label: str) -> str:
    """The label without the remark in brackets: ``"licence (Reuters account)"`` -> ``"licence"``."""
    return label.split(" (")[0]


def _edition(edition: str | facts.Edition) -> facts.Edition:
    return facts.edition(edition) if isinstance(edition, str) else edition


def _is_named(chip_name: str, names: Iterable[str]) -> bool:
    """Whether a letter or guidance names this chip (an X added to a listed name counts)."""
    model = chip_name.removeprefix("Ascend ").split(" ")[0].upper()
    listed = [part.strip().removeprefix("Ascend ").upper() for name in names for part in name.split("/")]
    return any(model == name or model.startswith(name + "X") for name in listed)


def classify(
    chip: str | facts.Chip | Mapping[str, Any],
    edition: str | facts.Edition,
    how: str | Reading = AS_WRITTEN,
    version: int = 0,
) -> Verdict:
    """What an edition of the rule says about a chip, and why.

    Parameters
    ----------
    chip : str, facts.Chip or mapping
        A name of the registry, a record, or quantities of a chip on paper (see :func:`quantities`).
    edition : str or facts.Edition
        For instance ``"oct2023"``. Editions without a test of their own work by name ("licence" if named).
    how : str or Reading
        How the data sheet is read; the rule as written by default.
    version : int
        For the letter of April 2025: 0 is the version with three limbs, 1 the one with memory only.

    Raises
    ------
    LookupError
        For an unknown chip, edition, reading, version or quantity.
    ValueError
        If the edition neither tests nor names chips (quotas, guidance on scope).
    """
    edition, how = _edition(edition), reading(how)
    values = quantities(chip, how)
    name = "a chip on paper" if isinstance(chip, Mapping) else _chip(chip).name
    if not edition.predicate:
        if not edition.named:
            raise ValueError(f"{edition.id} has no test that can be run on a data sheet: {edition.name}")
        hit = _is_named(name, edition.named)
        outcome_ = "licence" if hit else FREE
        named = Reason("name", "is", ", ".join(edition.named), name, hit)
        return Verdict(name, edition.id, how.name, outcome_, ("licence",) * hit, (), (named,), values, {})
    truths = {label: evaluate(test, values) for label, test in edition.predicate.items()}
    considered = dict(edition.predicate)
    if edition.kind == "letter":
        if version not in range(len(considered)):
            raise LookupError(
                f"{edition.id} has {len(considered)} published versions, counted from 0; no {version}"
            )
        label = list(considered)[version]
        considered = {label: considered[label]}
    holds = [label for label in considered if truths[label]]
    unknown = [label for label in considered if truths[label] is None]
    if holds:
        outcome_, tests = short_label(holds[0]), [considered[holds[0]]]
    elif unknown:
        outcome_, tests = UNDECIDABLE, [considered[label] for label in unknown]
    else:
        outcome_, tests = FREE, list(considered.values())
    reasons = tuple(dict.fromkeys(reason for test in tests for reason in witnesses(test, values)))
    pairs = list(dict.fromkeys(pair for test in considered.values() for pair in lines(test)))
    distances = {(q, x): values[q] / x - 1.0 for q, x in pairs if values[q] is not None}
    applied = tuple(label for label in truths if truths[label])
    opened = tuple(label for label in truths if truths[label] is None)
    return Verdict(name, edition.id, how.name, outcome_, applied, opened, reasons, values, distances)


def outcome(
    chip: str | facts.Chip | Mapping[str, Any],
    edition: str | facts.Edition,
    how: str | Reading = AS_WRITTEN,
    version: int = 0,
) -> str:
    """The label alone; see :func:`classify`."""
    return classify(chip, edition, how, version).outcome


#: Labels that all mean "may not be shipped without a licence".
NEEDS_LICENCE = (
    "controlled",
    "licence",
    "3A090.a",
    "3A090.b",
    "3A090.c",
    "presumed_3A090.a_datacentre",
    "case_by_case",
    "presumption_of_denial",
)


def agrees(expected: str, found: str) -> bool:
    """Whether a found label meets an expectation: equal, or "licence" met by any label that needs one."""
    if expected == "licence":
        return found in NEEDS_LICENCE
    return expected == found


# ---------------------------------------------------------- rule and history


@dataclass(frozen=True)
class Comparison:
    """One expectation of history beside what the predicate says.

    Attributes
    ----------
    rule, chip, expected, found : str
    agrees : bool
    decided : bool
    verdict : Verdict
    """

    rule: str
    chip: str
    expected: str
    found: str
    agrees: bool
    decided: bool
    verdict: Verdict

    @property
    def kind(self) -> str:
        """``"agrees"``, ``"mismatch"`` or ``"undecidable"``."""
        if not self.decided:
            return UNDECIDABLE
        return "agrees" if self.agrees else "mismatch"


def compare_with_history(
    how: str | Reading = AS_WRITTEN, expectations: Iterable[facts.ExpectedOutcome] | None = None
) -> list[Comparison]:
    """Run the editions over what is known to have happened and compare, expectation by expectation.

    Parameters
    ----------
    how : str or Reading
    expectations : iterable, optional
        Records with ``rule``, ``chip`` and ``expected``; the registry's by default.
    """
    rows = facts.expected_outcomes() if expectations is None else expectations
    result = []
    for row in rows:
        verdict = classify(row.chip, row.rule, how)
        ok = agrees(row.expected, verdict.outcome)
        result.append(
            Comparison(row.rule, row.chip, row.expected, verdict.outcome, ok, verdict.decided, verdict)
        )
    return result


@dataclass(frozen=True)
class Sensitivity:
    """How one reading fares against history: counts that add up to ``n``."""

    reading: str
    title: str
    agrees: int
    mismatches: int
    undecidable: int

    @property
    def n(self) -> int:
        """Number of expectations."""
        return self.agrees + self.mismatches + self.undecidable


def sensitivity(readings: Iterable[str | Reading] | None = None) -> list[Sensitivity]:
    """Agreement with history under each reading of the data sheets, the reading as written first."""
    table = []
    for which in READINGS if readings is None else readings:
        how = reading(which)
        kinds = [row.kind for row in compare_with_history(how)]
        table.append(
            Sensitivity(how.name, how.title, *(kinds.count(k) for k in ("agrees", "mismatch", UNDECIDABLE)))
        )
    return table


# ------------------------------------------- rules on other things than chips


@dataclass(frozen=True)
class MemoryStack:
    """A generation of stacked memory on its own, for the rule of December 2024.

    Attributes
    ----------
    name : str
    bandwidth, area : computegap.facts.Fact
        Of one stack, GB/s and mm². No data sheet gives the footprint: it is an assumption with a range, and
        every verdict of the chapter holds over the whole of it.
    """

    name: str
    bandwidth: facts.Fact
    area: facts.Fact

    @property
    def density(self) -> tuple[float, float]:
        """Lowest and highest bandwidth per area, GB/s per mm², over the assumed footprints."""
        small, large = self.area.range
        return float(self.bandwidth) / large, float(self.bandwidth) / small


def memory_stacks() -> list[MemoryStack]:
    """Return the generations of stacked memory that the registry knows, oldest first."""
    return [
        MemoryStack(row.node, row, facts.fab(row.foundry, row.node, "stack_area"))
        for row in facts.fabs(metric="stack_bandwidth")
    ]


def classify_memory(
    stack: MemoryStack | float, edition: str | facts.Edition = "dec2024_hbm"
) -> tuple[str, bool | None]:
    """Outcome for a stand-alone memory stack, and whether a licence exception may be used.

    Parameters
    ----------
    stack : MemoryStack or float
        A stack, or a bandwidth density in GB/s per mm².

    Returns
    -------
    outcome : str
        ``"3A090.c"``, ``"free"``, or ``"undecidable"`` if the assumed footprints fall on both sides.
    exception : bool or None
        Whether the density is low enough for licence exception HBM; None if the footprints disagree.
    """
    low, high = (stack, stack) if isinstance(stack, int | float) else stack.density
    rule = _edition(edition).predicate
    pairs = [
        tuple(evaluate(rule[label], {"bw_density": value}) for value in (low, high))
        for label in ("3A090.c", "license_exception_HBM_eligible")
    ]
    controlled, exception = (a if a == b else None for a, b in pairs)
    label = {True: "3A090.c", False: FREE, None: UNDECIDABLE}[controlled]
    return label, exception


def foundry_presumption(
    transistors_bn: float | None, *, nonplanar: bool | None = True, has_hbm: bool = True, year: int = 2026
) -> bool | None:
    """Whether a foundry must presume that a chip is a controlled data-centre part (FR Doc 2025-00711).

    A packaged chip below the transistor limit overcomes the presumption. The limit rises for chips without
    stacked memory exported in 2027 or 2028, and again from 2029.

    Parameters
    ----------
    transistors_bn : float or None
        Aggregated approximated transistor count, billions.
    nonplanar : bool or None
        Made at the 16/14 nm node or below, or with non-planar transistors.
    has_hbm : bool
    year : int
        Year in which the export is completed.

    Returns
    -------
    bool or None
        None where unknown values leave it open.
    """
    name = "transistors"
    if not has_hbm and year >= 2029:
        name = "transistors_no_hbm_2029"
    elif not has_hbm and year >= 2027:
        name = "transistors_no_hbm_2027"
    limit = float(facts.threshold("foundry2025", name))
    test = {"all": [{"eq": ["nonplanar", "yes"]}, {"ge": ["transistors_bn", limit]}]}
    return evaluate(test, {"nonplanar": _yes_no(nonplanar), "transistors_bn": transistors_bn})


def quota_in_chips(quota_tpp: float | facts.Fact, chip: str | facts.Chip) -> float:
    """How many chips of one kind fit in a quota that is counted in TPP (Framework for AI Diffusion)."""
    each = tpp(chip)
    if each is None:
        raise ValueError(f"no trusted rate for {_chip(chip).name}, so a quota cannot be counted in it")
    return float(quota_tpp) / each
