"""Signs and verifies a folder by a manifest and a signature: a bundle, or the code of a bento."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from components.core import keys, tables
from components.core.bundle.layout import MANIFEST, SIGNATURE
from components.core.errors import BundleError


def sign(folder: Path, key_folder: Path) -> str:
    """Writes manifest and signature of all files in `folder`.

    Returns:
        SHA-256 of the manifest.
    """
    files = {str(path.relative_to(folder)): tables.file_hash(path) for path in _files(folder)}
    manifest = json.dumps({"files": files}, indent=1, sort_keys=True).encode()
    (folder / MANIFEST).write_bytes(manifest)
    (folder / SIGNATURE).write_bytes(keys.signing_key(key_folder).sign(manifest))
    return hashlib.sha256(manifest).hexdigest()


def verify(folder: Path, key_folder: Path) -> str:
    """Checks the signature and the hash of every file in `folder`.

    Returns:
        The bundle's name: SHA-256 of its manifest.

    Raises:
        BundleError: a file is missing, superfluous or altered, or the signature is not by the key
            whose public key lies in `key_folder`.
    """
    try:
        manifest = (folder / MANIFEST).read_bytes()
        signature = (folder / SIGNATURE).read_bytes()
    except OSError as error:
        raise BundleError(
            f"Expected a signed bundle at {folder}, got: {error.strerror} ({error.filename})."
        ) from error
    try:
        keys.public_key(key_folder).verify(signature, manifest)
    except InvalidSignature as error:
        raise BundleError(
            f"Expected bundle {folder} to be signed by the key in {key_folder}; it is not. Do not "
            "use it: it was altered or comes from another installation."
        ) from error
    expected = json.loads(manifest)["files"]
    present = {str(path.relative_to(folder)) for path in _files(folder)}
    wrong = sorted(present ^ set(expected))
    wrong += [
        name
        for name in sorted(present & set(expected))
        if tables.file_hash(folder / name) != expected[name]
    ]
    if wrong:
        raise BundleError(
            f"Expected bundle {folder} as its manifest says; missing, superfluous or altered: "
            f"{', '.join(wrong)}. Restore it with `dvc pull`, or roll back."
        )
    return hashlib.sha256(manifest).hexdigest()


def _files(folder: Path) -> list[Path]:
    """Lists the files that a manifest covers; Python writes its caches beside a bento's code."""
    return sorted(
        path
        for path in folder.rglob("*")
        if not path.is_dir()
        and str(path.relative_to(folder)) not in (MANIFEST, SIGNATURE)
        and path.parent.name != "__pycache__"
    )
