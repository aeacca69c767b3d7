"""Entry point of a stage that is run by itself: settings in, exit status out."""

from __future__ import annotations

import sys
from collections.abc import Callable

from components.core import params as parameters
from components.core.errors import NewsloopError, cause_and_remedy
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime import imports
from components.core.runtime.offline import stay_home
from components.core.runtime.private import close_state, keep_private

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main(run: Callable[[Params, Paths], None]) -> int:
    """Runs a stage in the project at or above the working directory.

    Args:
        run: the stage's `run(params, paths)`.

    Returns:
        The exit status: 0 done; a NewsloopError's own, or 1 for an error of the operating system
        (no room, no permission), each said in one paragraph on stderr; 130 after Ctrl-C. Any other
        exception is a mistake of ours and passes through with its traceback.
    """
    keep_private()
    imports.collect_seldom()
    try:
        paths = Paths.find()
        stay_home(paths.home)
        close_state(paths.root, paths.home)
        run(parameters.load(paths.params), paths)
    except NewsloopError as error:
        return _say(f"error: {error}", error.exit_status)
    except KeyboardInterrupt:
        return _say("error: interrupted; run it again to go on.", INTERRUPTED)
    except OSError as error:
        told = cause_and_remedy(error)
        return _say(f"error: Expected to read and write files, got: {told}", FAILED)
    return 0


def _say(message: str, status: int) -> int:
    sys.stderr.write(" ".join(message.split()) + "\n")
    return status
