"""Reads what annotation tools export: doccano, Label Studio, Argilla and Prodigy.

The file is JSON Lines or a JSON list. Each record shows by its keys which tool wrote it; see
annotation_records.py. Several annotators of one text vote, also in records of their own with one
id. A tie is a bad row. Skipped, cancelled and rejected records have no label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import IO

from components.core.params.sources import OPTIONAL
from components.sources.annotation_records import Annotation, BadRecord, annotation
from components.sources.files import Table
from components.sources.reader import RawDocument, printable
from components.sources.rows import Columns, faulty, named_label, text_fault
from components.sources.streams import rewound
from components.sources.tabular.json_file import JsonReader
from components.sources.tabular.jsonl import JsonlReader

_SHOWN_KEYS = 10
_HEAD = 4096  # bytes in which the first character stands
_BLANK = b"\xef\xbb\xbf \t\r\n"


class AnnotationsReader(JsonlReader):
    """A record is a document; records with one id are one document."""

    suffixes = (".json", ".jsonl", ".ndjson")

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        head = file.read(_HEAD)
        is_list = head.lstrip(_BLANK)[:1] == b"["
        rest = rewound(head, file)
        if is_list:
            return JsonReader(self.source, self.paths)._table(rest, None)
        return super()._table(rest, None)

    def _fitting(self) -> Columns:
        """Counts the votes; the optional columns of tables have no meaning here."""
        self._votes: dict[str, Counter[str]] = {}
        self._read = set[str]()
        for _, table in self._tables(None):
            for _, row in table.rows:
                try:
                    record = annotation(row, self.source)
                except BadRecord:
                    continue
                if record.id is not None:
                    self._votes.setdefault(record.id, Counter()).update(record.labels)
        return Columns.of(self.source, OPTIONAL)

    def _mapped(self, table: Table, columns: Columns, prefix: str) -> Iterator[RawDocument]:
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
            if record.id is not None:
                if record.id in self._read:
                    continue
                self._read.add(record.id)
            yield self._document(record, record.id or f"{prefix}{number}")
        if fields and not has_text:
            raise self._error(
                f"a field {self.source.text_columns[0]!r} in {self._shown}",
                f"only {_listed(fields)}",
                "Name the right field by `text:` in this source's entry in params.yaml.",
            )

    def _document(self, record: Annotation, name: str) -> RawDocument:
        votes = Counter(record.labels) if record.id is None else self._votes[record.id]
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
