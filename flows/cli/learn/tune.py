"""newsloop tune: a search for better settings."""

from __future__ import annotations

import fcntl
import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from components.core import params as parameters
from components.core.errors import Busy, UsageError
from components.core.params import Params
from components.core.params.architectures import ARCHITECTURES, Single
from components.core.runtime import interrupts
from components.core.training import energy
from flows.cli import common, output
from flows.cli.common import Json, Project

if TYPE_CHECKING:
    from components.core.paths import Paths
    from components.experiments.tuning import Search, TuningTrial


_SHOWN = 5  # best trials


def add(app: typer.Typer, project: Project = common.project) -> None:
    """Adds the command `tune` to `app`."""

    @app.command()
    def tune(
        architecture: Annotated[
            str, typer.Option(help="What to tune. Default: the first of train.candidates.")
        ] = "",
        trials: Annotated[
            int | None,
            typer.Option(min=0, help="At most, now. Default: tune.trials. 0: only show."),
        ] = None,
        minutes: Annotated[
            float | None, typer.Option(min=0, help="No trial begins later. Default: tune.minutes.")
        ] = None,
        apply: Annotated[
            bool, typer.Option("--apply", help="Write the winner into params.yaml, do not ask.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Search for better settings on the validation side; the test side is not looked at.

        What is tried stands in params.yaml under tune. Ctrl-C ends it; call it again to go on.
        `dvc exp show --only-changed --drop '^(?!Experiment|trial|train)'` compares the trials. The
        winner becomes the first candidate, if you say so; `newsloop run` then trains it.
        """
        interrupts.keeps("finished trials are kept; the same command goes on")
        params, paths = project()
        from components import train
        from components.core.params import edit
        from components.experiments import tuning

        name: Any = architecture or params.train.candidates[0]
        if name not in ARCHITECTURES:
            raise UsageError(f"Expected one of {', '.join(ARCHITECTURES)}; got {name}.")
        home = paths.home / "tune"
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Busy("Expected to be the only search, another one is at work.") from error
            fit = partial(train.fit, kept=paths.vectors)
            search = tuning.Search(name, params, tuning.sides(params, paths), home, fit)
            budget = (
                params.tune.trials if trials is None else trials,
                params.tune.minutes if minutes is None else minutes,
            )
            with energy.measured(params.train.country_iso_code) as spent:
                for trial in search.run(*budget):
                    output.say(f"tune: {_line(trial)}")
                    _keep(paths, search, trial)
        ranked = [trial for trial in search.trials() if trial.state == tuning.SearchState.COMPLETE]
        applied = bool(ranked) and _wanted(params, name, ranked[0], apply, as_json)
        if applied:
            edit.set_values(paths.params, tuning.as_settings(params, name, ranked[0].values))
            parameters.load(paths.params)
        lines = [f"{search.study}, the best of {len(search.trials())} trials:"]
        lines += [_line(trial) for trial in ranked[:_SHOWN]]
        lines.append(f"this search took {spent[0].seconds:.0f} seconds and {spent[0]}")
        lines.append(f"{'written into' if applied else 'not written into'} {paths.params}")
        found = {
            "study": search.study,
            "trials": [asdict(trial) for trial in search.trials()],
            "applied": applied,
            "energy": asdict(spent[0]),
        }
        output.lines(lines, found, as_json)


def _keep(paths: Paths, search: Search, trial: TuningTrial) -> None:
    """A trial as an experiment of DVC."""
    from components.core.params import edit
    from components.experiments import dvc_experiment, tuning

    chosen = tuning.as_settings(search.params, search.name, trial.values)
    text = paths.params.read_text(encoding="utf-8")
    dvc_experiment.save(
        paths,
        dvc_experiment.name(search.study, trial.number),
        edit.with_values(text, chosen, str(paths.params)),
        search.folder(trial.number),
        {"state": trial.state, "accuracy": trial.accuracy, "loss": trial.loss},
    )


def _line(trial: Any) -> str:
    values = ", ".join(f"{key} {output.plain(value)}" for key, value in trial.values.items())
    how = str(trial.state)
    if trial.accuracy is not None:
        how = f"accuracy {trial.accuracy:.4f}, loss {trial.loss:.4f}"
    return f"trial {trial.number}: {how}  ({values})"


def _wanted(params: Params, name: Single, best: Any, apply: bool, as_json: bool) -> bool:
    """Whether the winner shall stand in params.yaml; asks a person who can answer."""
    current = params.train.architecture(name).model_dump()
    first = params.train.candidates[0] == name
    if first and all(current[key] == value for key, value in best.values.items()):
        return False  # it stands there
    if apply or as_json or not sys.stdin.isatty():
        return apply
    return typer.confirm(f"Write trial {best.number} into params.yaml?")
