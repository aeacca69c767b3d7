"""TF-IDF of encoded documents as sparse matrices; core/networks/tfidf.py is the same in a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.core.tokenizers import words as word_tokenizer
from components.core.training.batches import Array, EncodedSplit

_BLOCK = 512  # documents counted at a time


def count_terms(side: EncodedSplit, rows: Sequence[int]) -> Any:
    """Counts the terms of each document: (N, T) csr_array, float32.

    Args:
        side: documents as ids.
        rows: number of rows for words, for bigrams, ..., from `networks.tfidf.rows`. T is their
            sum.
    """
    from scipy.sparse import csr_array, vstack

    from components.core.networks import tfidf

    grams, buckets = len(rows), rows[-1]
    first = np.concatenate([[0], np.cumsum(rows)])
    blocks = []
    for start in range(0, len(side), _BLOCK):
        part = np.arange(start, min(start + _BLOCK, len(side)))
        ids = side.padded(part, max(int(side.lengths[part].max()), grams))
        levels = tfidf.term_rows(ids, ids != word_tokenizer.PAD, grams, buckets)
        nonzero = [np.nonzero(present) for _, present in levels]
        terms = [
            rows_of_level[indices] + first[n]
            for n, ((rows_of_level, _), indices) in enumerate(zip(levels, nonzero, strict=True))
        ]
        columns = np.concatenate(terms).astype(np.int32)
        documents = np.concatenate([indices[0] for indices in nonzero]).astype(np.int32)
        ones = np.ones(len(columns), np.float32)
        block = csr_array((ones, (documents, columns)), shape=(len(part), int(first[-1])))
        block.sum_duplicates()
        blocks.append(block)
    return vstack(blocks, format="csr")


def inverse_frequencies(counts: Any) -> Array:
    """Computes inverse document frequencies, (T,) float32, as scikit-learn does.

    The formula is ln((1 + N) / (1 + documents with the term)) + 1.
    """
    documents, terms = counts.shape
    having = np.bincount(counts.indices, minlength=terms)
    frequencies: Array = (np.log((1 + documents) / (1 + having)) + 1).astype(np.float32)
    return frequencies


def weigh_terms(counts: Any, idf: Array) -> Any:
    """Computes TF-IDF, (N, T) csr_array; each document has L2 norm 1, or no entries at all."""
    from scipy.sparse import csr_array

    values = (1 + np.log(counts.data)) * idf[counts.indices]
    document = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    length = np.sqrt(np.bincount(document, values**2, counts.shape[0]))
    values = (values / length[document]).astype(np.float32)
    return csr_array((values, counts.indices, counts.indptr), shape=counts.shape)
