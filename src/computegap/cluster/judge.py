"""Is the step-time model any good? Its errors on published runs, beside those of its peers.

``python -m computegap.cluster.judge [--runs FILE.csv]`` prints them.

An error is ``|predicted / published - 1|``. *Micro* is its mean over rows, *macro* the mean over families of
their means. Every figure is taken with the row's family left out of the fit (LOFO). The rival that anybody
can build in a minute, constant utilisation, is fitted and judged the same way: every chip reaches the same
share of its peak, and a step that recomputes everything does a third more. For a file other than the
book's, both are fitted on the book's rows without the family in question.

The figures of calculon and llm-analysis were recorded once on the book's rows; ``bench/bench_step_time.py``
runs the latter again. Taught in chapter 9.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from computegap.cluster import calibration, physics, published_runs
from computegap.cluster.calibration import Calibration
from computegap.cluster.published_runs import Runs
from computegap.cluster.step_time import step_time

#: The bars: mean error over rows, and over families, in shares; families of this many rows count one by one.
MICRO_BAR, MACRO_BAR, FAMILY_ROWS = 0.10, 0.12, 5


@dataclass(frozen=True)
class Verdict:
    """Errors of the model on a table of runs, families left out one at a time.

    Attributes
    ----------
    runs : Runs
        The rows that were judged.
    predicted, constant : numpy.ndarray
        Seconds by the model and by constant utilisation, each fitted without the row's family.
    shipped, unfitted : numpy.ndarray
        Seconds by the model with the calibration as it is shipped, and with its priors as they stand.
    """

    runs: Runs
    predicted: np.ndarray
    constant: np.ndarray
    shipped: np.ndarray
    unfitted: np.ndarray

    @property
    def families(self) -> list[str]:
        """Families among the rows, by name."""
        return sorted(set(self.runs.family.tolist()))

    def error(self, which: str = "predicted", family: str | None = None) -> float:
        """Mean error over rows (of a family), as a share."""
        errors = np.abs(getattr(self, which) / self.runs.seconds - 1)
        return float(errors.mean() if family is None else errors[self.runs.family == family].mean())

    def macro(self, which: str = "predicted") -> float:
        """Mean over families of their mean errors, as a share."""
        return float(np.mean([self.error(which, family) for family in self.families]))

    def beaten(self) -> list[str]:
        """Families of five rows or more where constant utilisation does better than the model."""
        large = [name for name in self.families if np.sum(self.runs.family == name) >= FAMILY_ROWS]
        return [name for name in large if self.error("predicted", name) > self.error("constant", name)]

    @property
    def bars(self) -> dict[str, bool]:
        """Which bars hold."""
        return {
            "micro": self.error() <= MICRO_BAR,
            "macro": self.macro() <= MACRO_BAR,
            "no family worse than constant utilisation": not self.beaten(),
        }


def row_weights(family: np.ndarray) -> np.ndarray:
    """Half of the weight evenly over rows, half evenly over families."""
    names, place, counts = np.unique(family, return_inverse=True, return_counts=True)
    return 0.5 / len(family) + 0.5 / (len(names) * counts[place])


def predictor(runs: Runs) -> Callable[[Calibration], np.ndarray]:
    """Return the function from knobs to seconds for these rows."""
    return lambda knobs: step_time(runs.job, knobs, checked=True).total


def fit_without(runs: Runs, family: str | None, strength: float = calibration.STRENGTH) -> Calibration:
    """Fit the knobs on all rows but a family's."""
    weight = row_weights(runs.family) * (runs.family != family)
    start = calibration.PRIOR if family is None else calibration.FITTED
    return calibration.fit(predictor(runs), runs.seconds, weight, strength=strength, start=start)


def groups(runs: Runs) -> np.ndarray:
    """What is left out together among the other rows: the family, or with experts the model."""
    names = np.array([row["model"] for row in runs.rows])
    return np.where(runs.dense, runs.family, names)


def fit_later(runs: Runs, group: str | None, strength: float = calibration.STRENGTH) -> Calibration:
    """Fit the knobs of low precision and experts on such rows but a group's, the others as shipped."""
    named = groups(runs)
    weight = row_weights(named) * (named != group)
    free = calibration.LATER
    return calibration.fit(
        predictor(runs), runs.seconds, weight, strength=strength, start=calibration.FITTED, free=free
    )


@dataclass(frozen=True)
class Rest:
    """Errors on rows that the bars don't cover: lower precision, experts; groups left out one at a time.

    Attributes
    ----------
    runs : Runs
        The rows.
    group : numpy.ndarray
        What was left out with each row.
    predicted : numpy.ndarray
        Seconds by the model fitted without the row's group.
    """

    runs: Runs
    group: np.ndarray
    predicted: np.ndarray

    def error(self, mask=slice(None)) -> float:
        """Mean error over rows, as a share."""
        return float(np.abs(self.predicted / self.runs.seconds - 1)[mask].mean())


def judge_rest(runs: Runs | None = None) -> Rest | None:
    """Judge the rows of lower precision or with experts; ``None`` if the table has none."""
    book = published_runs.load()
    training = book.take(~book.judged)
    table = book if runs is None else runs
    if np.all(table.judged):
        return None
    rows = table.take(~table.judged)
    named, predicted = groups(rows), np.empty(len(rows))
    for group in sorted(set(named.tolist())):
        mask = named == group
        predicted[mask] = predictor(rows.take(mask))(fit_later(training, group))
    return Rest(rows, named, predicted)


def rest_interval(rest: Rest, mask: np.ndarray) -> tuple[float, float]:
    """Factors on a prediction between which 80 % of some of the other runs lay."""
    return quantiles((rest.runs.seconds / rest.predicted)[mask], rest.group[mask])


def describe_rest(rest: Rest) -> str:
    """Return the errors on the other rows as text, a group a line."""
    lines = [
        "Lower precision and experts: errors in per cent, the group left out of the fit of three more knobs"
    ]
    for group in sorted(set(rest.group.tolist())):
        mask = rest.group == group
        precisions = ", ".join(sorted(set(rest.runs.precision[mask].tolist())))
        lines.append(f"{group:24}{int(mask.sum()):5d}{100 * rest.error(mask):8.1f}   {precisions}")
    for label, mask in (("dense, low precision", rest.runs.dense), ("with experts", ~rest.runs.dense)):
        if np.any(mask):
            lines.append(f"{label:24}{int(mask.sum()):5d}{100 * rest.error(mask):8.1f}")
    return "\n".join(lines)


def required_flops(runs: Runs) -> np.ndarray:
    """Operations of a step, attention counted without its mask; a third more if everything is redone."""
    model, layout = runs.job.model, runs.job.layout
    experts = np.asarray(model.experts) > 0
    sparse = np.where(experts, np.asarray(model.layers) - model.dense_layers, 0)
    width = sparse * model.ffn * (np.asarray(model.chosen) + model.shared)
    width = width + (np.asarray(model.layers) - sparse) * np.where(experts, model.dense_ffn, model.ffn)
    matrices = model.layers * model.attention_weights + model.mlp_matrices * model.hidden * width
    tokens = np.asarray(layout.batch) * model.seq_len
    scores = physics.attention_flops(tokens, model.seq_len, np.asarray(model.heads) * model.head_dim, False)
    passes = 3 + (np.asarray(layout.recompute) >= 1)
    head = 6 * tokens * model.vocab * model.hidden
    return passes * (2 * matrices * tokens + model.layers * scores) + head


def utilisation_without(runs: Runs, family: str | None) -> float:
    """Fit the one number of the constant-utilisation model on all rows but a family's.

    It is the utilisation with the least mean error over rows, the measure that everything here is judged by.
    """
    kept = runs.take(runs.family != family)
    chip = kept.job.hardware
    peak = np.maximum(chip.peak, chip.low_peak)
    share = required_flops(kept) / (kept.seconds * np.asarray(kept.job.layout.chips) * peak)
    # The mean of |share / u - 1| is least where half of the sum of all shares lies on either side.
    share = np.sort(share)
    return float(share[np.searchsorted(np.cumsum(share), share.sum() / 2)])


def constant_seconds(runs: Runs, utilisation: float) -> np.ndarray:
    """Seconds of a step if every chip reached the same share of its peak."""
    chip = runs.job.hardware
    peak = np.maximum(chip.peak, chip.low_peak)
    return required_flops(runs) / (np.asarray(runs.job.layout.chips) * peak * utilisation)


def quantiles(ratios: np.ndarray, family: np.ndarray) -> tuple[float, float]:
    """The 10 % and 90 % quantiles of ratios, half of the weight by row and half by family."""
    weight, order = row_weights(family), np.argsort(ratios)
    place = np.cumsum(weight[order]) - weight[order] / 2
    low, high = np.interp([0.1, 0.9], place / weight.sum(), np.log(ratios[order]))
    return float(np.exp(low)), float(np.exp(high))


def interval(verdict: Verdict, leave: str | None = None) -> tuple[float, float]:
    """Factors on a prediction between which 80 % of published runs lay.

    Parameters
    ----------
    verdict : Verdict
        Errors with families left out.
    leave : str, optional
        A family whose residuals are not used either, to see how many of its rows the interval then covers.
    """
    kept = verdict.runs.family != leave
    return quantiles(verdict.runs.seconds[kept] / verdict.predicted[kept], verdict.runs.family[kept])


def coverage(verdict: Verdict) -> tuple[float, float]:
    """Share of rows, and mean share by family, inside an interval made without their family's residuals."""
    shares = []
    inside = np.zeros(len(verdict.runs), dtype=bool)
    for family in verdict.families:
        mask = verdict.runs.family == family
        low, high = interval(verdict, family)
        ratio = verdict.runs.seconds[mask] / verdict.predicted[mask]
        inside[mask] = (low <= ratio) & (ratio <= high)
        shares.append(inside[mask].mean())
    return float(inside.mean()), float(np.mean(shares))


def judge(runs: Runs | None = None, *, strength: float = calibration.STRENGTH) -> Verdict:
    """Judge the model on the dense BF16 rows of a table, families left out one at a time.

    Parameters
    ----------
    runs : Runs, optional
        The table; that of the book if nothing is given.
    strength : float
        Weight of the priors in the fits.

    Raises
    ------
    ValueError
        If no row of the table is a timed step of a dense model in BF16.
    """
    book = published_runs.load()
    training = book.take(book.judged)
    table = book if runs is None else runs
    rows = table.take(table.judged)
    if not len(rows):
        raise ValueError("no row is a timed step of a dense model in BF16")
    predicted, constant = np.empty(len(rows)), np.empty(len(rows))
    for family in sorted(set(rows.family.tolist())):
        mask = rows.family == family
        part = rows.take(mask)
        predicted[mask] = predictor(part)(fit_without(training, family, strength))
        constant[mask] = constant_seconds(part, utilisation_without(training, family))
    shipped, unfitted = (predictor(rows)(knobs) for knobs in (calibration.FITTED, calibration.PRIOR))
    return Verdict(rows, predicted, constant, shipped, unfitted)


@cache
def recorded() -> dict[tuple[str, str], float]:
    """Recorded errors of other simulators on the book's rows, in per cent, by simulator and family."""
    with (published_runs.DATA / "simulator_errors.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["simulator"], row["family"]): float(row["error_percent"]) for row in csv.DictReader(file)
        }


def describe(verdict: Verdict) -> str:
    """Return the table of errors as text, one family a line."""
    simulators = ("calculon", "llm-analysis patched")
    head = f"{'family':24}{'rows':>5}{'ours':>8}{'constant':>10}" + "".join(
        f"{name:>22}" for name in simulators
    )
    lines = ["Errors in per cent, the family left out of the fit (LOFO); the last columns as recorded",
             head]  # fmt: skip

    def line(label, rows, ours, constant, key):
        known = [recorded().get((name, key)) for name in simulators]
        tail = "".join(f"{value:22.1f}" if value is not None else f"{'-':>22}" for value in known)
        return f"{label:24}{rows:5d}{100 * ours:8.1f}{100 * constant:10.1f}{tail}"

    for family in verdict.families:
        count = int(np.sum(verdict.runs.family == family))
        lines.append(
            line(family, count, verdict.error(family=family), verdict.error("constant", family), family)
        )
    lines.append(
        line("micro (over rows)", len(verdict.runs), verdict.error(), verdict.error("constant"), "all")
    )
    lines.append(
        line(
            "macro (over families)",
            len(verdict.families),
            verdict.macro(),
            verdict.macro("constant"),
            "macro",
        )
    )
    for label, which in (
        ("calibration as shipped, nothing left out", "shipped"),
        ("priors alone", "unfitted"),
    ):
        errors = f"micro {100 * verdict.error(which):.1f}, macro {100 * verdict.macro(which):.1f}"
        lines.append(f"{label}: {errors}")
    low, high = calibration.INTERVAL
    over_rows, over_families = coverage(verdict)
    lines.append(
        f"interval {low:.2f} to {high:.2f} of the prediction; without a family's residuals it covers "
        f"{100 * over_rows:.0f} % of rows, {100 * over_families:.0f} % over families (nominal 80)"
    )
    for name, holds in verdict.bars.items():
        bar = {"micro": f" <= {100 * MICRO_BAR:.0f}", "macro": f" <= {100 * MACRO_BAR:.0f}"}.get(name, "")
        lines.append(f"{'pass' if holds else 'FAIL'}: {name}{bar}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table; return 0 if every bar holds, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m computegap.cluster.judge", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--runs", help="a table in the format of cluster_runs.csv (default: the book's)")
    options = parser.parse_args(argv)
    runs = published_runs.load(options.runs)
    verdict, rest = judge(runs), judge_rest(runs)
    print(describe(verdict))
    if runs.left_out:
        print(
            f"\n{len(runs.left_out)} rows without a prediction: "
            + "; ".join(f"{n}: {w}" for n, w in runs.left_out.items())
        )
    if rest is not None:
        print(f"\n{describe_rest(rest)}")
    return 0 if all(verdict.bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
