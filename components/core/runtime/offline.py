"""Switches off telemetry and downloads of libraries; keeps their files out of the user's home."""

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
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow logs every missing GPU as an error
    "TF_ENABLE_ONEDNN_OPTS": "0",  # oneDNN's sums, and so hashes, depend on the number of threads
}

# Folders for settings and caches that libraries would write to the user's home.
FOLDERS = {"KERAS_HOME": "keras", "MPLCONFIGDIR": "matplotlib"}


LOOPBACK = "127.0.0.1,localhost,::1"


def stay_home(state: Path | None = None) -> None:
    """Sets environment variables of this process and its children; call it before other imports.

    A value that the user has set stays. The function adds this machine's own addresses to NO_PROXY,
    since a proxy would look for them on its own machine.

    Args:
        state: the project's folder for state, where libraries may write; None without a project.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    for name in ("no_proxy", "NO_PROXY"):
        others = os.environ.get(name, "")
        if LOOPBACK not in others:
            os.environ[name] = f"{others},{LOOPBACK}".lstrip(",")
    if state is not None:
        for name, folder in FOLDERS.items():
            os.environ.setdefault(name, str(state / folder))
