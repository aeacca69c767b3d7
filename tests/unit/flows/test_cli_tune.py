"""newsloop tune: it needs no option, and shows what was tried."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from components.core import params as parameters
from components.core import tables
from components.core.errors import DataError
from components.core.paths import Paths
from flows.cli.learn import tune as cli_tune

PARAMS = parameters.load(Path(__file__).parents[3] / "params.yaml")


def tune(root: Path, *argv: str) -> str:
    app = typer.Typer()
    cli_tune.add(app, lambda: (PARAMS, Paths(root, root / "home")))
    result = CliRunner().invoke(app, list(argv), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_without_options_it_asks_for_documents_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="newsloop run"):
        tune(tmp_path)


def test_no_trials_only_show(tmp_path: Path) -> None:
    side = pl.DataFrame({"id": ["1"], "text": ["a b"], "label": ["tech"]})
    for name in ("train", "validation"):
        tables.write_table(side, Paths(tmp_path, tmp_path / "home").split / f"{name}.parquet")
    assert "the best of 0 trials" in tune(tmp_path, "--trials", "0")
