"""How many threads torch uses, for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use ``n`` threads inside a ``with`` block, and as many as before afterwards.

    One is right for tiny networks: two gain little, and lose much on a busy machine, where each waits for the
    other at every operation. ValueError unless ``n`` is positive.
    """
    if n < 1:
        raise ValueError(f"torch needs one thread or more, got {n!r}")
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
