"""Reads zip, gz and tar as streams, within limits, and never unpacks them to a disk."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from components.core.params import Limits
from components.sources.streams import tapped

MIB = 1024 * 1024
TARS = (".tar", ".tar.gz", ".tgz")
# What damaged or strange archives raise, beside OSError. RuntimeError: encrypted;
# NotImplementedError: packed by a method that Python does not know.
DAMAGED = (
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
    RuntimeError,
    NotImplementedError,
    UnicodeError,
)
_SMALL = MIB  # bytes; below it the ratio says nothing: one repeated row packs 1000 times
_LONGEST_NAME = MIB  # bytes; tar holds names as large as it likes, and Python keeps them whole


class TooLarge(Exception):
    """An archive holds more than its limits allow; the text says how much."""


def allowed(packed: int, limits: Limits | None) -> int:
    """Computes the bytes that an archive of `packed` bytes may hold."""
    if limits is None:
        return sys.maxsize
    return min(limits.unpacked_mib * MIB, max(limits.unpacked_ratio * packed, _SMALL))


def limited(file: IO[bytes], most: int) -> io.BufferedReader:
    """Wraps `file` to raise TooLarge after byte number `most`."""

    def watch(_bytes: memoryview, place: int) -> None:
        if place > most:
            raise TooLarge(f"more than {most:,} bytes")

    return tapped(file, watch)


def gunzipped(file: IO[bytes], packed: int, limits: Limits | None) -> io.BufferedReader:
    """Opens the content of a gz file of `packed` bytes, with all its members."""
    return limited(
        cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")), allowed(packed, limits)
    )


class Zip:
    """A zip file that is open: the names that are wanted of it, and their content.

    Args:
        file: seekable.
        packed: its size in bytes.
        inside: the file or folder in it that is wanted; empty for all.
        suffixes: of wanted files.
        limits: of all wanted files together. A zip may name the same bytes many times, so its
            own account of packed sizes is not believed.

    Raises:
        TooLarge: the wanted files together are larger than allowed.
        zipfile.BadZipFile and others of DAMAGED: it cannot be read.
    """

    def __init__(
        self,
        file: IO[bytes],
        packed: int,
        inside: str,
        suffixes: tuple[str, ...],
        limits: Limits | None,
    ) -> None:
        self._zip = zipfile.ZipFile(file)
        wanted = [
            info
            for info in self._zip.infolist()
            if not info.is_dir() and wanted_name(info.filename, inside, suffixes) is not None
        ]
        total, most = sum(info.file_size for info in wanted), allowed(packed, limits)
        if total > most:
            raise TooLarge(f"{total:,} bytes where {most:,} are allowed")
        self._wanted = sorted(wanted, key=lambda info: info.filename)
        self._inside, self._suffixes = inside, suffixes

    def __iter__(self) -> Iterator[tuple[str, int, IO[bytes]]]:
        """(name below `inside`, size, content) of each wanted file, sorted by name."""
        for info in self._wanted:
            name = wanted_name(info.filename, self._inside, self._suffixes)
            with self._zip.open(info) as content:
                yield str(name), info.file_size, limited(content, info.file_size)


def tar_files(
    file: IO[bytes], packed: int, inside: str, suffixes: tuple[str, ...], limits: Limits | None
) -> Iterator[tuple[str, int, IO[bytes]]]:
    """(name below `inside`, size, content) of each wanted file of a tar, in its own order.

    Args:
        file: read once from front to end; the tar itself, unpacked.
        packed: size in bytes of the file it came from.
        inside, suffixes, limits: as for `Zip`, but of all that the tar holds.
    """
    bounded = limited(file, allowed(packed, limits))
    with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_Member) as tar:
        while (member := tar.next()) is not None:
            # It keeps all that it has seen.
            tar.members.clear()  # type: ignore[attr-defined]
            name = wanted_name(member.name, inside, suffixes) if member.isfile() else None
            if name is not None:
                content = tar.extractfile(member)
                assert content is not None
                yield name, member.size, content


class _Member(tarfile.TarInfo):
    """An entry whose own name and remarks are not read into memory when they are huge."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if not (self.isfile() or self.isdir()) and self.size > _LONGEST_NAME:
            raise tarfile.ReadError("a header of more than 1 MiB")
        return cast("tarfile.TarInfo", super()._proc_member(tar))  # type: ignore[misc]


def wanted_name(name: str, inside: str, suffixes: tuple[str, ...]) -> str | None:
    """Returns the part of `name` below the folder `inside`; None for a file to skip.

    >>> wanted_name("bbc/tech/1.txt", "bbc", (".txt",)), wanted_name("__MACOSX/a.txt", "", ("",))
    ('tech/1.txt', None)
    """
    name, inside = name.removeprefix("./"), inside.strip("/")
    if inside and name == inside:
        return name.rpartition("/")[2]
    if inside and not name.startswith(f"{inside}/"):
        return None
    name = name[len(inside) + 1 :] if inside else name
    parts = name.split("/")
    # What macOS adds, and what leads out of the archive.
    if parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts):
        return None
    return name if name.endswith(suffixes) else None
