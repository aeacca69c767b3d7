"""Starts a worker of the Dask cluster that writes no raw text to its disk.

    python -m components.core.workers.dask_node tls://10.0.0.5:8786 [any option of `dask worker`]

The command is `dask worker` with the settings that scrubbing needs: no spilling, one thread in each
process, no dashboard, a folder under NEWSLOOP_HOME. Options of the command line override them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from components.core.errors import NewsloopError
from components.core.paths import Paths
from components.core.progress import say
from components.core.runtime.offline import stay_home
from components.core.runtime.private import keep_private

# Read by Dask in this process and inherited by the process that it starts and watches.
MEMORY_ONLY = {
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False",
}


def options(folder: str) -> list[str]:
    """Returns the options of `dask worker` before those of the command line."""
    # One thread, since the scrubber's models take one batch at a time; --nworkers adds processes.
    return ["--nthreads", "1", "--no-dashboard", "--local-directory", folder]


def main(arguments: Sequence[str]) -> None:
    """Runs the worker until its scheduler ends or a signal comes."""
    keep_private()
    stay_home()
    os.environ.update(MEMORY_ONLY)
    # Dask reads the environment when it is imported.
    from distributed.cli.dask_worker import main as dask_worker

    folder = Paths.find().home / "dask"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    dask_worker([*options(str(folder)), *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NewsloopError as error:
        say(f"error: {error}")
        sys.exit(error.exit_status)
