"""What every live run of the book shares: seeds, spread, budget, FLOP meter, recorder, progress.

A result is never one number. ``seeds`` gives the repeats, ``spread`` and ``paired`` say what they mean,
``Budget`` keeps a run within its seconds, ``Recorder`` keeps what happened, and ``versions`` says with what
software. Nothing here knows of notebooks or pages.
"""

from computegap.experiment.budget import Budget, Timer
from computegap.experiment.flops import FlopMeter, measure_flops
from computegap.experiment.progress import progress
from computegap.experiment.recorder import Recorder
from computegap.experiment.seeds import generator, seeds, set_seed, versions
from computegap.experiment.spread import Spread, paired, spread
from computegap.experiment.threads import threads

__all__ = [
    "Budget",
    "FlopMeter",
    "Recorder",
    "Spread",
    "Timer",
    "generator",
    "measure_flops",
    "paired",
    "progress",
    "seeds",
    "set_seed",
    "spread",
    "threads",
    "versions",
]
