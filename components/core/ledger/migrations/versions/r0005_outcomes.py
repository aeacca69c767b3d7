"""Adds the outcomes of retrainings, and alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("flow_run", sa.String(), nullable=False),
        sa.Column("decision_id", sa.String(length=32), nullable=True),
        sa.Column("time", TIME, nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("flow_run"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alerts",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("told", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("alerts")
    op.drop_table("outcomes")
