"""Labels keep who sent them; those that a person or a check set aside lie beside them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("labels", sa.Column("caller", sa.String(length=64), nullable=True))
    op.add_column("labels", sa.Column("trusted", sa.Boolean(), nullable=True))
    op.create_index("ix_labels_caller", "labels", ["caller", "time"])
    op.create_table(
        "set_aside",
        sa.Column("seq", SEQ, autoincrement=False, nullable=False),
        sa.Column("prediction_id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=True),
        sa.Column("caller", sa.String(length=64), nullable=True),
        sa.Column("trusted", sa.Boolean(), nullable=True),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_set_aside_prediction_id", "set_aside", ["prediction_id"])


def downgrade() -> None:
    """The labels that were set aside are lost: code of before would count them."""
    op.drop_table("set_aside")
    op.drop_index("ix_labels_caller", "labels")
    op.drop_column("labels", "trusted")
    op.drop_column("labels", "caller")
