"""newsloop predict with a real, tiny bundle, from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from components.core.paths import Paths
from flows import cli
from tests import tiny

PROJECT = Path(__file__).resolve().parents[2]


def test_predict_by_the_champion_and_by_a_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEWSLOOP_HOME", str(tmp_path / "home"))
    paths = Paths(tmp_path, tmp_path / "home")
    tiny.make_champion(paths)
    turned = {label: tiny.WORDS[other] for label, other in zip(
        tiny.LABELS, reversed(tiny.LABELS), strict=True)}  # fmt: skip
    tiny.make_champion(paths, seed=1, words=turned)
    (tmp_path / "in.csv").write_text('id,text\n007,"A film, again"\n8,the bank\n9,\n')

    def run(*argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["newsloop", "predict", *argv])
        status = cli.main()
        return status, *capfd.readouterr()

    status, out, err = run("in.csv", "out.csv", "--version", "v1")
    assert (status, out) == (
        0,
        "3 rows by newsloop@v1.0.0, 0 unsure (0 unlike the texts it learned from), "
        "0 without text: out.csv\n",
    ), err  # fmt: skip
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "id,text,label,confidence,abstained,novelty"
    assert lines[1].startswith('007,"A film, again",entertainment,0.')
    assert lines[2].startswith("8,the bank,business,0.")
    status, out, _ = run("in.csv", "out.csv.gz", "--prefix", "p_", "--json")
    assert (status, json.loads(out)["version"]) == (0, 2)
    status, _, err = run("in.csv", "out.csv", "--version", "v7")
    assert (status, "v1, v2" in err) == (2, True)
    status, _, err = run("in.csv", "in.csv")
    assert (status, "to be another file than IN" in err) == (2, True)
