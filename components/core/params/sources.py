"""The entries of ingest.sources in params.yaml: what each kind of source needs and takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from components.core.params.base import Positive, Rate, Settings, Share

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
    "mbox": _FILE,
    "lines": frozenset({"path", "labels_path"}),
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
    "mbox": (("path",),),
    "lines": (("path",),),
    "sql": (("url_env",), ("watermark",), ("table", "query")),
    "feed": (("path", "url"),),
    "http_json": (("url",),),
}
_OWN = frozenset().union(*TAKES.values())


class Limits(Settings):
    """What a source may cost, so that no archive or server fills the memory or hangs a run.

    `ingest.limits` holds for all sources; a source may have `limits` of its own.
    """

    document_mib: Positive = Field(
        16, description="MiB of one text or line; a longer one is a bad row"
    )
    document_seconds: Rate = Field(
        20,
        description="seconds of processor time to read one e-mail, PDF, Word, OpenDocument or RTF "
        "file; one that takes longer is a bad row",
    )
    unpacked_mib: Positive = Field(
        65536, description="MiB of all that one source holds, unpacked: 64 GiB"
    )
    unpacked_ratio: Positive = Field(
        200,
        description="unpacked to packed size of one zip, gz, tar or Parquet file; text packs 3 to "
        "20 times, a bomb 1000 times; what unpacks to 1 MiB passes",
    )
    files: Positive = Field(
        2_000_000,
        description="files of one archive or folder; each name takes 0.7 KB of memory in a zip",
    )
    documents: Positive = Field(
        200_000_000, description="documents of one source; ten times what has been measured"
    )
    values: Positive = Field(
        1_000_000,
        description="values of one row, line or answer, counted by their commas and brackets "
        "before it is parsed; each takes up to 0.1 KB of memory",
    )
    answer_mib: Positive = Field(64, description="MiB of one answer of a server, unpacked")
    answer_seconds: Rate = Field(600, description="until such an answer is complete")
    pages: Positive = Field(100_000, description="of one HTTP API")
    timeout_seconds: Rate = Field(30, description="without a connection, or without a byte")
    attempts: Positive = Field(5, description="of one request, the first included")
    longest_wait_seconds: Rate = Field(
        60, description="between two attempts, also where the server asks for more"
    )


class Pages(Settings):
    """How an HTTP API names its next page."""

    by: Literal["link", "cursor", "number"] = Field(
        description="link: the answer holds the address of the next page; cursor: the answer holds "
        "a word that the next request sends back; number: pages are counted, an empty one is "
        "behind the last"
    )
    path: str | None = Field(
        None,
        description="dotted path to the link or cursor; without it, `link` reads the Link header",
    )
    parameter: str | None = Field(
        None, description="of the query that carries the number or cursor"
    )
    first: Annotated[int, Field(ge=0)] = Field(1, description="number of the first page")

    @model_validator(mode="after")
    def complete(self) -> Pages:
        if self.by == "cursor" and not self.path:
            raise ValueError("pages by cursor need path: where the answer holds the cursor")
        if self.by != "link" and not self.parameter:
            raise ValueError(f"pages by {self.by} need parameter: its name in the query")
        return self


class Source(Settings):
    """An entry of ingest.sources: one place that documents come from."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = Field(
        description="value of the documents' column `source`; unique"
    )
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = Field(
        description="connector of components/sources/: package, folder, csv, jsonl, parquet, sql, "
        "feed, http_json, mbox, lines or feedback"
    )
    path: str | None = Field(
        None,
        description="of the folder or file, relative to the project, or s3://, gs://, az://; for "
        "`package` inside the package",
    )
    inside: str | None = Field(
        None, description="file or folder inside a zip or tar; null: all of it"
    )
    labels_path: str | None = Field(
        None,
        description="for `lines`: of a file with a label a line, for the texts in `path`; null: "
        "each line of `path` begins with `__label__` and its label, as fastText has it",
    )
    package: str | None = Field(None, description="installed package, for `package`")
    url: str | None = Field(None, description="of the feed or API, http or https")
    url_env: str | None = Field(
        None,
        description="environment variable with the database's SQLAlchemy URL, which may hold a "
        "password",
    )
    table: str | None = Field(None, description="for `sql`: this or query")
    query: str | None = Field(None, description="for `sql`: this or table")
    watermark: str | None = Field(
        None,
        description="column or key that grows: numbers, times or texts; rows above the pinned "
        "value are not read",
    )
    header: str | None = Field(None, description="header that each request sends")
    header_env: str | None = Field(None, description="environment variable with its value")
    items: str | None = Field(
        None,
        description="dotted path to the list of items in an answer; null: the answer is the list",
    )
    pages: Pages | None = Field(
        None, description="how to get the next page; null: there is one page"
    )
    text: str = Field("text", description="column, key or dotted path; required in the data")
    label: str = Field("label", description="column, key or dotted path; required in the data")
    id: str = Field("id", description="column, key or dotted path; may be absent in the data")
    time: str = Field("time", description="column, key or dotted path; may be absent in the data")
    author: str = Field(
        "author", description="column, key or dotted path; may be absent in the data"
    )
    fixed_label: str | None = Field(
        None, description="label of all documents of this source, instead of a column"
    )
    label_names: dict[str, str] = Field(
        default_factory=dict,
        description="from the source's own labels to the classes; others stay as they are",
    )
    allow_private_addresses: bool = Field(
        False,
        description="follow redirects and links from `url` to loopback, private and other "
        "addresses that are not of the internet; the host of `url` itself is always asked",
    )
    allow_outside_files: bool = Field(
        False,
        description="read links and mounted folders that lead out of the source's folder",
    )
    caller_share: Share = Field(
        0.05,
        description="for `feedback`: labels of one caller that are learned from, as a share of the "
        "other sources' documents; the newest ones; docs/feedback.md says whose count without "
        "limit",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="settings of a connector that newsloop does not bring; its class has them",
    )
    limits: Limits | None = Field(
        None,
        description="instead of ingest.limits, key by key",
    )  # None only where settings are made in code: no limits

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
        if self.fixed_label is not None and self.kind == "feedback":
            raise ValueError("a source of kind feedback has no fixed_label: people gave the labels")
        if self.fixed_label is not None and self.label_names:
            raise ValueError(
                "fixed_label and label_names exclude each other: all documents get one label"
            )
        if self.fixed_label is not None and self.labels_path is not None:
            raise ValueError("takes one of labels_path and fixed_label")
        if self.url is not None:
            _check_url(self.url)
        return self


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must not hold a user or password: use header and header_env")
