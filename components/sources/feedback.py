"""Reads labels that people gave to predictions, with the scrubbed texts of the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from components.core import ledger, tables
from components.core.ledger import labels
from components.sources.reader import Pin, RawDocument, SourceReader
from components.sources.rows import named_label


class FeedbackReader(SourceReader):
    """Pins a watermark, and a fingerprint of the labels up to it that are learned from.

    A label that was set aside since then changes the fingerprint: the pin cannot be read any more,
    and the next snapshot is a new one. Of a caller whose labels do not count alone, the newest are
    learned from, up to `caller_share` of the other sources' documents. The pin holds that number
    where it leaves labels out.
    """

    def _state(self) -> Pin:
        if not self._exists():
            return {"watermark": 0}
        with closing(self._open()) as book:
            mark = book.feedback_watermark()
            rows = labels.learnable(book, mark)
            # Expiry and erasure remove texts of the same rows, which changes the snapshot.
            gone = book.feedback_without_text(mark)
        most = self._most()
        kept = labels.newest_of_each(rows, most)
        pin: Pin = {"watermark": mark} | ({"without_text": gone} if gone else {})
        if len(kept) < len(rows):
            pin["per_caller"] = most
        return pin | ({"labels": _fingerprint(kept)} if kept else {})

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        pinned = pin.get("watermark")
        if not isinstance(pinned, int):
            raise self._not_as_pinned("a ledger", "without a watermark")
        if pinned == 0:
            return
        if not self._exists():
            raise self._not_as_pinned("no ledger", f"labels up to {pinned}")
        with closing(self._open()) as book:
            current = book.feedback_watermark()
            if current < pinned:
                raise self._not_as_pinned(f"a ledger up to {current}", f"labels up to {pinned}")
            kept = labels.learnable(book, pinned)
            rows = book.feedback(until=pinned)
        if (most := pin.get("per_caller")) is not None:
            kept = labels.newest_of_each(kept, most)
        if "labels" in pin and _fingerprint(kept) != pin["labels"]:
            raise self._not_as_pinned("others, some were set aside or taken back", "labels")
        chosen = {row["prediction_id"] for row in kept}
        for row in rows:
            if row["prediction_id"] in chosen:
                yield RawDocument(
                    id=self._id(row["prediction_id"]),
                    text=row["text"],
                    label=named_label(row["label"], self.source),
                    time=row["time"],
                )

    def _most(self) -> int:
        """Labels of one caller that are learned from."""
        validation = self.paths.validated / "validation.json"
        known: Mapping[str, Any] = {}
        if validation.exists():
            known = tables.read_json(validation)
        elif self.paths.baseline.exists():  # a clone without data
            counts = tables.read_json(self.paths.baseline)
            known = counts.get("snapshot") or counts.get("release") or {}
        by_source: Mapping[str, int] = known.get("by_source", {})
        others = sum(n for name, n in by_source.items() if name != self.source.name)
        return int(self.source.caller_share * others)

    def _open(self) -> ledger.Ledger:
        return ledger.Ledger(ledger.url(self.paths.ledger))

    def _exists(self) -> bool:
        """Tests for the SQLite file, which a connection would create; true for other databases."""
        target = sa.make_url(ledger.url(self.paths.ledger))
        if target.get_backend_name() != "sqlite":
            return True
        return bool(target.database) and Path(str(target.database)).is_file()


def _fingerprint(rows: Sequence[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        label = row["label"].encode("utf-8", "surrogatepass")
        digest.update(b"%s %d:%s\n" % (row["prediction_id"].encode(), len(label), label))
    return digest.hexdigest()
