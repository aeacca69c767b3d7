"""Windows: which predictions monitoring judges together, read from the ledger.

Drift is judged by count: a window goes by sequence numbers, (after, until], and starts where the
last judged window of the same bundle ended. Accuracy is told by time: hours of UTC, counted from
1970. Neither knows a local clock: daylight saving, time zones and a clock set back change nothing.

What is judged is the scrubbed text of each prediction, as the reference was made from scrubbed
texts: in raw ones every name is an unknown word, which would look like drift for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

from components.core.bundle.reference import thinned
from components.core.ledger import Ledger
from components.core.ledger import windows as ledger_windows

UNNAMED = "unnamed"  # who asked without an API key
State = Literal["complete", "incomplete", "empty", "unvalidated"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """The predictions of one bundle with sequence numbers in (after, until].

    Attributes:
        bundle: name of the bundle that gave them.
        after, until: sequence numbers of the ledger; equal when there is none.
        texts: scrubbed, one a prediction, the oldest first.
        skipped: predictions in (after, until] that are left out.
        lost: those of them whose text the scrubber gave up; the others were too many.
        waiting: predictions after `until`, whose texts are still with the scrubber.
        sources: who asked, one a text: the name of an API key; None where nobody said.
    """

    bundle: str
    after: int
    until: int
    texts: list[str] = field(default_factory=list, repr=False)
    skipped: int = 0
    lost: int = 0
    waiting: int = 0
    sources: list[str | None] = field(default_factory=list, repr=False)

    @property
    def rows(self) -> int:
        return len(self.texts)

    def state(self, min_rows: int, max_lost: float) -> State:
        """Whether the window can be judged.

        Args:
            min_rows: that it needs.
            max_lost: share of its predictions, in [0, 1], that may be without text: of the others
                nobody knows what they said, and most likely they are the odd ones.
        """
        if self.lost > max_lost * max(self.lost + self.rows, 1):
            return "unvalidated"
        if not self.rows:
            return "empty"
        return "incomplete" if self.rows < min_rows else "complete"

    def by_source(self) -> dict[str, int]:
        """Source -> rows, the largest first."""
        return dict(Counter(name or UNNAMED for name in self.sources).most_common())


@dataclass(frozen=True)
class PriorWindows:
    """Predictions that came before a window.

    Attributes:
        before: the newest.
        quiet: how many of these, the newest of them, have shown nothing.
        early: the oldest whose texts are still kept, but for those of windows that drifted; none
            of them is one of the quiet.
    """

    before: Window
    quiet: int
    early: Window


def pick(
    ledger: Ledger, bundle: str, max_rows: int, source: str | None = None, after: int | None = None
) -> Window:
    """The predictions of `bundle` that no window has judged yet and whose texts are scrubbed.

    Texts are scrubbed in the order of the predictions: those that still wait come after `until`,
    and belong to the next window.

    Args:
        ledger: where they are.
        bundle: the champion's.
        max_rows: most rows; of more, as many are taken as are allowed, evenly spread.
        source: only predictions for it.
        after: from where on; where the last window of this bundle ended if left out.

    Raises:
        LedgerError: the ledger cannot be reached.
    """
    after = ledger_windows.judged_until(ledger, bundle) if after is None else after
    found = ledger_windows.scrubbed(ledger, bundle, after, source)
    if not found:
        counts = ledger_windows.counts(ledger, bundle, after, after, source)
        return Window(bundle, after, after, waiting=counts["later"])
    until = found[-1]
    counts = ledger_windows.counts(ledger, bundle, after, until, source)
    chosen = [found[i] for i in thinned(len(found), max_rows)]
    rows = ledger_windows.texts(ledger, chosen)
    return Window(
        bundle,
        after,
        until,
        [row["text"] for row in rows],
        skipped=counts["within"] - len(rows),
        lost=counts["within"] - len(found),
        waiting=counts["later"],
        sources=[row["source"] for row in rows],
    )


def past(ledger: Ledger, window: Window, max_rows: int, early_rows: int) -> PriorWindows:
    """The predictions before `window` that it is judged with, none from before bad data.

    Args:
        max_rows: of `before` at most.
        early_rows: of `early` at most.

    Raises:
        LedgerError: the ledger cannot be reached.
    """
    sound = ledger_windows.last_with(ledger, window.bundle, "bad data")
    loud = ledger_windows.spans(ledger, window.bundle, "drift")
    starts, quiet = [after for after, _ in loud], max([sound, *(until for _, until in loud)])

    def drifted(one: int) -> bool:
        last = bisect_left(starts, one) - 1  # of the windows that begin before it
        return last >= 0 and one <= loud[last][1]

    found = ledger_windows.scrubbed(ledger, window.bundle, sound)
    found = [one for one in found if one <= window.after]
    newest = found[-max_rows:] if max_rows > 0 else []
    shown_nothing = sum(one > quiet for one in newest)
    calm = (one for one in found[: len(found) - shown_nothing] if not drifted(one))

    def of(seqs: list[int]) -> Window:
        rows = ledger_windows.texts(ledger, seqs)
        texts, sources = [row["text"] for row in rows], [row["source"] for row in rows]
        return Window(window.bundle, sound, window.after, texts, sources=sources)

    return PriorWindows(of(newest), shown_nothing, of(list(islice(calm, max(early_rows, 0)))))


def span(time: datetime, hours: float) -> tuple[datetime, datetime]:
    """The window of time that holds `time`: [start, end) in UTC, counted from 1970.

    >>> span(datetime.fromisoformat("2026-03-29T03:10+02:00"), 1)[0].isoformat()
    '2026-03-29T01:00:00+00:00'
    """
    length = timedelta(hours=hours)
    start = _EPOCH + (time - _EPOCH) // length * length
    return start, start + length


def as_dict(window: Window) -> dict[str, Any]:
    """What the ledger keeps of a window: numbers, no text."""
    return {
        "bundle": window.bundle,
        "after": window.after,
        "until": window.until,
        "rows": window.rows,
        "skipped": window.skipped,
        "lost": window.lost,
        "waiting": window.waiting,
        "sources": window.by_source(),
    }
