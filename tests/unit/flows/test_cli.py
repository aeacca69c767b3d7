"""The command line as a whole: its help, where commands lie, and what a person reads."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from components.core import bundle as bundles
from components.core import keys
from components.core import params as parameters
from components.core.ledger import Ledger
from components.core.paths import Paths
from flows import cli
from flows.cli import app, output, output_learning, output_versions, panels
from tests.tiny import NOW

ROOT = Path(__file__).parents[3]
Run = Callable[..., str]
# What Python writes for a list, a dictionary, None and a bool; and objects of its library.
PYTHON = re.compile(r"\b(None|True|False)\b|\[['\"\d\]]|\{['\"}]|Path\(|datetime\(|<\w+ object")
METRICS = {
    "architecture": "textcnn", "errors": 3, "calibration_error": 0.01,
    "accuracy": {"value": 0.98, "low": 0.96, "high": 0.99},
    "macro_f1": {"value": 0.97, "low": 0.95, "high": 0.98},
}  # fmt: skip


def rendered(*argv: str, width: int = 80) -> str:
    result = CliRunner().invoke(
        app.build(), [*argv], prog_name="newsloop", env={"COLUMNS": str(width)}
    )
    assert result.exit_code == 0, result.output
    return re.sub(r"\x1b\[[\d;]*m", "", result.output)


def test_the_commands_of_every_day_come_first_and_the_rest_in_groups() -> None:
    lines = rendered("--help").splitlines()
    titles = [match[1] for line in lines if (match := re.match(r"╭─ (\w[\w ]*\w) ─", line))]
    assert titles == ["Options", *map(panels.title, panels.ORDER)]
    named = [match[1] for line in lines if (match := re.match(r"│ ([a-z][a-z-]*) ", line))]
    assert tuple(named[: len(panels.DAILY)]) == panels.DAILY


@pytest.mark.parametrize(
    ("status", "free", "says"),
    [
        (500, 0, "got: status 500. The disk is full"),
        (None, 2**40, "got: ConnectError. `newsloop status` says if it runs"),
    ],
)
def test_a_server_that_fails_is_one_paragraph(
    status: int | None, free: int, says: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Prefect's server answers so when its database has no room."""
    request = httpx.Request("POST", "http://127.0.0.1:4200/api/flows/?name=secret")
    error: httpx.HTTPError = httpx.ConnectError("refused", request=request)
    if status is not None:
        error = httpx.HTTPStatusError("x", request=request, response=httpx.Response(status))
    monkeypatch.setattr(cli.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, free))  # type: ignore[attr-defined]
    monkeypatch.setattr(cli.Paths, "find", lambda: Paths(ROOT, ROOT))  # type: ignore[attr-defined]
    assert cli._other(error) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"Expected an answer of the server at http://127.0.0.1:4200/, {says}" in said
    assert "secret" not in said
    with pytest.raises(ValueError, match="a bug"):
        cli._other(ValueError("a bug"))


def test_each_command_lies_in_the_file_of_its_name() -> None:
    built = app.build()
    commands = [info.name or info.callback.__name__ for info in built.registered_commands]
    groups = [str(info.name) for info in built.registered_groups]
    assert len(commands) + len(groups) > 25
    folder = Path(cli.__path__[0])
    for name in (*commands, *groups):
        files = [folder / group / f"{name.replace('-', '_')}.py" for group in panels.ORDER]
        assert [file.is_file() for file in files].count(True) == 1, name


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_paragraphs_of_the_help_flow(width: int) -> None:
    """A line of a paragraph ends only where the next word has no room."""
    text = rendered("run", "--help", width=width)
    lines = [line.strip() for line in text[text.index("Takes a snapshot") :].splitlines()]
    lines = lines[: lines.index("")]
    for line, after in pairwise(lines):
        assert len(f" {line} {after.split()[0]} ") > width, (line, after)


def test_version() -> None:
    assert rendered("--version") == f"newsloop {version('newsloop')}\n"


def test_completion_of_bash_and_zsh(tmp_path: Path) -> None:
    """The scripts that --show-completion prints, as these shells call them."""
    env = {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    script = """eval "$(_NEWSLOOP_COMPLETE=source_bash newsloop)"
    COMP_WORDS=(newsloop ro); COMP_CWORD=1; _newsloop_completion newsloop; echo "${COMPREPLY[@]}"
    _TYPER_COMPLETE_ARGS='newsloop challenger st' _NEWSLOOP_COMPLETE=complete_zsh newsloop"""
    done = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, check=True
    )
    first, *rest = done.stdout.splitlines()
    assert first == "rollback"
    assert [word for word in ("start", "status", "stop") if f'"{word}"' in "".join(rest)] == [
        "start", "status", "stop",
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on a ledger with two versions, answers, decisions, an alert and a trial."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    paths = Paths(tmp_path, tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEWSLOOP_HOME", str(paths.home))
    params, ledger = parameters.load(paths.params), Ledger(f"sqlite:///{paths.ledger}")
    keys.ensure(paths.keys)
    for number in (1, 2):
        draft = paths.bundles / "draft"
        draft.mkdir(parents=True)
        name = bundles.write(draft, {"number": number}, pl.DataFrame(), paths.keys)
        draft.rename(paths.bundles / name)
        ledger.add_version(
            {
                "version": number, "bundle": name, "time": NOW + timedelta(hours=number),
                "tag": f"newsloop@v{number}.0.0", "commit": f"{number:040x}",
                "dvc_lock": "d" * 64, "snapshot": "s" * 64, "metrics": METRICS, "decision": {},
            },
            "a reason that is long enough to make a table wider than a terminal of 80 columns",
        )  # fmt: skip
    ledger.add_decision(
        {"id": "a" * 32, "kind": "gate", "time": NOW, "verdict": "refuse",
         "reasons": ["accuracy 0.40, asked >= 0.90"], "details": {"candidate": "c" * 64}}
    )  # fmt: skip

    def invoke(*argv: str) -> str:
        commands = typer.Typer()
        handed = {"project": lambda: (params, paths), "open_ledger": lambda _: ledger}
        for module in app.commands():
            takes = inspect.signature(module.add).parameters
            module.add(commands, **{key: handed[key] for key in handed if key in takes})
        result = CliRunner().invoke(
            commands, [*argv], catch_exceptions=False, env={"COLUMNS": "80"}
        )
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def test_no_command_prints_python_to_a_person(run: Run) -> None:
    for command in (
        "status", "models", "gate", "decisions", "alerts", "at 2026-01-01T00:00Z", "report",
        "at 2036-01-01T00:00Z", "challenger status", "ledger status", "rollback",
        "promote v2 --because better", "retain --dry-run", "label-queue queue.csv",
        "api-key list", "api-key add somebody --scope predict", "api-key list",
        "challenger start v1 --shadow --canary", "challenger status", "challenger stop", "models",
        "down", "status",
    ):  # fmt: skip
        printed = run(*command.split())
        assert printed.strip(), command
        assert not PYTHON.search(printed), (command, printed)


def test_a_table_in_a_pipe_is_cut_nowhere(run: Run) -> None:
    printed = run("models")
    assert "…" not in printed
    rows = [line for line in printed.splitlines() if re.match(r"v\d ", line)]
    assert len(rows) == 2
    assert all(re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d .* 0\.9700 +[0-9a-f]{12}\b", r) for r in rows)
    assert "v2        a reason that is long enough to make a table wider than" in printed


AWKWARD: dict[str, Any] = {
    "train.candidates": [["textcnn"], ["textcnn", "linear"]],
    "ingest.scrub.persons": [True, False],
    "serve.host": [None, "127.0.0.1"],
    "gate.slices": [{}, {"source": 0.9}],
}


def test_settings_and_pins_are_printed_as_in_params_yaml(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {
        "versions": ["v1", "v2"], "data": {"train": None},
        "sources": {"news.pin": [None, ["a.csv", "b.csv"]]}, "params": AWKWARD,
        "metrics": {"accuracy.value": [None, 0.9]},
        "answers": {
            "documents": 9, "first_right": 1, "second_right": 0,
            "disagree": [{"id": "1", "actual": None, "first": "tech", "second": "sports"}],
        },
    }  # fmt: skip
    output_versions.diff(found, False)
    printed = capsys.readouterr().out
    assert "train.candidates: textcnn -> textcnn, linear" in printed
    assert "ingest.scrub.persons: true -> false" in printed
    assert "gate.slices: none -> source 0.9" in printed
    assert not PYTHON.search(printed), printed


def test_a_run_without_a_version_prints_no_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = {
        "stages": [("ingest", "ran", 1.0)], "metrics": METRICS, "decision": None, "version": None,
        "outcome": "unchanged", "flow_run": "1", "decisions": [],
        "privacy": {"page": str(tmp_path / "p.html"), "masked": {}},
    }  # fmt: skip
    output_learning.show(summary, Paths(tmp_path, tmp_path), "http://127.0.0.1:1/api", False)
    printed = capsys.readouterr().out
    assert "version     none (unchanged)" in printed
    assert not PYTHON.search(printed), printed


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "service   runs (process 7)  http://127.0.0.1:1"),
        ({"ready": False}, "service   runs, but does not answer (process 7)"),
        ({"stopped": True}, "service   is stopped by a signal: `newsloop up` lets it go on"),
        ({"process": None}, "service   does not run"),
        ({"process": None, "left": [8, 9]}, "service   was killed and left process 8, 9 over:"),
    ],
)
def test_status_says_how_a_process_is(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], line: str
) -> None:
    process = {"pid": 7, "url": "http://127.0.0.1:1", "stopped": changes.get("stopped", False)}
    found = {
        "champion": None, "disagreements": [], "alerts": [],
        "texts": {"kept": 1, "sampled_out": 0, "lost": 0, "waiting": 0},
        "prefect": {"url": "http://127.0.0.1:2/api", "answers": False},
        "processes": {"server": None, "runner": None, "service": changes.get("process", process)},
        "left_over": {"server": [], "runner": [], "service": changes.get("left", [])},
        "service": {"url": "", "ready": changes.get("ready", True), "model": None},
    }  # fmt: skip
    output.status(found, False)
    printed = capsys.readouterr().out
    assert line in printed
    assert "runner    does not run" in printed
    assert not PYTHON.search(printed), printed


@pytest.mark.parametrize("name", ["status", "api-key"])
def test_a_command_imports_no_other(name: str) -> None:
    (module,) = app.commands(name)
    assert module.__name__.endswith(f".{name.replace('-', '_')}")
    assert len(app.commands("no-such-command")) == len(app.commands()) > 1
