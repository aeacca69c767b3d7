"""Energy: the record of a training, and the processor that CodeCarbon estimates for."""

from __future__ import annotations

import cpuinfo

from components.core.training import energy


def test_the_processor_is_named_as_codecarbon_would_find_it() -> None:
    found = cpuinfo.cpuinfo._get_cpu_info_from_proc_cpuinfo()
    assert energy.processor() == (found or {}).get("brand_raw")


def test_what_is_measured_is_said_with_its_country() -> None:
    ask = cpuinfo.get_cpu_info
    with energy.measured("DEU") as found:
        sum(range(1_000_000))
    (spent,) = found
    assert spent.kwh > 0
    assert spent.co2_grams > 0
    assert (spent.country, cpuinfo.get_cpu_info) == ("DEU", ask)
