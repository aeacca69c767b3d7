"""Row 33: 200 planted personal data through everything, failing runs included: none is found.

Row 35: nobody guesses a pseudonym without the key, and a new key unlinks the old ones.

The plumbing is tested here: only what the scrubber finds in a plain sentence is planted. How much
it finds is measured by benchmarks/privacy/scrubbing.py.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import polars as pl
import pytest

from components.core import keys
from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.audit import Canaries, scan
from components.core.ledger import TEXTS, Ledger
from components.core.paths import Paths
from components.core.scrub import Scrubber, pseudonyms, suppression
from serving.client import Client
from tests.pipeline.test_loop import wait
from tests.project import LABELS, QUICKEST, Project, articles

PLANTED = 200
UNKNOWN = "xqzvorblath7"  # a name that the scrubber does not find
PER_CLASS = 40


def luhn(number: str) -> str:
    """`number` with its check digit."""
    total = 0
    for i, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if i % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return number + str(-total % 10)


def iban(account: str) -> str:
    """A British IBAN with its check digits (ISO 13616)."""
    digits = "".join(str(int(c, 36)) for c in f"WEST{account}GB00")
    return f"GB{98 - int(digits) % 97:02}WEST{account}"


def fake_token(number: int) -> str:
    return hashlib.sha256(bytes([number])).hexdigest()[:36]


FIRST = ("Oliver", "Emma", "James", "Sophie", "William", "Laura", "Daniel", "Helen", "Peter")
LAST = ("Hartwell", "Pemberton", "Whitlock")
# (sentence, value): the sentence gives the context that a reader would have, too.
POOL: list[tuple[str, str]] = [
    *(("Write to {}, please.", f"qz{i}.canary@example.org") for i in range(50)),
    *(("Call {} after noon.", f"+44 20 7946 {i:04}") for i in range(100, 130)),
    *(("The card is {} today.", luhn(f"41111111111{i:04}")) for i in range(1000, 1025)),
    *(("Pay to the IBAN {} now.", iban(f"12345698{i:06}")) for i in range(765400, 765420)),
    *(("The social security number is {}.", f"212-45-{i}") for i in range(6700, 6720)),
    *(("It came from the IP address {} last night.", f"81.2.69.{i}") for i in range(100, 115)),
    *(("The MAC address is {} there.", f"00:1b:44:11:3a:{i:02x}") for i in range(20, 35)),
    *(("He lives at {} in town.", f"{i} Mill Lane") for i in range(312, 322)),
    *(("The key is {} as before.", f"ghp_{fake_token(i)}") for i in range(10)),
    *(("My name is {} and I live here.", f"{first} {last}") for first in FIRST for last in LAST),
]  # fmt: skip


def planted() -> list[tuple[str, str]]:
    """PLANTED of the pool, all of which the scrubber finds in their sentences."""
    found = Scrubber(parameters.load(Path(__file__).parents[2] / "params.yaml").ingest.scrub)
    sentences = [sentence.format(value) for sentence, value in POOL]
    clean = found.scrub_many(sentences)
    hidden = [pair for pair, one in zip(POOL, clean, strict=True) if pair[1] not in one.text]
    # Every door gets some of each kind.
    return sorted(hidden, key=lambda pair: hashlib.sha256(pair[1].encode()).digest())[:PLANTED]


class Planted:
    """A project into which personal data come by every door, and what it answered."""

    def __init__(self, project: Project, pairs: Sequence[tuple[str, str]]) -> None:
        self.project, self.pairs = project, list(pairs)
        self.said: list[str] = []
        self.paths = Paths(project.root, project.home)
        self.temporary = project.root.parent / "tmp"
        self.temporary.mkdir()

    def newsloop(self, *arguments: str) -> int:
        answer = self.project.newsloop(*arguments, TMPDIR=str(self.temporary))
        self.said += [answer.out, answer.err]
        return answer.status

    def values(self) -> list[str]:
        return [value for _, value in self.pairs]

    def authors(self) -> set[str]:
        documents = pl.read_parquet(self.paths.ingested / "documents.parquet")
        return set(documents["author"].drop_nulls())

    def write_texts(self) -> None:
        """100 sentences in texts, one a file; addresses as names of files."""
        pairs = iter(self.pairs[:100])
        for label in LABELS:
            folder = self.project.root / "texts" / label
            for path in folder.iterdir():
                path.unlink()
            for i, text in enumerate(articles(label, 0, PER_CLASS)):
                sentence, value = next(pairs, ("", ""))
                name = f"{value}.txt" if "@" in value else f"{i:03}.txt"
                (folder / name).write_text(f"{text}\n{sentence.format(value)}\n")

    def write_csv(self, *, bad: bool) -> None:
        """Ids, authors and texts with personal data; with `bad`, labels and broken rows too."""
        with (self.project.root / "desk.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["id", "author", "label", "text"])
            for i, (sentence, value) in enumerate(self.pairs[100:150]):
                text = articles("sports", PER_CLASS, PER_CLASS + 50)[i]
                said = f"{text} {sentence.format(value)}"
                out.writerow([value, f"{value} and friends", "sports", said])
            for sentence, value in self.pairs[150:] if bad else []:
                said = sentence.format(value)
                out.writerow([value, value, value, said])
                file.write(f"{value},{value}\r\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    made = Project(tmp_path_factory.mktemp("privacy") / "project", per_class=1)
    made.settle(
        {
            "ingest.sources": [
                {"name": "texts", "kind": "folder", "path": "texts"},
                {"name": "desk", "kind": "csv", "path": "desk.csv"},
                {"name": "feedback", "kind": "feedback"},
            ],
            "gate.baselines": False,
            "gate.min_accuracy": 0.0,
            "gate.min_macro_f1": 0.0,
            "gate.max_calibration_error": 1.0,
            "train.epochs": 2,
            **QUICKEST,
            "monitor.min_rows": 20,
        }
    )
    with (made.root / ".gitignore").open("a") as file:
        file.write("/desk.csv\n")
    made.git("commit", "--quiet", "--all", "-m", "small")
    pairs = planted()
    assert len({value for _, value in pairs}) == PLANTED
    story = Planted(made, pairs)
    yield story
    made.newsloop("down")


def test_runs_fail_and_pass_with_personal_data_in_the_sources(project: Planted) -> None:
    project.write_texts()
    project.write_csv(bad=True)
    assert project.newsloop("run") == 1  # too many bad rows; their labels are values
    assert "whose label occurs once" in project.said[-1]
    project.project.settle({"ingest.scrub.workers": 1})  # that had others' help to scrub
    broken = project.project.root / "texts" / "tech" / f"{project.pairs[0][1]}.txt"
    broken.symlink_to("/etc/hostname")
    project.write_csv(bad=False)
    assert project.newsloop("run") == 1  # a link out of the folder, with a name that is an address
    broken.unlink()
    assert project.newsloop("run") == 0
    documents = pl.read_parquet(project.paths.ingested / "documents.parquet")
    ids = documents.filter(pl.col("source") == "desk")["id"]
    assert ids.str.starts_with("desk/anon-").all()
    assert ids.n_unique() == len(ids) == 50


def test_the_service_gets_personal_data_in_good_and_bad_requests(project: Planted) -> None:
    assert project.newsloop("up") == 0
    url = project.project.service
    texts = [
        f"{articles('tech', 60 + i, 61 + i)[0]} {sentence.format(value)}"
        for i, (sentence, value) in enumerate(project.pairs[:60])
    ]
    value = project.pairs[0][1]
    with Client(url) as client:
        ids = [one.prediction_id for one in client.classify(texts).predictions]
        client.feedback((one, "tech") for one in ids[:40])
        book = Ledger(ledgers.url(project.paths.ledger))
        wait("scrubbed texts", lambda: len(book.query(ledgers.sa.select(TEXTS))) == len(ids))
        book.close()
    bad = [
        ("classify", json.dumps({"texts": value})),
        ("classify", json.dumps({value: [value]})),
        ("classify", f'{{"texts": ["{value}"'),
        ("classify", json.dumps({"texts": [value * 20_000]})),
        ("explain", json.dumps({"text": [value]})),
        ("feedback", json.dumps({"labels": [{"prediction_id": ids[0], "label": value}]})),
        ("feedback", json.dumps({"labels": [{"prediction_id": value, "label": "tech"}]})),
        (value, json.dumps({})),
    ]
    bad += [(route.replace(value, UNKNOWN), body.replace(value, UNKNOWN)) for route, body in bad]
    for route, body in bad:
        answer = httpx.post(
            f"{url}/{route}", content=body, headers={"content-type": "application/json"},
            trust_env=False, timeout=60,
        )  # fmt: skip
        if route not in (value, UNKNOWN):
            project.said.append(answer.text)
            assert UNKNOWN not in answer.text
    assert project.newsloop("monitor") == 0


def test_more_runs_fail_and_the_labels_become_a_source(project: Planted) -> None:
    project.project.settle({"gate.min_accuracy": 1.0, "gate.min_class_recall": 1.0})
    project.newsloop("run")
    project.newsloop("status")
    project.newsloop("models")
    assert project.newsloop("down") == 0


def test_nothing_that_was_planted_is_found(project: Planted) -> None:
    root = project.project.root
    sources = [root / "texts", root / "desk.csv"]
    canaries = Canaries.of(project.values())
    assert len(scan([*sources], canaries).hits) >= PLANTED / 2  # it finds them where they are
    report = scan([root, project.temporary], canaries, leave_out=sources)
    assert report.unread == []
    assert {(hit.file.removeprefix(str(root)), hit.where) for hit in report.hits} == set()
    assert report.files > 100
    for said in project.said:
        assert not list(canaries.find(said.encode()))


def test_the_command_says_the_same(project: Planted, tmp_path: Path) -> None:
    (tmp_path / "canaries").write_text("\n".join(project.values()))
    arguments = ("--canaries", str(tmp_path / "canaries"), "--entities", "none", "--json")
    clean = project.project.newsloop("audit", "data", ".dvc", ".newsloop", *arguments)
    assert clean.json["clean"] is True
    found = project.project.newsloop("audit", "desk.csv", *arguments)
    assert found.status == 1
    assert json.loads(found.out)["clean"] is False
    assert not any(value in found.out + found.err for value in project.values())


def test_what_was_learned_from_holds_no_structured_personal_data(project: Planted) -> None:
    folders = ("data/02_validated", "data/03_split")
    answer = project.project.newsloop("audit", *folders, "--entities", "structured", "--json")
    assert answer.json["clean"] is True


# Row 35

SUBJECT = "ann.author@example.org"


def test_a_pseudonym_cannot_be_computed_without_the_key(tmp_path: Path) -> None:
    secret = keys.pseudonym_key(tmp_path)
    truth = str(pseudonyms.pseudonym(SUBJECT, secret))
    assert len(secret) == 32
    assert (tmp_path / keys.PSEUDONYM).stat().st_mode & 0o077 == 0
    known = [b"", b"key", b"newsloop", bytes(32), SUBJECT.encode(), keys.suppression_key(tmp_path)]
    guesses = {hmac.digest(key, SUBJECT.encode(), "sha256").hex() for key in known}
    guesses |= {
        hashlib.new(name, SUBJECT.encode()).hexdigest()
        for name in ("md5", "sha1", "sha256", "sha512", "blake2b")
    }
    guesses |= {
        str(pseudonyms.pseudonym(SUBJECT, keys.pseudonym_key(tmp_path / str(i)))) for i in range(50)
    }
    assert not any(truth in guess for guess in guesses)


def test_the_keys_lie_nowhere_but_in_their_folder(project: Planted) -> None:
    folder = project.paths.keys
    secrets = [
        (folder / name).read_bytes() for name in (keys.PSEUDONYM, keys.SUPPRESSION, keys.SIGNING)
    ]
    for path in project.project.root.rglob("*"):
        if path.is_file() and not path.is_relative_to(folder):
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path


def test_a_new_key_unlinks_old_pseudonyms(project: Planted) -> None:
    """Last: the next ingest gives everybody another pseudonym, the old key is gone."""
    before = set(
        pl.read_parquet(project.paths.ingested / "documents.parquet")["author"].drop_nulls()
    )
    old = keys.pseudonym_key(project.paths.keys)
    assert len(before) == 50
    assert project.newsloop("keys", "rotate") == 2  # nobody to ask
    assert project.newsloop("keys", "rotate", "--yes") == 0
    assert keys.pseudonym_key(project.paths.keys) != old
    assert not project.paths.scrub_cache.exists()
    for path in project.project.home.rglob("*"):
        assert not path.is_file() or old not in path.read_bytes()
    assert suppression.read(project.paths)["rotations"] == 1
    done = project.project.command(
        "dvc", "repro", "--single-item", "ingest"
    )  # DVC sees that it must run again
    assert done.status == 0, done.err
    after = set(
        pl.read_parquet(project.paths.ingested / "documents.parquet")["author"].drop_nulls()
    )
    assert len(after) == 50
    assert not before & after
