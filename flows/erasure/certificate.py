"""Signed certificate of an erasure: each deletion with location, and hashes before and after.

.newsloop/certificates/<time>-<erasure>.json  without names: the subject is a keyed hash
                       <time>-<erasure>.sig   Ed25519, by the key that signs bundles
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature

from components.core import keys, tables
from components.core.errors import BundleError
from components.core.paths import Paths

NOT_REACHED = [
    "the sources themselves: delete the person there too; the suppression list only keeps what is "
    "there from coming in again",
    "commits of git: data/sources.json holds fingerprints of what the subject was part of, and "
    "params.yaml, dvc.lock and file names are kept as they were",
    "clones, caches and remotes on other machines, and exports that people made",
    "backups and snapshots of disks, the disk's own spare blocks, and PostgreSQL's log and backups",
    "documents of others that speak of the subject, and repeats that are not the same text",
    "answers that the service gave, and models that somebody copied",
]


class ErasureLog:
    """Log of an erasure's deletions, one JSON line each; a killed erasure continues it.

    Args:
        path: path of the file; the first entry creates it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        complete = text[: text.rfind("\n") + 1]
        if complete != text:  # a killed run left half of a line
            tables.write_text(complete, path)
        self.all: list[dict[str, Any]] = [json.loads(line) for line in complete.splitlines()]
        self.new = 0

    def add(
        self, where: str, what: str, before: str | None = None, after: str | None = None
    ) -> None:
        """Logs one deletion; `before` and `after` are hashes, None without a file."""
        deed = {"where": where, "what": what, "before": before, "after": after}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(deed) + "\n")
        self.all.append(deed)
        self.new += 1

    def once(
        self, where: str, what: str, before: str | None = None, after: str | None = None
    ) -> None:
        """Logs a deletion, unless a killed run has logged the same.

        So the caller logs before it deletes. If it logged afterwards, a kill in between would leave
        the deletion out of the certificate.
        """
        if {"where": where, "what": what, "before": before, "after": after} not in self.all:
            self.add(where, what, before, after)

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


def folder(paths: Paths) -> Path:
    return paths.home / "certificates"


def exists(paths: Paths, erasure: str) -> bool:
    return newest(paths, erasure) is not None


def newest(paths: Paths, erasure: str) -> Path | None:
    """Returns the newest certificate of an erasure; None without one."""
    certificates = sorted(folder(paths).glob(f"*-{erasure}.json"))
    return certificates[-1] if certificates else None


def write(paths: Paths, erasure: str, facts: dict[str, Any], now: datetime) -> Path:
    """Writes and signs a certificate; the signature first, so that no certificate lacks one."""
    path = folder(paths) / f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{erasure}.json"
    draft = tables.write_json(facts, path.with_suffix(".draft"))
    content = draft.read_bytes()
    signature = keys.signing_key(keys.ensure(paths.keys)).sign(content)
    tables.write_atomic(path.with_suffix(".sig"), lambda p: p.write_bytes(signature))
    draft.rename(path)
    return path


def verify(paths: Paths, path: Path) -> dict[str, Any]:
    """Verifies the signature of the certificate at `path` and returns its facts.

    Raises:
        BundleError: the certificate was altered, or signed by another key.
    """
    try:
        signature = path.with_suffix(".sig").read_bytes()
        keys.public_key(paths.keys).verify(signature, path.read_bytes())
    except (OSError, InvalidSignature) as error:
        raise BundleError(
            f"Expected the certificate {path} to be signed by the key in {paths.keys}; it is not. "
            "It was altered, or comes from another installation."
        ) from error
    facts: dict[str, Any] = tables.read_json(path)
    return facts
