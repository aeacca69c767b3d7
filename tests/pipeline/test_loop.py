"""The whole loop on a small real sample: Prefect, DVC, Great Expectations, TensorFlow, BentoML,
Evidently. The tests tell one story and run in the order of this file.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import psutil
import pytest

from components.core import bundle, tables
from components.core import ledger as ledgers
from components.core.errors import StackError
from components.core.ledger import PREDICTIONS, Ledger
from components.core.paths import Paths
from flows.dvc.pipeline import STAGES
from serving.client import Client
from tests import offline
from tests.browser import chromium, needs_browser
from tests.modes import readable_by_others
from tests.project import DIFFICULT_SHELL, LABELS, Project, articles, canary
from tests.web import followed

BUNDLE = Path("data", "06_packaged", "bundle")
DEADLINE = 240  # seconds for anything that happens by itself


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """In a folder with spaces and umlauts, by commands from a difficult shell: all must work."""
    folder = tmp_path_factory.mktemp("loop") / "Prüfung der Schleife"
    watch, _ = offline.watching(folder.parent / "watch")
    made = Project(folder, per_class=45, shell=DIFFICULT_SHELL | watch)
    made.settle(
        {"gate.rehearse": True, "gate.max_latency_ms": 5000, "ingest.scrub.workers": 1}
    )  # fmt: skip
    made.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    yield made
    made.newsloop("down")


@pytest.fixture(scope="module")
def ledger(project: Project) -> Iterator[Ledger]:
    opened = Ledger(ledgers.url(project.home / "ledger.sqlite"))
    yield opened
    opened.close()


def wait(what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < deadline, f"no {what} within {DEADLINE} s"
        time.sleep(0.5)


def test_up_before_a_champion_says_what_to_do(project: Project) -> None:
    answer = project.newsloop("up")
    assert answer.status == 1
    assert "newsloop run" in answer.err
    assert "Traceback" not in answer.err


def test_run_learns_and_releases(project: Project, ledger: Ledger) -> None:
    answer = project.newsloop("run", "--json")
    found = answer.json
    assert [row[0] for row in found["stages"]] == [
        "snapshot", *STAGES, "rehearse", "gate", "release",
    ]  # fmt: skip
    assert {row[1] for row in found["stages"]} == {"ran"}
    assert (found["outcome"], found["version"]) == ("released", "newsloop@v1.0.0")
    assert 0.4 <= found["metrics"]["accuracy"]["value"] <= 1
    assert "train: epoch 1/8" in answer.err
    for name in ("Data Docs", "evaluation"):
        assert Path(unquote(found["links"][name].removeprefix("file://"))).is_file()
    runs = project.prefect("GET", f"/flow_runs/{found['flow_run']}")
    assert runs["state"]["type"] == "COMPLETED"
    # A good run looks good in Prefect: some lines, and none of them a warning or an error.
    of_run = {"logs": {"flow_run_id": {"any_": [found["flow_run"]]}}}
    logged = project.prefect("POST", "/logs/filter", of_run)
    assert "gate: release" in [line["message"] for line in logged]
    assert [line["message"] for line in logged if line["level"] >= logging.WARNING] == []
    champion = ledger.champion()
    assert champion is not None
    paths = Paths(project.root, project.home)
    assert bundle.verify(paths.bundles / champion.bundle, paths.keys) == champion.bundle
    (shown,) = project.newsloop("gate", "--json").json
    assert (shown["verdict"], shown["candidate"]) == ("release", champion.bundle)
    assert "Released" in Path(unquote(shown["page"].removeprefix("file://"))).read_text()


def test_the_candidate_stood_its_rehearsal_and_nothing_is_left_of_it(project: Project) -> None:
    paths = Paths(project.root, project.home)
    (file,) = paths.rehearsals.iterdir()
    found = tables.read_json(file)
    assert (found["problem"], found["equal"], found["refused"]) == (None, 1.0, 1.0)
    assert found["texts"] > 20
    assert 0 < found["p50_ms"] <= found["p95_ms"]
    assert 50 < found["memory_mib"] < 3000
    assert not list(project.home.glob("rehearsal-*"))


def test_run_again_changes_nothing(project: Project, ledger: Ledger) -> None:
    before = ledger.deployments()
    lock = (project.root / "dvc.lock").read_bytes()
    found = project.newsloop("run", "--json").json
    assert {row[1] for row in found["stages"]} == {"unchanged"}
    assert found["outcome"] == "unchanged"
    assert ledger.deployments() == before
    assert (project.root / "dvc.lock").read_bytes() == lock


def test_dvc_repro_alone_gives_the_same_lock(project: Project, tmp_path: Path) -> None:
    """In a clone with an empty cache, so that every stage runs again, and with keys of its own."""
    clone = tmp_path / "clone"
    project.git("clone", "--quiet", str(project.root), str(clone))
    shutil.copytree(project.root / "texts", clone / "texts")
    for name in ("data/sources.json", "data/candidate.json"):
        shutil.copy(project.root / name, clone / name)
    answer = project.command("dvc", "repro", cwd=clone, NEWSLOOP_HOME=str(clone / ".newsloop"))
    assert answer.status == 0, answer.err[-2000:]
    assert answer.out.count("Running stage") == len(STAGES)
    assert (clone / "dvc.lock").read_bytes() == (project.root / "dvc.lock").read_bytes()
    signatures = {(root / BUNDLE / bundle.SIGNATURE).read_bytes() for root in (clone, project.root)}
    assert len(signatures) == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("dvc", "metrics", "show"), "accuracy"),
        (("dvc", "metrics", "diff", "newsloop@v1.0.0"), ""),
        (("dvc", "plots", "show", "--out", ".newsloop/plots"), "index.html"),
        (("dvc", "exp", "show", "--csv"), "accuracy"),
        (("gto", "show"), "newsloop"),
    ],
)
def test_dvc_and_gto_show_what_was_learned(
    project: Project, command: tuple[str, ...], words: str
) -> None:
    answer = project.command(*command)
    assert answer.status == 0, answer.err
    assert words in answer.out


def test_the_bento_serves_by_plain_bentoml_serve(project: Project, tmp_path: Path) -> None:
    from flows.stack import free_ports

    (port,) = free_ports(1)
    bento = project.root / "data" / "06_packaged" / "bento"
    env = project.environment(BENTOML_HOME=str(tmp_path), BENTOML_DO_NOT_TRACK="True")
    del env["NEWSLOOP_HOME"]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(
        ["bentoml", "serve", str(bento), "--port", str(port)], env=env, stdout=log, stderr=log
    ) as server:  # fmt: skip
        try:
            with Client(f"http://127.0.0.1:{port}") as client:
                wait("answer of the bento", client.ready)
                found = client.classify(articles("sports", 100, 103))
            assert {one.label for one in found.predictions} <= set(LABELS)
        finally:
            server.terminate()


def test_up_starts_the_stack_and_status_shows_it(project: Project) -> None:
    assert project.newsloop("up", "--json").status == 0
    found = project.newsloop("status", "--json").json
    assert all(found["processes"][name] for name in ("server", "runner", "service"))
    assert found["champion"]["tag"] == "newsloop@v1.0.0"
    assert found["service"]["model"]["bundle"] == found["champion"]["bundle"]
    before = found["processes"]
    assert project.newsloop("up", "--json").json["processes"] == before


def test_traffic_of_the_same_world_is_no_drift(project: Project, ledger: Ledger) -> None:
    texts = [text for label in LABELS for text in articles(label, 45, 60)]
    texts[0] += f" Write to {canary('request')}."
    with Client(project.service) as client:
        found = client.classify(texts)
    assert found.model.startswith("newsloop@v1.0.0")
    wait("scrubbed texts", lambda: len(rows(ledger, ledgers.TEXTS)) == len(texts))
    answer = project.newsloop("monitor", "--json")
    assert "absl" not in answer.err  # TensorFlow is quiet where a flow loads a model
    outcome = answer.json
    assert outcome["verdict"] == "wait"
    assert "drift" in " ".join(outcome["reasons"])


def test_the_loop_closes_by_itself(project: Project, ledger: Ledger) -> None:
    """Traffic of one class only, labels, one look of monitoring: then nobody does anything."""
    texts = [f"computer game {text[:300]}" for text in articles("tech", 60, 120)]
    failed: list[str] = []
    models: list[str] = []
    ended = threading.Event()

    def ask_all_the_time() -> None:
        with Client(project.service) as client:
            while not ended.is_set():
                try:
                    models.append(client.classify([texts[0]]).model)
                except StackError as error:
                    failed.append(str(error))
                ended.wait(0.2)

    scopes = ("--scope", "predict", "--scope", "label")
    key = project.newsloop("api-key", "add", "labeller", *scopes, "--json").json["key"]
    with Client(project.service, key=key) as client:
        ids = [one.prediction_id for one in client.classify(texts).predictions]
        counts = client.feedback((one, "tech") for one in ids)
        assert (counts.accepted, counts.duplicate, counts.unknown) == (len(ids), 0, 0)
        wait("scrubbed texts", lambda: ledger.feedback_watermark() == len(ids))
        somebody = threading.Thread(target=ask_all_the_time)
        somebody.start()
        try:
            outcome = project.newsloop("monitor", "--json").json
            assert outcome["verdict"] == "retrain", outcome
            wait("second release", lambda: len(ledger.versions()) == 2)
            wait("new model in service", lambda: client.model().version == 2)
        finally:
            ended.set()
            somebody.join()
        again = client.classify(texts)
    assert failed == []
    assert {model.split()[0] for model in [*models, again.model]} <= {
        "newsloop@v1.0.0",
        "newsloop@v2.0.0",
    }
    assert again.model.startswith("newsloop@v2.0.0")
    champion = ledger.champion()
    assert champion is not None
    assert champion.decision["feedback_watermark"] == len(ids)
    # The version came home as a tag; the person's branch did not move.
    assert project.git("tag", "--list").split() == ["newsloop@v1.0.0", "newsloop@v2.0.0"]
    assert project.git("log", "--format=%s") == "start"
    assert project.git("rev-parse", "newsloop@v2.0.0^{commit}") == champion.commit


def test_an_answer_is_traced_to_its_data(project: Project, ledger: Ledger) -> None:
    with Client(project.service) as client:
        (answer,) = client.classify([articles("tech", 0, 1)[0]]).predictions
    wait("its row", lambda: any(r["id"] == answer.prediction_id for r in rows(ledger, PREDICTIONS)))
    found = project.newsloop("why", answer.prediction_id, "--json").json
    champion = ledger.champion()
    assert champion is not None
    assert found["prediction"]["label"] == answer.label
    assert found["bundle"] == {"name": champion.bundle, "verified": True, "fault": None}
    assert (found["version"]["tag"], found["commit"]["id"]) == (champion.tag, champion.commit)
    lock = project.git("show", f"{champion.tag}:dvc.lock") + "\n"
    assert found["data"]["dvc_lock"] == hashlib.sha256(lock.encode()).hexdigest()
    assert len(found["data"]["outs"]) == len(STAGES)
    assert found["validation"]["rows"] == 5 * project.per_class + 60
    assert all(check["passed"] for check in found["gate"]["checks"])
    assert project.newsloop("why", "0" * 32).status == 1
    assert project.newsloop("status", "--json").json["disagreements"] == []


def test_two_versions_are_compared(project: Project) -> None:
    found = project.newsloop("diff", "v1", "v2", "--json").json
    assert sum(side["added"] for side in found["data"].values()) > 0
    assert sum(side["removed"] for side in found["data"].values()) == 0
    assert [pin["watermark"] for pin in found["sources"]["feedback"]] == [0, 60]
    assert found["params"] == {}
    answers = found["answers"]
    assert len(answers["disagree"]) >= answers["first_right"] + answers["second_right"]
    assert answers["documents"] == found["data"]["test"]["documents"][0]
    assert project.newsloop("diff", "v1", "v9").status == 2


def test_a_version_is_restored_and_trained_again(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    found = project.newsloop("restore", "v1", str(folder), "--retrain", "--json").json
    assert (found["tag"], found["gone"]) == ("newsloop@v1.0.0", [])
    assert found["files"] > 30
    assert found["retrained"] == {"bundle": found["bundle"], "same": True}
    assert project.git("status", "--porcelain", "--untracked-files=no") == ""


def test_one_drift_makes_one_run(project: Project, ledger: Ledger) -> None:
    texts = [f"computer game {text[:300]}" for text in articles("tech", 120, 180)]
    with Client(project.service) as client:
        ids = [one.prediction_id for one in client.classify(texts).predictions]
        client.feedback((one, "tech") for one in ids)
    wait("scrubbed texts", lambda: ledger.feedback_watermark() == 2 * len(ids))
    outcome = project.newsloop("monitor", "--json").json
    assert outcome["verdict"] != "retrain"
    assert len(rows(ledger, ledgers.RUNS)) == 1


def test_what_was_decided_can_be_seen(project: Project) -> None:
    rows = project.newsloop("decisions", "--json").json
    assert [row["outcome"] for row in rows if row["verdict"] == "retrain"] == ["released"]
    page = project.home / "reports" / "index.html"
    assert "newsloop@v2.0.0 serves" in page.read_text()
    assert project.newsloop("status", "--json").json["alerts"]
    found = project.prefect("POST", "/automations/filter", {})
    assert {"retrain on drift", "newsloop: mark dead runs as crashed"} <= {
        one["name"].split("/")[-1] for one in found
    }


@needs_browser
def test_every_page_is_linked_and_fits_a_phone(project: Project) -> None:
    files, missing = followed(project.home / "home.html")
    assert missing == []
    names = [str(file.relative_to(project.home.resolve())) for file in files]
    assert {
        "data_docs/index.html", "reports/evaluation.html", "reports/privacy.html",
        "reports/index.html", "reports/cards/v1.html", "reports/cards/v2.html",
    } <= set(names)  # fmt: skip
    assert {"decisions", "monitoring"} <= {file.parent.name for file in files}
    addresses = [file.as_uri() for file in files] + [f"{project.service}/ui"]
    said: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: said.append(message.text))
        widths = {}
        for address in addresses:
            page.goto(address)
            if "/monitoring/" in address:
                page.locator(".js-plotly-plot").first.wait_for()  # Evidently draws
            widths[address] = page.evaluate("document.documentElement.scrollWidth")
            assert page.locator("header.site").count() == 1, address
    assert {address for address, width in widths.items() if width > 390} == set()
    assert said == []


def test_rollback_and_promote_are_followed_by_the_service(project: Project) -> None:
    with Client(project.service) as client:
        assert project.newsloop("rollback").status == 0
        wait("the first version", lambda: client.model().version == 1)
        refused = project.newsloop("rollback")
        assert (refused.status, "none" in refused.err) == (1, True)
        assert project.newsloop("promote", "v2", "--because", "a test").status == 0
        wait("the second version", lambda: client.model().version == 2)
    assert project.newsloop("promote", "v9", "--because", "a test").status == 2
    history = project.newsloop("models", "--json").json
    assert [row["version"] for row in history] == [2, 1]


def test_down_ends_what_was_started_and_nothing_else(project: Project) -> None:
    found = project.newsloop("status", "--json").json["processes"]
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        ended = project.newsloop("down", "--json").json["ended"]
        assert sorted(ended) == ["runner", "server", "service"]
        assert not any(psutil.pid_exists(found[name]["pid"]) for name in ended)
        assert bystander.poll() is None
        left = [
            process.info["cmdline"]
            for process in psutil.process_iter(["cmdline"])
            if str(project.root) in " ".join(process.info["cmdline"] or [])
        ]
        assert left == []
    finally:
        bystander.kill()
        bystander.wait()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(project.service.rsplit(":", 1)[1])))
    assert project.newsloop("down", "--json").json == {"ended": []}


def content(path: Path) -> bytes:
    """A file's bytes; of a Parquet file, which is compressed, what it says."""
    raw = path.read_bytes()
    return pl.read_parquet(path).write_json().encode() if raw.startswith(b"PAR1") else raw


def test_planted_personal_data_is_nowhere(project: Project) -> None:
    """Canaries came in by the sources and by requests: none is in data, cache, ledger or logs."""
    canaries = [canary(label).encode() for label in (*LABELS, "request")]
    source = (project.root / "texts" / "tech" / "000.txt").read_bytes()
    assert canary("tech").encode() in source
    places = [project.root / "data", project.root / ".dvc", project.home]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert any(b"<EMAIL_ADDRESS>" in content(path) for path in files)
    found = {
        (str(path.relative_to(project.root)), one)
        for path in files
        for one in canaries
        if one in content(path)
    }
    assert found == set()


def test_nothing_is_written_to_the_home_of_who_gave_the_commands(project: Project) -> None:
    assert [path for path in project.person.rglob("*") if path.is_file()] == []


def rows(ledger: Ledger, table: ledgers.sa.Table) -> list[dict[str, object]]:
    return ledger.query(ledgers.sa.select(table))


def test_nobody_else_may_read_the_state(project: Project) -> None:
    """All commands ran with a umask that takes nothing away from anybody."""
    assert readable_by_others(project.root, project.home) == []


def test_nobody_was_asked_outside_this_machine(project: Project) -> None:
    """Row 38, the last: what all commands, servers and runs of this file tried."""
    attempts = project.root.parent / "watch" / "attempts"
    assert not attempts.exists(), attempts.read_text()
    ask = "import socket; socket.getaddrinfo('example.org', 80)"
    project.command(sys.executable, "-c", ask)
    assert attempts.read_text().count("socket.getaddrinfo example.org") == 1
