"""Map work: batches in, results out, on this process, on others, or on a Dask cluster.

    in this process              workers is 1
    processes of this machine    workers is more than 1
    a Dask cluster               NEWSLOOP_DASK_SCHEDULER names it; see core/workers/dask.py

Whoever hands batches in asks for their results in the same order, so results never depend on which
worker was quick. A worker that dies takes nothing with it: its batches are done again.
"""

from __future__ import annotations

import os

from components.core.workers.base import SCHEDULER, R, Work, Workers
from components.core.workers.processes import InProcess, Processes


def open_workers(work: Work[R], count: int, attempts: int, seconds: float) -> Workers[R]:
    """The workers for `work`.

    Args:
        work: what is done with a batch, in its order; a function or object that pickle can name.
        count: processes of this machine, 1 for this process; a Dask cluster has its own number.
        attempts: how often a batch is tried on local processes before their dying is an error.
        seconds: how long to wait for a Dask cluster that has no worker.

    Raises:
        ScrubError: the Dask cluster cannot be reached or would write raw texts to a disk.
    """
    address = os.environ.get(SCHEDULER)
    if address:
        from components.core.workers.dask import DaskWorkers

        return DaskWorkers(work, address, seconds)
    return InProcess(work) if count == 1 else Processes(work, count, attempts)
