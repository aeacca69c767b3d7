"""API keys: who may use the service from elsewhere, and for what.

A key is shown once, when it is made; the file holds only its SHA-256. A slow hash guards passwords,
which can be guessed; a key holds 256 random bits, which no number of guesses finds, and a slow hash
would cost every request its time. Any service that reads the same file knows a new or revoked key
with its next request: the file is replaced whole, and a look at its stamp costs microseconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components.core import tables
from components.core.errors import StackError, UsageError, cause_and_remedy

LOG = logging.getLogger("newsloop.serving")
FILE = "api-keys.json"
# predict: /classify, /explain, /model. feedback: /feedback. label: the same, and its labels may
# decide alone. admin: everything.
SCOPES = ("predict", "feedback", "label", "admin")
_SECRET_BYTES = 32
_ID_BYTES = 6
_KEY = re.compile(r"nl_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NOBODY = "0" * 64  # the digest that an unknown id is compared with, so that it takes as long


@dataclass(frozen=True)
class ApiKey:
    """What the file holds of one key.

    Attributes:
        id: 12 hexadecimal digits, a part of the key; no secret.
        name: what people call it; unique among keys that are not revoked.
        scopes: what it is good for, of SCOPES.
        digest: SHA-256 of the whole key, in hexadecimal.
        created, revoked: UTC, ISO 8601; `revoked` is None while it is valid.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    digest: str
    created: str
    revoked: str | None = None

    def may(self, scope: str) -> bool:
        more = ("label",) if scope == "feedback" else ()
        return not {scope, *more, "admin"}.isdisjoint(self.scopes)


def add(path: Path, name: str, scopes: Sequence[str], now: datetime) -> str:
    """Makes a key and writes its digest to the file at `path`.

    Returns:
        The key: it is kept nowhere and cannot be shown again.

    Raises:
        UsageError: the name or a scope cannot be, or the name is taken.
        StackError: the file cannot be read or written.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            "Expected a name of up to 64 letters, digits, dots, dashes and underscores, got "
            f"{name!r}. Choose another one."
        )
    unknown = sorted(set(scopes) - set(SCOPES))
    if not scopes or unknown:
        raise UsageError(
            f"Expected at least one --scope of {', '.join(SCOPES)}, got "
            f"{', '.join(unknown) or 'none'}."
        )
    with _changing(path):
        keys = load(path)
        if any(key.name == name and key.revoked is None for key in keys):
            raise UsageError(
                f"Expected a name that no valid key has, got {name}. Choose another one, or revoke "
                "that key first."
            )
        id_ = secrets.token_hex(_ID_BYTES)
        key = f"nl_{id_}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        ordered = tuple(scope for scope in SCOPES if scope in scopes)
        _write(path, [*keys, ApiKey(id_, name, ordered, _digest(key), now.isoformat())])
    return key


def revoke(path: Path, name: str, now: datetime) -> ApiKey:
    """Makes the valid key of that name or id invalid; its row stays, for the record.

    Raises:
        UsageError: no valid key has that name or id.
        StackError: the file cannot be read or written.
    """
    with _changing(path):
        keys = load(path)
        found = [key for key in keys if name in (key.name, key.id) and key.revoked is None]
        if not found:
            valid = ", ".join(key.name for key in keys if key.revoked is None)
            raise UsageError(f"Expected the name of a valid key ({valid or 'none'}), got {name}.")
        gone = ApiKey(**(asdict(found[0]) | {"digest": "", "revoked": now.isoformat()}))
        _write(path, [gone if key is found[0] else key for key in keys])
    return gone


def load(path: Path) -> list[ApiKey]:
    """All keys in the file at `path`, revoked ones too; none if there is no file.

    Raises:
        StackError: it cannot be read, is no such file, or others than its owner may write it.
    """
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StackError(
                f"Expected only the owner to have the right to write {path}, others have it too. "
                f"Look who wrote it, then run `chmod 600 {path}`."
            )
        return [_parse(row) for row in json.loads(path.read_text(encoding="utf-8"))["keys"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StackError(
            f"Expected the API keys in {path}, got: {cause_and_remedy(error)}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(
            f"Expected the API keys in {path}, found something else. Put back a copy of it, or "
            "remove it and make new keys by `newsloop api-key add`."
        ) from error


class Keys:
    """The valid keys of one file, as they are now.

    Args:
        path: of the file; it need not exist yet.

    A file that cannot be read holds no keys: nobody is let in, and the reason is logged once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._valid: dict[str, ApiKey] = {}

    def __len__(self) -> int:
        self._refresh()
        return len(self._valid)

    def find(self, key: str) -> ApiKey | None:
        """What is known of `key`, if it is valid; takes as long for any key of the right form."""
        self._refresh()
        match = _KEY.fullmatch(key)
        found = self._valid.get(match[1]) if match else None
        same = hmac.compare_digest(_digest(key), found.digest if found else _NOBODY)
        return found if same else None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino, status.st_mode)
        except OSError:
            stamp = None
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._valid = {key.id: key for key in load(self._path) if key.revoked is None}
        except StackError as error:
            self._valid = {}
            LOG.error("%s Until then no API key is valid.", error)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _parse(row: dict[str, Any]) -> ApiKey:
    key = ApiKey(**(row | {"scopes": tuple(row["scopes"])}))
    texts = (key.id, key.name, key.digest, key.created)
    if not all(isinstance(text, str) for text in texts) or set(key.scopes) - set(SCOPES):
        raise ValueError
    return key


def _write(path: Path, keys: Sequence[ApiKey]) -> None:
    text = json.dumps({"keys": [asdict(key) for key in keys]}, indent=2) + "\n"

    def write(temporary: Path) -> None:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)

    tables.write_atomic(path, write)


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """One change at a time: two that read the same file would lose one of two keys."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.with_name(f".{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise StackError(
            f"Expected to write the API keys to {path}, got: {cause_and_remedy(error)}"
        ) from error
