"""Follows the ledger: serves the champion's bundle, and swaps it when the champion changes.

The batcher asks for `current` once a batch, so a swap falls between two batches. The bundle that
served before stays in the model cache for a while: going back to it loads nothing.
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
USER = "champion"  # of the model cache


@dataclass(frozen=True)
class Served:
    """A loaded bundle and, where the ledger knows it, its version. Never changed, only replaced."""

    bundle: Bundle
    version: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        """The model's name in answers.

        The version's tag and the first 12 digits of the bundle's name, or only these.
        """
        short = self.bundle.name[:12]
        return f"{self.version['tag']} {short}" if self.version else short

    def describe(self) -> ModelDescription:
        """The answer of GET /model."""
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
        """The model card in Markdown, with what the training cost."""
        card = self.bundle.card
        return None if card is None else card + energy.section(spent)


class ChampionSource(Protocol):
    """The one question that the champion watcher asks; components.core.ledger.Ledger answers it."""

    def champion(self) -> Champion | None: ...


def warm(bundle: Bundle, max_batch: int) -> Bundle:
    """`bundle`, after first calls of several sizes, which are slower than all later ones."""
    for size in (1, 2, 4, max_batch):
        bundle.predict([WARM_TEXT] * size)
    return bundle


class ChampionWatcher:
    """A thread that keeps `current` at the ledger's champion.

    When the new bundle cannot be loaded or the ledger cannot be reached, the old one serves on, and
    the log says so once.

    Args:
        ledger: says who the champion is.
        model_cache: where bundles come from.
        seconds: between two looks.
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
        self._refused: str | None = None  # the bundle that could not be loaded
        self._looks_to_skip = self._pause = 0
        self.current: Served | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def ledger_away(self) -> bool:
        """Whether the ledger could not be read at the last look."""
        return self._reported is not None and self._reported.code is Code.LEDGER_AWAY

    def look(self) -> None:
        """One look at the ledger; swaps `current` where there is another champion."""
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
            if self.current.version != vars(champion):  # the same bundle, deployed anew
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
            # A bundle may be mended, but verifying a broken one each second is work for nothing.
            most = max(1, int(LONGEST_PAUSE / self._seconds))
            self._pause = min(2 * self._pause + 1, most)
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
        """Reports a state that is new, and logs its error."""
        if status != self._reported:
            self._reported = status
            self._report(status)
            if error:
                LOG.error(error)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the service must outlive any surprise here
                reason = f"looking for a new champion gave {type(error).__name__}: {error}"
                message = f"The service goes on with {self._serving()}: {reason}"
                self._tell_once(Status(Code.FAILED, reason), message)
            self._stop.wait(self._seconds)
