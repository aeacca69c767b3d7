"""GET requests with retries and limits; keys go to one server only."""

from __future__ import annotations

import email.utils
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import tenacity

from components.core.errors import SourceError
from components.core.params import Limits, Source
from components.core.runtime import noise
from components.sources.addresses import Guard, GuardedTransport
from components.sources.budget import MIB, Layer, TooLarge
from components.sources.decoding import ACCEPTED, UnknownEncoding, decoded

_AGENT = "newsloop"
_REDIRECTS = 5  # of one request, one after the other
_FIRST_WAIT = 0.5  # seconds before the second attempt; doubled each time
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # worth a retry
_NOT_MODIFIED = 304


class Complaint(Protocol):
    """Makes the error of a source: expected, got, and what to do."""

    def __call__(self, expected: str, came: str, todo: str) -> SourceError: ...


@dataclass(frozen=True)
class HttpAnswer:
    """The response of a server.

    Attributes:
        body: decompressed; empty if unchanged.
        headers: case-insensitive names.
        url: after redirects.
        links: of the Link header, by relation.
        unchanged: status 304 to a conditional request.
    """

    body: bytes
    headers: Mapping[str, str]
    url: str
    links: Mapping[str, str]
    unchanged: bool


class _NextTime(Exception):
    """A failure worth a retry; `seconds` is the wait that the server asks for (Retry-After)."""

    def __init__(self, came: str, seconds: float | None = None) -> None:
        super().__init__(came)
        self.seconds = seconds


class Getter:
    """Sends GET requests for one source.

    Args:
        source: with url, header and limits.
        complain: makes the errors.
        client: sends the requests.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        source: Source,
        complain: Complaint,
        client: httpx.Client,
        sleep: Callable[[float], None],
    ) -> None:
        if source.limits is None:
            raise complain("`limits`", "none", "Set ingest.limits in params.yaml.")
        self._limits: Limits = source.limits
        self._complain, self._client, self._sleep = complain, client, sleep
        self._home = _origin(httpx.URL(source.url or ""))
        self._secret: dict[str, str] = {}
        if source.header and source.header_env:
            value = os.environ.get(source.header_env, "")
            # A line end in the value would inject another header.
            if not value.strip() or not value.isprintable() or not value.isascii():
                raise complain(
                    f"the header {source.header} in the environment variable {source.header_env}",
                    "no value" if not value.strip() else "a value that fits into no header",
                    "Set it and run again.",
                )
            self._secret = {str(source.header): value.strip()}

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Requests `url`, with retries of failures that may pass.

        Raises:
            SourceError: no answer in all attempts, a refusal, a body above the limit, or an
                address to which the source's key must not go.
        """
        limits = self._limits
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(limits.attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception(self._may_pass),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return attempts(self._once, url, dict(headers or {}))
        except (_NextTime, httpx.TransportError) as error:
            came = str(error) if isinstance(error, _NextTime) else type(error).__name__
            wait = getattr(error, "seconds", None)
            asked = f", which asks to wait {wait:.0f} s" if wait is not None else ""
            raise self._complain(
                f"an answer from {shown(url)}",
                f"{came}{asked}, after the last of {limits.attempts} attempts at most",
                "See that the server can be reached, and run again later.",
            ) from None

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "seconds", None)
        doubled = _FIRST_WAIT * 2.0 ** (state.attempt_number - 1)
        return min(self._limits.longest_wait_seconds, max(doubled, asked or 0.0))

    def _may_pass(self, error: BaseException) -> bool:
        if isinstance(error, _NextTime):
            return (error.seconds or 0.0) <= self._limits.longest_wait_seconds
        return isinstance(error, httpx.TransportError)

    def _once(self, url: str, headers: Mapping[str, str]) -> HttpAnswer:
        target = httpx.URL(url)
        for _ in range(_REDIRECTS + 1):
            self._allow(target)
            request = self._client.build_request(
                "GET", target,
                headers={
                    "user-agent": _AGENT, "accept-encoding": ACCEPTED, **headers, **self._secret,
                },
            )  # fmt: skip
            response = self._client.send(request, stream=True, follow_redirects=False)
            try:
                if response.next_request is None:
                    return self._answer(response)
                target = response.next_request.url
            finally:
                response.close()
        raise self._complain(
            f"an answer from {shown(url)}",
            f"more than {_REDIRECTS} redirects",
            "Mend `url` in params.yaml.",
        )

    def _allow(self, target: httpx.URL) -> None:
        """Refuses to send the key to another server, and to downgrade https to http."""
        foreign = bool(self._secret) and _origin(target) != self._home
        less = self._home[0] == "https" and target.scheme != "https"
        if foreign or less or target.scheme not in ("http", "https"):
            raise self._complain(
                f"every address at {self._home[0]}://{self._home[1]}",
                shown(str(target)),
                "Mend `url` in params.yaml; a key goes to one server only.",
            )

    def _answer(self, response: httpx.Response) -> HttpAnswer:
        url, status = str(response.url), response.status_code
        if status in _PASSING:
            raise _NextTime(f"status {status}", _retry_after(response.headers.get("retry-after")))
        unchanged = status == _NOT_MODIFIED
        if not (response.is_success or unchanged):
            raise self._complain(
                f"an answer from {shown(url)}",
                f"status {status}",
                "Mend `url` in params.yaml, or the key that its header carries.",
            )
        body = self._body(response, shown(url))
        links = {str(name): link["url"] for name, link in response.links.items() if "url" in link}
        return HttpAnswer(body, response.headers, url, links, unchanged)

    def _body(self, response: httpx.Response, where: str) -> bytes:
        """Reads the body, unpacked, within the limits of size and time."""
        most, body = self._limits.answer_mib * MIB, bytearray()
        latest = time.monotonic() + self._limits.answer_seconds
        encoding = response.headers.get("content-encoding", "")
        try:
            for part in decoded(response.iter_raw(), encoding, Layer(most)):
                body += part
                if time.monotonic() > latest:
                    raise _NextTime(f"more than {self._limits.answer_seconds:g} s of answering")
        except TooLarge:
            raise self._complain(
                f"an answer of at most {most:,} bytes from {where}",
                "more",
                "Ask for smaller pages, or raise answer_mib under `limits`.",
            ) from None
        except UnknownEncoding:
            raise self._complain(
                f"an answer from {where} in one of the encodings {ACCEPTED}, or in none",
                "another one, or several",
                "Mend the server.",
            ) from None
        except zlib.error:
            raise _NextTime("a body that cannot be unpacked") from None
        return bytes(body)


@contextmanager
def getter(
    source: Source, complain: Complaint, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Getter]:
    """Opens a Getter with its own client; proxies come from the usual environment variables.

    Raises:
        LeadsInside: within `with`, where a redirect or link leads; see addresses.py.
    """
    noise.quiet_http()
    seconds = source.limits.timeout_seconds if source.limits else None
    guard = Guard(httpx.URL(source.url or ""), source.allow_private_addresses)
    with httpx.Client(timeout=seconds, transport=GuardedTransport(guard)) as client:
        yield Getter(source, complain, client, sleep)


def shown(url: str) -> str:
    """Formats `url` for a message, without user, password and query, which may hold a key.

    >>> shown("https://example.org/news?key=secret")
    'https://example.org/news'
    """
    return str(httpx.URL(url).copy_with(query=None, fragment=None, username="", password=""))


def _origin(url: httpx.URL) -> tuple[str, str]:
    return url.scheme, url.netloc.decode("ascii").rpartition("@")[2]


def _retry_after(value: str | None) -> float | None:
    """Parses a Retry-After header (RFC 9110), a number or a time, to seconds; None if invalid."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        when: Any = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    return max(0.0, float((when - datetime.now(UTC)).total_seconds()))
