"""What new data are compared with comes from files that a snapshot pins, and from nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components import snapshot
from components.core import baseline, tables
from components.core.errors import DataError
from components.core.params import Params, Source
from components.core.paths import Paths
from components.core.tables import streams
from tests.validating import PARAMS

NOW = datetime(2026, 3, 1, tzinfo=UTC)
VALIDATION = {"rows": 9, "by_class": {"a": 3, "b": 5}, "by_source": {"mine": 8}, "more": "x"}
RELEASED = {"rows": 7, "by_class": {"a": 7}, "by_source": {"mine": 7}, "sources": ["mine"],
            "eras": []}  # fmt: skip
COUNTS = {"rows": 9, "by_class": {"a": 3, "b": 5}, "by_source": {"mine": 8}, "sources": ["mine"],
          "eras": []}  # fmt: skip


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path, tmp_path / "home")
    add(made, "one")
    return made


def add(paths: Paths, name: str) -> None:
    """One more text in the source: the snapshot changes."""
    (paths.root / "texts" / "a").mkdir(parents=True, exist_ok=True)
    (paths.root / "texts" / "a" / f"{name}.txt").write_text(name)


def params(**validate: Any) -> Params:
    ingest = PARAMS.ingest.model_copy(
        update={"sources": [Source(name="mine", kind="folder", path="texts")]}
    )
    changed = PARAMS.validate_.model_copy(update=validate)
    return PARAMS.model_copy(update={"ingest": ingest, "validate_": changed})


def pinned(paths: Paths) -> dict[str, Any]:
    found: dict[str, Any] = tables.read_json(paths.baseline)
    return found


def test_the_first_snapshot_has_nothing_to_compare_with(paths: Paths) -> None:
    snapshot.run(params(), paths)
    assert pinned(paths) == {"snapshot": None, "release": None, "taken": None}
    assert baseline.read(paths.baseline) == baseline.Baseline()


def test_a_new_snapshot_pins_the_last_one_and_the_release(paths: Paths) -> None:
    snapshot.run(params(), paths)
    tables.write_json(VALIDATION, paths.validated / "validation.json")
    add(paths, "two")
    snapshot.run(params(), paths, RELEASED)
    assert pinned(paths) == {"snapshot": COUNTS, "release": RELEASED, "taken": None}
    found = baseline.read(paths.baseline)
    assert found.snapshot == baseline.Known(9, {"a": 3, "b": 5}, {"mine": 8}, ("mine",))
    # By hand, without the ledger, the release stays the one that was known.
    add(paths, "three")
    snapshot.run(params(), paths)
    assert pinned(paths)["release"] == RELEASED


def test_equal_sources_leave_the_pin_as_it_is(paths: Paths) -> None:
    """A run after a release must not find its own release and validate all over again."""
    snapshot.run(params(), paths)
    before = paths.baseline.read_bytes()
    tables.write_json(VALIDATION, paths.validated / "validation.json")
    snapshot.run(params(), paths, RELEASED)
    assert paths.baseline.read_bytes() == before


def test_a_lost_pin_is_written_anew(paths: Paths) -> None:
    snapshot.run(params(), paths)
    paths.baseline.unlink()
    with pytest.raises(DataError, match=r"components\.snapshot"):
        baseline.read(paths.baseline)
    snapshot.run(params(), paths)
    assert baseline.read(paths.baseline) == baseline.Baseline()


def test_the_time_is_pinned_only_where_age_is_asked(paths: Paths) -> None:
    snapshot.run(params(), paths, now=NOW)
    assert pinned(paths)["taken"] is None
    snapshot.run(params(max_age_days=7.0), paths, now=NOW)
    assert baseline.read(paths.baseline).taken == NOW
    snapshot.run(params(max_age_days=7.0), paths, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert baseline.read(paths.baseline).taken == NOW  # nothing new: nothing changes


def test_eras_come_back_from_a_release(paths: Paths) -> None:
    era = {"validation": "2026-01-01T00:00:00+00:00", "test": "2026-01-02T01:00:00+01:00",
           "until": "2026-01-03T00:00:00+00:00"}  # fmt: skip
    snapshot.run(params(), paths, {**RELEASED, "eras": [era]})
    assert baseline.read(paths.baseline).eras == (
        baseline.Era(*(datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))),
    )


@pytest.mark.parametrize(
    "value",
    [[], {}, 5, {"snapshot": 5, "release": None, "taken": None},
     {"snapshot": None, "release": {"rows": 1}, "taken": None},
     {"snapshot": None, "release": None, "taken": "yesterday"}],
)  # fmt: skip
def test_a_pin_of_another_form_is_refused(paths: Paths, value: object) -> None:
    tables.write_json(value, paths.baseline)
    with pytest.raises(DataError, match=r"baseline\.json to hold snapshot"):
        baseline.read(paths.baseline)


# Tables in batches


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 10])
def test_a_table_written_in_batches_is_the_table(tmp_path: Path, rows: int) -> None:
    table = pl.DataFrame(
        {"n": range(rows), "text": [f"text {i}" for i in range(rows)], "l": [["a"]] * rows},
        schema={"n": pl.Int64, "text": pl.String, "l": pl.List(pl.String)},
    )
    path = tmp_path / "t.parquet"
    streams.write(streams.InMemory(table, 4).batches(), table.schema, path)
    first = path.read_bytes()
    stored = streams.Stored(path, 3)
    assert tables.read_table(path).equals(table)
    assert stored.columns == table.schema and stored.height == rows
    assert all(batch.height <= 3 for batch in stored.batches())
    assert pl.concat([table.clear(), *stored.batches()]).equals(table)
    streams.write(streams.InMemory(table, 4).batches(), table.schema, path)
    assert path.read_bytes() == first


def test_a_batch_that_fails_leaves_no_half_table(tmp_path: Path) -> None:
    def broken() -> Any:
        yield pl.DataFrame({"n": [1]})
        raise DataError("no more")

    with pytest.raises(DataError):
        streams.write(broken(), {"n": pl.Int64()}, tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())
