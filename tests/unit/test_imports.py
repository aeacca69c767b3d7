"""Large libraries come with as little as is needed, and leave nothing changed."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from components.core import imports
from tests import fresh, tiny

LOAD = """
import gc, os, sys
from pathlib import Path
from components.core import bundle
model = bundle.Model(Path({folder!r}), {labels!r})
before = [name for name in ("keras", "tensorflow_text") if name in sys.modules]
said = model.predict(["a film", "goal"]).labels
import tensorflow as tf
answer = {{
    "before": before,
    "said": said,
    "keras": tf.keras.__version__,
    "switch": os.environ.get("TF_USE_LEGACY_KERAS"),
    "collecting": gc.isenabled(),
}}
"""


def test_a_model_is_loaded_without_keras_and_keras_comes_when_asked_for(tmp_path: Path) -> None:
    tiny.make_bundle(tmp_path / "bundle", tmp_path / "keys")
    code = LOAD.format(folder=str(tmp_path / "bundle" / "model"), labels=tiny.LABELS)
    found = fresh.run(code)
    assert found["before"] == []
    assert found["said"] == ["entertainment", "sport"]
    assert found["keras"].startswith("3.")
    assert (found["switch"], found["collecting"]) == (None, True)


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


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_is_left_as_it_was(collecting: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        with pytest.raises(ImportError), imports.uncollected():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if was else gc.disable)()
