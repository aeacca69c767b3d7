"""Rows 7 and 37: one altered byte, or a signature by nobody or by another key, is refused.

Every file of bundle and bento, by everybody who reads it, before anything is loaded. DVC's cache is
a real one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components import gate, release
from components.core import bundle, keys, tables
from components.core import ledger as ledgers
from components.core.errors import BundleError, NewsloopError, ReleaseError
from components.core.ledger import Ledger, decisions
from components.core.paths import Paths
from flows import rehearsal
from flows.cli.release import promote
from flows.dvc import pipeline
from serving import runtime
from tests import judged, tiny

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> judged.Case:
    """With a bento as the package stage leaves it, its dependencies' list apart."""
    made = judged.Case(tmp_path_factory.mktemp("altered"))
    code = made.paths.bento / "src"
    shutil.copytree(PROJECT / "serving", code / "serving", ignore=shutil.ignore_patterns("__py*"))
    shutil.copy(PROJECT / "params.yaml", code)
    (code / "keys").mkdir()
    shutil.copy(made.paths.keys / keys.PUBLIC, code / "keys")
    bundle.sign(code, made.paths.keys)
    for name in ("bento.yaml", "env/docker/Dockerfile", "env/python/requirements.txt"):
        (made.paths.bento / name).parent.mkdir(parents=True, exist_ok=True)
        (made.paths.bento / name).write_text(f"# {name}\n" * 9)
    bundle.sign(made.paths.bento, made.paths.keys)
    return made


@pytest.fixture
def spoiled(case: judged.Case, tmp_path: Path) -> Iterator[judged.Case]:
    """The case; packaged and stored bundles are as they were afterwards."""
    places = {"packaged": case.paths.packaged, "bundles": case.paths.bundles}
    for name, place in places.items():
        shutil.copytree(place, tmp_path / name)
    yield case
    for name, place in places.items():
        shutil.rmtree(place)
        shutil.copytree(tmp_path / name, place)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# Everybody who reads the packaged bundle, or the one in the store.


def by_gate(case: judged.Case) -> None:
    book = Ledger(ledgers.url(case.paths.ledger))
    try:
        gate.judge(case.params, case.paths, book)
    finally:
        book.close()


def by_release(case: judged.Case) -> None:
    book = Ledger(ledgers.url(case.paths.ledger))
    try:
        release.publish(case.paths, book, {"id": "d"}, 0, tiny.NOW, "a test")
    finally:
        book.close()


def by_store(case: judged.Case) -> None:
    release.store(case.paths.bundle, case.paths.home / "elsewhere", case.paths.keys)


def by_rehearsal(case: judged.Case) -> None:
    """It says so and starts nothing; the gate does not let it pass."""
    found = rehearsal.run(case.params, case.paths, case.candidate)
    assert found.seconds is None
    raise BundleError(str(found.problem))


def by_a_person(case: judged.Case) -> None:
    book = Ledger(ledgers.url(case.paths.ledger))
    row = {"id": "0" * 32, "kind": "gate", "time": tiny.NOW, "verdict": "keep", "reasons": []}
    try:
        if decisions.decision(book, "0" * 32) is None:
            book.add_decision({**row, "details": {"candidate": case.candidate}})
        promote.release_anyway(case.params, case.paths, book, case.candidate[:12], "a test")
    finally:
        book.close()


def by_service(case: judged.Case) -> None:
    bundle.load(case.paths.bundles / case.candidate, case.paths.keys)


def by_monitoring(case: judged.Case) -> None:
    bundle.read_reference(case.paths.bundles / case.candidate, case.candidate, case.paths.keys)


PACKAGED = [by_gate, by_release, by_store, by_rehearsal, by_a_person]
STORED = [by_service, by_monitoring]
READERS = [(reader, True) for reader in PACKAGED] + [(reader, False) for reader in STORED]


def place_of(case: judged.Case, packaged: bool) -> Path:
    return case.paths.bundle if packaged else case.paths.bundles / case.candidate


@pytest.mark.parametrize(
    ("reader", "packaged"), READERS, ids=[reader.__name__ for reader, _ in READERS]
)
def test_one_byte_of_any_file_of_a_bundle(
    spoiled: judged.Case, reader: Callable[[judged.Case], None], packaged: bool
) -> None:
    folder = place_of(spoiled, packaged)
    for path in files_of(folder):
        content = path.read_bytes()
        if not content:
            continue
        flip(path)
        with pytest.raises(BundleError):
            reader(spoiled)
        path.write_bytes(content)


def by_nobody(folder: Path, key_folder: Path) -> None:
    (folder / bundle.SIGNATURE).unlink()


def by_empty_hand(folder: Path, key_folder: Path) -> None:
    (folder / bundle.SIGNATURE).write_bytes(b"")


def by_another_key(folder: Path, key_folder: Path) -> None:
    bundle.sign(folder, keys.ensure(key_folder))


@pytest.mark.parametrize("signed", [by_nobody, by_empty_hand, by_another_key])
@pytest.mark.parametrize(
    ("reader", "packaged"), READERS, ids=[reader.__name__ for reader, _ in READERS]
)
def test_signed_by_somebody_else(
    spoiled: judged.Case,
    tmp_path: Path,
    reader: Callable[[judged.Case], None],
    packaged: bool,
    signed: Callable[[Path, Path], None],
) -> None:
    signed(place_of(spoiled, packaged), tmp_path / "other")
    with pytest.raises(BundleError, match=r"signed"):
        reader(spoiled)


def test_one_byte_of_any_file_of_a_bento(spoiled: judged.Case) -> None:
    code = spoiled.paths.bento / "src"
    runtime.check({}, code)
    for path in files_of(code):
        content = path.read_bytes()
        if not content:
            continue
        flip(path)
        with pytest.raises(NewsloopError):
            runtime.check({}, code)
        path.write_bytes(content)
    runtime.check({}, code)


def changed_at(place: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        return (
            content[:place] + bytes([content[place] ^ 0x80]) + content[place + 1 or len(content) :]
        )

    return change


# Of a file that its format's reader may not look at: the first, some and the last byte, its length.
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "first byte": changed_at(0),
    "eighth byte": lambda content: changed_at(min(7, len(content) - 1))(content),
    "last byte": changed_at(-1),
    "one byte less": lambda content: content[:-1],
    "one byte more": lambda content: content + b"\0",
    "two bytes swapped": lambda content: content[1:2] + content[:1] + content[2:],
    "nothing": lambda content: b"",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_place_in_each_file_of_bundle_and_bento(
    spoiled: judged.Case, change: Callable[[bytes], bytes]
) -> None:
    """All readers above go through `bundle.verify`; the gate reads the whole of a bento."""
    for folder in (spoiled.paths.bundle, spoiled.paths.bento):
        for path in files_of(folder):
            content = path.read_bytes()
            if change(content) == content:
                continue
            path.write_bytes(change(content))
            with pytest.raises(BundleError):
                bundle.verify(folder, spoiled.paths.keys)
            path.write_bytes(content)
        bundle.verify(folder, spoiled.paths.keys)
    for name in ("bento.yaml", "env/docker/Dockerfile", "env/python/requirements.txt"):
        file = spoiled.paths.bento / name
        content = file.read_bytes()
        file.write_bytes(change(content))
        if change(content) != content:
            with pytest.raises(BundleError, match=name):
                by_gate(spoiled)
        file.write_bytes(content)
    by_gate(spoiled)


@pytest.mark.parametrize("signed", [by_nobody, by_empty_hand, by_another_key])
def test_a_bento_signed_by_somebody_else(
    spoiled: judged.Case, tmp_path: Path, signed: Callable[[Path, Path], None]
) -> None:
    code = spoiled.paths.bento / "src"
    signed(code, tmp_path / "other")
    with pytest.raises(BundleError, match="signed"):
        runtime.check({}, code)
    with pytest.raises(BundleError, match="signed"):
        by_gate(spoiled)


def dvc(paths: Paths, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=paths.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_one_byte_in_the_cache_of_dvc(tmp_path: Path) -> None:
    """DVC itself restores it without a word."""
    paths = Paths(tmp_path, tmp_path / ".newsloop")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    out = {"model/weights": "w" * 5000, "bundle.json": "{}", "über/ß.txt": "ü"}
    made = "; ".join(
        f"mkdir -p 'data/out/{Path(name).parent}'; printf %s '{text}' > 'data/out/{name}'"
        for name, text in out.items()
    )
    stage = {"stages": {"package": {"cmd": made, "outs": ["data/out"]}}}
    (tmp_path / "dvc.yaml").write_text(json.dumps(stage))
    dvc(paths, "repro")
    pipeline.verify(paths)
    wanted = tables.file_hash(tmp_path / "data" / "out" / "model" / "weights")
    objects = [p for p in files_of(tmp_path / ".dvc" / "cache") if p.stat().st_size == 5000]
    objects[0].chmod(0o600)
    flip(objects[0])
    shutil.rmtree(tmp_path / "data")
    dvc(paths, "checkout")
    assert tables.file_hash(tmp_path / "data" / "out" / "model" / "weights") != wanted
    with pytest.raises(ReleaseError, match=objects[0].name):
        pipeline.verify(paths)
