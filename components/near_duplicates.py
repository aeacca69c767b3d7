"""Finds and groups near-duplicate texts by MinHash and Jaccard similarity."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from components.core import params as parameters

if TYPE_CHECKING:
    import numpy as np

    Shingles = np.ndarray[Any, np.dtype[np.uint64]]  # sorted, without repeats

_WORD = re.compile(r"\w+")
_MISSED = 1e-6  # maximum probability that LSH misses a pair with the threshold's similarity


def normalise(text: str) -> str:
    """Normalises a text: folds case, and replaces each run of white space by one space.

    >>> normalise("  Same\\n TEXT ")
    'same text'
    """
    return " ".join(text.casefold().split())


def shingles(text: str, words: int) -> Shingles:
    """Hashes each run of `words` words to 64 bits; a shorter text is one run."""
    import numpy as np

    words_of_text = _WORD.findall(text) or [text]
    size = min(words, len(words_of_text))
    codes = np.array([_code(word) for word in words_of_text], dtype=np.uint64)
    total = np.zeros(len(words_of_text) - size + 1, dtype=np.uint64)
    for j in range(size):
        # The product after each word makes the hash depend on the order of words.
        total = (total + codes[j : j + len(total)]) * np.uint64(0x9E3779B97F4A7C15)
    return np.unique(total ^ (total >> np.uint64(32)))


@lru_cache(maxsize=1 << 18)  # words, the frequent vocabulary of a language
def _code(word: str) -> int:
    """Hashes a word to 64 bits, unlike hash() the same in every process."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8"), digest_size=8).digest(), "big")


def bands(similarity: float, permutations: int) -> tuple[int, int]:
    """Computes the numbers of bands and of rows in a band for locality-sensitive hashing.

    Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4: two signatures share a
    band with probability 1 - (1 - s^rows)^bands. The function returns the longest band that misses
    a pair of this similarity with probability _MISSED at most; longer bands propose fewer pairs.

    Returns:
        Number of bands, rows in a band.
    """
    for rows in range(permutations, 1, -1):
        if (1 - similarity**rows) ** (permutations // rows) <= _MISSED:
            return permutations // rows, rows
    return permutations, 1


def similar_pairs(texts: Sequence[Shingles], settings: parameters.Split) -> dict[int, list[int]]:
    """Finds the near duplicates of each text among the earlier texts.

    MinHash (Broder 1997) proposes pairs; the Jaccard similarity of the shingles decides.

    Returns:
        Index of a text -> sorted indices of its near duplicates before it; only texts with some.
    """
    import numpy as np
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(
        num_perm=settings.permutations,
        params=bands(settings.near_duplicate_similarity, settings.permutations),
    )
    mask = np.uint64(0xFFFFFFFF)  # MinHash permutes 32-bit numbers
    hashes = MinHash.generator(
        [(shingle_set & mask).tolist() for shingle_set in texts],
        num_perm=settings.permutations,
        seed=1,
        hashfunc=int,
    )
    pairs: dict[int, list[int]] = {}
    for k, signature in enumerate(hashes):
        near = sorted(
            j
            for j in index.query(signature)
            if jaccard(texts[j], texts[k]) >= settings.near_duplicate_similarity
        )
        if near:
            pairs[k] = near
        index.insert(k, signature, check_duplication=False)
    return pairs


def jaccard(a: Shingles, b: Shingles) -> float:
    """Computes the Jaccard similarity: shared shingles over all shingles, in [0, 1]."""
    import numpy as np

    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def group(
    pairs: dict[int, list[int]],
    sides: Sequence[str],
    may_lie: Sequence[Sequence[str]] | None = None,
) -> list[int | None]:
    """Groups near duplicates; the index of its first text names a group.

    Args:
        pairs: text -> its near duplicates among the earlier texts, from `similar_pairs`.
        sides: side of each text without grouping.
        may_lie: sides that each text may lie on; None for all.

    Returns:
        The group of each text; the group lies on the side of its first text. None for a text with
        near duplicates on different sides, or on a side where it may not lie: it must be dropped.
    """
    parent: list[int | None] = list(range(len(sides)))

    def root(k: int) -> int:
        above = parent[k]
        while above is not None and above != k:
            k, above = above, parent[above]
        return k

    for k in sorted(pairs):
        roots = {root(j) for j in pairs[k] if parent[j] is not None}
        sides_of_roots = {sides[r] for r in roots}
        if len(sides_of_roots) > 1 or (may_lie and not sides_of_roots <= set(may_lie[k])):
            parent[k] = None
        elif roots:
            for r in (*roots, k):
                parent[r] = min(roots)
    return [None if parent[k] is None else root(k) for k in range(len(sides))]
