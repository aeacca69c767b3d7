"""Converts files to text in a process of its own; see child.py."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

from components.formats import FileText

_ROOT = Path(__file__).parents[2]


class Converter:
    """A process that converts files, started with the first one; a context manager.

    Args:
        seconds: of processor time for one file.
        characters: the most that a text may have.
    """

    def __init__(self, seconds: float, characters: int) -> None:
        self._seconds, self._characters = seconds, characters
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Converter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def convert(
        self, content: bytes, format_: str, unpacked: int, headers: Sequence[str] = ()
    ) -> FileText:
        """Converts one file.

        Args:
            content: the file.
            format_: mail, pdf, docx, odt or rtf.
            unpacked: the most bytes that a part of it may unpack to.
            headers: of an e-mail whose values are wanted.
        """
        job = {
            "format": format_, "size": len(content), "characters": self._characters,
            "unpacked": unpacked, "seconds": self._seconds, "headers": list(headers),
        }  # fmt: skip
        child = self._child or self._start()
        source, target = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)
        line = b""
        try:
            source.write(json.dumps(job).encode() + b"\n" + content)
            source.flush()
            line = target.readline()
        except OSError:
            pass  # it died, perhaps at the last file
        if not line.endswith(b"\n"):
            return FileText("", fault=self._death())
        fields: dict[str, Any] = json.loads(line)
        return FileText(**fields)

    def close(self) -> None:
        """Ends the process."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):  # what was not written to a dead process
                    cast("IO[bytes]", pipe).close()
            child.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        # Ctrl-C reaches the parent only, which ends the child.
        self._child = subprocess.Popen(
            [sys.executable, "-m", "components.formats.child"],
            cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        return self._child

    def _death(self) -> str:
        """Returns why the process died; the next file gets a new one."""
        child = cast("subprocess.Popen[bytes]", self._child)
        child.stdout.close()  # type: ignore[union-attr]
        status = child.wait()
        self.close()
        if status == -signal.SIGPROF:
            return f"the file takes longer than {self._seconds:g} seconds to read"
        return "the file needs too much memory to read"
