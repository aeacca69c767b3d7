"""Scrubbing in a process of its own: it is slow, and the answers must not wait for it.

Raw texts travel to that process and scrubbed ones back through its pipes, one JSON list a line;
nothing touches the disk on the way. The child: `python -m serving.recording.scrubbing PARAMS_FILE`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from components.core.errors import ScrubError

if TYPE_CHECKING:
    from components.core.scrub import Scrubbed

CODE = Path(__file__).resolve().parents[2]
NICENESS = 10
_KILL_SECONDS = 5  # for the kernel to remove a killed process
LONGEST_BATCH = 120  # seconds that a batch may take; a process that needs more is stuck


def command(params_file: Path) -> list[str]:
    """The command line of the scrubbing process."""
    return [sys.executable, "-m", "serving.recording.scrubbing", str(params_file)]


class ScrubbingProcess:
    """The near end. Starts the process when there is none.

    Args:
        argv: see `command`.
        longest: seconds that `scrub` waits.
    """

    def __init__(self, argv: Sequence[str], longest: float = LONGEST_BATCH) -> None:
        self._argv, self._longest = list(argv), longest
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                self._argv,
                cwd=CODE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
                # More threads would take the cores from the model.
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        return self._process

    def scrub(self, texts: Sequence[str]) -> list[str | None]:
        """Each text scrubbed; None where the scrubber could not.

        Raises:
            ScrubError: the process died or hung; it is started anew at the next call.
        """
        try:
            process = self.start()
            watch = threading.Timer(self._longest, process.kill)
            watch.start()
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps(list(texts)) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            finally:
                watch.cancel()
            scrubbed = json.loads(line)
        except (OSError, ValueError):
            scrubbed = None
        if not isinstance(scrubbed, list) or len(scrubbed) != len(texts):
            self.close()
            raise ScrubError(
                f"Expected {len(texts)} scrubbed texts from the scrubbing process, but it ended or "
                "hung. Their texts are lost; the process is started anew."
            )
        return scrubbed

    def kill(self) -> None:
        """Ends the process at once, from whatever thread; a `scrub` that waits for it raises."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Ends the process and lets go of its pipes; for the thread that calls `scrub`."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_SECONDS)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not yet written cannot be any more
                    pipe.close()


def storable(text: str) -> str:
    """`text` without what no database takes: lone surrogates and NUL.

    >>> storable("a\\x00b\\ud800")
    'a b?'
    """
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def scrub_each(
    scrub_many: Callable[[list[str]], list[str | None]], texts: Sequence[str]
) -> list[str | None]:
    """Each text scrubbed, all together or, if that fails, one by one; None for those that fail."""
    clean = [storable(text) for text in texts]
    try:
        return list(scrub_many(clean))
    except Exception:  # noqa: BLE001 - whatever it is, the text does not pass; found out below
        if len(clean) == 1:
            return [None]
    return [scrub_each(scrub_many, [text])[0] for text in clean]


def give_way() -> None:
    """From now on this process has what time others leave: of the class SCHED_IDLE, see sched(7).

    A nice process may finish its time slice before one that answers has its turn. It is not for
    loading: a service that starts under full load would wait for its scrubber for minutes.
    """
    with contextlib.suppress(AttributeError, OSError):  # not Linux, or a container forbids it
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def answer(
    scrub_many: Callable[[list[str]], list[str | None]], requests: TextIO, replies: TextIO
) -> None:
    """The far end's work: a reply for each request, until the requests end."""
    for line in requests:
        replies.write(json.dumps(scrub_each(scrub_many, json.loads(line))) + "\n")
        replies.flush()


def _text_of(scrubbed: Scrubbed) -> str | None:
    """Returns the scrubbed text; None where ingest.scrub.unknown_language refuses its language."""
    return None if scrubbed.unsearched and not scrubbed.text else scrubbed.text


def main() -> int:
    """Reads requests from standard input until it is closed, which is how the service ends it."""
    # A signal to the whole group must not end it before the service has drained its queue.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    # What a library prints must not come between the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    from components.core.runtime.offline import stay_home
    from components.core.scrub import Scrubber

    stay_home()
    try:
        scrubber = Scrubber.from_params(Path(sys.argv[1]))
    except ScrubError as error:
        print(error, file=sys.stderr)  # noqa: T201 - its only way to speak
        return error.exit_status
    give_way()
    answer(
        lambda texts: [_text_of(scrubbed) for scrubbed in scrubber.scrub_many(texts)],
        sys.stdin,
        replies,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
