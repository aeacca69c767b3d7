"""A way back names the deployment that stands again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    wide = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("deployments", sa.Column("returns_to", wide, nullable=True))


def downgrade() -> None:
    op.drop_column("deployments", "returns_to")
