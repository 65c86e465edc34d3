"""Published numbers about failures, hours and machines of many chips, beside what this package computes.

Taught in chapter 9.
"""

from __future__ import annotations

from computegap import facts
from computegap.cluster import failures, hours, physics, supernodes
from computegap.cluster.sizing import workload
from computegap.facts.comparison import Comparison


def _row(
    key: str, ours: float | tuple[float, float], tolerance: float, fmt: str, unit: str = "", scale: float = 1
) -> Comparison:
    """Set ours beside the published reading of that key, in the unit of the reading times ``scale``."""
    fact = facts.fact(key)
    low, high = ours if isinstance(ours, tuple) else (ours, ours)
    printed = tuple(end * scale for end in fact.range)
    what = f"{fact.what}, {unit}" if unit else fact.what
    source = fact.source.title.split(",")[0]
    return Comparison(source, what, printed, (low * scale, high * scale), tolerance, fmt)


def about_failures() -> list[Comparison]:
    """Daly's examples, the rates of Llama 3 and of Meta's research clusters, sizes of checkpoints."""
    rows = []
    for key in ("daly-optimum-24h", "daly-optimum-6h", "daly-optimum-15min"):
        given = facts.fact(key).given
        ours = failures.daly_interval(given["checkpoint"], given["mtbf"]) / 60
        rows.append(_row(key, ours, 0.006, ".1f", "min"))
    counted = facts.fact("llama3-days").value * 24 / facts.fact("llama3-unexpected").value
    rows.append(_row("llama3-mtbf", counted, 0.001, ".3f", "h"))
    rate = facts.fact("rsc-rate").value
    for chips in (1024, 16384, 131072):
        ours = failures.mtbf_from_node_rate(rate, chips)
        rows.append(_row(f"rsc-mttf-{chips}", ours, 0.025, ".2f", "h"))
    for key in ("bloom-checkpoint-size", "sc21-checkpoint-size"):
        fact = facts.fact(key)
        ours = failures.checkpoint_bytes(fact.given["parameters"]) / (fact.si / fact.value)
        rows.append(_row(key, ours, 0.1, ".1f", "TB"))
    return rows


def about_hours() -> list[Comparison]:
    """DeepSeek-V3's bill from its step and from its arithmetic, and two runs of 2021."""
    v3 = workload("DeepSeek-V3")
    step, chips = facts.fact("v3-step").value, facts.fact("deepseek-v3-chips").value
    tokens = facts.fact("deepseek-v3-tokens").si
    per_token = facts.fact("flop-per-token-deepseek-v3").si
    rate = facts.fact("v3-rate").value * 1e12
    pretraining = hours.hours_from_step(step, v3.tokens_per_step, chips, tokens)
    extra = sum(facts.fact(f"deepseek-v3-hours-{part}").value * 1e6 for part in ("context", "post"))
    rent = facts.fact("rent-h800-assumed").value
    rows = [
        _row(
            "deepseek-v3-hours-pretraining",
            pretraining / 1e6,
            0.005,
            ".3f",
            "million H800-hours, from the step",
        ),
        _row(
            "deepseek-v3-hours-pretraining",
            hours.hours_from_arithmetic(per_token, tokens, rate) / 1e6,
            0.005,
            ".3f",
            "million H800-hours, from the arithmetic",
        ),
        _row("deepseek-v3-hours-total", (pretraining + extra) / 1e6, 0.005, ".3f", "million H800-hours"),
        _row("deepseek-v3-cost", (pretraining + extra) * rent, 0.005, ".3f", "million USD", 1e-6),
    ]
    for key, rate in (("sc21-gpt3-days", 140e12), ("sc21-1t-days", 163e12)):
        given = facts.fact(key).given
        ours = physics.training_seconds(given["parameters"], given["tokens"], given["chips"], rate) / 86_400
        rows.append(_row(key, ours, 0.03, ".0f", "days"))
    return rows


def about_machines() -> list[Comparison]:
    """CloudMatrix 384 over GB200 NVL72."""
    return [
        Comparison(
            "SemiAnalysis",
            f"CloudMatrix 384 over NVL72, {ratio.what}",
            (ratio.published,) * 2,
            (ratio.ours.low, ratio.ours.high),
            0.05,
            ".2f",
        )
        for ratio in supernodes.ratios()
        if ratio.published is not None
    ]


def table() -> list[Comparison]:
    """All of them."""
    return about_failures() + about_hours() + about_machines()
