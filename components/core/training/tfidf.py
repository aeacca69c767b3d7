"""TF-IDF of whole sides, as sparse tables: what core/networks/tfidf.py computes in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.core.tokenizers import words as word_tokenizer
from components.core.training.batches import Array, Side

_TOGETHER = 512  # documents counted together


def counted(side: Side, rows: Sequence[int]) -> Any:
    """How often each document has each term: (N, T) csr_array, float32.

    Args:
        side: documents as ids.
        rows: of words, of pairs, ...; as `tfidf.rows` gives them. T is their sum.
    """
    from scipy.sparse import csr_array, vstack

    from components.core.networks import tfidf

    grams, buckets = len(rows), rows[-1]
    first = np.concatenate([[0], np.cumsum(rows)])
    blocks = []
    for start in range(0, len(side), _TOGETHER):
        part = np.arange(start, min(start + _TOGETHER, len(side)))
        ids = side.padded(part, max(int(side.lengths[part].max()), grams))
        found = tfidf.places(ids, ids != word_tokenizer.PAD, grams, buckets)
        spots = [np.nonzero(present) for _, present in found]
        terms = [
            place[spot] + first[n]
            for n, ((place, _), spot) in enumerate(zip(found, spots, strict=True))
        ]
        columns = np.concatenate(terms).astype(np.int32)
        documents = np.concatenate([spot[0] for spot in spots]).astype(np.int32)
        ones = np.ones(len(columns), np.float32)
        block = csr_array((ones, (documents, columns)), shape=(len(part), int(first[-1])))
        block.sum_duplicates()
        blocks.append(block)
    return vstack(blocks, format="csr")


def inverse_frequencies(counts: Any) -> Array:
    """(T,) float32: ln((1 + N) / (1 + documents with the term)) + 1, as scikit-learn has it."""
    documents, terms = counts.shape
    having = np.bincount(counts.indices, minlength=terms)
    found: Array = (np.log((1 + documents) / (1 + having)) + 1).astype(np.float32)
    return found


def weighed(counts: Any, idf: Array) -> Any:
    """(N, T) csr_array of TF-IDF, each document of length 1; one without terms stays empty."""
    from scipy.sparse import csr_array

    values = (1 + np.log(counts.data)) * idf[counts.indices]
    document = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    length = np.sqrt(np.bincount(document, values**2, counts.shape[0]))
    values = (values / length[document]).astype(np.float32)
    return csr_array((values, counts.indices, counts.indptr), shape=counts.shape)
