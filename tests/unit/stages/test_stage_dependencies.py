"""dvc.yaml: each stage depends on all code that it imports, so that no change of code is missed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from flows.dvc.pipeline import SETTINGS, STAGES

ROOT = Path(__file__).parents[3]
# Code that no output depends on, with the reason.
WITHOUT_EFFECT = {
    "components/core/errors.py": "messages only",
    "components/core/keys.py": "reads secrets; each stage that writes with them names its data",
    "components/core/ledger": "the feedback source reads it up to the watermark in sources.json",
    "components/core/params": "the values that a stage reads stand in its file of data/00_settings",
    "components/core/paths.py": "places, no content",
    "components/core/databases/postgresql.py": "how long a database may take",
    "components/core/progress.py": "prints",
    "components/core/runtime": "how the process runs",
    "components/core/databases/sqlite.py": "opens caches and the ledger",
    "components/core/stage.py": "starts the stage",
    "components/core/workers": "results are equal whoever computes them",
}


def imports(file: Path) -> set[Path]:
    """Files of ours that `file` imports, wherever in the file; packages' `__init__` included."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                place = ROOT.joinpath(*parts[:end])
                found |= {place.with_suffix(".py"), place / "__init__.py"}
    return {path for path in found if path.is_file()}


def closure(stage: str) -> set[str]:
    """Files of ours that running the stage may import, relative to the project's root."""
    package = ROOT / "components" / stage
    todo = sorted(package.glob("*.py")) if package.is_dir() else [package.with_suffix(".py")]
    reached: set[Path] = set()
    while todo:
        file = todo.pop()
        if file not in reached:
            reached.add(file)
            todo.extend(imports(file))
    empty = {path for path in reached if path.name == "__init__.py" and _only_docstring(path)}
    return {str(path.relative_to(ROOT)) for path in reached - empty}


def _only_docstring(path: Path) -> bool:
    return len(ast.parse(path.read_text(encoding="utf-8")).body) == 1


def covered(file: str, dependencies: list[str]) -> bool:
    return any(file == one or file.startswith(f"{one}/") for one in dependencies)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_that_it_imports(stage: str) -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    named = [*pipeline[stage]["deps"], *WITHOUT_EFFECT]
    if stage == SETTINGS:  # it makes these files
        named = pipeline[stage]["deps"] + [one for one in WITHOUT_EFFECT if "params" not in one]
    assert sorted(file for file in closure(stage) if not covered(file, named)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_nothing_that_is_not_there_and_on_no_other_stage(stage: str) -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    code = [one for one in pipeline[stage]["deps"] if not one.startswith("data/")]
    assert [one for one in code if not (ROOT / one).exists()] == []
    others = [f"components/{one}" for one in STAGES if one != stage]
    assert [one for one in code if covered(one.removesuffix(".py"), others)] == []


def test_the_closure_follows_imports_within_functions_and_of_packages() -> None:
    reached = closure("validate")
    assert "components/near_duplicates.py" in reached
    assert "components/core/scrub/recognizers/numbers.py" in reached
    assert "components/core/audit/readers.py" in reached
    assert "components/train/__init__.py" not in reached
