"""Deployments: learning weekly and on drift, monitoring hourly, retention daily.

`newsloop up` starts this process, and its runs are child processes. With NEWSLOOP_WORK_POOL=NAME
the process becomes a Prefect worker of that work pool, which Prefect's page shows and can pause.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from components.core import params as parameters
from components.core import tables
from components.core.params import Params
from components.core.paths import Paths
from flows import environment

RETENTION = "retention/newsloop"
WORK_POOL = "NEWSLOOP_WORK_POOL"  # unset: the runs are children of this process


def run(params: Params, paths: Paths) -> None:
    """Registers the deployments and runs them until a signal ends the process.

    With a work pool, a run is a child of the worker, in the project's folder.
    """
    environment.settle(params, paths)
    from prefect import serve
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.events import DeploymentEventTrigger
    from prefect.types.entrypoint import EntrypointType

    from flows import prefect_client
    from flows.learning import learning
    from flows.monitor import monitor
    from flows.retention import retention

    # A run that meets another one is cancelled, not queued. Its request stays in the ledger, and
    # is sent again if the other run did not satisfy it.
    alone = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    # Module entry points, because for a path Prefect puts flows/ first on sys.path, where its
    # modules would shadow packages of the same name.
    by_module = EntrypointType.MODULE_PATH
    where = {"root": str(paths.root), "home": str(paths.home)}
    pool = os.environ.get(WORK_POOL)
    job = {"working_dir": str(paths.root)} if pool else None
    if pool:
        os.chdir(paths.root)  # Prefect copies this folder to a run's folder; here both are one
    on_drift = DeploymentEventTrigger(
        name="retrain on drift",
        expect={prefect_client.DRIFT},
        parameters={
            "reason": "{{ event.payload.reason }}",
            "decision_id": "{{ event.payload.decision_id }}",
        },
    )
    deployments: list[Any] = [
        learning.to_deployment(
            "newsloop",
            cron=params.flow.learning_cron,
            parameters={**where, "reason": "schedule"},
            triggers=[on_drift],
            concurrency_limit=alone,
            entrypoint_type=by_module,
            job_variables=job,
        ),
        monitor.to_deployment(
            "newsloop",
            cron=params.flow.monitoring_cron,
            parameters=where,
            concurrency_limit=alone,
            entrypoint_type=by_module,
            job_variables=job,
        ),
        retention.to_deployment(
            "newsloop",
            cron=params.privacy.retention_cron,
            parameters=where,
            concurrency_limit=alone,
            entrypoint_type=by_module,
            job_variables=job,
        ),
    ]
    if pool:
        prefect_client.ensure_pool(pool)
    # serve() does not report when it is ready; at this point the deployments are registered.
    for deployment in deployments:
        deployment.apply(work_pool_name=pool)
    prefect_client.watch_for_dead_runs()
    tables.write_text("ready\n", paths.processes / "runner.ready")
    if pool:
        worker = ["-m", "prefect", "worker", "start", "--pool", pool, "--with-healthcheck"]
        os.execv(sys.executable, [sys.executable, *worker])  # noqa: S606 - with our environment
    serve(*deployments, print_starting_message=False)


def main() -> int:
    paths = Paths.find()
    run(parameters.load(paths.params), paths)
    return 0


if __name__ == "__main__":
    sys.exit(main())
