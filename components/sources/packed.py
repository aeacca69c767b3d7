"""Reads zip, gz and tar as streams, within limits, and never unpacks them to a disk."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, cast

from components.sources.budget import MIB, Budget, limited
from components.sources.streams import tapped

TARS = (".tar", ".tar.gz", ".tgz")
_MARK = 4  # bytes that show how a file is packed
PACKED = (".gz", ".bz2", ".zst")  # ends of the names of files that are packed one by one
SHADOWS = "__MACOSX"  # a folder that macOS adds, with a shadow of each file
Wanted = Callable[[str], bool]  # tests the path of a file below the folder that is read
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
# Of a zip: the place of the directory's size in the record at its end, and the least of an entry.
_DIRECTORY_BYTES, _ENTRY_BYTES = 5, 46
_LONGEST_NAME = MIB  # bytes; tar holds names as large as it likes, and Python keeps them whole


def gunzipped(file: IO[bytes], budget: Budget) -> io.BufferedReader:
    """Opens the content of a gz file, with all its members."""
    return budget.stream(cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")))


def unpacked(file: IO[bytes], name: str, budget: Budget) -> IO[bytes]:
    """Opens the content of a file that is packed alone; a plain file is returned as it is.

    What gzip, bzip2 or zstd packed is recognized without the end of its name, too.
    """
    head: bytes = file.peek(_MARK)[:_MARK]  # type: ignore[attr-defined]
    if name.endswith(".gz") or head.startswith(b"\x1f\x8b"):
        return gunzipped(file, budget)
    if head.startswith(b"BZh"):
        return budget.stream(cast("IO[bytes]", bz2.BZ2File(file)))
    if head == b"\x28\xb5\x2f\xfd":
        import pyarrow as pa

        # It closes what it reads from: here the wrapper only.
        return budget.stream(pa.CompressedInputStream(tapped(file, lambda *_: None), "zstd"))
    return file


def ending(suffixes: tuple[str, ...]) -> Wanted:
    """Makes a test for files with one of `suffixes`, in any case."""
    return lambda name: name.lower().endswith(suffixes)


class Zip:
    """A zip file that is open: the names that are wanted of it, and their content.

    Args:
        file: seekable.
        inside: the file or folder in it that is wanted; empty for all.
        wanted: tests the name of a file.
        budget: of all files together. A zip may name the same bytes many times, so its own
            account of packed sizes is not believed.

    Raises:
        TooLarge: the wanted files together are larger than allowed, or there are too many.
        zipfile.BadZipFile and others of DAMAGED: it cannot be read.
    """

    def __init__(self, file: IO[bytes], inside: str, wanted: Wanted, budget: Budget) -> None:
        budget.file(_entries(file))
        self._zip = zipfile.ZipFile(file)
        # zipfile stumbles over a name without characters.
        infos = [info for info in self._zip.infolist() if info.filename and not info.is_dir()]
        self._wanted = [
            (name, info)
            for info in sorted(infos, key=lambda info: info.filename)
            if (name := wanted_name(info.filename, inside, wanted)) is not None
        ]
        if any(info.compress_type == zipfile.ZIP_BZIP2 for _, info in self._wanted):
            raise zipfile.BadZipFile("packed by bzip2, which unpacks without a limit")
        budget.layer().take(sum(info.file_size for _, info in self._wanted))

    def __iter__(self) -> Iterator[tuple[str, int, IO[bytes]]]:
        """(name below `inside`, size, content) of each wanted file, sorted by name."""
        for name, info in self._wanted:
            with self._zip.open(info) as content:
                yield name, info.file_size, limited(content, info.file_size)

    def names(self) -> list[str]:
        """Names of the wanted files below `inside`, sorted."""
        return [name for name, _ in self._wanted]


def _entries(file: IO[bytes]) -> int:
    """The largest number of entries that a zip's directory has room for.

    ZipFile makes an object of each before anybody can count them.
    """
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    file.seek(0)
    return int(end[_DIRECTORY_BYTES]) // _ENTRY_BYTES if end else 0


def tar_files(
    file: IO[bytes], inside: str, wanted: Wanted, budget: Budget
) -> Iterator[tuple[str, int, IO[bytes]]]:
    """(name below `inside`, size, content) of each wanted file of a tar, in its own order.

    Args:
        file: read once from front to end; the tar itself, unpacked.
        inside, wanted, budget: as for `Zip`, but of all that the tar holds.
    """
    contents = budget.layer()
    with tarfile.open(fileobj=budget.stream(file), mode="r|", tarinfo=_Member) as tar:
        while (member := tar.next()) is not None:
            # It keeps all that it has seen.
            tar.members.clear()  # type: ignore[attr-defined]
            budget.file()
            name = wanted_name(member.name, inside, wanted) if member.isfile() else None
            if name is not None:
                contents.take(member.size)  # the holes of a sparse file are not in the tar
                content = tar.extractfile(member)
                assert content is not None
                yield name, member.size, content


class _Member(tarfile.TarInfo):
    """An entry whose own name and remarks are not read into memory when they are huge."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if not (self.isfile() or self.isdir()) and self.size > _LONGEST_NAME:
            raise tarfile.ReadError("a header of more than 1 MiB")
        return cast("tarfile.TarInfo", super()._proc_member(tar))  # type: ignore[misc]


def wanted_name(name: str, inside: str, wanted: Wanted) -> str | None:
    """Returns the part of `name` below the folder `inside`; None for a file to skip.

    >>> text = ending((".txt",))
    >>> wanted_name("bbc/tech/1.txt", "bbc", text), wanted_name("__MACOSX/a.txt", "", text)
    ('tech/1.txt', None)
    """
    name, inside = name.removeprefix("./"), inside.strip("/")
    if inside and name == inside:
        return name.rpartition("/")[2]
    if inside and not name.startswith(f"{inside}/"):
        return None
    name = name[len(inside) + 1 :] if inside else name
    # What macOS adds, and what leads out of the archive.
    if any(part[:1] == "." or part == SHADOWS for part in name.split("/")):
        return None
    return name if wanted(name) else None
