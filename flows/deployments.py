"""The deployments: learning weekly and on drift, monitoring hourly, retention daily.

`newsloop up` runs it.
"""

from __future__ import annotations

import sys
from typing import Any

from components.core import params as parameters
from components.core import tables
from components.core.params import Params
from components.core.paths import Paths
from flows import environment

LEARNING, MONITORING = "learning/newsloop", "monitoring/newsloop"
RETENTION = "retention/newsloop"


def run(params: Params, paths: Paths) -> None:
    """Serves the deployments until it is told to end."""
    environment.settle(params, paths)
    from prefect import serve
    from prefect.events import DeploymentEventTrigger

    from flows.learning import learning
    from flows.monitoring import DRIFT, monitor
    from flows.retention import retention

    where = {"root": str(paths.root), "home": str(paths.home)}
    on_drift = DeploymentEventTrigger(
        name="retrain on drift",
        expect={DRIFT},
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
            concurrency_limit=1,
        ),
        monitor.to_deployment(
            "newsloop",
            cron=params.flow.monitoring_cron,
            parameters=where,
            concurrency_limit=1,
        ),
        retention.to_deployment(
            "newsloop",
            cron=params.privacy.retention_cron,
            parameters=where,
            concurrency_limit=1,
        ),
    ]
    # serve() says nothing when it is ready; by then the deployments are registered.
    for deployment in deployments:
        deployment.apply()
    tables.write_text("ready\n", paths.processes / "runner.ready")
    serve(*deployments, print_starting_message=False)


def main() -> int:
    paths = Paths.find()
    run(parameters.load(paths.params), paths)
    return 0


if __name__ == "__main__":
    sys.exit(main())
