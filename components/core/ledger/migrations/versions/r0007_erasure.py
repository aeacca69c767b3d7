"""A retired version names the erasure that retired it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("retired", sa.Column("erasure", sa.String(length=12), nullable=True))
    # Until here the reason alone named it: "erasure " and the id.
    op.execute(
        "UPDATE retired SET erasure = substr(reason, 9) "
        "WHERE reason LIKE 'erasure %' AND length(reason) = 20"
    )


def downgrade() -> None:
    op.drop_column("retired", "erasure")
