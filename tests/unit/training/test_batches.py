"""What training reads: ids, parts, batches of like length, and what augmentation changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.core import params as parameters
from components.core import tables
from components.core.errors import DataError
from components.core.target import SingleLabel
from components.core.training import batches
from components.core.training.batches import BatchLoader, EncodedSplit

SETTINGS = parameters.load(Path(__file__).parents[3] / "params.yaml").train.fitting


def side(lengths: list[int]) -> EncodedSplit:
    """Document number i holds the id i + 1, so many times as it is long."""
    length = np.array(lengths)
    ids = np.repeat(np.arange(1, len(lengths) + 1), length).astype(np.uint16)
    labels = np.arange(len(lengths), dtype=np.int32) % 2
    return EncodedSplit(ids, np.cumsum(length) - length, length, labels, max_length=64)


def feed(lengths: list[int], batch: int, parts: int = 1, **changes: Any) -> BatchLoader:
    known = side(lengths)
    weight = np.ones(len(lengths), np.float32)
    return BatchLoader(
        known, weight, None, SETTINGS.model_copy(update=changes), batch, parts, seed=3
    )


class Encoder:
    """Each letter is its place in the alphabet, ` is padding; three are read."""

    def __call__(self, texts: Any) -> tuple[Any, Any, Any]:
        import tensorflow as tf

        rows = [[byte - 96 for byte in text.ljust(3, b"`")[:3]] for text in texts.numpy()]
        return tf.constant(rows, tf.int32), None, None


@pytest.mark.parametrize("rows", [1, 2, 10])
def test_a_file_is_encoded_block_by_block(rows: int, tmp_path: Path) -> None:
    table = pl.DataFrame({"text": ["a`b", "", "cdef"], "label": ["y", "x", "y"], "id": [1, 2, 3]})
    file = tables.write_table(table, tmp_path / "side.parquet")
    for documents in (table, file):
        found = batches.encode(documents, Encoder(), SingleLabel(["x", "y"]), rows)
        assert found.ids.tolist() == [1, 0, 2, 3, 4, 5]
        assert found.ids.dtype == np.uint16
        assert (found.starts.tolist(), found.lengths.tolist()) == ([0, 3, 3], [3, 0, 3])
        assert found.labels.tolist() == [1, 0, 1]
        assert found.padded(np.array([0, 1, 2]), 4).tolist() == [
            [1, 0, 2, 0], [0, 0, 0, 0], [3, 4, 5, 0],
        ]  # fmt: skip
    assert len(batches.encode(file, Encoder(), SingleLabel(["x", "y"]), rows, limit=2)) == 2


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Expected a Parquet table at"):
        batches.encode(tmp_path / "none.parquet", Encoder(), SingleLabel(["x"]), 10)
    empty = pl.DataFrame(schema={"text": pl.String, "label": pl.String})
    with pytest.raises(DataError, match="Expected documents to learn from, got none"):
        batches.encode(empty, Encoder(), SingleLabel(["x"]), 10)


def test_each_document_is_read_once_an_epoch_in_another_order() -> None:
    known = feed(list(range(1, 24)), batch=4, sorted_batches=2)
    epochs = [[part[0][0][:, 0].tolist() for part in known.epoch(n)] for n in (0, 1, 0)]
    assert sorted(number for batch in epochs[0] for number in batch) == list(range(1, 24))
    assert epochs[0] == epochs[2] != epochs[1]
    assert len(epochs[0]) == known.steps == 6


@pytest.mark.parametrize(
    ("count", "batch", "steps"), [(1, 4, 1), (8, 4, 2), (9, 4, 3), (70, 4, 18)]
)
def test_steps_are_counted_right(count: int, batch: int, steps: int) -> None:
    known = feed([1] * count, batch)
    assert known.steps == len(list(known.epoch(0))) == steps


def test_short_texts_do_not_pay_for_long_ones() -> None:
    lengths = [1, 64] * 32
    paid = {
        pool: sum(
            batch[0][0].size
            for batch in feed(lengths, 8, sorted_batches=pool, padding_step=8).epoch(0)
        )
        for pool in (1, 8)
    }
    assert paid[8] == 32 * 8 + 32 * 64
    assert paid[1] > 1.5 * paid[8]


@pytest.mark.parametrize(("rows", "step", "width"), [([0], 8, 8), ([0, 1], 8, 16), ([2], 48, 64)])
def test_no_batch_is_wider_than_the_network_reads(rows: list[int], step: int, width: int) -> None:
    assert side([0, 9, 64]).width(np.array(rows), step) == width


def test_parts_weigh_together_as_much_as_the_batch() -> None:
    rows, weight = np.array([4, 1, 2]), np.array([9, 1, 1, 9, 1], np.float32)
    cut = batches.parts(rows, weight, 2)
    assert [part.tolist() for part, _ in cut] == [[4, 1], [2, 4]]
    assert [w.tolist() for _, w in cut] == [
        pytest.approx([1 / 3, 1 / 3]), pytest.approx([1 / 3, 0]),
    ]  # fmt: skip


def test_two_machines_with_two_replicas_read_what_one_reads() -> None:
    known = feed([5] * 16, batch=8, parts=8)
    alone = [part[0][:, 0].tolist() for batch in known.epoch(0) for part in batch]
    there = [
        [ids.numpy()[:, 0].tolist() for ids, _, _ in known.dataset(0, machine, 2, 4)]
        for machine in (0, 1)
    ]
    # Of each batch's eight parts the first machine has 0, 1, 4, 5 and the second the others.
    assert there[0] == [alone[i] for i in (0, 1, 4, 5, 8, 9, 12, 13)]
    assert there[1] == [alone[i] for i in (2, 3, 6, 7, 10, 11, 14, 15)]


@pytest.mark.parametrize(
    ("kind", "expected"), [("none", [1, 1, 1, 1]), ("balanced", [4 / 6, 4 / 6, 4 / 6, 2])]
)
def test_class_weights(kind: str, expected: list[float]) -> None:
    found = batches.weights(np.array([0, 0, 0, 2]), classes=3, kind=kind)
    assert found.tolist() == pytest.approx(expected)
    assert found.mean() == pytest.approx(1)


def test_a_crop_is_a_part_of_the_document() -> None:
    known = EncodedSplit(
        np.arange(100), np.array([0, 50]), np.array([50, 50]), np.array([0, 1]), 50
    )
    settings = SETTINGS.model_copy(update={"crop": 1.0, "crop_keep": 0.5})
    seen = [batches.crop(known, settings, np.random.default_rng(seed)) for seed in range(50)]
    starts, lengths = (
        np.array([getattr(one, name) for one in seen]) for name in ("starts", "lengths")
    )
    assert ((lengths >= 25) & (lengths <= 50)).all()
    assert (starts >= [0, 50]).all()
    assert (starts + lengths <= [50, 100]).all()
    assert len(set(starts[:, 0])) > 10
    never = batches.crop(known, SETTINGS.model_copy(update={"crop": 0.0}), np.random.default_rng(1))
    assert never.lengths.tolist() == [50, 50]


def test_neighbours_are_near_and_only_among_the_known() -> None:
    table = np.array([[0, 0], [1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.05]], float)
    known = np.array([False, False, True, True, True, False])
    near = batches.neighbours(table, known, count=1)
    assert near.ravel().tolist() == [0, 1, 4, 4, 3, 5]
    ids = np.tile([0, 2, 3, 1], (500, 1))
    changed = batches.exchange_words(ids, near, 0.25, np.random.default_rng(1))
    assert set(changed[:, 0]) == {0}
    assert set(changed[:, 3]) == {1}
    assert 0.2 < (changed[:, 2] == 4).mean() < 0.3
    one = batches.neighbours(table, np.array([False] * 5 + [True]), count=3)
    assert one.ravel().tolist() == [0, 1, 2, 3, 4, 5]
