"""Signs and verifies a folder by a manifest and a signature: a bundle, or the code of a bento.

Each installation signs with a key of its own. What depends on the key is therefore no output of
DVC (.dvcignore), and no line of a manifest: signatures, and the public key in a bento. The key
folder keeps a copy of each signature, for outputs that come back from DVC's cache.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import re
import shutil
import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from components.core import keys, tables
from components.core.bundle.layout import MANIFEST, SIGNATURE
from components.core.errors import BundleError

_KEPT = "signatures"  # folder beside the keys: bundle name -> signature
_PUBLIC_KEY = f"keys/{keys.PUBLIC}"  # of a bento
_CACHE = "__pycache__"
_ASSETS = "assets"  # of a SavedModel, which TensorFlow makes even where there are none
_HEADER_BYTES = 16  # of a .pyc file (PEP 552)
_UNFINISHED = re.compile(r"\.pyc\.\d+\Z")  # a .pyc file that Python is writing
_32_BITS = 0xFFFFFFFF


def sign(folder: Path, key_folder: Path) -> str:
    """Writes manifest and signature of all files in `folder`; the key folder keeps a copy.

    Returns:
        SHA-256 of the manifest.
    """
    files = {
        name: tables.file_hash(folder / name) for name in _files(folder) if not depends_on_key(name)
    }
    manifest = json.dumps({"files": files}, indent=1, sort_keys=True).encode()
    (folder / MANIFEST).write_bytes(manifest)
    signature = keys.signing_key(key_folder).sign(manifest)
    (folder / SIGNATURE).write_bytes(signature)
    name = hashlib.sha256(manifest).hexdigest()
    copy = key_folder / _KEPT / name
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    tables.write_atomic(copy, lambda path: path.write_bytes(signature))
    return name


def depends_on_key(name: str) -> bool:
    """Tests that the file at path `name` differs between installations: signature, public key."""
    return f"/{name}".endswith((f"/{SIGNATURE}", f"/{_PUBLIC_KEY}"))


def complete(folder: Path, key_folder: Path, signature: bytes | None = None) -> None:
    """Writes the signature that a folder from DVC's cache lacks, if one is known; never signs.

    Args:
        folder: bundle, or code of a bento with a bundle, which get their public key, too.
        key_folder: of the installation.
        signature: of the bundle, if the key folder has no copy of it.
    """
    if (folder / "bundle").is_dir():
        complete(folder / "bundle", key_folder, signature)
        if (key_folder / keys.PUBLIC).exists():
            (folder / "keys").mkdir(exist_ok=True)
            shutil.copy(key_folder / keys.PUBLIC, folder / _PUBLIC_KEY)
    if not (folder / MANIFEST).exists():
        return
    copy = key_folder / _KEPT / tables.file_hash(folder / MANIFEST)
    known = copy.read_bytes() if copy.exists() else signature
    if known is not None:
        (folder / SIGNATURE).write_bytes(known)


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
    _check_folders(folder)
    present = set(_files(folder))
    # Releases before 0.3 list what depends on the key.
    unlisted = {name for name in present - set(expected) if depends_on_key(name)}
    wrong = sorted((present - unlisted) ^ set(expected))
    wrong += [
        name
        for name in sorted(present & set(expected))
        if not (folder / name).is_file() or tables.file_hash(folder / name) != expected[name]
    ]
    if wrong:
        raise BundleError(
            f"Expected bundle {folder} as its manifest says; missing, superfluous or altered: "
            f"{', '.join(wrong)}. Restore it with `dvc pull`, or roll back."
        )
    return hashlib.sha256(manifest).hexdigest()


def _files(folder: Path) -> list[str]:
    """Lists the files to verify; Python writes its caches beside a bento's code."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not path.is_dir()
        and str(path.relative_to(folder)) not in (MANIFEST, SIGNATURE)
        and path.parent.name != _CACHE
    )


def _check_folders(folder: Path) -> None:
    """Checks what has no line in a manifest: folders, and Python's caches of signed code.

    Raises:
        BundleError: a folder is a link or empty, or a cache holds other code than its source.
    """
    for path in sorted(folder.rglob("*")):
        if path.parent.name == _CACHE:
            if not _is_compiled(path):
                raise BundleError(
                    f"Expected Python's cache {path} to hold the signed code beside it, it does "
                    f"not. Remove the folder {path.parent}."
                )
        elif path.is_dir() and (
            path.is_symlink() or (path.name != _ASSETS and not any(path.iterdir()))
        ):
            kind = "a link" if path.is_symlink() else "empty"
            raise BundleError(
                f"Expected folders with signed files in bundle {folder}, got one that is {kind}: "
                f"{path.relative_to(folder)}. Restore the bundle with `dvc pull`, or roll back."
            )


def _is_compiled(cache: Path) -> bool:
    """Tests that a file of __pycache__ is what this Python makes of the source beside the folder.

    Python runs such a file in place of the source if only its time and size fit. It runs none whose
    source is gone, or has another time or size, and none that another Python or pytest wrote, or
    that is being written: these pass.
    """
    name, _, end = cache.stem.partition(".")
    tag, _, level = end.partition(".opt-")
    source = cache.parent.parent / f"{name}.py"
    optimize = level or "0"
    if cache.suffix != ".pyc":
        return _UNFINISHED.search(cache.name) is not None
    if tag != sys.implementation.cache_tag or not optimize.isdecimal() or not source.exists():
        return True
    header = cache.read_bytes()[:_HEADER_BYTES]
    state = source.stat()
    stamp = struct.pack("<III", 0, int(state.st_mtime) & _32_BITS, state.st_size & _32_BITS)
    if len(header) == _HEADER_BYTES and header[4:8] == bytes(4) and header[4:] != stamp:
        return True
    try:
        # As an import of it would, and nothing of it runs.
        compiled = marshal.loads(cache.read_bytes()[_HEADER_BYTES:])  # noqa: S302
        expected = compile(source.read_bytes(), str(source), "exec", dont_inherit=True,
                           optimize=int(optimize))  # fmt: skip
    except (OSError, ValueError, EOFError, TypeError, SyntaxError):
        return False
    return bool(compiled == expected)
