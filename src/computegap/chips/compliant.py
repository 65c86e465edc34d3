"""The best chip that a rule allows, found by search, and the game of rule and designer (chapter 1).

A designer with a given technology chooses die area, arithmetic, memory bandwidth and link, and wants the
shortest step of a workload. A rule forbids part of that space. The search walks a grid to which the rule's
own lines are added, just inside: faster is better for every workload here, so the best design under a line
lies on it.

What this does not model: cost, yield and power of a design, time to design it, the choice of precision,
whether somebody would buy it, and any rule that does not look at the data sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from computegap import facts
from computegap.chips import export_rules, workloads

#: How far inside a line a design stays, relative. Small enough to print as the line itself.
MARGIN = 1e-6
#: Largest field that a scanner exposes at once, 26 mm by 33 mm: the limit of one die.
RETICLE_MM2 = 26.0 * 33.0


@dataclass(frozen=True)
class Technology:
    """What a designer can build at some moment, read off the best chip on sale then.

    Attributes
    ----------
    name : str
    density : float
        TPP per mm² of logic.
    max_area : float
        mm² of logic in one package.
    max_mem_bw : float
        GB/s.
    max_link : float
        GB/s, both directions.
    host_io : float
        GB/s, both directions; not a choice.
    """

    name: str
    density: float
    max_area: float
    max_mem_bw: float
    max_link: float
    host_io: float = 128.0

    def __post_init__(self) -> None:
        for field in ("density", "max_area", "max_mem_bw"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} of a technology must be positive, not {getattr(self, field)}")

    @classmethod
    def of(cls, chip: str | facts.Chip, **changes: float) -> Technology:
        """The technology of a chip of the registry; keywords replace single fields.

        Raises
        ------
        ValueError
            If the data sheet lacks what is needed.
        """
        record = facts.chip(chip) if isinstance(chip, str) else chip
        density = export_rules.performance_density(record)
        needed = ("applicable_die_mm2", "mem_bw_gbs", "link_gbs", "host_io_gbs")
        if density is None or not record.known(*needed):
            raise ValueError(f"the data sheet of {record.name} lacks what a technology needs")
        area, memory, link, host = (float(getattr(record, field)) for field in needed)
        fields = {
            "density": density,
            "max_area": area,
            "max_mem_bw": memory,
            "max_link": link,
            "host_io": host,
        }
        return cls(record.name, **(fields | changes))


@dataclass(frozen=True)
class Design:
    """A chip on paper.

    Attributes
    ----------
    area : float
        mm² of logic.
    tpp : float
        TPP; the rate at 8 bits is an eighth of it, at 16 bits a sixteenth, in TFLOP/s.
    mem_bw, link, host_io : float
        GB/s (link and host both directions).
    datacenter : bool
    """

    area: float
    tpp: float
    mem_bw: float
    link: float
    host_io: float = 128.0
    datacenter: bool = True

    @property
    def pd(self) -> float:
        """Performance density, TPP per mm²."""
        return self.tpp / self.area

    def quantities(self) -> dict[str, Any]:
        """What rules ask about; give it to :func:`computegap.chips.export_rules.classify`."""
        io = self.link + self.host_io
        return {
            "tpp": self.tpp,
            "tpp_2022": self.tpp,
            "pd": self.pd,
            "io_total": io,
            "mem_bw": self.mem_bw,
            "mem_plus_io": self.mem_bw + io,
            "dc": "yes" if self.datacenter else "no",
            "nonplanar": "yes",
        }

    def machine(self, name: str = "design") -> workloads.Machine:
        """The design as the roofline arithmetic sees it."""
        return _machine(name, self.tpp, self.mem_bw, self.link)


def _machine(name: str, tpp: Any, mem_bw: Any, link: Any) -> workloads.Machine:
    return workloads.Machine(name, tpp / 16 * 1e12, tpp / 8 * 1e12, mem_bw * 1e9, link / 2 * 1e9)


@dataclass(frozen=True)
class Regime:
    """The tests in force together at some moment.

    Attributes
    ----------
    name : str
    editions : tuple of str
        A design must come out of every one of them with an allowed outcome.
    allowed : tuple of str
        Outcomes that count as allowed besides ``"free"``, whatever the other editions say.
    """

    name: str
    editions: tuple[str, ...]
    allowed: tuple[str, ...] = ()

    def forbidden_tests(self) -> list[Mapping[str, Any]]:
        """Expressions of which none may hold."""
        forbidding, permitting = [], []
        for which in self.editions:
            edition = facts.edition(which)
            items = list((edition.predicate or {}).items())
            if edition.kind == "letter":
                items = items[:1]  # the version with more limbs
            for label, test in items:
                permits = export_rules.short_label(label) in self.allowed
                (permitting if permits else forbidding).append(test)
        if not permitting:
            return forbidding
        unless = {"not": {"any": permitting}}
        return [{"all": [test, unless]} for test in forbidding]

    def allows(self, design: Design) -> bool:
        """Whether a design may be shipped (or, with ``allowed`` outcomes, be considered for a licence)."""
        return not any(export_rules.evaluate(test, design.quantities()) for test in self.forbidden_tests())


#: No rule at all.
NO_RULE = Regime("no rule", ())
OCT_2022 = Regime("October 2022", ("oct2022",))
OCT_2023 = Regime("October 2023", ("oct2023",))
APR_2025 = Regime("April 2025", ("oct2023", "h20_letter_2025_04"))
# The text of January 2026 leaves the earlier tests in place and says which chips are looked at case by case.
JAN_2026 = Regime(
    "January 2026, with a licence", ("oct2023", "h20_letter_2025_04", "jan2026"), ("case_by_case",)
)
REGIMES = {r.name: r for r in (NO_RULE, OCT_2022, OCT_2023, APR_2025, JAN_2026)}


@dataclass(frozen=True)
class Best:
    """Outcome of a search.

    Attributes
    ----------
    design : Design
    seconds : float
        Step time of the workload.
    unrestricted : float
        Step time of the best design without a rule, same technology and workload.
    searched, allowed : int
        Designs on the grid, and those the rule lets through.
    """

    design: Design
    seconds: float
    unrestricted: float
    searched: int
    allowed: int

    @property
    def speed(self) -> float:
        """Speed relative to the best design without a rule, between 0 and 1."""
        return self.unrestricted / self.seconds


def _line_values(tests: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for test in tests:
        for name, line in export_rules.lines(test):
            if line not in found.setdefault(name, []):
                found[name].append(line)
    return found


def _axis(top: float, n: int, at_lines: Iterable[float], bottom: float = 0.0) -> np.ndarray:
    """Values up to ``top``, with those just inside each line; sorted, no repeats."""
    inside = [line * (1 - MARGIN) for line in at_lines]
    grid = np.concatenate([np.linspace(bottom, top, n), inside])
    return np.unique(grid[(grid >= bottom) & (grid <= top)])


def design_grid(
    technology: Technology, regime: Regime, n: tuple[int, int, int, int] = (24, 24, 12, 10)
) -> dict:
    """Arrays of designs that a technology can build, with a rule's lines among the values.

    Parameters
    ----------
    technology : Technology
    regime : Regime
        Its lines are added to the axes.
    n : tuple of int
        Evenly spaced values of area, arithmetic, memory bandwidth and link, before lines are added.

    Returns
    -------
    dict
        ``area, tpp, mem_bw, link``: one-dimensional arrays of equal length, one entry a design.
    """
    at = _line_values(regime.forbidden_tests())
    tpp_lines = at.get("tpp", []) + at.get("tpp_2022", [])
    pd_lines = at.get("pd", [])
    # Corners of the allowed region in area: where a TPP line and a density line meet.
    corners = [t / d * (1 + 2 * MARGIN) for t, d in product(tpp_lines, pd_lines)]
    areas = np.unique(
        np.clip(
            [*np.linspace(technology.max_area / n[0], technology.max_area, n[0]), *corners],
            0,
            technology.max_area,
        )
    )
    pairs = []
    for area in areas:
        top = technology.density * area
        values = _axis(top, n[1], [*tpp_lines, *(d * area for d in pd_lines)], bottom=top / n[1] / 8)
        pairs.append(np.column_stack([np.full_like(values, area), values]))
    silicon = np.concatenate(pairs)
    totals = [x - technology.host_io for x in at.get("io_total", [])]
    totals += [
        t - technology.host_io - m for t, m in product(at.get("mem_plus_io", []), at.get("mem_bw", []))
    ]
    links = _axis(technology.max_link, n[3], totals)
    sums = [total - technology.host_io - link for total in at.get("mem_plus_io", []) for link in links]
    memory = _axis(
        technology.max_mem_bw, n[2], [*at.get("mem_bw", []), *sums], technology.max_mem_bw / n[2] / 8
    )
    i, j, k = (
        a.ravel()
        for a in np.meshgrid(range(len(silicon)), range(len(memory)), range(len(links)), indexing="ij")
    )
    return {"area": silicon[i, 0], "tpp": silicon[i, 1], "mem_bw": memory[j], "link": links[k]}


def _seconds(grid: Mapping[str, np.ndarray], workload: str, batch: float) -> np.ndarray:
    # A link of zero is allowed on the grid (a chip sold alone) and takes for ever to exchange anything.
    link = np.maximum(grid["link"], 1e-9)
    many = _machine("grid", grid["tpp"], grid["mem_bw"], link)
    return workloads.step_time(many, workload, batch)


def allowed_mask(
    grid: Mapping[str, np.ndarray], regime: Regime, host_io: float, datacenter: bool
) -> np.ndarray:
    """Which designs of a grid the rule lets through, shape of the grid."""
    io = grid["link"] + host_io
    values = {
        "tpp": grid["tpp"],
        "tpp_2022": grid["tpp"],
        "pd": grid["tpp"] / grid["area"],
        "io_total": io,
        "mem_bw": grid["mem_bw"],
        "mem_plus_io": grid["mem_bw"] + io,
        "dc": "yes" if datacenter else "no",
        "nonplanar": "yes",
    }
    allowed = np.ones(grid["tpp"].shape, bool)
    for test in regime.forbidden_tests():
        allowed &= ~export_rules.mask(test, values)
    return allowed


def best_design(
    technology: Technology,
    regime: Regime,
    workload: str = "decode",
    batch: float = 1,
    datacenter: bool = True,
    n: tuple[int, int, int, int] = (24, 24, 12, 10),
) -> Best:
    """Search for the allowed design with the shortest step.

    Among designs of equal speed the one with the most of what did not matter wins, on the smallest die.

    Parameters
    ----------
    technology : Technology
    regime : Regime
    workload : str
        A key of :data:`computegap.chips.workloads.WORKLOADS`.
    batch : float
        Sequences (decode) or tokens per chip (training, prefill).
    datacenter : bool
        Whether the part is designed or marketed for data centres.
    n : tuple of int
        See :func:`design_grid`.

    Raises
    ------
    ValueError
        If the rule allows no design on the grid.
    """
    grid = design_grid(technology, regime, n)
    allowed = allowed_mask(grid, regime, technology.host_io, datacenter)
    if not allowed.any():
        raise ValueError(f"{regime.name} allows no design of {technology.name} on this grid")
    seconds = _seconds(grid, workload, batch)
    shortest = seconds[allowed].min()
    near = np.flatnonzero(allowed & (seconds <= shortest * (1 + 1e-9)))
    # The maker has no reason to withhold what the rule allows, and silicon costs money.
    order = np.lexsort((grid["area"][near], -grid["link"][near], -grid["mem_bw"][near], -grid["tpp"][near]))
    at = near[order[0]]
    picked = Design(
        *(float(grid[name][at]) for name in ("area", "tpp", "mem_bw", "link")),
        host_io=technology.host_io,
        datacenter=datacenter,
    )
    top = _machine(
        "top", technology.density * technology.max_area, technology.max_mem_bw, technology.max_link
    )
    free = float(workloads.step_time(top, workload, batch))
    return Best(picked, float(seconds[at]), free, int(allowed.size), int(allowed.sum()))


def max_tpp(
    area: float, regime: Regime = OCT_2023, density: float = float("inf"), datacenter: bool = True
) -> float:
    """Most TPP that a rule allows on an area (its upper limit), in closed form from the rule's own lines.

    The tests cut TPP at fixed numbers and at multiples of the area, so between two neighbouring cuts the
    answer cannot change: it is enough to try one point below each cut, from the top down.

    Parameters
    ----------
    area : float
        mm² of applicable die.
    regime : Regime
        Tests on other quantities than TPP and density are met by assumption (no link, slow memory).
    density : float
        Ceiling of the technology, TPP per mm².
    datacenter : bool

    Returns
    -------
    float
        Infinity if neither rule nor technology sets a limit.
    """
    if area <= 0:
        raise ValueError(f"area must be positive, not {area}")
    at = _line_values(regime.forbidden_tests())
    cuts = sorted({*at.get("tpp", []), *at.get("tpp_2022", []), *(d * area for d in at.get("pd", []))})
    ceiling = density * area
    tops = [ceiling, *(cut for cut in reversed(cuts) if cut < ceiling)]
    for top in tops:
        inside = top * (1 - MARGIN) if np.isfinite(top) else (cuts[-1] if cuts else 1.0) * 2
        if regime.allows(Design(area, inside, 1.0, 0.0, host_io=0.0, datacenter=datacenter)):
            return top
    return 0.0


# -------------------------------------------------------------- cat and mouse


@dataclass(frozen=True)
class Move:
    """One round: a rule, the technology of the day, the chips then sold.

    Attributes
    ----------
    year : int
    regime : Regime
    technology : str
        Chip of the registry that stands for what could be built.
    sold : tuple of (chip, edition, quantity, line)
        What was sold under the rule, and the line it was drawn to.
    note : str
    """

    year: int
    regime: Regime
    technology: str
    sold: tuple[tuple[str, str, str, float], ...]
    note: str


#: 2022 to 2026. Lines are looked up in the registry by edition and name.
def history() -> list[Move]:
    """The moves of rule-makers and designers, 2022 to 2026, with the line each chip was drawn to."""

    def at(edition: str, name: str) -> float:
        return float(facts.threshold(edition, name))

    io_2022 = ("oct2022", "io_total", at("oct2022", "io_total"))
    tpp_b = ("oct2023", "tpp", at("oct2023", "tpp_b"))
    tpp_a = ("oct2023", "tpp", at("oct2023", "tpp_a"))
    tpp_floor = ("oct2023", "tpp", at("oct2023", "tpp_floor"))
    pd_b = ("oct2023", "pd", at("oct2023", "pd_b_high"))
    both = ("h20_letter_2025_04", "mem_plus_io", at("h20_letter_2025_04", "mem_plus_io"))
    memory = ("h20_letter_2025_04", "mem_bw", at("h20_letter_2025_04", "mem_bw"))
    top = ("jan2026", "tpp", at("jan2026", "tpp"))
    return [
        Move(
            2022,
            OCT_2022,
            "H100",
            (("A800", *io_2022), ("H800", *io_2022)),
            "the rule asks for much arithmetic and a fast link together: the link is cut",
        ),
        Move(
            2023,
            OCT_2023,
            "H200",
            (("H20", *tpp_b), ("L20", *pd_b), ("L2", *tpp_floor), ("RTX 4090 D", *tpp_a)),
            "the link no longer matters, arithmetic and its density do: arithmetic is cut",
        ),
        Move(
            2025,
            APR_2025,
            "B200",
            (("RTX 6000D", *both), ("RTX 5090 D V2", *memory)),
            "a letter adds memory and link: memory is cut",
        ),
        Move(
            2026,
            JAN_2026,
            "B300",
            (("MI325X", *top), ("H200", *top)),
            "the ceiling for a licence is raised instead: the chips of 2023 and 2024 come back",
        ),
    ]


@dataclass(frozen=True)
class Round:
    """One round of the replay: the best allowed design by workload, and what was sold.

    Attributes
    ----------
    move : Move
    best : Best
        For the workload that the designer aimed at.
    speeds : dict
        Workload -> speed of that one design relative to the unrestricted chip of the same technology.
    closed_by_next : bool or None
        Whether the following regime forbids the design; None in the last round.
    sold : dict
        Chip -> distance above its line (negative: below).
    """

    move: Move
    best: Best
    speeds: dict[str, float]
    closed_by_next: bool | None
    sold: dict[str, float | None]


#: Batch at which workloads are compared in the game: tokens per chip, or sequences.
GAME_BATCH = {
    "training, tensor parallel": 4096,
    "prefill": 4096,
    "decode": 16,
}


def distance_to_line(chip: str, quantity: str, line: float) -> float | None:
    """Relative distance of a real chip above a line (negative: below); None if unknown."""
    export_rules.evaluate({"ge": [quantity, line]}, {})  # refuses an unknown quantity
    value = export_rules.quantities(chip)[quantity]
    return None if value is None else value / line - 1.0


def replay(aim: str = "training, tensor parallel") -> list[Round]:
    """Play the game: in each round the designer answers the rule in force with the best allowed design.

    Parameters
    ----------
    aim : str
        Workload that the designer optimises, a key of :data:`GAME_BATCH`.

    Raises
    ------
    LookupError
        For a workload that is not part of the game.
    """
    if aim not in GAME_BATCH:
        raise LookupError(f"the game knows {', '.join(GAME_BATCH)}, not {aim!r}")
    moves, rounds = history(), []
    for i, move in enumerate(moves):
        technology = Technology.of(move.technology)
        best = best_design(technology, move.regime, aim, GAME_BATCH[aim])
        mine = best.design.machine()
        top = Design(
            technology.max_area,
            technology.density * technology.max_area,
            technology.max_mem_bw,
            technology.max_link,
        ).machine()
        speeds = {
            name: float(workloads.step_time(top, name, batch) / workloads.step_time(mine, name, batch))
            for name, batch in GAME_BATCH.items()
        }
        closed = None if i + 1 == len(moves) else not moves[i + 1].regime.allows(best.design)
        sold = {chip: distance_to_line(chip, quantity, line) for chip, _, quantity, line in move.sold}
        rounds.append(Round(move, best, speeds, closed, sold))
    return rounds
