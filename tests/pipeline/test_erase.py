"""Row 36: one author is erased from data, caches, remote, ledger and reports, for good.

A real project with two releases: the first never saw the author, the second was trained on them.
The tests tell one story and run in the order of this file.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core import keys
from components.core import ledger as ledgers
from components.core.audit import Canaries, scan
from components.core.errors import BundleError
from components.core.ledger import PREDICTIONS, TEXTS, Ledger
from components.core.ledger import retention as ledger_retention
from components.core.paths import Paths
from components.core.scrub import pseudonyms
from flows.erasure import certificate
from tests import object_store
from tests.project import LABELS, QUICKEST, Project, articles

ANN = "Ann Author <ann.author@example.org>"
BOB = "bob.builder@example.org"
COMMON = "qzannword"  # in all of Ann's texts: it gets into the vocabulary
PER_CLASS, OF_ANN = 24, 4
BUCKET = "erasure"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def marker(label: str, i: int) -> str:
    """A word that stands in one text only, so that it is in no vocabulary."""
    return f"qz{label}{i}mark"


def write_texts(root: Path, with_ann: bool) -> None:
    rows = []
    for label in LABELS:
        for i, text in enumerate(articles(label, 0, PER_CLASS)):
            row = {"id": f"{label}/{i:03}", "label": label, "text": text[:1500], "author": f"a{i}"}
            if i < OF_ANN:
                row["author"] = ANN
                row["text"] += f" It cost the {marker(label, i)} and the {COMMON} as well."
            elif i == OF_ANN:
                row["text"] += f" Write to {BOB} about it."
            if with_ann or i >= OF_ANN:
                rows.append(row)
    (root / "desk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def bucket(s3_address: str) -> Iterator[Any]:
    """What an object store holds that is a second remote of the project."""
    client = object_store.client(s3_address)
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, bucket: Any, s3_address: str
) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("erasure") / "project", per_class=1)
    made.settle(
        {
            "ingest.sources": [
                {"name": "desk", "kind": "jsonl", "path": "desk.jsonl"},
                {"name": "feedback", "kind": "feedback"},
            ],
            "gate.baselines": False,
            "gate.min_accuracy": 0.0,
            "gate.min_macro_f1": 0.0,
            "gate.max_calibration_error": 1.0,
            "ingest.scrub.workers": 1,
            "train.epochs": 2,
            **QUICKEST,
        }
    )
    with (made.root / ".gitignore").open("a") as file:
        file.write("/desk.jsonl\n")
    made.git("commit", "--quiet", "--all", "-m", "small")
    write_texts(made.root, with_ann=False)
    assert made.newsloop("run", "--json").json["version"] == "newsloop@v1.0.0"
    write_texts(made.root, with_ann=True)
    assert made.newsloop("run", "--json").json["version"] == "newsloop@v2.0.0"
    settings = {"endpointurl": s3_address, "access_key_id": "t", "secret_access_key": "t"}
    made.command("dvc", "remote", "add", "--local", "far", f"s3://{BUCKET}/dvc")
    for name, value in settings.items():
        made.command("dvc", "remote", "modify", "--local", "far", name, value)
    pushed = made.command("dvc", "push", "--remote", "far")
    assert pushed.status == 0, pushed.err
    yield made
    made.newsloop("down")


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    opened = Ledger(ledgers.url(project.home / "ledger.sqlite"))
    yield opened
    opened.close()


@pytest.fixture
def paths(project: Project) -> Paths:
    return Paths(project.root, project.home)


def hits(project: Project, words: list[str]) -> set[str]:
    """Files of ours with one of the words; the sources are not ours."""
    places = [project.root / "data", project.root / ".dvc", project.home, project.root / ".git"]
    report = scan(places, Canaries.of(words))
    assert report.unread == []
    return {str(Path(hit.file).relative_to(project.root)) for hit in report.hits}


def far(bucket: Any) -> bytes:
    """All that lies in the object store, tables unpacked."""
    found = bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    bodies = [bucket.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in found]
    tables = [pl.read_parquet(io.BytesIO(body)) for body in bodies if body.startswith(b"PAR1")]
    return b"".join([*bodies, *(table.write_json().encode() for table in tables)])


def of_ann(project: Project) -> list[str]:
    secret = keys.pseudonym_key(project.home / "keys")
    words = [marker(label, i) for label in LABELS for i in range(OF_ANN)]
    return [*words, str(pseudonyms.pseudonym(ANN, secret)), "ann.author@example.org"]


def state(project: Project) -> dict[str, str]:
    places = [project.root / "data", project.root / ".dvc" / "cache", project.home]
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for place in places
        for path in sorted(place.rglob("*"))
        if path.is_file()
        and "prefect" not in path.parts
        and path.suffix not in (".log", ".sqlite-shm", ".sqlite-wal")
    }


def test_the_author_is_in_many_places_before(project: Project, ledger: Ledger, bucket: Any) -> None:
    documents = pl.read_parquet(project.root / "data" / "01_ingested" / "documents.parquet")
    text = documents.filter(pl.col("text").str.contains(marker("sports", 1)))["text"][0]
    row = {"bundle": "b", "label": "sports", "confidence": 0.5, "probabilities": {}, "words": 9,
           "unknown_share": 0.0, "features": [1.0], "time": NOW}  # fmt: skip
    ledger.insert(PREDICTIONS, [{"id": "a" * 32, **row}, {"id": "b" * 32, **row}])
    ledger.insert(TEXTS, [{"prediction_id": "a" * 32, "text": text}])
    ledger.insert(TEXTS, [{"prediction_id": "b" * 32, "text": "a text of somebody else"}])
    ledger.add_labels([("a" * 32, "sports"), ("b" * 32, "sports")], NOW)
    found = hits(project, of_ann(project))
    for place in ("data/01_ingested", "data/03_split", ".dvc/cache", ".newsloop/remote",
                  ".newsloop/ledger.sqlite", ".newsloop/scrub-cache.sqlite"):  # fmt: skip
        assert any(name.startswith(place) for name in found), place
    assert any(name.startswith(".newsloop/bundles") for name in hits(project, [COMMON]))
    assert pseudonyms.pseudonym(ANN, keys.pseudonym_key(project.home / "keys")).encode() in far(
        bucket
    )


def test_a_dry_run_changes_nothing(project: Project) -> None:
    before = state(project)
    plan = project.newsloop("erase", "--subject", ANN, "--kind", "author", "--dry-run", "--json")
    assert state(project) == before
    assert (plan.json["documents"], plan.json["versions"]) == (OF_ANN * len(LABELS), [2])
    assert plan.json["predictions"] == 1
    assert "Ann" not in plan.out + plan.err


def test_nobody_to_ask_is_said(project: Project) -> None:
    answer = project.newsloop("erase", "--subject", ANN)
    assert (answer.status, "--yes" in answer.err) == (2, True)


def test_killed_anywhere_it_can_be_run_again(project: Project) -> None:
    command = [
        sys.executable,
        "-m",
        "flows.cli",
        "erase",
        "--subject",
        ANN,
        "--kind",
        "author",
        "--yes",
    ]
    journals, certificates = project.home / "erasures", project.home / "certificates"

    def deeds() -> int:
        return sum(path.read_bytes().count(b"\n") for path in journals.glob("*.done"))

    def reached(more: int | None, before: int) -> bool:
        if more is None:
            return any(certificates.glob("*.json"))
        return deeds() >= before + more if more else any(journals.glob("*.json"))

    killed = 0
    for more in (0, 1, 5, 20, None):  # deeds until it is killed; the journal, the certificate
        before = deeds()
        process = subprocess.Popen(
            command, cwd=project.root, env=project.environment(), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while process.poll() is None and not reached(more, before):
            time.sleep(0.002)
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed >= 4  # with the certificate it is nearly at its end
    answer = project.newsloop("erase", "--subject", ANN, "--kind", "author", "--yes", "--json")
    found = answer.json
    assert found["left"] == []
    assert found["versions"] == [2]
    assert (found["champion"], found["champion_retired"]) == ("newsloop@v2.0.0", True)
    assert "Ann" not in answer.out + answer.err


def test_nothing_of_the_author_is_left(project: Project, ledger: Ledger, bucket: Any) -> None:
    assert hits(project, of_ann(project)) == set()
    stored = far(bucket)
    assert stored
    assert not [word for word in of_ann(project) if word.encode() in stored]
    # What is left of them is in the bundle that still serves, as words of its vocabulary.
    assert {name.split("/")[1] for name in hits(project, [COMMON])} == {"bundles"}
    assert ledger_retention.find(ledger, [], ["a" * 32, "b" * 32]) == ["b" * 32]
    assert list((project.home / "erasures").iterdir()) == []


def test_others_are_still_there(project: Project) -> None:
    documents = pl.read_parquet(project.root / "data" / "01_ingested" / "documents.parquet")
    assert documents.height == (PER_CLASS - OF_ANN) * len(LABELS)
    lock = project.git("show", "newsloop@v1.0.0:dvc.lock")
    (project.root / "dvc.lock").rename(project.root / "dvc.lock.kept")
    (project.root / "dvc.lock").write_text(lock)
    restored = project.command("dvc", "fetch")  # every object of the version before Ann
    (project.root / "dvc.lock.kept").replace(project.root / "dvc.lock")
    assert restored.status == 0, restored.err


def test_the_certificate_names_nobody_and_is_signed(project: Project, paths: Paths) -> None:
    found = sorted((project.home / "certificates").glob("*.json"))
    facts = [certificate.verify(paths, path) for path in found]
    done = [one for fact in facts for one in fact["done"]]
    assert {"newsloop@v2.0.0 retired", "object removed"} <= {one["what"] for one in done}
    changed = [one for one in done if one["where"].endswith("documents.parquet")]
    assert changed
    assert all(one["before"] != one["after"] for one in changed)
    assert facts[-1]["not_reached"]
    assert facts[-1]["left"] == []
    copy = found[-1].with_name("altered.json")
    copy.write_text(found[-1].read_text().replace("author", "nobody"))
    copy.with_suffix(".sig").write_bytes(found[-1].with_suffix(".sig").read_bytes())
    with pytest.raises(BundleError):
        certificate.verify(paths, copy)
    copy.unlink()
    copy.with_suffix(".sig").unlink()


def test_again_there_is_nothing_to_do(project: Project) -> None:
    before = len(list((project.home / "certificates").glob("*.json")))
    answer = project.newsloop("erase", "--subject", ANN, "--kind", "author", "--yes", "--json")
    assert answer.json["done"] == 0
    assert len(list((project.home / "certificates").glob("*.json"))) == before


def test_a_retraining_was_asked_for_once(ledger: Ledger) -> None:
    (asked,) = ledger.decisions("governor", "retrain", limit=9)
    champion = ledger.champion()
    assert champion is not None
    assert asked["details"]["bundle"] == champion.bundle
    assert "Ann" not in str(asked)


def test_a_retired_version_does_not_serve_again(project: Project) -> None:
    listed = {row["version"]: row["retired"] for row in project.newsloop("models", "--json").json}
    assert listed == {1: False, 2: True}
    assert project.newsloop("promote", "v2", "--because", "a test").status == 2


def test_the_next_run_learns_without_the_author(project: Project, ledger: Ledger) -> None:
    found = project.newsloop("run", "--json").json
    assert found["version"] == "newsloop@v3.0.0", found
    assert hits(project, of_ann(project)) == set()
    gone = project.newsloop("retain", "--json").json
    assert gone["bundles"] == 1
    assert hits(project, [COMMON, *of_ann(project)]) == set()
    back = project.newsloop("rollback", "--json").json
    assert back["version"] == 1
    assert project.newsloop("promote", "v3", "--because", "a test").status == 0


def test_an_address_is_found_in_the_sources_and_a_clone_knows_the_list(
    project: Project, tmp_path: Path
) -> None:
    answer = project.newsloop("erase", "--subject", BOB, "--yes", "--json")
    refused = project.newsloop("erase", "--subject", BOB, "--dry-run", "--retire-now")
    assert (refused.status, "there is none" in refused.err) == (2, True)
    found = answer.json
    assert (found["kind"], found["documents"]) == ("email", len(LABELS))
    assert found["versions"] == [1, 3]
    project.git("add", "data/suppression.json")
    project.git("commit", "--quiet", "-m", "two subjects")
    clone = tmp_path / "clone"
    project.git("clone", "--quiet", str(project.root), str(clone))
    (clone / "desk.jsonl").write_text((project.root / "desk.jsonl").read_text())
    for name in ("params.yaml", "data/sources.json", "data/candidate.json"):
        (clone / name).write_bytes((project.root / name).read_bytes())
    made = project.command(sys.executable, "-m", "components.snapshot", cwd=clone)
    assert made.status == 0, made.err
    done = project.command(sys.executable, "-m", "components.ingest", cwd=clone)
    assert done.status == 0, done.err
    assert f"{(OF_ANN + 1) * len(LABELS)} documents of erased subjects left out" in done.err
