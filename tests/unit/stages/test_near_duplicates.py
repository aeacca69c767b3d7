"""Short texts that repeat each other are found, and texts about other things are not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from components import fold_assignment, near_duplicates, split
from components.core import params as parameters
from components.core import schema

SETTINGS = parameters.load(Path(__file__).parents[3] / "params.yaml").split
WORDS = [f"w{i}" for i in range(2000)]
# A pair a line: the same matter in other words, or with a typing error, number or punctuation.
SAME = [
    ("my card was not accepted", "my card was never accepted"),
    ("where is my order 1234", "Where is my order 98765?"),
    ("refund for invoice 12 and 13 please", "refund for invoice 7 and 8 please"),
    ("the app crashes after login", "the app crashes always after login"),
    ("please cancel my subscription now", "please cancel my subcription now"),
    ("i have not received my parcel", "I have not received my parcel!!"),
    ("我想查询我的订单什么时候到", "我想查询我的订单什么时候到达"),
    ("忘记密码无法登录我的账户", "忘记密码无法登陆我的账户"),
]
# Other matters.
OTHER = [
    ("card payment fee charged", "card payment declined"),
    ("refund pls", "refund where"),
    ("card lost", "card stolen"),
    ("change my pin please today", "change my address please soon"),
    ("stocks rise on rate hopes", "stocks fall on rate fears"),
    ("how do i top up by card", "how do i withdraw by transfer"),
    ("修改密码", "修改姓名"),
    ("我要退款", "我要退货"),
    ("order 12", "order 13"),
    ("team wins cup final", "team loses cup final replay"),
]


def linked(texts: list[str], labels: list[str] | None = None) -> dict[int, list[int]]:
    return near_duplicates.near_pairs(texts, labels or ["a"] * len(texts), SETTINGS)


def changed(words: list[str], draws: random.Random, count: int) -> list[str]:
    """`words` with `count` of them exchanged, at different places."""
    places = draws.sample(range(len(words)), count)
    return [f"new{draws.randrange(10**9)}" if i in places else w for i, w in enumerate(words)]


def table_of_lengths() -> Iterator[tuple[int, float, float]]:
    """Words of a text; found share of 40 pairs with one changed word, and with three."""
    draws = random.Random(3)
    for length in (4, 5, 8, 12, 14, 15, 19, 20, 24):
        shares = []
        for count in (1, 3):
            originals = [draws.choices(WORDS, k=length) for _ in range(40)]
            copies = [changed(words, draws, count) for words in originals]
            pairs = linked([" ".join(words) for words in originals + copies])
            shares.append(sum(i in pairs.get(40 + i, []) for i in range(40)) / 40)
        yield length, shares[0], shares[1]


def test_one_changed_word_is_found_at_every_length() -> None:
    """Recall 1 for one changed word; three changed words are other texts below 14 words."""
    for length, one, three in table_of_lengths():
        assert one == 1.0, f"{one:.0%} of pairs with {length} words"
        assert three == 0.0 or length >= 14, f"{three:.0%} of pairs with {length} words"


def test_precision_and_recall_on_short_texts() -> None:
    texts = [text for pair in SAME + OTHER for text in pair]
    found = {(j, k) for k, near in linked(texts).items() for j in near}
    right = {(2 * i, 2 * i + 1) for i in range(len(SAME))}
    assert found == right  # precision 1 and recall 1 on these 18 pairs


def test_a_word_that_the_classes_differ_by_links_no_texts() -> None:
    texts = ["how do i change my pin", "how do i change my name"]
    assert linked(texts) == {1: [0]}
    assert linked(texts, ["pin", "name"]) == {}


def test_the_fillings_of_a_template_are_not_one_group() -> None:
    """A class of 40 questions about other things stays 37 groups: four hang together."""
    texts = [f"how do i change my {word}" for word in WORDS[:40]]
    group = fold_assignment.groups(texts, SETTINGS, ["change"] * 40)
    assert len(set(group.tolist())) == 37
    numbers = [f"your order {i} has arrived" for i in range(40)]
    assert len(set(fold_assignment.groups(numbers + WORDS[:9], SETTINGS).tolist())) == 10
    # Nothing else is in the class: no split could divide one group.
    assert len(set(fold_assignment.groups(numbers, SETTINGS).tolist())) == 40


def test_no_copy_of_a_short_text_is_on_another_side() -> None:
    """150 headlines of 8 words, each twice with one word changed: about half were apart."""
    draws = random.Random(5)
    originals = [draws.choices(WORDS, k=8) for _ in range(150)]
    rows = [
        {"id": f"s/{kind}/{i}", "text": " ".join(words), "label": "ab"[i % 2], "source": "s"}
        for kind in (0, 1)
        for i, words in enumerate(
            originals if kind == 0 else [changed(words, draws, 1) for words in originals]
        )
    ]
    found = split.split(schema.documents(rows), SETTINGS)  # type: ignore[arg-type]
    side = {id_: name for name, table in found.sides.items() for id_ in table["id"]}
    assert len(side) == 300
    assert all(side[f"s/0/{i}"] == side[f"s/1/{i}"] for i in range(150))


@pytest.mark.parametrize("labels", [None, ["a", "b", "c"] * 20])
def test_folds_hold_each_class_evenly_and_keep_groups(labels: list[str] | None) -> None:
    group = [i // 2 for i in range(60)] if labels is None else list(range(60))
    fold = fold_assignment.assign(group, 5, 1, labels)  # type: ignore[arg-type]
    assert sorted(fold.tolist()) == sorted([0, 1, 2, 3, 4] * 12)
    for number in range(5) if labels else ():
        in_fold = [label for label, f in zip(labels, fold, strict=True) if f == number]
        assert sorted(in_fold) == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert labels or all(fold[2 * i] == fold[2 * i + 1] for i in range(30))
