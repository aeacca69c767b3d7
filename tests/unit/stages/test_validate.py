"""Rows are sorted out one by one, with their reasons; the stage leaves the right files behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components import validate
from components.core import schema, stage, tables
from components.core.errors import DataError, ParamsError, ScrubError
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.text_quality import damage, language_detector
from components.validate import suite
from components.validate.rows import Scrub
from tests.validating import PARAMS, judge, not_asked

stay_home()
LABELS = ("sports", "tech")
SETTINGS = PARAMS.validate_.model_copy(
    update={
        "min_documents": 20,
        "min_characters": 20,
        "max_characters": 2000,
        "max_bad_share": 0.1,
        "max_duplicate_share": 1.0,
    }
)
DAMAGED = "characters damaged by a wrong decoding"
SECRET = "Ann Example of the old mill"
GERMAN = (
    "Der Minister sagte am Montag, die Regierung werde die Steuern im nächsten Jahr nicht erhöhen."
)


@pytest.fixture(scope="module")
def checker() -> suite.Checker:
    return suite.Checker()


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


def verdict_on(
    table: pl.DataFrame,
    checker: suite.Checker,
    scrub: Scrub = not_asked,
    faults: dict[str, str] | None = None,
    **settings: Any,
) -> validate.ValidationResult:
    return judge(
        table, checker, SETTINGS.model_copy(update=settings), labels=LABELS, faults=faults,
        scrub=scrub, sources={"s": "csv"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ({}, None),
        ({"text": None}, ["no text"]),
        ({"text": ""}, ["text without a letter or digit"]),
        ({"text": "?!... :-) " * 5}, ["text without a letter or digit"]),
        ({"text": "x" * 19}, ["text shorter than 20 characters"]),
        ({"text": "x" * 20}, None),
        ({"text": " \n" * 500 + "x"}, ["text shorter than 20 characters"]),
        ({"text": "It is so. " * 200}, None),
        ({"text": "It is so. " * 200 + "x"}, ["text longer than 2000 characters"]),
        ({"text": "é" * 99}, None),
        ({"label": "Sports"}, ["label not in ingest.labels"]),
        ({"label": ""}, ["label not in ingest.labels"]),
        ({"id": None}, ["no id"]),
        ({"id": ""}, ["no id"]),
        ({"source": None}, ["no source"]),
        ({"source": ""}, ["no source"]),
        (
            {"label": "?", "text": ""},
            ["text without a letter or digit", "label not in ingest.labels"],
        ),
        ({"text": GERMAN + " Er schwieg."}, ["language de, expected en"]),
        ({"text": GERMAN[:80]}, None),  # too short to tell
        ({"text": "The minister spoke. " * 5}, None),
        ({"text": "The café's price rose to £5 today"}, None),
        (
            {"text": "The cafÃ©'s price rose to Â£5 today"},
            ["characters damaged by a wrong decoding"],
        ),
        ({"text": "The caf\ufffd's price rose today"}, ["characters damaged by a wrong decoding"]),
    ],
)
def test_a_row_goes_on_or_into_quarantine(
    checker: suite.Checker, values: dict[str, object], reasons: list[str] | None
) -> None:
    verdict = verdict_on(spoiled(**values), checker)
    assert verdict.problems == [] and verdict.rows is not None
    assert verdict.rows.bad["reasons"].to_list() == ([] if reasons is None else [reasons])
    assert verdict.rows.good.height == 40 - verdict.rows.bad.height
    assert verdict.summary["quarantined"] == verdict.rows.bad.height


ODD_NAMES = ("O'Brien", 'a"b', "x\\y", "nan", "None", "1", "\N{GRINNING FACE}", "L" * 200)


@pytest.mark.parametrize("count", [5, 7])
def test_classes_are_counted_whatever_their_names(checker: suite.Checker, count: int) -> None:
    documents = [
        {
            "id": f"s/{name}/{i}", "source": "s", "label": name,
            "text": f"{SECRET} wrote report number {i} about {number}",
        }
        for number, name in enumerate(ODD_NAMES)
        for i in range(count)
    ]  # fmt: skip
    settings = SETTINGS.model_copy(update={"min_documents": 10, "min_class_documents": 6})
    found = judge(
        schema.documents(documents), checker, settings, labels=ODD_NAMES, sources={"s": "csv"}
    )
    missing = " ".join(found.problems)
    assert all((f"5 of {name}" in missing) == (count == 5) for name in ODD_NAMES), missing


def test_duplicated_ids_are_all_bad(checker: suite.Checker) -> None:
    assert verdict_on(spoiled(id="s/1"), checker).summary["reasons"] == {"id not unique": 2}


def test_an_id_is_not_unique_though_the_other_row_has_no_label(
    checker: suite.Checker,
) -> None:
    verdict = verdict_on(spoiled(id="s/1", label=None), checker)
    assert verdict.summary["reasons"] == {"id not unique": 1}


def test_an_unreadable_row_says_why_and_nothing_else(checker: suite.Checker) -> None:
    table = spoiled(text="", label=None)
    verdict = verdict_on(table, checker, faults={"s/0": "the line is no JSON"})
    assert verdict.summary["reasons"] == {"not readable: the line is no JSON": 1}
    assert verdict.summary["unlabelled"] == 0


def test_unlabelled_rows_are_left_out_and_not_bad(checker: suite.Checker) -> None:
    extra = [{**row, "id": f"u/{i}", "label": None} for i, row in enumerate(rows(100))]
    verdict = verdict_on(schema.documents(rows() + extra), checker)
    assert verdict.problems == []
    assert (verdict.summary["unlabelled"], verdict.summary["documents"]) == (100, 40)
    assert verdict.summary["quarantined"] == 0


@pytest.mark.parametrize(("bad", "passes"), [(4, True), (5, False)])
def test_the_share_of_bad_rows(checker: suite.Checker, bad: int, passes: bool) -> None:
    table = schema.documents([{**r, "label": "?"} if i < bad else r for i, r in enumerate(rows())])
    verdict = verdict_on(table, checker)
    assert (verdict.problems == []) is passes
    came = [a for a in verdict.summary["expectations"]["Rows that came in"] if not a["success"]]
    assert (came == []) is passes


@pytest.mark.parametrize(
    ("labels", "shown", "hidden"),
    [
        (["sport"] * 3 + ["Tech"], "'sport' 3, 'Tech' 1", None),
        ([f"label {c}" for c in "abcdefghijklm"], "3 other values", None),
        ([SECRET + " and many more words"] * 3, "1 other values", SECRET),
        (["ann@example.org"], "1 other values", "ann@"),
        (["020 7946 09581"], "1 other values", "7946"),
    ],
)
def test_unknown_labels_are_named_unless_they_look_like_something_else(
    checker: suite.Checker, labels: list[str], shown: str, hidden: str | None
) -> None:
    extra = [{**rows()[0], "id": f"x/{i}", "label": label} for i, label in enumerate(labels)]
    verdict = verdict_on(schema.documents(rows() + extra), checker, max_bad_share=0.0)
    message = " ".join(verdict.problems)
    assert shown in message
    assert hidden is None or hidden not in message


@pytest.mark.parametrize("texts", [["refund pls", "Where is it", "忘记密码", "改地址", "u2 live"]])
def test_short_texts_pass_by_default_and_rows_without_text_stop_no_run(
    checker: suite.Checker, texts: list[str]
) -> None:
    """Eight documents of a class; more than every tenth row is empty."""
    given = [{**row, "text": texts[i % 5]} for i, row in enumerate(rows(16))]
    given += [{**row, "id": f"e/{i}", "text": " ...!"} for i, row in enumerate(rows(8))]
    settings = PARAMS.validate_.model_copy(
        update={"max_duplicate_share": 1.0, "min_documents": 16, "languages": []}
    )
    verdict = judge(schema.documents(given), checker, settings, labels=LABELS, sources={"s": "csv"})
    assert verdict.problems == [] and verdict.rows is not None
    assert (verdict.rows.good.height, verdict.rows.bad.height) == (16, 8)


def test_great_expectations_counts_what_polars_counts(checker: suite.Checker) -> None:
    """Two readings of the same rules."""
    table = schema.documents(
        [
            {
                **row,
                "label": "?" if i < 3 else row["label"],
                "text": "pls" if 2 < i < 9 else GERMAN + " Er schwieg." if i == 9 else row["text"],
            }
            for i, row in enumerate(rows(100))
        ]
    )
    verdict = verdict_on(table, checker)
    found = {
        (a["name"], a["column"]): a["unexpected"]
        for a in verdict.summary["expectations"]["Rows that came in"]
    }
    assert found["expect_column_values_to_be_in_set", "label"] == 3
    assert found["expect_column_values_to_be_in_set", "language"] == 1
    assert found["expect_column_values_to_be_between", "characters"] == 6
    assert verdict.summary["reasons"] == {
        "text shorter than 20 characters": 6,
        "label not in ingest.labels": 3,
        "language de, expected en": 1,
    }


def test_great_expectations_sees_numbers_and_no_text() -> None:
    from components.validate.rows import Measurer, sort_out

    measured = Measurer(SETTINGS, LABELS, {}, not_asked).measure(spoiled(label=SECRET))
    seen = suite.numbers(sort_out(measured, SETTINGS).judged)
    assert seen.columns == ["id", "source", "characters", "label", "language", "damage", "leaks"]
    assert set(seen["label"].cast(pl.String)) == {"sports", "tech", "(other)"}
    assert not {"Ann", SECRET} & set(seen.cast(pl.String).unpivot()["value"])


# Language


def test_no_language_is_asked_where_none_is_named(checker: suite.Checker) -> None:
    verdict = verdict_on(spoiled(text=GERMAN + " Er schwieg."), checker, languages=[])
    assert verdict.summary["quarantined"] == 0
    verdict = verdict_on(spoiled(text=GERMAN + " Er schwieg."), checker, languages=["en", "de"])
    assert verdict.summary["by_language"] == {"(not asked)": 39, "de": 1}


def test_the_detector_knows_languages_without_a_network() -> None:
    """tests/offline.py would see any address asked for; the model is a file of the package."""
    detect = language_detector()
    assert detect(GERMAN)[0] == "de"
    assert detect("The minister said on Monday that taxes will not rise.\nHe did.")[0] == "en"
    assert detect("")[1] <= 1


# Encoding


@pytest.mark.parametrize(
    "text",
    [
        "plain ASCII", "naïve café £5 “quoted” – 東京 😀", "cafÃ©",
        "â€œquotedâ€\x9d it wasnâ€™t Â£5",
        "one Ã© and, after a long way that has nothing but ASCII letters in it, another: Ã¼.",
        "Â£5", "end Â", "ÐœÐ¾ÑÐºÐ²Ð°",
    ],
)  # fmt: skip
def test_damage_is_found_as_ftfy_finds_it_in_the_whole_text(text: str) -> None:
    from ftfy.badness import badness

    assert damage(text) == badness(text)


def test_a_damaged_text_is_mended_and_scrubbed_again(checker: suite.Checker) -> None:
    """The damage may have hidden a name from the scrubber."""
    asked: list[str] = []

    def scrub(texts: list[str]) -> list[str]:
        asked.extend(texts)
        return [text.replace("José", "<PERSON>") for text in texts]

    table = spoiled(text="JosÃ© told us that the price is Â£5")
    verdict = verdict_on(table, checker, scrub, damaged="mend")
    assert verdict.rows is not None and verdict.rows.bad.height == 0
    assert asked == ["José told us that the price is £5"]
    assert verdict.summary["mended"] == 1


def test_what_cannot_be_mended_goes_to_quarantine(checker: suite.Checker) -> None:
    verdict = verdict_on(spoiled(text="The caf\ufffd's price rose today"), checker, damaged="mend")
    assert verdict.summary["reasons"] == {DAMAGED: 1}


def test_a_mended_text_that_cannot_be_scrubbed_stops_everything(
    checker: suite.Checker,
) -> None:
    def scrub(texts: list[str]) -> list[str]:
        raise ScrubError("no")

    with pytest.raises(ScrubError):
        verdict_on(spoiled(text="JosÃ© told us the price: Â£5"), checker, scrub, damaged="mend")


# The stage


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path / ".newsloop")


def run(
    paths: Paths,
    table: pl.DataFrame,
    faults: object = (),
    names: dict[str, str] | None = None,
    **settings: Any,
) -> None:
    ingest = PARAMS.ingest.model_copy(update={"labels": list(LABELS)})
    changed = SETTINGS.model_copy(update=settings)
    params = PARAMS.model_copy(update={"ingest": ingest, "validate_": changed})
    tables.write_json({"snapshot": None, "release": None, "taken": None}, paths.baseline)
    tables.write_table(table, paths.ingested / "documents.parquet")
    tables.write_json(
        list(faults) if isinstance(faults, tuple) else faults, paths.ingested / "faults.json"
    )
    tables.write_json(
        {"s": {"PERSON": 2, "NAMES_NOT_SEARCHED_DE": 1}}, paths.ingested / "privacy.json"
    )
    if names:
        tables.write_json(names, paths.ingested / "labels.json")
    validate.run(params, paths)


def test_run_writes_the_same_bytes_twice_and_a_page_without_foreign_hosts(paths: Paths) -> None:
    table = spoiled(label="?")
    run(paths, table)
    first = {p.name: p.read_bytes() for p in paths.validated.iterdir()}
    assert set(first) == {"documents.parquet", "quarantine.parquet", "validation.json"}
    run(paths, table)
    assert first == {p.name: p.read_bytes() for p in paths.validated.iterdir()}
    good = tables.read_table(paths.validated / "documents.parquet")
    assert schema.check_documents(good, "here").equals(table[1:])
    bad = tables.read_table(paths.validated / "quarantine.parquet")
    assert bad.drop("reasons").equals(table[:1])
    assert bad["reasons"].to_list() == [["label not in ingest.labels"]]
    assert json.loads(first["validation.json"])["by_class"] == {"sports": 19, "tech": 20}
    assert json.loads(first["validation.json"])["leaks"] == 0
    page = (paths.data_docs / "index.html").read_text()
    assert "Passed" in page and "must be unique" in page
    assert "word for word" in page and "there is no earlier release" in page
    assert "not searched in texts in de (1)" in page
    assert re.findall(r"(?:src|href)=\S+|https?://|url\(", page) == ['href="../home.html">All']
    assert SECRET not in page


def test_a_refused_table_leaves_quarantine_and_page_and_nothing_of_before(paths: Paths) -> None:
    run(paths, schema.documents(rows()))
    with pytest.raises(DataError, match=r"40 of 40 rows are bad .*index\.html"):
        run(paths, schema.documents([{**row, "label": "?"} for row in rows()]))
    assert [p.name for p in paths.validated.iterdir()] == ["quarantine.parquet"]
    page = (paths.data_docs / "index.html").read_text()
    assert "Refused" in page and SECRET not in page


def test_a_refusal_names_the_classes_that_are_missing_and_keeps_the_bad_rows(
    paths: Paths,
) -> None:
    hidden, person = "anon-0123456789abcdef", "anon-fedcba9876543210"
    labels = [hidden] * 12 + [person] * 3 + ["weather"] * 2 + ["once"] + ["sports"] * 22
    labels += [f"class{i}" for i in range(11) for _ in range(3)]
    table = schema.documents(
        [{**row, "label": label} for row, label in zip(rows(len(labels)), labels, strict=True)]
    )
    with pytest.raises(DataError) as refused:
        run(paths, table, names={hidden: "Billing Issue"})
    message = str(refused.value)
    assert "label not in ingest.labels: 51 ('Billing Issue' 12, 'class0' 3, 'class1' 3," in message
    assert (
        "'class7' 3, 3 whose label occurs once or may hold personal data, 4 other values)"
        in message
    )
    assert f"{paths.data_docs / 'index.html'} and {paths.refused_rows}, then" in message
    bad = tables.read_table(paths.refused_rows)
    assert bad.equals(tables.read_table(paths.validated / "quarantine.parquet"))
    assert bad["label"].to_list().count("Billing Issue") == 12
    assert bad["reasons"][0].to_list() == ["label not in ingest.labels"]
    run(paths, schema.documents(rows()))
    assert not paths.refused_rows.exists()


def test_wrong_columns_leave_only_the_page(paths: Paths) -> None:
    with pytest.raises(DataError, match="column label: expected String, got none"):
        run(paths, schema.documents(rows()).drop("label"))
    assert not list(paths.validated.glob("*"))
    assert "column label: expected String" in (paths.data_docs / "index.html").read_text()


@pytest.mark.parametrize("faults", [{"id": "s/0"}, [{"id": "s/0"}], ["s/0"], 5])
def test_faults_of_another_form_are_refused(paths: Paths, faults: object) -> None:
    with pytest.raises(DataError, match=r"faults\.json"):
        run(paths, schema.documents(rows()), faults)


def test_many_batches_give_what_one_gives(paths: Paths) -> None:
    """9,000 rows are three batches; every tenth is bad, and the order stays."""
    table = schema.documents(
        [{**r, "label": "?"} if i % 10 == 0 else r for i, r in enumerate(rows(9000))]
    )
    run(paths, table, noise_class_documents=10_000)  # the labels say nothing of these texts
    good = tables.read_table(paths.validated / "documents.parquet")
    bad = tables.read_table(paths.validated / "quarantine.parquet")
    number = pl.col("id").str.slice(2).cast(pl.Int32)
    assert good.equals(table.filter(number % 10 > 0))
    assert bad.drop("reasons").equals(table.filter(number % 10 == 0))


def test_mended_texts_go_on_as_they_were_mended(paths: Paths) -> None:
    run(paths, spoiled(text="The price of bread in the cafÃ© is Â£5"), damaged="mend")
    good = tables.read_table(paths.validated / "documents.parquet")
    assert good["text"][0] == "The price of bread in the café is £5"


@pytest.mark.parametrize("content", [None, b"", b"PAR1 cut short"])
def test_a_missing_or_broken_table_is_refused(paths: Paths, content: bytes | None) -> None:
    run(paths, schema.documents(rows()))
    where = paths.ingested / "documents.parquet"
    where.unlink()
    if content is not None:
        where.write_bytes(content)
    ingest = PARAMS.ingest.model_copy(update={"labels": list(LABELS)})
    with pytest.raises(DataError, match="Expected a Parquet table"):
        validate.run(PARAMS.model_copy(update={"ingest": ingest}), paths)
    assert not list(paths.validated.iterdir())


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
        (OSError(28, "No space left on device", "/data/x"), 1, "No space left on device (/data/x)"),
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
