"""What a training cost: kilowatt-hours and grams of CO2, by CodeCarbon, without a network.

    .newsloop/energy/<hash of the model>.json

It lies beside the model and not in it: two trainings that give the same bytes cost different
energy, and the bundle's name must not depend on that. Who has the model finds its record by hash.
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
_SMALL = 0.1  # kWh, below which watt-hours are shown
_MEASURES = "intel_rapl"  # CodeCarbon's way that reads a sensor; all others estimate
_SECONDS = 15  # between two readings


@dataclass(frozen=True)
class Energy:
    """What was spent.

    Attributes:
        kwh: kilowatt-hours of processor, memory and GPU.
        co2_grams: by the mean of the country's grid.
        seconds: of wall time.
        country: ISO 3166 code of three letters.
        estimated: the machine has no power sensor for its processor that can be read, so its power
            is estimated from model and load.
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
    """Three digits that say something, of kilowatt-hours.

    >>> shown(12.345), shown(0.00123), shown(0.0)
    ('12.3 kWh', '1.23 Wh', '0 Wh')
    """
    return f"{kwh:.3g} kWh" if kwh >= _SMALL else f"{_WATT_HOURS * kwh:.3g} Wh"


@contextlib.contextmanager
def measured(country: str) -> Iterator[list[Energy]]:
    """Measures this process until `with` ends; the list then holds the result.

    Args:
        country: ISO 3166 code of three letters.
    """
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # its import says INFO
    tracker = OfflineEmissionsTracker(
        country_iso_code=country,
        save_to_file=False,
        log_level="critical",
        tracking_mode="process",
        measure_power_secs=_SECONDS,
    )
    tracker.start()
    found: list[Energy] = []
    try:
        yield found
    finally:
        tracker.stop()
        data = tracker.final_emissions_data
        ways = [getattr(part, "_mode", _MEASURES) for part in tracker._hardware]
        found.append(
            Energy(
                kwh=float(data.energy_consumed),
                co2_grams=_GRAMS * float(data.emissions),
                seconds=float(data.duration),
                country=country,
                estimated=any(way != _MEASURES for way in ways),
            )
        )


def model_hash(folder: Path) -> str:
    """SHA-256 over the names and hashes of a SavedModel's files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {tables.file_hash(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def keep(spent: Energy, model: Path, home: Path) -> None:
    """Writes the record of the SavedModel at `model` into the state in `home`."""
    tables.write_json(asdict(spent), _file(model, home))


def of(model: Path, home: Path) -> dict[str, Any] | None:
    """`Energy` of the SavedModel at `model` as a dictionary; None where this installation has not
    trained it, for example because DVC's cache had it.
    """
    file = _file(model, home)
    if not file.exists():
        return None
    found: dict[str, Any] = tables.read_json(file)
    return found


def section(spent: dict[str, Any] | None) -> str:
    """The last part of a model card, in Markdown; see components/package/model_card.py.

    >>> print(section(None).splitlines()[-1])
    Not known: this model was not trained by this installation.
    """
    told = "Not known: this model was not trained by this installation."
    if spent is not None:
        told = f"Training took {spent['seconds']:.0f} seconds and {Energy(**spent)}."
    return f"\n## Energy\n\n{told}\n"


def _file(model: Path, home: Path) -> Path:
    return home / "energy" / f"{model_hash(model)}.json"
