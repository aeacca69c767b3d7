"""Brings a ledger's tables to the form that this version of newsloop knows, and back.

Alembic does the work; each step is a file in versions/. A step that was taken is never edited:
what changes afterwards is a new file, and HEAD names the newest.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from components.core.errors import LedgerError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0007"
FIRST = "0001"  # the tables of the ledgers that were made before there were steps
_LOCK = 0x6E6C6F6F70  # "nloop": PostgreSQL's advisory locks are numbers
_ONE = threading.Lock()  # Alembic knows one migration at a time in a process
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


def revision(connection: sa.Connection) -> str | None:
    """The step at which the tables are; None in an empty database."""
    tables = sa.inspect(connection)
    if tables.has_table(_VERSION.name):
        found: str | None = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
        return found
    return FIRST if tables.has_table("predictions") else None


def upgrade(engine: sa.Engine, target: str = HEAD) -> None:
    """Takes all steps up to `target` in one transaction; nothing, if they were taken.

    Processes that start together wait for each other.

    Raises:
        LedgerError: the ledger is newer than this version of newsloop.
    """
    with engine.connect() as connection:
        if revision(connection) == target:
            return
    from alembic import command

    with _ONE, engine.begin() as connection:
        _alone(connection)
        found = revision(connection)
        config = _config(connection)
        if found is not None:
            if found not in _steps(config):
                raise LedgerError(
                    f"Expected a ledger at step {HEAD} or before, got {found}: a newer newsloop "
                    "wrote it. Use that version, or let it take the ledger back by `newsloop "
                    f"ledger downgrade {HEAD}`."
                )
            if not sa.inspect(connection).has_table(_VERSION.name):
                command.stamp(config, found)
        command.upgrade(config, target)


def downgrade(engine: sa.Engine, target: str) -> None:
    """Takes the steps after `target` back; what only the later tables held is lost.

    Raises:
        LedgerError: there is no such step.
    """
    from alembic import command

    with _ONE, engine.begin() as connection:
        _alone(connection)
        config = _config(connection)
        steps = _steps(config)
        if target not in steps:
            raise LedgerError(
                f"Expected a step of the ledger's tables to go back to, one of {steps}, got "
                f"{target}. Nothing was changed."
            )
        command.downgrade(config, target)


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _alone(connection: sa.Connection) -> None:
    """Waits until no other process changes the tables; it ends with the transaction."""
    if connection.dialect.name == "sqlite":
        # Python's driver begins none by itself before a CREATE.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _steps(config: Config) -> list[str]:
    """All steps that this version knows, the first one first."""
    from alembic.script import ScriptDirectory

    return [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()][::-1]
