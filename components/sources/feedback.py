"""Labels that people gave to predictions, joined to the scrubbed texts in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from components.core import ledger
from components.sources.reader import Pin, RawDocument, SourceReader


class FeedbackReader(SourceReader):
    """Pinned by a watermark: rows of the ledger are only ever added, so it names the same ones."""

    def _state(self) -> Pin:
        if not self._exists():
            return {"watermark": 0}
        with closing(self._open()) as book:
            mark = book.feedback_watermark()
            # Texts that expired or were erased are gone from the same rows: another snapshot.
            gone = book.feedback_without_text(mark)
            return {"watermark": mark} | ({"without_text": gone} if gone else {})

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        pinned = pin.get("watermark")
        if not isinstance(pinned, int):
            raise self._not_as_pinned("a ledger", "without a watermark")
        if pinned == 0:
            return
        found = self._state()["watermark"]
        if found < pinned:
            raise self._not_as_pinned(f"a ledger up to {found}", f"labels up to {pinned}")
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
        """False only for an SQLite file that is not there: connecting would make it."""
        target = sa.make_url(ledger.url(self.paths.ledger))
        if target.get_backend_name() != "sqlite":
            return True
        return bool(target.database) and Path(str(target.database)).is_file()
