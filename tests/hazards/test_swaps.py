"""Models that change under load, go bad, or are tried, and a ledger that goes away, over HTTP.

Rows 10, 13, 27, and the spool's part of 9. NEWSLOOP_SWAPS sets the number of swaps.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa

from components.core.errors import StackError
from components.core.ledger import LABELS, PREDICTIONS, TEXTS, Champion, trials
from components.core.ledger.tables import SHADOWS
from serving.client import Client
from serving.http.answers import FeedbackCounts
from tests import tiny
from tests.served import Project, wait_for

SWAPS = int(os.environ.get("NEWSLOOP_SWAPS", "40"))
CLIENTS = 4
PAUSE = 0.03  # seconds between two requests of a client: each text has to be scrubbed, too
TRIED = {
    "report_seconds": 0.2, "absent_seconds": 4, "probation_seconds": 600, "step_seconds": 1,
    "shadow_seconds": 1, "min_texts": 20, "shares": [1.0],
    "slow_ms": 20_000, "patience_ms": 20_000,  # this machine may be busy with other tests
}  # fmt: skip


@pytest.fixture(scope="module")
def collector() -> Iterator[ThreadingHTTPServer]:
    """An OpenTelemetry collector that keeps what it gets."""

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            self.server.kept.append((self.path, self.rfile.read(size)))  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
    server.kept = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, collector: ThreadingHTTPServer
) -> Iterator[Project]:
    with pytest.MonkeyPatch.context() as patch:
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")  # milliseconds between two sendings
        project = Project(
            tmp_path_factory.mktemp("project"),
            challenger=TRIED,
        )
    project.second = tiny.make_champion(project.paths, seed=1)  # type: ignore[attr-defined]
    yield project
    project.stop()
    project.ledger.close()


@pytest.fixture
def second(service: Project) -> Champion:
    found: Champion = service.second  # type: ignore[attr-defined]
    return found


def title(champion: Champion) -> str:
    return f"{champion.tag} {champion.bundle[:12]}"


def serving(service: Project, champion: Champion) -> None:
    """Lets `champion` serve, and waits until it does."""
    service.ledger.deploy(champion.version, tiny.NOW, "a test")
    wait_for(champion.tag, lambda: service.client.model().model == title(champion))


@contextmanager
def load(service: Project) -> Iterator[list[tuple[str, str, float]]]:
    """Clients that ask all the time; each answer's model, prediction id and confidence."""
    stop = threading.Event()
    found: list[tuple[str, str, float]] = []
    failures: list[StackError] = []

    def ask() -> None:
        with Client(service.url, patience=0) as client:
            while not stop.is_set():
                try:
                    answer = client.classify(["a film", "a film of today"])
                except StackError as error:
                    failures.append(error)
                    return
                found.extend(
                    (answer.model, one.prediction_id, one.confidence) for one in answer.predictions
                )
                stop.wait(PAUSE)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert failures == []


def test_labels_late_twice_out_of_order_and_unknown(service: Project, second: Champion) -> None:
    serving(service, service.champion)
    ids = [p.prediction_id for p in service.client.classify(["a film"] * 6).predictions]
    serving(service, second)  # labels come after the model has gone
    said = [
        [(ids[2], "tech")],
        [(ids[0], "tech"), ("f" * 32, "tech"), ("no id", "sport")],
        [(ids[2], "tech"), (ids[1], "sport")],
        [(ids[0], "tech"), (ids[0], "politics"), (ids[0], "politics")],
    ]
    counts = [service.client.feedback(labels) for labels in said]
    assert counts == [
        FeedbackCounts(accepted=1, duplicate=0, unknown=0),
        FeedbackCounts(accepted=1, duplicate=0, unknown=2),
        FeedbackCounts(accepted=1, duplicate=1, unknown=0),
        FeedbackCounts(accepted=1, duplicate=2, unknown=0),
    ]
    mine = sa.select(LABELS).where(LABELS.c.prediction_id.in_(ids)).order_by(LABELS.c.seq)
    last = {row["prediction_id"]: row["label"] for row in service.ledger.query(mine)}
    assert last == {ids[0]: "politics", ids[1]: "sport", ids[2]: "tech"}
    wait_for("texts", lambda: all(service.text_of(id_) for id_ in ids))
    learned = service.ledger.feedback(service.ledger.feedback_watermark())
    assert {r["prediction_id"]: r["label"] for r in learned if r["prediction_id"] in ids} == last


def test_while_the_ledger_is_away_answers_go_on_and_arrive_later(service: Project) -> None:
    def rename(old: str, new: str) -> None:
        with service.ledger.engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))

    rename("predictions", "away")  # from now on every insert fails
    try:
        ids = [
            service.client.classify(["My name is John Smith, a film"]).predictions[0].prediction_id
            for _ in range(5)
        ]
        # Predictions and texts, or at least the former: texts wait for the scrubber.
        wait_for("spool", lambda: metric(service, "rows_spooled_total") >= len(ids))
        segments = list(service.paths.spool.iterdir())
        assert segments
        assert all(b"John Smith" not in path.read_bytes() for path in segments)
        refused = service.http.post(
            "/feedback", json={"labels": [{"prediction_id": ids[0], "label": "tech"}]}
        )
        assert refused.status_code == 503
    finally:
        rename("away", "predictions")
    wait_for("delivery", lambda: metric(service, "spool_bytes") == 0)
    rows = [row["id"] for row in service.rows(PREDICTIONS)]
    assert rows[-5:] == ids
    wait_for("texts", lambda: all(service.text_of(id_) for id_ in ids))
    assert {row["text"] for row in service.rows(TEXTS) if row["prediction_id"] in ids} == {
        "My name is <PERSON>, a film"
    }
    assert service.client.feedback([(ids[0], "tech")]).accepted == 1


def test_swaps_under_load_fail_nothing_and_each_answer_names_its_model(
    service: Project, second: Champion
) -> None:
    champions = [service.champion, second]
    with load(service) as found:
        for i in range(SWAPS):
            champion = champions[i % 2]
            service.ledger.deploy(champion.version, tiny.NOW, f"swap {i}")
            wait_for(f"swap {i}", lambda c=champion: found and found[-1][0] == title(c))  # type: ignore[misc]
    assert {model for model, _, _ in found} == {title(one) for one in champions}
    # Each model has a confidence of its own for this text: no answer is a mixture of two.
    said = {
        model: {round(value, 6) for m, _, value in found if m == model} for model, _, _ in found
    }
    assert [len(values) for values in said.values()] == [1, 1]
    assert len(set.union(*said.values())) == 2
    short = {title(one): one.bundle for one in champions}
    given = {id_: short[model] for model, id_, _ in found}
    service.client.feedback([(found[-1][1], "tech")])  # it flushes
    kept = {row["id"]: row["bundle"] for row in service.rows(PREDICTIONS)}
    assert {id_: kept.get(id_) for id_ in given} == given
    assert service.log.read_text().count("cannot be served") == 0


def metrics(service: Project) -> str:
    return service.http.get("/metrics").text


def metric(service: Project, name: str) -> float:
    lines = metrics(service).splitlines()
    return float(next(line for line in lines if line.startswith(f"newsloop_{name} ")).split()[1])


def test_a_challenger_is_a_shadow_then_answers_then_serves(
    service: Project, second: Champion
) -> None:
    serving(service, service.champion)
    row = next(r for r in service.ledger.versions() if r["version"] == second.version)

    def event() -> str:
        newest = trials.newest(service.ledger)
        assert newest is not None
        return newest.event

    with load(service) as found:
        trials.start(service.ledger, row, [0.0], "a test", datetime.now(UTC))
        wait_for("the shadow's verdict", lambda: event() == "passed")
        assert {model for model, _, _ in found} == {title(service.champion)}
        assert service.rows(SHADOWS)
        trials.start(service.ledger, row, [1.0], "a test", datetime.now(UTC))
        wait_for("its answers", lambda: found[-1][0] == title(second))
        wait_for("the promotion", lambda: event() == "promoted")
        wait_for("its service", lambda: service.client.model().model == title(second))
    champion = service.ledger.champion()
    assert champion is not None
    assert champion.version == second.version


def test_a_bad_champion_is_back_by_itself(service: Project) -> None:
    """A bundle that breaks after its release: the service never serves it, and says so."""
    before = service.ledger.champion()
    assert before is not None
    draft = service.paths.bundles / "draft"
    name = tiny.make_bundle(draft, service.paths.keys, seed=2)
    draft.rename(service.paths.bundles / name)
    (service.paths.bundles / name / "bundle.json").write_text("{}")
    with load(service) as found:
        tiny.deploy(service.paths, name, datetime.now(UTC), "release")
        bad = service.ledger.champion()
        assert bad is not None
        wait_for("the way back", lambda: service.ledger.champion() != bad, 60)
        count = len(found)
        wait_for("more answers", lambda: len(found) > count + 20)
    after = service.ledger.champion()
    assert after is not None
    assert after.version == before.version
    assert after.reason.startswith(f"returned by itself: {bad.tag}: no metrics for ")
    assert {model for model, _, _ in found} == {title(before)}


def test_metrics_speak_of_models_stages_and_answers(service: Project) -> None:
    found = metrics(service)
    model = service.client.model().model
    for line in [
        f'newsloop_answers_total{{abstained="false",model="{model}"}}',
        f'newsloop_confidence_bucket{{le="1.0",model="{model}"}}',
        'newsloop_stage_seconds_bucket{le="0.005",stage="compute"}',
        'newsloop_stage_seconds_count{stage="queue"}',
        "newsloop_batch_texts_bucket",
        'newsloop_requests_total{endpoint="/classify",status="200"}',
        f'newsloop_model{{model="{model}"}} 1',
        "newsloop_spool_full 0",
        "newsloop_texts_in_queue ",
    ]:
        assert line in found, line


def test_traces_and_logs_hold_no_text(service: Project, collector: ThreadingHTTPServer) -> None:
    kept: list[tuple[str, bytes]] = collector.kept  # type: ignore[attr-defined]
    kept.clear()
    service.client.classify(["Zaphod has a film"])
    wait_for("a trace", lambda: any(b"/classify" in body for _, body in kept))
    assert {path for path, _ in kept} == {"/v1/traces"}
    assert not any(b"Zaphod" in body for _, body in kept)
    lines = [line for line in service.log.read_text().splitlines() if "newsloop.serving" in line]
    events = [json.loads(line) for line in lines]
    assert {"time", "level", "logger", "message"} == set(events[0])
    assert any("serves from now on" in event["message"] for event in events)
    assert not any("film" in event["message"] for event in events)
