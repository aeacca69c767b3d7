"""The entries of ingest.sources in params.yaml: what each kind of source needs and takes."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from components.core.params.base import Positive, Rate, Settings

_FILE = frozenset({"path", "inside"})
_CALL = frozenset({"url", "header", "header_env"})
# What a kind takes besides name, kind, limits, columns and labels. A kind that is not here (of a
# connector that somebody added) is not checked.
TAKES: dict[str, frozenset[str]] = {
    "package": frozenset({"package", "path"}),
    "folder": _FILE,
    "csv": _FILE,
    "jsonl": _FILE,
    "parquet": _FILE,
    "feedback": frozenset(),
    "sql": frozenset({"url_env", "table", "query", "watermark"}),
    "feed": _CALL | {"path"},
    "http_json": _CALL | {"items", "pages", "watermark"},
}
# Each group: exactly one of these keys.
_NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "package": (("path",), ("package",)),
    "folder": (("path",),),
    "csv": (("path",),),
    "jsonl": (("path",),),
    "parquet": (("path",),),
    "sql": (("url_env",), ("watermark",), ("table", "query")),
    "feed": (("path", "url"),),
    "http_json": (("url",),),
}
_OWN = frozenset().union(*TAKES.values())


class Limits(Settings):
    """How much a source may cost, so that no archive or server fills the memory or hangs a run.

    Attributes:
        document_mib: of one text or line; a longer one is a bad row.
        unpacked_mib: of what one zip, gz or tar holds, unpacked.
        unpacked_ratio: unpacked to packed size of one archive.
        answer_mib: of one answer of a server, unpacked.
        answer_seconds: until such an answer is complete.
        pages: of one HTTP API.
        timeout_seconds: to wait for a connection, or for the next byte.
        attempts: of one request, the first included.
        longest_wait_seconds: between two attempts, also where the server asks for more.
    """

    document_mib: Positive
    unpacked_mib: Positive
    unpacked_ratio: Positive
    answer_mib: Positive
    answer_seconds: Rate
    pages: Positive
    timeout_seconds: Rate
    attempts: Positive
    longest_wait_seconds: Rate


class Pages(Settings):
    """How an HTTP API says where its next page is.

    Attributes:
        by: `link`: the answer holds its address; `cursor`: the answer holds a word that the next
            request sends back; `number`: pages are counted, and an empty one is behind the last.
        path: dotted path to the link or cursor; without it, `link` reads the Link header.
        parameter: of the query that carries the number or cursor.
        first: number of the first page.
    """

    by: Literal["link", "cursor", "number"]
    path: str | None = None
    parameter: str | None = None
    first: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def complete(self) -> Pages:
        if self.by == "cursor" and not self.path:
            raise ValueError("pages by cursor need path: where the answer holds the cursor")
        if self.by != "link" and not self.parameter:
            raise ValueError(f"pages by {self.by} need parameter: its name in the query")
        return self


class Source(Settings):
    """One place that documents come from.

    Attributes:
        name: what the documents' `source` column says; unique.
        kind: which connector of components/sources/ reads it.
        path: of the folder or file, relative to the project, or s3://, gs://, az://; inside the
            package for `package`.
        inside: the file or folder inside a zip or tar; the default is all of it.
        package: the installed package, for `package`.
        url: of the feed or API, http or https.
        url_env: environment variable with the database's SQLAlchemy URL, which may hold a password.
        table, query: one of both, for `sql`.
        watermark: column or key that grows: numbers, times or texts. Rows above the pinned value
            are not read.
        header, header_env: a header that each request sends, and the environment variable with its
            value.
        items: dotted path to the list of items in an answer; without it the answer is the list.
        pages: how to get the next page; without it there is one.
        text, label, id, time, author: columns, keys or dotted paths; `text` and `label` are
            required in the data, the others may be absent.
        fixed_label: the label of all documents of this source, instead of a column.
        label_names: from the source's own labels to the classes; others stay as they are.
        limits: instead of ingest.limits. None only where settings are made in code: no limits.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    path: str | None = None
    inside: str | None = None
    package: str | None = None
    url: str | None = None
    url_env: str | None = None
    table: str | None = None
    query: str | None = None
    watermark: str | None = None
    header: str | None = None
    header_env: str | None = None
    items: str | None = None
    pages: Pages | None = None
    text: str = "text"
    label: str = "label"
    id: str = "id"
    time: str = "time"
    author: str = "author"
    fixed_label: str | None = None
    label_names: dict[str, str] = Field(default_factory=dict)
    limits: Limits | None = None

    @model_validator(mode="after")
    def complete(self) -> Source:
        for group in _NEEDS.get(self.kind, ()):
            given = [key for key in group if getattr(self, key) is not None]
            if not given:
                raise ValueError(f"a source of kind {self.kind} needs a {' or a '.join(group)}")
            if len(given) > 1:
                raise ValueError(f"a source of kind {self.kind} takes one of {' and '.join(given)}")
        given_here = {key for key in _OWN if getattr(self, key) is not None}
        foreign = sorted(given_here - TAKES.get(self.kind, _OWN))
        if foreign:
            raise ValueError(f"a source of kind {self.kind} has no key {', '.join(foreign)}")
        if (self.header is None) != (self.header_env is None):
            raise ValueError("header and header_env belong together: its name, and where its value")
        if self.url is not None:
            _check_url(self.url)
        return self


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must not hold a user or password: use header and header_env")
