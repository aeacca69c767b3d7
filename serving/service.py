"""BentoML service: routes, and connection of the parts.

    request --> gateway --> request parsing --> router --> batcher --> champion or challenger
                                                   \\--> recorder --> ledger, spool, scrubber

`newsloop serve` runs the service in a project, whose ledger it follows; `bentoml serve <bento>`
runs it with the bundle in the bento. serving/runtime.py chooses between the two.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bentoml
import click
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from components.core.errors import LedgerError
from components.core.ledger import Ledger, trials
from components.core.ledger.labels import LOOPBACK, Sender
from components.core.paths import AHEAD
from components.core.runtime.offline import stay_home
from components.core.runtime.private import keep_private
from serving import bentoml_adapter, runtime, telemetry
from serving.errors import Refused
from serving.http import (
    answers,
    classify_route,
    connections,
    feedback,
    openapi,
    request_parsing,
    ui,
)
from serving.http.answers import Classified, Explained, FeedbackCounts, ModelDescription
from serving.http.auth import Access
from serving.http.caller import CALLER
from serving.http.gateway import App, Gateway
from serving.http.request_parsing import ClassifyBody, ExplainBody, FeedbackBody
from serving.metrics import Metrics
from serving.models.champion_watcher import Served
from serving.models.explain import explain
from serving.models.model_cache import ModelCache
from serving.recording import write_ahead
from serving.recording.recorder import Recorder, utc_now
from serving.recording.scrubbing import ScrubbingProcess, command
from serving.recording.spool import Spool
from serving.recording.write_ahead import WriteAhead
from serving.rollout.challenger import ChallengerWatcher
from serving.rollout.comparison import LabelledTexts
from serving.rollout.controller import RolloutController
from serving.rollout.counters import Counters
from serving.rollout.router import Router

FLUSH_SECONDS = 5.0  # wait of feedback until its predictions are in the ledger
READY = "/readyz"
MIB = 2**20
DRAIN_SECONDS = 10.0  # at shutdown, to record the remaining predictions


async def _model(request: Request) -> Response:
    del request
    service: Any = bentoml.get_current_service()
    return await _respond(service.describe())


async def _ready(request: Request) -> Response:
    del request
    service: Any = bentoml.get_current_service()
    return service.readiness()  # type: ignore[no-any-return]


async def _document(request: Request) -> Response:
    del request
    service: Any = bentoml.get_current_service()
    return JSONResponse(service.document())


async def _ui(request: Request) -> Response:
    del request
    return ui.page()


async def _respond(answer: Awaitable[object]) -> Response:
    """Encodes the answer as JSON; answers a refusal itself, which BentoML would log as an error."""
    try:
        return Response(answers.encode(await answer), media_type="application/json")
    except Refused as refusal:
        return refusal.response()


class ServiceBehindGateway(bentoml.Service):  # type: ignore[misc]
    """BentoML service behind a Gateway.

    Attributes:
        gateway: gateway in front of the app; None before `to_asgi`.
    """

    gateway: Gateway | None = None

    def to_asgi(self, is_main: bool = True) -> App:
        """Builds the app that BentoML's worker passes to uvicorn."""
        app: Any = super().to_asgi(is_main)
        bentoml_adapter.drop_timeouts(app)
        # Before BentoML's routes, which they override.
        app.routes[:0] = [Route(openapi.PATH, _document), Route(READY, _ready)]
        params, keys = runtime.entrance()
        gateway = Gateway(app, Access(keys, params.serve.ask_keys), params.serve, _static(app))
        connections.watch(
            params.serve.receive_seconds, params.serve.max_connections, gateway.count_refusal
        )
        self.gateway = gateway
        return gateway


def _static(app: Starlette) -> frozenset[str]:
    """Returns the URL paths of the static files of BentoML's documentation page."""
    return frozenset(
        f"{mount.path}/{file.relative_to(folder).as_posix()}"
        for mount in app.routes
        if isinstance(mount, Mount) and isinstance(mount.app, StaticFiles)
        for folder in [Path(str(mount.app.directory))]
        for file in folder.rglob("*")
        if file.is_file()
    )


@bentoml.service(
    name="Newsloop",
    service_class=ServiceBehindGateway,
    workers=1,
    http={"host": "127.0.0.1"},  # BentoML's default is every address
    logging={"access": {"enabled": False}},  # no log line per request; /metrics counts requests
    tracing=telemetry.tracing(os.environ),
)
@bentoml.asgi_app(Starlette(routes=[Route("/model", _model), Route(ui.PATH, _ui)]))
class Newsloop:
    """Classifies texts, explains labels, and accepts feedback on predictions."""

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Checks settings and limits once, before any worker starts."""
        keep_private()
        # The value of `bentoml serve --host`; the gateway also checks each request's address.
        context = click.get_current_context(silent=True)
        bentoml_adapter.close_supervisor()
        connections.check_file_limit()
        runtime.check(host=context.params.get("host") if context is not None else None)

    def __init__(self) -> None:
        keep_private()
        stay_home()
        logging.getLogger("newsloop").setLevel(logging.INFO)
        parts = runtime.find()
        self._limits = parts.params.serve
        if self._limits.log == "json":
            telemetry.log_json()
        self._models, self._ledger = parts.models, parts.ledger
        provider = bentoml_adapter.tracer_provider()
        self._metrics = Metrics(telemetry.Spans(provider))
        counters = Counters(self._limits.challenger.slow_ms, self._limits.max_batch)
        self._router = Router(self._models, counters, self._limits, self._metrics)
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="aside")  # explain: one at a time
        self._labelling = threading.Lock()  # so that requests at once share a caller's limit
        self._recorder = None
        if self._ledger is not None:
            spool = ahead = None
            if parts.spool is not None:
                folder = parts.spool.with_name(AHEAD)
                write_ahead.adopt(folder, parts.spool)
                spool = Spool(parts.spool, self._limits.spool_mib * MIB)
                ahead = WriteAhead(folder)
            scrubber = ScrubbingProcess(command(parts.params_file))
            self._recorder = Recorder(self._ledger, scrubber, spool=spool, ahead=ahead)
            self._recorder.start()
        self._trials: list[ChallengerWatcher | RolloutController] = []
        if self._ledger is not None and parts.model_cache is not None:
            self._trials = self._start_rollout(self._ledger, parts.model_cache, counters)
        self._models.start()
        service: Any = Newsloop  # a ServiceBehindGateway, made by the decorator
        if service.gateway is not None:
            service.gateway.direct[classify_route.PATH] = classify_route.traced(
                classify_route.ClassifyApp(self._answer, self._metrics), provider
            )

    def _start_rollout(
        self, ledger: Ledger, model_cache: ModelCache, counters: Counters
    ) -> list[ChallengerWatcher | RolloutController]:
        """Starts the challenger watcher and the rollout controller; returns both."""
        limits = self._limits
        newest = functools.partial(trials.newest, ledger)

        def busy() -> bool:
            return self._router.waiting > 0

        self._router.challenger = ChallengerWatcher(
            newest, model_cache, counters, busy, limits.follow_seconds,
            limits.challenger.queue_texts,
        )  # fmt: skip
        controller = RolloutController(
            ledger, self._models, self._router.challenger, counters,
            LabelledTexts(ledger, model_cache, busy), limits, utc_now,
        )  # fmt: skip
        self._router.challenger.start()
        controller.start()
        return [controller, self._router.challenger]

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def close(self) -> None:
        """Ends all threads and processes; the recorder has DRAIN_SECONDS to write its rows."""
        await self._router.close()
        self._models.close()
        self._aside.shutdown()
        for part in self._trials:
            await asyncio.to_thread(part.close)
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close, DRAIN_SECONDS)
        if self._ledger is not None:
            self._ledger.close()

    def readiness(self) -> Response:
        """The answer of GET /readyz. Without its ledger the service goes on, and says so."""
        if self._models.current is None:
            return PlainTextResponse("Not ready: no model is loaded yet.\n", 503)
        if self._models.ledger_away:
            return PlainTextResponse("Ready. The ledger is away: predictions wait in the spool.\n")
        return PlainTextResponse("Ready.\n")

    def __metrics__(self, text: str) -> str:
        """Adds the metrics of recorder, queue, model and gateway to BentoML's."""
        counts = self._recorder.counts if self._recorder is not None else {}
        levels = self._recorder.levels if self._recorder is not None else {}
        levels = levels | {
            "texts_in_queue": self._router.waiting,
            "ledger_away": int(self._models.ledger_away),
        }
        if self._router.challenger is not None:
            counts = counts | {"shadow_texts_left_out": self._router.challenger.left_out}
        for name, count in counts.items():
            text += f"# TYPE newsloop_{name}_total counter\nnewsloop_{name}_total {count}\n"
        for name, level in levels.items():
            text += f"# TYPE newsloop_{name} gauge\nnewsloop_{name} {level}\n"
        if self._models.current is not None:
            model = self._models.current.title
            memory = self._models.current.bundle.memory
            text += f'# TYPE newsloop_model gauge\nnewsloop_model{{model="{model}"}} 1\n'
            text += "# TYPE newsloop_model_bytes gauge\n"
            text += f'newsloop_model_bytes{{model="{model}"}} {memory}\n'
        service: Any = Newsloop
        return text + self._metrics.text() + str(service.gateway.metrics())

    @bentoml.api(output_spec=answers.as_model(Classified))  # type: ignore[untyped-decorator]
    async def classify(self, body: ClassifyBody, /) -> Any:
        """Returns the label of each text, with the probabilities of the likeliest ten."""
        # BentoML reads only the schema: the gateway sends such requests to classify_route.Direct.
        return Response(await self._answer(await body.raw()), media_type="application/json")

    @bentoml.api(output_spec=answers.as_model(Explained))  # type: ignore[untyped-decorator]
    async def explain(self, body: ExplainBody, /) -> Any:
        """Returns the words of a text with their weights for its label."""
        return await _respond(self._explain(body))

    @bentoml.api(output_spec=answers.as_model(FeedbackCounts))  # type: ignore[untyped-decorator]
    async def feedback(self, body: FeedbackBody, /) -> Any:
        """Stores the right labels of predictions."""
        return await _respond(self._feedback(body))

    async def describe(self) -> ModelDescription:
        """Returns the answer of GET /model."""
        return self._served().describe()

    def document(self) -> dict[str, Any]:
        """Returns the answer of GET /docs.json."""
        current = self._models.current
        return openapi.document(self._limits, current.bundle.labels if current else None)

    async def _answer(self, body: bytes) -> bytes:
        """Computes the JSON that answers a body of POST /classify."""
        with self._metrics.stage("parse"):
            texts = request_parsing.texts(request_parsing.parse(body), self._limits)
        caller = CALLER.get()
        served, given = await self._router.answer(texts, caller.id if caller else None)
        with self._metrics.stage("answer"):
            title = served.title
            self._metrics.given(title, given)
            if self._recorder is not None:
                name = caller.name if caller else None
                self._recorder.record(served.bundle.name, given, texts, name)
            return answers.encode(Classified(title, [answer.prediction for answer in given]))

    async def _explain(self, body: ExplainBody) -> Explained:
        text = request_parsing.text(await body.read(), self._limits)
        served = self._served()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._aside, explain, served.title, served.bundle, text, self._limits.explain_seconds
        )

    async def _feedback(self, body: FeedbackBody) -> FeedbackCounts:
        labels = request_parsing.labels(await body.read(), self._served().bundle.labels)
        if self._ledger is None:
            raise Refused(
                503,
                "This service records no predictions, so it cannot store feedback; set "
                f"{runtime.DATABASE} to a ledger and start it again.",
            )
        key = CALLER.get()
        sender = Sender(key.id, key.may("label")) if key else Sender(LOOPBACK)
        return await asyncio.to_thread(self._add_labels, labels, sender)

    def _add_labels(self, labels: list[tuple[str, str]], sender: Sender) -> FeedbackCounts:
        """Stores labels after the newest predictions have reached the ledger."""
        assert self._ledger is not None
        assert self._recorder is not None
        possible = [pair for pair in labels if request_parsing.is_prediction_id(pair[0])]
        try:
            if not self._recorder.flush(FLUSH_SECONDS):
                raise LedgerError("The predictions did not reach it in time.")
            with self._labelling:
                feedback.check_rate(
                    self._ledger, sender, len(labels), self._limits.feedback, utc_now()
                )
                counts = self._ledger.add_labels(possible, utc_now(), sender=sender)
        except LedgerError as error:
            runtime.LOG.error("Feedback was refused: %s", error)
            raise Refused(503, "The ledger cannot be reached now; send this again later.") from None
        counts["unknown"] += len(labels) - len(possible)
        return FeedbackCounts(**counts)

    def _served(self) -> Served:
        return self._router.champion()
