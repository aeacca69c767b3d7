"""Checkpoints: whole or not at all, found only by the training that wrote them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.core.training import checkpoints
from components.core.training.checkpoints import Checkpoint


def test_what_is_saved_comes_back_as_it_was(tmp_path: Path) -> None:
    known = Checkpoint(tmp_path / "checkpoints", "k", keep=2).for_network("net")
    assert known.load() is None
    arrays = [np.array([[1.5, -0.0]], np.float32), np.array(7, np.int64), *[np.zeros(1)] * 10]
    known.save({"epochs": 3, "history": [{"loss": 0.1}]}, {"network": arrays, "best": arrays[:1]})
    known.save({"epochs": 4, "history": [{"loss": 0.1}]}, {"network": arrays, "best": arrays[:1]})
    found = known.load()
    assert found is not None
    state, values = found
    assert state == {"epochs": 4, "history": [{"loss": 0.1}]}
    assert {name: len(found) for name, found in values.items()} == {"network": 12, "best": 1}
    for ours, theirs in zip(arrays, values["network"], strict=True):
        assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes())
    assert [path.name for path in known.folder.iterdir()] == ["k-net.npz"]


@pytest.mark.parametrize(
    "harm", [lambda raw: raw[:-40], lambda raw: raw.replace(b"epochs", b"epoch5")]
)
def test_what_was_spoilt_is_not_used(
    harm: Callable[[bytes], bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = Checkpoint(tmp_path, "k", keep=1)
    known.save({"epochs": 3}, {"network": [np.ones(3)]})
    known.path.write_bytes(harm(known.path.read_bytes()))
    assert known.load() is None
    assert "cannot be read" in capsys.readouterr().err


def test_old_ones_go_and_complete_ones_go(tmp_path: Path) -> None:
    for name in "abc":
        Checkpoint(tmp_path, name, keep=2).save({}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.npz", "c.npz"]
    several = Checkpoint(tmp_path, "c", keep=9)
    several.for_network("textcnn").save({}, {})
    several.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["b.npz"]


def test_the_key_follows_values_and_files(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    file.write_bytes(b"one")
    key = checkpoints.key({"epochs": 3}, [file])
    assert checkpoints.key({"epochs": 3}, [file]) == key
    assert checkpoints.key({"epochs": 4}, [file]) != key
    file.write_bytes(b"two")
    assert checkpoints.key({"epochs": 3}, [file]) != key
