"""Champion watcher: loads the champion's bundle, and swaps it when the champion changes.

The batcher reads `current` once per batch, so a swap happens between two batches. The previous
bundle stays in the model cache for a while, so that a rollback loads nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from components.core.bundle import Bundle
from components.core.errors import NewsloopError
from components.core.ledger import Champion
from components.core.training import energy
from serving.http.answers import ModelDescription
from serving.models.model_cache import ModelCache
from serving.status import Code, Status

LOG = logging.getLogger("newsloop.serving")
WARM_TEXT = "A few words that no document holds."
LONGEST_PAUSE = 60  # seconds between two tries to load a bundle that cannot be loaded
_END_SECONDS = 10.0  # for a look at the ledger, or the loading of a bundle, at shutdown
USER = "champion"  # of the model cache


@dataclass(frozen=True)
class Served:
    """A loaded bundle, and its version if the ledger has one. Immutable: a swap replaces it."""

    bundle: Bundle
    version: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        """Name of the model in answers: the version's tag, if any, and 12 digits of the bundle."""
        short = self.bundle.name[:12]
        return f"{self.version['tag']} {short}" if self.version else short

    def describe(self) -> ModelDescription:
        """Returns the answer of GET /model."""
        known = self.version or {}
        return ModelDescription(
            model=self.title,
            version=known.get("version"),
            tag=known.get("tag"),
            snapshot=known.get("snapshot"),
            commit=known.get("commit"),
            dvc_lock=known.get("dvc_lock"),
            metrics=known.get("metrics"),
            decision=known.get("decision"),
            bundle=self.bundle.name,
            since=known["time"].isoformat() if "time" in known else None,
            reason=known.get("reason"),
            facts=self.bundle.facts,
            card=self._card((known.get("metrics") or {}).get("energy")),
        )

    def _card(self, spent: dict[str, Any] | None) -> str | None:
        """Returns the model card in Markdown, with the energy of the training."""
        card = self.bundle.card
        return None if card is None else card + energy.section(spent)


class ChampionSource(Protocol):
    """Interface of the champion watcher to the ledger; components.core.ledger.Ledger has it."""

    def champion(self) -> Champion | None: ...


def warm(bundle: Bundle, max_batch: int) -> Bundle:
    """Predicts batches of several sizes, because the first calls are slow; returns `bundle`."""
    for size in (1, 2, 4, max_batch):
        bundle.predict([WARM_TEXT] * size)
    return bundle


class ChampionWatcher:
    """Thread that keeps `current` at the ledger's champion.

    If the new bundle cannot be loaded or the ledger is unavailable, the old bundle serves on, and
    the error is logged once.

    Args:
        ledger: source of the champion.
        model_cache: loads bundles.
        seconds: seconds between two reads of the ledger.
        report: called with each new state.
    """

    def __init__(
        self,
        ledger: ChampionSource,
        model_cache: ModelCache,
        seconds: float,
        report: Callable[[Status], object] = lambda _: None,
    ) -> None:
        self._ledger, self._model_cache, self._seconds = ledger, model_cache, seconds
        self._report = report
        self._reported: Status | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="champion-watcher", daemon=True)
        self._refused: str | None = None  # name of the bundle that could not be loaded
        self._looks_to_skip = self._pause = 0
        self.current: Served | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_SECONDS)

    @property
    def ledger_away(self) -> bool:
        """True if the last read of the ledger failed."""
        return self._reported is not None and self._reported.code is Code.LEDGER_AWAY

    def look(self) -> None:
        """Reads the ledger once; swaps `current` if the champion has changed."""
        self._model_cache.tidy()
        try:
            champion = self._ledger.champion()
        except NewsloopError as error:
            message = f"The service goes on with {self._serving()}: {error}"
            self._tell_once(Status(Code.LEDGER_AWAY, str(error)), message)
            return
        if champion is None:
            message = "No version has been released yet: the service waits for the first."
            self._tell_once(Status(Code.NO_VERSION, message), message)
            return
        if self.current is not None and self.current.bundle.name == champion.bundle:
            self._refused = None
            if self.current.version != vars(champion):  # the same bundle, deployed again
                self.current = Served(self.current.bundle, dict(vars(champion)))
            self._tell_once(Status(Code.SERVING, bundle=champion.bundle))
            return
        self._swap(champion)

    def _swap(self, champion: Champion) -> None:
        if self._refused != champion.bundle:
            self._looks_to_skip = self._pause = 0
        elif self._looks_to_skip > 0:
            self._looks_to_skip -= 1
            return
        try:
            bundle = self._model_cache.use(USER, champion.bundle)
        except NewsloopError as error:
            # Exponential backoff: the file may be repaired, but each verification takes time.
            longest = max(1, int(LONGEST_PAUSE / self._seconds))
            self._pause = min(2 * self._pause + 1, longest)
            self._refused, self._looks_to_skip = champion.bundle, self._pause
            self._tell_once(
                Status(Code.REFUSED, str(error), champion.bundle),
                f"{champion.tag} cannot be served; the service goes on with {self._serving()}: "
                f"{error}",
            )
            return
        self._refused = None
        self.current = Served(bundle, dict(vars(champion)))
        self._tell_once(Status(Code.SERVING, bundle=champion.bundle))
        LOG.info("%s serves from now on (%s).", self.current.title, champion.reason)

    def _serving(self) -> str:
        return self.current.title if self.current else "no model"

    def _tell_once(self, status: Status, error: str = "") -> None:
        """Reports a state that differs from the last one, and logs its error."""
        if status != self._reported:
            self._reported = status
            self._report(status)
            if error:
                LOG.error(error)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the service must survive any error here
                reason = f"looking for a new champion gave {type(error).__name__}: {error}"
                message = f"The service goes on with {self._serving()}: {reason}"
                code = Code.NO_MEMORY if isinstance(error, MemoryError) else Code.FAILED
                self._tell_once(Status(code, reason), message)
            self._stop.wait(self._seconds)
