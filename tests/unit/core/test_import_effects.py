"""Imports of newsloop's modules have no effect: only functions act, which entry points call."""

from __future__ import annotations

import os
from typing import Any

import pytest

from flows.dvc.pipeline import STAGES
from tests import fresh, project

PACKAGES = ("components", "flows", "serving", "monitoring", "newsloop")
ALEMBIC = "components.core.ledger.migrations.env"  # a script, which Alembic runs in its context
ALONE = [
    f"components.{name}"
    for name in (
        *STAGES, "experiments.crossvalidate", "experiments.tuning", "predict", "gate", "release",
        "snapshot",
    )
]  # fmt: skip
# Each reads environment variables when it is imported, which the entry points set before.
LATE = ("bentoml", "dvc", "evidently", "great_expectations", "keras", "prefect", "tensorflow")
# They set variables, handlers and signals of their own, so they are imported before the others.
LIBRARIES = ("alembic.context", "bentoml", "numba", "prefect.main")
# Set by scikit-learn and by SQLAlchemy, which stages import for their work.
BY_LIBRARIES = ("KMP_DUPLICATE_LIB_OK=True", "KMP_INIT_AT_FORK=FALSE", "sqlalchemy: 30")
# One process for all modules: the large libraries are imported once.
IMPORT_ALL = """
import gc, importlib, logging, os, signal, sys, tempfile, threading
from pathlib import Path
import polars  # sets the options of its allocator, in the environment
from components.core.runtime import imports

answer = {{"changed": {{}}}}
output = tempfile.TemporaryFile()
console = os.dup(1), os.dup(2)

def observe():
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.Logger.manager.loggerDict)]
    return {{
        "environment": sorted(f"{{name}}={{os.environ[name]}}" for name in os.environ),
        "files": sorted(map(str, Path({folder!r}).rglob("*"))),
        "folder": [os.getcwd()],
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "log handlers": sorted(
            f"{{logger.name}}: {{handler}}" for logger in loggers for handler in logger.handlers
            if not isinstance(handler, logging.NullHandler)
        ),
        "log levels": sorted(f"{{each.name}}: {{each.level}}" for each in loggers if each.level),
        "signals": [f"{{each}}: {{signal.getsignal(each)!r}}" for each in signal.valid_signals()],
        "garbage collector": [str(gc.get_threshold())],
        "module path": [*sys.path],
        "output": [f"{{os.fstat(output.fileno()).st_size}} bytes"],
    }}

def import_each(names):
    before = observe()
    os.dup2(output.fileno(), 1), os.dup2(output.fileno(), 2)
    for name in names:
        importlib.import_module(name)
        sys.stdout.flush()
        after = observe()
        for key in after:
            changed = ({{*after[key]}} ^ {{*before[key]}}) - {{*{by_libraries!r}}}
            if changed:
                answer["changed"][f"{{name}}: {{key}}"] = sorted(changed)
        before = after
    os.dup2(console[0], 1), os.dup2(console[1], 2)

os.chdir({folder!r} + "/project")
import_each({alone!r})
answer["late"] = sorted({{*sys.modules}} & {{*{late!r}}})
imports.keras()
for name in {libraries!r}:
    importlib.import_module(name)
import_each({modules!r})
"""


def modules() -> list[str]:
    files = [file for package in PACKAGES for file in (project.ROOT / package).rglob("*.py")]
    parts = (file.relative_to(project.ROOT).with_suffix("").parts for file in files)
    names = {".".join(part for part in each if part != "__init__") for each in parts}
    return sorted(name for name in names - {ALEMBIC} if not name.endswith("__main__"))


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the imports changed, module by module, in an empty folder with an empty home."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "project").mkdir()
    code = IMPORT_ALL.format(
        folder=str(folder), alone=ALONE, modules=modules(), late=LATE, libraries=LIBRARIES,
        by_libraries=BY_LIBRARIES,
    )  # fmt: skip
    homes = {"HOME": str(tmp_path_factory.mktemp("home")), "NEWSLOOP_HOME": str(folder / "home")}
    ours = ("NEWSLOOP_", "NUMBA_", "PREFECT_", "BENTOML_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return fresh.run(code, environment | homes)


def test_no_import_changes_the_process_or_writes_a_file(imported: Any) -> None:
    assert imported["changed"] == {}


def test_what_reads_its_switches_once_is_not_imported_before_they_are_set(imported: Any) -> None:
    """With oneDNN `dvc repro` alone would give other weights than a run of newsloop."""
    assert imported["late"] == []
