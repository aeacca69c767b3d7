"""Windows: the predictions that monitoring judges together, read from the ledger.

A drift window is a range of sequence numbers, (after, until], and starts where the last judged
window of the same bundle ended. An accuracy window is a span of UTC hours, counted from 1970.
Neither depends on a local clock: daylight saving, time zones and a clock set back change nothing.

Monitoring judges scrubbed texts, because the reference consists of scrubbed texts. In raw texts
every name is an unknown word, which would always look like drift.

Under overload the service keeps a sample of the texts, thinner for callers that send more. A window
is thinned to one share for all of them, so that each prediction is in it with the same chance.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from components.core.bundle.reference import thinned
from components.core.ledger import Ledger
from components.core.ledger import windows as ledger_windows
from components.core.ledger.verdicts import WindowFinding
from components.core.ledger.windows import Sampled

UNNAMED = "unnamed"  # source of requests without an API key
_BLOCK = 1_000  # predictions of prior windows that are thinned together
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WindowState(StrEnum):
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # too few rows
    EMPTY = "empty"
    UNVALIDATED = "unvalidated"  # the scrubber lost too many texts


@dataclass(frozen=True)
class Window:
    """The predictions of one bundle with sequence numbers in (after, until].

    Attributes:
        bundle: name of the bundle that gave them.
        after, until: sequence numbers of the ledger; equal when there is none.
        texts: scrubbed, one a prediction, the oldest first.
        skipped: number of predictions in (after, until] that are left out.
        lost: number of the skipped whose text was lost. The others exceed `max_rows` or are left
            out by the sample.
        waiting: number of predictions after `until`, whose texts the scrubber has not finished.
        sources: name of the API key of each text; None without a key.
        share: chance of each prediction to be in the sample, in (0, 1]; below 1 after an overload
            of the scrubber.
    """

    bundle: str
    after: int
    until: int
    texts: list[str] = field(default_factory=list, repr=False)
    skipped: int = 0
    lost: int = 0
    waiting: int = 0
    sources: list[str | None] = field(default_factory=list, repr=False)
    share: float = 1.0

    @property
    def rows(self) -> int:
        return len(self.texts)

    def state(self, min_rows: int, max_lost: float) -> WindowState:
        """Returns COMPLETE if monitoring can judge the window, else the obstacle.

        Args:
            min_rows: least rows of a complete window.
            max_lost: largest share of predictions without text, in [0, 1]. Lost texts are probably
                unusual ones, so that the rest would be a biased sample.
        """
        if self.lost > max_lost * max(self.lost + self.rows, 1):
            return WindowState.UNVALIDATED
        if not self.rows:
            return WindowState.EMPTY
        return WindowState.INCOMPLETE if self.rows < min_rows else WindowState.COMPLETE

    def by_source(self) -> dict[str, int]:
        """Counts the rows of each source, the largest first."""
        return dict(Counter(name or UNNAMED for name in self.sources).most_common())


@dataclass(frozen=True)
class PriorWindows:
    """Predictions before a window that the drift test also uses.

    Attributes:
        before: the newest.
        quiet: number of rows at the end of `before` that came after the last drifted window.
        early: the oldest with a text, without windows that drifted and without the quiet rows.
    """

    before: Window
    quiet: int
    early: Window


def even(rows: Sequence[Sampled], uneven: float = 0.0) -> tuple[list[int], float]:
    """Thins kept texts until each prediction is in the sample with the same chance.

    The sample keeps the predictions whose permanent random number lies below one share for all
    (Ohlsson 1995, coordinated Poisson sampling).

    Args:
        rows: predictions whose text was kept or left out.
        uneven: largest part of `rows`, in [0, 1], that may have a lower share than the sample.

    Returns:
        The sequence numbers in the sample, in the order of `rows`, and the share.
    """
    shares = sorted(row.share for row in rows)
    share = shares[int(uneven * len(shares))] if uneven < 1 and shares else 1.0
    return [row.seq for row in rows if row.kept and (share == 1 or row.position < share)], share


def pick(
    ledger: Ledger,
    bundle: str,
    max_rows: int,
    source: str | None = None,
    after: int | None = None,
    uneven: float = 0.0,
) -> Window:
    """Picks the predictions of `bundle` that are scrubbed and not judged yet.

    The scrubber works in the order of the predictions: those that still wait come after `until`
    and belong to the next window.

    Args:
        ledger: holds predictions and texts.
        bundle: the champion's.
        max_rows: most rows; from more predictions an evenly spread sample is taken.
        source: takes only predictions for this source.
        after: sequence number before the window; by default the end of the bundle's last window.
        uneven: see `even`.

    Raises:
        LedgerError: the ledger cannot be reached.
    """
    after = ledger_windows.judged_until(ledger, bundle) if after is None else after
    sampled = ledger_windows.sampled(ledger, bundle, after, source)
    until = max((row.seq for row in sampled if row.kept), default=after)
    counts = ledger_windows.counts(ledger, bundle, after, until, source)
    if until == after:
        return Window(bundle, after, after, waiting=counts["later"])
    within = [row for row in sampled if row.seq <= until]
    seqs, share = even(within, uneven)
    chosen = [seqs[i] for i in thinned(len(seqs), max_rows)]
    rows = ledger_windows.texts(ledger, chosen)
    return Window(
        bundle,
        after,
        until,
        [row["text"] for row in rows],
        skipped=counts["within"] - len(rows),
        lost=counts["within"] - len(within),
        waiting=counts["later"],
        sources=[row["source"] for row in rows],
        share=share,
    )


def past(ledger: Ledger, window: Window, max_rows: int, early_rows: int) -> PriorWindows:
    """Reads the predictions before `window` and after the last window of bad data.

    Args:
        ledger: holds predictions and texts.
        window: the window to judge.
        max_rows: most rows of `before`.
        early_rows: most rows of `early`.

    Raises:
        LedgerError: the ledger cannot be reached.
    """
    sound = ledger_windows.last_with(ledger, window.bundle, WindowFinding.BAD_DATA)
    loud = ledger_windows.spans(ledger, window.bundle, WindowFinding.DRIFT)
    starts, quiet = [after for after, _ in loud], max([sound, *(until for _, until in loud)])

    def drifted(seq: int) -> bool:
        last = bisect_left(starts, seq) - 1  # of the windows that begin before the prediction
        return last >= 0 and seq <= loud[last][1]

    sampled = ledger_windows.sampled(ledger, window.bundle, sound)
    sampled = [row for row in sampled if row.seq <= window.after]
    # Each block has a share of its own: one overload must not thin all that came before.
    blocks = [sampled[i : i + _BLOCK] for i in range(0, len(sampled), _BLOCK)]
    seqs = [seq for block in blocks for seq in even(block)[0]]
    newest = seqs[-max_rows:] if max_rows > 0 else []
    quiet_rows = sum(seq > quiet for seq in newest)
    calm = (seq for seq in seqs[: len(seqs) - quiet_rows] if not drifted(seq))

    def read(seqs: list[int]) -> Window:
        rows = ledger_windows.texts(ledger, seqs)
        texts, sources = [row["text"] for row in rows], [row["source"] for row in rows]
        return Window(window.bundle, sound, window.after, texts, sources=sources)

    return PriorWindows(read(newest), quiet_rows, read(list(islice(calm, max(early_rows, 0)))))


def span(time: datetime, hours: float) -> tuple[datetime, datetime]:
    """Computes the window of `hours` that holds `time`: [start, end) in UTC, counted from 1970.

    >>> span(datetime.fromisoformat("2026-03-29T03:10+02:00"), 1)[0].isoformat()
    '2026-03-29T01:00:00+00:00'
    """
    length = timedelta(hours=hours)
    start = _EPOCH + (time - _EPOCH) // length * length
    return start, start + length


def as_dict(window: Window) -> dict[str, Any]:
    """Returns the plain values of a window that the ledger keeps: numbers and names, no text."""
    return {
        "bundle": window.bundle,
        "after": window.after,
        "until": window.until,
        "rows": window.rows,
        "skipped": window.skipped,
        "lost": window.lost,
        "waiting": window.waiting,
        "share": window.share,
        "sources": window.by_source(),
    }
