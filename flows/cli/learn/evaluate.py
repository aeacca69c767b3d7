"""The command `newsloop evaluate`: cross-validation."""

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
            int, typer.Option(min=2, help="Parts that the documents are cut into.")
        ] = 5,
        repeats: Annotated[int, typer.Option(min=1, help="Times, each with other folds.")] = 1,
        candidate: Annotated[
            list[str] | None,
            typer.Option(
                help="What to measure; again for more, which are compared with the first. An "
                "architecture of params.yaml, or svm: TF-IDF + LinearSVC. Default: the first of "
                "train.candidates, and svm."
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Cross-validate the recipe of params.yaml on the documents of the last learning run.

        Trains once a fold and candidate; releases nothing. Prints mean and deviation, and the
        p-value of a corrected resampled t-test.
        """
        interrupts.keeps("the folds are not kept; the same command begins again")
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
