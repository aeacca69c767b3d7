"""Reads what annotation tools export: doccano, Label Studio, Argilla and Prodigy.

The file is JSON Lines or a JSON list. Each record shows by its keys which tool wrote it; see
annotation_records.py. Several annotators of one text vote, also in records of their own with one
id and text. A tie is a bad row. Skipped, cancelled and rejected records have no label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import IO

from components.core.params.sources import OPTIONAL
from components.sources.annotation_records import Annotation, BadRecord, annotation
from components.sources.reader import RawDocument, printable
from components.sources.row_files import FileReader, Table
from components.sources.rows import Columns, faulty, named_label, text_fault
from components.sources.tabular.json_file import JsonReader
from components.sources.tabular.jsonl import JsonlReader

_SHOWN_KEYS = 10
_HEAD = 4096  # bytes in which the first character stands
_BLANK = b"\xef\xbb\xbf \t\r\n"


class AnnotationsReader(FileReader):
    """A record is a document; records with one id are one document."""

    suffixes = (".json", ".jsonl", ".ndjson")

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        head: bytes = file.peek(_HEAD)  # type: ignore[attr-defined]
        kind = JsonReader if head.lstrip(_BLANK)[:1] == b"[" else JsonlReader
        reader = kind(self.source, self.paths)
        reader._budget = self._budget
        return reader._table(file, wanted)

    def _fitting(self) -> Columns:
        """Counts the votes; the optional columns of tables have no meaning here."""
        self._votes: dict[tuple[str, str], Counter[str]] = {}
        self._read = set[tuple[str, str]]()
        self._ids = set[str]()
        for _, table in self._tables(None):
            for _, row in table.rows:
                try:
                    record = annotation(row, self.source)
                except BadRecord:
                    continue
                if record.key is not None:
                    self._votes.setdefault(record.key, Counter()).update(record.labels)
        return Columns.of(self.source, OPTIONAL)

    def _mapped(self, table: Table, columns: Columns, prefix: str) -> Iterator[RawDocument]:
        del columns
        fields: tuple[str, ...] = ()
        has_text = False
        for number, row in table.rows:
            try:
                record = annotation(row, self.source)
            except BadRecord as error:
                if error.questions:
                    raise self._error(
                        f"one question in {self._shown}, or its name as `label`",
                        f"several: {_listed(error.questions)}",
                        "Name one by `label:` in this source's entry in params.yaml.",
                    ) from None
                fields = fields or error.fields
                yield faulty(f"{prefix}{number}", str(error), self.source)
                continue
            has_text = True
            if record.key in self._read:
                continue
            name = f"{prefix}{number}"
            if record.key is not None:
                self._read.add(record.key)
                if record.key[0] not in self._ids:  # else another text has this id
                    name = record.key[0]
                self._ids.add(name)
            yield self._document(record, name)
        if fields and not has_text:
            raise self._error(
                f"a field {self.source.text_columns[0]!r} in {self._shown}",
                f"only {_listed(fields)}",
                "Name the right field by `text:` in this source's entry in params.yaml.",
            )

    def _document(self, record: Annotation, name: str) -> RawDocument:
        votes = Counter(record.labels) if record.key is None else self._votes[record.key]
        ranked = votes.most_common(2)
        fault = text_fault(record.text)
        if len(record.text) > self._longest:
            fault = f"the text is longer than {self._longest:,} bytes"
        if len(ranked) > 1 and ranked[0][1] == ranked[1][1] and self.source.fixed_label is None:
            fault = fault or f"the annotators disagree: {len(votes)} labels without a majority"
        label = ranked[0][0] if ranked and not fault else None
        return RawDocument(
            id=self._id(name),
            text="" if fault else record.text,
            label=named_label(label, self.source),
            fault=fault,
        )


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN_KEYS} more" if len(names) > _SHOWN_KEYS else ""
    return ", ".join(printable(name) for name in names[:_SHOWN_KEYS]) + more
