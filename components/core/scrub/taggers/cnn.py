"""Marks persons and addresses in texts: a small convolutional network, computed with NumPy.

spaCy's small model reads 26 news articles a second on one core; this one some hundreds. Weights lie
beside this file: en.npz for English, xx.npz and lexicon.npz for seven other languages.
`components/tagger/` makes them, from generated texts.

N is the tokens of all texts of a batch, E the numbers that describe a token, H the hidden numbers.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.networks import word_vectors

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

KINDS = ("", "PERSON", "ADDRESS")  # what the network's outputs mean
WEIGHTS = Path(__file__).with_name("en.npz")
MULTILINGUAL = WEIGHTS.with_name("xx.npz")
LEXICON = WEIGHTS.with_name("lexicon.npz")
WORDS, SUFFIXES, PREFIXES, SHAPES = 8192, 4096, 2048, 64  # buckets of the hashed features
CLASSES = 8  # of words in each of the two tables of the lexicon
DILATIONS = (1, 2, 4, 1)  # of the convolutions, three tokens wide: eight tokens to each side
GAP = 8  # empty tokens between two texts, so that none sees its neighbour
_FIX = 3  # letters of a prefix or suffix
_TOKEN = re.compile(r"[^\W\d_]+(?:['’](?![sS]\b)[^\W\d_]+)*|\d+|\n|[^\w\s]|_")
_PARTED = re.compile(r"[^\W\d_]+|\d+|\n|[^\w\s]|_")  # "l'attore", "d'Anna": two words
_LENGTHS = (1, 2, 3, 5, 8)  # of tokens, where the shape changes


def tokens(text: str, parted: bool = False) -> list[tuple[int, int]]:
    """Splits `text` into the spans of its words, numbers, marks and line ends.

    Args:
        text: any.
        parted: an apostrophe ends a word, as in languages with elision.

    >>> [("Ann's 2b", s)[0][slice(*s)] for s in tokens("Ann's 2b")]
    ['Ann', "'", 's', '2', 'b']
    """
    return [match.span() for match in (_PARTED if parted else _TOKEN).finditer(text)]


def _bucket(text: str, buckets: int) -> int:
    return 1 + zlib.crc32(text.encode("utf-8", "surrogatepass")) % (buckets - 1)


def shape(token: str) -> int:
    """Encodes the written form of a token: case, digits or mark, and length; 1 to SHAPES - 1."""
    if token == "\n":  # noqa: S105 - a token of a text
        return 1
    if token.isdigit():
        return 2 + min(len(token), 6)
    if not token[0].isalpha():
        return 9 + ".,:;-'\"()/#&>*".find(token) + 1
    length = sum(len(token) > limit for limit in _LENGTHS)
    if token.islower():
        case = 0
    elif token.isupper():
        case = 1
    elif token.istitle():
        case = 2
    else:
        case = 3
    return 30 + 6 * case + length


@dataclass(frozen=True)
class Lexicon:
    """Classes of frequent words by language, and of words in names; made by components/tagger.

    A byte of a table holds the class of one word, 0 to CLASSES - 1, in its low three bits, and five
    bits of the word's hash: another word in its place is recognized 31 times in 32.
    """

    vocabulary: bytes
    names: bytes

    @staticmethod
    def load(path: Path = LEXICON) -> Lexicon:
        import numpy as np

        with np.load(path, allow_pickle=False) as stored:
            return Lexicon(stored["vocabulary"].tobytes(), stored["names"].tobytes())

    def of(self, word: str, language: str) -> int:
        """Both classes of a lower-case word as one number, 0 to CLASSES ** 2 - 1."""
        return CLASSES * _class_of(f"{language}:{word}", self.vocabulary) + _class_of(
            word, self.names
        )


def place(word: str, size: int) -> tuple[int, int]:
    """The position of a word in a table of the lexicon, and its bits of the hash."""
    digest = zlib.crc32(word.encode("utf-8", "surrogatepass"))
    return digest % size, digest >> 27


def _class_of(word: str, table: bytes) -> int:
    position, bits = place(word, len(table))
    return table[position] % CLASSES if table[position] // CLASSES == bits else 0


class Features:
    """From tokens to the numbers of their embeddings; remembers those that it has seen.

    Args:
        lexicon: of the multilingual tagger; None: the English one.
        language: of the texts; the same word means something else in another one.
    """

    def __init__(self, lexicon: Lexicon | None = None, language: str = "") -> None:
        self._rows = word_vectors.rows()
        self._lexicon = lexicon
        self._language = language
        self._seen: dict[str, tuple[int, ...]] = {}

    def of(self, token: str) -> tuple[int, ...]:
        """GloVe row + 1 (0: none), buckets of word, suffix, prefix, shape; class in the lexicon."""
        numbers = self._seen.get(token)
        if numbers is None:
            word = token.lower()
            numbers = (
                self._rows.get(word, -1) + 1,
                _bucket(f"{self._language}:{word}" if self._language else word, WORDS),
                _bucket(word[-_FIX:], SUFFIXES),
                _bucket(word[:_FIX], PREFIXES),
                shape(token),
            )
            if self._lexicon is not None:
                numbers = (*numbers, self._lexicon.of(word, self._language))
            if len(self._seen) < _REMEMBERED:
                self._seen[token] = numbers
        return numbers


_BLOCK = 32  # tokens that are multiplied together
HASHED = ("word", "suffix", "prefix", "shape")  # features with an embedding of their own
_BELIEVED = 0.05  # probability from which a name that is sure elsewhere in the text is one here
_SURE = 0.9  # probability from which a word in lower case begins or ends a name
_REMEMBERED = 200_000  # tokens; more than a language has, less than memory


@dataclass(frozen=True)
class Mark:
    """Characters [start, end) of a text that name a person or an address; score 0 to 1."""

    start: int
    end: int
    kind: str
    score: float


class Tagger:
    """The network with its weights.

    Args:
        weights: the .npz file; default: the English one.
        lexicon: if the weights are the multilingual ones.
    """

    def __init__(self, weights: Path = WEIGHTS, lexicon: Lexicon | None = None) -> None:
        import numpy as np

        with np.load(weights, allow_pickle=False) as stored:
            self._weights = {name: stored[name].astype(np.float32) for name in stored.files}
        self._lexicon = lexicon
        self._features: dict[str, Features] = {}
        self._glove = word_vectors.vectors()
        self._embedded = HASHED if lexicon is None else (*HASHED, "lexicon")

    def probabilities(self, ids: Array) -> Array:
        """(N, kinds) float32 from features (N, 5 or 6) int64; N is a multiple of _BLOCK."""
        import numpy as np

        w = self._weights
        vectors = self._glove[np.maximum(ids[:, 0] - 1, 0)].astype(np.float32)  # (N, 50)
        vectors[ids[:, 0] == 0] = 0
        hashed = [w[name][ids[:, i + 1]] for i, name in enumerate(self._embedded)]
        x = np.concatenate([vectors, *hashed], axis=1)  # (N, E)
        inside = (ids[:, 4:5] > 0).astype(np.float32)  # (N, 1), no gap
        x = np.maximum(_product(x, w["in_kernel"]) + w["in_bias"], 0) * inside  # (N, H)
        for i, dilation in enumerate(DILATIONS):
            around = np.zeros((len(x), 3 * x.shape[1]), np.float32)
            width = x.shape[1]
            around[dilation:, :width] = x[:-dilation]
            around[:, width : 2 * width] = x
            around[:-dilation, 2 * width :] = x[dilation:]
            seen = _product(around, w[f"conv{i}_kernel"]) + w[f"conv{i}_bias"]
            x = (x + np.maximum(seen, 0)) * inside
        logits = _product(x, w["out_kernel"]) + w["out_bias"]  # (N, kinds)
        logits -= logits.max(axis=1, keepdims=True)
        exponents = np.exp(logits)
        return exponents / exponents.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]

    def mark(self, texts: Sequence[str], threshold: float, language: str = "") -> list[list[Mark]]:
        """The persons and addresses in each of `texts`.

        A name that is sure in one place of a text is believed in its other places too: "Blair said"
        after "Tony Blair".

        Args:
            texts: any number.
            threshold: probability, 0 to 1, from which a token belongs to a mark.
            language: of all texts; the English tagger ignores it.
        """
        import numpy as np

        token_spans = [tokens(text, parted=self._lexicon is not None) for text in texts]
        language = language if self._lexicon is not None else ""
        if language not in self._features:
            self._features[language] = Features(self._lexicon, language)
        features = self._features[language].of
        empty = (0,) * (1 + len(self._embedded))
        flat: list[tuple[int, ...]] = []
        starts = []
        for text, spans in zip(texts, token_spans, strict=True):
            flat += [empty] * GAP if flat else []
            starts.append(len(flat))
            flat += [features(text[a:b]) for a, b in spans]
        flat += [empty] * (-len(flat) % _BLOCK or _BLOCK * (not flat))
        probabilities = self.probabilities(np.array(flat, dtype=np.int64))
        best = probabilities[:, 1:].argmax(axis=1) + 1
        scores = probabilities[:, 1:].max(axis=1)
        marks = []
        for text, spans, at in zip(texts, token_spans, starts, strict=True):
            here = slice(at, at + len(spans))
            kinds = np.where(scores[here] >= threshold, best[here], 0).tolist()
            if self._lexicon is not None:
                _trim(text, spans, kinds, scores[here].tolist())
            _again(text, spans, kinds, probabilities[here, KINDS.index("PERSON")].tolist())
            marks.append(join(text, spans, kinds, scores[here].tolist()))
        return marks


def _product(rows: Array, kernel: Array) -> Array:
    """(N, A) @ (A, B), N a multiple of _BLOCK, the same for a row whatever stands around it.

    Libraries of linear algebra sum in another order where a matrix has another number of rows.
    """
    blocks = rows.reshape(-1, _BLOCK, rows.shape[1])
    return (blocks @ kernel).reshape(len(rows), -1)


def _again(
    text: str, spans: Sequence[tuple[int, int]], kinds: list[int], persons: list[float]
) -> None:
    """Marks in `kinds` the names that the text holds elsewhere and that may be persons here."""
    person = KINDS.index("PERSON")
    names = {
        text[a:b]
        for (a, b), kind in zip(spans, kinds, strict=True)
        if kind == person and b - a > _FIX
    }
    for i, (a, b) in enumerate(spans):
        if not kinds[i] and persons[i] >= _BELIEVED and text[a:b] in names:
            kinds[i] = person


def _trim(
    text: str, spans: Sequence[tuple[int, int]], kinds: list[int], scores: list[float]
) -> None:
    """Removes words in lower case from the ends of names, unless they are sure or all words are so.

    "der Bruder von Anna" holds one name; "anna hat angerufen" holds one, too.
    """
    if not any(text[a].isupper() for a, _ in spans[1:]):
        return
    for order in (range(len(kinds)), range(len(kinds) - 1, -1, -1)):
        inside = False
        for i in order:
            if kinds[i] and not inside and scores[i] < _SURE and text[spans[i][0]].islower():
                kinds[i] = 0
            inside = kinds[i] > 0


def join(
    text: str, spans: Sequence[tuple[int, int]], kinds: list[int], scores: list[float]
) -> list[Mark]:
    """Tokens of one kind that stand together become one mark.

    Args:
        text: the text.
        spans: of its tokens.
        kinds: of its tokens: an index into KINDS, 0 for none.
        scores: of its tokens.
    """
    for i in range(1, len(kinds) - 1):
        # "Jean-Luc", "J. Smith": a mark between two tokens of a kind belongs to them.
        here, before = text[slice(*spans[i])], spans[i - 1]
        initial = here == "." and before[1] - before[0] == 1
        if not kinds[i] and kinds[i - 1] == kinds[i + 1] and (initial or here in "-'’/"):
            kinds[i] = kinds[i - 1]
            scores[i] = scores[i - 1]
        # "Brown. Blair said": a sentence ends there, and so does the name.
        ends = here == "\n" or (here == "." and before[1] - before[0] > _FIX)
        if ends and KINDS[kinds[i]] == "PERSON":
            kinds[i] = 0
    marks, i = [], 0
    while i < len(kinds):
        if not kinds[i]:
            i += 1
            continue
        j = i
        while j + 1 < len(kinds) and kinds[j + 1] == kinds[i]:
            j += 1
        first, last = i, j
        while first <= last and not text[spans[first][0]].isalnum():
            first += 1
        while last >= first and not text[spans[last][0]].isalnum():
            last -= 1
        if first <= last:
            score = sum(scores[first : last + 1]) / (last + 1 - first)
            marks.append(Mark(spans[first][0], spans[last][1], KINDS[kinds[i]], round(score, 4)))
        i = j + 1
    return marks
