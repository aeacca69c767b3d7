"""newsloop api-key add, list, revoke: the key is shown once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from components.core.errors import UsageError
from flows.cli.serve import api_key
from serving.http.api_keys import Keys


def test_a_key_from_its_making_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params.yaml").touch()
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEWSLOOP_API_KEYS", raising=False)
    monkeypatch.setenv("NEWSLOOP_HOME", str(tmp_path / "home"))
    app = typer.Typer()
    api_key.add(app)

    def run(*argv: str) -> str:
        result = CliRunner().invoke(app, ["api-key", *argv], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "no keys" in run("list")
    key = run("add", "press", "--scope", "predict", "--scope", "feedback").strip()
    keys = Keys(tmp_path / "home" / "keys" / "api-keys.json")
    found = keys.find(key)
    assert found is not None
    assert found.scopes == ("predict", "feedback")
    assert "press" in run("list")
    assert key not in run("list") + run("list", "--json")
    assert found.digest not in run("list", "--json")
    with pytest.raises(UsageError, match="no valid key has"):
        run("add", "press", "--scope", "admin")
    run("revoke", "press")
    assert keys.find(key) is None
    assert json.loads(run("list", "--json"))["keys"][0]["revoked"] is not None
