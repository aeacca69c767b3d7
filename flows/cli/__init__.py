"""The command line: newsloop run, up, down, status, monitor, serve, models, promote, ..."""

from __future__ import annotations

import logging
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, get_args

import typer

from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.errors import LedgerError, NewsloopError, StackError, UsageError
from components.core.ledger import Ledger
from components.core.params import Candidate, Params
from components.core.paths import Paths
from components.core.runtime import imports
from flows import environment, privacy_report
from flows.cli import (
    api_keys,
    challenger,
    decisions,
    gate,
    label_queue,
    output,
    predict,
    privacy,
    tune,
)
from flows.cli import (
    ledger as cli_ledger,
)
from flows.cli import (
    params as cli_params,
)
from flows.cli import (
    versions as cli_versions,
)
from flows.cli.common import Json

INTERRUPTED, TERMINATED = 130, 143  # 128 + the signal, as shells have it

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learns to sort text into classes, and keeps doing it well by itself.",
    epilog="Start with `newsloop run`; then `newsloop up` keeps everything going. Exit status: "
    "0 done, 1 refused or failed (the reason on stderr), 2 wrong usage.",
)


def _project() -> tuple[Params, Paths]:
    """Settings and places, with the environment settled; before Prefect is imported."""
    paths = Paths.find()
    params = parameters.load(paths.params)
    try:
        environment.settle(params, paths)
    except OSError as error:
        raise NewsloopError(
            f"Expected to write in {paths.home}, got: {error.strerror}. Give this user the right "
            "to write there, or set NEWSLOOP_HOME to a folder of its own."
        ) from error
    environment.quiet_console()
    return params, paths


def _ledger(paths: Paths) -> Ledger:
    return Ledger(ledgers.url(paths.ledger))


@app.command()
def run(
    reason: Annotated[str, typer.Option(help="Why; kept with the release.")] = "a person",
    as_json: Json = False,
) -> None:
    """Learn from the sources and release a model that passes the gate.

    Takes a snapshot of the sources in params.yaml, then runs ingest, validate, split, train,
    evaluate, package, rehearse, gate and release; what did not change is not run again. Starts a
    local Prefect server if none answers; `newsloop down` ends it.
    """
    params, paths = _project()
    from flows import stack
    from flows.dvc import workspace

    workspace.settle(paths)
    output.say("Prefect server ...")
    stack.ensure_server(params, paths)
    with imports.uncollected():
        from flows.learning import learning

    summary = learning(str(paths.root), str(paths.home), reason, in_place=True)
    summary["privacy"] = privacy_report.write(paths, privacy_report.collect(paths, _ledger(paths)))
    output.learning(summary, paths, environment.server_url(params), as_json)


@app.command()
def evaluate(
    folds: Annotated[int, typer.Option(min=2, help="Parts that the documents are cut into.")] = 5,
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

    Trains once a fold and candidate; releases nothing. Prints mean and deviation, and the p-value
    of a corrected resampled t-test.
    """
    params, paths = _project()
    from components.experiments import crossvalidate

    chosen = candidate or [params.train.candidates[0], crossvalidate.BASELINE]
    known = [*get_args(Candidate), crossvalidate.BASELINE]
    if unknown := sorted(set(chosen) - set(known)):
        raise UsageError(f"Expected --candidate to be one of {known}, got {unknown}.")
    table = crossvalidate.documents(paths)
    results = []
    answer = partial(crossvalidate.answer, kept=paths.vectors)
    for result in crossvalidate.run(params, table, chosen, folds, repeats, answer):
        results.append(result)
        output.say(
            f"evaluate: repeat {result.repeat + 1}/{repeats}, fold {result.fold + 1}/{folds}, "
            f"{result.candidate}: accuracy {result.accuracy:.4f}, {result.errors} errors"
        )
    output.crossvalidation(crossvalidate.summary(results, folds), as_json)


@app.command()
def up(as_json: Json = False) -> None:
    """Keep the whole stack running: Prefect server, deployments, service.

    Learning runs weekly and on drift, monitoring hourly; the service answers with the champion.
    What runs already is left as it is. `newsloop down` ends what this started.
    """
    params, paths = _project()
    from flows import stack

    with_champion = _champion(paths)
    output.say("Prefect server ...")
    stack.ensure_server(params, paths)
    output.say("deployments ...")
    stack.start_runner(params, paths)
    output.say(f"service with {with_champion.tag} ...")
    stack.start_service(params, paths)
    output.status(_status(params, paths), as_json)


@app.command()
def down(as_json: Json = False) -> None:
    """End what `newsloop run` and `newsloop up` started, and nothing else."""
    _, paths = _project()
    from flows import stack

    ended = [
        name for name in (stack.SERVICE, stack.RUNNER, stack.SERVER) if stack.stop(paths, name)
    ]
    output.lines([f"ended: {', '.join(ended) or 'nothing was running'}"], {"ended": ended}, as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Say what runs and which model serves."""
    params, paths = _project()
    output.status(_status(params, paths), as_json)


@app.command()
def monitor(as_json: Json = False) -> None:
    """Judge the newest window of predictions now, as the hourly deployment does."""
    params, paths = _project()
    from flows import stack

    _champion(paths)
    stack.ensure_server(params, paths)
    with imports.uncollected():
        from flows.monitor import monitor as monitoring_flow

    output.monitoring(monitoring_flow(str(paths.root), str(paths.home)), as_json)


@app.command()
def serve() -> None:
    """Run the service alone, in the foreground, with the champion of the ledger."""
    params, paths = _project()
    import os

    from serving import server

    _champion(paths)
    command, env = server.command(params, paths)
    os.execve(command[0], command, env)  # noqa: S606 - it becomes the service, signals and all


@app.command()
def promote(
    version: Annotated[
        str,
        typer.Argument(
            help="Such as v3, or 3; or a refused candidate as `newsloop gate` lists it."
        ),
    ],
    because: Annotated[str, typer.Option(help="The reason; kept in the ledger.")],
    as_json: Json = False,
) -> None:
    """Let a version serve, or release the last candidate although the gate said no.

    A running service follows within seconds. `newsloop models` shows who was released against the
    gate, and why.
    """
    params, paths = _project()
    ledger = _ledger(paths)
    if not because.strip():
        raise UsageError('Expected a reason, such as --because "the old one fails on tech".')
    if gate.is_bundle(version):
        released = gate.release_anyway(params, paths, ledger, version, because)
        line = f"{released.tag} serves from now on ({released.reason})"
        found = {key: getattr(released, key) for key in ("version", "tag", "reason")}
        output.lines([line], found, as_json)
        return
    row = cli_versions.released(ledger, version)
    _deploy(paths, ledger, row["version"], f"promoted: {because}", as_json)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option(help="Leave its servers running to look at.")] = False,
) -> None:
    """Show the closed loop: drift, event, retraining, gate, release, no request lost.

    Works in a sandbox of its own under .newsloop/demo; your champion and your ledger are not
    touched. Takes up to ten minutes on two cores. Needs one `newsloop run` before.
    """
    params, paths = _project()
    from flows.sandbox import demo as demonstration

    _champion(paths)
    demonstration.run(params, paths, keep)


privacy.add(app, _project, _ledger)
api_keys.add(app)
label_queue.add(app, _project, _ledger)
cli_ledger.add(app)
predict.add(app, _project, _ledger)
challenger.add(app, _project, _ledger)
cli_versions.add(app, _project, _ledger)
tune.add(app, _project)
cli_params.add(app, _project)
gate.add(app, _project, _ledger)
decisions.add(app, _project, _ledger)


def _deploy(paths: Paths, ledger: Ledger, version: int, reason: str, as_json: bool) -> None:
    from components.core import bundle

    if version in ledger.retired():
        raise UsageError(
            f"Expected a version that may serve, v{version} is retired: it was trained on a "
            "subject that was erased. `newsloop models` lists the others."
        )
    row = next(row for row in ledger.versions() if row["version"] == version)
    bundle.verify(paths.bundles / row["bundle"], paths.keys)
    ledger.deploy(version, datetime.now(UTC), reason)
    line = f"{row['tag']} serves from now on ({reason})"
    output.lines([line], {"version": version, "tag": row["tag"], "reason": reason}, as_json)


def _champion(paths: Paths) -> ledgers.Champion:
    champion = _ledger(paths).champion()
    if champion is None:
        raise LedgerError(
            f"Expected a champion in the ledger of {paths.home}, none was released yet. Run "
            "`newsloop run` first."
        )
    return champion


def _status(params: Params, paths: Paths) -> dict[str, Any]:
    from flows import stack, versions
    from serving.client import Client

    url = environment.server_url(params)
    ledger = _ledger(paths)
    champion = ledger.champion()
    processes = {
        name: (asdict(process) if (process := stack.find(paths, name)) else None)
        for name in (stack.SERVER, stack.RUNNER, stack.SERVICE)
    }
    serving = None
    with Client(stack.service_url(params)) as client:
        if processes[stack.SERVICE] and client.ready():
            try:
                serving = client.model()
            except StackError as error:  # it runs, but wants a key that this shell does not have
                output.say(str(error))
    return {
        "home": str(paths.home),
        "prefect": {"url": url, "answers": stack.server_answers(url)},
        "processes": processes,
        "service": {"url": stack.service_url(params), "model": serving},
        "champion": champion and {**asdict(champion), "time": champion.time.isoformat()},
        "disagreements": versions.disagreements(paths, ledger),
        "alerts": [decisions.alert_line(row) for row in decisions.recent(ledger)],
    }


def main() -> int:  # noqa: PLR0911 - one return an outcome reads best
    """Runs the command line; every error of ours is one paragraph on stderr."""
    imports.collect_seldom()
    # A polite end unwinds as Ctrl-C does: children are ended, data are put back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        app(standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except (KeyboardInterrupt, SystemExit) as ended:
        if isinstance(ended, SystemExit):
            return ended.code if isinstance(ended.code, int) else 1
        output.error("interrupted; what was finished is kept, run it again to go on.")
        return INTERRUPTED
    except NewsloopError as error:
        output.error(str(error))
        return error.exit_status
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # wrong usage, says Typer
            error.show()
            return int(error.exit_code)
        if isinstance(error, OSError):
            output.error(f"Expected to read and write files, got: {error}.")
            return 1
        raise
    return 0
