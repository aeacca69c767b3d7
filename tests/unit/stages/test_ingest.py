"""Ingest: scrubbed in the stream, pinned, nothing where the scrubber fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components import ingest, snapshot
from components.core import params as parameters
from components.core import tables
from components.core.errors import ScrubError, SourceError
from components.core.paths import Paths
from components.core.scrub import Scrubbed
from components.core.scrub.cache import ScrubCache
from components.core.workers.base import Task
from components.ingest import Batch, IngestCounts
from components.sources import RawDocument

PROJECT = parameters.load(Path(__file__).parents[3] / "params.yaml")
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
TEXTS = {
    "good/one.txt": "Angela Merkel wrote to ann@example.com",
    "good/two.txt": "Nothing to hide here at all",
    "bad/one.txt": "Her card is 4111 1111 1111 1111",
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    for name, text in TEXTS.items():
        (tmp_path / "texts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / name).write_text(text)
    return Paths(tmp_path, tmp_path / "home")


def settings(**scrub: object) -> parameters.Params:
    source = parameters.Source(name="mine", kind="folder", path="texts")
    one_worker = PROJECT.ingest.scrub.model_copy(update={"workers": 1, **scrub})
    return PROJECT.model_copy(
        update={
            "ingest": PROJECT.ingest.model_copy(update={"sources": [source], "scrub": one_worker})
        }
    )


def stream(**changes: object) -> parameters.Stream:
    return PROJECT.ingest.stream.model_copy(update=changes)


def written(paths: Paths) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths.ingested.iterdir()}


def shout(texts: Sequence[str]) -> list[Scrubbed]:
    return [Scrubbed(text.upper(), {"SHOUT": 1}) for text in texts]


def explode(texts: Sequence[str]) -> list[Scrubbed]:
    raise AssertionError(f"{len(texts)} texts were scrubbed twice")


def stumble(texts: Sequence[str]) -> list[Scrubbed]:
    return [Scrubbed(text, {"ODD": 1 // ("hide" not in text)}) for text in texts]


def test_documents_are_scrubbed_and_counted(paths: Paths) -> None:
    snapshot.run(settings(), paths)
    ingest.run(settings(), paths)
    rows = tables.read_table(paths.ingested / "documents.parquet").sort("id").to_dicts()
    assert [(row["id"], row["label"], row["source"]) for row in rows] == [
        ("mine/bad/one.txt", "bad", "mine"),
        ("mine/good/one.txt", "good", "mine"),
        ("mine/good/two.txt", "good", "mine"),
    ]
    assert [row["text"] for row in rows] == [
        "Her card is <CREDIT_CARD>",
        "<PERSON> wrote to <EMAIL_ADDRESS>",
        TEXTS["good/two.txt"],
    ]
    assert tables.read_json(paths.ingested / "privacy.json") == {
        "mine": {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1, "PERSON": 1}
    }


def test_labels_that_are_no_classes_are_named_if_they_name_nobody(paths: Paths) -> None:
    labels = ["Billing Issue"] * 3 + ["Ann Smith"] * 3 + ["Rare Case"] + ["good"]
    lines = [f"{label}\tsome text {i}" for i, label in enumerate(labels)]
    (paths.root / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    (paths.root / "lines.txt").write_text("".join(f"{line}\n" for line in lines))
    source = parameters.Source(
        name="mine", kind="lines", path="lines.txt", labels_path="labels.txt"
    )
    changed = settings()
    changed = changed.model_copy(
        update={"ingest": changed.ingest.model_copy(update={"sources": [source]})}
    )
    snapshot.run(changed, paths)
    ingest.run(changed, paths)
    named = tables.read_json(paths.ingested / "labels.json")
    assert list(named.values()) == ["Billing Issue"]
    rows = tables.read_table(paths.ingested / "documents.parquet")
    assert rows["label"].to_list()[0] in named
    assert rows["label"].str.starts_with("anon-").sum() == 7
    known = changed.ingest.model_copy(
        update={"labels": ["Billing Issue", "Ann Smith", "Rare Case"]}
    )
    ingest.run(changed.model_copy(update={"ingest": known}), paths)
    assert not (paths.ingested / "labels.json").exists()


def test_the_same_snapshot_gives_the_same_bytes_and_scrubs_nothing_twice(paths: Paths) -> None:
    snapshot.run(settings(), paths)
    ingest.run(settings(), paths, shout)
    first = written(paths)
    ingest.run(settings(), paths, explode)
    assert written(paths) == first


def test_where_the_scrubber_fails_nothing_is_written(paths: Paths) -> None:
    broken = settings(entities={"SHOE_SIZE": "mask"})
    snapshot.run(broken, paths)
    with pytest.raises(ScrubError):
        ingest.run(broken, paths)
    assert not paths.ingested.exists()
    for path in paths.home.rglob("*"):
        assert not path.is_file() or b"Merkel" not in path.read_bytes()


def test_a_source_that_changed_since_the_snapshot_is_refused(paths: Paths) -> None:
    snapshot.run(settings(), paths)
    (paths.root / "texts" / "good" / "three.txt").write_text("new")
    with pytest.raises(SourceError, match="newsloop run"):
        ingest.run(settings(), paths)


def test_a_snapshot_of_other_sources_is_refused(paths: Paths) -> None:
    tables.write_json({"sources": [{"name": "other", "kind": "csv"}]}, paths.snapshot)
    with pytest.raises(SourceError, match="got one of other"):
        ingest.run(settings(), paths)


def test_pseudonyms_need_the_key() -> None:
    one = ingest.pseudonym("Ann@Example.com ", b"key")
    assert one == ingest.pseudonym("ann@example.com", b"key")
    assert one != ingest.pseudonym("ann@example.com", b"another key")
    assert one != ingest.pseudonym("bob@example.com", b"key")
    assert ingest.pseudonym(None, b"key") is None


def test_a_batch_becomes_columns_and_a_fault_a_row_without_text() -> None:
    raws = [
        RawDocument("s/1", "", None, None, None, fault="no text"),
        RawDocument("s/2", "raw", "a", NOON, "Ann", part="test"),
    ]
    batch = Batch("s", raws)
    found = ingest.columns(batch, [Scrubbed("", {}), Scrubbed("clean", {})], b"key")
    assert {name: list(values) for name, values in found.items()} == {
        "id": ["s/1", "s/2"],
        "text": ["", "clean"],
        "label": [None, "a"],
        "source": ["s", "s"],
        "time": [None, NOON],
        "author": [None, ingest.pseudonym("Ann", b"key")],
        "part": [None, "test"],
    }
    tally = IngestCounts()
    tally.add(batch, [Scrubbed("", {}), Scrubbed("clean", {"PERSON": 2})])
    tally.add(batch, [Scrubbed("", {}), Scrubbed("clean", {"EMAIL_ADDRESS": 1, "PERSON": 1})])
    assert tally.rows == 4
    assert tally.faults == [{"id": "s/1", "reason": "no text"}] * 2
    assert tally.privacy == {"s": {"EMAIL_ADDRESS": 1, "PERSON": 3}}


def test_a_document_that_the_policy_drops_has_no_row_and_is_counted() -> None:
    raws = [RawDocument("s/1", "raw", "a"), RawDocument("s/2", "raw", "b")]
    gone, stays = Scrubbed("", {"US_SSN": 1}, dropped=True), Scrubbed("clean", {})
    found = ingest.columns(Batch("s", raws), [gone, stays], b"key")
    assert (list(found["id"]), list(found["text"])) == (["s/2"], ["clean"])
    none = ingest.columns(Batch("s", raws), [gone, gone], b"key")
    assert {name: list(values) for name, values in none.items()} == {key: [] for key in found}
    tally = IngestCounts()
    tally.add(Batch("s", raws), [gone, stays])
    assert (tally.rows, tally.privacy) == (1, {"s": {"DROPPED_DOCUMENTS": 1, "US_SSN": 1}})


@pytest.mark.parametrize(
    ("lengths", "rows", "characters", "expected"),
    [
        ({"s": [1] * 5}, 2, 100, [("s", 2), ("s", 2), ("s", 1)]),
        ({"s": [1] * 4}, 2, 100, [("s", 2), ("s", 2)]),
        ({"s": [1, 9, 1, 1]}, 3, 10, [("s", 2), ("s", 2)]),
        ({"s": [1], "t": [1, 1]}, 2, 100, [("s", 1), ("t", 2)]),
        ({"s": [], "t": [50]}, 2, 10, [("t", 1)]),
    ],
)
def test_a_batch_ends_by_its_documents_alone(
    lengths: dict[str, list[int]], rows: int, characters: int, expected: list[tuple[str, int]]
) -> None:
    sources = [(name, [RawDocument("i", "x" * n) for n in many]) for name, many in lengths.items()]
    limits = stream(rows=rows, characters=characters)
    found = [(batch.source, len(batch.raws)) for batch in ingest.batches(sources, limits)]
    assert found == expected


class Recorder:
    """Workers that note the order of what they are asked, and how much waits."""

    ahead = 3

    def __init__(self) -> None:
        self.waiting, self.most, self.pieces = 0, 0, list[int]()

    def submit(self, batch: Sequence[str]) -> Task[Scrubbed]:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        self.pieces.append(len(batch))
        return Task(batch)

    def result(self, task: Task[Scrubbed]) -> list[Scrubbed]:
        self.waiting -= 1
        return shout(task.batch)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        return


def test_pieces_go_out_ahead_but_not_all_and_come_back_in_order() -> None:
    many = [Batch("s", [RawDocument(f"{i}", f"text {i} {j}") for j in range(5)]) for i in range(9)]
    workers = Recorder()
    done = list(ingest.scrub_stream(many, 2, workers, None))
    assert [batch for batch, _ in done] == many
    assert [[clean.text for clean in texts] for _, texts in done] == [
        [raw.text.upper() for raw in batch.raws] for batch in many
    ]
    assert workers.pieces == [2, 2, 1] * 9
    assert workers.most == 6  # one batch's three pieces, and `ahead` more


def test_what_the_cache_knows_is_not_handed_in(tmp_path: Path) -> None:
    raws = [RawDocument(f"s/{i}", f"text {i}") for i in range(4)]
    workers = Recorder()
    with ScrubCache(tmp_path / "cache.sqlite", "policy", b"key") as cache:
        cache.put([("text 1", Scrubbed("known", {"PERSON": 1}))])
        [(_, found)] = ingest.scrub_stream([Batch("s", raws)], 8, workers, cache)
        assert [clean.text for clean in found] == ["TEXT 0", "known", "TEXT 2", "TEXT 3"]
        assert workers.pieces == [3]
        [(_, again)] = ingest.scrub_stream([Batch("s", raws)], 8, workers, cache)
        assert again == found
        assert workers.pieces == [3]


def test_many_processes_and_row_groups_give_the_bytes_of_one(paths: Paths) -> None:
    for i in range(30):
        (paths.root / "texts" / "good" / f"{i:02}.txt").write_text(f"text number {i}")
    snapshot.run(settings(), paths)
    found = []
    for workers in (1, 2):
        small = settings(workers=workers, batch=3, entities={"IP_ADDRESS": "mask"})
        limited = small.ingest.model_copy(update={"stream": stream(rows=7, remember="persons")})
        ingest.run(small.model_copy(update={"ingest": limited}), paths, shout)
        found.append(written(paths))
    assert found[0] == found[1]
    assert pq.ParquetFile(paths.ingested / "documents.parquet").num_row_groups == 5
    assert not paths.scrub_cache.exists()  # nothing to remember where persons are not masked


@dataclass(frozen=True)
class Dies:
    """Kills its process at the first batch that it meets; `mark` says that it was done."""

    mark: str

    def __call__(self, texts: Sequence[str]) -> list[Scrubbed]:
        if not Path(self.mark).exists():
            Path(self.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return shout(texts)


def test_a_worker_that_is_killed_loses_nothing(paths: Paths, tmp_path: Path) -> None:
    snapshot.run(settings(), paths)
    ingest.run(settings(), paths, shout)
    here = written(paths)
    paths.scrub_cache.unlink()
    ingest.run(settings(workers=2, batch=1), paths, Dies(str(tmp_path / "died")))
    assert (tmp_path / "died").exists()
    assert written(paths) == here


def test_a_failure_in_the_middle_leaves_no_table_and_an_old_partial_goes(paths: Paths) -> None:
    snapshot.run(settings(), paths)
    paths.ingested.mkdir(parents=True)
    (paths.ingested / ".documents.parquet.1.partial").write_text("of a run that was killed")
    limited = settings().ingest.model_copy(update={"stream": stream(rows=1, characters=10_000)})
    with pytest.raises(ScrubError, match="got ZeroDivisionError"):
        ingest.run(settings().model_copy(update={"ingest": limited}), paths, stumble)
    assert list(paths.ingested.iterdir()) == []


@pytest.mark.parametrize(
    ("remember", "entities", "expected"),
    [
        ("always", {"IP_ADDRESS": "mask"}, True),
        ("persons", {"IP_ADDRESS": "mask", "PERSON": "pseudonym"}, True),
        ("persons", {"IP_ADDRESS": "mask", "PERSON": "keep"}, False),
        ("persons", {"IP_ADDRESS": "mask"}, False),
        ("never", {"PERSON": "mask"}, False),
    ],
)
def test_what_is_remembered(remember: str, entities: dict[str, str], expected: bool) -> None:
    chosen = settings(entities=entities).ingest
    chosen = chosen.model_copy(update={"stream": stream(remember=remember)})
    assert ingest.remembers(chosen) is expected


def test_documents_whose_names_are_not_searched_are_counted_and_may_be_refused() -> None:
    raws = [RawDocument(f"s/{i}", "text", None, None, None, None) for i in range(2)]
    scrubbed = [Scrubbed("text", {}), Scrubbed("", {"SECRET": 1}, unsearched="de")]
    counts = ingest.IngestCounts()
    counts.add(ingest.Batch("s", raws), scrubbed, "quarantine")
    assert counts.privacy == {"s": {"NAMES_NOT_SEARCHED_DE": 1, "SECRET": 1}}
    assert counts.faults == [{"id": "s/1", "reason": "names not searched (de)"}]
    by_rules = ingest.IngestCounts()
    by_rules.add(ingest.Batch("s", raws), scrubbed)
    assert (by_rules.privacy, by_rules.faults) == (counts.privacy, [])
