"""The commands `newsloop ledger status`, `copy` and `downgrade`."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
import typer

from components.core import ledger as ledgers
from components.core.ledger import METADATA, Ledger, migrations, transfer
from components.core.paths import Paths
from flows.cli import output
from flows.cli.common import Json


def add(app: typer.Typer) -> None:
    """Registers the commands."""
    group = typer.Typer(no_args_is_help=True, help="Show, copy or downgrade the ledger's database.")
    app.add_typer(group, name="ledger")

    @group.command()
    def status(as_json: Json = False) -> None:
        """Show the ledger's address, the migration step of its tables, and their row counts."""
        ledger = _ledger()
        with ledger.engine.connect() as connection:
            step = migrations.revision(connection)
        counts = {
            table.name: int(
                ledger.query(sa.select(sa.func.count().label("n")).select_from(table))[0]["n"]
            )
            for table in METADATA.sorted_tables
        }
        lines = [f"{ledger.name}, step {step} of its tables"]
        lines += [f"  {name}: {count:,} rows" for name, count in sorted(counts.items())]
        output.lines(lines, {"database": ledger.name, "step": step, "rows": counts}, as_json)

    @group.command()
    def copy(
        to: Annotated[
            str,
            typer.Argument(
                envvar="NEWSLOOP_COPY_TO",
                help="SQLAlchemy URL of an empty database, for example "
                "postgresql+psycopg://user:password@host/newsloop. A password is safer in the "
                "variable NEWSLOOP_COPY_TO than on the command line.",
            ),
        ],
        as_json: Json = False,
    ) -> None:
        """Copy all rows to an empty database, in one transaction.

        Stop the service and the flows first (`newsloop down`). Afterwards set
        NEWSLOOP_DATABASE_URL to the new address for all of them. The old database does not change.

        Example: `NEWSLOOP_COPY_TO=postgresql+psycopg://... newsloop ledger copy`
        """
        source, target = _ledger(), Ledger(to)
        counts = transfer.copy(
            source, target, lambda name, count: output.say(f"ledger: {name}, {count:,} rows")
        )
        lines = [f"{sum(counts.values()):,} rows were copied to {target.name}."]
        output.lines(lines, {"database": target.name, "rows": counts}, as_json)

    @group.command()
    def downgrade(
        step: Annotated[
            str, typer.Argument(help="Migration step, as in `newsloop ledger status`.")
        ],
        as_json: Json = False,
    ) -> None:
        """Migrate the tables back to an earlier step, for an older version of newsloop.

        Data in columns and tables that the earlier step lacks are lost. The next command of this
        version of newsloop upgrades the tables again.
        """
        ledger = _ledger()
        migrations.downgrade(ledger.engine, step)
        line = f"{ledger.name} is at step {step} now."
        output.lines([line], {"database": ledger.name, "step": step}, as_json)


def _ledger() -> Ledger:
    return ledgers.existing(ledgers.url(Paths.find().ledger))
