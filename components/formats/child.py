"""The process that converts files: `python -m components.formats.child`.

A hostile file may make a parser loop or fill the memory. Here each file has a limit on processor
time, after which the kernel ends this process, and the process has a limit on memory. Neither
content nor text touches a disk.

    stdin   a line of JSON (format, size, characters, unpacked, seconds, headers), then the content
    stdout  a line of JSON: the fields of FileText
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from typing import IO, Any

from components.formats import FileText
from components.formats.errors import TooLarge, Unreadable

MEMORY = 1024**3  # bytes of address space


def convert(content: bytes, format_: str, job: dict[str, Any]) -> FileText:
    """Converts one file.

    Raises:
        Unreadable, TooLarge: see errors.py.
    """
    characters, unpacked = int(job["characters"]), int(job["unpacked"])
    if format_ == "mail":
        from components.formats.mail import mail_text

        return mail_text(content, job["headers"])
    if format_ == "pdf":
        from components.formats.pdf import pdf_text

        return FileText(pdf_text(content, characters, unpacked))
    if format_ == "rtf":
        from striprtf.striprtf import rtf_to_text

        if not content.lstrip().startswith(b"{\\rtf"):
            raise Unreadable("not RTF")
        text: str = rtf_to_text(content.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
        return FileText(text.strip())
    from components.formats.office import office_text

    return FileText(office_text(content, format_, characters, unpacked))


def answer(content: bytes, job: dict[str, Any]) -> FileText:
    """Converts one file; what it raises becomes the fault."""
    long = f"the text is longer than {job['characters']:,} bytes"
    try:
        text = convert(content, job["format"], job)
    except TooLarge as error:
        return FileText("", fault=str(error) or long)
    except Unreadable as error:
        return FileText("", fault=f"the file is {error}")
    except MemoryError:
        return FileText("", fault="the file needs too much memory to read")
    except Exception:  # noqa: BLE001 - damaged files make libraries raise anything
        return FileText("", fault="the file is damaged")
    return FileText("", fault=long) if len(text.text) > job["characters"] else text


def main(source: IO[bytes], target: IO[bytes]) -> None:
    """Answers until `source` ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for line in source:
        job = json.loads(line)
        content = source.read(job["size"])
        signal.setitimer(signal.ITIMER_PROF, job["seconds"])  # then SIGPROF ends the process
        done = answer(content, job)
        signal.setitimer(signal.ITIMER_PROF, 0)
        target.write(json.dumps(done._asdict()).encode() + b"\n")
        target.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
