"""Energy: the record of a training."""

from __future__ import annotations

from components.core.training import energy


def test_what_is_measured_is_said_with_its_country() -> None:
    with energy.measured("DEU") as found:
        sum(range(1_000_000))
    (spent,) = found
    assert spent.kwh > 0
    assert spent.co2_grams > 0
    assert spent.country == "DEU"
