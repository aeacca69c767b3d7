"""What was read once is not read again, whoever asks, and however the first one ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.core.errors import DataError
from components.core.training import feature_cache
from components.core.training.batches import Array

DOCUMENTS = [np.array([5, 6, 7]), np.array([5], np.uint16), np.array([5, 6, 7], np.uint16)]


class Reader:
    """Counts what it reads."""

    def __init__(self, most: int = 99) -> None:
        self.read: list[list[int]] = []
        self._most = most

    def __call__(self, ids: Array) -> Array:
        if len(self.read) == self._most:
            raise KeyboardInterrupt
        self.read.append(ids.tolist())
        return np.array([ids.sum(), len(ids)]) / 3


def test_equal_documents_are_read_once(tmp_path: Path) -> None:
    first, second, other = Reader(), Reader(), Reader()
    kept = tmp_path / "home" / "model.sqlite"
    found = feature_cache.read(DOCUMENTS, first, kept)
    assert first.read == [[5, 6, 7], [5]]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[6, 1], [5 / 3, 1 / 3], [6, 1]])
    again = feature_cache.read([*DOCUMENTS[1:], np.array([9])], second, kept)
    assert second.read == [[9]]
    np.testing.assert_array_equal(again[:2], found[1:])
    feature_cache.read(DOCUMENTS, other, tmp_path / "other.sqlite")
    assert other.read == first.read


def test_nothing_is_kept_where_nobody_asks() -> None:
    for reader in (Reader(), Reader()):
        feature_cache.read(DOCUMENTS, reader, None)
        assert len(reader.read) == 2


def test_a_killed_reading_goes_on(tmp_path: Path) -> None:
    documents = [np.array([i]) for i in range(100)]
    with pytest.raises(KeyboardInterrupt):
        feature_cache.read(documents, Reader(most=70), tmp_path / "kept.sqlite")
    rest = Reader()
    found = feature_cache.read(documents, rest, tmp_path / "kept.sqlite")
    assert [one[0] for one in rest.read] == list(range(64, 100))  # written by 64
    np.testing.assert_allclose(found[:, 0] * 3, np.arange(100), rtol=1e-6)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "kept.sqlite"
    kept.write_bytes(b"no database, but long enough to be looked at" * 10)
    with pytest.raises(DataError, match=r"kept\.sqlite"):
        feature_cache.read(DOCUMENTS, Reader(), kept)
