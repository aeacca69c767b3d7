"""Finds texts that almost repeat each other, and groups them."""

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
_MISSED = 1e-6  # probability that two texts just similar enough are never compared


def normalise(text: str) -> str:
    """What counts as the same text: without case, all white space one blank.

    >>> normalise("  Same\\n TEXT ")
    'same text'
    """
    return " ".join(text.casefold().split())


def shingles(text: str, words: int) -> Shingles:
    """64-bit hashes of each run of `words` words; of the whole text where it is shorter."""
    import numpy as np

    found = _WORD.findall(text) or [text]
    size = min(words, len(found))
    codes = np.array([_code(word) for word in found], dtype=np.uint64)
    total = np.zeros(len(found) - size + 1, dtype=np.uint64)
    for j in range(size):
        # Multiplying by an odd number after each word makes the order of words count.
        total = (total + codes[j : j + len(total)]) * np.uint64(0x9E3779B97F4A7C15)
    return np.unique(total ^ (total >> np.uint64(32)))


@lru_cache(maxsize=1 << 18)  # words; a language has that many that matter
def _code(word: str) -> int:
    """The same on every machine and in every process, unlike hash()."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8"), digest_size=8).digest(), "big")


def bands(similarity: float, permutations: int) -> tuple[int, int]:
    """How many bands of how many rows let two texts of this similarity meet but for _MISSED.

    Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4: two signatures share a
    band with probability 1 - (1 - s^rows)^bands. The longest band that suffices compares fewest.
    """
    for rows in range(permutations, 1, -1):
        if (1 - similarity**rows) ** (permutations // rows) <= _MISSED:
            return permutations // rows, rows
    return permutations, 1


def similar_pairs(texts: Sequence[Shingles], settings: parameters.Split) -> dict[int, list[int]]:
    """For each text the earlier ones that it almost repeats.

    MinHash (Broder 1997) proposes pairs; the Jaccard similarity of the shingles decides.
    """
    import numpy as np
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(
        num_perm=settings.permutations,
        params=bands(settings.near_duplicate_similarity, settings.permutations),
    )
    low = np.uint64(0xFFFFFFFF)  # MinHash permutes 32-bit numbers
    hashes = MinHash.generator(
        [(found & low).tolist() for found in texts],
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
    """Shared shingles over all shingles, in [0, 1]."""
    import numpy as np

    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def group(pairs: dict[int, list[int]], sides: Sequence[str]) -> list[int | None]:
    """Groups of texts that almost repeat each other, each named by its first text.

    Args:
        pairs: text -> the earlier texts that it almost repeats.
        sides: where each text would lie by itself.

    Returns:
        For each text its group, which lies on the group's first text's side; None for one that
        almost repeats texts of different sides, which must be dropped.
    """
    parent: list[int | None] = list(range(len(sides)))

    def root(k: int) -> int:
        above = parent[k]
        while above is not None and above != k:
            k, above = above, parent[above]
        return k

    for k in sorted(pairs):
        roots = {root(j) for j in pairs[k] if parent[j] is not None}
        if len({sides[r] for r in roots}) > 1:
            parent[k] = None
        elif roots:
            for r in (*roots, k):
                parent[r] = min(roots)
    return [None if parent[k] is None else root(k) for k in range(len(sides))]
