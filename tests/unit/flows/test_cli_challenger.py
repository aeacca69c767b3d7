"""newsloop challenger start, status, stop."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from components.core import bundle as bundles
from components.core import keys
from components.core import params as parameters
from components.core.errors import BundleError, LedgerError, UsageError
from components.core.ledger import Ledger
from components.core.paths import Paths
from flows.cli.release import challenger

PROJECT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)


def test_a_trial_from_its_start_to_its_end(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    params, paths = parameters.load(tmp_path / "params.yaml"), Paths(tmp_path, tmp_path / "home")
    ledger = Ledger(f"sqlite:///{paths.ledger}")
    keys.ensure(paths.keys)
    for number in (1, 2, 3):
        draft = paths.bundles / "draft"
        draft.mkdir(parents=True)
        name = bundles.write(draft, {"number": number}, pl.DataFrame(), paths.keys)
        draft.rename(paths.bundles / name)
        ledger.add_version(
            {
                "version": number, "bundle": name, "time": NOW, "tag": f"newsloop@v{number}.0.0",
                "commit": "c" * 40, "dvc_lock": "d" * 64, "snapshot": "s" * 64, "metrics": {},
                "decision": {},
            },
            "a test",
        )  # fmt: skip
    ledger.deploy(1, NOW, "a test")
    (paths.bundles / name / "bundle.json").write_text("altered")  # of version 3
    app = typer.Typer()
    challenger.add(app, lambda: (params, paths), lambda _: ledger)

    def run(*argv: str) -> str:
        result = CliRunner().invoke(app, ["challenger", *argv], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "no version has been on trial yet" in run("status")
    for argv, error, message in [
        (("start", "v2"), UsageError, "--shadow, --canary, or both"),
        (("start", "v9", "--shadow"), UsageError, "v1, v2, v3"),
        (("start", "v3", "--shadow"), BundleError, "altered"),
        (("start", "v1", "--shadow"), LedgerError, "another version to serve"),
        (("stop",), LedgerError, "none is on trial"),
    ]:
        with pytest.raises(error, match=message):
            run(*argv)
    assert "newsloop@v2.0.0  shadow  (to see)" in run(
        "start", "v2", "--shadow", "--canary", "--because", "to see"
    )
    told = json.loads(run("status", "--json"))
    assert told["trials"][0]["shares"] == [0.0, *params.serve.challenger.shares]
    assert told["counts"]["challenger"]["batches"] == 0
    with pytest.raises(LedgerError, match="is on trial"):
        run("start", "v2", "--shadow")
    assert "newsloop@v2.0.0  stopped  (stopped: enough)" in run("stop", "--because", "enough")
    champion = ledger.champion()
    assert champion is not None
    assert champion.version == 1
    run("start", "2", "--canary")
    assert json.loads(run("status", "--json"))["trials"][0]["share"] == 0.05
    ledger.close()
