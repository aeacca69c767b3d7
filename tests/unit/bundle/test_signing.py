"""signing.py: each file of a folder is signed, and what has no line in a manifest is checked."""

from __future__ import annotations

import hashlib
import json
import os
import py_compile
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.core import keys
from components.core.bundle import signing
from components.core.errors import BundleError

FILES = {"a.json": "{}", "src/code.py": "ANSWER = 1\n", "src/.hidden": "x", "src/deep/z.bin": "zz"}


@pytest.fixture
def key_folder(tmp_path: Path) -> Path:
    return keys.ensure(tmp_path / "keys")


@pytest.fixture
def folder(tmp_path: Path, key_folder: Path) -> Path:
    made = tmp_path / "bundle"
    for name, text in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    signing.sign(made, key_folder)
    return made


def test_the_manifest_names_each_file_and_its_hash(folder: Path, key_folder: Path) -> None:
    manifest = (folder / "manifest.json").read_bytes()
    expected = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in FILES.items()}
    assert json.loads(manifest) == {"files": expected}
    name = hashlib.sha256(manifest).hexdigest()
    assert signing.verify(folder, key_folder) == signing.sign(folder, key_folder) == name
    assert (key_folder / "signatures").stat().st_mode & 0o777 == 0o700


def replace_by_folder(file: Path) -> None:
    content = file.read_bytes()
    file.unlink()
    file.mkdir()
    (file / "more").write_bytes(content)


def replace_by_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_text("other"),
        lambda file: file.write_text(""),
        Path.unlink,
        lambda file: file.with_name("added").write_text("x"),
        lambda file: file.rename(file.with_name("renamed")),
        replace_by_folder,
        replace_by_link,
    ],
    ids=["altered", "emptied", "missing", "superfluous", "renamed", "a folder", "a link"],
)
def test_each_kind_of_change_is_refused_and_named(
    folder: Path, key_folder: Path, name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(folder / name)
    with pytest.raises(BundleError) as caught:
        signing.verify(folder, key_folder)
    spoiled = {name, str(Path(name).with_name("added"))}
    assert any(one in str(caught.value) for one in spoiled) or "empty" in str(caught.value)


def test_all_wrong_files_are_named_in_order(folder: Path, key_folder: Path) -> None:
    (folder / "src" / "code.py").write_text("other")
    (folder / "a.json").unlink()
    (folder / "b.json").write_text("{}")
    with pytest.raises(BundleError, match=r"altered: a\.json, b\.json, src/code\.py\. Restore"):
        signing.verify(folder, key_folder)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_without_manifest_or_signature_the_file_is_named(
    folder: Path, key_folder: Path, name: str
) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"No such file or directory .*{name}"):
        signing.verify(folder, key_folder)


@pytest.mark.parametrize("kind", ["empty", "a link"])
def test_a_folder_without_signed_files_is_refused(
    folder: Path, key_folder: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "empty":
        (folder / "src" / "more").mkdir()
    else:
        (tmp_path / "elsewhere").mkdir()
        (folder / "src" / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=f"that is {kind}: src/more"):
        signing.verify(folder, key_folder)


def test_tensorflow_leaves_an_empty_folder_of_assets(folder: Path, key_folder: Path) -> None:
    (folder / "assets").mkdir()
    signing.verify(folder, key_folder)
    (folder / "assets").rmdir()
    (folder / "assets").symlink_to(folder / "src")
    with pytest.raises(BundleError, match="a link: assets"):
        signing.verify(folder, key_folder)


# __pycache__ beside the signed code


@pytest.fixture
def cache(folder: Path) -> Path:
    """File that Python compiled of src/code.py, with its source's time and size."""
    return Path(py_compile.compile(str(folder / "src" / "code.py"), doraise=True))


def forge(folder: Path, cache: Path, code: str = "ANSWER = 2\n", optimize: int = -1) -> None:
    """Puts other code of the same size into `cache`, under the header of the true one."""
    header = cache.read_bytes()[:16]
    source = folder.parent / "code.py"
    source.write_text(code)
    other = py_compile.compile(str(source), folder.parent / "other.pyc", optimize=optimize)
    cache.write_bytes(header + Path(str(other)).read_bytes()[16:])


def test_what_python_compiled_of_signed_code_may_lie_beside_it(
    folder: Path, key_folder: Path, cache: Path
) -> None:
    for level in (1, 2):
        py_compile.compile(str(folder / "src" / "code.py"), optimize=level, doraise=True)
    assert len(list(cache.parent.iterdir())) == 3
    signing.verify(folder, key_folder)


@pytest.mark.parametrize("end", ["", ".opt-1", ".opt-2"])
def test_other_code_under_the_header_of_the_signed_one_is_refused(
    folder: Path, key_folder: Path, cache: Path, end: str
) -> None:
    if end:
        cache = cache.rename(cache.with_name(f"code.{sys.implementation.cache_tag}{end}.pyc"))
    forge(folder, cache)
    with pytest.raises(BundleError, match=r"Remove the folder .*src/__pycache__"):
        signing.verify(folder, key_folder)


def test_an_assertion_tells_the_levels_of_optimization_apart(
    folder: Path, key_folder: Path
) -> None:
    """Code without its assertions is not what Python makes of the source without -O."""
    source = folder / "src" / "code.py"
    source.write_text("assert ANSWER == 1\n")
    signing.sign(folder, key_folder)
    plain = Path(py_compile.compile(str(source), doraise=True))
    signing.verify(folder, key_folder)
    without = Path(py_compile.compile(str(source), optimize=1, doraise=True))
    signing.verify(folder, key_folder)
    shutil.copy(without, plain)
    with pytest.raises(BundleError, match="__pycache__"):
        signing.verify(folder, key_folder)


def test_a_cache_that_python_does_not_run_passes(
    folder: Path, key_folder: Path, cache: Path
) -> None:
    forge(folder, cache)
    for name in ("code.cpython-27.pyc", f"code.{sys.implementation.cache_tag}-pytest-9.pyc",
                 f"code.{sys.implementation.cache_tag}.opt-x.pyc",
                 f"gone.{sys.implementation.cache_tag}.pyc",
                 f"code.{sys.implementation.cache_tag}.pyc.140234"):  # fmt: skip
        shutil.copy(cache, cache.with_name(name))
    cache.unlink()
    signing.verify(folder, key_folder)


@pytest.mark.parametrize("changed", ["time", "size"])
def test_a_stale_cache_passes_for_python_compiles_it_anew(
    folder: Path, key_folder: Path, cache: Path, changed: str
) -> None:
    forge(folder, cache)
    content = bytearray(cache.read_bytes())
    content[8 if changed == "time" else 12] ^= 1
    cache.write_bytes(content)
    signing.verify(folder, key_folder)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:16],
        lambda content: content[:12],
        lambda content: b"",
        lambda content: content[:-3],
        lambda content: content[:16] + b"\xff" * 40,
        # Checked by the source's hash, or not at all (PEP 552): its time says nothing.
        lambda content: content[:4] + b"\x01\0\0\0" + bytes(8) + b"\xff" * 40,
    ],
    ids=["header only", "half a header", "nothing", "cut short", "no code", "unchecked"],
)
def test_a_cache_that_is_no_compiled_code_is_refused(
    folder: Path, key_folder: Path, cache: Path, spoil: Callable[[bytes], bytes]
) -> None:
    cache.write_bytes(spoil(cache.read_bytes()))
    with pytest.raises(BundleError, match="__pycache__"):
        signing.verify(folder, key_folder)


@pytest.mark.parametrize("name", ["more.so", "code.py", "code.pyc.x", "code.pyc.12.so"])
def test_other_files_in_a_cache_are_refused(
    folder: Path, key_folder: Path, cache: Path, name: str
) -> None:
    (cache.parent / name).write_bytes(b"x")
    with pytest.raises(BundleError, match="__pycache__"):
        signing.verify(folder, key_folder)


def test_a_time_after_2106_has_32_bits_in_a_cache(folder: Path, key_folder: Path) -> None:
    source = folder / "src" / "code.py"
    os.utime(source, (2**32 + 5, 2**32 + 5))
    cache = Path(py_compile.compile(str(source), doraise=True))
    forge(folder, cache)
    with pytest.raises(BundleError, match="__pycache__"):
        signing.verify(folder, key_folder)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_what_another_key_signed_is_refused(
    folder: Path, key_folder: Path, tmp_path: Path, name: str
) -> None:
    other = keys.ensure(tmp_path / "other")
    with pytest.raises(BundleError, match="signed by the key"):
        signing.verify(folder, other)
    content = bytearray((folder / name).read_bytes())
    content[3] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match="signed by the key"):
        signing.verify(folder, key_folder)
