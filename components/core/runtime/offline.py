"""What keeps every library at home: no telemetry, no downloads, no files in the user's home."""

from __future__ import annotations

import os
from pathlib import Path

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

# Where libraries keep settings and caches that they would otherwise put into the user's home.
FOLDERS = {"KERAS_HOME": "keras", "MPLCONFIGDIR": "matplotlib"}


def stay_home(state: Path | None = None) -> None:
    """Tells this process and its children, before they import. A value that a person set is kept.

    Args:
        state: the project's, where libraries may write; None: there is no project.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    if state is not None:
        for name, folder in FOLDERS.items():
            os.environ.setdefault(name, str(state / folder))
