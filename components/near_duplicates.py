"""Finds and groups near-duplicate texts.

Two rules find pairs. Long texts: the Jaccard similarity of their shingles. It is blind for short
texts: of 8 words, one changed word touches four of the five shingles. Short texts: they are equal
after one word is left out of each, or up to their numbers, and have the same label. With different
labels the changed word is what the classes differ by ("change my pin", "change my name").
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from components.core import params as parameters

if TYPE_CHECKING:
    import numpy as np

    Shingles = np.ndarray[Any, np.dtype[np.uint64]]  # sorted, without repeats

# A word; each character of a script that writes no spaces: Chinese, Japanese, Thai, Lao, Burmese,
# Khmer.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
_CHARACTER = re.compile(rf"[{UNSPACED}]")
# Words of the texts that the rule for short texts compares. With three, too little of the meaning
# is common.
_SHORTEST, _LONGEST = 4, 19
_LONG = 15  # words, from which one changed word leaves half of the shingles
_CHARACTER_WORDS = 0.5  # words that a character of an unspaced script stands for
# Texts that share all words but one, at the same place, from which they are fillings of a template
# and no repeats: "how do I change my ..." (pin, name, address, password, e-mail).
_TEMPLATE = 5
_FEW_GROUPS = 5  # of a class, see `_without_templates`
_NUMBER = 0  # code of all numbers
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


def near_pairs(
    texts: Sequence[str], labels: Sequence[str], settings: parameters.Split
) -> dict[int, list[int]]:
    """Finds the near duplicates of each text among the earlier texts, by both rules.

    Args:
        texts: documents.
        labels: of each.
        settings: words of a shingle, similarity, permutations.

    Returns:
        As `similar_pairs`.
    """
    import numpy as np

    words = [_WORD.findall(normalise(text)) for text in texts]
    hashes = [shingles(normalise(text), settings.shingle_words) for text in texts]
    pairs = {
        k: [
            j
            for j in near
            if max(len(words[j]), len(words[k])) >= _LONG or np.array_equal(hashes[j], hashes[k])
        ]
        for k, near in similar_pairs(hashes, settings).items()
    }
    for k, near in _without_templates(short_pairs(words, labels), labels).items():
        pairs[k] = sorted({*near, *pairs.get(k, ())})
    return {k: near for k, near in pairs.items() if near}


def _without_templates(pairs: dict[int, list[int]], labels: Sequence[str]) -> dict[int, list[int]]:
    """Removes the pairs of classes that are fillings of one template, such as "order 1 arrived".

    All documents of such a class would be one group, which no split could divide. A text that it
    gets later has the same template, so a score on its other fillings is right.
    """
    groups = group(pairs, [""] * len(labels))
    sizes: dict[str, Counter[int | None]] = defaultdict(Counter)
    for label, number in zip(labels, groups, strict=True):
        sizes[label][number] += 1
    templates = {
        label
        for label, counts in sizes.items()
        if len(counts) < _FEW_GROUPS < counts.total() < 2 * max(counts.values())
    }
    return {k: near for k, near in pairs.items() if labels[k] not in templates}


def short_pairs(texts: Sequence[Sequence[str]], labels: Sequence[str]) -> dict[int, list[int]]:
    """Finds pairs of short texts with the same label that differ in one word, or in numbers only.

    A text is linked to earlier ones by the hashes of its words without one of them, and of all its
    words with its numbers made equal. Work and memory grow linearly.

    >>> short_pairs([["card", "was", "not", "taken"], ["card", "was", "never", "taken"]], "aa")
    {1: [0]}

    Args:
        texts: words of each normalised text.
        labels: label of each.

    Returns:
        As `similar_pairs`.
    """
    earlier: dict[int, list[int]] = {}
    numbered: dict[int, int] = {}
    pairs: dict[int, list[int]] = {}
    for k, (words, label) in enumerate(zip(texts, labels, strict=True)):
        characters = sum(bool(_CHARACTER.match(word)) for word in words)
        count = len(words) - (1 - _CHARACTER_WORDS) * characters
        if count < _SHORTEST or len(words) > _LONGEST:
            continue
        codes, own = [_code(word) for word in words], _code(label)
        keys = {hash((own, *codes[:i], *codes[i + 1 :])) for i in range(len(codes))}
        near: set[int] = set()
        for key in {hash((own, *codes)), *keys}:
            others = earlier.setdefault(key, [])
            if len(others) < _TEMPLATE - 1:
                near.update(others)
                others.append(k)
        folded = (
            _NUMBER if word.isdigit() else code for word, code in zip(words, codes, strict=True)
        )
        first = numbered.setdefault(hash((own, *folded)), k)
        near |= {first} - {k}
        if near:
            pairs[k] = sorted(near)
    return pairs


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
