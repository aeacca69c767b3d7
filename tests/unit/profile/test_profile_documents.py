"""Classes, counts, oddities and proposals, from labels and texts in memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core import params as parameters
from components.core.errors import ParamsError
from components.profile import Profile, proposal
from components.profile.classes import classes, names_beside
from components.profile.estimate import estimate
from components.profile.examine import Examined
from components.profile.oddities import OddityKind, oddities
from components.profile.roles import Roles
from components.profile.summary import DocumentCounts, Reservoir
from tests.project import ROOT

PARAMS = parameters.load(ROOT / "params.yaml")
SOURCES = parameters.read(ROOT / "params.yaml")["ingest"]["sources"]


def summarised(*documents: tuple[str, str | None], part: str | None = None) -> DocumentCounts:
    summary = DocumentCounts()
    for text, label in documents:
        summary.add(text, label, part)
    return summary


def profiled(summary: DocumentCounts, **values: Any) -> Profile:
    entry = {"name": "mine", "kind": "csv", "path": "mine.csv"}
    found: dict[str, Any] = {
        "sources": [Examined(entry, (), Roles(("text",), "label"), summary.documents)],
        "left_out": {}, "summary": summary, "complete": True, "faults": {},
        "classes": classes(summary.labels, least=3), "languages": {"en": 1.0}, "unspaced": 0.0,
    }  # fmt: skip
    return Profile(**found | values)


def many(
    labels: dict[str, int], words: str = "a sentence of some words about thing"
) -> DocumentCounts:
    pairs = [(label, n) for label, total in labels.items() for n in range(total)]
    return summarised(*((f"{words} {n} {label}", label) for label, n in pairs))


def test_spellings_count_as_the_most_frequent_one() -> None:
    found = classes(Counter({"Billing": 9, "billing": 2, "BILLING ": 1, "fault": 5}))
    assert found.counts == {"Billing": 12, "fault": 5}
    assert found.names == {"billing": "Billing", "BILLING ": "Billing"}
    assert found.variants == {"Billing": ("BILLING ", "billing")}


def test_numbers_are_ordered_and_may_get_names(tmp_path: Path) -> None:
    numbered = Counter({"10": 4, "9": 4, "1": 4})
    assert classes(numbered).numbers
    assert list(classes(numbered).counts) == ["1", "9", "10"]
    (tmp_path / "classes.txt").write_text("World\nSports\nBusiness\nSci/Tech\n")
    names = names_beside(tmp_path / "train.csv", Counter({"1": 3, "4": 3, "2": 3}))
    assert names == {"1": "World", "2": "Sports", "4": "Sci/Tech"}
    assert names_beside(tmp_path / "train.csv", Counter({"1": 3, "5": 3})) == {}
    found = classes(Counter({"1": 3, "2": 4}), names)
    assert (found.counts, found.numbers) == ({"Sports": 4, "World": 3}, False)


@pytest.mark.parametrize(
    ("labels", "least", "attribute", "value"),
    [
        ({"a": 9, "b": 2}, 3, "rare", {"b": 2}),
        ({"a": 9, "b" * 201: 4, "c\x07": 1}, 1, "invalid", 5),
        ({"a": 5, "b": 5, "a|b": 3}, 1, "joined", "|"),
        ({"a": 5, "Arts, Crafts": 5, "Toys, Games": 3}, 1, "joined", ""),
        ({f"INC-{n:05}": 1 for n in range(9)}, 1, "id_like", True),
        ({f"intent_{n:02}": 8 for n in range(40)}, 1, "id_like", False),
        ({"comp.sys.mac": 3, "sci.med": 4}, 1, "id_like", False),
    ],
)
def test_odd_labels(labels: dict[str, int], least: int, attribute: str, value: Any) -> None:
    assert getattr(classes(Counter(labels), least=least), attribute) == value


def test_summary_counts_repeats_and_lengths() -> None:
    summary = summarised(
        ("One text", "a"), ("one  TEXT", "a"), ("one text", "b"), ("", "a"), ("longer text", None)
    )
    assert (summary.documents, summary.empty, summary.unlabelled) == (5, 1, 1)
    assert (summary.repeated, summary.contradicting) == (2, 1)
    assert (summary.length(0), summary.length(1), summary.characters) == (8, 11, 36)


def test_reservoir_holds_all_of_a_short_stream_and_a_sample_of_a_long_one() -> None:
    sample: Reservoir[int] = Reservoir(100)
    for number in range(100):
        sample.add(number)
    assert sample.items == list(range(100))
    for number in range(100, 10_000):
        sample.add(number)
    assert len(sample.items) == 100
    assert 3_500 < sum(sample.items) / 100 < 6_500


@pytest.mark.parametrize(
    ("kind", "summary", "values"),
    [
        (OddityKind.FEW_DOCUMENTS, many({"a": 40, "b": 8}), {}),
        (OddityKind.RARE, many({"a": 40, "b": 40, "c": 2}), {}),
        (OddityKind.DOMINANT, many({"a": 90, "b": 30}), {}),
        (OddityKind.SHORT, many({"a": 40, "b": 40}, "pls"), {}),
        (OddityKind.REPEATED, summarised(*[("same text", "a")] * 9), {}),
        (OddityKind.CONTRADICTING, summarised(("same text", "a"), ("same text", "b")), {}),
        (OddityKind.DAMAGED, many({"a": 40, "b": 40}), {"damaged": 3}),
        (OddityKind.LANGUAGES, many({"a": 40, "b": 40}), {"languages": {"en": 0.6, "de": 0.4}}),
        (OddityKind.EMPTY, summarised(("", "a"), ("x", "b")), {}),
        (OddityKind.UNLABELLED, summarised(("x", None), ("y", "b")), {}),
        (
            OddityKind.UNREADABLE,
            many({"a": 40, "b": 40}),
            {"faults": {"expected 2 fields, got 3": 4}},
        ),
        (OddityKind.SPELLINGS, many({"a": 40, "A": 4, "b": 40}), {}),
        (OddityKind.INVALID, many({"a": 40, "b\x07": 40}), {}),
        (OddityKind.NUMBERS, many({"0": 40, "1": 40}), {}),
        (OddityKind.IDENTIFIERS, many({f"T-{n:04}": 3 for n in range(9)}), {}),
        (OddityKind.JOINED, many({"a": 40, "b": 40, "a;b": 9}), {}),
        (OddityKind.PARTS, summarised(("x", "a"), part="(other)"), {}),
        (OddityKind.LEFT_OUT, many({"a": 40, "b": 40}), {"left_out": {"sample": "no labels"}}),
        (OddityKind.PARTIAL, many({"a": 40, "b": 40}), {"complete": False}),
    ],
)
def test_oddities(kind: OddityKind, summary: DocumentCounts, values: dict[str, Any]) -> None:
    found = {odd.kind: odd.text for odd in oddities(profiled(summary, **values), str)}
    assert kind in found
    assert not {"None", "True", "['", "{'"} & set(found[kind].split())


def test_good_data_have_nothing_odd() -> None:
    assert oddities(profiled(many({"a": 40, "b": 50})), str) == []


def test_proposal_changes_only_what_the_data_need() -> None:
    settings = proposal.propose(profiled(many({"a": 400, "b": 500})), PARAMS, SOURCES)
    assert settings["ingest.labels"] == ["a", "b"]
    assert [entry["name"] for entry in settings["ingest.sources"]] == ["mine", "feedback"]
    assert settings["validate.languages"] == ["en"]
    assert settings["train.candidates"] == ["linear", "textcnn"]
    assert not any(key.startswith("validate.m") for key in settings)


@pytest.mark.parametrize(
    ("values", "key", "expected"),
    [
        ({"unspaced": 0.9, "languages": {"ja": 1.0}}, "text.unit", "chars"),
        ({"languages": {"de": 1.0}}, "train.embedding", "random"),
        ({"languages": {"en": 0.5, "de": 0.47, "x": 0.01}}, "validate.languages", ["en", "de"]),
        ({"languages": {f"x{n}": 0.01 for n in range(100)}}, "validate.languages", []),
        ({"languages": {}}, "validate.languages", []),
        ({"faults": {"the text is empty": 40}}, "validate.max_bad_share", 0.4),
    ],
)
def test_proposal_by_texts(values: dict[str, Any], key: str, expected: Any) -> None:
    settings = proposal.propose(profiled(many({"a": 44, "b": 44}), **values), PARAMS, SOURCES)
    assert settings[key] == expected


def test_proposal_for_little_short_and_skewed_data() -> None:
    summary = many({"a": 24, "b": 5, "yes": 4}, "hi")
    settings = proposal.propose(profiled(summary), PARAMS, SOURCES)
    assert settings["train.fitting.class_weights"] == "balanced"
    # The defaults take them all.
    assert not {key for key in settings if key.startswith("validate.min_")}


def test_official_split_and_repeats() -> None:
    summary = summarised(*[(f"text {n % 30}", "ab"[n % 2]) for n in range(90)], part="train")
    settings = proposal.propose(profiled(summary), PARAMS, SOURCES)
    assert settings["split.by"] == "column"
    assert settings["validate.max_duplicate_share"] == 0.84


def test_writing_keeps_comments_and_quotes_what_yaml_would_change(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    labels = ["yes", "no", "1", "1.5", "null", "2026-01-01", "a: b", "#x", "größer"]
    names = {"0": "yes", "true": "no"}
    entry = {"name": "m", "kind": "csv", "path": "m.csv", "label_names": names}
    settings = {"ingest.labels": labels, "ingest.sources": [entry], "text.unit": "chars"}
    proposal.write(path, settings)
    text = path.read_text()
    written = yaml.safe_load(text)
    assert written["ingest"]["labels"] == labels
    assert written["ingest"]["sources"][0]["label_names"] == names
    assert parameters.load(path).text.unit == "chars"
    assert "# The classes. A document with another label" in text
    before = text
    with pytest.raises(ParamsError):
        proposal.write(path, {"ingest.labels": ["only one"]})
    assert path.read_text() == before


def test_estimate_grows_with_data_and_classes() -> None:
    small = estimate(2225, 5_000_000, 5, "textcnn", 512)
    assert 60 < small.seconds < 240  # docs/measured.md: 99 seconds
    assert estimate(2225, 5_000_000, 5, "linear", 512).seconds < small.seconds
    assert estimate(18_846, 37_000_000, 20, "linear", 512).seconds < 600
