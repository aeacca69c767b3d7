"""Large libraries come with as little as is needed, and leave nothing changed."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import pytest

from components.core.bundle.runtimes import fast_textcnn
from components.core.errors import MissingPackage
from components.core.runtime import imports
from tests import fresh, tiny

LOAD = """
import gc, os, sys
from pathlib import Path
from components.core import bundle
from components.core.runtime import imports
model = bundle.Model(Path({folder!r}), {labels!r})
said = model.predict(["a film", "goal"]).labels
why = model.explain(["a film"])[0]
large = ("keras", "tensorflow", "tensorflow_text")
before = [name for name in large if name in sys.modules]
imports.keras()
optional = [name for name in ("matplotlib", "pandas", "sklearn") if name in sys.modules]
import pandas
import tensorflow as tf
answer = {{
    "before": before,
    "optional": optional,
    "pandas": pandas.DataFrame({{"a": [1]}}).shape,
    "said": said,
    "keras": tf.keras.__version__,
    "switch": os.environ.get("TF_USE_LEGACY_KERAS"),
    "collecting": gc.isenabled(),
}}
"""


@pytest.mark.parametrize("short", [True, False])
def test_a_model_is_loaded_without_keras_and_keras_comes_when_asked_for(
    short: bool, tmp_path: Path
) -> None:
    """With fast_textcnn a model needs no TensorFlow either, to answer and to say why."""
    tiny.make_bundle(tmp_path / "bundle", tmp_path / "keys")
    model = tmp_path / "bundle" / "model"
    if not short:
        (model / fast_textcnn.FILE).unlink()
    found = fresh.run(LOAD.format(folder=str(model), labels=tiny.LABELS))
    assert found["before"] == ([] if short else ["tensorflow"])
    assert (found["optional"], found["pandas"]) == ([], [1, 1])
    assert found["said"] == ["entertainment", "sport"]
    assert found["keras"].startswith("3.")
    assert (found["switch"], found["collecting"]) == (None, True)


def test_what_was_imported_before_stays_and_what_is_absent_comes_back() -> None:
    was = sys.modules.pop("colorsys", None)
    with imports.absent("colorsys", "json"):
        assert json.loads("[]") == importlib.import_module("json").loads("[]")
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
    again = importlib.import_module("colorsys")
    assert again.rgb_to_hls(0, 0, 0) == (0, 0, 0)
    sys.modules["colorsys"] = was or again


@pytest.mark.parametrize(("before", "meanwhile"), [(None, "1"), ("0", "0")])
def test_a_switch_that_a_person_set_stays(
    monkeypatch: pytest.MonkeyPatch, before: str | None, meanwhile: str
) -> None:
    monkeypatch.delenv("A_SWITCH", raising=False)
    if before is not None:
        monkeypatch.setenv("A_SWITCH", before)
    with imports.switched_on("A_SWITCH"):
        assert os.environ["A_SWITCH"] == meanwhile
    assert os.environ.get("A_SWITCH") == before


def test_a_command_collects_seldom_and_looks_through_nothing_in_the_end() -> None:
    code = """
import atexit, gc, json
from components.core.runtime import imports
atexit.register(lambda: print(json.dumps([*answer, len(gc.get_objects()) < 99])))
imports.collect_seldom()
answer = [gc.isenabled(), gc.get_threshold()[0] > 10_000]
"""
    assert fresh.run(code) == [True, True, True]


def test_a_package_that_only_vectors_need_is_named() -> None:
    imports.require_vectors("json", "train.pretrained")
    with pytest.raises(MissingPackage, match=r"no_such_module.*train\.pretrained.*make vectors"):
        imports.require_vectors("no_such_module", "train.pretrained")


def test_versions_are_those_of_the_libraries_from_either_package() -> None:
    assert imports.library_versions().keys() == {"keras", "numpy", "tensorflow"}
    assert imports.tensorflow_package() in {"tensorflow", "tensorflow-cpu"}
