"""The page that links all others: there after each run, and no link of it leads nowhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from components.core import tables
from components.core.errors import Busy, DataError
from components.core.ledger.verdicts import DecisionKind, GateVerdict, RunOutcome
from components.core.runtime.private import STATE
from flows import home_page, privacy_report, write_operator_page
from flows.cli.every_day import home
from flows.learning import Summary
from tests.watched import NOW, World
from tests.web import followed

INTERVAL = {"value": 0.9, "low": 0.85, "high": 0.95}
METRICS = {
    "architecture": "textcnn", "accuracy": INTERVAL, "macro_f1": INTERVAL, "documents": 1234,
    "calibration_error": 0.02, "answered": {"share": 0.8, "accuracy": None},
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.make(tmp_path / "desk")
    yield world
    world.ledger.close()


def run(world: World, summary: Summary, error: BaseException | None = None) -> str:
    home_page.after_run(world.paths, world.ledger, asdict(summary), "new <texts>", error)
    return world.paths.home_page.read_text()


def broken_links(root: Path, page: Path) -> list[str]:
    """Links that lead nowhere, or out of the folder `root`."""
    files, missing = followed(page)
    return missing + [str(file) for file in files if not file.is_relative_to(root)]


def test_a_page_before_the_first_run(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    page = home_page.write(world.paths, world.ledger, NOW, prefect=False)
    world.ledger.close()
    assert "No learning run was recorded yet." in page.read_text()
    assert broken_links(tmp_path, page) == []
    assert page.name in STATE  # so that nobody else may read it


def test_a_refused_run_leaves_the_page_with_its_reason(world: World) -> None:
    error = DataError("Expected 60 documents, got 3 from /desk/tech/Ann Smith.txt.")
    text = run(world, Summary(stages=[("validate", "ran", 2.0)]), error)
    assert "The last run: failed." in text
    assert "Expected 60 documents" in text
    assert "Ann Smith" not in text
    assert "new &lt;texts&gt;" in text and "<texts>" not in text
    assert (world.paths.home / "reports" / "privacy.html").is_file()
    assert broken_links(world.paths.root, world.paths.home_page) == []
    # What is no message of newsloop's may hold anything: its kind is named.
    assert "ValueError" in (text := run(world, Summary(), ValueError("secret")))
    assert "secret" not in text


@pytest.mark.parametrize(
    ("outcome", "error"), [(RunOutcome.HELD_BACK, None), (RunOutcome.UNCHANGED, Busy("at work"))]
)
def test_what_was_no_run_is_not_listed(
    world: World, outcome: RunOutcome, error: Exception | None
) -> None:
    assert "No learning run was recorded yet." in run(world, Summary(outcome=outcome), error)


def test_runs_are_compared_and_every_page_is_linked(world: World) -> None:
    paths = world.paths
    (paths.bundles / world.bundle / "card.md").write_text("# Model card\n")
    decision = {"architecture": "textcnn", "candidate": "c" * 64}
    world.ledger.add_decision(
        {"id": "d1", "kind": DecisionKind.GATE, "time": NOW, "verdict": GateVerdict.REFUSE,
         "reasons": ["accuracy is 0.9"], "details": decision}
    )  # fmt: skip
    header = '<header class="site"></header>'
    tables.write_text(header, paths.decisions / "d1.html")
    tables.write_text(header, paths.data_docs / "index.html")
    tables.write_text(header, paths.monitoring_reports / "20260105T030000Z-0123abcd.html")
    tables.write_text(f"{header}an evaluation", paths.evaluated / "report.html")
    run(world, Summary(outcome=RunOutcome.REFUSED, metrics=METRICS, decision={"id": "d1"}))
    better = METRICS | {"architecture": "linear", "calibration_error": 0.01}
    text = run(world, Summary(outcome=RunOutcome.RELEASED, version="newsloop@v2.0.0",
                              metrics=better))  # fmt: skip
    for words in (
        "newsloop@v1.0.0 is the champion", "The last run: released.", "0.900 (0.850 to 0.950)",
        "1,234", "accuracy is 0.9", "model card of v1", 'href="decisions/d1.html"',
    ):  # fmt: skip
        assert words in text, words
    row = re.search(r"<td>calibration error</td>(.*?)</tr>", text)
    assert row and re.findall("<td>(.*?)</td>", row[1])[:2] == ["0.010", "0.020"]
    evaluation = paths.evaluation_page.read_text()
    assert "an evaluation" in evaluation and "newsloop@v2.0.0" in evaluation
    write_operator_page.write(world.params, paths, world.ledger, NOW)
    assert 'href="reports/index.html"' in run(world, Summary(outcome=RunOutcome.KEPT))
    assert broken_links(paths.root, paths.home_page) == []
    moved = paths.root.with_name("moved")
    shutil.copytree(paths.root, moved)
    assert broken_links(moved, moved / "home" / "home.html") == []


def test_a_copy_goes_with_its_original(world: World) -> None:
    original = tables.write_text("<header>", world.paths.evaluated / "report.html")
    run(world, Summary())
    original.unlink()
    run(world, Summary())
    assert not world.paths.evaluation_page.exists()


def test_the_command_prints_the_address_and_opens_a_browser(world: World) -> None:
    opened: list[str] = []

    def browse(address: str) -> bool:
        opened.append(address)
        return False

    app = typer.Typer()
    home.add(app, lambda: (world.params, world.paths), lambda _: world.ledger, browse)
    result = CliRunner().invoke(app, ["--open"])
    assert (result.exit_code, opened) == (0, [world.paths.home_page.as_uri()])
    assert world.paths.home_page.as_uri() in result.output
    assert "no browser" in result.output


def test_the_report_of_a_run_is_read_with_the_service_last(world: World) -> None:
    privacy_report.write(world.paths, {"a": {}, "texts": {}, "service": {}}, NOW)
    assert list(privacy_report.read(world.paths)["masked"]) == ["a", "texts", "service"]
