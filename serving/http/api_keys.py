"""API keys and their scopes.

A key is printed once, when it is made; the file stores only its SHA-256. Passwords need a slow
hash, because they can be guessed. A key has 256 random bits, so a fast hash is safe and saves time
in each request. A service applies a new or revoked key from its next request on: the file is
replaced atomically, and a check of its modification time takes microseconds.
"""

from __future__ import annotations

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
from components.core.runtime import limited

LOG = logging.getLogger("newsloop.serving")
FILE = "api-keys.json"
# predict: /classify, /explain, /model. feedback: /feedback. label: the same, and its labels may
# decide alone. admin: everything.
SCOPES = ("predict", "feedback", "label", "admin")
_LOCK_SECONDS = 10  # for another command that changes the file
_SECRET_BYTES = 32
_ID_BYTES = 6
_KEY = re.compile(r"nl_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NOBODY = "0" * 64  # digest to compare for an unknown id, so that it takes the same time


@dataclass(frozen=True)
class ApiKey:
    """Entry of one key in the file.

    Attributes:
        id: 12 hexadecimal digits of the key; not secret.
        name: name for people; unique among valid keys.
        scopes: values of SCOPES.
        digest: SHA-256 of the key, in hexadecimal.
        created, revoked: UTC, ISO 8601; `revoked` is None for a valid key.
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
        The key, which is stored nowhere and cannot be printed again.

    Raises:
        UsageError: invalid name, unknown scope or none, or another valid key has the name.
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
    """Revokes the valid key with that name or id; its entry stays, without the digest.

    Raises:
        UsageError: no valid key has that name or id.
        StackError: the file cannot be read or written.
    """
    with _changing(path):
        keys = load(path)
        matches = [key for key in keys if name in (key.name, key.id) and key.revoked is None]
        if not matches:
            valid = ", ".join(key.name for key in keys if key.revoked is None)
            raise UsageError(f"Expected the name of a valid key ({valid or 'none'}), got {name}.")
        revoked = ApiKey(**(asdict(matches[0]) | {"digest": "", "revoked": now.isoformat()}))
        _write(path, [revoked if key is matches[0] else key for key in keys])
    return revoked


def load(path: Path) -> list[ApiKey]:
    """Reads all keys in the file at `path`, also revoked ones; none without a file.

    Raises:
        StackError: the file is unreadable or invalid, or users other than its owner may write it.
    """
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StackError(
                f"Expected only the owner to have the right to write {path}, others have it too. "
                f"Check who wrote it, then run `chmod 600 {path}`."
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
            f"Expected the API keys in {path}, got something else. Restore a copy of the file, or "
            "remove it and make new keys by `newsloop api-key add`."
        ) from error


class Keys:
    """Valid keys of one file, read again when the file changes.

    An unreadable file has no valid keys, and the reason is logged once.

    Args:
        path: path of the file, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._valid: dict[str, ApiKey] = {}

    def __len__(self) -> int:
        self._refresh()
        return len(self._valid)

    def find(self, key: str) -> ApiKey | None:
        """Returns the entry of `key`; None for an invalid one.

        The time is the same for all keys of the right form, against timing attacks.
        """
        self._refresh()
        match = _KEY.fullmatch(key)
        entry = self._valid.get(match[1]) if match else None
        same = hmac.compare_digest(_digest(key), entry.digest if entry else _NOBODY)
        return entry if same else None

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
    """Locks the file for a change, so that two concurrent changes do not overwrite each other."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.with_name(f".{path.name}.lock").open("w") as lock:
            limited.lock(lock, _LOCK_SECONDS)
            yield
    except TimeoutError:
        raise StackError(
            f"Expected the other command that changes the API keys in {path} to be done within "
            f"{_LOCK_SECONDS} s, it is not. End it, and run again."
        ) from None
    except OSError as error:
        raise StackError(
            f"Expected to write the API keys to {path}, got: {cause_and_remedy(error)}"
        ) from error
