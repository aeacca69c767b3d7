"""Connectors to the sources of documents, one in each file, chosen by `kind` in params.yaml.

A new kind of source needs one file with a `SourceReader` and one entry in READERS.
"""

from __future__ import annotations

from components.core.errors import ParamsError
from components.core.params import Source
from components.core.paths import Paths
from components.sources.annotations import AnnotationsReader
from components.sources.documents.folder import FolderReader
from components.sources.documents.mbox import MboxReader
from components.sources.documents.package import PackageReader
from components.sources.feed import FeedReader
from components.sources.feedback import FeedbackReader
from components.sources.http_json import HttpJsonReader
from components.sources.lines import LinesReader
from components.sources.reader import Pin, RawDocument, SourceReader
from components.sources.sql import SqlReader
from components.sources.tabular.arrow import ArrowReader
from components.sources.tabular.csv_file import CsvReader
from components.sources.tabular.excel import ExcelReader
from components.sources.tabular.json_file import JsonReader
from components.sources.tabular.jsonl import JsonlReader
from components.sources.tabular.parquet import ParquetReader

__all__ = ["READERS", "Pin", "RawDocument", "SourceReader", "open_source"]

READERS: dict[str, type[SourceReader]] = {
    "annotations": AnnotationsReader,
    "arrow": ArrowReader,
    "csv": CsvReader,
    "excel": ExcelReader,
    "feed": FeedReader,
    "feedback": FeedbackReader,
    "folder": FolderReader,
    "http_json": HttpJsonReader,
    "json": JsonReader,
    "jsonl": JsonlReader,
    "lines": LinesReader,
    "mbox": MboxReader,
    "package": PackageReader,
    "parquet": ParquetReader,
    "sql": SqlReader,
}


def open_source(source: Source, paths: Paths) -> SourceReader:
    """Returns the reader of `source`, which reads nothing before a method is called.

    Raises:
        ParamsError: no such kind.
    """
    if source.kind not in READERS:
        raise ParamsError(
            f"ingest.sources: {source.name}: expected one of the kinds {', '.join(READERS)}, got "
            f"{source.kind}. Mend `kind` and run again."
        )
    return READERS[source.kind](source, paths)
