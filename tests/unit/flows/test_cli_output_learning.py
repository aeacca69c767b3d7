"""What a person reads at the end of a run that released nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.core import git
from components.core.paths import Paths
from flows.cli import output_learning
from tests.unit.flows.test_cli import METRICS, PYTHON

SAMPLE = {
    "documents": 22, "folds": 0, "lead": 0.02,
    "accuracy": {"value": 0.95, "low": 0.78, "high": 0.99},
    "needed": 924,
}  # fmt: skip
FLOOR = {"name": "accuracy", "value": 0.9, "limit": 0.95, "ceiling": False, "passed": False}
LUCK = {
    "name": "chance that the lead is luck", "value": 0.2, "limit": 0.05, "ceiling": True,
    "proof": True, "passed": False,
}  # fmt: skip
NO_RESULT = {**FLOOR, "name": "the service serves it", "undecided": True}
CLASSES = {
    "billing": {"documents": 18, "recall": 1.0, "f1": 0.97},
    "refunds": {"documents": 4, "recall": 0.75, "f1": 0.86},
    "never": {"documents": 0, "recall": 0.0, "f1": 0.0},
}


def decision(architecture: str, *checks: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": architecture, "architecture": architecture, "candidate": "abcdef" * 10,
        "checks": [*checks, {**FLOOR, "passed": True}], "remarks": ["a remark of the gate"],
        "reasons": [], "sample": SAMPLE,
        "steps": [{"kind": "labels", "text": "Review the labels."},
                  {"kind": "candidate", "text": "Add linear."}],
    }  # fmt: skip


def summary(outcome: str, *decisions: dict[str, Any], **metrics: Any) -> dict[str, Any]:
    return {
        "stages": [("train", "ran", 61.0), ("gate", "ran", 1.0)], "outcome": outcome,
        "version": None, "flow_run": "7", "metrics": METRICS | {"classes": CLASSES} | metrics,
        "decision": decisions[-1], "decisions": list(decisions),
    }  # fmt: skip


def shown(
    found: dict[str, Any],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    as_json: bool = False,
) -> str:
    paths = Paths(folder, folder)
    for page in (paths.home_page, *(paths.decisions / f"{d['id']}.html"
                 for d in found["decisions"])):  # fmt: skip
        page.parent.mkdir(exist_ok=True)
        page.touch()
    found = found | {"privacy": {"page": str(folder / "none.html"), "masked": {}}}
    output_learning.show(found, paths, "http://127.0.0.1:1/api", as_json)
    printed = capsys.readouterr().out
    assert not PYTHON.search(printed) or as_json, printed
    return printed


def test_a_refused_run_ends_with_all_that_a_person_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = summary("refused", decision("linear", FLOOR), decision("textcnn", FLOOR, LUCK))
    printed = shown(refused, tmp_path, capsys)
    for line in (
        "train   ran      61.0",
        "accuracy    0.9800  (0.9600 to 0.9900)",
        "weakest     0.7500  (0.3006 to 0.9544)  recall of refunds, 4 documents",
        "gate        1 of 3 checks passed",
        "            linear: accuracy is 0.9, must be at least 0.95",
        "            textcnn: accuracy is 0.9, must be at least 0.95",
        "   textcnn: chance that the lead is luck is 0.2, must be at most 0.05, not proven",
        "            textcnn: a remark of the gate",
        "evidence    22 test documents: accuracy between 0.78 and 0.99. About 924 would prove",
        "next        1. Review the labels.",
        "            2. Add linear.",
        "`newsloop promote abcdefabcdef --because ...` releases textcnn anyway",
        "version     none (refused)",
        f"home        {Paths(tmp_path, tmp_path).home_page.as_uri()}",
        f"gate, linear  {(tmp_path / 'decisions' / 'linear.html').as_uri()}",
        f"gate        {(tmp_path / 'decisions' / 'textcnn.html').as_uri()}",
    ):
        assert line in printed, line
    # A page that does not exist is not named.
    assert "Data Docs" not in printed
    assert "privacy" not in printed


def test_imbalanced_classes_show_macro_f1_and_the_weakest_class_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    majority = {"label": "billing", "accuracy": {"value": 0.82}}
    baseline = {"name": "TF-IDF + LinearSVC", "problem": None, "accuracy": {"value": 0.91}}
    kept = summary(
        "kept", decision("textcnn", LUCK), imbalanced=True, majority=majority, baseline=baseline
    )
    words = [line.split()[0] for line in shown(kept, tmp_path, capsys).splitlines() if line]
    first = words.index("macro")
    assert words[first : first + 6] == [
        "macro", "weakest", "accuracy", "majority", "baseline", "candidate",
    ]  # fmt: skip


def test_a_rehearsal_without_a_result_is_named_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    undecided = summary("cannot say", decision("textcnn", NO_RESULT))
    printed = shown(undecided, tmp_path, capsys)
    assert "            textcnn: the service serves it: no result" in printed
    assert "promote" not in printed
    found = json.loads(shown(undecided, tmp_path, capsys, as_json=True))
    assert found["outcome"] == "cannot say"
    assert found["decision"]["steps"][0]["kind"] == "labels"
    assert found["links"]["gate"].endswith("textcnn.html")


def test_files_that_the_run_changed_stand_there_with_the_command_that_commits_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    files = [tmp_path / "dvc.lock", tmp_path / "data" / "sources.json", tmp_path / "params.yaml"]
    for file in files:
        file.write_text("before")
    git.run(tmp_path, "init", "--quiet")
    refused = summary("refused", decision("linear", FLOOR))
    assert "commit" not in shown(refused, tmp_path, capsys)  # a branch without a commit
    git.run(tmp_path, "add", *map(str, files))
    identity = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    git.run(tmp_path, *identity, "commit", "--quiet", "--message", "first")
    assert "commit" not in shown(refused, tmp_path, capsys)
    for file in files:
        file.write_text("after")
    printed = shown(refused, tmp_path, capsys)
    command = 'git commit -m "Pins of a run" -- data/sources.json dvc.lock'
    assert "git         the run changed data/sources.json, dvc.lock; this" in printed
    assert command in printed


def test_of_many_failed_checks_the_first_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    floors = [{**FLOOR, "name": f"recall of class {i}"} for i in range(1000)]
    lines = shown(summary("refused", decision("linear", *floors)), tmp_path, capsys).splitlines()
    assert sum("recall of class" in line for line in lines) == 12
    assert any("988 more checks failed" in line for line in lines)
