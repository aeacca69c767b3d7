"""Adds the source of a prediction and the origin of a label."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("predictions", sa.Column("source", sa.String(length=64), nullable=True))
    op.add_column("labels", sa.Column("origin", sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.drop_column("labels", "origin")
    op.drop_column("predictions", "source")
