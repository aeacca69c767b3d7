"""A language without spaces is learned by its characters (`text.unit: chars`).

The sentences are our own. Every class says who, does, what; sentences of the test side combine
words that were never together in one that was learned from.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components import train
from components.core import bundle
from components.core import params as parameters
from components.core.networks import assembly
from components.core.training.loop import NullLogger

PROJECT = parameters.load(Path(__file__).parents[2] / "params.yaml")
PHRASES = {  # who, when, did what
    "sports": (
        ["球队", "教练", "前锋", "守门员", "<PERSON>"],
        ["昨晚", "周六", "上半场"],
        ["赢得了比赛", "攻入两球", "夺得冠军", "备战决赛"],
    ),
    "business": (
        ["银行", "公司", "股市", "董事长", "<PERSON>"],
        ["昨天", "周一", "上半年"],
        ["公布了利润", "下调利率", "出售股份", "裁减员工"],
    ),
    "politics": (
        ["总统", "议会", "部长", "反对党", "<PERSON>"],
        ["昨天", "周日", "上个月"],
        ["通过了法案", "参加选举", "宣布辞职", "访问邻国"],
    ),
}


def sentences() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Those learned from, and every fifth, whose words come in another combination there."""
    rows = [
        {"text": "".join(words) + "。", "label": label}
        for label, parts in PHRASES.items()
        for words in product(*parts)
    ]
    held = [i % 5 == 0 for i in range(len(rows))]
    table = pl.DataFrame(rows)
    learned = table.filter(~pl.Series(held)).sample(fraction=1, shuffle=True, seed=1)
    return learned, table.filter(pl.Series(held))


@pytest.mark.parametrize(("unit", "words", "least"), [("chars", 12, 0.95), ("words", 2, 0.0)])
def test_chinese_is_learned_by_its_characters(
    unit: str, words: int, least: float, tmp_path: Path
) -> None:
    small = {"words": 24, "members": 1, "filters": 16, "dropout": 0.1, "learning_rate": 0.01}
    settings = PROJECT.model_copy(
        update={
            "ingest": PROJECT.ingest.model_copy(update={"labels": list(PHRASES)}),
            "text": parameters.Text(vocabulary=500, min_count=1, unit=unit),
            "train": PROJECT.train.model_copy(
                update={
                    "epochs": 8,
                    "embedding": "random",
                    "textcnn": PROJECT.train.textcnn.model_copy(update=small),
                }
            ),
        }
    )
    learned, asked = sentences()
    net, encoder, _ = train.fit("textcnn", settings, learned, asked, NullLogger())
    size = net.output[assembly.FEATURES].shape[1]
    bundle.save_model(tmp_path, net, encoder, np.zeros(size), np.eye(size, 2))
    model = bundle.Model(tmp_path, list(PHRASES))
    found = model.predict(asked["text"].to_list())
    hits = sum(a == b for a, b in zip(found.labels, asked["label"], strict=True)) / len(asked)
    assert hits >= least
    if unit == "words":
        assert hits < 0.6  # a whole sentence is one word, which was never seen before
    assert model.predict(["球队赢得了决赛，教练很高兴。"]).words.tolist() == [words]
    (why,) = model.explain(["球队赢得了决赛，教练很高兴。"])
    assert len(why.weights) == words
    assert {len(word) == 1 for word in why.weights} == {unit == "chars"}
