"""An earlier release's settings under newer code: what is fitted, what is said, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core import params
from components.core.errors import ParamsError
from components.core.params import migration as params_migration

NEWER = Path(__file__).parents[3] / "params.yaml"
OTHER = 0.123  # a share that params.yaml does not have


def without_a_section(values: dict[str, Any]) -> None:
    del values["tune"]


def without_a_number(values: dict[str, Any]) -> None:
    del values["train"]["fitting"]["crop"]


def without_limits(values: dict[str, Any]) -> None:
    del values["ingest"]["limits"]


def with_old_keys(values: dict[str, Any]) -> None:
    values["train"]["rate"] = 1
    values["teach"] = {"epochs": 1}


@pytest.fixture
def old(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """Writes the settings of a release that differs, and is older in one way."""

    def write(age: Callable[[dict[str, Any]], None]) -> Path:
        values = yaml.safe_load(NEWER.read_text())
        values["gate"]["min_accuracy"] = OTHER
        age(values)
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (lambda values: None, []),
        (without_a_section, ["tune is not in {}, it is taken from"]),
        (without_a_number, ["train.fitting.crop is not in {}, it is taken from"]),
        (without_limits, ["ingest.limits is not in {}, it is taken from"]),
        (with_old_keys, ["train.rate in {} is not used", "teach in {} is not used"]),
    ],
)
def test_only_what_is_of_another_release_is_fitted(
    old: Callable[[Callable[[dict[str, Any]], None]], Path],
    age: Callable[[dict[str, Any]], None],
    said: list[str],
) -> None:
    path = old(age)
    before = path.read_bytes()
    found, lines = params_migration.load(path, NEWER)
    current = params.load(NEWER)
    assert found == current.model_copy(
        update={"gate": current.gate.model_copy(update={"min_accuracy": OTHER})}
    )
    assert sorted(line.split(str(NEWER))[0].strip() for line in lines) == sorted(
        line.format(path) + (" any more" if "used" in line else "") for line in said
    )
    assert path.read_bytes() == before


def wrong_type(values: dict[str, Any]) -> None:
    values["train"]["epochs"] = "many"


def source_without_path(values: dict[str, Any]) -> None:
    del values["ingest"]["sources"][0]["path"]


def missing_in_both(values: dict[str, Any]) -> None:
    values["ingest"]["sources"] = [{"kind": "feedback"}]


@pytest.mark.parametrize("spoil", [wrong_type, source_without_path, missing_in_both])
def test_what_is_wrong_stays_wrong(
    old: Callable[[Callable[[dict[str, Any]], None]], Path], spoil: Callable[[Any], None]
) -> None:
    with pytest.raises(ParamsError):
        params_migration.load(old(spoil), NEWER)


def test_a_mistake_in_the_checkout_itself_is_one(
    old: Callable[[Callable[[dict[str, Any]], None]], Path],
) -> None:
    path = old(with_old_keys)
    with pytest.raises(ParamsError, match=r"train\.rate is no key"):
        params_migration.load(path, path)


def test_settings_can_be_written_and_read_again() -> None:
    """As the rehearsal does, whose settings may be fitted ones."""
    settings = params.load(NEWER)
    assert params.parse(settings.model_dump(mode="json", by_alias=True), "here") == settings
