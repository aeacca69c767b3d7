"""The command `newsloop evaluate`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from components.core.errors import UsageError
from components.core.params.architectures import candidates
from components.core.runtime import interrupts
from flows.cli import common, output
from flows.cli.common import Json, Project


def add(app: typer.Typer, project: Project = common.project) -> None:
    """Registers the command."""

    @app.command()
    def evaluate(
        folds: Annotated[
            int, typer.Option(min=2, help="Folds that the documents are divided into.")
        ] = 5,
        repeats: Annotated[int, typer.Option(min=1, help="Repetitions, each with new folds.")] = 1,
        candidate: Annotated[
            list[str] | None,
            typer.Option(
                help="An architecture of params.yaml, or svm: TF-IDF + LinearSVC. Repeat the "
                "option to compare others with the first. Default: the first of "
                "train.candidates, and svm."
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Cross-validate the settings of params.yaml on the documents of the last learning run.

        Trains each candidate once per fold; releases nothing. Prints mean and standard deviation,
        and the p-value of a corrected resampled t-test (Nadeau and Bengio 2003).

        Example: `newsloop evaluate --candidate textcnn --candidate linear --folds 10`
        """
        interrupts.keeps("finished folds are lost; the same command starts from the beginning")
        params, paths = project()
        from components.experiments import crossvalidate

        chosen = candidate or [params.train.candidates[0], crossvalidate.BASELINE]
        known = [*candidates(), crossvalidate.BASELINE]
        if unknown := sorted(set(chosen) - set(known)):
            raise UsageError(
                f"Expected --candidate to be one of {', '.join(known)}; got {', '.join(unknown)}."
            )
        table = crossvalidate.documents(paths)
        results = []
        answer = partial(crossvalidate.answer, cache_folder=paths.vectors)
        for result in crossvalidate.run(params, table, chosen, folds, repeats, answer):
            results.append(result)
            output.say(
                f"evaluate: repeat {result.repeat + 1}/{repeats}, fold {result.fold + 1}/{folds}, "
                f"{result.candidate}: accuracy {result.accuracy:.4f}, {result.errors} errors"
            )
        output.crossvalidation(crossvalidate.summary(results, folds), as_json)
