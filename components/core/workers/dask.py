"""Maps batches on a Dask cluster, whose scheduler NEWSLOOP_DASK_SCHEDULER names.

Raw texts are in the memory of workers and scheduler, nowhere else. A worker that may spill to disk
is refused, and neither a failed task nor a log shows a text. Dask's nodes exchange pickles, so a
client of the scheduler can run code on every node; docs/scale.md describes how to protect it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from components.core.errors import NewsloopError, ScrubError
from components.core.workers.base import AHEAD, SCHEDULER, R, Task, Work, failed

_ADDRESS = re.compile(r"(tls|tcp)://[^/\s]+:\d+")
BATCH_SECONDS = 3600.0  # of a batch and those before it: a cluster that needs more hangs
_LOOK_EVERY = 10.0  # seconds between two counts of the cluster's threads


class DaskWorkers(Generic[R]):
    """Runs batches on the cluster at `address`, such as "tls://10.0.0.5:8786".

    Dask itself runs the batches of a dead worker again, on another worker.

    Args:
        work: as in `open_workers`; the cluster's machines need the same newsloop installed.
        address: of the scheduler.
        seconds: time limit for the scheduler to answer, and for a worker to come.

    Raises:
        ScrubError: the scheduler does not answer, has no worker, or one that writes to a disk.
    """

    def __init__(self, work: Work[R], address: str, seconds: float) -> None:
        self._work, self._address, self._seconds = work, address, seconds
        self._client = self._connect()
        self._threads, self._looked = 0, 0.0
        try:
            self._wait_for_a_worker()
            for worker, spills in self._client.run(_spills).items():
                if spills:
                    raise _would_spill(worker)
        except BaseException:
            self._client.close()
            raise

    def _connect(self) -> Any:
        from distributed import Client, Security

        try:
            security = Security()  # from Dask's settings
            # With either of these faults, Dask's own client would hang for a long time.
            if not _ADDRESS.fullmatch(self._address):
                raise ValueError("no address of the form tls://host:port or tcp://host:port")
            if self._address.startswith("tls:") and not _has_certificate(security):
                raise FileNotFoundError("no certificate for the client")
            return Client(
                self._address,
                timeout=self._seconds,
                security=security,
                set_as_default=False,
                name="newsloop",
            )
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing was sent yet
            raise ScrubError(
                f"Expected a Dask scheduler at {self._address}, as {SCHEDULER} says, got "
                f"{type(error).__name__}: {error}. Start it, correct the address or the settings "
                "for TLS (docs/scale.md), or unset the variable to use this machine's processes."
            ) from None

    @property
    def ahead(self) -> int:
        now = time.monotonic()
        if now - self._looked > _LOOK_EVERY:
            self._threads, self._looked = sum(self._client.nthreads().values()), now
        return AHEAD * max(self._threads, 1)

    def submit(self, batch: Sequence[str]) -> Task[R]:
        # Without `pure` Dask would hash each batch to find equal ones.
        future = self._client.submit(_guarded, self._work, RedactedBatch(batch), pure=False)
        return Task(batch, future)

    def result(self, task: Task[R]) -> list[R]:
        from distributed import KilledWorker

        deadline = time.monotonic() + BATCH_SECONDS
        while True:
            try:
                done = task.handle.result(timeout=self._seconds)
                break
            except TimeoutError:
                self._wait_for_a_worker()
                if time.monotonic() > deadline:
                    raise ScrubError(
                        f"Expected a batch from the Dask workers within {BATCH_SECONDS / 60:g} "
                        "minutes, none came. See what holds them, then run again: what was "
                        "scrubbed before is remembered."
                    ) from None
            except KilledWorker:
                raise ScrubError(
                    "Expected the Dask workers to live, one batch was on too many that died: "
                    "killed, or out of memory. Give them more memory, or lower "
                    "ingest.scrub.batch, and run again."
                ) from None
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing passes
                raise self._lost(error) from None
        task.handle.release()
        if isinstance(done, Failure):
            raise ScrubError(done.message) if done.message else failed(Exception(), done.name)
        return list(done)

    def _wait_for_a_worker(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=self._seconds)
        except TimeoutError:
            raise ScrubError(
                f"Expected a Dask worker at the scheduler {self._address}, none came within "
                f"{self._seconds:g} s. Start one by `python -m components.core.workers.dask_node "
                f"{self._address}`, or unset {SCHEDULER}."
            ) from None
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing passes
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> ScrubError:
        return ScrubError(
            f"Expected the Dask scheduler at {self._address} to answer, got "
            f"{type(error).__name__}. What was scrubbed before is remembered: start the cluster "
            "and run again."
        )

    def __enter__(self) -> DaskWorkers[R]:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def _has_certificate(security: Any) -> bool:
    return security.get_connection_args("client").get("ssl_context") is not None


class RedactedBatch:
    """A batch whose repr shows no text, since Dask logs the arguments of a task."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    def __repr__(self) -> str:
        return f"<{len(self.texts)} texts>"


@dataclass(frozen=True)
class Failure:
    """The error of a batch, returned as a result, since Dask would log an exception and its text.

    Attributes:
        name: the exception's type.
        message: of a NewsloopError, which holds no text; empty for other exceptions.
    """

    name: str
    message: str


def _guarded(work: Work[R], sealed: RedactedBatch) -> list[R] | Failure:
    """Runs a batch on a worker; checks the worker, which may have joined after the client."""
    from distributed import get_worker

    try:
        worker = get_worker()
        if _spills(worker):
            raise _would_spill(worker.address)
        return work(sealed.texts)
    except Exception as error:  # noqa: BLE001 - the client raises it
        message = str(error) if isinstance(error, NewsloopError) else ""
        return Failure(type(error).__name__, message)


def _spills(dask_worker: Any) -> bool:
    """Tests if the worker stores results outside of its memory."""
    return type(dask_worker.data) is not dict


def _would_spill(worker: str) -> ScrubError:
    return ScrubError(
        f"Expected Dask workers that keep texts in memory only, the one at {worker} writes to its "
        "disk when memory is short. Start it by `python -m components.core.workers.dask_node`, "
        "or with distributed.worker.memory.target and .spill set to false."
    )
