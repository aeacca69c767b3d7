"""The keys of one installation: signatures, pseudonyms, Prefect's password. Mode 0600."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
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
        NewsloopError: the folder cannot be written, a key is damaged, or one half of the pair that
            signs is gone.
    """
    with _kept_in(folder):
        if not (folder / SIGNING).exists():
            if (folder / PUBLIC).exists():
                raise BundleError(
                    f"Expected the private key {folder / SIGNING} beside its public half, it is "
                    f"gone. Restore it from a backup; or remove {folder / PUBLIC}, and no bundle "
                    "that was signed before is served any more."
                )
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
            _write_secret(folder / PUBLIC, _public_pem(signing_key(folder).public_key()))
    for name in (PSEUDONYM, SUPPRESSION):
        _secret(folder, name)
    return folder


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """The private key that signs bundles.

    Raises:
        BundleError: there is none, it is damaged, or it is not the half of the public key there.
    """
    path = folder / SIGNING
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(
            f"Expected an Ed25519 private key in {path}, got {_came(path, error)}. Restore it from "
            "a backup."
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"Expected an Ed25519 private key in {path}, got one of another kind.")
    if (folder / PUBLIC).exists() and _public_pem(key.public_key()) != _public_pem(
        public_key(folder)
    ):
        raise BundleError(
            f"Expected {path} and {folder / PUBLIC} to be halves of one pair, they are not. "
            "Restore both from one backup."
        )
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
            f"Expected the public key of the bundles at {folder / PUBLIC}, got "
            f"{_came(folder / PUBLIC, error)}. `newsloop run` makes it; on another machine copy "
            "that file there."
        ) from None
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"Expected an Ed25519 public key in {folder / PUBLIC}.")
    return key


def pseudonym_key(folder: Path) -> bytes:
    """The secret of the keyed hashes that stand for people."""
    return _secret(folder, PSEUDONYM)


def suppression_key(folder: Path) -> bytes:
    """The secret of the list of erased subjects; it is never rotated."""
    return _secret(folder, SUPPRESSION)


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


def has_prefect_password(folder: Path) -> bool:
    """Tests that the password was made; `prefect_password` would make it."""
    return (folder / PREFECT).exists()


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


@contextlib.contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Makes the folder; turns errors of the file system inside `with` into sentences."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
    except OSError as error:
        raise NewsloopError(
            f"Expected to keep the keys in {folder}, got: {cause_and_remedy(error)}"
        ) from error


def _secret(folder: Path, name: str) -> bytes:
    """The random bytes in a key file, which is made if it is missing."""
    path = folder / name
    with _kept_in(folder):
        if not path.exists():
            _write_secret(path, secrets.token_bytes(_SECRET_BYTES))
        secret = path.read_bytes()
    if len(secret) != _SECRET_BYTES:
        raise NewsloopError(
            f"Expected a key of {_SECRET_BYTES} bytes in {path}, got {len(secret)} bytes. Restore "
            "it from a backup; a new key would be another one for every person."
        )
    return secret


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _came(path: Path, error: Exception) -> str:
    """Says what is wrong with a key file, without its content."""
    if isinstance(error, OSError):
        return f"an error: {error.strerror}"
    return "an empty file" if path.stat().st_size == 0 else "something else"


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
