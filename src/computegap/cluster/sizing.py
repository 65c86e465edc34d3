"""The questions of chapter 9, put to the step-time model: which job, which chips, which layout, which error.

A :class:`Workload` is a model that somebody trained, with the batch and the tokens of that run. For a number
of chips the layout is searched (:mod:`computegap.cluster.layouts`), so that every chip gets one that suits.
The search uses the shipped calibration and keeps a few of the best layouts; the calibrations with a family
left out then choose among these, so that a range over calibrations costs no further search.

What is assumed is said here, in one place: the software practice of :data:`PRACTICE` for every chip; 50 GB/s
of network a chip where the registry has no figure; servers of an H20 or H800 that draw, beside their chips,
what those of the H100 do; and, for an Ascend's software, :func:`ascend_software`.
Taught in chapter 9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np

from computegap import facts
from computegap.cluster import calibration, failures, judge, layouts, published_runs
from computegap.cluster.calibration import Calibration
from computegap.cluster.equivalents import Curve, Equivalent, Machine, equal_work, price_of, served_watts
from computegap.cluster.hours import Estimate, hours_from_arithmetic, hours_from_step, training_flop_per_token
from computegap.cluster.spans import Span
from computegap.cluster.step_time import Breakdown, Hardware, Job, Layout, Model, Practice, step_time

#: Chips of the comparison, and the system of the registry that each is built into.
CHIPS = {"H100": "DGX H100", "H800": "HGX H800", "910C": "CloudMatrix 384", "H20": "HGX H20"}
#: What a well-kept stack does today, assumed for every chip.
PRACTICE = Practice(attention="vendor", tensor_overlap=True, expert_overlap=True, dispatch_bytes=1.0)
#: The same without hiding what layers send one another.
NOTHING_HIDDEN = replace(PRACTICE, tensor_overlap=False, expert_overlap=False)
#: Workload -> row of the table of runs that has its shape and batch, tokens of its run, and whether its
#: matrix products ran in eight bits.
WORKLOADS = {
    "GPT-3": ("sc21t2_09", 300e9, False),
    "Llama 3 405B": ("llama3_405b_16384_s8192", 15.6e12, False),
    "DeepSeek-V3": ("dsv3_isca_mpft", 14.8e12, True),
}
#: Published runs on (or of a size with) H100s, whose layouts stand for "before" when a link is cut.
LAYOUTS_BEFORE = {
    "GPT-3": "sc21t2_09",
    "Llama 3 405B": "llama3_405b_16384_s8192",
    "DeepSeek-V3": "mbridge_111",
}
#: Degrees of tensor parallelism that the search tries, as far as a node has the chips, and the rest of it.
TENSORS = (1, 2, 4, 8, 16)
AXES = {
    "pipeline": (1, 2, 4, 8, 16, 32),
    "recompute": ("nothing", "a quarter", "half", "everything"),
    "micro_batch": (1, 2, 4),
    "chunks": (1, 2, 4, 8),
}
EXPERT_AXIS = (8, 16, 32, 64)
#: How many of the best layouts for a number of chips the other calibrations choose among.
KEEP = 24
#: Numbers of chips at which a curve has a point.
GRID = tuple(2**power for power in range(8, 20))


@dataclass(frozen=True)
class Workload:
    """A model to train, as somebody trained it.

    Attributes
    ----------
    name : str
    model : Model
    batch : int
        Sequences of a step.
    tokens : float
        Of the whole run.
    eight_bits : bool
        Whether its matrix products ran in FP8 where the chip has it.
    """

    name: str
    model: Model
    batch: int
    tokens: float
    eight_bits: bool

    @property
    def tokens_per_step(self) -> float:
        """Tokens of a batch."""
        return float(self.batch * self.model.seq_len)


@cache
def workload(name: str) -> Workload:
    """Return a workload of :data:`WORKLOADS`.

    Raises
    ------
    LookupError
        If there is none of that name.
    """
    if name not in WORKLOADS:
        raise LookupError(f"unknown workload {name!r}; there are {', '.join(WORKLOADS)}")
    row, tokens, eight_bits = WORKLOADS[name]
    job = run_job(row)
    shape = {f.name: np.asarray(getattr(job.model, f.name)).item() for f in fields(Model)}
    return Workload(name, Model(**shape), int(job.layout.batch), tokens, eight_bits)


@cache
def _all_runs() -> published_runs.Runs:
    return published_runs.load()


def run_job(row: str) -> Job:
    """Return the job of a published run by the id of its row.

    Raises
    ------
    LookupError
        If no timed run has that id.
    """
    names = _all_runs().names.tolist()
    if row not in names:
        raise LookupError(f"no timed run has the id {row!r}")
    return _all_runs().job.take(names.index(row))


@cache
def hardware(
    name: str, *, eight_bits: bool = False, peak: str = "middle", link: float | None = None
) -> Hardware:
    """Return a chip with its wires.

    Parameters
    ----------
    name : str
        A chip of :data:`CHIPS`.
    eight_bits : bool
        Run matrix products in FP8 if the chip has it.
    peak : str
        ``low``, ``middle`` or ``high`` end of its sixteen-bit peak.
    link : float, optional
        Bytes/s in one direction between chips of a node, in place of the chip's own.

    Raises
    ------
    LookupError
        If the chip is not one of them.
    """
    if name not in CHIPS:
        raise LookupError(f"unknown chip {name!r}; there are {', '.join(CHIPS)}")
    chip, system = facts.chip(name), facts.system(CHIPS[name])
    bf16 = dict(
        zip(("low", "middle", "high"), (chip.bf16.range[0], chip.bf16.value, chip.bf16.range[1]), strict=True)
    )
    changes = {"peak": bf16[peak] * chip.bf16.si / chip.bf16.value, "per_node": int(system.n_chips)}
    if system.scale_out_gbs.known:
        changes["network"] = system.scale_out_gbs.si
    if eight_bits and chip.fp8.known:
        changes["low_peak"] = chip.fp8.si
    if link is not None:
        changes["link"] = link
    return published_runs.hardware(name, **changes)


# -- searching ---------------------------------------------------------------------------------------
def _axes(work: Workload, chip: Hardware, tensors: Sequence[int] = TENSORS) -> dict[str, Sequence[int]]:
    """What a search tries: no layer is cut over more chips than a node has."""
    axes: dict[str, Sequence[int]] = {**AXES, "tensor": tuple(t for t in tensors if t <= chip.per_node)}
    return axes | {"expert": EXPERT_AXIS} if work.model.experts else axes


@cache
def candidates(
    work: Workload, chip: Hardware, chips: int, practice: Practice = PRACTICE, keep: int = KEEP
) -> Job | None:
    """The best layouts that fit for a number of chips, as one job with arrays; None if none fits."""
    try:
        found = layouts.sweep(
            work.model, chip, chips, work.batch, practice=practice, keep=keep, **_axes(work, chip)
        )
    except ValueError:
        return None
    count = int(np.sum(found.fits))
    return found.job.take(np.arange(count)) if count else None


@cache
def _bundle(
    work: Workload, chip: Hardware, grid: tuple[int, ...], practice: Practice
) -> tuple[Job | None, np.ndarray, tuple[int, ...]]:
    """The candidates of all numbers of chips as one job, where each number's begin, and which have any."""
    found = [(chips, candidates(work, chip, chips, practice)) for chips in grid]
    some = [(chips, job) for chips, job in found if job is not None]
    if not some:
        return None, np.empty(0, int), ()
    sizes = [len(np.atleast_1d(job.layout.tensor)) for _, job in some]
    merged = {
        f.name: np.concatenate(
            [
                np.broadcast_to(getattr(job.layout, f.name), size)
                for (_, job), size in zip(some, sizes, strict=True)
            ]
        )
        for f in fields(Layout)
    }
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    return Job(work.model, chip, Layout(**merged), practice), starts, tuple(chips for chips, _ in some)


@cache
def curve(
    work: Workload,
    chip: Hardware,
    knobs: Calibration = calibration.FITTED,
    grid: tuple[int, ...] = GRID,
    practice: Practice = PRACTICE,
) -> Curve:
    """Tokens per second against chips, each point with its best layout; zero where none fits."""
    job, starts, counts = _bundle(work, chip, grid, practice)
    rates = dict.fromkeys(grid, 0.0)
    if job is not None:
        fastest = np.minimum.reduceat(step_time(job, knobs, checked=True).total, starts)
        rates |= dict(zip(counts, (work.tokens_per_step / fastest).tolist(), strict=True))
    return Curve(tuple(float(chips) for chips in grid), tuple(rates.values()))


def best(
    work: Workload,
    chip: Hardware,
    chips: int,
    knobs: Calibration = calibration.FITTED,
    practice: Practice = PRACTICE,
) -> tuple[Job, Breakdown]:
    """The fastest layout that fits, and where its time goes.

    Raises
    ------
    ValueError
        If none fits.
    """
    jobs = candidates(work, chip, chips, practice)
    if jobs is None:
        raise ValueError(f"{work.name} fits on {chips} of these chips in no layout that was tried")
    job = jobs.take(int(np.argmin(step_time(jobs, knobs, checked=True).total)))
    return job, step_time(job, knobs, checked=True)


@dataclass(frozen=True)
class Million:
    """A large search over layouts and numbers of chips.

    Attributes
    ----------
    tried, fitting : int
        Layouts looked at, and those that fit into memory.
    sweep : Sweep
        All that multiply and divide.
    """

    tried: int
    fitting: int
    sweep: layouts.Sweep

    def places(self, chips: int) -> np.ndarray:
        """Places of the layouts on so many chips that fit, the fastest first."""
        return np.flatnonzero((np.asarray(self.sweep.job.layout.chips) == chips) & self.sweep.fits)

    def median_over_best(self, chips: int) -> float:
        """How much longer the median layout that fits takes than the best, as a share."""
        seconds = self.sweep.seconds[self.places(chips)]
        return float(np.median(seconds) / seconds[0] - 1)

    def line(self, chips: int) -> str:
        """The best layout on so many chips, in words."""
        places = self.places(chips)
        found = self.sweep.layout(int(places[0]))
        return (
            f"{chips:7,d} chips: {self.sweep.seconds[places[0]]:6.2f} s with tensor {found.tensor}, "
            f"pipeline {found.pipeline}, data {found.data}, chunks {found.chunks}, {found.sharding}"
        )


def million(work: Workload, chip: Hardware, chips: Sequence[int] = tuple(range(256, 16_641, 64))) -> Million:
    """Search every layout on many numbers of chips at once."""
    found = layouts.sweep(work.model, chip, list(chips), work.batch, practice=PRACTICE, keep=10**7)
    return Million(found.tried, int(np.sum(found.fits)), found)


def fixed_step(work: Workload, chip: Hardware, tensor: int, batch: int, pipeline: int = 16) -> Breakdown:
    """A step in one given layout on a thousand chips, whatever its memory: a picture of the parts.

    Messages of tensor parallelism are not hidden, one sequence is a micro-batch, and stages hold one chunk.
    """
    chips = 1024
    data = chips // (tensor * pipeline)
    layout = Layout(
        chips=chips, batch=batch, tensor=tensor, pipeline=pipeline, data=data,
        sharding="zero1", sequence_parallel=tensor > 1,
    )  # fmt: skip
    return step_time(Job(work.model, chip, layout, NOTHING_HIDDEN))


def search_rows(
    work: Workload, chip: Hardware, chips: int, tensors: Sequence[int] = (1, 4, 8)
) -> dict[str, Breakdown]:
    """The best layout for each degree of tensor parallelism; degrees in which nothing fits are left out."""
    rows = {}
    for tensor in tensors:
        axes = _axes(work, chip, (tensor,))
        try:
            found = layouts.sweep(work.model, chip, chips, work.batch, practice=PRACTICE, keep=1, **axes)
        except ValueError:
            continue
        if found.fits[0]:
            plan = found.layout(0)
            seconds = f"{found.seconds[0]:.3g} s"
            rows[f"{plan.tensor} by {plan.pipeline} by {plan.data}: {seconds}"] = found.breakdown(0)
    return rows


def searches(
    works: Mapping[str, Workload], chips: Sequence[str], counts: Sequence[int]
) -> dict[tuple[str, str, int, bool], dict[str, Breakdown]]:
    """Searches for a page: by workload, chip, number of chips, and whether the link is that of the H800."""
    cut = float(facts.chip("H800").link_gbs.si) / 2
    return {
        (name, chip, count, slow): search_rows(
            work, hardware(chip, eight_bits=work.eight_bits, link=cut if slow else None), count
        )
        for name, work in works.items()
        for chip in chips
        for count in counts
        for slow in (False, True)
    }


def cut_link(
    work: Workload, folds: Mapping[str, Calibration], interval: tuple[float, float]
) -> dict[str, tuple[float, tuple[float, float], tuple[float, float]]]:
    """What it costs to give an H100 the link of the H800, with more and more done about it.

    The layout is that of a published run, first with nothing hidden behind arithmetic, then with messages
    hidden; in the third case each link gets the best layout that is found for as many chips.

    Parameters
    ----------
    work : Workload
    folds : mapping of name to Calibration
        The shipped one first.
    interval : tuple of float
        Published over predicted: the interval of a single prediction.

    Returns
    -------
    dict of label to (middle, apart, in pairs)
        Time with the slow link over time with the fast one: by the shipped calibration; if both predictions
        erred by themselves within the interval; over the calibrations, which both share.
    """
    fast = hardware("H100", eight_bits=work.eight_bits)
    slow = replace(fast, link=float(facts.chip("H800").link_gbs.si) / 2)
    given = run_job(LAYOUTS_BEFORE[work.name])
    chips = int(given.layout.chips)
    wide = interval[1] / interval[0]

    def fixed(chip: Hardware, practice: Practice, knobs: Calibration) -> float:
        job = replace(given, hardware=chip, practice=practice)
        return float(step_time(job, knobs, checked=True).total)

    rows = {}
    for label, practice in (
        ("nothing hidden", NOTHING_HIDDEN),
        ("messages hidden", PRACTICE),
        ("and a new layout", None),
    ):
        if practice is None:
            times = [
                [float(best(work, chip, chips, k)[1].total) for chip in (fast, slow)] for k in folds.values()
            ]
        else:
            times = [[fixed(chip, practice, k) for chip in (fast, slow)] for k in folds.values()]
        ratios = [after / before for before, after in times]
        rows[label] = ratios[0], (ratios[0] / wide, ratios[0] * wide), (min(ratios), max(ratios))
    return rows


def hidden_share(rows: Mapping[str, tuple[float, tuple[float, float], tuple[float, float]]]) -> float:
    """Share of the loss with nothing hidden that hiding the messages wins back, in one layout.

    Parameters
    ----------
    rows : mapping
        As :func:`cut_link` gives it.

    Raises
    ------
    ValueError
        If nothing was lost.
    """
    exposed, hidden = (row[0] - 1 for row in list(rows.values())[:2])
    if exposed <= 0:
        raise ValueError("nothing was lost, so that nothing can be won back")
    return 1 - hidden / exposed


# -- errors ------------------------------------------------------------------------------------------
def calibrations(verdict: judge.Verdict) -> dict[str, Calibration]:
    """The shipped calibration, and one for each family, fitted without it."""
    if getattr(verdict, "folds", None):
        return {"": calibration.FITTED, **verdict.folds}
    return {
        "": calibration.FITTED,
        **{name: judge.fit_without(verdict.runs, name) for name in verdict.families},
    }


def apart(ratio: Span, interval: tuple[float, float]) -> tuple[float, float]:
    """Ends of a ratio of two chips if both predictions erred by themselves, each within its interval.

    Parameters
    ----------
    ratio : Span
        Chips for one of the reference.
    interval : tuple of float
        Published over predicted time, of a single prediction.
    """
    wide = interval[1] / interval[0]
    return ratio.low / wide, ratio.high * wide


#: Other bills of Meta for the text-only Llama 3.1: row of the card -> (row with its shape, chips, batch).
#: The cards state no cluster; both numbers are assumed, of the order of the report's for the large model.
OTHER_CARDS = {
    "llama3_1_70B_card": ("tt_70b_256_bf16_asyncTP", 2048, 2048),
    "llama3_1_8B_card": ("tt_8b_128_compile", 1024, 1024),
}


def cards_over_ours() -> dict[str, float]:
    """Hours on Meta's cards for the smaller Llamas over ours in the best layout, without failures."""
    rows = {row["id"]: row for row in facts_rows()}
    result = {}
    for card, (like, chips, batch) in OTHER_CARDS.items():
        model = run_job(like).model
        shape = {f.name: np.asarray(getattr(model, f.name)).item() for f in fields(Model)}
        tokens = float(rows[card]["tokens_B"]) * 1e9
        work = Workload(card, Model(**(shape | {"seq_len": 8192})), batch, tokens, False)
        step = float(best(work, hardware("H100"), chips)[1].total)
        ours = hours_from_step(step, work.tokens_per_step, chips, tokens)
        result[rows[card]["model"]] = float(rows[card]["accel_hours"]) / ours
    return result


def ascend_software() -> Span:
    """Share of what the model expects of an Ascend that Huawei has reported to reach.

    The only published training runs on Ascends with a rate are those of Pangu Ultra MoE, on chips of the
    generation before (910B). The model is asked for its best layout of a model of that shape on them, over
    the ends of the chip's peak and 25 or 50 GB/s of network; the reported rates, one from a paper and one
    announced later with a higher utilisation, are divided by what it says. The middle is the geometric mean.
    """
    row = next(row for row in facts_rows() if row["id"] == "pangu_ultra_moe_6k")
    reported = float(row["tokens_per_s_per_accel"])
    later = reported * facts.published("pangu-moe-10k").value / facts.published("pangu-moe-6k").value
    shape = replace(workload("DeepSeek-V3").model, hidden=float(row["hidden"]), seq_len=float(row["seq_len"]))
    work = Workload("Pangu Ultra MoE", shape, 8192, 1.0, False)
    expected = []
    for end in facts.chip("910B").bf16.range:
        for network in (25e9, 50e9):
            chip = published_runs.hardware("910B", peak=end * 1e12, network=network)
            expected.append(curve(work, chip, grid=(2048, 4096)).at(4096) / 4096)
    low, high = reported / max(expected), later / min(expected)
    return Span(low, float(np.sqrt(low * high)), high)


def facts_rows() -> tuple[dict[str, str], ...]:
    """Rows of the table of published runs as they stand, timed or not."""
    return tuple(published_runs._rows(published_runs.DATA / "cluster_runs.csv"))


# -- equal work --------------------------------------------------------------------------------------
def machine(name: str) -> Machine:
    """What a chip draws and costs, with its server.

    The server of an H20 or H800 is not published; beside its chips it is taken to draw what that of the H100
    does. Prices are those of whole systems divided by their chips, so that servers and switches are in them;
    nobody published one for the H800.
    """
    chip, system = facts.chip(name), facts.system(CHIPS[name])
    alone = Span.of(chip.tdp_w)
    if system.power_kw.known:
        per_chip = system.power_kw.si / system.power_kw.value / float(system.n_chips)
        served = Span.of(system.power_kw) * per_chip
        served = Span(max(served.low, alone.low), max(served.middle, alone.low), served.high)
        notes = ()
    else:
        reference = facts.system("DGX H100")
        served = served_watts(alone, reference.power_kw.si, 8, float(facts.chip("H100").tdp_w))
        notes = ("power of the server beside its chips: as that of the H100",)
    price = Span.of(system.price_usd) / float(system.n_chips) if system.price_usd.known else price_of(name)
    return Machine(name, alone, served, price, notes)


#: Ways of asking, in the order of the figure.
WAYS = ("by the peaks", "by the model", "own precision", "and its software")


def answer(
    work: Workload, count: int, folds: Mapping[str, Calibration], software: Span
) -> dict[str, dict[str, Equivalent]]:
    """How many of each other chip do what ``count`` H100 do, in each way of asking.

    Parameters
    ----------
    work : Workload
    count : int
        H100 of the cluster to replace.
    folds : mapping of name to Calibration
        The shipped one first.
    software : Span
        Share of what the model expects that software reaches on an Ascend, over the same share elsewhere.

    Returns
    -------
    dict of chip to dict of way to Equivalent
        The way ``by the peaks`` holds a range from the data sheets alone.
    """
    result: dict[str, dict[str, Equivalent]] = {}
    h100 = facts.chip("H100").bf16.value
    ours = {
        way: [
            curve(work, hardware("H100", eight_bits=way and work.eight_bits), knobs)
            for knobs in folds.values()
        ]
        for way in (False, True)
    }
    for name in CHIPS:
        if name == "H100":
            continue
        low, high = facts.chip(name).bf16.range
        ratio = Span(h100 / high, h100 / facts.chip(name).bf16.value, h100 / low)
        ends = ("middle",) if low == high else ("middle", "low", "high")
        theirs = {
            way: [
                [
                    curve(work, hardware(name, eight_bits=way and work.eight_bits, peak=end), knobs)
                    for end in ends
                ]
                for knobs in folds.values()
            ]
            for way in (False, True)
        }
        plain = Equivalent(name, ratio * count, ratio, ratio, ratio, ratio, None)
        exact, share = Span.of(1.0), software if facts.chip(name).vendor == "Huawei" else Span.of(1.0)
        asked = {WAYS[0]: plain}
        for way, own, reach in ((WAYS[1], False, exact), (WAYS[2], True, exact), (WAYS[3], True, share)):
            asked[way] = equal_work(machine("H100"), count, ours[own], machine(name), theirs[own], reach)
        result[name] = asked
    return result


def ratios_of(asked: Mapping[str, Mapping[str, Equivalent]]) -> dict[str, dict[str, Span]]:
    """Chips for one H100 by chip and way, for a figure."""
    return {name: {way: found.ratio for way, found in ways.items()} for name, ways in asked.items()}


# -- hours and growth --------------------------------------------------------------------------------
def routes_to_hours(
    work: Workload,
    runs: published_runs.Runs,
    predicted: float,
    interval: tuple[float, float],
    chip: str = "H800",
) -> list[Estimate]:
    """Accelerator-hours of DeepSeek-V3's pre-training from five sides, the most informed first.

    Parameters
    ----------
    work : Workload
    runs : Runs
        Published runs, for what dense ones reach.
    predicted : float
        Seconds of the published step by the model, told the layout and fitted without that run.
    interval : tuple of float
        Published over predicted time, for runs of this class.
    chip : str
    """
    chips, tokens = float(facts.fact("deepseek-v3-chips")), work.tokens
    peak = facts.chip(chip).bf16.si

    def from_step(seconds: float) -> float:
        return hours_from_step(seconds, work.tokens_per_step, chips, tokens)

    searched = float(best(work, hardware(chip, eight_bits=work.eight_bits), int(chips))[1].total)
    measured = from_step(float(facts.fact("v3-step")))
    rate = facts.fact("v3-rate").value * 1e12
    counted = hours_from_arithmetic(facts.fact("flop-per-token-deepseek-v3").si, tokens, rate)
    dense = runs.take(runs.judged)
    reached = judge.required_flops(dense) / (
        dense.seconds * np.asarray(dense.job.layout.chips) * np.asarray(dense.job.hardware.peak)
    )
    low, middle, high = np.quantile(reached, [0.1, 0.5, 0.9])
    each = training_flop_per_token(facts.fact("deepseek-v3-active").si)
    simple = [hours_from_arithmetic(each, tokens, share * peak) for share in (high, middle, low)]
    return [
        Estimate("their step, measured", measured, measured, measured, "the time of a step"),
        Estimate("their arithmetic, their rate", counted, counted, counted, "operations and rate"),
        Estimate(
            "our model, their layout",
            *(from_step(predicted * factor) for factor in (interval[0], 1.0, interval[1])),
            "the layout",
        ),
        Estimate(
            "our model, its own layout",
            *(from_step(searched * factor) for factor in (interval[0], 1.0, interval[1])),
            "chips and batch",
        ),
        Estimate("six per weight, dense runs", *simple, "active weights"),
    ]


def growth(
    works: Mapping[str, Workload],
    chips: Sequence[str],
    stores: Mapping[str, failures.Saving],
    per_chip: float,
    restart: float,
    batches: Sequence[int] = (1, 4),
) -> dict[tuple[str, int, str], dict[str, tuple[Curve, Curve]]]:
    """Curves before and after failures, by workload, batch and place of the checkpoints, for each chip.

    Parameters
    ----------
    works : mapping of name to Workload
    chips : sequence of str
    stores : mapping of name to Saving
    per_chip : float
        Seconds between failures of one chip.
    restart : float
        Seconds.
    batches : sequence of int
        Multiples of the published batch.
    """
    result: dict[tuple[str, int, str], dict[str, tuple[Curve, Curve]]] = {}
    for name, work in works.items():
        size = failures.checkpoint_bytes(float(work.model.parameters))
        for batch in batches:
            larger = replace(work, batch=batch * work.batch)
            before = {chip: curve(larger, hardware(chip, eight_bits=work.eight_bits)) for chip in chips}
            for store, saving in stores.items():

                def seconds(count: float, saving: failures.Saving = saving, size: float = size) -> float:
                    return saving.seconds(size, count)

                result[name, batch, store] = {
                    chip: (drawn, drawn.after_failures(per_chip, seconds, restart))
                    for chip, drawn in before.items()
                }
    return result
