"""Published results of training that seldom talks, beside what this package measures at its own tiny size.

Only ratios can be compared, and most of them only in direction; each row says how to read it.
"""

from __future__ import annotations

import math

from computegap import facts
from computegap.cluster import wide_area
from computegap.cluster.slow_link_runs import Curve, Race


def share_closed(race: Race, ideal: Curve, label: str) -> float:
    """Part of the distance between one worker alone and several without a wire that a method covers."""
    alone, best = race["one worker alone"].final.mean, ideal.final.mean
    return (alone - race[label].final.mean) / (alone - best)


def fewer_bytes(race: Race, label: str) -> float:
    """How many times fewer bytes a method sends for each step than data parallel training does."""
    return race["data parallel"].megabytes_per_step / race[label].megabytes_per_step


def busy(race: Race, label: str) -> float:
    """Share of the time in which the emulated chips compute."""
    return float(race[label].steps[-1] * race.step_time / race.seconds)


def _reading(topic: str, key: str):
    return next(row for row in facts.low_communication(topic) if row.key == key)


def _times(value: float) -> str:
    return f"{value:,.0f} times"


def _percent(low: float, high: float | None = None) -> str:
    text = f"{low:.0%}" if high is None or high == low else f"{low:.0%} to {high:.0%}"
    return text.replace("%", "\u00a0%")


def rows(race: Race, ideal: Curve) -> list[tuple[str, str, str, str, str]]:
    """Source, what, published, ours, how to read it: a table as text.

    Parameters
    ----------
    race : Race
        With ``one worker alone``, ``data parallel``, ``DiLoCo``, ``DiLoCo, four bits`` and ``streaming, four
        bits`` among its curves.
    ideal : Curve
        Data parallel training without a wire.

    Raises
    ------
    LookupError
        If a method is missing.
    """
    one, eight, diloco = (
        _reading("DiLoCo", key).value
        for key in ("diloco-baseline", "diloco-8x-batch-data-parallel", "diloco-k8-h500")
    )
    # Perplexities; losses are their logarithms.
    closed = math.log(one / diloco) / math.log(one / eight)
    exchanged = [
        _reading("streaming DiLoCo", f"streaming-25b-{way}-exchanged").value for way in ("dp", "diloco")
    ]
    open_, intellect, covenant = (
        _reading("over the internet", key)
        for key in ("opendiloco-utilisation", "intellect1-utilisation", "covenant-utilisation")
    )
    reduction = _reading("over the internet", "intellect1-reduction").value
    interval = _reading("over the internet", "intellect1-interval").value
    cells = wide_area.grid_check()
    near = wide_area.within(cells, 2)
    return [
        (
            "DiLoCo, 150M weights", "share of data parallel's gain over one worker", _percent(closed),
            _percent(share_closed(race, ideal, "DiLoCo")),
            "theirs does better than data parallel; ours does not",
        ),
        (
            "DiLoCo, 150M weights", "fewer bytes for each step",
            _times(_reading("DiLoCo", "diloco-k8-h500").given["interval"]),
            _times(fewer_bytes(race, "DiLoCo")),
            "the interval, theirs and ours",
        ),
        (
            "Streaming DiLoCo, 1B weights", "fewer bytes, whole run", _times(exchanged[0] / exchanged[1]),
            _times(fewer_bytes(race, "streaming, four bits")), "interval and four bits together",
        ),
        (
            "INTELLECT-1, 10B weights", "fewer bytes, whole run", _times(reduction),
            _times(interval * 32 / 8),
            "computed: an exchange of eight bits in place of 32, every hundred steps",
        ),
        (
            "OpenDiLoCo, 1.1B weights", "time computing", _percent(*open_.range),
            _percent(busy(race, "DiLoCo")),
            "depends on wire and interval; ours is the slower wire",
        ),
        (
            "INTELLECT-1, 10B weights", "time computing", _percent(*intellect.range),
            _percent(busy(race, "DiLoCo, four bits")), "eight bits there, four here",
        ),
        (
            "Covenant-72B", "time computing", _percent(covenant.value),
            _percent(busy(race, "streaming, four bits")), "sparse exchanges there, streaming here",
        ),
        (
            "Charles et al., simulated grid", "bandwidths within two steps of the sweep",
            f"{len(cells)} cells",
            f"{near} cells", "formula without any fit",
        ),
    ]  # fmt: skip
