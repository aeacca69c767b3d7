"""Energy of a training in kilowatt-hours and grams of CO2, by CodeCarbon without network access.

    .newsloop/energy/<hash of the model>.json

The record is not part of the model: two trainings with identical models use different energy, and
the bundle's name must not depend on it. The hash of a model leads to its record.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.core import tables

_GRAMS = 1000.0  # in a kilogram
_WATT_HOURS = 1000.0  # in a kilowatt-hour
_KWH_SHOWN = 0.1  # kWh, below it `shown` formats watt-hours
_SENSOR = "intel_rapl"  # the mode in which CodeCarbon reads a sensor; all others estimate
_SECONDS = 15  # between two measurements


@dataclass(frozen=True)
class Energy:
    """Energy and emissions of a process.

    Attributes:
        kwh: kilowatt-hours of processor, memory and GPU.
        co2_grams: grams of CO2, by the mean emissions of the country's grid.
        seconds: of wall time.
        country: ISO 3166 code of three letters.
        estimated: True if no power sensor can be read, so that CodeCarbon estimates the power
            from the hardware's model and load.
    """

    kwh: float
    co2_grams: float
    seconds: float
    country: str
    estimated: bool

    def __str__(self) -> str:
        how = ", an estimate: this machine has no power sensor to read" if self.estimated else ""
        return f"{shown(self.kwh)}, {self.co2_grams:.1f} g of CO2 ({self.country}{how})"


def shown(kwh: float) -> str:
    """Formats kilowatt-hours with three significant digits.

    >>> shown(12.345), shown(0.00123), shown(0.0)
    ('12.3 kWh', '1.23 Wh', '0 Wh')
    """
    return f"{kwh:.3g} kWh" if kwh >= _KWH_SHOWN else f"{_WATT_HOURS * kwh:.3g} Wh"


@contextlib.contextmanager
def measured(country: str) -> Iterator[list[Energy]]:
    """Measures this process until the `with` block ends; the list then holds the result.

    Args:
        country: ISO 3166 code of three letters.
    """
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # its import logs at INFO
    tracker = OfflineEmissionsTracker(
        country_iso_code=country,
        save_to_file=False,
        log_level="critical",
        tracking_mode="process",
        measure_power_secs=_SECONDS,
    )
    tracker.start()
    records: list[Energy] = []
    try:
        yield records
    finally:
        tracker.stop()
        data = tracker.final_emissions_data
        modes = [getattr(part, "_mode", _SENSOR) for part in tracker._hardware]
        records.append(
            Energy(
                kwh=float(data.energy_consumed),
                co2_grams=_GRAMS * float(data.emissions),
                seconds=float(data.duration),
                country=country,
                estimated=any(way != _SENSOR for way in modes),
            )
        )


def model_hash(folder: Path) -> str:
    """Computes a SHA-256 over the names and hashes of a SavedModel's files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {tables.file_hash(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write(spent: Energy, model: Path, home: Path) -> None:
    """Writes the energy record of the SavedModel at `model` into the state folder `home`."""
    tables.write_json(asdict(spent), _file(model, home))


def read(model: Path, home: Path) -> dict[str, Any] | None:
    """Reads the fields of `Energy` for the SavedModel at `model`.

    Returns:
        None if this installation has not trained the model, for example with a model from DVC's
        cache.
    """
    file = _file(model, home)
    if not file.exists():
        return None
    record: dict[str, Any] = tables.read_json(file)
    return record


def section(spent: dict[str, Any] | None) -> str:
    """Formats the last section of a model card in Markdown; see components/package/model_card.py.

    >>> print(section(None).splitlines()[-1])
    Not known: this model was not trained by this installation.
    """
    text = "Not known: this model was not trained by this installation."
    if spent is not None:
        text = f"Training took {spent['seconds']:.0f} seconds and {Energy(**spent)}."
    return f"\n## Energy\n\n{text}\n"


def _file(model: Path, home: Path) -> Path:
    return home / "energy" / f"{model_hash(model)}.json"
