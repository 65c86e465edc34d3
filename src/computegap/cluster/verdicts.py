"""Tables and sentences about how good the step-time model is, for the page that shows it.

Sentences whose sense depends on a result are chosen here from the result, so that a refit cannot leave a page
saying the opposite of its figures.
Taught in chapter 9.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from computegap.cluster import calibration, judge, published_runs
from computegap.cluster.calibration import Calibration
from computegap.cluster.judge import Rest, Verdict
from computegap.cluster.published_runs import Runs
from computegap.cluster.step_time import Breakdown, step_time

#: How a page calls the families; a family that is not here is called by its name in the table.
FAMILY_WORDS = {
    "llm_foundry": "LLM Foundry",
    "bloom_a100_opa": "BLOOM",
    "torchtitan": "torchtitan",
    "megatron_sc21_t1": "Megatron 2021, sizes",
    "megatron_sc21_t2": "Megatron 2021, ZeRO-3",
    "megascale_megascale": "MegaScale",
    "megascale_megatron": "MegaScale's baseline",
    "korthikanti_t5": "Megatron 2022",
    "mcore_h100_2024": "Megatron Core on H100",
    "nanotron_1b": "nanotron, 1B",
    "mt_nlg": "MT-NLG",
    "llama3_405b": "Llama 3 405B",
    "glm_130b": "GLM-130B",
    "megatron_bridge": "Megatron Bridge",
    "deepseek_h800": "DeepSeek-V3",
}
#: Other simulators in the record of errors, and what a figure calls them.
OTHERS = {"calculon": "calculon", "llm-analysis patched": "llm-analysis"}


def family_words(family: str) -> str:
    """What a page calls a family of runs."""
    return FAMILY_WORDS.get(family, family)


def words_of(verdict: Verdict) -> list[str]:
    """The family of every judged run, in words."""
    return [family_words(family) for family in verdict.runs.family.tolist()]


def error_table(verdict: Verdict) -> tuple[dict[str, dict[str, float | None]], dict[str, int]]:
    """Mean errors by model and family, and rows by family, the largest family first; families in words."""
    counts = {family: int(np.sum(verdict.runs.family == family)) for family in verdict.families}
    order = sorted(counts, key=lambda family: -counts[family])
    recorded = judge.recorded()
    errors: dict[str, dict[str, float | None]] = {
        "ours": {family_words(f): verdict.error("predicted", f) for f in order},
        "constant": {family_words(f): verdict.error("constant", f) for f in order},
    }
    for simulator, words in OTHERS.items():
        known = {f: recorded.get((simulator, f)) for f in order}
        errors[words] = {family_words(f): None if v is None else v / 100 for f, v in known.items()}
    return errors, {family_words(f): counts[f] for f in order}


def lost_in_words(verdict: Verdict) -> str:
    """One sentence on the families in which constant utilisation does better than the model."""
    counts = {family: int(np.sum(verdict.runs.family == family)) for family in verdict.families}
    lost = [f for f in verdict.families if verdict.error("predicted", f) > verdict.error("constant", f)]
    large = [f for f in lost if counts[f] >= judge.FAMILY_ROWS]
    small = [f for f in lost if f not in large]
    if not lost:
        return "There is no family in which constant utilisation does better."
    words = {name: " and ".join(family_words(f) for f in part) for name, part in (("l", large), ("s", small))}
    if not large:
        return (
            "In no family of five runs or more does constant utilisation do better; in a smaller one "
            f"({words['s']}) it does."
        )
    tail = f", and among the smaller ones in {words['s']}" if small else ""
    return f"Constant utilisation does better than the model in {words['l']}{tail}."


def published_steps(
    runs: Runs, chosen: Mapping[str, str], folds: Mapping[str, Calibration]
) -> tuple[dict[str, Breakdown], dict[str, float]]:
    """Predicted steps and published seconds of some runs, each predicted without its family.

    Labels get the number and kind of the chips behind them.

    Parameters
    ----------
    runs : Runs
    chosen : mapping of label to id of a row
    folds : mapping of family to Calibration
        The calibration that was fitted without it; a family that is not there gets the one under "".

    Raises
    ------
    LookupError
        If there is no row of that id.
    """
    names = runs.names.tolist()
    missing = [row for row in chosen.values() if row not in names]
    if missing:
        raise LookupError(f"no timed run has the id {', '.join(missing)}")
    steps, seconds = {}, {}
    for label, row in chosen.items():
        place = names.index(row)
        knobs = folds.get(str(runs.family[place]), folds[""])
        cells = runs.rows[place]
        words = f"{label}, {float(cells['n_accel']):,.0f} {cells['accel'].split('-')[0]}"
        steps[words] = step_time(runs.job.take(place), knobs, checked=True)
        seconds[words] = float(runs.seconds[place])
    return steps, seconds


@dataclass(frozen=True)
class ClassError:
    """Errors on a class of runs outside of the dense BF16 ones.

    Attributes
    ----------
    name : str
    runs, groups : int
        How many rows, and how many groups of them were left out one at a time.
    error, constant : float
        Mean error of the model and of constant utilisation, as shares.
    low, high : float
        Published over predicted: the ends of the middle four fifths of the runs.
    """

    name: str
    runs: int
    groups: int
    error: float
    constant: float
    low: float
    high: float


#: Classes of runs outside of the fit: name -> (experts, products below sixteen bits).
CLASSES = {
    "dense, below BF16": (False, True),
    "experts, BF16": (True, False),
    "experts, below BF16": (True, True),
}


def other_classes(rest: Rest) -> list[ClassError]:
    """Errors on mixtures of experts and on runs below sixteen bits.

    The model as judged there, with a group left out; constant utilisation fitted on the dense BF16 runs, of
    the peak of the precision that a run uses.

    Parameters
    ----------
    rest : Rest
        As :func:`computegap.cluster.judge.judge_rest` gives it.
    """
    book = published_runs.load()
    utilisation = judge.utilisation_without(book.take(book.judged), None)
    constant = judge.constant_seconds(rest.runs, utilisation)
    result = []
    for name, (experts, low) in CLASSES.items():
        mask = (~rest.runs.dense if experts else rest.runs.dense) & (
            ~rest.runs.bf16 if low else rest.runs.bf16
        )
        ratio = rest.runs.seconds[mask] / rest.predicted[mask]
        ends = np.quantile(ratio, [0.1, 0.9])
        result.append(
            ClassError(
                name,
                int(mask.sum()),
                len(set(rest.group[mask].tolist())),
                rest.error(mask),
                float(np.mean(np.abs(constant[mask] / rest.runs.seconds[mask] - 1))),
                float(ends[0]),
                float(ends[1]),
            )
        )
    return result


def between_releases(runs: Runs) -> float:
    """How many times faster the same job ran in one publication of the same software than in another.

    The largest ratio among rows that agree in model, chip, number of chips, layout, batch and precision.
    """
    same = (
        "family", "model", "accel", "n_accel", "tp", "pp", "vpp", "ep", "cp", "dp_shard", "global_batch",
        "micro_batch", "seq_len", "precision",
    )  # fmt: skip
    times: dict[tuple[str, ...], list[float]] = {}
    for row, seconds in zip(runs.rows, runs.seconds, strict=True):
        times.setdefault(tuple(row[name] for name in same), []).append(float(seconds))
    return max(max(found) / min(found) for found in times.values())


def others_in_words(rows: Sequence[ClassError]) -> str:
    """One or two sentences on classes outside of the fit: the lean, and where constant utilisation wins."""
    short = [row.name for row in rows if row.low > 1]
    lost = [row.name for row in rows if row.error > row.constant]
    if short and len(short) == len(rows):
        lean = "Nearly all of these runs took longer than predicted."
    elif short:
        lean = f"Runs of the class “{short[0]}” nearly all took longer than predicted."
    else:
        lean = "The errors go both ways."
    if lost:
        return f"{lean} In {' and '.join(f'“{name}”' for name in lost)} constant utilisation is nearer."
    return f"{lean} Constant utilisation is further off in every class."


def constant_by_family(verdict: Verdict) -> np.ndarray:
    """Seconds by a constant utilisation for which every family counts alike, fitted without the row's own.

    :func:`computegap.cluster.judge.judge` fits its rival to the mean error over rows. This one has the least
    mean error over families, which makes it stronger in the small ones.
    """
    runs = verdict.runs
    peak = np.maximum(runs.job.hardware.peak, runs.job.hardware.low_peak)
    reached = judge.required_flops(runs) / (runs.seconds * np.asarray(runs.job.layout.chips) * peak)
    counts = {family: int(np.sum(runs.family == family)) for family in verdict.families}
    weight = np.array([1 / counts[family] for family in runs.family.tolist()])
    seconds = np.empty(len(runs))
    for family in verdict.families:
        kept = runs.family != family
        order = np.argsort(reached[kept])
        share, pull = reached[kept][order], (weight[kept] * reached[kept])[order]
        utilisation = float(share[np.searchsorted(np.cumsum(pull), pull.sum() / 2)])
        mine = runs.take(~kept)
        seconds[~kept] = judge.constant_seconds(mine, utilisation)
    return seconds


def stronger_rival_in_words(verdict: Verdict) -> str:
    """What a constant does for which every family counts alike, and where it beats the model."""
    rival = replace(verdict, constant=constant_by_family(verdict))
    text = (
        "Fitted so that every family counts alike, the constant is off by "
        f"{100 * rival.error('constant'):.1f} and {100 * rival.macro('constant'):.1f} percent"
    )
    lost = [f for f in rival.families if rival.error("predicted", f) > rival.error("constant", f)]
    if not lost:
        return f"{text}, and better than the model in no family."
    named = [
        f"{family_words(f)} ({100 * rival.error('constant', f):.1f} against "
        f"{100 * rival.error('predicted', f):.1f})"
        for f in lost
    ]
    return f"{text}, and is then better than the model in {' and '.join(named)}."


def priors_in_words(verdict: Verdict) -> str:
    """What the fit adds to the values expected beforehand, on families that it has not seen."""
    gains = [
        100 * (verdict.error("unfitted") - verdict.error()),
        100 * (verdict.macro("unfitted") - verdict.macro()),
    ]
    if max(gains) < 0.5:
        return "In a family that it has not seen, fitting improves nothing."
    if min(gains) > 0.5:
        return "In a family that it has not seen, fitting makes this somewhat better."
    return "In a family that it has not seen, fitting improves this little."


#: How the entries of the table of software practice are marked, and how a sentence says it.
KNOWN_WORDS = {
    "read": "were read in the source",
    "recalled": "recalled from knowing the publication",
    "inferred": "inferred from related code",
    "assumption": "assumed",
}


def practices_in_words(rows: Sequence[Mapping[str, str]] | None = None) -> str:
    """How many entries of the table of software practice rest on what.

    Raises
    ------
    LookupError
        If an entry is marked in a way that this sentence doesn't know.
    """
    marks = [row["known"] for row in (published_runs.practices() if rows is None else rows)]
    unknown = set(marks) - set(KNOWN_WORDS)
    if unknown:
        raise LookupError(f"no words for {', '.join(sorted(unknown))}; there are {', '.join(KNOWN_WORDS)}")
    parts = [f"{marks.count(mark)} {words}" for mark, words in KNOWN_WORDS.items() if mark in marks]
    return f"Of its {len(marks)} entries " + " and ".join(
        [", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts
    )


def moved_most(count: int = 8) -> list[tuple[str, str, str, str]]:
    """The knobs that the fit moved furthest: name, expected, fitted, and why it was expected."""
    prior, fitted = knobs_before_and_after()
    order = sorted(fitted, key=lambda name: -abs(math.log(fitted[name] / prior[name])))[:count]
    return [
        (f"`{name}`", f"{prior[name]:.3g}", f"{fitted[name]:.3g}", calibration.REASONS[name])
        for name in order
    ]


def hours_in_words(low: float, high: float, published: float) -> str:
    """What an interval of hours can say about a published number of hours; any unit."""
    if not low <= published <= high:
        return "The published hours lie outside the interval: our model would not have expected them."
    if high >= 10 * published:
        return "The published hours lie inside, but the interval is too wide to refuse ten times as many."
    fewer, more = 100 * (1 - low / published), 100 * (high / published - 1)
    return (
        f"The published hours lie inside: our model could not have told them from {fewer:.0f} percent fewer "
        f"or {more:.0f} percent more; ten times as many it would have refused."
    )


def wide_in_words(ratios: Mapping[str, tuple[float, float]]) -> str:
    """Which chips an interval cannot tell from an H100, by the ends of chips for one H100."""
    lost = [name for name, (low, high) in ratios.items() if low <= 1 <= high]
    if not lost:
        return "Even so, none of these holds one."
    named = " and the ".join(lost)
    ranges = "range of the" if len(lost) == 1 else "ranges of the"
    holds = "holds" if len(lost) == 1 else "hold"
    return f"The {ranges} {named} {holds} one: taken so, this page cannot tell whether more are needed."


def knobs_before_and_after() -> tuple[dict[str, float], dict[str, float]]:
    """The calibration as expected beforehand and as fitted, by name."""
    names = [f.name for f in fields(Calibration)]
    return tuple(
        {n: float(getattr(record, n)) for n in names} for record in (calibration.PRIOR, calibration.FITTED)
    )


def resolved_in_words(row: tuple[float, tuple[float, float], tuple[float, float]]) -> str:
    """Whether a difference can be told from none, with errors shared and with errors apart.

    Parameters
    ----------
    row : (middle, apart, in pairs)
        Ratios, as :func:`computegap.cluster.sizing.cut_link` gives them.
    """
    _, apart, pairs = row
    told = [not (low <= 1 <= high) for low, high in (pairs, apart)]
    if told == [True, False]:
        return (
            "So with shared errors the difference can be told from none, and with separate errors it cannot."
        )
    if told == [True, True]:
        return "So the difference can be told from none either way."
    return "So even with shared errors the difference cannot be told from none."


def turning_in_words(turn: Mapping[str, float]) -> str:
    """From how many chips on doubling them adds less than half, chip by chip."""
    found = [f"{count:,.0f} {name}" for name, count in turn.items() if math.isfinite(count)]
    if not found:
        return "Before failures, doubling the chips adds more than half to the tokens all along the figure."
    where = " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
    return f"Even before failures, doubling the chips adds less than half to the tokens from {where} on."


def calculon_in_words(verdict: Verdict) -> str:
    """In which families the recorded calculon does better than the model."""
    recorded = judge.recorded()
    better = [
        family_words(f)
        for f in verdict.families
        if recorded.get(("calculon", f), math.inf) < 100 * verdict.error("predicted", f)
    ]
    if not better:
        return "Neither is better in any family."
    return f"Calculon is nearer in {' and '.join(better)}, runs of the kind that it was built for."


def fresh_in_words(kept: float, fresh: float) -> str:
    """What a new layout for each link adds to hiding messages, in percent of the time of a step.

    Parameters
    ----------
    kept, fresh : float
        Cost of the slow link with the layout kept, and with the best layout found for each link.
    """
    if fresh < kept - 0.5:
        return f"With the best layout for each link it is {fresh:.1f} percent: a new layout helps as well."
    if fresh > kept + 0.5:
        return (
            f"With the best layout for each link it is {fresh:.1f} percent, more, because the best layout "
            "for the fast link makes more use of it."
        )
    return f"With the best layout for each link it is {fresh:.1f} percent: a new layout changes little."


def search_in_words(found: float, published: float) -> str:
    """The best layout of a search beside the step that the people who ran it report; seconds."""
    gap = found / published - 1
    text = f"for the cluster on which Meta trained that model it finds a step of {found:.1f} seconds, "
    text += f"where Meta reports {published:.1f}"
    if gap > 0.02:
        return f"{text}; our account of memory is stricter than what its engineers made of theirs."
    if gap < -0.02:
        return f"{text}; a layout can be better on paper than what engineers have reason to run."
    return f"{text}."
