"""Pictures of the rules: the plane they cut, the best chip they allow, the game, the distances (chapter 1).

Every ``draw``-like function returns a figure; its companion ``describe_*`` says in one sentence, computed
from the same data, what the figure shows. Structure stays the same from state to state (markers move and
change colour, none come or go), so that the recorded states of a page stay small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from computegap import facts
from computegap.chips import compliant, export_rules

#: Year in which a set of tests took effect -> (what to call it, editions in force that look at a data sheet).
STAGES: dict[int, tuple[str, tuple[str, ...]]] = {
    2021: ("Before the first rule", ()),
    2022: ("October 2022", ("oct2022",)),
    2023: ("October 2023", ("oct2023",)),
    2025: ("April 2025", ("oct2023", "h20_letter_2025_04")),
    2026: ("January 2026", ("oct2023", "h20_letter_2025_04", "jan2026")),
}
#: Status -> (colour of the edge, filled).
_LOOK = {
    "free": ("C0", False),
    "licence needed": ("C1", True),
    "case by case": ("C4", True),
    "denial presumed": ("C3", True),
    "cannot be decided": ("C6", True),
}
_SHORT = {"licence needed": "licence", "denial presumed": "denial"}
#: Chips that carry their name in the plane -> offset of the label in points and its alignment.
_LABELS = {
    "A100 SXM 80GB": ("A100", (8, -8), "left"),
    "H100 SXM": ("H100", (-8, 5), "right"),
    "H20 96GB": ("H20", (7, -9), "left"),
    "L20": ("L20", (-8, -4), "right"),
    "L4": ("L4", (-8, 0), "right"),
    "RTX 4090": ("4090", (2, 8), "left"),
    "RTX 4090 D": ("4090 D", (-7, 4), "right"),
    "B200 SXM": ("B200", (-8, 2), "right"),
    "Ascend 910C": ("910C", (8, -9), "left"),
    "MI300X": ("MI300X", (8, -4), "left"),
    "MI250X": ("MI250X", (7, -8), "left"),
    "V100 SXM2 32GB": ("V100", (-7, -7), "right"),
}


def _stage(year: int) -> tuple[str, tuple[str, ...]]:
    try:
        return STAGES[int(year)]
    except KeyError:
        raise LookupError(
            f"no rule changed in {year}; the stages are {', '.join(map(str, STAGES))}"
        ) from None


def status(chip: str | facts.Chip, year: int = 2023, how: str | export_rules.Reading = "as_written") -> str:
    """What a seller to China had to expect for a chip once the tests of a year were in force.

    Returns
    -------
    str
        ``"free"``, ``"licence needed"``, ``"case by case"``, ``"denial presumed"`` or ``"cannot be
        decided"``.
    """
    found = [export_rules.outcome(chip, edition, how) for edition in _stage(year)[1]]
    if "presumption_of_denial" in found:
        return "denial presumed"
    if "case_by_case" in found:
        return "case by case"
    if any(label in export_rules.NEEDS_LICENCE for label in found):
        return "licence needed"
    return "cannot be decided" if export_rules.UNDECIDABLE in found else "free"


@dataclass(frozen=True)
class Region:
    """A rectangle of the plane: TPP from ``x0`` to ``x1``, density from ``y0`` to ``y1``."""

    label: str
    x0: float
    x1: float
    y0: float
    y1: float

    def contains(self, tpp: float, pd: float) -> bool:
        """Whether a point lies in it (lower edges belong to it, upper ones do not)."""
        return self.x0 <= tpp < self.x1 and self.y0 <= pd < self.y1


def regions(year: int) -> list[Region]:
    """Rectangles that the tests of a year cut out of the plane, for parts for data centres.

    Only what depends on TPP and density; the October 2022 test also asks for a fast link, the letter of April
    2025 looks at other quantities altogether.
    """
    year, top = int(year), float("inf")
    _stage(year)

    def at(edition: str, name: str) -> float:
        return float(facts.threshold(edition, name))

    if year < 2022:
        return []
    if year == 2022:
        return [Region("controlled", at("oct2022", "tpp"), top, 0.0, top)]
    names = ("tpp_a", "tpp_floor", "tpp_b", "pd_a", "pd_b_low", "pd_b_high")
    a, floor, b, pd_a, low, high = (at("oct2023", name) for name in names)
    ceiling = at("jan2026", "tpp") if year >= 2026 else top
    found = [
        Region("3A090.a", a, ceiling, 0.0, top),
        Region("3A090.a", floor, a, pd_a, top),
        Region("3A090.b", b, a, low, pd_a),
        Region("3A090.b", floor, b, high, pd_a),
    ]
    if year >= 2026:
        found.append(Region("denied", ceiling, top, 0.0, top))
    return found


_REGION_COLOUR = {"controlled": "C1", "3A090.a": "C1", "3A090.b": "C4", "denied": "C3"}


def _plane_chips() -> list[facts.Chip]:
    """Chips with both measures known; rumoured ones and those that nobody sells stay out of the picture."""
    known = facts.chips(known=("applicable_die_mm2",))
    left_out = {c.name for c in known if c.bf16.confidence == "weak" or c.market == "cloud only"}
    return [c for c in known if (export_rules.tpp(c) or 0) > 1200 and c.name not in left_out]


def confirmed(chip: str | facts.Chip) -> bool:
    """Whether a chip's place in the plane rests on values that were checked against a source."""
    chip = facts.chip(chip) if isinstance(chip, str) else chip
    rates = export_rules.rates(chip)
    checked = [rate * export_rules.BITS[name] for name, rate in rates.items() if chip.trusted(name)]
    return chip.trusted("applicable_die_mm2") and max(checked, default=0.0) == export_rules.tpp(chip)


def _contradicted(year: int, how: str | export_rules.Reading) -> set[str]:
    """Chips for which the newest edition of a year, so read, says something else than history."""
    editions = _stage(year)[1]
    if not editions:
        return set()
    rows = facts.expected_outcomes(rule=editions[-1])
    found = export_rules.compare_with_history(how, rows)
    return {facts.chip(row.chip).name for row in found if row.kind == "mismatch"}


def rule_plane(year: int = 2023, how: str = "as_written") -> Figure:
    """The plane of TPP and performance density with what a year's tests make of each chip.

    Parameters
    ----------
    year : int
        A key of :data:`STAGES`.
    how : str
        A key of :data:`computegap.chips.export_rules.READINGS`.
    """
    title, _ = _stage(year)
    fig, ax = plt.subplots(layout="none")
    fig.subplots_adjust(0.09, 0.235, 0.985, 0.91)
    ax.set(xscale="log", yscale="log", xlim=(900, 130_000), ylim=(1.2, 90))
    limits = (*ax.get_xlim(), *ax.get_ylim())
    for region in [*regions(year), *[Region("controlled", 1, 1, 1, 1)] * 5][:5]:
        ax.add_patch(_rectangle(region, limits))
    wrong = _contradicted(year, how)
    for chip in _plane_chips():
        _plot_chip(ax, chip, year, how, chip.name in wrong)
    ax.set_xticks([1000, 3000, 10_000, 30_000, 100_000], ["1,000", "3,000", "10,000", "30,000", "100,000"])
    ax.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
    ax.minorticks_off()
    ax.set_xlabel("total processing performance (TPP)")
    ax.set_ylabel("performance density (TPP/mm²)")
    ax.set_title(f"{title}, data sheets read: {export_rules.reading(how).title}")
    handles = [_handle(name) for name in list(_LOOK)[:4]]
    handles.append(
        Line2D([], [], ls="", marker="s", mfc="none", mec="C7", ms=11, mew=1.6, label="not as history")
    )
    fig.legend(
        handles=handles, loc="lower center", ncols=5, handletextpad=0.1, columnspacing=1.2, fontsize=11
    )
    return fig


def _handle(name: str) -> Line2D:
    colour, filled = _LOOK[name]
    face = colour if filled else "none"
    return Line2D(
        [], [], ls="", marker="o", mec=colour, mfc=face, mew=1.6, ms=7, label=_SHORT.get(name, name)
    )


def _rectangle(region: Region, limits: Sequence[float]) -> Rectangle:
    x0, x1 = np.clip([region.x0, region.x1], *limits[:2])
    y0, y1 = np.clip([region.y0, region.y1], *limits[2:])
    colour = _REGION_COLOUR[region.label]
    return Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=colour, alpha=0.13, edgecolor="none", zorder=0.5)


def _plot_chip(ax: plt.Axes, chip: facts.Chip, year: int, how: str, wrong: bool) -> None:
    x, y = export_rules.tpp(chip, how), export_rules.performance_density(chip, how)
    colour, filled = _LOOK[status(chip, year, how)]
    face = colour if filled else plt.rcParams["axes.facecolor"]
    marker, size = ("o", 7) if confirmed(chip) else ("D", 5.5)
    ax.plot(x, y, marker, ms=size, mec=colour, mfc=face, mew=1.6, zorder=3)
    ax.plot(x, y, "s", ms=13, mfc="none", mec="C7", mew=1.6 if wrong else 0.0, zorder=4)
    if chip.name in _LABELS:
        text, offset, side = _LABELS[chip.name]
        ax.annotate(
            text,
            (x, y),
            offset,
            textcoords="offset points",
            ha=side,
            fontsize=11,
            zorder=5,
            annotation_clip=False,
        )


def describe_rule_plane(year: int = 2023, how: str = "as_written") -> str:
    """How many of the chips in the plane fall under each status, and which contradict history."""
    title, _ = _stage(year)
    chips = _plane_chips()
    found = [status(chip, year, how) for chip in chips]
    parts = [f"{found.count(name)} {name}" for name in _LOOK if name in found]
    wrong = sorted(_contradicted(year, how) & {c.name for c in chips})
    tail = f" History differs for {', '.join(wrong)}." if wrong else ""
    reading = export_rules.reading(how).title
    return f"{title}, data sheets read: {reading}. Of {len(chips)} chips drawn: {', '.join(parts)}.{tail}"


# ------------------------------------------------------------ the best chip


def _areas() -> np.ndarray:
    corners = [500, 750, 1500, 3000]
    near = [c * f for c in corners for f in (1 - 1e-4, 1 + 1e-4)]
    return np.unique(np.concatenate([np.linspace(150, 3200, 62), near]))


#: Technology -> chip that it is read from, for the choices of the figure.
TECHNOLOGIES = {
    "A100's (2020)": "A100",
    "H100's (2022)": "H100",
    "B200's (2024)": "B200",
    "Ascend 910C's (2025)": "910C",
}
_FRONTIER_CHIPS = {
    "L2": ("L2", (-7, 4), "right"),
    "L20": ("L20", (-6, 5), "right"),
    "H20": ("H20", (6, 7), "left"),
    "A100": ("A100", (8, -4), "left"),
    "H100": ("H100", (-7, 5), "right"),
    "910C": ("910C", (8, -4), "left"),
    "B200": ("B200", (-8, 3), "right"),
    "MI300X": ("MI300X", (-2, 9), "center"),
}


def legal_frontier(regime: str = "October 2023", technology: str = "H100's (2022)") -> Figure:
    """Most TPP against die area: what the technology could build, and what the rule leaves of it.

    Parameters
    ----------
    regime : str
        A key of :data:`computegap.chips.compliant.REGIMES`.
    technology : str
        A key of :data:`TECHNOLOGIES`.
    """
    areas = _areas()
    density = compliant.Technology.of(TECHNOLOGIES[technology]).density
    could = density * areas
    may = np.array([compliant.max_tpp(a, compliant.REGIMES[regime], density) for a in areas])
    fig, ax = plt.subplots(layout="none")
    fig.subplots_adjust(0.125, 0.14, 0.985, 0.91)
    ax.set(yscale="log", xlim=(0, 3200), ylim=(900, 90_000))
    ax.fill_between(areas, may, could, color="C1", alpha=0.13, lw=0)
    ax.plot(areas, could, color="C6", ls="--", label="what the technology gives")
    ax.plot(areas, may, color="C0", lw=2.6, label="what the rule leaves")
    ax.axvline(compliant.RETICLE_MM2, color="C6", lw=1, ls=":")
    ax.annotate(
        "one exposure", (compliant.RETICLE_MM2, 1000), (5, 2), textcoords="offset points", fontsize=11
    )
    for name, (text, offset, side) in _FRONTIER_CHIPS.items():
        chip = facts.chip(name)
        x, y = float(chip.applicable_die_mm2), export_rules.tpp(chip)
        ax.plot(x, y, "o", color="C1", ms=6, zorder=3)
        ax.annotate(text, (x, y), offset, textcoords="offset points", ha=side, fontsize=11)
    ax.set_yticks([1000, 3000, 10_000, 30_000], ["1,000", "3,000", "10,000", "30,000"])
    ax.minorticks_off()
    ax.set_xlabel("applicable die area (mm²)")
    ax.set_ylabel("total processing performance")
    ax.set_title(f"{regime}: the most a data-centre chip may do")
    ax.legend(loc="lower right", fontsize=11)
    return fig


def describe_legal_frontier(regime: str = "October 2023", technology: str = "H100's (2022)") -> str:
    """The rule's limit on one H100-sized die beside what the technology gives there."""
    area = float(facts.chip("H100").applicable_die_mm2)
    density = compliant.Technology.of(TECHNOLOGIES[technology]).density
    may = compliant.max_tpp(area, compliant.REGIMES[regime], density)
    return (
        f"{regime}, technology: {technology}. On a die of {area:,.0f} mm² a data-centre chip may have "
        f"{may:,.0f} TPP of the {density * area:,.0f} that the technology gives."
    )


# -------------------------------------------------------------- the game

_GAME_NAMES = {"training, tensor parallel": "training", "prefill": "prefill", "decode": "decode"}
_GAME_COLOURS = ("C0", "C2", "C1")


def cat_and_mouse(year: int = 2026, aim: str = "training, tensor parallel") -> Figure:
    """The replay up to a year: speed of the best allowed design by workload, and what was sold.

    Parameters
    ----------
    year : int
        Rounds after it are left empty.
    aim : str
        Workload that the designer optimises.
    """
    rounds = _replayed(aim)
    fig, ax = plt.subplots(layout="none")
    fig.subplots_adjust(0.155, 0.235, 0.60, 0.90)
    height = 0.26
    for i, (name, short) in enumerate(_GAME_NAMES.items()):
        values = [100 * r.speeds[name] if r.move.year <= year else 0 for r in rounds]
        at = np.arange(len(rounds)) + (i - 1) * height
        ax.barh(at, values, height * 0.9, color=_GAME_COLOURS[i], label=short)
    for i, played in enumerate(rounds):
        shown = played.move.year <= year
        ax.annotate(
            _sold_text(played) if shown else " \n ",
            (1.03, i),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=11,
            linespacing=1.35,
            annotation_clip=False,
        )
    ax.set_yticks(
        range(len(rounds)), [r.move.regime.name.replace(" ", "\n", 1).split(",")[0] for r in rounds]
    )
    ax.set(xlim=(0, 105), ylim=(len(rounds) - 0.45, -0.6))
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("speed, percent of the chip\nthat no rule would stop")
    ax.set_title(f"Best allowed design, made for {_GAME_NAMES[aim]}", x=-0.32)
    ax.annotate(
        "sold: distance to the line",
        (1.03, 0.955),
        xycoords="axes fraction",
        va="bottom",
        fontsize=11,
        color="C6",
        annotation_clip=False,
    )
    fig.legend(loc="lower right", ncols=1, fontsize=11, bbox_to_anchor=(0.93, 0.0), labelspacing=0.2)
    return fig


@cache  # the search behind a round takes longer than the drawing
def _replayed(aim: str) -> list[compliant.Round]:
    return compliant.replay(aim)


def percent(value: float) -> str:
    """A relative distance as text with a true minus sign: ``-0.0133`` -> ``"−1.3 %"``."""
    return f"{100 * value:+.1f} %".replace("-", "\u2212").replace(" ", "\u00a0")


def _sold_text(played: compliant.Round) -> str:
    parts = [f"{chip.removeprefix('RTX ')} {percent(d)}" for chip, d in played.sold.items() if d is not None]
    per_line = 2 if max(map(len, parts)) < 14 else 1
    return "\n".join(", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line))


def describe_cat_and_mouse(year: int = 2026, aim: str = "training, tensor parallel") -> str:
    """The latest round shown: its rule, what the best design keeps, what was sold."""
    played = [r for r in _replayed(aim) if r.move.year <= year]
    if not played:
        return "No rule yet: the best chip is the one that can be built."
    last = played[-1]
    kept = ", ".join(f"{short} {100 * last.speeds[name]:.0f} %" for name, short in _GAME_NAMES.items())
    sold = ", ".join(f"{chip} {percent(d)}" for chip, d in last.sold.items() if d is not None)
    return (
        f"{last.move.regime.name}, best design for {_GAME_NAMES[aim]}: it keeps {kept} of the "
        f"speed that no rule would stop. Sold, with distance to the line: {sold}."
    )


# ------------------------------------------------------------- distances


def drawn_to_lines() -> list[tuple[str, str, float]]:
    """(chip, line, relative distance) of chips drawn to a line and of chips that lines were drawn to."""
    rows = []
    for move in compliant.history():
        for chip, edition, quantity, line in move.sold:
            rows.append((chip, edition, quantity, line))
    for chip, name, quantity in (
        ("A100", "tpp_a", "tpp"),
        ("A100", "pd_a", "pd"),
        ("A10", "pd_b_high", "pd"),
    ):
        rows.append((chip, "oct2023", quantity, float(facts.threshold("oct2023", name))))
    rows.append(("RTX 5090 D", "oct2023", "tpp", float(facts.threshold("oct2023", "tpp_a"))))
    units = {
        "tpp": "TPP",
        "pd": "density",
        "io_total": "in and out",
        "mem_bw": "memory",
        "mem_plus_io": "memory + I/O",
    }
    found = []
    for chip, _, quantity, line in rows:
        distance = compliant.distance_to_line(chip, quantity, line)
        if distance is not None:
            found.append((chip, f"{units[quantity]} {line:,g}", distance))
    return sorted(found, key=lambda row: row[2])


def distances(within: float = 0.15) -> Figure:
    """How far each chip of interest lies from the line it is near, in percent.

    Parameters
    ----------
    within : float
        Larger distances are left out.
    """
    rows = [row for row in drawn_to_lines() if abs(row[2]) <= within]
    fig, ax = plt.subplots(layout="none")
    fig.subplots_adjust(0.385, 0.135, 0.975, 0.975)
    at = np.arange(len(rows))
    values = np.array([100 * row[2] for row in rows])
    ax.hlines(at, 0, values, color="C6", lw=1.2)
    below = values < 0
    ax.plot(values[below], at[below], "o", mec="C0", mfc=plt.rcParams["axes.facecolor"], mew=1.6, ms=7)
    ax.plot(values[~below], at[~below], "o", color="C1", ms=7)
    ax.axvline(0, color="C1", lw=1.6)
    ax.set_yticks(at, [f"{chip}: {line}" for chip, line, _ in rows], fontsize=11)
    ax.set_xlabel("distance from the line (%)")
    ax.grid(axis="y", visible=False)
    return fig


def describe_distances(within: float = 0.15) -> str:
    """How many chips lie how near below a line, and which is nearest."""
    rows = [row for row in drawn_to_lines() if abs(row[2]) <= within]
    below = [row for row in rows if row[2] < 0]
    chip, line, distance = max(below, key=lambda row: row[2])
    close = sum(row[2] > -0.05 for row in below)
    return (
        f"{len(rows)} chips and the lines next to them: {len(below)} lie below, {close} of these by "
        f"less than five percent; nearest is the {chip} at {percent(distance)} ({line})."
    )
