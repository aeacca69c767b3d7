"""Brings a ledger's tables to the form that this version of newsloop knows, and back.

Alembic does the work; each step is a file in versions/. A step that was taken is never edited:
what changes afterwards is a new file, and HEAD names the newest.

A scheduled run works by the code of the champion's release, so an older newsloop opens the ledger
too. It refuses a step that it does not know, so the ledger holds two numbers: in `ledger_step` the
newest step that was taken, and in `alembic_version`, where releases look, the newest one that their
code must know.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from components.core.errors import LedgerError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0008"
COMPATIBLE = "0005"  # later steps only add tables and columns that may be null
FIRST = "0001"  # the tables of the ledgers that were made before there were steps
_LOCK = 0x6E6C6F6F70  # "nloop": PostgreSQL's advisory locks are numbers
_ONE = threading.Lock()  # Alembic knows one migration at a time in a process
TAKEN = "ledger_step"
_NEEDED = "alembic_version"


def revision(connection: sa.Connection) -> str | None:
    """The step at which the tables are; None in an empty database."""
    taken = _number(connection, TAKEN) or _number(connection, _NEEDED)
    if taken is None and sa.inspect(connection).has_table("predictions"):
        return FIRST
    return taken


def upgrade(engine: sa.Engine, target: str = HEAD) -> None:
    """Takes all steps up to `target` in one transaction; nothing, if they were taken.

    Processes that start together wait for each other.

    Raises:
        LedgerError: the ledger needs a newer version of newsloop.
    """
    with engine.connect() as connection:
        needed = _number(connection, _NEEDED)
        if revision(connection) == target and needed == min(target, COMPATIBLE):
            return
    from alembic import command

    with _ONE, engine.begin() as connection:
        _alone(connection)
        current, needed = revision(connection), _number(connection, _NEEDED)
        config = _config(connection)
        steps = _steps(config)
        if needed is not None and needed not in steps:
            raise LedgerError(
                f"Expected a ledger at step {HEAD} or before, got {needed}: a newer newsloop "
                "wrote it. Use that version, or let it take the ledger back by `newsloop "
                f"ledger downgrade {HEAD}`."
            )
        if current is not None and current not in steps:
            return  # a newer newsloop has added what this one need not know
        if current is not None and _number(connection, TAKEN) is None:
            command.stamp(config, current)
        command.upgrade(config, target)
        _need(connection, min(target, COMPATIBLE))


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
        _need(connection, min(target, COMPATIBLE))


def _number(connection: sa.Connection, table: str) -> str | None:
    """The number in one of the two tables; None where there is none."""
    if not sa.inspect(connection).has_table(table):
        return None
    number: str | None = connection.execute(sa.select(_step(table).c.version_num)).scalar()
    return number


def _need(connection: sa.Connection, step: str) -> None:
    """Writes the newest step that other versions of newsloop must know."""
    table = _step(_NEEDED)
    table.create(connection, checkfirst=True)
    connection.execute(sa.delete(table))
    connection.execute(sa.insert(table).values(version_num=step))


def _step(name: str) -> sa.Table:
    column = sa.Column("version_num", sa.String(32), primary_key=True)
    return sa.Table(name, sa.MetaData(), column)


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
