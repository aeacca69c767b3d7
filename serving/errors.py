"""Refusals of the service: an HTTP status and one sentence, which never repeats the input."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from serving.http import answers


class Refused(Exception):
    """Refusal of a request.

    Args:
        status: HTTP status, 400 or more.
        message: one sentence for the client.
        headers: response headers, such as Retry-After.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})

    def response(self) -> Response:
        content = answers.encode(answers.Error(str(self)))
        return Response(content, self.status, self.headers, "application/json")


def later(message: str, seconds: int) -> Refused:
    """Makes a 429 with Retry-After in seconds."""
    return Refused(429, message, {"Retry-After": str(seconds)})
