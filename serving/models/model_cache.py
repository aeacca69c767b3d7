"""Model cache: serving bundles, and for a while replaced ones, for an instant rollback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from components.core.bundle import Bundle


class ModelCache:
    """Loads bundles, and keeps an unused one for `keep_seconds`.

    Safe to share between threads; a load does not block the use of loaded bundles.

    Args:
        load: name of a bundle -> the bundle, verified and warm; raises NewsloopError.
        keep_seconds: seconds after its last use until a bundle's memory is freed.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self,
        load: Callable[[str], Bundle],
        keep_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._keep_seconds, self._clock = load, keep_seconds, clock
        self._bundles: dict[str, Bundle] = {}
        self._until: dict[str, float] = {}  # unused bundle -> time when it is freed
        self._used: dict[str, str] = {}  # user -> bundle
        self._lock = threading.Lock()

    @property
    def names(self) -> set[str]:
        """Names of the bundles in memory."""
        return set(self._bundles)

    def use(self, user: str, name: str) -> Bundle:
        """Returns the bundle `name`, loaded if necessary, and releases the user's previous bundle.

        Raises:
            NewsloopError: as `load`; `user` keeps its previous bundle.
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
        """Releases the bundle of `user`."""
        with self._lock:
            self._let_go(user)

    def tidy(self) -> None:
        """Frees the bundles that nobody has used for `keep_seconds`."""
        with self._lock:
            expired = [name for name, until in self._until.items() if until <= self._clock()]
            for name in expired:
                del self._until[name]
            bundles = [self._bundles.pop(name) for name in expired]
        # Outside of the lock, because closing a bundle at its last reference may take a while.
        del bundles

    def _let_go(self, user: str) -> None:
        name = self._used.pop(user, None)
        if name is not None and name not in self._used.values():
            self._until[name] = self._clock() + self._keep_seconds
