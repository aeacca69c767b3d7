"""The command line. A command `newsloop some-name` lies in `GROUP/some_name.py`, see app.py."""

from __future__ import annotations

from components.core.errors import NewsloopError, cause_and_remedy
from components.core.runtime import imports, interrupts, noise
from components.core.runtime.private import keep_private

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> int:
    """Runs the command line; every error of ours is one paragraph on stderr."""
    keep_private()
    imports.collect_seldom()
    interrupts.install()
    noise.quiet_http()
    try:
        from flows.cli import app  # a second's work, in which Ctrl-C is heard already

        status = app.build()(standalone_mode=False)
    except NewsloopError as error:
        _say(str(error))
        status = error.exit_status
    except BaseException as error:  # noqa: BLE001 - at SIGTERM Prefect raises its own
        if not interrupts.received():
            return _other(error)
        status = None
    # Typer does not raise KeyboardInterrupt: it returns 130.
    if interrupts.received():
        return interrupts.conclude()
    return status if isinstance(status, int) else 0


def _other(error: BaseException) -> int:
    """The exit status after an exception that is not ours; raises it if it is a mistake of ours."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    import typer

    if isinstance(error, typer.Abort):  # a question was answered by the end of the input
        _say("nothing was changed: the question was not answered.")
        return INTERRUPTED
    if hasattr(error, "show") and hasattr(error, "exit_code"):  # wrong usage, says Typer
        error.show()
        return int(error.exit_code)
    if isinstance(error, OSError):
        _say(f"Expected to read and write files, got: {cause_and_remedy(error)}")
        return 1
    raise error


def _say(message: str) -> None:
    from flows.cli import output

    output.error(message)
