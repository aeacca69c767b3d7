"""Model runtimes: which one reads a model, how another one is added, when its memory goes back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core import bundle, keys, tables
from components.core.bundle import runtimes
from components.core.bundle.runtimes import fast_textcnn, saved_model
from components.core.errors import BundleError

LABELS = ["business", "tech"]


class Answers:
    """A runtime that calls every text business; `predict` waits until `go` is set."""

    explains, memory = False, 7

    def __init__(self) -> None:
        self.begun, self.go, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.go.set()

    def predict(self, texts: Sequence[str]) -> dict[str, Any]:
        self.begun.set()
        assert self.go.wait(30)
        assert not self.closed.is_set()
        count = len(texts)
        return {
            "probabilities": np.tile(np.float32([0.9, 0.1]), (count, 1)),
            "features": np.zeros((count, 1), np.float32),
            "words": np.ones(count, np.int32),
            "unknown_share": np.zeros(count, np.float32),
        }

    def explain(self, texts: Sequence[str]) -> Iterator[Any]:
        raise AssertionError("it cannot")

    def close(self) -> None:
        self.closed.set()


class Format:
    """Reads models whose folder holds the file `model.answers`."""

    def __init__(self, loaded: Answers) -> None:
        self.loaded = loaded

    def accepts(self, folder: Path) -> bool:
        return (folder / "model.answers").exists()

    def import_libraries(self) -> None:
        """There are none."""

    def load(self, folder: Path) -> Answers:
        return self.loaded


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Another runtime, registered."""
    loaded = Answers()
    monkeypatch.setattr(runtimes, "FORMATS", (Format(loaded), *runtimes.FORMATS))
    return loaded


def test_the_first_format_that_accepts_a_model_reads_it(tmp_path: Path) -> None:
    assert runtimes.find(tmp_path) is None
    (tmp_path / "saved_model.pb").touch()
    assert runtimes.find(tmp_path) is saved_model
    (tmp_path / "shortcut.npz").touch()
    assert runtimes.find(tmp_path) is fast_textcnn


def test_a_model_that_no_format_reads_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="in a format that this version of newsloop reads"):
        bundle.Model(tmp_path, LABELS)


def test_another_runtime_needs_its_registration_only(other: Answers, tmp_path: Path) -> None:
    model = tmp_path / "bundle" / bundle.MODEL
    model.mkdir(parents=True)
    (model / "model.answers").touch()
    key_folder = keys.ensure(tmp_path / "keys")
    facts = {"labels": LABELS}
    bundle.write(tmp_path / "bundle", facts, tables_of_nothing(), key_folder)
    loaded = bundle.load(tmp_path / "bundle", key_folder)
    assert loaded.predict(["a", "b"]).labels == ["business", "business"]
    assert (loaded.explains, loaded.memory) == (False, 7)
    with pytest.raises(BundleError, match="a bundle that explains"):
        loaded.explain(["a"])


def tables_of_nothing() -> Any:
    import polars as pl

    return pl.DataFrame({"label": ["business"]})


def test_a_model_is_closed_with_its_last_reference_and_never_in_a_call(
    other: Answers, tmp_path: Path
) -> None:
    (tmp_path / "model.answers").touch()
    model = bundle.Model(tmp_path, LABELS)
    other.go.clear()
    calls = [threading.Thread(target=model.predict, args=(["a"] * 200,))]  # two parts
    calls[0].start()
    assert other.begun.wait(30)
    del model  # as the model cache lets it go, while a batch is computed
    gc.collect()
    assert not other.closed.is_set()
    other.go.set()
    calls.pop().join(30)
    assert other.closed.wait(30)


def test_a_savedmodel_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its objects refer to each other, so they stay until somebody collects them."""
    import weakref

    class Module:
        def __init__(self) -> None:
            self.itself = self

    module = Module()
    seen = weakref.ref(module)
    loaded = saved_model.SavedModel(module, 0)
    del module
    gc.disable()
    try:
        loaded.close()
        assert seen() is None
    finally:
        gc.enable()


def test_a_bundle_laid_out_as_released_ones_are_is_loaded(tmp_path: Path) -> None:
    """Names and shapes are those of released bundles; no change of code may change them here."""
    model = tmp_path / "bundle" / "model"
    model.mkdir(parents=True)
    zeros = np.zeros(2, np.float32)
    np.savez(
        model / "shortcut.npz",
        members=np.array([0]),
        widths=np.array([1]),
        scale=np.float64(3),
        words=np.frombuffer(b"bank\ncomputer", np.uint8),
        length=np.int64(32),
        unit=np.bytes_(b"words"),
        vectors_0=np.float32([[0, 0], [0, 0], [1, 0], [0, 1]]),
        kernel_0_1=np.float32([[[1, 0], [0, 1]]]),
        bias_0_1=zeros,
        answer_0=np.float32([[4, 0], [0, 4]]),
        answer_bias_0=zeros,
        bag=np.zeros((4, 1), np.float32),
        answer_1=np.zeros((1, 2), np.float32),
        answer_bias_1=zeros,
        centre=np.zeros(3, np.float32),
        directions=np.float32([[1, 0], [0, 1], [0, 0]]),
        calibration=np.float32([1, 0.6]),
    )
    tables.write_json({"labels": LABELS}, tmp_path / "bundle" / "bundle.json")
    key_folder = keys.ensure(tmp_path / "keys")
    name = bundle.sign(tmp_path / "bundle", key_folder)
    assert {path.name for path in (tmp_path / "bundle").iterdir()} == {
        "bundle.json", "manifest.json", "manifest.sig", "model",
    }  # fmt: skip
    loaded = bundle.load(tmp_path / "bundle", key_folder)
    found = loaded.predict(["the bank", "a Computer", "nothing known"])
    assert (loaded.name, loaded.card) == (name, None)
    assert found.labels[:2] == ["business", "tech"]
    likely = (1 / (1 + np.exp(-4)) + 1 / 2) / 2  # of the network, and of a bag that knows nothing
    np.testing.assert_allclose(found.confidence, [likely, likely, 0.5], rtol=1e-6)
    assert found.abstained.tolist() == [False, False, True]
    assert loaded.explain(["the bank"])[0].weights["bank"] > 0
    assert loaded.memory > 0


def test_a_new_bundle_has_the_files_and_arrays_of_released_ones(tmp_path: Path) -> None:
    """So that an older version of newsloop reads what this one makes."""
    from tests.tiny import make_bundle

    make_bundle(tmp_path / "bundle", tmp_path / "keys")
    files = {str(path.relative_to(tmp_path / "bundle")) for path in tmp_path.rglob("bundle/**/*")}
    assert files == {
        "bundle.json", "manifest.json", "manifest.sig", "reference.parquet", "words.parquet",
        "model", "model/assets", "model/saved_model.pb", "model/shortcut.npz", "model/variables",
        "model/variables/variables.data-00000-of-00001", "model/variables/variables.index",
    }  # fmt: skip
    with np.load(tmp_path / "bundle" / "model" / "shortcut.npz") as arrays:
        assert set(arrays.files) == {
            "members", "widths", "scale", "words", "length", "unit", "vectors_0", "kernel_0_1",
            "bias_0_1", "answer_0", "answer_bias_0", "bag", "answer_1", "answer_bias_1", "centre",
            "directions", "calibration",
        }  # fmt: skip
