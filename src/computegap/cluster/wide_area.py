"""Two data centres as one cluster: what a wide-area wire leaves of their arithmetic.

The wall-clock model is that of Charles et al. 2025 (arXiv 2503.09799, Appendix A): computation by the usual
six operations for each weight and token, communication by the lower bound of an all-reduce. The utilisation
is the share of the time in which chips compute. Its published grid (Table 6: the bandwidth that each of
three models needs for five utilisations, with data parallel training and with DiLoCo at four intervals)
comes from a simulation in which gradients travel during the backward pass; :func:`utilisation` has that as
``hidden``.

Units: parameters, bits, seconds, bits per second; distances in kilometres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from computegap import facts

#: Kilometres per second in vacuum, and how much slower light is in an optical fibre (group index of silica).
LIGHT_KM_PER_S = 299_792.458
FIBRE_INDEX = 1.468
#: Share of a training step that is the backward pass: it does twice the arithmetic of the forward pass.
BACKWARD = 2 / 3
#: Fitted: the part of the 16-bit weights that the published grid behaves as if it sent (see ``grid_check``).
GRID_BITS = 12.0
#: The sweep of the published grid: 50 bandwidths from 0.1 to 1,000 Gbit/s, recognised from its printed
#: values.
GRID = 10 ** (-1 + 4 * np.arange(50) / 49)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not np.all(np.asarray(value) > 0):
            raise ValueError(f"{name} must be positive, got {value!r}")


def exchange_seconds(parameters, bandwidth, *, bits=16.0, sites=2, latency=0.0):
    """Seconds to average one number for each weight over several sites: the lower bound of an all-reduce.

    Parameters
    ----------
    parameters : float or array
    bandwidth : float or array
        Bits per second of each site's wire.
    bits : float
        For each weight.
    sites : int
        One site has nobody to talk to and needs no time.
    latency : float
        Seconds that the exchange takes however little is sent.

    Raises
    ------
    ValueError
        For parameters, bandwidth or bits that are not positive, fewer than one site, or negative latency.
    """
    _positive(parameters=parameters, bandwidth=bandwidth, bits=bits)
    if np.any(np.asarray(sites) < 1) or np.any(np.asarray(latency) < 0):
        raise ValueError("there is at least one site, and latency is not negative")
    volume = 2 * np.asarray(parameters, float) * bits * (1 - 1 / np.asarray(sites, float))
    return np.where(np.asarray(sites) > 1, volume / np.asarray(bandwidth, float) + latency, 0.0)


def utilisation(
    parameters, step_seconds, bandwidth, *, interval=1, bits=16.0, sites=2, latency=0.0, hidden=BACKWARD
):
    """Share of the time in which the chips compute, with an exchange every ``interval`` steps.

    Parameters
    ----------
    parameters, bandwidth, bits, sites, latency
        As :func:`exchange_seconds`.
    step_seconds : float or array
        Computation of one step.
    interval : int or array
        Steps between exchanges; 1 is data parallel training.
    hidden : float
        How many steps' worth of time an exchange may travel unnoticed: two thirds if it overlaps the backward
        pass, more if training goes on with stale weights (streaming), 0 if everybody waits.

    Returns
    -------
    ndarray
        Between 0 and 1.

    Raises
    ------
    ValueError
        As :func:`exchange_seconds`; also for a step time, interval or ``hidden`` out of range.
    """
    _positive(step_seconds=step_seconds)
    if np.any(np.asarray(interval) < 1) or np.any(np.asarray(hidden) < 0):
        raise ValueError("the interval is one step or more, and hidden is not negative")
    busy = np.asarray(interval, float) * step_seconds
    travel = exchange_seconds(parameters, bandwidth, bits=bits, sites=sites, latency=latency)
    waiting = np.maximum(0.0, travel - np.minimum(hidden, interval) * np.asarray(step_seconds, float))
    return busy / (busy + waiting)


def bandwidth_for(
    share, parameters, step_seconds, *, interval=1, bits=16.0, sites=2, latency=0.0, hidden=BACKWARD
) -> float:
    """Bits per second that give a utilisation of ``share``; infinity where latency alone rules it out.

    Raises
    ------
    ValueError
        Unless the share lies between 0 and 1, ends excluded; else as :func:`utilisation`.
    """
    if not 0 < share < 1:
        raise ValueError(f"a utilisation lies between 0 and 1, got {share!r}")
    _positive(step_seconds=step_seconds, parameters=parameters, bits=bits)
    allowed = min(hidden, interval) * step_seconds + interval * step_seconds * (1 - share) / share - latency
    if sites < 2:
        return 0.0
    return 2 * parameters * bits * (1 - 1 / sites) / allowed if allowed > 0 else math.inf


@dataclass(frozen=True)
class WallClock:
    """Seconds of a training run by the model of Charles et al. 2025, Appendix A.

    Attributes
    ----------
    compute, inside, between : float
        Arithmetic, communication inside the sites, and between them.
    """

    compute: float
    inside: float
    between: float

    @property
    def total(self) -> float:
        """Nothing overlaps in this model."""
        return self.compute + self.inside + self.between

    @property
    def utilisation(self) -> float:
        """Share of the time in which chips compute."""
        return self.compute / self.total


def wall_clock(
    parameters: float,
    tokens: float,
    batch_tokens: float,
    chips: int,
    *,
    chip_flops: float = 300e12,
    replicas: int = 1,
    interval: int = 1,
    inside: tuple[float, float] = (400e9, 1e-4),
    between: tuple[float, float] = (10e9, 1e-2),
    bits: float = 16.0,
) -> WallClock:
    """Time of a whole run, by Charles et al. 2025, Appendix A.

    Parameters
    ----------
    parameters, tokens, batch_tokens : float
    chips : int
        All of them, over all replicas.
    chip_flops : float
        What each chip really does, operations per second; the paper takes half of a peak.
    replicas : int
        1 is data parallel training over the wire between the sites, at every step. With more, each replica
        averages its gradients inside its site, and the replicas exchange every ``interval`` steps.
    interval : int
    inside, between : (float, float)
        Bandwidth (bits per second) and latency (seconds); the paper's fast, middle and slow wires are 400,
        100 and 10 Gbit/s.
    bits : float
        For each weight.

    Raises
    ------
    ValueError
        For sizes that are not positive, or chips that cannot be shared out.
    """
    _positive(parameters=parameters, tokens=tokens, batch_tokens=batch_tokens, chip_flops=chip_flops)
    if replicas < 1 or interval < 1 or chips < replicas:
        raise ValueError(f"{chips} chips cannot be {replicas} replicas that talk every {interval} steps")
    steps = tokens / batch_tokens
    compute = 6 * parameters * tokens / (chips * chip_flops)
    size = 2 * parameters * bits
    (fast, near), (slow, far) = inside, between
    if replicas == 1:
        rounds = steps if interval == 1 else steps * (1 + 1 / interval)
        return WallClock(compute, 0.0, (size / slow * (1 - 1 / chips) + far) * rounds)
    within = (size / fast * (1 - replicas / chips) + near) * steps
    return WallClock(compute, within, (size / slow * (1 - 1 / chips) + far) * steps / interval)


def light_seconds(kilometres: float, detour: float = 1.0) -> float:
    """One-way time through a fibre of that length times ``detour``; nothing is faster."""
    if kilometres < 0 or detour < 1:
        raise ValueError("a distance is not negative, and no cable is shorter than the distance")
    return kilometres * detour * FIBRE_INDEX / LIGHT_KM_PER_S


def great_circle(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Kilometres along the Earth's surface between two places, each (latitude, longitude) in degrees."""
    (lat_a, lon_a), (lat_b, lon_b) = (tuple(map(math.radians, place)) for place in (a, b))
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * 6371.0 * math.asin(min(1.0, math.sqrt(half)))


#: Latitude and longitude of cities, rounded to a tenth of a degree.
PLACES = {
    "Shanghai": (31.2, 121.5),
    "Wuhu": (31.4, 118.4),
    "Guiyang": (26.6, 106.6),
    "Beijing": (39.9, 116.4),
    "Ulanqab": (41.0, 113.1),
    "San Francisco": (37.8, -122.4),
    "Frankfurt": (50.1, 8.7),
    "Sydney": (-33.9, 151.2),
}


@dataclass(frozen=True)
class Cell:
    """One entry of the published grid, and what the formula gives.

    Attributes
    ----------
    model : str
    interval : int
    share : float
        Utilisation wanted.
    published : float
        Gbit/s printed.
    exact, ours : float
        Gbit/s by the formula, and the first bandwidth of the published sweep that suffices.
    steps : int
        How many steps of the sweep lie between ours and theirs; positive where we ask for more.
    open_end : bool
        Whether the paper prints "more than the largest".
    """

    model: str
    interval: int
    share: float
    published: float
    exact: float
    ours: float
    steps: int
    open_end: bool


#: Weights and step times of the models in the published grid, as the grid's own rows give the times.
MODELS = {"Chinchilla-10B": 10e9, "Llama3-405B": 405e9, "DeepSeek-V3-671B": 671e9}


def grid_check(bits: float = 16.0, hidden: float = BACKWARD) -> list[Cell]:
    """The published grid (75 cells) beside the formula.

    With 16 bits for each weight and the overlap that the authors describe, the formula asks for somewhat more
    bandwidth than the paper prints, by one or two steps of its sweep. With :data:`GRID_BITS`, the one
    number that we fitted, nearly all cells agree within a step; why three quarters of the bits should be
    right we don't know.
    """
    cells = []
    for row in facts.low_communication("bandwidth for a utilisation"):
        model, interval = str(row.given["model"]), int(row.given["interval"])
        exact = bandwidth_for(
            row.given["utilisation"],
            MODELS[model],
            row.given["step"],
            interval=interval,
            bits=bits,
            hidden=hidden,
        )
        place = int(np.searchsorted(GRID, exact / 1e9))
        open_end = row.convention == "at least"
        theirs = len(GRID) if open_end else int(np.argmin(np.abs(np.log(GRID / row.value))))
        ours = GRID[place] if place < len(GRID) else math.inf
        cells.append(
            Cell(
                model, interval, row.given["utilisation"], float(row.value), exact / 1e9, ours, place -
                theirs, open_end,
            )
        )  # fmt: skip
    return cells


def within(cells: Sequence[Cell], steps: int) -> int:
    """How many cells lie within that many steps of the sweep."""
    return sum(abs(cell.steps) <= steps for cell in cells)
