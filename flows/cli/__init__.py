"""Command line. The command `newsloop some-name` is defined in `GROUP/some_name.py`, see app.py."""

from __future__ import annotations

import logging
import shutil
import sys
from typing import Any

from components.core.errors import NO_ROOM, NewsloopError, cause_and_remedy
from components.core.paths import Paths
from components.core.runtime import imports, interrupts, noise
from components.core.runtime.private import keep_private

INTERRUPTED = 130  # 128 + SIGINT, the convention of shells
_LITTLE_ROOM = 2**24  # bytes; with less, a database server cannot work


def main() -> int:
    """Runs the command line; prints a NewsloopError as one paragraph on stderr."""
    keep_private()
    imports.collect_seldom()
    interrupts.install()
    noise.quiet_http()
    logging.raiseExceptions = False  # a log that cannot be sent is no second message
    try:
        from flows.cli import app  # takes a second, in which Ctrl-C works already

        status = app.build(sys.argv[1:])(standalone_mode=False)
    except NewsloopError as error:
        _say(str(error))
        status = error.exit_status
    except BaseException as error:  # noqa: BLE001 - at SIGTERM Prefect raises its own exception
        if not interrupts.received():
            return _other(error)
        status = None
    # Typer does not raise KeyboardInterrupt: it returns 130.
    if interrupts.received():
        return interrupts.conclude()
    return status if isinstance(status, int) else 0


def _other(error: BaseException) -> int:
    """Returns the exit status after another exception; raises it again if it is a bug."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    import typer

    if isinstance(error, typer.Abort):  # the input ended before a question was answered
        _say("nothing was changed: the question was not answered.")
        return INTERRUPTED
    if hasattr(error, "show") and hasattr(error, "exit_code"):  # Typer: wrong usage
        error.show()
        return int(error.exit_code)
    if isinstance(error, OSError):
        _say(f"Expected to read and write files, got: {cause_and_remedy(error)}")
        return 1
    if _is_of_server(error):
        _say(_unanswered(error))
        return 1
    raise error


def _is_of_server(error: BaseException) -> bool:
    """Tests if a server did not answer, or answered that it failed."""
    httpx = sys.modules.get("httpx")
    return httpx is not None and isinstance(error, httpx.HTTPError)


def _unanswered(error: Any) -> str:
    """Formats a message about an error of httpx; Prefect's errors of its server are such."""
    try:
        address = f" at {error.request.url.copy_with(path='/', query=None)}"
    except RuntimeError:  # the error belongs to no request
        address = ""
    response = getattr(error, "response", None)
    cause = f"status {response.status_code}" if response is not None else type(error).__name__
    remedy = "`newsloop status` says if it runs; its log is in .newsloop/logs."
    if _without_room():
        remedy = NO_ROOM
    return f"Expected an answer of the server{address}, got: {cause}. {remedy} Then run again."


def _without_room() -> bool:
    home = Paths.find().home
    return home.exists() and shutil.disk_usage(home).free < _LITTLE_ROOM


def _say(message: str) -> None:
    from flows.cli import output

    output.error(message)
