"""How many accelerator-hours a training run takes: from arithmetic, or from the time of a step.

Two routes to the same number. From arithmetic: operations per token, times tokens, over the rate that a
chip reaches. From a step: its time, over the tokens in it, times the tokens of the run. The first needs a
utilisation, which has to come from somewhere; the second needs a step time, measured or predicted.
Taught in chapter 9.
"""

from __future__ import annotations

from dataclasses import dataclass

SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = 86_400


def training_flop_per_token(active_parameters: float) -> float:
    """Operations to train on one token, by the rule of thumb of six per active parameter.

    A product and a sum for each parameter forward, and twice that backward (Kaplan et al. 2020, section
    2.1). It leaves out attention over the sequence.
    """
    _positive(active_parameters=active_parameters)
    return 6 * active_parameters


def hours_from_arithmetic(flop_per_token: float, tokens: float, flop_per_s: float) -> float:
    """Accelerator-hours of a run.

    Parameters
    ----------
    flop_per_token, tokens : float
    flop_per_s : float
        What one accelerator reaches: its peak times its utilisation, counted as ``flop_per_token`` is.

    Returns
    -------
    float
        Hours of one accelerator.
    """
    _positive(flop_per_token=flop_per_token, tokens=tokens, flop_per_s=flop_per_s)
    return flop_per_token * tokens / flop_per_s / SECONDS_PER_HOUR


def hours_from_step(step_s: float, tokens_per_step: float, chips: float, tokens: float) -> float:
    """Accelerator-hours of a run whose steps all take the same time.

    Parameters
    ----------
    step_s : float
        Seconds.
    tokens_per_step : float
        In the global batch.
    chips : float
    tokens : float
        In the run.
    """
    _positive(step_s=step_s, tokens_per_step=tokens_per_step, chips=chips, tokens=tokens)
    return step_s * chips / tokens_per_step * tokens / SECONDS_PER_HOUR


def days(accelerator_hours: float, chips: float) -> float:
    """Days that so many accelerator-hours take on so many accelerators."""
    _positive(accelerator_hours=accelerator_hours, chips=chips)
    return accelerator_hours / chips / 24


@dataclass(frozen=True)
class Estimate:
    """One route to the hours of a run.

    Attributes
    ----------
    route : str
        How it was found.
    low, middle, high : float
        Accelerator-hours; equal where the route has no range.
    inputs : str
        What it takes from outside.
    """

    route: str
    low: float
    middle: float
    high: float
    inputs: str

    def gap(self, published: float) -> float:
        """Middle over the published hours, less one: 0.1 is ten percent too many."""
        return self.middle / published - 1

    def holds(self, published: float) -> bool:
        """Whether the published hours lie in the range."""
        return self.low <= published <= self.high


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name.replace('_', ' ')} must be positive, not {value}")
