"""Documents as training reads them: encoded once, then cut into batches of like length.

Texts are read block by block, so only their ids stay in memory: 2 bytes a word. What an epoch
reads follows from (seed, epoch) alone, so a training that goes on reads what it would have read.

N is the documents of a side, B those of a batch, L the words that a batch is padded to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.core.errors import DataError
from components.core.params.fitting import Fitting
from components.core.target import Target
from components.core.tokenizers import words as word_tokenizer

if TYPE_CHECKING:
    import polars as pl

Array = np.ndarray[Any, Any]
Batch = tuple[Array, Array, Array]
_SMALL = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Side:
    """N documents as ids, one after the other.

    Attributes:
        ids: (all words,) uint16 or int32, without the padding at their ends.
        starts: (N,) int64, where each document begins in `ids`.
        lengths: (N,) int64, its words.
        labels: (N, ...), as the target encodes them.
        most: words that the network reads of a document, however much is padded.
    """

    ids: Array
    starts: Array
    lengths: Array
    labels: Array
    most: int

    def __len__(self) -> int:
        return len(self.labels)

    def width(self, rows: Array, step: int) -> int:
        """Words to pad `rows` to: the longest's, made a multiple of `step`, at most `most`."""
        longest = int(self.lengths[rows].max(initial=1))
        return min(max(-(-longest // step), 1) * step, self.most)

    def padded(self, rows: Array, width: int) -> Array:
        """(B, width) int32: the ids of `rows`, padded at the end."""
        place = np.arange(width)
        inside = place < self.lengths[rows, None]
        found = (
            self.ids[np.where(inside, self.starts[rows, None] + place, 0)] if inside.any() else 0
        )
        return np.where(inside, found, word_tokenizer.PAD).astype(np.int32)


def blocks(documents: pl.DataFrame | Path, rows: int) -> Iterator[pl.DataFrame]:
    """Tables of at most `rows` documents (columns text and label), from a table or a Parquet file.

    Raises:
        DataError: the file is missing or no Parquet file.
    """
    from components.core.tables import streams

    if isinstance(documents, Path):
        yield from streams.Stored(documents, rows).batches(["text", "label"])
    else:
        yield from documents.select("text", "label").iter_slices(rows)


def encode(
    documents: pl.DataFrame | Path,
    encoder: Callable[[Any], tuple[Any, Any, Any]],
    target: Target,
    rows: int,
    most: int | None = None,
) -> Side:
    """The ids of all documents, and their classes.

    Args:
        documents: a table, or a Parquet file, with columns text and label.
        encoder: as core/tokenizers/words.py makes it; it pads at the end.
        target: encodes the labels.
        rows: read and encoded together.
        most: documents, from the first on; None: all.

    Raises:
        DataError: there are none, or the file cannot be read.
    """
    import tensorflow as tf

    ids: list[Array] = []
    lengths: list[Array] = []
    labels: list[Array] = []
    count = 0
    for whole in blocks(documents, rows):
        block = whole if most is None else whole.head(most - count)
        found = encoder(tf.constant(block["text"].to_list()))[0].numpy()
        place = np.arange(1, found.shape[1] + 1)
        ends = np.where(found != word_tokenizer.PAD, place, 0).max(axis=1)
        kept = found[place <= ends[:, None]]
        ids.append(kept.astype(np.uint16) if kept.max(initial=0) <= _SMALL else kept)
        lengths.append(ends)
        labels.append(target.encode(block["label"]))
        count += len(block)
        if count == most:
            break
    if not count:
        raise DataError("Expected documents to learn from, got none. See data/02_validated.")
    length = np.concatenate(lengths)
    starts = np.cumsum(length) - length
    return Side(np.concatenate(ids), starts, length, np.concatenate(labels), found.shape[1])


def numbered(side: Side, first: int) -> Side:
    """`side` where a document is one id, its number, from `first` on: for `network.head`."""
    numbers = np.arange(len(side))
    ids = (first + numbers).astype(np.int32)
    return Side(ids, numbers, np.ones(len(side), np.int64), side.labels, 1)


def cropped(side: Side, settings: Fitting, rng: np.random.Generator) -> Side:
    """`side` where some documents are cut to a part: at least `crop_keep` of their words."""
    drawn = rng.random(len(side)) < settings.crop
    kept = settings.crop_keep + (1 - settings.crop_keep) * rng.random(len(side))
    length = np.where(drawn, np.ceil(side.lengths * kept), side.lengths).astype(np.int64)
    first = np.floor(rng.random(len(side)) * (side.lengths - length + 1)).astype(np.int64)
    return replace(side, starts=side.starts + first, lengths=length)


def plan(lengths: Array, batch: int, sorted_batches: int, rng: np.random.Generator) -> list[Array]:
    """The rows of each batch of an epoch: shuffled, but texts of like length together.

    So many batches as `sorted_batches` are drawn, sorted by length, cut, and shuffled again
    (Khomenko et al. 2016, "Accelerating recurrent neural network training using sequence
    bucketing"): short texts are not padded to long ones.
    """
    order = rng.permutation(len(lengths))
    pool = batch * sorted_batches
    batches = []
    for start in range(0, len(order), pool):
        drawn = order[start : start + pool]
        if sorted_batches > 1:
            drawn = drawn[np.argsort(lengths[drawn], kind="stable")]
        batches += [drawn[i : i + batch] for i in range(0, len(drawn), batch)]
    return [batches[i] for i in rng.permutation(len(batches))]


def weights(labels: Array, classes: int, kind: str) -> Array:
    """(N,) float32: how much each document counts; their mean is 1.

    `balanced`: N / (classes that occur * documents of this class), as scikit-learn has it.
    """
    if kind == "none":
        return np.ones(len(labels), np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / ((counts > 0).sum() * counts[labels])).astype(np.float32)  # type: ignore[no-any-return]


def parts(rows: Array, weight: Array, count: int) -> list[tuple[Array, Array]]:
    """A batch cut into `count` parts of equal size; what is filled up weighs nothing.

    All weights are divided by the batch's documents, so that the parts' losses add up to a mean.
    """
    size = -(-len(rows) // count)
    fill = size * count - len(rows)
    filled = np.concatenate([rows, np.repeat(rows[:1], fill)])
    weighed = np.concatenate([weight[rows], np.zeros(fill, np.float32)]) / np.float32(len(rows))
    return list(zip(np.split(filled, count), np.split(weighed, count), strict=True))


def exchanged(ids: Array, near: Array, share: float, rng: np.random.Generator) -> Array:
    """`ids` (B, L) where the share of words became a near one.

    Args:
        near: (vocabulary + 2, K) int32, see `neighbours`.
    """
    drawn = (rng.random(ids.shape) < share) & (ids != word_tokenizer.PAD)
    return np.where(drawn, near[ids, rng.integers(near.shape[1], size=ids.shape)], ids)


def neighbours(table: Array, known: Array, count: int) -> Array:
    """(rows, count) int32: the rows of `table` with the most similar vectors, by cosine.

    Augmentation by near words: Wang and Yang 2015, "That's So Annoying!!!".

    Args:
        table: (rows, E) word vectors.
        known: (rows,) bool, whether a row has a vector that means something; the others keep to
            themselves.
        count: at most the known rows less one.
    """
    own = np.flatnonzero(known)
    count = min(count, len(own) - 1)
    near = np.repeat(np.arange(len(table), dtype=np.int32)[:, None], max(count, 1), axis=1)
    if count < 1:
        return near
    unit = table[own] / np.maximum(np.linalg.norm(table[own], axis=1, keepdims=True), 1e-9)
    at_once = 1024  # rows of the similarity matrix that are in memory
    for start in range(0, len(own), at_once):
        alike = unit[start : start + at_once] @ unit.T
        alike[np.arange(len(alike)), start + np.arange(len(alike))] = -np.inf
        near[own[start : start + at_once]] = own[np.argpartition(-alike, count - 1)[:, :count]]
    return near


@dataclass(frozen=True)
class Feed:
    """All that the batches of a training are made of.

    Attributes:
        side: the training side.
        weight: (N,) of its documents.
        near: as `neighbours` gives it; None exchanges nothing.
        batch: documents of one step: the architecture's batch_size times `accumulate`.
        parts: of a batch: replicas times `accumulate`.
    """

    side: Side
    weight: Array
    near: Array | None
    settings: Fitting
    batch: int
    parts: int
    seed: int

    @property
    def steps(self) -> int:
        """Of one epoch."""
        pool = self.batch * self.settings.sorted_batches
        whole, rest = divmod(len(self.side), pool)
        return whole * self.settings.sorted_batches + -(-rest // self.batch)

    def epoch(self, number: int) -> Iterator[list[Batch]]:
        """Each batch of an epoch as its parts: ids (B, L), labels (B,), weights (B,)."""
        rng = np.random.default_rng([self.seed, number])
        side = cropped(self.side, self.settings, rng) if self.settings.crop else self.side
        for rows in plan(side.lengths, self.batch, self.settings.sorted_batches, rng):
            words = side.width(rows, self.settings.padding_step)
            found: list[Batch] = []
            for part, weight in parts(rows, self.weight, self.parts):
                ids = side.padded(part, words)
                if self.near is not None:
                    ids = exchanged(ids, self.near, self.settings.neighbours, rng)
                found.append((ids, side.labels[part], weight))
            yield found

    def dataset(self, number: int, pipeline: int, pipelines: int, replicas: int) -> Any:
        """A tf.data.Dataset of the parts that this machine's replicas read, in their order.

        Args:
            number: of the epoch.
            pipeline, pipelines: which machine this is, and of how many.
            replicas: in all.
        """
        import tensorflow as tf

        local = replicas // pipelines

        def generate() -> Iterator[Batch]:
            for found in self.epoch(number):
                for first in range(pipeline * local, self.parts, replicas):
                    yield from found[first : first + local]

        signature = (
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.float32),
        )
        made = tf.data.Dataset.from_generator(generate, output_signature=signature)
        return made.prefetch(2 * self.parts)
