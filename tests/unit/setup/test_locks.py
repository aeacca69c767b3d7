"""The locks: what running needs is in requirements.txt alone, each package has a hash."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    distributions,
    packages_distributions,
)
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flows.dvc import process

ROOT = Path(__file__).parents[3]
RUN, TEST, VECTORS, GPU = (
    ROOT / "requirements.txt",
    *(ROOT / "requirements" / f"{name}.txt" for name in ("test", "vectors", "gpu")),
)
OURS = ("components", "flows", "monitoring", "newsloop", "serving")
# Imported only behind `imports.require_vectors`.
OF_VECTORS = {"keras_hub", "tensorflow_text"}


def pinned(lock: Path) -> dict[str, str]:
    """Returns the versions of a lock by package."""
    lines = re.findall(r"^([a-z0-9.-]+)==([^ ]+)", lock.read_text(), re.MULTILINE)
    assert lines
    return dict(lines)


def imported() -> set[str]:
    """Returns the top-level modules that our code imports, wherever the import stands."""
    modules: set[str] = set()
    for package in OURS:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    modules |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    modules.add(node.module.partition(".")[0])
    return modules - set(OURS) - set(sys.stdlib_module_names)


def test_the_lock_for_running_holds_all_that_the_code_imports() -> None:
    owners = packages_distributions()
    locked, foreign = pinned(RUN).keys(), imported()
    assert {"numpy", "prefect", "tensorflow"} <= foreign
    missing = {
        module
        for module in foreign
        if not locked & {canonicalize_name(owner) for owner in owners.get(module, [])}
    }
    assert missing == OF_VECTORS
    assert {name.replace("_", "-") for name in OF_VECTORS} <= pinned(VECTORS).keys()


def test_no_package_is_in_two_locks_but_tensorflow() -> None:
    run, test, vectors, gpu = map(pinned, (RUN, TEST, VECTORS, GPU))
    assert not run.keys() & (test.keys() | vectors.keys())
    assert run.keys() & gpu.keys() == {"tensorflow"}
    assert run["tensorflow"] == run["tensorflow-cpu"] == gpu["tensorflow"]
    assert {name: test[name] for name in test.keys() & vectors.keys()}.items() <= vectors.items()


@pytest.mark.parametrize("lock", [RUN, TEST, VECTORS, GPU], ids=lambda lock: lock.stem)
def test_a_lock_has_hashes_and_names_no_registry(lock: Path) -> None:
    entries = lock.read_text().replace("\\\n", "").strip().split("\n")
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
        assert "://" not in entry, entry
        assert not re.search(r"--(extra-)?index-url|--find-links", entry), entry


@pytest.mark.parametrize("stem", ["requirements", "requirements/test", "requirements/vectors"])
def test_a_lock_holds_what_was_asked_for(stem: str) -> None:
    lines = (ROOT / f"{stem}.in").read_text().splitlines()
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    locked = pinned(RUN) | pinned(ROOT / f"{stem}.txt")
    for requirement in asked:
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)])


def test_older_releases_find_the_versions_that_the_locks_have() -> None:
    """Their stages ask for packages that requirements.txt no longer holds; none may be missing."""
    aliases = [path for path in process._ALIASES.glob("*/*.dist-info") if path.is_dir()]
    known = {path.parent.name: next(distributions(path=[str(path.parent)])) for path in aliases}
    assert known.keys() == {"libclang", "tensorflow", "tensorflow-text"}
    locked = pinned(GPU) | pinned(VECTORS)
    for name in ("tensorflow", "tensorflow-text"):
        assert known[name].version == locked[name]
    for folder in process.missing_aliases():
        with pytest.raises(PackageNotFoundError):
            distribution(Path(folder).name)
