"""Ingest: scrubbed in the stream, pinned, nothing where the scrubber fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from components import ingest, snapshot
from components.core import params as parameters
from components.core import tables
from components.core.errors import ScrubError, SourceError
from components.core.paths import Paths
from components.core.scrub_cache import ScrubCache
from components.sources import RawDocument

PROJECT = parameters.load(Path(__file__).parents[2] / "params.yaml")
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


def test_the_same_snapshot_gives_the_same_bytes_and_scrubs_nothing_twice(paths: Paths) -> None:
    snapshot.run(settings(), paths)
    ingest.run(settings(), paths)
    first = {path.name: path.read_bytes() for path in paths.ingested.iterdir()}
    broken = settings(spacy_model="no_such_model")  # would fail, were a text scrubbed again
    cache = ScrubCache(
        paths.scrub_cache,
        ingest.policy_hash(settings().ingest.scrub),
        (paths.keys / "pseudonym.key").read_bytes(),
    )
    again = list(ingest.scrub_stream(list(TEXTS.values()), broken.ingest.scrub, cache))
    assert again[0].text == "<PERSON> wrote to <EMAIL_ADDRESS>"
    ingest.run(settings(), paths)
    assert {path.name: path.read_bytes() for path in paths.ingested.iterdir()} == first


def test_where_the_scrubber_fails_nothing_is_written(paths: Paths) -> None:
    broken = settings(spacy_model="no_such_model")
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
    with pytest.raises(SourceError, match="got one of \\['other'\\]"):
        ingest.run(settings(), paths)


def test_pseudonyms_need_the_key() -> None:
    one = ingest.pseudonym("Ann@Example.com ", b"key")
    assert one == ingest.pseudonym("ann@example.com", b"key")
    assert one != ingest.pseudonym("ann@example.com", b"another key")
    assert one != ingest.pseudonym("bob@example.com", b"key")
    assert ingest.pseudonym(None, b"key") is None


def test_a_fault_of_a_source_becomes_a_row_without_text() -> None:
    raw = RawDocument("s/1", "", None, None, None, fault="no text")
    row = ingest.row(raw, ingest.Scrubbed("", {}), "s", b"key")
    assert (row["id"], row["text"], row["source"]) == ("s/1", "", "s")
