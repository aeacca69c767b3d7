"""Two service processes on one PostgreSQL ledger change models together, under load."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from components.core import params as parameters
from components.core.errors import StackError
from components.core.ledger import PREDICTIONS, Champion, Ledger
from components.core.paths import Paths
from serving.client import Client
from serving.server import command
from tests import postgres, tiny
from tests.served import Server, free_port, settings, wait_for

SWAPS = 6
TOGETHER = 5.0  # seconds within which both serve the new version; they look every 0.05 s


class Pair:
    """Two services of one project, which share its bundle store and its ledger."""

    def __init__(self, paths: Paths, database: str, patch: pytest.MonkeyPatch) -> None:
        (paths.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
        self.paths, self.servers = paths, []
        patch.setenv("NEWSLOOP_DATABASE_URL", database)
        self.ledger = Ledger(database)
        self.champions = [tiny.make_champion(paths, seed=seed) for seed in (1, 0)]
        paths.params.write_text(settings(free_port()), encoding="utf-8")
        params = parameters.load(paths.params)
        for i in range(2):
            port = free_port()
            serve = params.serve.model_copy(update={"port": port})
            patch.setenv("BENTOML_HOME", str(paths.root / f"bentoml-{i}"))
            argv, environment = command(params.model_copy(update={"serve": serve}), paths)
            self.servers.append(Server(argv, environment, port, paths.root / f"log-{i}"))
        for server in self.servers:
            wait_for("readyz", server.client.ready)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()
        self.ledger.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgresql: str) -> Iterator[Pair]:
    root = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch:
        started = Pair(Paths(root, root / "home"), postgres.new_database(postgresql), patch)
        yield started
        started.stop()


def title(champion: Champion) -> str:
    return f"{champion.tag} {champion.bundle[:12]}"


class Load:
    """A client that asks one service without an end; `answers` are (time, model, prediction id)."""

    def __init__(self, url: str) -> None:
        self.answers: list[tuple[float, str, str]] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(url,))
        self._thread.start()

    def _ask(self, url: str) -> None:
        with Client(url, patience=0) as client:
            while not self._stop.wait(0.005):
                try:
                    found = client.classify(["a film"])
                except StackError as error:
                    self.failures.append(str(error))
                    return
                id_ = found.predictions[0].prediction_id
                self.answers.append((time.monotonic(), found.model, id_))

    def serves(self, model: str) -> bool:
        assert self.failures == []
        return bool(self.answers) and self.answers[-1][1] == model

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)


def test_both_swap_together_and_all_is_in_the_one_ledger(pair: Pair) -> None:
    loads = [Load(server.url) for server in pair.servers]
    try:
        for i in range(SWAPS):
            wanted = pair.champions[i % 2]
            pair.ledger.deploy(wanted.version, tiny.NOW, f"swap {i}")
            name = title(wanted)
            wait_for(name, lambda name=name: all(one.serves(name) for one in loads), TOGETHER)  # type: ignore[misc]
    finally:
        for load in loads:
            load.stop()
    assert [load.failures for load in loads] == [[], []]
    bundles = {title(one): one.bundle for one in pair.champions}
    for load in loads:  # each changed as often as it was told to, and never back by itself
        models = [model for _, model, _ in load.answers]
        changes = [b for a, b in itertools.pairwise(models) if a != b]
        told = [title(pair.champions[i % 2]) for i in range(SWAPS)]
        assert changes == told[-len(changes) :]
        assert len(changes) >= SWAPS - 1  # the first one may be what it served already
    given = {id_: bundles[model] for load in loads for _, model, id_ in load.answers}

    def kept() -> dict[str, str]:
        rows = pair.ledger.query(sa.select(PREDICTIONS.c.id, PREDICTIONS.c.bundle))
        return {row["id"]: row["bundle"] for row in rows}

    wait_for("the rows", lambda: given.items() <= kept().items())
    assert len(given) == len(kept())


def test_a_label_for_an_answer_of_one_is_taken_by_the_other(pair: Pair) -> None:
    first, second = (server.client for server in pair.servers)
    id_ = first.classify(["a film"]).predictions[0].prediction_id
    query = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.id == id_)
    wait_for("the row", lambda: pair.ledger.query(query))
    assert second.feedback([(id_, "tech")]).accepted == 1
    assert first.feedback([(id_, "tech")]).duplicate == 1


def test_each_has_metrics_of_its_own(pair: Pair) -> None:
    for server in pair.servers:
        told = server.http.get("/metrics").text
        line = next(x for x in told.splitlines() if x.startswith("newsloop_requests_total{"))
        assert float(line.split()[-1]) > 0
