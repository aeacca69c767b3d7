"""Stores of files: this machine, or an object store through fsspec (s3://, gs://, az://)."""

from __future__ import annotations

import hashlib
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from components.core.runtime import limited
from components.sources.budget import Budget, NotAllowed
from components.sources.packed import SHADOWS, Wanted
from components.sources.reader import printable
from components.sources.streams import BLOCK, Tap

# Protocol -> the package that fsspec needs for it.
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_CALL_SECONDS = 600.0  # of one call: the list of a folder with a million objects
_SHOWN = 200  # characters of a path in a message
DIGEST_BYTES = 32  # of SHA-256
# What stores call the hash or version of an object's content, the surest first. An entity tag
# may be another one for the same content that was uploaded in other parts.
_TAGS = ("md5Hash", "crc32c", "ETag", "etag", "generation")


class StoreError(OSError):
    """An object store could not be used."""


class LeadsOutside(NotAllowed):
    """A link or mount in a folder leads out of it.

    Args:
        path: of the link or mount.
        what: which of these it is.
    """

    expected = "only files of its own folder"
    todo = (
        "Copy what it leads to into the folder, or set allow_outside_files for this source in "
        "params.yaml."
    )

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{what} at {printable(path, _SHOWN)}")


class Store(ABC):
    """A file, or a folder of files, at one address.

    Attributes:
        name: the last part of the address.
        shown: the address, for messages.
        hashes: whether a mark is the SHA-256 of the content; else it is the store's own tag.
    """

    name: str
    shown: str
    hashes: bool

    @abstractmethod
    def what(self) -> str:
        """`file`, `folder` or `nothing`."""

    @abstractmethod
    def size(self, name: str = "") -> int:
        """Bytes of the file, or of the file `name` in the folder."""

    @abstractmethod
    def open(self, name: str = "") -> IO[bytes]:
        """The file, or the file `name` in the folder; it can be read and seeks."""

    @abstractmethod
    def mark(self, name: str = "") -> str:
        """Identifies the content, in hexadecimal: its SHA-256, or the SHA-256 of its tag."""

    @abstractmethod
    def names(self, wanted: Wanted, budget: Budget) -> tuple[list[str], bytearray]:
        """Wanted files at any depth of the folder, sorted, and DIGEST_BYTES of mark for each.

        Files and folders whose names begin with a dot, and those of SHADOWS, are passed over.

        Raises:
            TooLarge: there are more files or bytes than allowed.
        """


def open_store(address: str, base: Path, outside: bool = False) -> Store:
    """The store at `address`: a path from `base`, or an address with a protocol of PACKAGES.

    Args:
        address, base: see above.
        outside: whether a folder may hold links and mounts that lead out of it.

    Raises:
        StoreError: no such protocol, its package is not installed, or the store refuses.
    """
    protocol, found, _ = address.partition("://")
    return RemoteStore(protocol, address) if found else LocalStore(base / address, outside)


class LocalStore(Store):
    """Files on this machine.

    Args:
        path: of a file or folder; it may be a link itself.
        outside: whether links and mounts in the folder may lead out of it.
    """

    hashes = True

    def __init__(self, path: Path, outside: bool = False) -> None:
        self._root, self.name, self.shown = path, path.name, str(path)
        self._outside = outside

    def what(self) -> str:
        if self._root.is_dir():
            return "folder"
        return "file" if self._root.is_file() else "nothing"

    def size(self, name: str = "") -> int:
        return (self._root / name).stat().st_size

    def open(self, name: str = "") -> IO[bytes]:
        if not name or self._outside:
            return (self._root / name).open("rb")
        # Again, since a file may have become a link after it was listed.
        return open(self._inside(name), "rb", opener=_no_link)

    def mark(self, name: str = "") -> str:
        return content_hash(self.open(name))

    def names(self, wanted: Wanted, budget: Budget) -> tuple[list[str], bytearray]:
        names = []
        for name in self._walk(str(self._root), "", wanted):
            budget.file()
            names.append(name)
        names.sort()
        marks, contents = bytearray(), budget.layer()
        for name in names:
            contents.take(self.size(name))
            marks += bytes.fromhex(self.mark(name))
        return names, marks

    def _walk(self, folder: str, prefix: str, wanted: Wanted) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == SHADOWS:
                    continue
                # A link to a folder may lead round in a circle.
                if entry.is_dir(follow_symlinks=False):
                    if not self._outside and os.path.ismount(entry.path):
                        raise LeadsOutside(entry.path, "a mounted folder")
                    yield from self._walk(entry.path, f"{prefix}{entry.name}/", wanted)
                elif wanted(prefix + entry.name) and entry.is_file():
                    if entry.is_symlink() and not self._outside:
                        self._inside(prefix + entry.name)
                    yield prefix + entry.name

    def _inside(self, name: str) -> Path:
        """Resolves the links in the path of a file, which must stay in the folder."""
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise LeadsOutside(str(self._root / name), "a link out of it")
        return path


class RemoteStore(Store):
    """Objects in a store that fsspec knows; keys and endpoint come from its own settings."""

    hashes = False

    def __init__(self, protocol: str, address: str) -> None:
        self.shown, self.name = address, address.rstrip("/").rpartition("/")[2]
        if protocol not in PACKAGES:
            raise StoreError(f"no store for {protocol}://, only for {', '.join(PACKAGES)}")
        package = PACKAGES[protocol]
        try:
            from fsspec.core import url_to_fs

            # Listings and instances that are kept would hide what changed since.
            self._files, self._root = url_to_fs(
                address.rstrip("/"), use_listings_cache=False, skip_instance_cache=True
            )
        except ImportError:
            raise StoreError(
                f"the package {package} is not installed, which {protocol}:// needs: run "
                f"`pip install {package}`"
            ) from None
        except Exception as error:  # noqa: BLE001 - each store has exceptions of its own
            raise _refusal(error) from None

    def what(self) -> str:
        try:
            info = _call(lambda: self._files.info(self._root))
        except FileNotFoundError:
            return "nothing"
        return "folder" if info["type"] == "directory" else "file"

    def size(self, name: str = "") -> int:
        return int(self._info(name)["size"])

    def open(self, name: str = "") -> IO[bytes]:
        file = _call(lambda: self._files.open(self._place(name), "rb"))
        return io.BufferedReader(_Remote(file), BLOCK)

    def mark(self, name: str = "") -> str:
        return self._mark(self._info(name), name)

    def names(self, wanted: Wanted, budget: Budget) -> tuple[list[str], bytearray]:
        contents = budget.layer()
        found: list[tuple[str, bytes]] = []
        walk = _call(lambda: self._files.walk(self._root, detail=True))
        while (step := _call(lambda: next(walk, None))) is not None:
            folder, _, files = step
            for info in files.values():
                name = str(info["name"])[len(self._root) :].lstrip("/")
                hidden = any(part[:1] == "." or part == SHADOWS for part in name.split("/"))
                if not hidden and wanted(name):
                    budget.file()
                    contents.take(int(info["size"] or 0))
                    found.append((name, bytes.fromhex(self._mark(info, name))))
            del folder
        found.sort()
        return [name for name, _ in found], bytearray(b"".join(mark for _, mark in found))

    def _mark(self, info: Mapping[str, Any], name: str) -> str:
        tag = next((f"{key} {info[key]}" for key in _TAGS if info.get(key)), None)
        if tag is None:
            return content_hash(self.open(name))
        return hashlib.sha256(f"{info['size']} {tag}".encode()).hexdigest()

    def _info(self, name: str) -> Mapping[str, Any]:
        info: Mapping[str, Any] = _call(lambda: self._files.info(self._place(name)))
        return info

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root


class _Remote(Tap):
    """An object that is read; what its store raises becomes a StoreError."""

    def __init__(self, inner: IO[bytes]) -> None:
        super().__init__(inner, lambda _bytes, _place: None, owns=True)

    def readinto(self, buffer: Any) -> int:
        return int(_call(lambda: super(_Remote, self).readinto(buffer)))


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def content_hash(file: IO[bytes]) -> str:
    """Hashes the rest of `file` by SHA-256, in hexadecimal; closes it."""
    with file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _call(work: Callable[[], Any]) -> Any:
    try:
        return limited.call(work, _CALL_SECONDS)
    except TimeoutError:
        raise StoreError("no answer in time: see that the store can be reached") from None
    except Exception as error:  # noqa: BLE001 - each store has exceptions of its own
        raise _refusal(error) from None


def _refusal(error: Exception) -> OSError:
    """Converts an error of a store to an OSError; other messages may hold a signed URL."""
    if isinstance(error, OSError):
        return error
    return StoreError(f"{type(error).__name__}: see that the store can be reached and its keys fit")
