"""The privacy report: counts by entity and source, sums right, names escaped."""

from __future__ import annotations

from pathlib import Path

from components.core import tables
from components.core.ledger import TEXTS, Ledger
from components.core.paths import Paths
from flows import privacy_report
from tests import tiny

REPORT = {"desk": {"PERSON": 2, "EMAIL_ADDRESS": 5}, "service": {"PERSON": 4}}


def test_a_row_is_an_entity_and_the_commonest_comes_first() -> None:
    assert privacy_report.rows(REPORT) == [
        ["masked", "desk", "service", "together"],
        ["PERSON", "2", "4", "6"],
        ["EMAIL_ADDRESS", "5", "0", "5"],
    ]
    assert privacy_report.rows({"service": {}}) == [["masked", "service", "together"]]


def test_sources_and_service_come_together(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "home")
    ledger = Ledger(f"sqlite:///{paths.ledger}")
    ledger.insert(TEXTS, [{"prediction_id": "a", "text": "<PERSON> met <PERSON>"}])
    assert privacy_report.collect(paths, ledger) == {"service": {"PERSON": 2}}
    tables.write_json({"desk": {"SECRET": 1}}, paths.ingested / "privacy.json")
    found = privacy_report.collect(paths, ledger)
    ledger.close()
    assert found == {"desk": {"SECRET": 1}, "service": {"PERSON": 2}}
    written = privacy_report.write(paths, {**found, "<b>": {}}, tiny.NOW)
    page = Path(written["page"]).read_text()
    assert "<td>SECRET</td>" in page
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert tables.read_json(paths.home / "reports" / "privacy.json")["desk"] == {"SECRET": 1}


def test_documents_without_a_search_for_names_are_told_in_words(tmp_path: Path) -> None:
    report = {"a": {"SECRET": 1, "NAMES_NOT_SEARCHED_DE": 3}, "b": {"NAMES_NOT_SEARCHED_DE": 4}}
    assert privacy_report.rows(report) == [
        ["masked", "a", "b", "together"],
        ["SECRET", "1", "0", "1"],
    ]
    assert "texts in de (7)" in privacy_report.unsearched(report)
    page = Path(
        privacy_report.write(Paths(tmp_path, tmp_path), report, tiny.NOW)["page"]
    ).read_text()
    assert "texts in de (7)" in page
    assert privacy_report.unsearched({"a": {"SECRET": 1}}) == ""
