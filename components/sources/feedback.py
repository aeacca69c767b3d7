"""Reads labels that people gave to predictions, with the scrubbed texts of the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from components.core import ledger
from components.sources.reader import Pin, RawDocument, SourceReader


class FeedbackReader(SourceReader):
    """Pins a watermark, which always names the same labels, since the ledger only adds rows."""

    def _state(self) -> Pin:
        if not self._exists():
            return {"watermark": 0}
        with closing(self._open()) as book:
            mark = book.feedback_watermark()
            # Expiry and erasure remove texts of the same rows, which changes the snapshot.
            gone = book.feedback_without_text(mark)
            return {"watermark": mark} | ({"without_text": gone} if gone else {})

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        pinned = pin.get("watermark")
        if not isinstance(pinned, int):
            raise self._not_as_pinned("a ledger", "without a watermark")
        if pinned == 0:
            return
        current = self._state()["watermark"]
        if current < pinned:
            raise self._not_as_pinned(f"a ledger up to {current}", f"labels up to {pinned}")
        with closing(self._open()) as book:
            rows = book.feedback(until=pinned)
        for row in rows:
            yield RawDocument(
                id=self._id(row["prediction_id"]),
                text=row["text"],
                label=row["label"],
                time=row["time"],
            )

    def _open(self) -> ledger.Ledger:
        return ledger.Ledger(ledger.url(self.paths.ledger))

    def _exists(self) -> bool:
        """Tests for the SQLite file, which a connection would create; true for other databases."""
        target = sa.make_url(ledger.url(self.paths.ledger))
        if target.get_backend_name() != "sqlite":
            return True
        return bool(target.database) and Path(str(target.database)).is_file()
