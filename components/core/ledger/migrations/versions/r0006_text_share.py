"""The share of a caller's texts that was kept when a text came."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("texts", sa.Column("share", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("texts", "share")
