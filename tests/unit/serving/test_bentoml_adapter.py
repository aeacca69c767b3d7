"""Assumptions about the insides of BentoML and uvicorn: failures name what an upgrade broke."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _bentoml_impl.server.serving as supervisors
import _bentoml_impl.worker.service as worker
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from bentoml._internal.utils import circus
from circus.arbiter import Arbiter
from uvicorn import config as uvicorn_config
from uvicorn.protocols.http import flow_control, h11_impl, httptools_impl

from serving import bentoml_adapter
from serving.service import Newsloop
from tests.served import PROJECT

ADAPTER = PROJECT / "serving" / "bentoml_adapter.py"
PRIVATE = ("bentoml._internal", "_bentoml_impl", "uvicorn.config", "uvicorn.protocols")
PROTOCOLS = [httptools_impl.HttpToolsProtocol, h11_impl.H11Protocol]


def private_imports(file: Path) -> list[str]:
    """The imports of private modules that take effect at run time, not for types alone."""
    modules = []
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules.append(node.module or "")
    return [
        module
        for module in modules
        if any(module == name or module.startswith(f"{name}.") for name in PRIVATE)
    ]


def test_private_modules_are_imported_by_the_adapter_only() -> None:
    assert private_imports(ADAPTER) != []
    others = {
        str(file.relative_to(PROJECT)): modules
        for room in ("components", "flows", "monitoring", "newsloop", "serving")
        for file in (PROJECT / room).rglob("*.py")
        if file != ADAPTER and (modules := private_imports(file))
    }
    assert others == {}, "move these imports into serving/bentoml_adapter.py"


def test_bentoml_makes_its_supervisor_of_the_class_that_the_adapter_replaces() -> None:
    source = inspect.getsource(circus.create_standalone_arbiter)
    assert "ThreadedArbiter if threaded else Arbiter" in source
    assert "create_standalone_arbiter(**arbiter_kwargs)" in inspect.getsource(supervisors)
    assert {"endpoint", "pubsub_endpoint"} <= set(inspect.signature(Arbiter).parameters)


def worker_options() -> set[str]:
    """The names of the options that BentoML's worker gives to uvicorn.Config."""
    tree = ast.parse(inspect.getsource(worker))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "uvicorn.Config"
    ]
    assert len(calls) == 1, "BentoML's worker starts uvicorn in another way"
    return {keyword.arg for keyword in calls[0].keywords if keyword.arg is not None}


def test_the_worker_of_bentoml_lets_uvicorn_choose_its_protocol() -> None:
    assert "http" not in worker_options(), "BentoML chooses the protocol: `install` has no effect"
    assert "ws" not in worker_options(), "BentoML chooses WebSockets: `install` has no effect"
    parameters = inspect.signature(uvicorn_config.Config).parameters
    assert parameters["http"].default == "auto", "uvicorn's default has another name"
    assert parameters["ws"].default == "auto", "uvicorn's default has another name"


def test_uvicorn_takes_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed(bentoml_adapter.default_protocol()):  # type: ignore[misc]
        pass

    for registry in (uvicorn_config.HTTP_PROTOCOLS, uvicorn_config.WS_PROTOCOLS):
        monkeypatch.setitem(registry, "auto", registry["auto"])  # put back after the test
    bentoml_adapter.install(Installed)
    config = uvicorn_config.Config("tests.unit.serving.test_bentoml_adapter:worker_options")
    config.load()
    assert config.http_protocol_class is Installed, "uvicorn does not ask HTTP_PROTOCOLS any more"
    assert config.ws_protocol_class is None, "uvicorn does not ask WS_PROTOCOLS any more"


def test_the_default_protocol_is_one_whose_limits_are_known() -> None:
    assert bentoml_adapter.default_protocol() in PROTOCOLS, "limits_for does not know this protocol"


def source(owner: Any) -> str:
    return inspect.getsource(owner)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("method", ["connection_made", "connection_lost", "data_received",
                                    "eof_received", "on_response_complete"])  # fmt: skip
def test_methods_that_are_overridden_exist(protocol: type, method: str) -> None:
    assert method in vars(protocol), f"connections.py or half_close.py overrides {method}"


@pytest.mark.parametrize(
    "method", ["on_message_complete", "on_headers_complete", "on_body", "send_400_response"]
)
def test_callbacks_of_httptools_exist(method: str) -> None:
    assert method in vars(httptools_impl.HttpToolsProtocol), f"header_limits.py overrides {method}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "attribute",
    ["access_log", "connections", "cycle", "flow", "headers", "loop", "scope", "transport"],
)
def test_attributes_that_are_read_exist(protocol: type, attribute: str) -> None:
    assert f"self.{attribute}:" in source(protocol) or f"self.{attribute} =" in source(protocol)


@pytest.mark.parametrize("module", [httptools_impl, h11_impl])
@pytest.mark.parametrize(
    "attribute",
    ["body", "disconnected", "message_event", "more_body", "response_complete", "response_started"],
)
def test_attributes_of_a_cycle_exist(module: Any, attribute: str) -> None:
    assert f"self.{attribute} =" in source(module.RequestResponseCycle)


def test_other_parts_of_uvicorn_exist() -> None:
    assert "handle_events" in vars(h11_impl.H11Protocol), "header_limits.py overrides it"
    assert "pause_reading" in vars(flow_control.FlowControl), "header_limits.py calls it"
    # on_body and on_header see trailers and bodies only if httptools is given the protocol itself.
    assert "HttpRequestParser(self)" in source(httptools_impl.HttpToolsProtocol)


@pytest.mark.parametrize(
    ("what", "read"),
    [
        ("tracing.sample_rate", lambda: BentoMLContainer.tracing.sample_rate.get),
        ("tracer_provider", lambda: BentoMLContainer.tracer_provider.get),
    ],
)
def test_settings_of_bentoml_exist(what: str, read: Callable[[], object]) -> None:
    assert callable(read()), f"serving/bentoml_adapter.py reads BentoMLContainer.{what}"


def test_the_time_limit_of_bentoml_is_taken_out() -> None:
    app: Any = super(type(Newsloop), Newsloop).to_asgi()
    before = [one.cls for one in app.user_middleware]
    assert TimeoutMiddleware in before, "BentoML has put its time limit elsewhere"
    bentoml_adapter.drop_timeouts(app)
    after = [one.cls for one in app.user_middleware]
    assert after == [one for one in before if one is not TimeoutMiddleware]
    assert "service.to_asgi(" in inspect.getsource(worker), "the worker does not ask for our app"
