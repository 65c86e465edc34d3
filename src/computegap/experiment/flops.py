"""Counting the arithmetic of a run, as torch dispatches it: matrix products and convolutions.

The count is of operations (a multiply and an add are two) and leaves out additions, norms and activations,
which are few. Work done in emulation (for example rounding to a narrow format) is not counted either: the
count answers "how much arithmetic would this take", not "how busy was this machine".
"""

from __future__ import annotations

from collections.abc import Callable


class FlopMeter:
    """Count FLOPs in a ``with`` block: ``meter.flops`` afterwards."""

    def __init__(self) -> None:
        self.flops = 0

    def __enter__(self) -> FlopMeter:
        from torch.utils.flop_counter import FlopCounterMode

        self._counter = FlopCounterMode(display=False)
        self._counter.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._counter.__exit__(*details)
        self.flops = int(self._counter.get_total_flops())


def measure_flops(run: Callable[[], object]) -> int:
    """FLOPs of one call of ``run``."""
    with FlopMeter() as meter:
        run()
    return meter.flops
