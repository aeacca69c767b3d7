"""Connections to PostgreSQL that give up on a server which does not answer.

The server's own statement_timeout does not help where the server itself hangs, and TCP's timers do
not where its machine still acknowledges what is sent.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

CONNECT_SECONDS = 10  # also for a server that accepts the connection and says nothing
ANSWER_SECONDS = 600.0  # of one statement: erasing an author from millions of rows


def limit(engine: sa.Engine) -> None:
    """Bounds connections and statements of `engine`, if it is one of PostgreSQL.

    A statement that is late raises sqlalchemy.exc.OperationalError, and its connection is closed.
    """
    if engine.dialect.name != "postgresql":
        return
    import psycopg
    from psycopg.pq import TransactionStatus

    class Impatient(psycopg.Connection[Any]):
        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            try:
                return super().wait(gen, *arguments, **{"timeout": ANSWER_SECONDS, **options})
            except psycopg.OperationalError:
                # Late, or lost: psycopg does not say which. A late one must not be used again.
                if not self.closed and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(
                        f"no answer within {ANSWER_SECONDS:g} s, the connection was closed"
                    ) from None
                raise

    @sa.event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        del dialect, record
        options.setdefault("connect_timeout", CONNECT_SECONDS)
        return Impatient.connect(*arguments, **options)
