"""How often a large machine fails, how often to save, and what failures cost.

A job on ``n`` chips stops when any of them does. With independent failures at a constant rate, the mean
time between interruptions is that of one chip divided by ``n``. Work since the last checkpoint is lost, and
saving costs time as well, so there is a best interval between checkpoints. Young (1974) found its leading
term, Daly (2006) the next ones and a cost function that is exact for a constant rate; the optimum of that
function is :func:`exact_interval`.

All times in one call are in the same unit (seconds, unless a name says otherwise).
:mod:`computegap.cluster.interruptions` simulates what is computed here.
Taught in chapter 9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Bytes of a full checkpoint per parameter: weights in 16 bits, and in 32 bits a master copy and Adam's
#: two moments. (The checkpoints published for BLOOM and for a trillion-parameter model have 13 to 14.)
BYTES_PER_PARAMETER = 2 + 4 + 4 + 4


def mtbf(per_chip: float, chips: float) -> float:
    """Mean time between interruptions of a job on ``chips`` chips, if they fail independently.

    Parameters
    ----------
    per_chip : float
        Mean time between failures of one chip with its share of host, network and power; any unit of time.
    chips : float
        At least 1.

    Returns
    -------
    float
        In the unit of ``per_chip``.

    Raises
    ------
    ValueError
        If the time is not positive or there is less than one chip.
    """
    _positive(per_chip=per_chip)
    if not chips >= 1:
        raise ValueError(f"a job needs at least one chip, not {chips}")
    return per_chip / chips


def mtbf_from_node_rate(failures_per_1000_node_days: float, chips: float, chips_per_node: float = 8) -> float:
    """Hours between interruptions from a rate per thousand node-days (the convention of Kokolis et al. 2024).

    Returns
    -------
    float
        Hours.
    """
    _positive(failures=failures_per_1000_node_days, chips=chips, chips_per_node=chips_per_node)
    return 24_000 / (failures_per_1000_node_days * chips / chips_per_node)


def young_interval(checkpoint: float, mtbf: float) -> float:
    """Work between checkpoints that loses least, to first order: ``sqrt(2 C M)`` (Young 1974).

    Parameters
    ----------
    checkpoint : float
        Time for which saving holds the job up.
    mtbf : float
        Mean time between interruptions of the whole job, in the same unit.

    Returns
    -------
    float
        In the same unit.
    """
    _positive(checkpoint=checkpoint, mtbf=mtbf)
    return math.sqrt(2 * checkpoint * mtbf)


def daly_interval(checkpoint: float, mtbf: float) -> float:
    """Work between checkpoints that loses least, to higher order (Daly 2006, equation 37).

    Above ``checkpoint = 2 mtbf`` the expansion breaks down and Daly takes the mean time between
    interruptions itself.
    """
    _positive(checkpoint=checkpoint, mtbf=mtbf)
    if checkpoint >= 2 * mtbf:
        return mtbf
    ratio = checkpoint / (2 * mtbf)
    return math.sqrt(2 * checkpoint * mtbf) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - checkpoint


def exact_interval(checkpoint: float, mtbf: float) -> float:
    """Optimum of Daly's full cost function, found by bisection; it does not depend on the restart time.

    Setting the derivative of :func:`slowdown` to zero gives ``(1 - x) exp(x + checkpoint/mtbf) = 1`` with
    ``x = interval / mtbf``, which has one root between 0 and 1.
    """
    _positive(checkpoint=checkpoint, mtbf=mtbf)
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        if math.log1p(-middle) + middle + checkpoint / mtbf > 0:
            low = middle
        else:
            high = middle
    return mtbf * (low + high) / 2


def slowdown(interval, checkpoint, mtbf, restart=0.0):
    """Expected wall time of a job over its time without failures and checkpoints (Daly 2006, equation 20).

    ``M exp(R/M) (exp((tau + C)/M) - 1) / tau``, exact for failures at a constant rate, which may also
    strike while the job saves or restarts.

    Parameters
    ----------
    interval, checkpoint, mtbf, restart : float or numpy.ndarray
        Work between checkpoints, time to save, mean time between interruptions, and time from an
        interruption until the job computes again; all in one unit.

    Returns
    -------
    float or numpy.ndarray
        At least 1; infinite where a number overflows, which is where the job would never end.
    """
    interval, checkpoint = np.asarray(interval, float), np.asarray(checkpoint, float)
    mtbf, restart = np.asarray(mtbf, float), np.asarray(restart, float)
    if np.any(interval <= 0) or np.any(mtbf <= 0) or np.any(checkpoint < 0) or np.any(restart < 0):
        raise ValueError("interval and mtbf must be positive, checkpoint and restart not negative")
    with np.errstate(over="ignore"):
        times = mtbf / interval * np.exp(restart / mtbf) * np.expm1((interval + checkpoint) / mtbf)
    return times if times.ndim else float(times)


def first_order_waste(checkpoint: float, mtbf: float, restart: float = 0.0) -> float:
    """Share of time lost at Young's interval, to first order: ``sqrt(2 C / M) + R / M``."""
    _positive(checkpoint=checkpoint, mtbf=mtbf)
    return math.sqrt(2 * checkpoint / mtbf) + restart / mtbf


def best_efficiency(checkpoint: float, mtbf: float, restart: float = 0.0) -> float:
    """Largest share of the wall time that can be useful work, with the best interval.

    Returns
    -------
    float
        Between 0 and 1.
    """
    return 1 / slowdown(exact_interval(checkpoint, mtbf), checkpoint, mtbf, restart)


def longest_checkpoint(efficiency: float, mtbf: float, restart: float = 0.0) -> float:
    """Longest time to save with which a job still reaches an efficiency, at the best interval.

    Parameters
    ----------
    efficiency : float
        Wanted share of useful time, between 0 and 1.
    mtbf, restart : float

    Returns
    -------
    float
        In the unit of ``mtbf``; 0 if restarts alone cost more.
    """
    if not 0 < efficiency < 1:
        raise ValueError(f"an efficiency lies between 0 and 1, not {efficiency}")
    _positive(mtbf=mtbf)
    low, high = 0.0, mtbf
    for _ in range(60):
        middle = (low + high) / 2
        if best_efficiency(max(middle, 1e-12 * mtbf), mtbf, restart) >= efficiency:
            low = middle
        else:
            high = middle
    return 0.0 if low < 1e-9 * mtbf else low


def checkpoint_bytes(parameters: float, bytes_per_parameter: float = BYTES_PER_PARAMETER) -> float:
    """Bytes that a full checkpoint holds: weights and the optimiser's state."""
    _positive(parameters=parameters, bytes_per_parameter=bytes_per_parameter)
    return parameters * bytes_per_parameter


@dataclass(frozen=True)
class Saving:
    """Where checkpoints go.

    Attributes
    ----------
    name : str
    bytes_per_s : float
        What the whole job, or one chip, can write in a second.
    per_chip : bool
        True if every chip writes its share to a place of its own, so that the rate grows with the chips.
    """

    name: str
    bytes_per_s: float
    per_chip: bool

    def seconds(self, size: float, chips: float) -> float:
        """Time for which the job waits while ``size`` bytes are saved."""
        _positive(size=size, chips=chips)
        return size / (self.bytes_per_s * (chips if self.per_chip else 1))


def useful_chips(chips, per_chip: float, checkpoint, restart: float):
    """Chips times the share of their time that is useful: what a cluster is worth after failures.

    Parameters
    ----------
    chips : array_like
    per_chip : float
        Mean time between failures of one chip.
    checkpoint : float or callable
        Time to save, or a function of the number of chips that gives it.
    restart : float

    Returns
    -------
    numpy.ndarray
    """
    chips = np.atleast_1d(np.asarray(chips, float))
    cost = checkpoint if callable(checkpoint) else (lambda _: checkpoint)
    shares = [best_efficiency(cost(count), mtbf(per_chip, count), restart) for count in chips]
    return chips * np.array(shares)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0 or math.isinf(value):
            raise ValueError(f"{name.replace('_', ' ')} must be positive and finite, not {value}")
