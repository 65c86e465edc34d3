"""Seeds and versions: what it takes to run the same thing again."""

from __future__ import annotations

import os
import platform
import random

import numpy as np


def seeds(n: int, base: int = 0) -> list[int]:
    """``n`` seeds that are far apart and the same on every machine.

    Neighbouring integers make poor seeds for some generators; numpy's SeedSequence spreads them.

    Raises
    ------
    ValueError
        If ``n`` is not positive or ``base`` is negative.
    """
    if n < 1:
        raise ValueError(f"n must be 1 or more, got {n!r}")
    if base < 0:
        raise ValueError(f"base must be zero or more, got {base!r}")
    # 31 bits, so that every library accepts them.
    return [int(word) >> 1 for word in np.random.SeedSequence(base).generate_state(n)]


def set_seed(seed: int) -> None:
    """Seed Python, numpy and torch."""
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def generator(seed: int):
    """A torch random generator of its own, so that drawing from it disturbs nothing else."""
    import torch

    return torch.Generator().manual_seed(int(seed))


def versions() -> dict[str, str]:
    """Software that a result was made with: Python, numpy, torch, system, threads."""
    import torch

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "threads": str(torch.get_num_threads()),
        "cores": str(os.cpu_count() or 1),
    }
