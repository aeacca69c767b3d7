"""Signatures of two installations, and of outputs that come back from DVC's cache without them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from components.core import bundle, keys, tables
from components.core.bundle import MANIFEST, SIGNATURE
from components.core.errors import BundleError


@pytest.fixture
def key_folder(tmp_path: Path) -> Path:
    return keys.ensure(tmp_path / "keys")


@pytest.fixture
def other_keys(tmp_path: Path) -> Path:
    return keys.ensure(tmp_path / "other")


def bento(folder: Path, key_folder: Path) -> Path:
    """Makes the code of a bento as the package stage does."""
    (folder / "bundle").mkdir(parents=True)
    (folder / "bundle" / "bundle.json").write_text("{}")
    bundle.sign(folder / "bundle", key_folder)
    (folder / "keys").mkdir()
    shutil.copy(key_folder / keys.PUBLIC, folder / "keys")
    bundle.sign(folder, key_folder)
    return folder


def without_keys(folder: Path) -> dict[str, bytes]:
    """Reads what DVC keeps of a bento's code."""
    names = (str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    return {n: (folder / n).read_bytes() for n in names if not bundle.depends_on_key(n)}


def test_two_installations_differ_only_in_what_dvc_leaves_out(
    tmp_path: Path, key_folder: Path, other_keys: Path
) -> None:
    first, second = bento(tmp_path / "a", key_folder), bento(tmp_path / "b", other_keys)
    assert without_keys(first) == without_keys(second)
    assert (first / SIGNATURE).read_bytes() != (second / SIGNATURE).read_bytes()
    assert set(without_keys(first)) == {MANIFEST, "bundle/bundle.json", f"bundle/{MANIFEST}"}
    bundle.verify(second, second / "keys")
    with pytest.raises(BundleError, match="signed"):
        bundle.verify(second, key_folder)


def test_what_comes_back_from_the_cache_gets_its_signature_again(
    tmp_path: Path, key_folder: Path, other_keys: Path
) -> None:
    code = bento(tmp_path / "bento", key_folder)
    (code / "bundle" / SIGNATURE).write_bytes(b"of the bundle before")
    (code / SIGNATURE).unlink()
    shutil.rmtree(code / "keys")
    bundle.complete(code, key_folder)
    bundle.verify(code, code / "keys")
    bundle.verify(code / "bundle", code / "keys")
    (code / SIGNATURE).unlink()
    bundle.complete(code, other_keys)  # which never saw it
    with pytest.raises(BundleError, match="signed"):
        bundle.verify(code, other_keys)


def test_what_was_altered_in_the_cache_is_not_signed(tmp_path: Path, key_folder: Path) -> None:
    folder = bento(tmp_path / "bento", key_folder) / "bundle"
    (folder / SIGNATURE).unlink()
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text() + " ")
    bundle.complete(folder, key_folder)
    with pytest.raises(BundleError, match="signed"):
        bundle.verify(folder, key_folder)


def test_a_release_brings_the_signature_to_a_machine_with_the_public_key(
    tmp_path: Path, key_folder: Path
) -> None:
    folder = bento(tmp_path / "bento", key_folder) / "bundle"
    public = tmp_path / "another machine"
    public.mkdir()
    shutil.copy(key_folder / keys.PUBLIC, public)
    signature = (folder / SIGNATURE).read_bytes()
    (folder / SIGNATURE).unlink()
    bundle.complete(folder, public, signature)
    bundle.verify(folder, public)
    bundle.complete(folder, public, b"another")
    with pytest.raises(BundleError, match="signed"):
        bundle.verify(folder, public)


def test_a_manifest_of_an_earlier_release_lists_the_key(tmp_path: Path, key_folder: Path) -> None:
    """Before 0.3 it held the signature of the bundle and the public key in the bento."""
    code = bento(tmp_path / "bento", key_folder)
    names = [*without_keys(code), f"keys/{keys.PUBLIC}", f"bundle/{SIGNATURE}"]
    files = {name: tables.file_hash(code / name) for name in names if name != MANIFEST}
    manifest = json.dumps({"files": files}).encode()
    (code / MANIFEST).write_bytes(manifest)
    (code / SIGNATURE).write_bytes(keys.signing_key(key_folder).sign(manifest))
    bundle.verify(code, key_folder)
    (code / "bundle" / SIGNATURE).write_bytes(b"altered")
    with pytest.raises(BundleError, match="altered"):
        bundle.verify(code, key_folder)
