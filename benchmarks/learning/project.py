"""Paths and settings of the project, for benchmarks of training."""

from __future__ import annotations

from pathlib import Path

from components.core import params as parameters
from components.core.paths import Paths
from components.core.runtime.offline import stay_home


def load(epochs: int | None) -> tuple[Paths, parameters.Params]:
    """Goes offline and loads the project.

    Args:
        epochs: most epochs of a training; None: as in params.yaml.
    """
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    if epochs:
        fewer = params.train.model_copy(update={"epochs": epochs})
        params = params.model_copy(update={"train": fewer})
    return paths, params
