"""What every training program does first: join the other workers, and give up when they fall silent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from computegap.cluster import _processes, records

#: Variable for how many seconds a worker waits for another before it takes it for lost.
PATIENCE = "COMPUTEGAP_PATIENCE"

#: Groups of processes that were left. DistributedDataParallel holds on to its group; were it the last to do
#: so, it would end gloo's threads while it has Python's lock, which those threads may be waiting for.
_left: list[object] = []


@contextmanager
def joined(patience: float | None = None) -> Iterator[tuple[int, int]]:
    """Join the other workers over gloo for a block, with one thread each; yields (rank, number of workers).

    Torchrun has told each worker through its environment who it is and where to meet. Torch by itself would
    wait half an hour for a worker that no longer answers; here it is ``patience`` seconds.

    Parameters
    ----------
    patience : float or None
        Seconds. None: as ``$COMPUTEGAP_PATIENCE`` says, else 20.
    """
    import torch
    import torch.distributed as dist

    if os.environ.get(records.RUN_DIR):
        _processes.die_with_parent()
    seconds = float(os.environ.get(PATIENCE, 20)) if patience is None else patience
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=seconds))
    try:
        yield dist.get_rank(), dist.get_world_size()
        # Leave together: a worker that is done early would close connections that others still read from.
        dist.barrier()
    finally:
        _left.append(dist.group.WORLD)
        dist.destroy_process_group()
