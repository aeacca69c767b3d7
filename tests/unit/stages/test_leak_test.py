"""The leak test: what scrubbing left goes no further, and too much of it stops the run."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from components import validate
from components.core import params as parameters
from components.core import schema
from components.core.baseline import Baseline
from components.core.errors import ScrubError
from components.core.tables.streams import Batches
from components.validate import leak_test
from components.validate.rows import LEAK, Measurer
from components.validate.suite import Checker
from tests.validating import InMemory, not_asked

PARAMS = parameters.load(Path(__file__).parents[3] / "params.yaml")
LABELS = ["a", "b"]
ROWS = 200


def leaks(texts: list[str]) -> list[int]:
    if any("broken" in text for text in texts):
        raise ScrubError("Expected to search, could not.")
    return [text.count("leak") for text in texts]


def documents(leaking: int) -> Batches:
    rows: list[dict[str, object]] = [
        {
            "id": f"s/{i}",
            "text": f"the story is told here, and it is number {i} {'leak' * (i < leaking)}",
            "label": LABELS[i % 2],
            "source": "s",
        }
        for i in range(ROWS)
    ]
    return InMemory(schema.documents(rows))


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker()


@pytest.mark.parametrize(("leaking", "stops"), [(0, False), (3, False), (5, True), (ROWS, True)])
def test_a_leak_goes_to_quarantine_without_its_text(
    checker: Checker, leaking: int, stops: bool
) -> None:
    source = parameters.Source(name="s", kind="csv", path="x")
    ingest = PARAMS.ingest.model_copy(update={"labels": LABELS, "sources": [source]})
    measurer = Measurer(PARAMS.validate_, LABELS, {}, not_asked, leaks)
    came = documents(leaking)
    verdict = validate.judge(came, measurer, PARAMS.validate_, ingest, Baseline(), checker)
    assert any(LEAK in problem for problem in verdict.problems) is stops
    assert verdict.rows is not None
    assert verdict.rows.reasons().get(LEAK, 0) == leaking
    kept = list(validate.quarantined(came, measurer, verdict.rows.bad, {}))
    if leaking:
        table = pl.concat(kept)
        assert table["text"].null_count() == table.height == leaking
    asked = verdict.summary["expectations"]["Rows that came in"]
    (answer,) = (one for one in asked if one["column"] == "leaks")
    assert (answer["unexpected"], answer["success"]) == (leaking, not stops)


def test_where_the_search_fails_nothing_goes_on() -> None:
    measurer = Measurer(PARAMS.validate_, LABELS, {}, not_asked, leaks)
    table = schema.documents([{"id": "s/1", "text": "broken", "label": "a", "source": "s"}])
    with pytest.raises(ScrubError):
        measurer.measure(table)


def test_the_real_scrubber_finds_what_it_would_have_masked() -> None:
    texts = ["card 4111 1111 1111 1111", "write to <EMAIL_ADDRESS>", "", "Bob"]
    assert leak_test.counter(PARAMS)(texts) == [1, 0, 0, 0]
