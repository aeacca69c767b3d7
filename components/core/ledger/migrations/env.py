"""Alembic's entry point: runs the steps on the connection that `migrations` passes."""

from alembic import context

from components.core.ledger.migrations import TAKEN
from components.core.ledger.tables import METADATA

# SQLite cannot alter a column: there, Alembic writes such a table anew.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    version_table=TAKEN,
)
with context.begin_transaction():
    context.run_migrations()
