"""Maps a function over batches in this process, in several processes, or on a Dask cluster.

    in this process              workers is 1
    processes of this machine    workers is more than 1
    a Dask cluster               NEWSLOOP_DASK_SCHEDULER names it; see core/workers/dask.py

The caller takes results in the order in which it submitted the batches, so results never depend on
the speed of a worker. The batches of a worker that dies run again.
"""

from __future__ import annotations

import os

from components.core.workers.base import SCHEDULER, R, Work, Workers
from components.core.workers.processes import InProcess, Processes


def open_workers(work: Work[R], count: int, attempts: int, seconds: float) -> Workers[R]:
    """Opens the workers for `work`.

    Args:
        work: batch -> results in the same order; a function or object that pickle can store.
        count: processes of this machine; 1 for this process. A Dask cluster has its own number.
        attempts: deaths of local processes without a result in between before an error.
        seconds: time limit for a Dask cluster to get a worker.

    Raises:
        ScrubError: the Dask cluster cannot be reached or would write raw texts to a disk.
    """
    address = os.environ.get(SCHEDULER)
    if address:
        from components.core.workers.dask import DaskWorkers

        return DaskWorkers(work, address, seconds)
    return InProcess(work) if count == 1 else Processes(work, count, attempts)
