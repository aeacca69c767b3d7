"""Keeps what people write into addresses out of the service's metrics.

BentoML labels its metrics with the path of each request, known or not, and keeps them in files: a
person's name in a mistyped address would stay there. Its middleware stands before any of ours, so
ours takes its place.
"""

from __future__ import annotations

from typing import Any

KNOWN = frozenset(
    {"/", "/classify", "/explain", "/feedback", "/model", "/metrics", "/livez", "/readyz",
     "/healthz", "/docs.json", "/schema.json", "/favicon.ico"}
)  # fmt: skip
_KNOWN_BELOW = ("/static_content/",)
UNKNOWN = "/-"


def shown(path: str) -> str:
    """`path` if it is one of ours, else UNKNOWN.

    >>> shown("/classify"), shown("/ann@example.org")
    ('/classify', '/-')
    """
    return path if path in KNOWN or path.startswith(_KNOWN_BELOW) else UNKNOWN


def hide_unknown_paths() -> None:
    """Lets the service answer every unknown path as one and the same; before its app is built."""
    from bentoml._internal.server.http import instruments

    original: Any = instruments.RunnerTrafficMetricsMiddleware
    if original.__name__ == "KnownPathsOnly":
        return

    class KnownPathsOnly(original):  # type: ignore[misc]
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                path = shown(scope["path"])
                if path != scope["path"]:
                    scope = {**scope, "path": path, "raw_path": path.encode()}
            await super().__call__(scope, receive, send)

    instruments.RunnerTrafficMetricsMiddleware = KnownPathsOnly
