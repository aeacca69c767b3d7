"""The gate's conditions, one by one, and what they come to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from components import gate
from components.core import bundle, params, tables
from components.core import ledger as ledgers
from components.core.errors import DataError
from components.core.ledger import LABELS, Ledger
from components.core.ledger import windows as ledger_windows
from components.core.pages import Heading
from components.core.paths import Paths
from components.gate import comparison, report
from components.gate.checks import (
    Check,
    against_champion,
    floors,
    rehearsed,
    verdict,
)
from tests import judged, tiny
from tests.unit.stages.test_gate_comparison import TARGET, rows

SETTINGS = params.load(Path(__file__).parents[3] / "params.yaml").gate
FLOORS = SETTINGS.model_copy(
    update={
        "min_accuracy": 0.95, "min_macro_f1": 0.94, "min_class_recall": 0.85, "min_behaviour": 0.9,
        "max_calibration_error": 0.05,
    }
)  # fmt: skip


def measured(**changes: float) -> dict[str, Any]:
    values = {"accuracy": 0.97, "macro_f1": 0.97, "recall": 0.95, "error": 0.02} | changes
    found = {
        "accuracy": {"value": values["accuracy"]},
        "macro_f1": {"value": values["macro_f1"]},
        "calibration_error": values["error"],
        "classes": {"a": {"recall": 0.99}, "b": {"recall": values["recall"]}},
    }
    if "behaviour" in values:
        found["behaviour"] = {"passed": 9, "of": 10, "value": values["behaviour"]}
    return found


def failing(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, []),
        ({"accuracy": 0.949}, ["accuracy"]),
        ({"accuracy": 0.95}, []),
        ({"macro_f1": 0.5}, ["macro F1"]),
        ({"recall": 0.84}, ["recall of b"]),
        ({"error": 0.05}, []),
        ({"error": 0.051}, ["calibration error"]),
        ({"behaviour": 0.9}, []),
        ({"behaviour": 0.89}, ["behaviour tests"]),
        ({"accuracy": 0.1, "recall": 0.1}, ["accuracy", "recall of b"]),
    ],
)
def test_floors(changes: dict[str, float], names: list[str]) -> None:
    assert failing(floors(measured(**changes), 0, 7.0, FLOORS)) == names


def test_no_floor_is_asked_for_that_nobody_set() -> None:
    bad = measured(accuracy=0.01, macro_f1=0.01, recall=0.0, behaviour=0.0)
    assert [check.name for check in floors(bad, 0, 7.0, SETTINGS)] == [
        "calibration error", "documents that leak personal data", "size in MiB",
    ]  # fmt: skip
    without = SETTINGS.model_copy(update={"max_calibration_error": None})
    assert len(floors(bad, 0, 7.0, without)) == 2


def test_a_calibration_error_that_few_documents_explain_is_no_fault() -> None:
    noisy = measured(error=0.3) | {"calibration_noise": 0.31}
    assert failing(floors(noisy, 0, 7.0, FLOORS)) == []
    assert failing(floors(noisy | {"calibration_noise": 0.29}, 0, 7.0, FLOORS)) == [
        "calibration error"
    ]


def test_leaks_and_size_have_limits() -> None:
    assert failing(floors(measured(), 1, 401.0, SETTINGS)) == [
        "documents that leak personal data",
        "size in MiB",
    ]


GOOD = {"problem": None, "equal": 1.0, "refused": 1.0, "p95_ms": 20.0, "memory_mib": 900.0}


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (GOOD, []),
        (None, ["the service serves it (1: yes)"]),
        ({"problem": "NaN"}, ["the service serves it (1: yes)"]),
        (GOOD | {"equal": 0.99}, ["answers equal to evaluate's"]),
        (GOOD | {"refused": 0.95}, ["hostile requests refused by 4xx"]),
        (GOOD | {"p95_ms": 251.0}, ["ms for one text (95 %)"]),
        (GOOD | {"memory_mib": 4000.0}, ["MiB of memory"]),
        (GOOD | {"undecided": None}, []),
        (GOOD | {"undecided": "it took too long"}, ["the service serves it (1: yes)"]),
    ],
)
def test_rehearsal(found: dict[str, Any] | None, names: list[str]) -> None:
    assert failing(rehearsed(found, SETTINGS)) == names


def test_no_rehearsal_where_none_is_asked_for() -> None:
    assert rehearsed(None, SETTINGS.model_copy(update={"rehearse": False})) == []


@pytest.mark.parametrize(
    ("gained", "lost", "recent", "rule", "expected"),
    [
        (0, 0, 0, "better", "keep"),  # equal
        (4, 0, 0, "better", "keep"),  # 1/16: may be luck
        (5, 0, 0, "better", "release"),  # 1/32
        (5, 0, 50, "better", "keep"),  # two looks
        (6, 0, 50, "better", "release"),
        (20, 9, 0, "better", "release"),
        (15, 14, 0, "better", "keep"),
        (0, 12, 0, "better", "keep"),  # 3 points worse: more than the margin, but not surely
        (0, 25, 0, "better", "refuse"),
        (0, 0, 0, "not_worse", "release"),
        (0, 2, 0, "not_worse", "release"),
        (2, 14, 0, "not_worse", "keep"),
        (0, 25, 0, "not_worse", "refuse"),
    ],
)
def test_against_the_champion(
    gained: int, lost: int, recent: int, rule: str, expected: str
) -> None:
    """Of 400 documents, without a look at parts."""
    settings = SETTINGS.model_copy(update={"rule": rule, "slice_documents": 1000})
    table = rows(400 - gained - lost, gained, lost, recent=recent)
    found = comparison.compare(table, TARGET, settings)
    assert verdict(against_champion(found, settings)) == expected


def test_a_part_that_is_surely_lost_is_refused_though_the_whole_is_better() -> None:
    table = pl.concat([rows(200, 60, 0), rows(30, 0, 10)]).with_columns(
        source=pl.Series(["archive"] * 260 + ["wire"] * 40), length=pl.lit(7)
    )
    checks = against_champion(comparison.compare(table, TARGET, SETTINGS), SETTINGS)
    assert failing(checks) == ["chance that losing source wire is luck"]
    assert verdict(checks) == "refuse"


def test_lost_newest_labels_are_refused_though_the_test_side_is_better() -> None:
    table = pl.concat([rows(30, 0, 20, recent=50), rows(300, 60, 0)])
    checks = against_champion(comparison.compare(table, TARGET, SETTINGS), SETTINGS)
    assert "accuracy less the champion's, upper bound, newest labels" in failing(checks)
    assert verdict(checks) == "refuse"


# With real bundles, files and ledger


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> judged.Case:
    return judged.Case(tmp_path_factory.mktemp("judged"))


def fresh_ledger(paths: Paths) -> Ledger:
    """An empty one, beside bundles that are there."""
    paths.ledger.parent.mkdir(exist_ok=True)
    for file in paths.ledger.parent.glob(f"{paths.ledger.name}*"):
        file.unlink()
    paths.ledger.touch()  # a ledger that is gone is refused
    return Ledger(ledgers.url(paths.ledger))


@pytest.fixture
def ledger(case: judged.Case) -> Ledger:
    return fresh_ledger(case.paths)


def baseline_checks(decision: gate.Decision) -> list[tuple[str, bool]]:
    return [(check.name, check.passed) for check in decision.checks if check.kind == "baseline"]


def test_the_first_of_all_is_compared_with_the_simplest_models(
    case: judged.Case, ledger: Ledger
) -> None:
    decision = gate.judge(case.params, case.paths, ledger)
    assert (decision.verdict, decision.champion, decision.comparison) == ("release", None, None)
    assert baseline_checks(decision) == [
        ("chance that the lead over the majority class is luck", True),
        ("accuracy less the linear baseline's, lower bound", True),
    ]
    assert decision.steps == []
    assert decision.sample is not None
    assert (decision.sample.documents, decision.sample.needed) == (60, 307)


def other_answers(case: judged.Case, root: Path, **columns: pl.Expr | list[str]) -> Paths:
    """The case's files in `root`, with other answers in predictions.parquet."""
    paths = Paths(root, root / "home")
    shutil.copytree(case.paths.root, paths.root, dirs_exist_ok=True)
    file = paths.evaluated / "predictions.parquet"
    answers = tables.read_table(file)
    series = {
        name: pl.Series(values, dtype=pl.String) if isinstance(values, list) else values
        for name, values in columns.items()
    }
    tables.write_table(answers.with_columns(**series), file)
    return paths


def test_a_candidate_that_says_always_the_same_is_refused(
    case: judged.Case, ledger: Ledger, tmp_path: Path
) -> None:
    paths = other_answers(case, tmp_path, predicted=pl.col("majority"))
    measured_ = tables.read_json(paths.evaluated / "metrics.json")
    baseline = {"name": "TF-IDF + LinearSVC", "problem": None, "accuracy": {"value": 0.9}}
    low = {"accuracy": {"value": 0.2, "low": 0.1, "high": 0.3}, "baseline": baseline}
    tables.write_json(measured_ | low, paths.evaluated / "metrics.json")
    decision = gate.judge(case.params, paths, ledger)
    assert decision.verdict == "refuse"  # no champion serves that could be kept
    assert ("chance that the lead over the majority class is luck", False) in (
        baseline_checks(decision)
    )
    assert [step.kind for step in decision.steps] == [
        "candidate", "candidate", "test documents",
    ]  # fmt: skip


def test_a_candidate_that_is_proven_worse_than_the_linear_baseline_is_refused(
    case: judged.Case, ledger: Ledger, tmp_path: Path
) -> None:
    wrong = pl.when(pl.col("actual") == "tech").then(pl.lit("sport")).otherwise("predicted")
    paths = other_answers(case, tmp_path, predicted=wrong, baseline=pl.col("actual"))
    decision = gate.judge(case.params, paths, ledger)
    assert decision.verdict == "refuse"
    assert baseline_checks(decision)[1] == (
        "chance that losing more than the margin to the linear baseline is luck", False,
    )  # fmt: skip
    off = case.params.gate.model_copy(update={"baselines": False})
    decision = gate.judge(case.params.model_copy(update={"gate": off}), paths, ledger)
    assert (decision.verdict, baseline_checks(decision)) == ("release", [])


def test_a_linear_baseline_that_could_not_be_trained_is_no_failure(
    case: judged.Case, ledger: Ledger, tmp_path: Path
) -> None:
    paths = other_answers(case, tmp_path, baseline=pl.lit(None, pl.String))
    file = paths.evaluated / "metrics.json"
    problem = {"baseline": {"name": "a baseline", "problem": "There are too many classes."}}
    tables.write_json(tables.read_json(file) | problem, file)
    decision = gate.judge(case.params, paths, ledger)
    assert decision.verdict == "release"
    assert [check for check, _ in baseline_checks(decision)] == [
        "chance that the lead over the majority class is luck"
    ]
    assert "cannot be said: There are too many classes." in " ".join(decision.reasons)


def test_an_evaluation_of_an_earlier_newsloop_has_no_answers_of_the_simplest_models(
    case: judged.Case, ledger: Ledger, tmp_path: Path
) -> None:
    paths = other_answers(case, tmp_path)
    file = paths.evaluated / "predictions.parquet"
    tables.write_table(tables.read_table(file).drop("majority", "baseline"), file)
    decision = gate.judge(case.params, paths, ledger)
    assert (decision.verdict, baseline_checks(decision)) == ("release", [])
    assert "another newsloop made the evaluation" in " ".join(decision.reasons)


def test_a_rehearsal_without_a_result_decides_nothing(
    case: judged.Case, ledger: Ledger, tmp_path: Path
) -> None:
    paths = other_answers(case, tmp_path)
    asked = case.params.gate.model_copy(update={"rehearse": True})
    params_ = case.params.model_copy(update={"gate": asked})
    file = paths.rehearsals / f"{case.candidate}.json"
    tables.write_json({"problem": None, "undecided": "The port is taken."}, file)
    decision = gate.judge(params_, paths, ledger)
    assert (decision.verdict, decision.reasons) == ("cannot say", ["The port is taken."])
    assert decision.steps[0].kind == "rehearse again"
    assert not gate.stood(params_, paths, case.candidate)
    gate.record(decision, paths, ledger, tiny.NOW)
    assert ledger.decisions("gate")[0]["verdict"] == "cannot say"
    page = (paths.decisions / f"{decision.id}.html").read_text()
    assert "no result" in page
    # A fault of the candidate is one, whatever the rehearsal says.
    leaky = other_answers(case, tmp_path / "leaky")
    tables.write_json({"leaks": 3}, leaky.validated / "validation.json")
    tables.write_json(tables.read_json(file), leaky.rehearsals / file.name)
    assert gate.judge(params_, leaky, ledger).verdict == "refuse"


def test_the_champion_itself_is_unchanged(case: judged.Case, ledger: Ledger) -> None:
    case.deploy(case.candidate)
    decision = gate.judge(case.params, case.paths, ledger)
    assert (decision.verdict, decision.reasons) == ("unchanged", [])


def test_an_equal_candidate_does_not_replace_the_champion(
    case: judged.Case, ledger: Ledger
) -> None:
    case.deploy(case.equal)
    decision = gate.judge(case.params, case.paths, ledger)
    assert decision.verdict == "keep"
    assert "0 texts won and 0 lost of 60" in decision.reasons[0]
    # The simplest models are information; the champion decides.
    assert baseline_checks(decision) == []
    assert [baseline.model for baseline in decision.baselines] == ["majority", "baseline"]
    assert decision.steps[-1].kind in ("test documents", "candidate")


def test_a_better_candidate_does(case: judged.Case, ledger: Ledger) -> None:
    case.deploy(case.blind)
    decision = gate.judge(case.params, case.paths, ledger)
    assert decision.verdict == "release"
    assert decision.comparison is not None
    assert decision.comparison.sides[0].gained == 12


def test_labels_since_the_champion_are_judged_by_themselves(
    case: judged.Case, ledger: Ledger
) -> None:
    case.deploy(case.blind)
    case.label(ledger, [f"{i:032x}" for i in range(48, 72)])  # 12 of them are on the test side
    decision = gate.judge(case.params, case.paths, ledger)
    assert decision.comparison is not None
    assert [(one.name, one.documents) for one in decision.comparison.sides] == [
        ("test side", 60),
        ("newest labels", 12),
    ]


def test_labels_that_the_queue_asked_for_prove_nothing(case: judged.Case, ledger: Ledger) -> None:
    """They are the texts on which the champion is unsure; any other model wins some of them."""
    case.deploy(case.blind)
    case.label(ledger, [f"{i:032x}" for i in range(48, 60)], ledger_windows.QUEUE)
    decision = gate.judge(case.params, case.paths, ledger)
    assert decision.comparison is not None
    assert [(one.documents, one.gained) for one in decision.comparison.sides] == [(48, 0)]
    assert decision.verdict == "keep"


TEST_SIDE = [f"{i:032x}" for i in range(48, 60)]  # those that came by feedback


def sent(ledger: Ledger, ids: list[str], caller: str, *, trusted: bool = False) -> None:
    where = LABELS.c.prediction_id.in_(ids)
    ledger.execute(sa.update(LABELS).where(where).values(caller=caller, trusted=trusted))


def test_a_proof_by_the_labels_of_one_caller_is_none(case: judged.Case, ledger: Ledger) -> None:
    """The attack that released a model: the candidate learned what one caller says, and is right
    on his texts; the champion is not. Labels of two more callers who say the same do prove it."""
    case.deploy(case.blind)
    case.label(ledger, TEST_SIDE)
    assert gate.judge(case.params, case.paths, ledger).verdict == "release"
    sent(ledger, TEST_SIDE, "one")
    decision = gate.judge(case.params, case.paths, ledger)
    assert decision.verdict == "keep"
    assert decision.comparison is not None
    assert [(one.documents, one.gained) for one in decision.comparison.sides] == [(48, 0)]
    sent(ledger, TEST_SIDE, "one", trusted=True)
    assert gate.judge(case.params, case.paths, ledger).verdict == "release"
    for number, caller in enumerate(("one", "two", "three")):
        sent(ledger, TEST_SIDE[number::3], caller)
    decision = gate.judge(case.params, case.paths, ledger)
    assert decision.verdict == "release"
    assert decision.comparison is not None
    assert decision.comparison.sides[0].gained == 8  # without a third of them


def test_wrong_labels_of_one_caller_refuse_no_candidate(case: judged.Case, tmp_path: Path) -> None:
    """The attack that stopped learning: the test side is wrong where one caller labelled it."""
    paths = Paths(tmp_path, tmp_path / "home")
    shutil.copytree(case.paths.root, paths.root, dirs_exist_ok=True)
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    wrong = pl.when(pl.col("id").str.starts_with("feedback")).then(pl.lit("sport"))
    answers = answers.with_columns(predicted=wrong.otherwise("predicted"))
    tables.write_table(answers, paths.evaluated / "predictions.parquet")
    measured_ = tables.read_json(paths.evaluated / "metrics.json")
    share = {"value": 0.8, "low": 0.7, "high": 0.9}
    low = {"accuracy": share, "macro_f1": share}
    tables.write_json(measured_ | low, paths.evaluated / "metrics.json")
    ledger = fresh_ledger(paths)
    case.label(ledger, TEST_SIDE)
    floors_ = {"min_accuracy": 0.95, "min_class_recall": 0.85}
    asked = case.params.gate.model_copy(update=floors_)
    params_ = case.params.model_copy(update={"gate": asked})
    assert gate.judge(params_, paths, ledger).verdict == "refuse"
    sent(ledger, TEST_SIDE, "one")
    decision = gate.judge(params_, paths, ledger)
    values = {check.name: check.value for check in decision.checks}
    assert (values["accuracy"], values["recall of business"]) == (1.0, 1.0)
    assert all(passed for _, passed in baseline_checks(decision))
    # Two callers who agree are believed.
    sent(ledger, TEST_SIDE[::2], "two")
    assert gate.judge(params_, paths, ledger).verdict == "refuse"
    ledger.close()


@pytest.mark.parametrize("leaks", [0, 2])
def test_leaks_are_read_by_their_key_also_from_an_older_report(
    case: judged.Case, ledger: Ledger, leaks: int
) -> None:
    file = case.paths.validated / "validation.json"
    rows = [{"column": "leaks", "unexpected": n} for n in (9, leaks)]
    older = {"Rows that came in": rows[:1], "Documents that go on": rows[1:]}
    for validation in ({"leaks": leaks, "expectations": {}}, {"expectations": older}):
        tables.write_json(validation, file)
        checks = {one.name: one for one in gate.judge(case.params, case.paths, ledger).checks}
        assert checks["documents that leak personal data"].value == leaks
    tables.write_json({"expectations": {}}, file)
    with pytest.raises(DataError, match="Expected the leak test's result"):
        gate.judge(case.params, case.paths, ledger)
    tables.write_json({"leaks": 0}, file)


def test_a_text_that_is_repeated_counts_once(case: judged.Case, tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "home")
    test = judged.documents().head(12)
    twice = pl.concat([test, test.with_columns(id="again/" + pl.col("id"))])
    tables.write_table(twice, paths.split / "test.parquet")
    answers = twice.select("id", predicted="label")
    tables.write_table(answers, paths.evaluated / "predictions.parquet")
    champion = bundle.load(case.paths.bundles / case.equal, case.paths.keys)
    assert len(gate.compared(paths, champion, [], [], {})) == test["text"].n_unique()


def test_a_retired_champion_must_go(case: judged.Case, ledger: Ledger) -> None:
    champion = case.deploy(case.equal)
    ledger.retire(champion.version, champion.bundle, tiny.NOW, "an erasure")
    decision = gate.judge(case.params, case.paths, ledger)
    assert decision.verdict == "release"
    assert "is retired and must go" in " ".join(decision.reasons)
    assert all(passed for _, passed in baseline_checks(decision))
    assert len(baseline_checks(decision)) == 2


def test_the_same_decision_is_recorded_once(case: judged.Case, ledger: Ledger) -> None:
    case.deploy(case.equal)
    first = gate.judge(case.params, case.paths, ledger)
    gate.record(first, case.paths, ledger, tiny.NOW)
    page = case.paths.decisions / f"{first.id}.html"
    before = page.stat().st_mtime_ns
    again = gate.judge(case.params, case.paths, ledger)
    gate.record(again, case.paths, ledger, tiny.NOW)
    assert again == first
    assert len(ledger.decisions("gate", limit=9)) == 1
    assert page.stat().st_mtime_ns == before
    details = tables.read_json(case.paths.decisions / f"{first.id}.json")
    assert details["verdict"] == "keep"
    for words in (
        "the champion stays", "60 test documents: accuracy between 0.94 and 1.00. About 307 would",
        "What to do next", "for information: the comparison with the champion decides",
    ):  # fmt: skip
        assert words in page.read_text()


def test_a_candidate_that_nobody_rehearsed_is_refused(case: judged.Case, ledger: Ledger) -> None:
    asked = case.params.gate.model_copy(update={"rehearse": True})
    decision = gate.judge(case.params.model_copy(update={"gate": asked}), case.paths, ledger)
    assert decision.verdict == "refuse"


def test_the_page_escapes_what_it_shows(case: judged.Case, ledger: Ledger) -> None:
    details = gate.judge(case.params, case.paths, ledger).as_dict()
    page = report.render({**details, "reasons": ["<script>"]}, Heading())
    assert "<script>" not in page
    assert "http:" not in page and "https:" not in page


def test_a_champion_that_was_altered_is_not_asked(case: judged.Case, ledger: Ledger) -> None:
    case.deploy(case.equal)
    file = case.paths.bundles / case.equal / bundle.FACTS
    content = file.read_bytes()
    try:
        file.write_bytes(content + b" ")
        with pytest.raises(bundle.BundleError, match=r"altered: bundle\.json"):
            gate.judge(case.params, case.paths, ledger)
    finally:
        file.write_bytes(content)
