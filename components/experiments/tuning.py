"""Searches for better settings of an architecture, without the test side.

    03_split/train, validation -> .newsloop/tune/study.log            all trials, to resume
                                  .newsloop/tune/<study>/trial-0007/  DVCLive: settings, epochs
                                  refs/exps/...                       DVC: dvc_experiment.py

Optuna (Akiba et al. 2019) proposes settings by its tree-structured Parzen estimator, and prunes a
trial that is worse than the median of the trials before it. The first trial has the settings of
params.yaml. The name of a study depends on architecture, search space, settings that are not
searched, and documents; when one of them changes, a new study begins.
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

from components import folds, train
from components.core import params as parameters
from components.core.errors import ParamsError
from components.core.params import Params
from components.core.params.architectures import Single
from components.core.params.base import Choice, Range
from components.core.paths import Paths
from components.core.runtime import imports
from components.experiments import crossvalidate
from components.fold_assignment import assign, groups

_OBJECTIVE = "validation/accuracy"  # the metric that decides about pruning after each epoch
_DIGITS = 4  # significant digits of a proposed float, so that params.yaml stays readable

Sides = Sequence[tuple[pl.DataFrame, pl.DataFrame]]
Fit = Callable[[Single, Params, pl.DataFrame, pl.DataFrame, Any], tuple[Any, Any, dict[str, Any]]]


class SearchState(StrEnum):
    """The final state of a trial, with Optuna's names."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAIL = "fail"


@dataclass(frozen=True)
class TuningTrial:
    """A trial that ended.

    Attributes:
        number: from 0.
        state: how the trial ended.
        accuracy: on the validation side, or the mean over folds, in [0, 1]; None unless complete.
        loss: on the same documents; the lower loss wins between trials of equal accuracy.
        values: setting -> value.
    """

    number: int
    state: SearchState
    accuracy: float | None
    loss: float | None
    values: dict[str, Any]


class _PruningLive:
    """Wraps DVCLive: forwards metrics, reports each epoch to Optuna, and prunes a poor trial."""

    def __init__(self, trial: Any, live: Any, prunes: bool) -> None:
        self._trial, self._live, self._prunes = trial, live, prunes
        self._step, self._accuracy = 0, 0.0

    def log_metric(self, name: str, value: float) -> None:
        self._live.log_metric(name, value)
        if name == _OBJECTIVE:
            self._accuracy = value

    def next_step(self) -> None:
        self._live.next_step()
        if self._prunes:
            _report(self._trial, self._accuracy, self._step)
        self._step += 1


@dataclass(frozen=True)
class Search:
    """A study of one architecture; `run` starts or resumes it.

    Args:
        name: the architecture.
        params: all settings.
        sides: pairs of training and validation documents, one or one for each fold; see `sides`.
        home: the folder of all studies.
        fit: function with the arguments of `train.fit`.
    """

    name: Single
    params: Params
    sides: Sides
    home: Path
    fit: Fit = field(default=train.fit)

    def __post_init__(self) -> None:
        fields = type(self.params.train.architecture(self.name)).model_fields
        space = self.params.tune.space.get(self.name, {})
        if not space or set(space) - set(fields):
            raise ParamsError(
                f"Expected tune.space.{self.name} in params.yaml to name some of "
                f"{', '.join(sorted(fields))}; got {', '.join(sorted(space))}. Correct it and "
                "run again."
            )

    @property
    def study(self) -> str:
        """Name of the study: architecture, and a hash of everything that its trials depend on."""
        settings = self.params.train.read_by(self.name) | {"folds": self.params.tune.folds}
        searched = self.params.tune.space[self.name]
        settings[self.name] = {k: v for k, v in settings[self.name].items() if k not in searched}
        dependencies = [
            {key: settings[key] for key in sorted(settings)},
            {key: choice.model_dump() for key, choice in sorted(searched.items())},
            self.params.text.model_dump(),
            [sorted(side["id"]) for pair in self.sides for side in pair],
        ]
        digest = hashlib.sha256(json.dumps(dependencies, sort_keys=True, default=str).encode())
        return f"{self.name}-{digest.hexdigest()[:8]}"

    def folder(self, number: int) -> Path:
        """Returns DVCLive's folder of a trial; with several folds it has a folder for each."""
        return self.home / self.study / f"trial-{number:04}"

    def trials(self) -> list[TuningTrial]:
        """Lists the trials that ended, best first."""
        return _ranked(self._open())

    def run(self, trials: int, minutes: float) -> Iterator[TuningTrial]:
        """Starts or resumes the study, and yields each trial when it ends.

        Args:
            trials: maximum number of trials in this call.
            minutes: time after which no new trial begins.
        """
        import time

        from optuna.trial import TrialState

        study = self._open()
        for running in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            study.tell(running.number, state=TrialState.FAIL)  # from a killed search
        if not study.trials:
            current = self.params.train.architecture(self.name).model_dump()
            study.enqueue_trial({key: current[key] for key in self.params.tune.space[self.name]})
        end = time.monotonic() + 60 * minutes
        for _ in range(trials):
            if time.monotonic() >= end:
                return
            study.optimize(self._try, n_trials=1)
            yield _ended_trial(study.trials[-1])

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
        # A new seed for each call, or a resumed search would propose the same settings again.
        study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))
        return study

    def _try(self, trial: Any) -> float:
        """Computes the objective: mean accuracy over `sides`."""
        imports.keras()
        import keras
        from dvclive import Live

        space = self.params.tune.space[self.name]
        values = {key: _suggest(trial, key, choice) for key, choice in space.items()}
        params = with_values(self.params, self.name, values)
        folder = self.folder(trial.number)
        accuracy, loss = [], []
        for fold, (training, validation) in enumerate(self.sides):
            keras.backend.clear_session()
            live_folder = folder / f"fold-{fold}" if len(self.sides) > 1 else folder
            with Live(str(live_folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:
                live.log_params(values)
                pruning_live = _PruningLive(trial, live, prunes=len(self.sides) == 1)
                facts = self.fit(self.name, params, training, validation, pruning_live)[2]
            accuracy.append(facts["validation_accuracy"])
            loss.append(facts["validation_loss"])
            trial.set_user_attr("loss", statistics.mean(loss))
            if 1 < len(self.sides) != fold + 1:
                _report(trial, statistics.mean(accuracy), fold)
        return float(statistics.mean(accuracy))


def sides(params: Params, paths: Paths) -> Sides:
    """Returns pairs of training and validation documents.

    With `tune.folds` 1 these are the sides of the split, otherwise folds of both sides together.

    Raises:
        DataError: there is no split yet.
        ParamsError: the split is cross-validated, so each document is measured.
    """
    if folds.read(paths) is not None:
        raise ParamsError(
            "Expected a test side that tuning never reads, but this data is cross-validated: every "
            "document is measured later, and settings that were chosen on it would look better "
            "than they are. Bring more documents; or set split.cross_validation: never in "
            "params.yaml, run `newsloop run`, and tune then."
        )
    training, validation = crossvalidate.sides(paths, "train", "validation")
    if params.tune.folds == 1:
        return [(training, validation)]
    table = pl.concat([training, validation]).sort("id")
    group = groups(table["text"].to_list(), params.split, table["label"].to_list())
    fold = pl.Series(assign(group, params.tune.folds, params.tune.seed))
    return [(table.filter(fold != i), table.filter(fold == i)) for i in range(params.tune.folds)]


def with_values(params: Params, name: Single, values: dict[str, Any]) -> Params:
    """Replaces settings of one architecture in `params`, and validates the result.

    Raises:
        ParamsError: a value has a wrong type or is out of range.
    """
    settings = params.model_dump(by_alias=True)
    settings["train"][name] |= values
    return parameters.parse(settings, f"a trial of {name}")


def as_settings(params: Params, name: Single, values: dict[str, Any]) -> dict[str, Any]:
    """Converts a trial to keys of params.yaml; its architecture becomes the first candidate."""
    others = [candidate for candidate in params.train.candidates if candidate != name]
    chosen = {f"train.{name}.{key}": value for key, value in values.items()}
    return {"train.candidates": [name, *others], **chosen}


def _suggest(trial: Any, key: str, choice: Range | Choice) -> Any:
    if isinstance(choice, Choice):
        return trial.suggest_categorical(key, choice.choices)
    if isinstance(choice.low, int) and isinstance(choice.high, int):
        return trial.suggest_int(key, choice.low, choice.high, log=choice.log)
    # Few digits, so that the tried value can be written into params.yaml exactly.
    value = trial.suggest_float(key, choice.low, choice.high, log=choice.log)
    return min(max(float(f"{value:.{_DIGITS}g}"), choice.low), choice.high)


def _report(trial: Any, accuracy: float, step: int) -> None:
    """Reports the accuracy of an epoch or of the folds so far to Optuna.

    Raises:
        optuna.TrialPruned: the trial is worse than the median of the trials before it.
    """
    import optuna

    trial.report(accuracy, step)
    if trial.should_prune():
        raise optuna.TrialPruned


def _ended_trial(trial: Any) -> TuningTrial:
    state = SearchState(trial.state.name.lower())
    complete = state == SearchState.COMPLETE
    values = {
        key: float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
        for key, value in trial.params.items()
    }
    return TuningTrial(
        trial.number,
        state,
        trial.value if complete else None,
        trial.user_attrs.get("loss") if complete else None,
        values,
    )


def _ranked(study: Any) -> list[TuningTrial]:
    trials = [_ended_trial(trial) for trial in study.trials if trial.state.is_finished()]
    return sorted(
        trials, key=lambda trial: (-(trial.accuracy or 0.0), trial.loss or 0.0, trial.number)
    )
