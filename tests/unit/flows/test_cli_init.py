"""The command `newsloop init`: what a person sees, answers and gets written."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from components.core import params as parameters
from components.core.errors import DataError, NewsloopError, UsageError
from components.core.params import Scrub
from components.core.paths import Paths
from components.profile.privacy import ExampleScrubber
from flows.cli.every_day import init
from tests.project import ROOT

PERSON = "Jane Roe"
ADDRESS = "jane.roe@example.org"


@cache
def loaded() -> ExampleScrubber:
    """Loads the scrubber once; every test has its settings."""
    return ExampleScrubber(parameters.load(ROOT / "params.yaml").ingest.scrub)


def privacy(settings: Scrub) -> ExampleScrubber:
    return loaded()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a table of tickets; one of the texts names a person."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with (tmp_path / "tickets.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["body", "area", "team"])
        for n in range(60):
            text = f"My order {n} never came. Regards, {PERSON} {ADDRESS}"
            lines.writerow(
                [
                    text,
                    ("parcel", "Parcel", "bill")[n % 3],
                    ("north", "south", "east", "west")[n % 4],
                ]
            )
    return tmp_path


def run(project: Path, *argv: str, answers: str | None = None) -> Result:
    app = typer.Typer()
    paths = Paths(project, project / "home")
    init.add(
        app,
        lambda: (parameters.load(paths.params), paths),
        lambda: answers is not None,
        privacy,
    )
    table = str(project / "tickets.csv")
    return CliRunner().invoke(
        app, [table, *argv], input=answers, catch_exceptions=False, env={"COLUMNS": "300"}
    )


def sources(project: Path) -> object:
    return yaml.safe_load((project / "params.yaml").read_text())["ingest"]["sources"]


def test_yes_writes_what_was_found_and_shows_no_person(project: Path) -> None:
    output = run(project, "--yes").output
    assert (PERSON in output, ADDRESS in output) == (False, False)
    assert "<EMAIL_ADDRESS>" in output
    assert "Parcel counts as parcel" in output
    assert "--label names another one" in output
    assert "Written:" in output
    assert "newsloop run" in output
    written = parameters.load(project / "params.yaml")
    assert written.ingest.labels == ["bill", "parcel"]
    assert sources(project) == [
        {"name": "tickets", "kind": "csv", "path": "tickets.csv", "text": "body",
         "label": "area", "label_names": {"Parcel": "parcel"}},
        {"name": "feedback", "kind": "feedback"},
    ]  # fmt: skip
    assert "# Where documents come from." in (project / "params.yaml").read_text()
    again = run(project, "--yes").output
    assert "has these values already" in again


def test_check_writes_nothing_and_json_gives_the_findings(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    assert "was not changed (--check)" in run(project, "--check").output
    found = json.loads(run(project, "--json").stdout)
    assert (project / "params.yaml").read_text() == before
    assert found["written"] is False
    assert found["settings"]["ingest.labels"] == ["bill", "parcel"]
    assert {row["column"]: row["role"] for row in found["sources"][0]["columns"]} == {
        "body": "text", "area": "label",
    }  # fmt: skip
    assert {odd["kind"] for odd in found["odd"]} >= {"several columns fit", "spellings of labels"}
    assert ADDRESS not in json.dumps(found)
    assert json.loads(run(project, "--json", "--yes").stdout)["written"] is True
    assert sources(project) != yaml.safe_load(before)["ingest"]["sources"]


def test_a_person_sees_raw_examples_by_wish(project: Path) -> None:
    assert ADDRESS in run(project, "--check", "--show-raw").output


def test_a_terminal_is_asked(project: Path) -> None:
    output = run(project, answers="9\n2\ny\n").output
    assert "columns that may be the label" in output
    assert parameters.load(project / "params.yaml").ingest.labels == [
        "east",
        "north",
        "south",
        "west",
    ]
    before = (project / "params.yaml").read_text()
    assert "was not changed" in run(project, "--label", "area", answers="n\n").output
    assert (project / "params.yaml").read_text() == before


@pytest.mark.parametrize(
    ("argv", "error", "words"),
    [
        ((), UsageError, "--yes"),
        (("--yes", "--label", "subject"), UsageError, "a column 'subject', got none"),
        (("--yes", "--labels", "bill,tax"), UsageError, "got 'tax'"),
        (("--yes", "--labels", "bill"), DataError, "2 classes"),
        (("--yes", "--kind", "parquet"), NewsloopError, "parquet"),
        (("nowhere.csv", "--yes"), UsageError, "nowhere.csv"),
    ],
)
def test_a_refusal_is_one_paragraph_and_changes_nothing(
    project: Path, argv: tuple[str, ...], error: type[NewsloopError], words: str
) -> None:
    before = (project / "params.yaml").read_text()
    with pytest.raises(error, match=words) as raised:
        run(project, *argv)
    assert "\n" not in str(raised.value)
    assert PERSON not in str(raised.value)
    assert (project / "params.yaml").read_text() == before


def test_persons_are_told_from_products_and_private_labels_are_not_shown() -> None:
    assert all(loaded().are_persons(["Jane Roe", "Max Muster", "Li Wei"]))
    assert not any(loaded().are_persons(["Kettle 3 Pro", "Garden Chair", "Premium Plan"]))
    counts = {"comp.graphics": 9, "Billing Issue": 9, "Jane Roe": 9, ADDRESS: 9, "seldom": 1}
    shown = loaded().labels(counts)
    assert [name for name in counts if shown(name) == name] == ["comp.graphics", "Billing Issue"]
