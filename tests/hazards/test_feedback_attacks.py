"""One caller who lies: no rollback, no release, no end of learning. Three honest ones are heard.

Rows 41 and 42. The service is the real one over HTTP; what the labels do to learning is tried on
BBC News, with the numbers of labels that once sufficed.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from components import label_noise, suspects
from components.core import ledger as ledgers
from components.core import params as parameters
from components.core import schema, tables
from components.core.ledger import LABELS, PREDICTIONS, TEXTS, Champion, Ledger, labels
from components.core.ledger.labels import LOOPBACK, Sender
from components.core.params import Params
from components.core.paths import Paths
from components.sources import open_source
from serving.client import Client
from serving.http import api_keys
from tests import tiny
from tests.project import LABELS as CLASSES
from tests.project import bbc
from tests.served import PROJECT, Project, wait_for

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
HONEST = ("anna", "ben", "carla")
TRIED = {
    "report_seconds": 0.2, "absent_seconds": 40, "probation_seconds": 600, "slow_ms": 20_000,
}  # fmt: skip
# The new model takes every business text for sport.
WORSE = {**tiny.WORDS, "business": ("none",), "sport": ("goal", *tiny.WORDS["business"])}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("project"), challenger=TRIED)
    yield made
    made.stop()
    made.ledger.close()


@pytest.fixture(scope="module")
def clients(service: Project) -> Iterator[dict[str, Client]]:
    file = service.paths.keys / api_keys.FILE
    found = {LOOPBACK: Client(service.url, patience=0)}
    for name in (*HONEST, "liar"):
        key = api_keys.add(file, name, ["predict", "feedback"], NOW)
        found[name] = Client(service.url, key=key, patience=0)
    key = api_keys.add(file, "labeller", ["predict", "label"], NOW)
    found["labeller"] = Client(service.url, key=key, patience=0)
    yield found
    for client in found.values():
        client.close()


def release(service: Project, words: dict[str, tuple[str, ...]] | None, seed: int) -> Champion:
    """Makes a new model the champion, now, and waits until it serves."""
    made = tiny.make_champion(
        service.paths, seed=seed, words=words, time=datetime.now(UTC), reason="release"
    )
    wait_for(made.tag, lambda: service.client.model().bundle == made.bundle)
    return made


def spelled(number: int) -> str:
    """A number that the scrubber does not take for a postal code."""
    return " ".join(DIGITS[int(digit)] for digit in str(number))


def ask(client: Client, word: str, start: int, count: int) -> list[str]:
    """Ids of the answers to `count` different texts with this word."""
    texts = [f"the {word} of day {spelled(start + i)}" for i in range(count)]
    parts = [texts[i : i + 8] for i in range(0, count, 8)]
    return [one.prediction_id for part in parts for one in client.classify(part).predictions]


def scrubbed(service: Project, ids: list[str]) -> None:
    rows = sa.select(TEXTS.c.prediction_id).where(TEXTS.c.prediction_id.in_(ids))
    wait_for("scrubbed texts", lambda: len(service.ledger.query(rows)) == len(set(ids)))


def stays(service: Project, champion: Champion) -> bool:
    """Whether it serves still after the controller has judged all labels ten times."""
    time.sleep(3)
    return service.client.model().bundle == champion.bundle


@pytest.mark.parametrize(("liar", "words"), [(LOOPBACK, 1), ("liar", 1), ("liar", 25)])
def test_25_wrong_labels_in_two_requests_roll_nothing_back(
    service: Project, clients: dict[str, Client], liar: str, words: int
) -> None:
    """Of a release as good as the one before, on one word or spread over all classes."""
    seed = 10 + words + (liar == LOOPBACK)
    champion = release(service, None, seed)
    before = service.ledger.deployments()[1]
    assert before.bundle != champion.bundle
    vocabulary = [word for own in tiny.WORDS.values() for word in own]
    ids = [
        id_
        for i in range(25)
        for id_ in ask(clients[liar], vocabulary[i % words % len(vocabulary)], 1000 * seed + i, 1)
    ]
    told = [(id_, "politics") for id_ in ids]
    clients[liar].feedback(told[:13])
    clients[liar].feedback(told[13:])
    scrubbed(service, ids)
    texts = sa.select(TEXTS.c.text).where(TEXTS.c.prediction_id.in_(ids)).distinct()
    assert len(service.ledger.query(texts)) == 25
    assert stays(service, champion)
    rows = service.ledger.query(
        sa.select(LABELS.c.caller, LABELS.c.trusted).where(LABELS.c.prediction_id.in_(ids))
    )
    names = {key.id: key.name for key in api_keys.load(service.paths.keys / api_keys.FILE)}
    assert {names.get(str(row["caller"]), row["caller"]) for row in rows} == {liar}
    assert {row["trusted"] for row in rows} == {False}


def test_what_one_caller_says_of_a_worse_model_is_heard_from_the_second_on(
    service: Project, clients: dict[str, Client]
) -> None:
    """Three honest callers roll a bad model back within a minute, though one calls it right."""
    good = service.ledger.champion()
    assert good is not None
    bad = release(service, WORSE, 50)
    ids = {
        name: ask(clients[name], "bank", 100 * i, 30) for i, name in enumerate((*HONEST, "liar"))
    }
    scrubbed(service, [id_ for own in ids.values() for id_ in own])
    clients["liar"].feedback((id_, "sport") for id_ in ids["liar"])
    clients["anna"].feedback((id_, "business") for id_ in ids["anna"])
    assert stays(service, bad)
    began = time.monotonic()
    for name in HONEST[1:]:
        clients[name].feedback((id_, "business") for id_ in ids[name])
    wait_for("the way back", lambda: service.ledger.champion() != bad, 60)
    assert time.monotonic() - began < 60
    champion = service.ledger.champion()
    assert champion is not None
    assert champion.bundle == good.bundle
    # The second honest caller may suffice before the third one's labels arrive.
    expected = rf"returned by itself: {bad.tag}: accuracy 30 of (90|120) labelled texts"
    assert re.search(expected, champion.reason)


def test_one_labeller_with_the_scope_label_suffices(
    service: Project, clients: dict[str, Client]
) -> None:
    bad = release(service, WORSE, 51)
    ids = ask(clients["labeller"], "bank", 5000, 30)
    scrubbed(service, ids)
    clients["labeller"].feedback((id_, "business") for id_ in ids)
    wait_for("the way back", lambda: service.ledger.champion() != bad, 60)


def test_labels_of_one_caller_have_a_limit_by_the_hour(
    service: Project, clients: dict[str, Client]
) -> None:
    """Requests at once do not pass it, another caller is not touched, and nothing is repeated."""
    key = api_keys.add(service.paths.keys / api_keys.FILE, "eager", ["feedback"], NOW)
    (id_,) = ask(clients[LOOPBACK], "goal", 9000, 1)
    sent = [{"prediction_id": id_, "label": "tech"}, {"prediction_id": "e" * 32, "label": "tech"}]
    headers = {"Authorization": f"Bearer {key}"}

    def send(count: int) -> tuple[int, str]:
        body = {"labels": [sent[0], *[sent[1]] * (count - 1)]}
        answer = service.http.post("/feedback", json=body, headers=headers)
        return answer.status_code, answer.text

    status, text = send(301)
    assert status == 429
    assert "at most 300 labels of one caller in an hour; 0 came and this request holds 301" in text
    assert send(299)[0] == 200
    assert send(299)[0] == 200  # what is not taken does not count: one label of it was
    status, text = send(300)
    assert (status, json.loads(text)["error"].count("Send at most 299")) == (429, 1)
    assert clients["ben"].feedback([(id_, "tech")]).accepted == 1


# Learning


@pytest.fixture(scope="module")
def articles() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """BBC News without repeats: what was learned from, and what comes as traffic."""
    found: dict[str, str] = {}
    for label in CLASSES:
        for file in sorted((bbc() / label).glob("*.txt")):
            found.setdefault(file.read_text("utf-8", "replace"), label)
    pairs = list(found.items())
    random.Random(1).shuffle(pairs)
    return pairs[600:], pairs[:600]


class Learning:
    """A project whose documents were validated, and a ledger with labelled traffic."""

    def __init__(self, root: Path, known: list[tuple[str, str]], params: Params) -> None:
        self.paths, self.params, self.known = Paths(root, root / "home"), params, known
        rows = [
            dict.fromkeys(schema.DOCUMENT)
            | {"id": f"bbc/{i}", "text": text, "label": label, "source": "bbc"}
            for i, (text, label) in enumerate(known)
        ]
        tables.write_table(schema.documents(rows), self.paths.validated / "documents.parquet")
        counts = {"rows": len(rows), "by_source": {"bbc": len(rows)}, "by_class": {}}
        tables.write_json(counts, self.paths.validated / "validation.json")
        self.ledger = Ledger(ledgers.url(self.paths.ledger))
        self.count = 0

    def label(self, sender: Sender, pairs: list[tuple[str, str]]) -> list[str]:
        ids = [f"{self.count + i:032x}" for i in range(len(pairs))]
        self.count += len(ids)
        columns = {
            "time": NOW, "bundle": "b", "label": "tech", "confidence": 0.9, "probabilities": {},
            "words": 1, "unknown_share": 0.0, "features": [],
        }  # fmt: skip
        self.ledger.insert(PREDICTIONS, [{"id": id_, **columns} for id_ in ids])
        texts = [{"prediction_id": i, "text": t} for i, (t, _) in zip(ids, pairs, strict=True)]
        self.ledger.insert(TEXTS, texts)
        said = [(id_, label) for id_, (_, label) in zip(ids, pairs, strict=True)]
        self.ledger.add_labels(said, NOW, sender=sender)
        return ids

    def learned(self) -> list[tuple[str, str]]:
        """Text and label of what the next snapshot takes from the feedback."""
        suspects.hold(self.params, self.paths, NOW)
        source = next(one for one in self.params.ingest.sources if one.kind == "feedback")
        opened = open_source(source, self.paths)
        return [(one.text, str(one.label)) for one in opened.read(opened.pin())]

    def noise(self, sent: list[tuple[str, str]]) -> float:
        """The estimate that validate compares with `validate.max_label_noise`."""
        pairs = [*self.known, *sent]
        folds = [int(tables.text_hash(text)[:8], 16) for text, _ in pairs]
        texts, given = zip(*pairs, strict=True)
        return label_noise.estimate(texts, given, folds).share


@pytest.fixture
def learning(
    tmp_path: Path,
    articles: tuple[list[tuple[str, str]], list[tuple[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Learning]:
    monkeypatch.delenv("NEWSLOOP_DATABASE_URL", raising=False)
    made = Learning(tmp_path, articles[0], parameters.load(PROJECT / "params.yaml"))
    yield made
    made.ledger.close()


def wrong(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(text, CLASSES[CLASSES.index(label) - 1]) for text, label in pairs]


def test_265_wrong_labels_of_one_caller_do_not_stop_learning(
    learning: Learning, articles: tuple[list[tuple[str, str]], list[tuple[str, str]]]
) -> None:
    most = learning.params.validate_.max_label_noise
    attack = wrong(articles[1][:265])
    assert learning.noise(attack) > 2 * most / 3  # what all of them would do, at least
    learning.label(Sender("liar"), attack)
    believed = wrong(articles[1][300:310])
    learning.label(Sender("anna", trusted=True), believed)
    learned = learning.learned()
    assert learning.noise(learned) < most / 3
    assert len(learned) <= 0.05 * len(articles[0]) + len(believed)
    held = labels.aside(learning.ledger, "suspect")
    assert len(held) > 150
    assert {row["caller"] for row in held} == {"liar"}
    assert set(believed) <= set(learned)


def test_2000_labels_of_one_caller_are_a_share_and_honest_ones_are_all_learned(
    learning: Learning, articles: tuple[list[tuple[str, str]], list[tuple[str, str]]]
) -> None:
    """Consistent lies, which no estimate finds: everything about one class is called another."""
    others = articles[1][300:]
    learning.label(
        Sender("liar"), [(f"{text} {i}", "tech") for text, _ in others for i in range(7)]
    )
    honest = articles[1][:150]
    for number, name in enumerate(HONEST):
        learning.label(Sender(name), honest[number::3])
    learned = learning.learned()
    heard = set(honest) & set(learned)
    assert len(heard) > 0.97 * len(honest)  # a flood of lies makes a few honest ones look wrong
    assert 0 < len(learned) - len(heard) <= 0.05 * len(articles[0])
    # All of it goes at once, as `newsloop labels --withdraw` does it.
    rows = learning.ledger.query(sa.select(LABELS.c.seq).where(LABELS.c.caller == "liar"))
    labels.set_aside(learning.ledger, [row["seq"] for row in rows], "withdrawn", NOW)
    assert set(learning.learned()) == heard
