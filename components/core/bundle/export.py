"""Writes bundles: the model in the format of each runtime, and the other files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import tables
from components.core.bundle import runtimes
from components.core.bundle.layout import FACTS, REFERENCE
from components.core.bundle.runtimes import Trained
from components.core.bundle.signing import sign
from components.core.target.calibration import Calibration

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]


def save_model(
    folder: Path,
    network: Any,
    encoder: Any,
    centre: Array,
    directions: Array,
    calibration: Calibration = Calibration(),  # noqa: B008 - frozen
) -> None:
    """Writes a model in each format that supports it; see `Trained` for the arguments."""
    trained = Trained(network, encoder, centre, directions, calibration)
    folder.mkdir(parents=True, exist_ok=True)
    for model_format in runtimes.FORMATS:
        model_format.save(folder, trained)


def write(folder: Path, facts: Mapping[str, Any], reference: pl.DataFrame, key_folder: Path) -> str:
    """Completes and signs a bundle whose `model/` is already in `folder`.

    Returns:
        The bundle's name: SHA-256 of its manifest.
    """
    tables.write_json(dict(facts), folder / FACTS)
    tables.write_table(reference, folder / REFERENCE)
    return sign(folder, key_folder)
