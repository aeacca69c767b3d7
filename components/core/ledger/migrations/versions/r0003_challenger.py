"""Versions on trial: how a trial stands, what was counted, what a shadow would have answered."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "challenges",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("challenge", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("champion", sa.String(length=64), nullable=False),
        sa.Column("shares", sa.JSON(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["versions.version"]),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("challenge", "number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "observations",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("slow", sa.Integer(), nullable=False),
        sa.Column("texts", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.Column("disagreed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_observations_time", "observations", ["time"])
    op.create_table(
        "shadows",
        sa.Column("prediction_id", sa.String(length=32), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "bundle"),
    )


def downgrade() -> None:
    op.drop_table("shadows")
    op.drop_index("ix_observations_time", table_name="observations")
    op.drop_table("observations")
    op.drop_table("challenges")
