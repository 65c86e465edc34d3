"""Time kept: a stopwatch, and a budget that a loop asks whether it may go on."""

from __future__ import annotations

import time
from collections.abc import Iterator


class Timer:
    """Stopwatch for a ``with`` block: ``timer.seconds`` afterwards, wall-clock time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> Timer:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start


class Budget:
    """Wall-clock seconds that a run may take.

    Parameters
    ----------
    seconds : float
        How long, from now.
    clock : callable
        Seconds now; tests pass a clock of their own.

    Raises
    ------
    ValueError
        If the time is not positive.
    """

    def __init__(self, seconds: float, clock=time.perf_counter) -> None:
        if not seconds > 0:
            raise ValueError(f"a budget needs positive seconds, got {seconds!r}")
        self.seconds = float(seconds)
        self._clock = clock
        self._start = clock()

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def left(self) -> float:
        """Seconds still there, zero when it is over."""
        return max(0.0, self.seconds - self.spent)

    def steps(self, at_most: int) -> Iterator[int]:
        """Count 0, 1, ... up to ``at_most``, and stop early when the time is over.

        The first step always runs, and no step is started that by the average so far would end too late.
        """
        if at_most < 1:
            raise ValueError(f"at_most must be 1 or more, got {at_most!r}")
        begun = self.spent
        for step in range(at_most):
            average = (self.spent - begun) / step if step else 0.0
            if step and (self.left <= 0 or average > self.left):
                return
            yield step
