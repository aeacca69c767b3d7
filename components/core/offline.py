"""The switches that keep every library at home: no telemetry, no update checks, no downloads."""

from __future__ import annotations

import os

SWITCHES = {
    "DO_NOT_TRACK": "1",  # Evidently, Prefect and others
    "BENTOML_DO_NOT_TRACK": "True",
    "DVC_NO_ANALYTICS": "1",
    "DVCLIVE_LOG_LEVEL": "warning",
    "EVIDENTLY_DISABLE_TELEMETRY": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_OFFLINE": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLIENT_ENABLE_LIFESPAN_HOOKS": "true",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",  # it shouts about every GPU that is not there
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its sums depend on the number of threads: no equal hashes
}


def stay_home() -> None:
    """Sets the switches for this process and its children. A value that a person set is kept."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
