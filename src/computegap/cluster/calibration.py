"""The numbers of the step-time model that no data sheet gives: one frozen record, and its fit.

``python -m computegap.cluster.calibration --fit`` fits and prints the record.

Every knob has a prior: a value that stands in the literature or follows from counting, and a width (one
standard deviation of its logarithm). The fit makes the mean of ``|log(predicted / published)|`` small over
the dense BF16 rows of the published runs, half of the weight spread evenly over rows and half over
families, plus the usual penalty for leaving the priors. It is a Levenberg-Marquardt search with weights
that make squares into absolute values; numpy is enough. Three more knobs, for low precision and for
experts, are fitted afterwards on the other rows, with these held.

Leaving a family out (LOFO) means: fit without it, predict it. The strength of the priors is chosen by those
errors; ``--strengths`` prints them for all strengths that were tried. Two limits of this: the priors of knobs
that no paper gives (``engine_seconds``, ``check_seconds``, ``leak``, ``straggle``, ``step_seconds``,
``launch_seconds``) were set with the same runs in view, and so was the form of the model; and rows of one
family are near-duplicates of one another, which is why families are left out, not rows. Taught in chapter
9.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True)
class Calibration:
    """The fitted knobs. Rates are shares of a nominal figure, passes count journeys through memory.

    Attributes
    ----------
    matmul_reach : float
        Share of the best measured matrix-product rate of the chip that is reached inside training.
    matmul_traffic : float
        Journeys of the three matrices of a product through memory, 1 = each once.
    flash_reach : float
        Factor on the published rates of fused attention kernels.
    score_passes : float
        Factor on the traffic of unfused attention scores.
    fused_passes, eager_passes, compiled_passes : float
        Factor on the traffic of norms, activations and additions, by how the software fuses them.
    loss_passes : float
        Factor on the traffic of logits and cross-entropy.
    optimizer_passes : float
        Factor on the traffic of the optimizer's state.
    nvlink_reach, network_reach : float
        Share of nominal bandwidth that collectives reach.
    hop_seconds : float
        Latency of a step of a ring.
    leak : float
        Share of the communication that runs beside computation that shows nevertheless.
    send_exposed : float
        Share of the messages between pipeline stages that nothing hides.
    launch_seconds : float
        Time in which the host starts the kernels of a layer, forward and backward.
    engine_seconds : float
        Time that a pipeline engine with blocking launches loses for each layer and micro-batch.
    check_seconds : float
        Time that a check of the input across all workers costs for each micro-batch.
    card_reach : float
        Share of a single network card that a sharded gather reaches when it doesn't spread over the cards.
    power_exponent : float
        How arithmetic falls with a power cap: rate ~ power to this exponent.
    straggle : float
        Slow-down for each doubling of the number of nodes.
    step_seconds : float
        What a step costs however little it computes: clipping, checks, logging.
    low_reach : float
        Factor on the measured matrix-product rates below 16 bits. This knob and the next two are fitted
        afterwards, on rows of lower precision or with experts, with all others held.
    expert_passes : float
        Factor on the traffic of sorting tokens by expert and back.
    expert_seconds : float
        Time that each layer with experts loses for each micro-batch: routing, small kernels, waiting for
        counts.
    """

    matmul_reach: float = 0.85
    matmul_traffic: float = 1.0
    flash_reach: float = 1.0
    score_passes: float = 1.0
    fused_passes: float = 1.0
    eager_passes: float = 1.6
    compiled_passes: float = 1.1
    loss_passes: float = 1.0
    optimizer_passes: float = 1.5
    nvlink_reach: float = 0.81
    network_reach: float = 0.9
    hop_seconds: float = 8e-6
    leak: float = 0.3
    send_exposed: float = 0.5
    launch_seconds: float = 1.5e-3
    engine_seconds: float = 8e-3
    check_seconds: float = 20e-3
    card_reach: float = 0.96
    power_exponent: float = 0.5
    straggle: float = 0.003
    step_seconds: float = 15e-3
    low_reach: float = 1.0
    expert_passes: float = 2.0
    expert_seconds: float = 1e-3

    def vector(self) -> np.ndarray:
        """Logarithms of the knobs, in the order of the fields."""
        return np.log([getattr(self, field.name) for field in fields(self)])

    @classmethod
    def from_vector(cls, logs) -> Calibration:
        """Return the record whose knobs have these logarithms."""
        return cls(*np.exp(np.asarray(logs, dtype=float)).tolist())


#: The knobs as the priors have them.
PRIOR = Calibration()

#: Why each prior has its value.
REASONS = {
    "matmul_reach": "measured ceilings are for one product repeated; among others about a sixth is lost "
    "(assumed)",
    "matmul_traffic": "counted: each matrix goes through memory once",
    "flash_reach": "as published: FlashAttention 25-40 %, FlashAttention-2 50-73 % of an A100",
    "score_passes": "counted: product, softmax, dropout and product, each read and written",
    "fused_passes": "counted: norms, additions and activation, each read and written once",
    "eager_passes": "counted: casts and additions of a layer in PyTorch that fused kernels save (assumed)",
    "compiled_passes": "a little above hand-written kernels (assumed)",
    "loss_passes": "counted from the operations of the cross-entropy",
    "optimizer_passes": "Adam's state once, and half as much again for clipping (assumed)",
    "nvlink_reach": "365.6 of 450 GB/s: ring all-reduce of 8 GiB on eight H200 (ML Engineering, network)",
    "network_reach": "a little below 381.8 of 400 GB/s on 4 nodes of B200 (ML Engineering, network)",
    "hop_seconds": "some microseconds for a step of a ring: the order of llm-analysis' chip files",
    "leak": "assumed: a third of covered communication shows, by contention for memory and units",
    "send_exposed": "of the two messages of a micro-batch in 1F1B one is hidden",
    "launch_seconds": "counted: about 200 kernels of a layer, forward and backward, at 7 microseconds",
    "engine_seconds": "assumed: some hundred blocking launches of a layer at some ten microseconds",
    "check_seconds": "counted: eight blocking comparisons across workers at some milliseconds",
    "card_reach": "24 GB/s a chip with DeepSpeed of 2021, over cards of 25 GB/s (its issue 1174)",
    "power_exponent": "power ~ frequency times voltage squared, which falls with it: between 1/3 and 1",
    "straggle": "assumed: three per mille for each doubling of the nodes",
    "step_seconds": "assumed: some synchronisations for clipping, finite checks and logging",
    "low_reach": "the measured ceiling of FP8, as for BF16",
    "expert_passes": "counted: tokens are copied to the order of the experts and back",
    "expert_seconds": "assumed: one synchronisation and some small kernels for each layer with experts",
}

#: Widths of the priors: standard deviations of the logarithms.
WIDTH = Calibration(
    matmul_reach=0.1, matmul_traffic=0.3, flash_reach=0.25, score_passes=0.3,
    fused_passes=0.3, eager_passes=0.3, compiled_passes=0.3, loss_passes=0.3, optimizer_passes=0.3,
    nvlink_reach=0.15, network_reach=0.2, hop_seconds=0.5,
    leak=0.5, send_exposed=0.3,
    launch_seconds=0.5, engine_seconds=0.5, check_seconds=0.7, card_reach=0.15,
    power_exponent=0.4, straggle=0.7, step_seconds=0.7,
    low_reach=0.15, expert_passes=0.5, expert_seconds=1.0,
)  # fmt: skip


#: The knobs that only rows of lower precision or with experts can tell.
LATER = ("low_reach", "expert_passes", "expert_seconds")

#: Weight of the priors against the rows. Chosen from STRENGTHS by the leave-one-family-out errors.
STRENGTH = 10.0
STRENGTHS = (1.0, 3.0, 10.0, 30.0)

#: The result of ``--fit``.
FITTED = Calibration(
    matmul_reach=0.8605,
    matmul_traffic=1.026,
    flash_reach=0.9031,
    score_passes=1.008,
    fused_passes=0.9979,
    eager_passes=1.517,
    compiled_passes=1.121,
    loss_passes=1.068,
    optimizer_passes=1.505,
    nvlink_reach=0.8197,
    network_reach=0.8869,
    hop_seconds=8.102e-06,
    leak=0.3329,
    send_exposed=0.5043,
    launch_seconds=0.0015,
    engine_seconds=0.009227,
    check_seconds=0.06962,
    card_reach=1.008,
    power_exponent=0.5638,
    straggle=0.003292,
    step_seconds=0.01595,
    low_reach=1.004,
    expert_passes=2.301,
    expert_seconds=0.002531,
)

#: Intervals of a prediction as factors on it: the 10 % and 90 % quantiles of published / predicted, families
#: left out; for dense models in BF16, in lower precision, and for models with experts.
INTERVAL = (0.928, 1.121)
INTERVAL_LOW = (0.817, 1.204)
INTERVAL_EXPERTS = (0.804, 1.532)


def fit(
    predict: Callable[[Calibration], np.ndarray],
    measured: np.ndarray,
    weight: np.ndarray,
    *,
    strength: float = STRENGTH,
    start: Calibration = PRIOR,
    free: Sequence[str] | None = None,
    rounds: int = 30,
) -> Calibration:
    """Find the knobs that make the weighted mean of ``|log(predicted / measured)|`` small without leaving the
    priors.

    Parameters
    ----------
    predict : callable
        Takes a record of knobs, returns seconds for all rows.
    measured, weight : numpy.ndarray
        Published seconds, and how much each row counts (zero: not at all).
    strength : float
        How much the priors count.
    start : Calibration
        Where to begin; knobs that aren't free stay there.
    free : sequence of str, optional
        Names of the knobs to fit; all but :data:`LATER` if not given.
    rounds : int
        Steps at most.
    """
    prior, width = PRIOR.vector(), np.array([getattr(WIDTH, f.name) for f in fields(WIDTH)])
    weight = weight / weight.sum()
    named = [knob.name for knob in fields(Calibration)]
    moves = np.flatnonzero([name in free if free is not None else name not in LATER for name in named])
    count, soft = 2500.0, 0.02  # how much the rows count together; below 2 % errors are squared

    def residual(logs):
        return np.log(predict(Calibration.from_vector(logs)) / measured)

    def objective(logs, errors):
        rows = count * (weight * np.sqrt(errors**2 + soft**2)).sum()
        return rows + 0.5 * strength * (((logs - prior) / width) ** 2).sum()

    logs, damping = start.vector(), 1e-2
    errors = residual(logs)
    best = objective(logs, errors)
    for _ in range(rounds):
        step = 1e-4
        slopes = np.stack(
            [(residual(logs + step * e) - errors) / step for e in np.eye(len(logs))[moves]], axis=1
        )
        pull = count * weight / np.sqrt(errors**2 + soft**2)
        bend = (slopes * pull[:, None]).T @ slopes + np.diag(strength / width[moves] ** 2)
        downhill = slopes.T @ (pull * errors) + (strength * (logs - prior) / width**2)[moves]
        gained = 0.0
        while damping < 1e7:
            trial = logs.copy()
            trial[moves] -= np.linalg.solve(bend + damping * np.diag(np.diag(bend)), downhill)
            trial_errors = residual(trial)
            reached = objective(trial, trial_errors)
            if reached < best:
                gained, best, logs, errors = best - reached, reached, trial, trial_errors
                damping /= 3
                break
            damping *= 4
        if gained < 1e-3:
            break
    return Calibration.from_vector(logs)


def main(argv: list[str] | None = None) -> int:
    """Fit the knobs to the book's rows and print the record, or compare the errors of all prior strengths."""
    from computegap.cluster import judge, published_runs

    parser = argparse.ArgumentParser(
        prog="python -m computegap.cluster.calibration", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--fit", action="store_true", help="fit all knobs and print the record and the interval"
    )
    parser.add_argument(
        "--strengths", action="store_true", help="print the errors for every strength of the priors"
    )
    options = parser.parse_args(argv)
    if not (options.fit or options.strengths):
        parser.error("say --fit or --strengths")
    book = published_runs.load()
    rows = book.take(book.judged)
    if options.fit:
        found = judge.fit_without(rows, None)
        later = judge.fit_later(book.take(~book.judged), None)
        found = replace(found, **{name: getattr(later, name) for name in LATER})
        rest = judge.judge_rest()
        intervals = {
            "INTERVAL": judge.interval(judge.judge()),
            "INTERVAL_LOW": judge.rest_interval(rest, rest.runs.dense),
            "INTERVAL_EXPERTS": judge.rest_interval(rest, ~rest.runs.dense),
        }
        print("FITTED = Calibration(")
        for knob in fields(found):
            print(f"    {knob.name}={getattr(found, knob.name):.4g},")
        print(")")
        for name, (low, high) in intervals.items():
            print(f"{name} = ({low:.3f}, {high:.3f})")
    if options.strengths:
        for strength in STRENGTHS:
            verdict = judge.judge(strength=strength)
            errors = f"micro {100 * verdict.error():.2f} %, macro {100 * verdict.macro():.2f} %"
            print(f"strength {strength:4g}: {errors}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
