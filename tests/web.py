"""A real HTTP server on the loopback whose answers a test writes; the links of written pages."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Headers = dict[str, str]
# (status, headers, body); an iterator of bytes goes out as it comes, anything else as JSON.
Reply = tuple[int, Headers, Any]


@dataclass
class Asked:
    """One request that came."""

    path: str
    query: Headers
    headers: Headers


@dataclass
class Web:
    """What the server answers, and what it was asked."""

    url: str
    answer: Callable[[Asked], Reply] = lambda _: (404, {}, b"")
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Web]:
    """Serves `answer` until the end; it may be set and changed at any time."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            target = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(target.path, dict(parse_qsl(target.query)), headers)
            web.asked.append(asked)
            status, more, body = web.answer(asked)
            if isinstance(body, Iterator):
                parts, content = body, b""
            else:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                parts = iter([content])
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | more).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # who asked has left
                for part in parts:
                    self.wfile.write(part)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web = Web(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def followed(page: Path) -> tuple[list[Path], list[str]]:
    """The files that `page` and the pages behind it link, and the links that lead nowhere."""
    files, missing = [page.resolve()], []
    for file in files:
        for address in re.findall(r'href="([^"#]+)"', file.read_text("utf-8")):
            target = (file.parent / unquote(address)).resolve()
            if address.startswith(("http", "data:")):
                continue
            if not target.is_file():
                missing.append(f"{file.name}: {address}")
            elif target not in files:
                files.append(target)
    return files, missing
