"""Searches for better settings of an architecture, and never looks at the test side.

    03_split/train, validation -> .newsloop/tune/study.log            all trials, to go on with
                                  .newsloop/tune/<study>/trial-0007/  DVCLive: settings, epochs
                                  refs/exps/...                       DVC: trial_experiment.py

Optuna (Akiba et al. 2019) proposes settings by its tree-structured Parzen estimator and ends a
trial early that is worse than the median of those before it. The first trial is params.yaml as it
is. A study is known by what it depends on: architecture, space, settings that are not searched,
documents; when one of them changes, another study begins.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl

from components import train
from components.core import params as parameters
from components.core.errors import ParamsError
from components.core.params import Params
from components.core.params.architectures import Single
from components.core.params.base import Choice, Range
from components.core.paths import Paths
from components.core.runtime import imports
from components.experiments import crossvalidate

_WATCHED = "validation/accuracy"  # what a trial is judged by, epoch by epoch
_DIGITS = 4  # of a proposed number: more would be noise in params.yaml

Sides = Sequence[tuple[pl.DataFrame, pl.DataFrame]]
Fit = Callable[[Single, Params, pl.DataFrame, pl.DataFrame, Any], tuple[Any, Any, dict[str, Any]]]


class SearchState(StrEnum):
    """How a trial of a search ended, in Optuna's words."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAIL = "fail"


@dataclass(frozen=True)
class TuningTrial:
    """One trial that ended.

    Attributes:
        number: from 0.
        accuracy: on the validation side or, over folds, their mean, in [0, 1]; None unless
            complete.
        loss: on the same documents; of two equal accuracies the one with less loss wins.
        values: setting -> value.
    """

    number: int
    state: SearchState
    accuracy: float | None
    loss: float | None
    values: dict[str, Any]


class _Watcher:
    """Stands where DVCLive stands; passes on, reports each epoch, and ends a poor trial."""

    def __init__(self, trial: Any, live: Any, prunes: bool) -> None:
        self._trial, self._live, self._prunes = trial, live, prunes
        self._step, self._accuracy = 0, 0.0

    def log_metric(self, name: str, value: float) -> None:
        self._live.log_metric(name, value)
        if name == _WATCHED:
            self._accuracy = value

    def next_step(self) -> None:
        self._live.next_step()
        if self._prunes:
            _report(self._trial, self._accuracy, self._step)
        self._step += 1


@dataclass(frozen=True)
class Search:
    """A study of one architecture; `run` goes on with it.

    Args:
        name: the architecture.
        params: all settings.
        sides: what is learned from and judged on, one pair or one a fold; see `sides`.
        home: the folder of all studies.
        fit: as train.fit.
    """

    name: Single
    params: Params
    sides: Sides
    home: Path
    fit: Fit = field(default=train.fit)

    def __post_init__(self) -> None:
        known = type(self.params.train.architecture(self.name)).model_fields
        space = self.params.tune.space.get(self.name, {})
        if not space or set(space) - set(known):
            raise ParamsError(
                f"Expected tune.space.{self.name} in params.yaml to name some of "
                f"{', '.join(sorted(known))}; got {', '.join(sorted(space))}. Mend it and run "
                "again."
            )

    @property
    def study(self) -> str:
        """The study's name: architecture, and a hash of what its trials depend on."""
        settings = self.params.train.read_by(self.name) | {"folds": self.params.tune.folds}
        searched = self.params.tune.space[self.name]
        settings[self.name] = {k: v for k, v in settings[self.name].items() if k not in searched}
        about = [
            {key: settings[key] for key in sorted(settings)},
            {key: one.model_dump() for key, one in sorted(searched.items())},
            self.params.text.model_dump(),
            [sorted(side["id"]) for pair in self.sides for side in pair],
        ]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
        return f"{self.name}-{digest.hexdigest()[:8]}"

    def folder(self, number: int) -> Path:
        """What DVCLive recorded of a trial; with several folds a folder of each."""
        return self.home / self.study / f"trial-{number:04}"

    def trials(self) -> list[TuningTrial]:
        """All that ended, the best first."""
        return _ranked(self._open())

    def run(self, trials: int, minutes: float) -> Iterator[TuningTrial]:
        """Goes on with the study, and yields each trial when it has ended.

        Args:
            trials: at most, in this call.
            minutes: after which no new trial begins.
        """
        import time

        from optuna.trial import TrialState

        study = self._open()
        for left in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            study.tell(left.number, state=TrialState.FAIL)  # a killed search's
        if not study.trials:
            current = self.params.train.architecture(self.name).model_dump()
            study.enqueue_trial({key: current[key] for key in self.params.tune.space[self.name]})
        end = time.monotonic() + 60 * minutes
        for _ in range(trials):
            if time.monotonic() >= end:
                return
            study.optimize(self._try, n_trials=1)
            yield _told(study.trials[-1])

    def _open(self) -> Any:
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.home.mkdir(parents=True, exist_ok=True)
        backend = JournalFileBackend(str(self.home / "study.log"))
        storage = optuna.storages.JournalStorage(backend)
        settings = self.params.tune
        study = optuna.create_study(
            study_name=self.study,
            storage=storage,
            load_if_exists=True,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(
                settings.prune_trials, 0 if settings.folds > 1 else settings.prune_after
            ),
        )
        # Another seed each time, or a search that goes on would propose the same again.
        study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))
        return study

    def _try(self, trial: Any) -> float:
        """The objective: mean accuracy over `sides`."""
        imports.keras()
        import keras
        from dvclive import Live

        space = self.params.tune.space[self.name]
        values = {key: _suggest(trial, key, one) for key, one in space.items()}
        params = with_values(self.params, self.name, values)
        folder = self.folder(trial.number)
        accuracy, loss = [], []
        for fold, (learned, held) in enumerate(self.sides):
            keras.backend.clear_session()
            place = folder / f"fold-{fold}" if len(self.sides) > 1 else folder
            with Live(str(place), save_dvc_exp=False, dvcyaml=None, report=None) as live:
                live.log_params(values)
                watcher = _Watcher(trial, live, prunes=len(self.sides) == 1)
                facts = self.fit(self.name, params, learned, held, watcher)[2]
            accuracy.append(facts["validation_accuracy"])
            loss.append(facts["validation_loss"])
            trial.set_user_attr("loss", statistics.mean(loss))
            if 1 < len(self.sides) != fold + 1:
                _report(trial, statistics.mean(accuracy), fold)
        return float(statistics.mean(accuracy))


def sides(params: Params, paths: Paths) -> Sides:
    """What trials learn from and are judged on: the validation side, or `tune.folds` folds of both.

    Raises:
        DataError: there is no split yet.
    """
    learned, held = crossvalidate.sides(paths, "train", "validation")
    if params.tune.folds == 1:
        return [(learned, held)]
    table = pl.concat([learned, held]).sort("id")
    group = crossvalidate.groups(table["text"].to_list(), params.split)
    fold = pl.Series(crossvalidate.assign(group, params.tune.folds, params.tune.seed))
    return [(table.filter(fold != i), table.filter(fold == i)) for i in range(params.tune.folds)]


def with_values(params: Params, name: Single, values: dict[str, Any]) -> Params:
    """`params` with other settings of one architecture, checked as if they stood in the file.

    Raises:
        ParamsError: a value is of a wrong type or out of range.
    """
    whole = params.model_dump(by_alias=True)
    whole["train"][name] |= values
    return parameters.parse(whole, f"a trial of {name}")


def as_settings(params: Params, name: Single, values: dict[str, Any]) -> dict[str, Any]:
    """A trial as keys of params.yaml; its architecture becomes the first candidate."""
    others = [candidate for candidate in params.train.candidates if candidate != name]
    chosen = {f"train.{name}.{key}": value for key, value in values.items()}
    return {"train.candidates": [name, *others], **chosen}


def _suggest(trial: Any, key: str, one: Range | Choice) -> Any:
    if isinstance(one, Choice):
        return trial.suggest_categorical(key, one.choices)
    if isinstance(one.low, int) and isinstance(one.high, int):
        return trial.suggest_int(key, one.low, one.high, log=one.log)
    # Few digits, so that what was tried can be written into params.yaml as it is.
    value = trial.suggest_float(key, one.low, one.high, log=one.log)
    return min(max(float(f"{value:.{_DIGITS}g}"), one.low), one.high)


def _report(trial: Any, accuracy: float, step: int) -> None:
    """Tells Optuna how far a trial is.

    Raises:
        optuna.TrialPruned: it is worse than the median of the trials before it.
    """
    import optuna

    trial.report(accuracy, step)
    if trial.should_prune():
        raise optuna.TrialPruned


def _told(trial: Any) -> TuningTrial:
    state = SearchState(trial.state.name.lower())
    done = state == SearchState.COMPLETE
    values = {
        key: float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
        for key, value in trial.params.items()
    }
    return TuningTrial(
        trial.number,
        state,
        trial.value if done else None,
        trial.user_attrs.get("loss") if done else None,
        values,
    )


def _ranked(study: Any) -> list[TuningTrial]:
    told = [_told(trial) for trial in study.trials if trial.state.is_finished()]
    return sorted(told, key=lambda one: (-(one.accuracy or 0.0), one.loss or 0.0, one.number))
