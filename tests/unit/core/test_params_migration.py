"""An earlier release's settings under newer code: what is fitted, what is said, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core import params
from components.core.errors import ParamsError
from components.core.params import edit, effective
from components.core.params import migration as params_migration

NEWER = Path(__file__).parents[3] / "params.yaml"
OLD = Path(__file__).parents[2] / "fixtures" / "params_0_2_0.yaml"  # all keys of 0.2.0
OTHER = 0.123  # a share that no file has
# Defaults of 0.2.0 that are others today.
OF_0_2_0 = {
    "gate.min_accuracy": 0.95, "gate.min_macro_f1": 0.94, "gate.min_class_recall": 0.85,
    "gate.max_calibration_error": 0.05, "gate.min_behaviour": 0.9,
    "validate.min_documents": 60, "validate.min_class_documents": 6,
    "validate.min_characters": 20, "validate.max_bad_share": 0.02,
}  # fmt: skip

Age = Callable[[dict[str, Any]], None]
Write = Callable[[Age], Path]


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
def newer(tmp_path: Path) -> Path:
    """The checkout's params.yaml, in which a person turned keys that the short file lacks."""
    path = tmp_path / "newer.yaml"
    path.write_text(NEWER.read_text())
    turned = {"train.fitting.crop": 0.4, "ingest.limits.pages": 7, "gate.min_behaviour": 0.1}
    edit.set_values(path, turned)
    return path


@pytest.fixture
def old(tmp_path: Path) -> Write:
    """Writes the settings of a release that differs, and is older in one way."""

    def write(age: Age) -> Path:
        values = yaml.safe_load(OLD.read_text())
        values["gate"]["min_accuracy"] = OTHER
        age(values)
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


def test_a_file_with_all_keys_still_loads() -> None:
    """With the values of 0.2.0, most of which became the defaults."""
    values = edit.with_values(NEWER.read_text(), OF_0_2_0, "here")
    assert params.load(OLD) == params.parse(yaml.safe_load(values), "here")


@pytest.mark.parametrize(
    ("age", "said", "turned"),
    [
        (lambda values: None, [], {}),
        (without_a_section, ["tune is not in {}, it is taken from"], {}),
        (
            without_a_number,
            ["train.fitting.crop is not in {}, it is taken from"],
            {"train.fitting.crop": 0.4},
        ),
        (
            without_limits,
            ["ingest.limits is not in {}, it is taken from"],
            {"ingest.limits.pages": 7},
        ),
        (with_old_keys, ["train.rate in {} is not used", "teach in {} is not used"], {}),
    ],
)
def test_only_what_is_of_another_release_is_fitted(
    old: Write, newer: Path, age: Age, said: list[str], turned: dict[str, Any]
) -> None:
    path = old(age)
    before = path.read_bytes()
    found, lines = params_migration.load(path, newer)
    changes = OF_0_2_0 | {"gate.min_accuracy": OTHER} | turned
    values = edit.with_values(NEWER.read_text(), changes, "here")
    assert found == params.parse(yaml.safe_load(values), "here")
    assert sorted(line.split(str(newer))[0].strip() for line in lines) == sorted(
        line.format(path) + (" any more" if "used" in line else "") for line in said
    )
    assert path.read_bytes() == before


def test_the_defaults_of_the_release_count_not_those_of_newer_code(
    tmp_path: Path, newer: Path
) -> None:
    """Its params.yaml is short; its own stage `settings` wrote what was in effect."""
    path, resolved = tmp_path / "params.yaml", tmp_path / "resolved.json"
    path.write_text(NEWER.read_text())
    values = effective.plain(params.load(path))
    values["gate"]["margin"] = OTHER  # another default then
    values["train"]["bilstm"]["learning_rate"] = 1e-05  # JSON writes it without a point
    del values["monitor"]["keep_pages"]  # not yet a setting
    resolved.write_text(json.dumps(values))
    found, lines = params_migration.load(path, newer, resolved)
    assert (found.gate.margin, found.train.bilstm.learning_rate) == (OTHER, 1e-05)
    assert found.gate.min_behaviour == params.Gate().min_behaviour  # not as the checkout has it
    assert found.monitor.keep_pages == params.Monitor().keep_pages
    assert lines == []


def wrong_type(values: dict[str, Any]) -> None:
    values["train"]["epochs"] = "many"


def source_without_path(values: dict[str, Any]) -> None:
    del values["ingest"]["sources"][0]["path"]


def missing_in_both(values: dict[str, Any]) -> None:
    values["ingest"]["sources"] = [{"kind": "feedback"}]


@pytest.mark.parametrize("spoil", [wrong_type, source_without_path, missing_in_both])
def test_what_is_wrong_stays_wrong(old: Write, spoil: Callable[[Any], None]) -> None:
    with pytest.raises(ParamsError):
        params_migration.load(old(spoil), NEWER)


def test_a_mistake_in_the_checkout_itself_is_one(old: Write) -> None:
    path = old(with_old_keys)
    with pytest.raises(ParamsError, match=r"train\.rate is an unknown key"):
        params_migration.load(path, path)


def test_settings_can_be_written_and_read_again() -> None:
    """As the rehearsal and the stage `settings` do."""
    settings = params.load(NEWER)
    assert params.parse(settings.model_dump(mode="json", by_alias=True), "here") == settings
    assert params.parse(effective.plain(settings), "here") == settings
