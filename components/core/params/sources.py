"""The entries of ingest.sources in params.yaml: what each kind of source needs and takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from components.core.params.base import Positive, Rate, Settings, Share

_FILE = frozenset({"path", "inside"})
_CSV = frozenset({"delimiter", "encoding", "quote", "header"})
_CALL = frozenset({"url", "header", "header_env"})
# What a kind takes besides name, kind, limits, columns and labels. A kind that is not here (of a
# connector that somebody added) is not checked.
TAKES: dict[str, frozenset[str]] = {
    "package": frozenset({"package", "path"}),
    "folder": _FILE,
    "csv": _FILE | _CSV,
    "excel": _FILE | {"sheet", "header"},
    "json": _FILE | {"items"},
    "jsonl": _FILE,
    "parquet": _FILE,
    "arrow": _FILE,
    "mbox": _FILE,
    "lines": frozenset({"path", "labels_path"}),
    "annotations": _FILE,
    "feedback": frozenset(),
    "sql": frozenset({"path", "url_env", "table", "query", "watermark"}),
    "feed": _CALL | {"path"},
    "http_json": _CALL | {"items", "pages", "watermark"},
}
# Each group: exactly one of these keys.
_NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "package": (("path",), ("package",)),
    "folder": (("path",),),
    "csv": (("path",),),
    "excel": (("path",),),
    "json": (("path",),),
    "jsonl": (("path",),),
    "parquet": (("path",),),
    "arrow": (("path",),),
    "mbox": (("path",),),
    "lines": (("path",),),
    "annotations": (("path",),),
    "sql": (("url_env", "path"), ("watermark",), ("table", "query")),
    "feed": (("path", "url"),),
    "http_json": (("url",),),
}
_WITHOUT_COLUMNS = ("package", "folder", "feed", "feedback")
_OWN = frozenset().union(*TAKES.values())
AUTO = "auto"  # the column of that name, if its values fit
OPTIONAL = ("id", "time", "author")  # keys of columns that may be absent


class Limits(Settings):
    """Limits of a source, so that no archive or server fills the memory or hangs a run.

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
    """Pagination of an HTTP API."""

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
        description="connector of components/sources/: package, folder, csv, excel, json, jsonl, "
        "parquet, arrow, sql, feed, http_json, mbox, lines, annotations or feedback"
    )
    path: str | None = Field(
        None,
        description="of the folder or file, relative to the project, or s3://, gs://, az://; for "
        "`package` inside the package; for `sql`: of a SQLite file, instead of url_env",
    )
    inside: str | None = Field(
        None, description="file or folder inside a zip or tar; null: all of it"
    )
    labels_path: str | None = Field(
        None,
        description="for `lines`: of a file with a label a line, for the texts in `path`; null: "
        "each line of `path` begins with its label, as `__label__tech` (fastText) or `tech`",
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
    header: str | bool | None = Field(
        None,
        description="for a URL: header that each request sends; for csv and excel: true: the first "
        "row holds the names of the columns; false: there are no names, the columns are column_1, "
        "column_2, ...; auto or null: detected",
    )
    header_env: str | None = Field(None, description="environment variable with its value")
    items: str | None = Field(
        None,
        description="dotted path to the list of items in an answer or JSON file; null: the answer "
        "is the list, of a file it is detected",
    )
    pages: Pages | None = Field(
        None, description="how to get the next page; null: there is one page"
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="for csv: character between two fields; null: detected"
    )
    quote: Literal["double", "backslash", "single", "none"] | None = Field(
        None,
        description='for csv: double: quotes ", doubled inside a field; backslash: quotes ", with '
        "a backslash before one inside; single: quotes ', doubled inside; none: no quotes; null: "
        "detected",
    )
    encoding: str | None = Field(
        None, description="for csv: a codec of Python, such as cp1252; null: detected"
    )
    sheet: str | None = Field(
        None, description="for excel: name of the sheet; null: the first one with rows"
    )
    text: str | Annotated[list[str], Field(min_length=1)] = Field(
        "text",
        description="column, key or dotted path; required in the data; several in a list are "
        "joined by an empty line, without those that are empty",
    )
    label: str = Field("label", description="column, key or dotted path; required in the data")
    id: str | None = Field(
        AUTO,
        description="column, key or dotted path; null: not read; auto: the column `id`, if its "
        "values are single and differ from each other",
    )
    time: str | None = Field(
        AUTO,
        description="column, key or dotted path; null: not read; auto: the column `time`, if all "
        "its values are times",
    )
    author: str | None = Field(
        AUTO,
        description="column, key or dotted path; null: not read; auto: the column `author`, if its "
        "values are texts or whole numbers",
    )
    time_format: str | None = Field(
        None,
        description="of the values of `time`: seconds or milliseconds since 1970, or a format of "
        'strptime such as "%d.%m.%Y"; null: ISO 8601, RFC 2822, or time since 1970 in a unit that '
        "the size of the number shows",
    )
    part: str | None = Field(
        None,
        description="column, key or dotted path with the side of an official split: train, "
        "validation (valid, val, dev) or test, in any case; for `split.by: column`",
    )
    fixed_part: Literal["train", "validation", "test"] | None = Field(
        None,
        description="side of all documents of this source, instead of a column, such as test for "
        "test.csv; for `split.by: column`",
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

    @field_validator("label_names", mode="before")
    @classmethod
    def texts(cls, names: Any) -> Any:
        """Converts labels that YAML reads as numbers or booleans, as a row's label is converted."""
        if not isinstance(names, dict):
            return names
        return {
            label_text(name) if isinstance(name, bool | int | float) else name: value
            for name, value in names.items()
        }

    @field_validator("encoding")
    @classmethod
    def known(cls, encoding: str | None) -> str | None:
        """Refuses what Python cannot decode."""
        if encoding is not None:
            try:
                "a".encode(encoding)
            except (LookupError, ValueError):
                raise ValueError(
                    "no encoding of that name, write one such as utf-8, utf-16 or cp1252"
                ) from None
        return encoding

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Names of the columns whose texts make the document's text."""
        return (self.text,) if isinstance(self.text, str) else tuple(self.text)

    def column(self, key: str) -> str | None:
        """Returns the name of the column for one of OPTIONAL; None where it is not read."""
        name: str | None = getattr(self, key)
        return key if name == AUTO else name

    @model_validator(mode="after")
    def complete(self) -> Source:
        for group in _NEEDS.get(self.kind, ()):
            given = [key for key in group if getattr(self, key) is not None]
            if not given:
                raise ValueError(f"a source of kind {self.kind} needs a {' or a '.join(group)}")
            if len(given) > 1:
                raise ValueError(f"a source of kind {self.kind} takes one of {' and '.join(given)}")
        given_here = {key for key in _OWN if getattr(self, key) is not None}
        if self.part is not None and self.fixed_part is not None:
            raise ValueError("takes one of part and fixed_part")
        if self.part is not None and self.kind in _WITHOUT_COLUMNS:
            raise ValueError(f"a source of kind {self.kind} has no columns: use fixed_part")
        foreign = sorted(given_here - TAKES.get(self.kind, _OWN))
        if foreign:
            raise ValueError(f"a source of kind {self.kind} has no key {', '.join(foreign)}")
        if "header_env" in TAKES.get(self.kind, ()):
            if (self.header is None) != (self.header_env is None):
                raise ValueError(
                    "header and header_env belong together: its name, and where its value"
                )
            if isinstance(self.header, bool):
                raise ValueError("header must be the name of a header that each request sends")
        elif self.kind in TAKES and self.header not in (None, True, False, AUTO):
            raise ValueError("header must be auto, true or false")
        if self.url is not None:
            _check_url(self.url)
        return self

    @model_validator(mode="after")
    def labels_once(self) -> Source:
        """Refuses settings of labels that would have no effect beside `fixed_label`."""
        if self.fixed_label is None:
            return self
        if self.kind == "feedback":
            raise ValueError("a source of kind feedback has no fixed_label: people gave the labels")
        if self.label_names:
            raise ValueError(
                "takes one of label_names and fixed_label: all documents get one label"
            )
        if self.labels_path is not None:
            raise ValueError("takes one of labels_path and fixed_label")
        return self


def label_text(value: float) -> str:
    """Formats a number or boolean that is a label; a whole number has no fraction.

    >>> label_text(1.0), label_text(0), label_text(2.5), label_text(True)
    ('1', '0', '2.5', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must not hold a user or password: use header and header_env")
