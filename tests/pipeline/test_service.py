"""The real BentoML server with a real, tiny bundle, over real HTTP."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from jsonschema import Draft202012Validator

from components.core import bundle as bundles
from components.core import keys
from components.core import params as parameters
from components.core.errors import NewsloopError, StackError
from components.core.ledger import PREDICTIONS, TEXTS, Champion
from components.core.paths import Paths
from serving import runtime
from serving.client import Client
from serving.http import answers, api_keys, openapi
from serving.http.answers import FeedbackCounts
from serving.server import command
from tests import tiny
from tests.served import (
    MAX_CHARACTERS,
    MAX_TEXTS,
    PROJECT,
    Project,
    Server,
    free_port,
    settings,
    wait_for,
)  # fmt: skip

PERSONAL = "My name is John Smith, write to john.smith@example.com about the film"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    yield project
    if project.process.poll() is None:
        project.stop()
    project.ledger.close()


def test_before_the_first_release_it_is_alive_and_not_ready(service: Project) -> None:
    assert {route: r.status_code for route, r in service.before_release.items()} == {
        "/readyz": 503,
        "/model": 503,
        "/classify": 503,
    }
    assert "No model is loaded yet" in service.before_release["/classify"].json()["error"]


def test_classify(service: Project) -> None:
    found = service.client.classify(["A film.", "The TEAM and its match", "nothing known", ""])
    assert found.model == f"newsloop@v1.0.0 {service.champion.bundle[:12]}"
    assert [p.label for p in found.predictions[:2]] == ["entertainment", "sport"]
    assert len({p.prediction_id for p in found.predictions}) == 4
    for prediction in found.predictions:
        assert set(prediction.probabilities) == set(tiny.LABELS)
        assert sum(prediction.probabilities.values()) == pytest.approx(1)
        assert prediction.confidence == prediction.probabilities[prediction.label]
        assert prediction.abstained is False


def test_what_is_kept_of_a_prediction_is_scrubbed(service: Project) -> None:
    found = service.client.classify([PERSONAL]).predictions[0]
    wait_for("the text", lambda: service.text_of(found.prediction_id))
    assert service.text_of(found.prediction_id) == [
        "My name is <PERSON>, write to <EMAIL_ADDRESS> about the film"
    ]
    where = PREDICTIONS.c.id == found.prediction_id
    wait_for("the row", lambda: service.ledger.query(sa.select(PREDICTIONS).where(where)))
    row = service.ledger.query(sa.select(PREDICTIONS).where(where))[0]
    assert row["bundle"] == service.champion.bundle
    assert row["probabilities"] == found.probabilities
    assert row["words"] == 14
    assert len(row["features"]) == 2


def test_explain_names_the_word_that_carried_the_label(service: Project) -> None:
    found = service.client.explain("The minister's film, a film of films")
    assert found.label == "entertainment"
    assert [word.word for word in found.words][:2] == ["film", "minister"]
    assert found.words[0].weight > 0 > found.words[1].weight
    total = sum(word.weight for word in found.words)
    assert found.baseline is not None
    assert total == pytest.approx(math.log(found.confidence / found.baseline), abs=1e-3)
    assert {word.word: word.weight for word in found.words}["of"] == 0
    assert (found.tried, found.distinct) == (7, 7)
    # Words that the model does not read have no weight; an empty text has no words.
    long = service.client.explain(" ".join(f"w{i}" for i in range(300)))
    assert (long.tried, long.distinct) == (tiny.LENGTH, 300)
    assert service.client.explain("").words == []


def test_feedback_sent_right_after_is_accepted(service: Project) -> None:
    for label in ("tech", "sport"):
        ids = [p.prediction_id for p in service.client.classify(["a", "b"]).predictions]
        pairs = [(ids[0], label), (ids[1], label), (ids[1], label), ("f" * 32, label), ("?", label)]
        assert service.client.feedback(pairs) == FeedbackCounts(2, 1, 2)


def test_model(service: Project) -> None:
    found = service.client.model()
    champion = service.champion
    expected = {
        "model": f"newsloop@v1.0.0 {champion.bundle[:12]}",
        "version": 1,
        "tag": "newsloop@v1.0.0",
        "bundle": champion.bundle,
        "snapshot": champion.snapshot,
        "commit": champion.commit,
        "dvc_lock": champion.dvc_lock,
        "metrics": {"accuracy": 1.0},
        "decision": {"verdict": "release", "reasons": []},
        "since": "2026-01-05T03:00:00+00:00",
        "reason": "a test",
    }
    assert expected.items() <= vars(found).items()
    assert found.facts["labels"] == list(tiny.LABELS)


def test_the_document_describes_the_real_answer_of_each_route(service: Project) -> None:
    """Each valid by its schema, and without a field that the schema lacks."""
    document = service.http.get(openapi.PATH).json()
    prediction_id = service.client.classify(["a film"]).predictions[0].prediction_id
    label = {"prediction_id": prediction_id, "label": "tech"}
    asked: list[tuple[str, str, object, int]] = [
        ("POST", "/classify", {"texts": ["a film", ""]}, 200),
        ("POST", "/explain", {"text": "a film"}, 200),
        ("POST", "/feedback", {"labels": [label]}, 200),
        ("GET", "/model", None, 200),
        ("POST", "/classify", {"texts": []}, 400),
        ("POST", "/explain", {"text": 1}, 400),
        ("POST", "/feedback", {"labels": [label | {"label": "weather"}]}, 400),
    ]
    for method, path, body, status in asked:
        answer = service.http.request(method, path, json=body)
        assert answer.status_code == status
        responses = document["paths"][path][method.lower()]["responses"]
        (media,) = responses[str(status)]["content"].values()
        validator = Draft202012Validator(media["schema"] | {"components": document["components"]})
        assert [error.message for error in validator.iter_errors(answer.json())] == [], path
        name = media["schema"]["$ref"].rpartition("/")[2]
        assert document["components"]["schemas"][name]["properties"].keys() == answer.json().keys()
        # A schema that took anything would be no check.
        assert not validator.is_valid({"other": 1})
    kinds = {kind.__name__ for kind in answers.ANSWERS}
    assert kinds <= document["components"]["schemas"].keys()


def test_what_somebody_writes_into_an_address_is_in_no_metric(service: Project) -> None:
    assert service.http.get("/ann.author@example.org").status_code == 404
    assert service.http.post("/classify/ann.author@example.org", json={}).status_code == 404
    told = service.http.get("/metrics").text
    assert "ann.author" not in told


def test_livez_and_metrics(service: Project) -> None:
    assert service.http.get("/livez").status_code == 200
    metrics = service.http.get("/metrics").text
    assert "newsloop_texts_dropped_total 0" in metrics
    assert 'endpoint="/classify"' in metrics


SECRET = "Zaphod Beeblebrox lives"
JSON = "application/json"


@pytest.mark.parametrize(
    ("route", "body", "media_type", "status"),
    [
        ("/classify", b"", JSON, 400),
        ("/classify", b"{", JSON, 400),
        ("/classify", f'{{"texts": ["{SECRET}"'.encode(), JSON, 400),
        ("/classify", b"\xff\xfe\x00", JSON, 400),
        ("/classify", b"[" * 100_000, JSON, 400),
        ("/classify", b"9" * 10_000, JSON, 400),
        ("/classify", json.dumps([SECRET]), JSON, 400),
        ("/classify", json.dumps(SECRET), JSON, 400),
        ("/classify", "null", JSON, 400),
        ("/classify", "NaN", JSON, 400),
        ("/classify", json.dumps({}), JSON, 400),
        ("/classify", json.dumps({SECRET: ["a"]}), JSON, 400),
        ("/classify", json.dumps({"texts": ["a"], SECRET: 1}), JSON, 400),
        ("/classify", json.dumps({"texts": SECRET}), JSON, 400),
        ("/classify", json.dumps({"texts": None}), JSON, 400),
        ("/classify", json.dumps({"texts": []}), JSON, 400),
        ("/classify", json.dumps({"texts": [SECRET, 1]}), JSON, 400),
        ("/classify", json.dumps({"texts": [SECRET, None]}), JSON, 400),
        ("/classify", json.dumps({"texts": [[SECRET]]}), JSON, 400),
        ("/classify", json.dumps({"texts": [SECRET] * (MAX_TEXTS + 1)}), JSON, 400),
        ("/classify", json.dumps({"texts": [SECRET + "x" * MAX_CHARACTERS]}), JSON, 400),
        ("/classify", b" " * (17 * 2**20), JSON, 413),
        ("/classify", f"texts={SECRET}", "application/x-www-form-urlencoded", 415),
        ("/classify", b"--x", "multipart/form-data; boundary=x", 415),
        ("/classify", b"\x80\x04N.", "application/vnd.bentoml+pickle", 415),
        ("/explain", json.dumps({"texts": [SECRET]}), JSON, 400),
        ("/explain", json.dumps({"text": [SECRET]}), JSON, 400),
        ("/explain", json.dumps({"text": SECRET + "x" * MAX_CHARACTERS}), JSON, 400),
        ("/feedback", json.dumps({"labels": []}), JSON, 400),
        ("/feedback", json.dumps({"labels": [SECRET]}), JSON, 400),
        ("/feedback", json.dumps({"labels": [{"prediction_id": "a"}]}), JSON, 400),
        ("/feedback", json.dumps({"labels": [{"prediction_id": 1, "label": "tech"}]}), JSON, 400),
        ("/feedback", json.dumps({"labels": [{"prediction_id": "a", "label": SECRET}]}), JSON, 400),
        ("/model", "{}", JSON, 405),
        ("/nowhere", "{}", JSON, 404),
    ],
)
def test_bad_input_gets_one_sentence(
    service: Project, route: str, body: bytes | str, media_type: str, status: int
) -> None:
    response = service.http.post(route, content=body, headers={"Content-Type": media_type})
    assert response.status_code == status
    assert "Traceback" not in response.text
    assert SECRET not in response.text
    if route not in ("/model", "/nowhere") and "pickle" not in media_type:
        assert list(response.json()) == ["error"]
        assert response.json()["error"].endswith(".")


def test_an_unknown_label_is_told_the_known_ones(service: Project) -> None:
    with pytest.raises(StackError, match="business, entertainment, politics, sport, tech"):
        service.client.feedback([("a" * 32, "weather")])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("\ud800 a film \udfff", "entertainment"),
        ("a\0 film\0", "entertainment"),
        ("\U0010ffff\u202e film", "entertainment"),
        ("film" + " " * (MAX_CHARACTERS - 4), "entertainment"),
    ],
)
def test_strange_characters_are_only_characters(service: Project, text: str, label: str) -> None:
    body = json.dumps({"texts": [text]})
    found = service.http.post("/classify", content=body, headers={"Content-Type": JSON})
    assert found.status_code == 200
    prediction = found.json()["predictions"][0]
    assert prediction["label"] == label
    wait_for("the text", lambda: service.text_of(prediction["prediction_id"]))
    body = json.dumps({"text": text})
    explained = service.http.post("/explain", content=body, headers={"Content-Type": JSON})
    assert explained.json()["label"] == label


def test_hot_swap_under_load_loses_nothing_and_every_answer_names_its_model(
    service: Project,
) -> None:
    stop = threading.Event()
    answers: list[tuple[str, str]] = []  # model, prediction id
    failures: list[Exception] = []

    def ask() -> None:
        with Client(service.url) as client:
            while not stop.is_set():
                try:
                    found = client.classify(["a film", "a match"])
                    answers.extend((found.model, p.prediction_id) for p in found.predictions)
                except StackError as error:
                    failures.append(error)

    def title(champion: Champion) -> str:
        return f"{champion.tag} {champion.bundle[:12]}"

    def answers_by(champion: Champion) -> Callable[[], bool]:
        return lambda: bool(answers) and answers[-1][0] == title(champion)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        first = service.champion
        wait_for("answers by the first", answers_by(first))
        second = tiny.make_champion(service.paths, seed=1)
        wait_for("answers by the second", answers_by(second))
        # A bundle that was altered is not served, whoever calls it champion.
        third = tiny.make_bundle(service.paths.bundles / "draft", service.paths.keys, seed=2)
        broken = service.paths.bundles / third
        (service.paths.bundles / "draft").rename(broken)
        (broken / "bundle.json").write_text("{}")
        tiny.deploy(service.paths, third)
        wait_for("the refusal", lambda: "cannot be served" in service.log.read_text())
        count = len(answers)
        wait_for("more answers", lambda: len(answers) > count + 20)
        assert answers_by(second)()
        tiny.deploy(service.paths, first.bundle, reason="rollback")
        wait_for("answers by the first again", answers_by(first))
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert failures == []
    assert {model for model, _ in answers} == {title(first), title(second)}
    short = {title(c): c.bundle for c in (first, second)}
    ids = {id_: short[model] for model, id_ in answers}
    service.client.feedback([(answers[-1][1], "tech")])  # it flushes
    wait_for(
        "the rows",
        lambda: len(ids.keys() & {r["id"] for r in service.rows(PREDICTIONS)}) == len(ids),
    )
    kept = {row["id"]: row["bundle"] for row in service.rows(PREDICTIONS)}
    assert {id_: kept[id_] for id_ in ids} == ids
    assert service.log.read_text().count("cannot be served") == 1


def test_sigterm_records_what_waits_and_nothing_raw_was_left_anywhere(service: Project) -> None:
    found = service.client.classify([PERSONAL] * MAX_TEXTS)
    service.stop()
    assert service.process.returncode == 0
    kept = {row["prediction_id"]: row["text"] for row in service.rows(TEXTS)}
    assert {kept[p.prediction_id] for p in found.predictions} == {
        "My name is <PERSON>, write to <EMAIL_ADDRESS> about the film"
    }
    assert {row["id"] for row in service.rows(PREDICTIONS)} == set(kept)
    for path in service.paths.root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"John Smith" not in content, path
            assert SECRET.encode() not in content, path
    log = service.log.read_text()
    # BentoML itself refuses pickles, and logs that as an error of its own.
    assert log.count("Traceback") == log.count("pickle is not allowed")


def test_a_bento_serves_its_own_bundle_without_a_ledger(tmp_path: Path) -> None:
    code = tmp_path / "src"
    for package in ("serving", "components/core"):
        shutil.copytree(PROJECT / package, code / package)
    shutil.copy(PROJECT / "components" / "__init__.py", code / "components")
    port = free_port()
    (code / "params.yaml").write_text(settings(port), encoding="utf-8")
    name = tiny.make_bundle(code / "bundle", tmp_path / "keys")
    (code / "keys").mkdir()
    shutil.copy(tmp_path / "keys" / "signing.pub.pem", code / "keys")
    bundles.sign(code, tmp_path / "keys")
    argv = [
        sys.executable, "-m", "bentoml", "serve", "serving.service:Newsloop",
        "--working-dir", str(code), "--port", str(port),
    ]  # fmt: skip
    environment = {key: v for key, v in os.environ.items() if not key.startswith("NEWSLOOP_")}
    environment |= {"BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    server = Server(argv, environment, port, tmp_path / "log")
    try:
        wait_for("readyz", server.client.ready)
        assert server.client.classify(["a film"]).model == name[:12]
        assert server.client.model().version is None
        body = {"labels": [{"prediction_id": "a" * 32, "label": "tech"}]}
        refused = server.http.post("/feedback", json=body)
        assert refused.status_code == 503
        assert "NEWSLOOP_DATABASE_URL" in refused.json()["error"]
    finally:
        server.stop()


def test_nothing_to_serve_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NewsloopError, match="found neither"):
        runtime.find({}, tmp_path)
    with pytest.raises(NewsloopError, match="found neither"):
        runtime.check({}, tmp_path)


def test_a_bento_with_an_altered_bundle_does_not_start(tmp_path: Path) -> None:
    code, own = tmp_path / "code", tmp_path / "keys"
    tiny.make_bundle(code / "bundle", own)
    (code / "params.yaml").write_text(settings(3000), encoding="utf-8")
    (code / "keys").mkdir()
    shutil.copy(own / keys.PUBLIC, code / "keys")
    bundles.sign(code, own)
    runtime.check({}, code)
    (code / "bundle" / "bundle.json").write_text("{}")
    with pytest.raises(NewsloopError, match=r"altered: bundle\.json"):
        runtime.check({}, code)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "0.0.0.0"}, "0.0.0.0 can be reached from elsewhere, and there is none"),
        ({"host": "192.168.1.5"}, "newsloop api-key add NAME"),
        ({"host": "::"}, "there is none"),
        ({"ask_keys": "always"}, "serve.ask_keys is always, and there is none"),
        ({"host": "example.com"}, "to be an IP address"),
        ({"host": ""}, "to be an IP address"),
    ],
)
def test_where_others_reach_it_keys_are_needed(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    params = parameters.load(PROJECT / "params.yaml")
    params = params.model_copy(update={"serve": params.serve.model_copy(update=changes)})
    paths = Paths(tmp_path, tmp_path / "home")
    with pytest.raises(StackError, match=message):
        command(params, paths)
    if "IP" not in message:
        api_keys.add(paths.keys / api_keys.FILE, "a", ["predict"], tiny.NOW)
        assert command(params, paths)[0].count(params.serve.host) == 1


def test_a_service_that_is_not_there_is_a_sentence() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client:
        assert not client.ready()
        with pytest.raises(StackError, match="newsloop serve"):
            client.classify(["a"])
