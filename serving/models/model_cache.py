"""Bundles in memory: those that serve, and for a while those that served, for the way back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from components.core.bundle import Bundle


class ModelCache:
    """Loads bundles, and keeps one that is not used any more for `keep_seconds`.

    Safe to share between threads; while one loads, others still get what is there.

    Args:
        load: a bundle's name -> the bundle, verified and warm; raises NewsloopError.
        keep_seconds: after its last use, until its memory is given back.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        load: Callable[[str], Bundle],
        keep_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._keep_seconds, self._clock = load, keep_seconds, clock
        self._bundles: dict[str, Bundle] = {}
        self._until: dict[str, float] = {}  # of those that nobody uses: when they go
        self._used: dict[str, str] = {}  # user -> the bundle it uses
        self._lock = threading.Lock()

    @property
    def names(self) -> set[str]:
        """Of the bundles in memory."""
        return set(self._bundles)

    def use(self, user: str, name: str) -> Bundle:
        """The bundle `name`, from memory if it is there; what `user` used before is let go.

        Raises:
            NewsloopError: as `load`; `user` keeps what it had.
        """
        with self._lock:
            bundle = self._bundles.get(name)
        if bundle is None:
            bundle = self._load(name)
        with self._lock:
            bundle = self._bundles.setdefault(name, bundle)
            self._let_go(user)
            self._used[user] = name
            self._until.pop(name, None)
        return bundle

    def release(self, user: str) -> None:
        """`user` needs its bundle no more."""
        with self._lock:
            self._let_go(user)

    def tidy(self) -> None:
        """Gives back the memory of what nobody has used for `keep_seconds`."""
        with self._lock:
            gone = [name for name, until in self._until.items() if until <= self._clock()]
            for name in gone:
                del self._until[name]
            bundles = [self._bundles.pop(name) for name in gone]
        # Not under the lock: a bundle closes with its last reference, which may take a while.
        del bundles

    def _let_go(self, user: str) -> None:
        name = self._used.pop(user, None)
        if name is not None and name not in self._used.values():
            self._until[name] = self._clock() + self._keep_seconds
