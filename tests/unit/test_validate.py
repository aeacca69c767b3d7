"""Rows are sorted out one by one, with their reasons; the stage leaves the right files behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from components import validate, validation_suite
from components.core import params as parameters
from components.core import schema, stage, tables
from components.core.errors import DataError, ParamsError
from components.core.offline import stay_home
from components.core.params import Params
from components.core.paths import Paths

stay_home()
LABELS = ["sports", "tech"]
SETTINGS = parameters.Validate(
    min_documents=20,
    min_class_documents=6,
    min_characters=20,
    max_characters=2000,
    max_bad_share=0.1,
)
SECRET = "Ann Example of 5 Mill Lane"


@pytest.fixture(scope="module")
def checker() -> validation_suite.Checker:
    return validation_suite.Checker()


def rows(count: int = 40) -> list[dict[str, object]]:
    return [
        {
            "id": f"s/{i}",
            "text": f"{SECRET} wrote report number {i}",
            "label": LABELS[i % 2],
            "source": "s",
        }
        for i in range(count)
    ]


def spoiled(**values: object) -> pl.DataFrame:
    """Forty good rows, of which the first has other values."""
    good = rows()
    return schema.documents([{**good[0], **values}, *good[1:]])


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ({}, None),
        ({"text": None}, ["no text"]),
        ({"text": ""}, ["text shorter than 20 characters"]),
        ({"text": "x" * 19}, ["text shorter than 20 characters"]),
        ({"text": "x" * 20}, None),
        ({"text": " \n" * 500 + "x"}, ["text shorter than 20 characters"]),
        ({"text": "x" * 2000 + " "}, None),
        ({"text": "x" * 2001}, ["text longer than 2000 characters"]),
        ({"text": "é" * 2000}, None),
        ({"label": "Sports"}, ["label not in ingest.labels"]),
        ({"label": ""}, ["label not in ingest.labels"]),
        ({"id": None}, ["no id"]),
        ({"id": ""}, ["no id"]),
        ({"source": None}, ["no source"]),
        (
            {"label": "?", "text": ""},
            ["text shorter than 20 characters", "label not in ingest.labels"],
        ),
    ],
)
def test_a_row_goes_on_or_into_quarantine(
    checker: validation_suite.Checker, values: dict[str, object], reasons: list[str] | None
) -> None:
    table = spoiled(**values)
    verdict = validate.judge(table, {}, SETTINGS, LABELS, checker)
    assert verdict.problems == [] and verdict.rows is not None
    assert verdict.rows.bad["reasons"].to_list() == ([] if reasons is None else [reasons])
    assert verdict.rows.good.height == 40 - verdict.rows.bad.height
    assert verdict.rows.good.schema == table.schema
    assert verdict.rows.bad.columns == [*table.columns, "reasons"]
    assert verdict.summary["quarantined"] == verdict.rows.bad.height


def test_duplicated_ids_are_all_bad(checker: validation_suite.Checker) -> None:
    verdict = validate.judge(spoiled(id="s/1"), {}, SETTINGS, LABELS, checker)
    assert verdict.summary["reasons"] == {"id not unique": 2}


def test_an_unreadable_row_says_why_and_nothing_else(checker: validation_suite.Checker) -> None:
    table = spoiled(text="", label=None)
    verdict = validate.judge(table, {"s/0": "the line is no JSON"}, SETTINGS, LABELS, checker)
    assert verdict.summary["reasons"] == {"not readable: the line is no JSON": 1}
    assert verdict.summary["unlabelled"] == 0


def test_unlabelled_rows_are_left_out_and_not_bad(checker: validation_suite.Checker) -> None:
    extra = [{**row, "id": f"u/{i}", "label": None} for i, row in enumerate(rows(100))]
    verdict = validate.judge(schema.documents(rows() + extra), {}, SETTINGS, LABELS, checker)
    assert verdict.problems == []
    assert (verdict.summary["unlabelled"], verdict.summary["documents"]) == (100, 40)
    assert verdict.summary["quarantined"] == 0


@pytest.mark.parametrize(("bad", "passes"), [(4, True), (5, False)])
def test_the_share_of_bad_rows(checker: validation_suite.Checker, bad: int, passes: bool) -> None:
    table = schema.documents([{**r, "label": "?"} if i < bad else r for i, r in enumerate(rows())])
    verdict = validate.judge(table, {}, SETTINGS, LABELS, checker)
    assert (verdict.problems == []) is passes
    came = [a for a in verdict.summary["expectations"]["Rows that came in"] if not a["success"]]
    assert (came == []) is passes


@pytest.mark.parametrize(
    ("labels", "shown", "hidden"),
    [
        (["sport"] * 3 + ["Tech"], "'sport' 3, 'Tech' 1", None),
        ([f"label {c}" for c in "abcdefgh"], "3 other values", None),
        ([SECRET + " and many more words"] * 3, "1 other values", SECRET),
        (["ann@example.org"], "1 other values", "ann@"),
        (["020 7946 09581"], "1 other values", "7946"),
    ],
)
def test_unknown_labels_are_named_unless_they_look_like_something_else(
    checker: validation_suite.Checker, labels: list[str], shown: str, hidden: str | None
) -> None:
    settings = SETTINGS.model_copy(update={"max_bad_share": 0.0})
    extra = [{**rows()[0], "id": f"x/{i}", "label": label} for i, label in enumerate(labels)]
    verdict = validate.judge(schema.documents(rows() + extra), {}, settings, LABELS, checker)
    message = " ".join(verdict.problems)
    assert shown in message
    assert hidden is None or hidden not in message


def test_great_expectations_counts_what_polars_counts(checker: validation_suite.Checker) -> None:
    """Two readings of the same rules."""
    table = schema.documents(
        [
            {
                **row,
                "label": "?" if i < 3 else row["label"],
                "text": "" if 2 < i < 9 else row["text"],
            }
            for i, row in enumerate(rows(100))
        ]
    )
    verdict = validate.judge(table, {}, SETTINGS, LABELS, checker)
    found = {
        (a["name"], a["column"]): a["unexpected"]
        for a in verdict.summary["expectations"]["Rows that came in"]
    }
    assert found["expect_column_values_to_be_in_set", "label"] == 3
    assert found["expect_column_value_lengths_to_be_between", "text"] == 6
    assert verdict.summary["reasons"] == {
        "text shorter than 20 characters": 6,
        "label not in ingest.labels": 3,
    }


@pytest.mark.parametrize("spoil", ["none", "share", "columns"])
def test_no_text_gets_into_results(checker: validation_suite.Checker, spoil: str) -> None:
    table = schema.documents(rows())
    if spoil == "share":
        table = table.with_columns(label=pl.col("text"), id=pl.col("text"))
    if spoil == "columns":
        table = table.with_columns(text=pl.concat_list("text"))
    verdict = validate.judge(table, {}, SETTINGS, LABELS, checker)
    told = f"{verdict.results} {verdict.problems} {verdict.summary}"
    assert "Ann" not in told and "Mill" not in told


def test_a_check_that_raises_fails_and_tells_no_value(checker: validation_suite.Checker) -> None:
    import great_expectations.expectations as gxe

    table = pl.DataFrame({"text": [SECRET]})
    expectation = gxe.ExpectColumnMaxToBeBetween(column="nowhere", min_value=1)
    result = checker.check(table, "t", [expectation])
    assert result.success is False
    assert "Traceback" not in str(result) and SECRET not in str(result)


def test_an_empty_suite_is_refused(checker: validation_suite.Checker) -> None:
    with pytest.raises(DataError, match="0 expectations"):
        checker.check(pl.DataFrame({"a": [1]}), "t", [])


# The stage


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path / ".newsloop")


def run(paths: Paths, table: pl.DataFrame, faults: object = ()) -> None:
    values = parameters.load(Path(__file__).parents[2] / "params.yaml")
    ingest = values.ingest.model_copy(update={"labels": LABELS})
    params = values.model_copy(update={"ingest": ingest, "validate_": SETTINGS})
    tables.write_table(table, paths.ingested / "documents.parquet")
    tables.write_json(
        list(faults) if isinstance(faults, tuple) else faults, paths.ingested / "faults.json"
    )
    validate.run(params, paths)


def test_run_writes_the_same_bytes_twice_and_a_page_without_foreign_hosts(paths: Paths) -> None:
    table = spoiled(label="?")
    run(paths, table)
    first = {p.name: p.read_bytes() for p in paths.validated.iterdir()}
    assert set(first) == {"documents.parquet", "quarantine.parquet", "validation.json"}
    run(paths, table)
    assert first == {p.name: p.read_bytes() for p in paths.validated.iterdir()}
    good = tables.read_table(paths.validated / "documents.parquet")
    assert schema.check_documents(good, "here").height == 39
    assert json.loads(first["validation.json"])["by_class"] == {"sports": 19, "tech": 20}
    page = (paths.data_docs / "index.html").read_text()
    assert "Passed" in page and "must be unique" in page
    assert not re.findall(r"(?:src|href)=|https?://|url\(", page)
    assert SECRET not in page


def test_a_refused_table_leaves_quarantine_and_page_and_nothing_of_before(paths: Paths) -> None:
    run(paths, schema.documents(rows()))
    with pytest.raises(DataError, match=r"40 of 40 rows are bad .*index\.html"):
        run(paths, schema.documents([{**row, "label": "?"} for row in rows()]))
    assert [p.name for p in paths.validated.iterdir()] == ["quarantine.parquet"]
    page = (paths.data_docs / "index.html").read_text()
    assert "Refused" in page and SECRET not in page


def test_wrong_columns_leave_only_the_page(paths: Paths) -> None:
    with pytest.raises(DataError, match="column label: expected String, got none"):
        run(paths, schema.documents(rows()).drop("label"))
    assert not list(paths.validated.glob("*"))
    assert "column label: expected String" in (paths.data_docs / "index.html").read_text()


@pytest.mark.parametrize("faults", [{"id": "s/0"}, [{"id": "s/0"}], ["s/0"], 5])
def test_faults_of_another_form_are_refused(paths: Paths, faults: object) -> None:
    with pytest.raises(DataError, match=r"faults\.json"):
        run(paths, schema.documents(rows()), faults)


# A stage by itself


def failing(error: BaseException) -> Callable[[Params, Paths], None]:
    def run(params: Params, paths: Paths) -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DataError("no\ndata"), 1, "error: no data\n"),
        (ParamsError("wrong key"), 2, "error: wrong key\n"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "/data/x"), 1, "/data/x: No space left on device"),
        (PermissionError(13, "Permission denied"), 1, "Permission denied"),
    ],
)
def test_a_stage_says_why_it_failed_in_one_line(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, message: str
) -> None:
    assert stage.main(failing(error)) == status
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1


def test_a_stage_that_works_and_one_with_a_mistake() -> None:
    assert stage.main(lambda params, paths: None) == 0
    with pytest.raises(ZeroDivisionError):
        stage.main(failing(ZeroDivisionError()))
