"""Encodes documents once and cuts them into batches of similar length.

Texts are read block by block, so only their ids stay in memory, in 2 bytes each for a vocabulary of
less than 65,534 words. The batches of an epoch depend on (seed, epoch) only, so a resumed training
reads the same batches.

N is the documents of a side (train or validation), B those of a batch, L the words that a batch is
padded to.
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
_MAX_SMALL_ID = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class EncodedSplit:
    """The ids of N documents in one array.

    Attributes:
        ids: (all words,) uint16 or int32, without the padding.
        starts: (N,) int64, index of each document's first word in `ids`.
        lengths: (N,) int64, words of each document.
        labels: (N, ...), encoded by the target.
        max_length: maximum number of words of a document, to which the encoder cuts and pads.
    """

    ids: Array
    starts: Array
    lengths: Array
    labels: Array
    max_length: int

    def __len__(self) -> int:
        return len(self.labels)

    def width(self, rows: Array, step: int) -> int:
        """Returns the padded length of `rows`, in words.

        The length of the longest row is rounded up to a multiple of `step`, and limited to
        `max_length`.
        """
        longest = int(self.lengths[rows].max(initial=1))
        return min(max(-(-longest // step), 1) * step, self.max_length)

    def padded(self, rows: Array, width: int) -> Array:
        """Returns the ids of `rows`, (B, width) int32, padded at the end."""
        positions = np.arange(width)
        inside = positions < self.lengths[rows, None]
        ids = (
            self.ids[np.where(inside, self.starts[rows, None] + positions, 0)]
            if inside.any()
            else 0
        )
        return np.where(inside, ids, word_tokenizer.PAD).astype(np.int32)


def blocks(documents: pl.DataFrame | Path, rows: int) -> Iterator[pl.DataFrame]:
    """Yields tables of at most `rows` documents (columns text and label).

    Args:
        documents: a table, or a Parquet file.
        rows: maximum number of rows of a table.

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
    limit: int | None = None,
) -> EncodedSplit:
    """Encodes the texts and labels of documents.

    Args:
        documents: a table, or a Parquet file, with columns text and label.
        encoder: made by core/tokenizers/words.py or wordpiece.py; it pads at the end.
        target: encodes the labels.
        rows: number of documents read and encoded together.
        limit: maximum number of documents, from the first on; None for all.

    Raises:
        DataError: there are no documents, or the file cannot be read.
    """
    import tensorflow as tf

    ids: list[Array] = []
    lengths: list[Array] = []
    labels: list[Array] = []
    count = 0
    for table in blocks(documents, rows):
        block = table if limit is None else table.head(limit - count)
        padded = encoder(tf.constant(block["text"].to_list()))[0].numpy()
        positions = np.arange(1, padded.shape[1] + 1)
        ends = np.where(padded != word_tokenizer.PAD, positions, 0).max(axis=1)
        words = padded[positions <= ends[:, None]]
        ids.append(words.astype(np.uint16) if words.max(initial=0) <= _MAX_SMALL_ID else words)
        lengths.append(ends)
        labels.append(target.encode(block["label"]))
        count += len(block)
        if count == limit:
            break
    if not count:
        raise DataError("Expected documents to learn from, got none. See data/02_validated.")
    length = np.concatenate(lengths)
    starts = np.cumsum(length) - length
    return EncodedSplit(
        np.concatenate(ids), starts, length, np.concatenate(labels), padded.shape[1]
    )


def crop(side: EncodedSplit, settings: Fitting, rng: np.random.Generator) -> EncodedSplit:
    """Cuts a random part of the documents to a span of at least `crop_keep` of their words.

    Args:
        side: documents.
        settings: `crop` is the share of documents that are cut, in [0, 1].
        rng: source of the random numbers.
    """
    cut = rng.random(len(side)) < settings.crop
    share = settings.crop_keep + (1 - settings.crop_keep) * rng.random(len(side))
    length = np.where(cut, np.ceil(side.lengths * share), side.lengths).astype(np.int64)
    first = np.floor(rng.random(len(side)) * (side.lengths - length + 1)).astype(np.int64)
    return replace(side, starts=side.starts + first, lengths=length)


def plan(lengths: Array, batch: int, sorted_batches: int, rng: np.random.Generator) -> list[Array]:
    """Returns the rows of each batch of an epoch: shuffled, but texts of similar length together.

    Sequence bucketing (Khomenko et al. 2016, "Accelerating recurrent neural network training using
    sequence bucketing"): draws documents for `sorted_batches` batches, sorts them by length, cuts
    them into batches, and shuffles all batches. Short texts thus get little padding.
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
    """Returns the weights of the documents, (N,) float32, whose mean is 1.

    Args:
        labels: (N,) encoded labels.
        classes: C.
        kind: "none" for equal weights, or "balanced" for N / (classes that occur * documents of
            the class), as in scikit-learn.
    """
    if kind == "none":
        return np.ones(len(labels), np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / ((counts > 0).sum() * counts[labels])).astype(np.float32)  # type: ignore[no-any-return]


def parts(rows: Array, weight: Array, count: int) -> list[tuple[Array, Array]]:
    """Cuts a batch into `count` parts of equal size; rows that fill up a part have weight 0.

    The weights are divided by the number of documents of the batch, so that the sum of the parts'
    losses is the batch's mean loss.

    Args:
        rows: (B,) of the batch.
        weight: (N,) weights of all documents.
        count: number of parts.

    Returns:
        Rows and weights of each part.
    """
    size = -(-len(rows) // count)
    fill = size * count - len(rows)
    filled = np.concatenate([rows, np.repeat(rows[:1], fill)])
    weighed = np.concatenate([weight[rows], np.zeros(fill, np.float32)]) / np.float32(len(rows))
    return list(zip(np.split(filled, count), np.split(weighed, count), strict=True))


def exchange_words(ids: Array, near: Array, share: float, rng: np.random.Generator) -> Array:
    """Exchanges a random share of the words of `ids` (B, L) for one of their neighbours.

    Args:
        ids: (B, L); padding stays.
        near: (vocabulary + 2, K) int32, see `neighbours`.
        share: probability that a word is exchanged, in [0, 1].
        rng: source of the random numbers.
    """
    drawn = (rng.random(ids.shape) < share) & (ids != word_tokenizer.PAD)
    return np.where(drawn, near[ids, rng.integers(near.shape[1], size=ids.shape)], ids)


def neighbours(table: Array, known: Array, count: int) -> Array:
    """Returns the nearest neighbours of each row of `table` by cosine, (rows, count) int32.

    For augmentation with similar words: Wang and Yang 2015, "That's So Annoying!!!".

    Args:
        table: (rows, E) word vectors.
        known: (rows,) bool, False for a row with a random vector; such a row is its own
            neighbour, and no other row's.
        count: number of neighbours, reduced to the known rows less one.
    """
    own = np.flatnonzero(known)
    count = min(count, len(own) - 1)
    near = np.repeat(np.arange(len(table), dtype=np.int32)[:, None], max(count, 1), axis=1)
    if count < 1:
        return near
    unit = table[own] / np.maximum(np.linalg.norm(table[own], axis=1, keepdims=True), 1e-9)
    block = 1024  # rows of the similarity matrix in memory
    for start in range(0, len(own), block):
        similarity = unit[start : start + block] @ unit.T
        similarity[np.arange(len(similarity)), start + np.arange(len(similarity))] = -np.inf
        near[own[start : start + block]] = own[np.argpartition(-similarity, count - 1)[:, :count]]
    return near


@dataclass(frozen=True)
class BatchLoader:
    """Loader of a training's batches.

    Attributes:
        side: the training side.
        weight: (N,) weights of the documents.
        near: result of `neighbours`; None exchanges no words.
        settings: the section train.fitting of params.yaml.
        batch: documents of one step: the architecture's batch_size times `accumulate`.
        parts: number of parts of a batch: replicas times `accumulate`.
        seed: of the order, crops and exchanged words.
    """

    side: EncodedSplit
    weight: Array
    near: Array | None
    settings: Fitting
    batch: int
    parts: int
    seed: int

    @property
    def steps(self) -> int:
        """Number of steps of one epoch."""
        pool = self.batch * self.settings.sorted_batches
        full_pools, rest = divmod(len(self.side), pool)
        return full_pools * self.settings.sorted_batches + -(-rest // self.batch)

    def epoch(self, number: int) -> Iterator[list[Batch]]:
        """Yields the batches of an epoch, each as parts: ids (B, L), labels (B,), weights (B,)."""
        rng = np.random.default_rng([self.seed, number])
        side = crop(self.side, self.settings, rng) if self.settings.crop else self.side
        for rows in plan(side.lengths, self.batch, self.settings.sorted_batches, rng):
            words = side.width(rows, self.settings.padding_step)
            batch: list[Batch] = []
            for part, weight in parts(rows, self.weight, self.parts):
                ids = side.padded(part, words)
                if self.near is not None:
                    ids = exchange_words(ids, self.near, self.settings.neighbours, rng)
                batch.append((ids, side.labels[part], weight))
            yield batch

    def dataset(self, number: int, pipeline: int, pipelines: int, replicas: int) -> Any:
        """Returns a tf.data.Dataset of the parts for this machine's replicas, in order.

        Args:
            number: of the epoch.
            pipeline: index of this machine.
            pipelines: number of machines.
            replicas: number of replicas on all machines.
        """
        import tensorflow as tf

        local = replicas // pipelines

        def generate() -> Iterator[Batch]:
            for batch in self.epoch(number):
                for first in range(pipeline * local, self.parts, replicas):
                    yield from batch[first : first + local]

        signature = (
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.float32),
        )
        parts_dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
        return parts_dataset.prefetch(2 * self.parts)
