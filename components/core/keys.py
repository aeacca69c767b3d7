"""The keys of one installation: signatures, pseudonyms, Prefect's password. Mode 0600."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from components.core.errors import BundleError, NewsloopError, cause_and_remedy

SIGNING, PUBLIC = "signing.pem", "signing.pub.pem"
PSEUDONYM, SUPPRESSION = "pseudonym.key", "suppression.key"
PREFECT = "prefect.password"
_SECRET_BYTES = 32


def ensure(folder: Path) -> Path:
    """Makes the keys that are missing under `folder`; the others stay as they are.

    Raises:
        NewsloopError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / SIGNING).exists():
            private = Ed25519PrivateKey.generate()
            _write_secret(
                folder / SIGNING,
                private.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            )
        if not (folder / PUBLIC).exists():
            _write_secret(
                folder / PUBLIC,
                signing_key(folder)
                .public_key()
                .public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                ),
            )
        for name in (PSEUDONYM, SUPPRESSION):
            if not (folder / name).exists():
                _write_secret(folder / name, secrets.token_bytes(_SECRET_BYTES))
    except OSError as error:
        raise NewsloopError(
            f"Expected to keep the keys in {folder}, got: {cause_and_remedy(error)}"
        ) from error
    return folder


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """The private key that signs bundles."""
    key = serialization.load_pem_private_key((folder / SIGNING).read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"Expected an Ed25519 private key in {folder / SIGNING}.")
    return key


def public_key(folder: Path) -> Ed25519PublicKey:
    """The public key that bundles are verified with.

    Raises:
        BundleError: there is none.
    """
    try:
        key = serialization.load_pem_public_key((folder / PUBLIC).read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(
            f"Expected the public key of the bundles at {folder / PUBLIC}, got: {error}. "
            "`newsloop run` makes it; on another machine copy that file there."
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"Expected an Ed25519 public key in {folder / PUBLIC}.")
    return key


def pseudonym_key(folder: Path) -> bytes:
    """The secret of the keyed hashes that stand for people."""
    return (ensure(folder) / PSEUDONYM).read_bytes()


def suppression_key(folder: Path) -> bytes:
    """The secret of the list of erased subjects; it is never rotated."""
    return (ensure(folder) / SUPPRESSION).read_bytes()


def prefect_password(folder: Path) -> str:
    """The password of the local Prefect server, as Prefect wants it: `newsloop:...`.

    Made if it is missing. Remove the file and run `newsloop up` to change it.

    Raises:
        NewsloopError: the folder cannot be written, or the file is empty.
    """
    path = folder / PREFECT
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_secret(path, f"newsloop:{secrets.token_urlsafe(_SECRET_BYTES)}".encode())
        password = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise NewsloopError(
            f"Expected to keep the password of the Prefect server, got: {cause_and_remedy(error)}"
        ) from error
    if not password:
        raise NewsloopError(
            f"Expected the password of the Prefect server in {path}, the file is empty. Remove it "
            "and run the command again."
        )
    return password


def rotate_pseudonym_key(folder: Path) -> None:
    """Replaces the pseudonym key; the old one is overwritten first, then gone.

    A disk that moves its blocks about (an SSD), a snapshot or a backup may keep the old bytes.

    Raises:
        NewsloopError: the folder cannot be written.
    """
    path = ensure(folder) / PSEUDONYM
    try:
        with path.open("r+b") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except OSError as error:
        raise NewsloopError(
            f"Expected to replace {path}, got: {cause_and_remedy(error)} Then rotate again: the "
            "old key may still be there."
        ) from error
    ensure(folder)


def _write_secret(path: Path, value: bytes) -> None:
    """Creates `path` with mode 0600, whole or not at all; whoever comes first wins."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
