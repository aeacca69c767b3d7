"""A worker of the Dask cluster, started so that raw texts never reach its disk.

    python -m components.core.workers.dask_node tls://10.0.0.5:8786 [any option of `dask worker`]

It is `dask worker` with the settings that scrubbing needs: no spilling, one thread a process, no
dashboard, its folder under NEWSLOOP_HOME. Options given on the command line come later and win.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from components.core.errors import NewsloopError
from components.core.paths import Paths
from components.core.progress import say
from components.core.runtime.offline import stay_home

# Read by Dask in this process and inherited by the process that it starts and watches.
MEMORY_ONLY = {
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False",
}


def options(folder: str) -> list[str]:
    """The options of `dask worker` that come before a person's own."""
    # One thread: the scrubber's models take one text at a time. --nworkers makes it more.
    return ["--nthreads", "1", "--no-dashboard", "--local-directory", folder]


def main(arguments: Sequence[str]) -> None:
    """Runs until the scheduler goes or a signal comes."""
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
