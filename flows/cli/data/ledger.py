"""The commands about the ledger's database: newsloop ledger status, copy, downgrade."""

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
    """Adds the group `ledger` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="The operational database, and where it lies.")
    app.add_typer(group, name="ledger")

    @group.command()
    def status(as_json: Json = False) -> None:
        """Say where the ledger lies, how its tables are, and how many rows they hold."""
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
        """Copy every row to another database, all or nothing.

        Stop the service and the flows first (`newsloop down`), and afterwards set
        NEWSLOOP_DATABASE_URL to the new address for all of them. The old one is left as it is.
        """
        source, target = _ledger(), Ledger(to)
        counts = transfer.copy(
            source, target, lambda name, count: output.say(f"ledger: {name}, {count:,} rows")
        )
        lines = [f"{sum(counts.values()):,} rows were copied to {target.name}."]
        output.lines(lines, {"database": target.name, "rows": counts}, as_json)

    @group.command()
    def downgrade(
        step: Annotated[str, typer.Argument(help="Of the tables, as `ledger status` names it.")],
        as_json: Json = False,
    ) -> None:
        """Bring the tables back to an earlier step, for an older version of newsloop.

        What only the later tables held is lost. The next command of this version takes the steps
        again.
        """
        ledger = _ledger()
        migrations.downgrade(ledger.engine, step)
        line = f"{ledger.name} is at step {step} now."
        output.lines([line], {"database": ledger.name, "step": step}, as_json)


def _ledger() -> Ledger:
    return ledgers.existing(ledgers.url(Paths.find().ledger))
