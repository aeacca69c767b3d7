"""The search: it goes on where it stopped, ends poor trials, and writes only what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from components import folds
from components.core import params as parameters
from components.core import tables
from components.core.errors import DataError, ParamsError
from components.core.params import Params, edit
from components.core.paths import Paths
from components.experiments import tuning

FILE = Path(__file__).parents[3] / "params.yaml"
PROJECT = parameters.load(FILE)
SIDE = pl.DataFrame({"id": ["1", "2"], "text": ["a b", "c d"], "label": ["tech", "sports"]})
EPOCHS = 5


def settings(folds: int = 1, **space: dict[str, Any]) -> Params:
    """The project's, with a search over `space` of textcnn."""
    whole = PROJECT.model_dump(by_alias=True)
    whole["tune"] |= {"folds": folds, "prune_after": 1, "prune_trials": 2}
    whole["tune"]["space"] = {"textcnn": space or {"dropout": {"low": 0.1, "high": 0.9}}}
    return parameters.parse(whole, "a test")


def fit(name: str, params: Params, learned: Any, held: Any, live: Any) -> Any:
    """The nearer dropout is to 0.3, the better; each epoch a little."""
    reached = 1 - abs(params.train.textcnn.dropout - 0.3)
    for epoch in range(EPOCHS):
        live.log_metric("validation/accuracy", reached * (epoch + 1) / EPOCHS)
        live.next_step()
    return None, None, {"validation_accuracy": reached, "validation_loss": 1 - reached}


def search(home: Path, params: Params, folds: int = 1) -> tuning.Search:
    return tuning.Search("textcnn", params, [(SIDE, SIDE)] * folds, home, fit)


def test_it_begins_with_params_yaml_and_finds_better(tmp_path: Path) -> None:
    found = search(tmp_path, settings())
    told = list(found.run(12, 5))
    assert told[0].values == {"dropout": PROJECT.train.textcnn.dropout}
    best = found.trials()[0]
    assert best.accuracy is not None
    assert told[0].accuracy is not None
    assert best.accuracy > told[0].accuracy
    assert abs(best.values["dropout"] - 0.3) < 0.2
    assert "pruned" in {trial.state for trial in told}
    pruned = next(trial for trial in told if trial.state == "pruned")
    assert (pruned.accuracy, pruned.loss) == (None, None)
    curve = tmp_path / found.study / "trial-0000/plots/metrics/validation/accuracy.tsv"
    assert len(curve.read_text().splitlines()) == EPOCHS + 1
    # Another call goes on, and begins with what was not tried yet.
    more = list(search(tmp_path, settings()).run(1, 5))
    assert more[0].number == 12
    assert more[0].values not in [trial.values for trial in told]


def test_no_trial_begins_when_the_time_is_up(tmp_path: Path) -> None:
    assert list(search(tmp_path, settings()).run(5, 0)) == []


def test_over_folds_the_mean_counts(tmp_path: Path) -> None:
    found = search(tmp_path, settings(folds=2), folds=2)
    trial = next(found.run(1, 5))
    assert trial.accuracy == pytest.approx(1 - abs(PROJECT.train.textcnn.dropout - 0.3))
    assert (tmp_path / found.study / "trial-0000/fold-1").is_dir()


def test_another_question_is_another_study(tmp_path: Path) -> None:
    names = {
        search(tmp_path, settings()).study,
        search(tmp_path, settings(dropout={"low": 0.1, "high": 0.8})).study,
        search(tmp_path, settings(folds=3)).study,
        tuning.Search("textcnn", settings(), [(SIDE.head(1), SIDE)], tmp_path, fit).study,
    }
    assert len(names) == 4
    # What is searched may stand in params.yaml with another value.
    changed = tuning.with_values(settings(), "textcnn", {"dropout": 0.123})
    assert search(tmp_path, changed).study in names


def test_a_setting_that_the_architecture_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="units"):
        search(tmp_path, settings(units={"choices": [1, 2]}))
    with pytest.raises(ParamsError, match=r"tune\.space\.linear"):
        tuning.Search("linear", settings(), [], tmp_path, fit)
    with pytest.raises(ParamsError, match="low must be below high"):
        settings(dropout={"low": 0.9, "high": 0.1})
    with pytest.raises(ParamsError, match="dropout"):
        tuning.with_values(PROJECT, "textcnn", {"dropout": 3.0})


def test_the_winner_is_written_and_nothing_else() -> None:
    before = FILE.read_text()
    chosen = tuning.as_settings(PROJECT, "bilstm", {"learning_rate": 0.0021, "units": 64})
    after = edit.with_values(before, chosen, "here")
    assert len(set(after.splitlines()) - set(before.splitlines())) == 4
    found = parameters.parse(yaml.safe_load(after), "here").train
    assert (found.bilstm.learning_rate, found.bilstm.units) == (0.0021, 64)
    assert found.candidates == ["bilstm", "textcnn"]
    assert found.textcnn == PROJECT.train.textcnn


def test_without_a_split_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="newsloop run"):
        tuning.sides(PROJECT, Paths(tmp_path, tmp_path / "home"))


def test_no_document_that_is_measured_later_is_tuned_on(tmp_path: Path) -> None:
    """With cross-validation these are all documents."""
    paths = Paths(tmp_path, tmp_path / "home")
    for side in ("train", "validation"):
        tables.write_table(SIDE, paths.split / f"{side}.parquet")
    tables.write_table(SIDE.with_columns(fold=0).clear(), paths.split / folds.FILE)
    ((train, validation),) = tuning.sides(PROJECT, paths)
    assert train.equals(SIDE) and validation.equals(SIDE)
    tables.write_table(SIDE.with_columns(fold=0), paths.split / folds.FILE)
    with pytest.raises(ParamsError, match=r"split\.cross_validation: never"):
        tuning.sides(PROJECT, paths)
