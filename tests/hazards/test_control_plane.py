"""The Prefect server, whose API can run code: nobody but this installation gets in.

The attackers are a page of another origin in a real browser, a page whose name resolves to the
loopback (DNS rebinding), a process of another user, and a process that listens on the port first.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from components.core import keys
from components.core.errors import NewsloopError
from components.core.paths import Paths
from flows import prefect_auth, stack
from tests.browser import chromium, needs_browser
from tests.project import Project
from tests.web import Asked, Web, serving

NOBODY = 65534
# What a page may try: read, write, start; with and without a preflight; and by WebSocket.
PAGE = """<!doctype html><title>a foreign page</title><script>
const api = API, attempts = [];
async function attempt(name, route, options) {
  try {
    const answer = await fetch(api + route, options);
    attempts.push([name, answer.type, answer.status, (await answer.text()).slice(0, 200)]);
  } catch (error) { attempts.push([name, "error", 0, ""]); }
}
const json = {"content-type": "application/json"};
const steps = JSON.stringify({pull_steps: [{"prefect.deployments.steps.run_shell_script":
  {script: "id"}}]});
function listen(route) {
  return new Promise(done => {
    const socket = new WebSocket(api.replace("http", "ws") + route, ["prefect"]);
    const end = (kind, data) => { attempts.push([route, kind, 0, data]); socket.close(); done(); };
    socket.onopen = () => socket.send(JSON.stringify({type: "auth", token: "guessed"}));
    socket.onmessage = event => {
      if (JSON.parse(event.data).type === "auth_success") end("in", event.data);
    };
    socket.onclose = () => end("closed", "");
  });
}
(async () => {
  await attempt("read", "/flow_runs/count", {method: "POST", headers: json, body: "{}"});
  await attempt("get", "/deployments/DEPLOYMENT", {});
  await attempt("with cookies", "/deployments/DEPLOYMENT", {credentials: "include"});
  await attempt("patch", "/deployments/DEPLOYMENT", {method: "PATCH", headers: json, body: steps});
  await attempt("start", "/deployments/DEPLOYMENT/create_flow_run",
    {method: "POST", headers: json, body: "{}"});
  await attempt("start without a preflight", "/deployments/DEPLOYMENT/create_flow_run",
    {method: "POST", mode: "no-cors", headers: {"content-type": "text/plain"}, body: "{}"});
  await attempt("token", "/csrf-token?client=evil", {});
  await listen("/events/out"); await listen("/logs/out"); await listen("/events/in");
  await fetch("/tried?attempts=" + encodeURIComponent(JSON.stringify(attempts)));
  document.title = "done";
})();
</script>"""

OTHER_USER = """
import json, sys, urllib.error, urllib.request
target, taken = json.loads(sys.argv[1]), []
for path in target["files"]:
    try:
        taken.append(open(path, "rb").read()[:20].decode(errors="replace"))
    except OSError:
        pass
deployment = "/deployments/" + target["deployment"]
for method, route in (("POST", "/deployments/filter"), ("PATCH", deployment),
                      ("POST", deployment + "/create_flow_run")):
    request = urllib.request.Request(target["api"] + route, b"{}", method=method,
                                     headers={"content-type": "application/json"})
    try:
        taken.append(urllib.request.urlopen(request, timeout=10).read().decode())
    except urllib.error.HTTPError as error:
        assert error.code in (401, 403), error
print(json.dumps(taken))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose server was started by a newsloop that did not close it, then by this one."""
    made = Project(tmp_path_factory.mktemp("control") / "project", per_class=3)
    open_server = (
        "import os, sys; from components.core import params; from components.core.paths import"
        " Paths; from flows import prefect_auth, environment, stack; p = Paths.find();"
        " s = params.load(p.params); environment.settle(s, p); prefect_auth._RESERVED.clear();"
        " os.environ.pop('PREFECT_API_AUTH_STRING');"
        " url = environment.local_url(s); command = [sys.executable, '-m', 'prefect', 'server',"
        " 'start', '--host', '127.0.0.1', '--port', str(s.flow.server_port)];"
        " stack._start(p, stack.SERVER, command, dict(os.environ), url);"
        " stack._wait(p, stack.SERVER, lambda: stack.server_answers(url))"
    )
    started = made.command(sys.executable, "-c", open_server)
    assert started.status == 0, started.err
    assert httpx.get(f"{made.server}/csrf-token?client=x", trust_env=False).status_code != 401
    first = stack.find(Paths(made.root, made.home), stack.SERVER)
    ours = open_server.partition(" os.environ.pop")[0] + " stack.ensure_server(s, p)"
    replaced = made.command(sys.executable, "-c", ours)
    assert replaced.status == 0, replaced.err
    second = stack.find(Paths(made.root, made.home), stack.SERVER)
    assert first is not None
    assert second is not None
    assert not psutil.pid_exists(first.pid)
    yield made
    made.newsloop("down")


@pytest.fixture(scope="module")
def deployment(project: Project) -> str:
    flow = project.prefect("POST", "/flows/", {"name": "learning"})
    body = {"name": "newsloop", "flow_id": flow["id"], "entrypoint": "flows.learning:learning"}
    return str(project.prefect("POST", "/deployments/", body)["id"])


@pytest.fixture(scope="module")
def password(project: Project) -> str:
    return keys.prefect_password(Paths(project.root, project.home).keys)


def untouched(project: Project, deployment: str) -> bool:
    """Nothing was started, and the deployment is as it was made."""
    found = project.prefect("GET", f"/deployments/{deployment}")
    return not found["pull_steps"] and project.prefect("POST", "/flow_runs/count", {}) == 0


@needs_browser
def test_a_page_of_another_origin_reads_and_changes_nothing(
    project: Project, deployment: str
) -> None:
    page = PAGE.replace("API", json.dumps(project.server), 1).replace("DEPLOYMENT", deployment)

    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "text/html"}, page.encode() if asked.path == "/" else b""

    with serving() as web:
        web.answer = answer
        with chromium() as browser:
            opened = browser.new_page()
            opened.goto(web.url)
            opened.wait_for_function("document.title === 'done'", timeout=30_000)
        (tried,) = [asked.query["attempts"] for asked in web.asked if asked.path == "/tried"]
    attempts = json.loads(tried)
    assert len(attempts) == 10
    readable = [name for name, kind, _, body in attempts if kind in ("basic", "cors", "in") or body]
    assert readable == []
    assert untouched(project, deployment)


@needs_browser
def test_a_name_that_resolves_to_the_loopback_is_refused(project: Project) -> None:
    """DNS rebinding: the page is of the server's own origin, by the attacker's name."""
    port = urlsplit(project.server).port
    with chromium(["--host-resolver-rules=MAP evil.example 127.0.0.1"]) as browser:
        opened = browser.new_page()
        answer = opened.goto(f"http://evil.example:{port}/api/health")
    assert answer is not None
    assert answer.status == 400


ROUTES = [
    ("GET", "/api/admin/settings"),
    ("GET", "/api/csrf-token?client=x"),
    ("POST", "/api/deployments/filter"),
    ("POST", "/api/flow_runs/filter"),
    ("POST", "/api/logs/filter"),
    ("POST", "/api/variables/filter"),
    ("POST", "/api/block_documents/filter"),
    ("POST", "/api/events/filter"),
    ("PUT", "/api/concurrency_limits/reset/x"),
    ("DELETE", "/api/admin/database/drop"),
    ("POST", "/api/events"),
    ("GET", "/api/variables/name/health"),
    ("DELETE", "/api/variables/name/ready"),
]


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_without_the_password_nothing_is_answered(
    project: Project, method: str, route: str
) -> None:
    base = project.server.removesuffix("/api")
    for headers in ({}, {"Authorization": "Basic bmV3c2xvb3A6Z3Vlc3NlZA=="}):
        answer = httpx.request(
            method, f"{base}{route}", headers={"Origin": "https://evil.example", **headers},
            json=None if method == "GET" else {}, trust_env=False,
        )  # fmt: skip
        # Prefect asks for the token against forged requests before it asks for the password.
        assert answer.status_code in ((401,) if method == "GET" else (401, 403))
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_preflight_allows_no_origin(project: Project, deployment: str, method: str) -> None:
    asked = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,authorization",
    }
    answer = httpx.options(
        f"{project.server}/deployments/{deployment}", headers=asked, trust_env=False
    )
    assert answer.status_code >= 400
    assert "access-control-allow-origin" not in answer.headers


def test_with_the_password_a_foreign_host_or_a_forged_request_is_refused(
    project: Project, deployment: str, password: str
) -> None:
    route, own = f"{project.server}/deployments/{deployment}", prefect_auth.authorization(password)
    for host in ("evil.example", "evil.example:4200", "127.0.0.1.evil.example", ""):
        answer = httpx.get(route, headers={**own, "Host": host}, trust_env=False)
        assert answer.status_code == 400
    forged = httpx.patch(route, headers=own, json={"paused": True}, trust_env=False)
    assert forged.status_code == 403
    assert untouched(project, deployment)


@pytest.mark.parametrize("route", ["/events/in", "/events/out", "/logs/out"])
def test_websockets_need_the_password(project: Project, password: str, route: str) -> None:
    address = project.server.replace("http", "ws") + route

    async def enter(token: str) -> bool:
        async with connect(address, subprotocols=[Subprotocol("prefect")], proxy=None) as socket:
            await socket.send(json.dumps({"type": "auth", "token": token}))
            return bool(json.loads(await socket.recv())["type"] == "auth_success")

    assert asyncio.run(enter(password))
    with pytest.raises(WebSocketException):
        asyncio.run(enter("newsloop:guessed"))


def test_nothing_that_others_can_see_shows_the_password(project: Project, password: str) -> None:
    """Command lines are for all users; logs and what commands print are often handed on."""
    paths = Paths(project.root, project.home)
    server = stack.find(paths, stack.SERVER)
    assert server is not None
    secret = password.partition(":")[2]
    assert secret not in " ".join(psutil.Process(server.pid).cmdline())
    shown = [project.newsloop("status").out, project.newsloop("status", "--json").out]
    logs = [file.read_text() for file in project.home.rglob("*.log")]
    assert logs
    assert [text for text in [*shown, *logs] if secret in text] == []
    assert "newsloop prefect-password" in shown[0]
    assert project.newsloop("prefect-password").out == password


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a process of another user")
def test_a_process_of_another_user_reads_and_changes_nothing(
    project: Project, deployment: str, password: str
) -> None:
    paths = Paths(project.root, project.home)
    for folder in [project.root, *project.root.parents]:  # as in /home: others may enter, not list
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    server = stack.find(paths, stack.SERVER)
    assert server is not None
    files = [paths.keys / keys.PREFECT, project.home / "prefect" / "prefect.db"]
    target = {
        "files": [*map(str, files), f"/proc/{server.pid}/environ"],
        "api": project.server,
        "deployment": deployment,
    }
    done = subprocess.run(
        ["/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable,
         "-c", OTHER_USER, json.dumps(target)],
        user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", env={"no_proxy": "*"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert untouched(project, deployment)


def test_a_stranger_at_the_port_gets_neither_our_runs_nor_the_password(tmp_path: Path) -> None:
    """A process of another user listens first, and answers as a Prefect server would."""

    def answer(asked: Asked) -> tuple[int, dict[str, str], Any]:
        return 200, {"Content-Type": "application/json"}, True

    with serving() as web:
        web.answer = answer
        found = _meets(web, tmp_path)
    assert found.status == 1
    assert f"the port {urlsplit(web.url).port}" in found.err
    assert web.asked
    assert [asked.headers for asked in web.asked if "authorization" in asked.headers] == []
    assert {asked.path for asked in web.asked} == {prefect_auth.PROOF}


def _meets(web: Web, folder: Path) -> Any:
    project = Project(folder / "project", per_class=3)
    project.settle({"flow.server_port": urlsplit(web.url).port})
    return project.newsloop("run")


def test_a_proof_is_of_one_server_and_one_question() -> None:
    proof = prefect_auth.proof("newsloop:a", "127.0.0.1:4200", "0" * 64)
    assert proof != prefect_auth.proof("newsloop:b", "127.0.0.1:4200", "0" * 64)
    assert proof != prefect_auth.proof("newsloop:a", "127.0.0.1:4201", "0" * 64)
    assert proof != prefect_auth.proof("newsloop:a", "127.0.0.1:4200", "1" * 64)


def test_a_server_without_a_password_does_not_start() -> None:
    env = {k: v for k, v in os.environ.items() if k != prefect_auth.SERVER}
    done = subprocess.run(
        [sys.executable, "-m", "flows.prefect_server"],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert prefect_auth.SERVER in done.stderr


def test_what_an_upgrade_of_prefect_would_break() -> None:
    """All that flows/prefect_server.py takes from inside Prefect; the tests above use it."""
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    assert callable(create_app)
    settings = get_current_settings().server
    assert isinstance(settings.logging_level, str)
    names = ("keepalive_timeout", "websocket_ping_interval", "websocket_ping_timeout")
    assert [name for name in names if not hasattr(settings.api, name)] == []


def test_an_empty_password_file_is_refused(tmp_path: Path) -> None:
    keys.prefect_password(tmp_path)
    assert stat.S_IMODE((tmp_path / keys.PREFECT).stat().st_mode) == 0o600
    (tmp_path / keys.PREFECT).write_text("")
    with pytest.raises(NewsloopError, match="the file is empty"):
        keys.prefect_password(tmp_path)
