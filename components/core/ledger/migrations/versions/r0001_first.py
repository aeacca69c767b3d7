"""The tables as they were before there were steps: predictions, labels, versions, decisions.

Column types are written out here, not imported: a step says what was, whatever the code becomes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "labels",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("prediction_id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_labels_prediction_id", "labels", ["prediction_id"])
    op.create_table(
        "predictions",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        sa.Column("words", sa.Integer(), nullable=False),
        sa.Column("unknown_share", sa.Float(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_predictions_bundle", "predictions", ["bundle"])
    op.create_index("ix_predictions_time", "predictions", ["time"])
    op.create_table(
        "runs",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("decision_id", sa.String(length=32), nullable=False),
        sa.Column("flow_run", sa.String(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("decision_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "texts",
        sa.Column("prediction_id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("prediction_id"),
    )
    op.create_table(
        "versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("commit", sa.String(length=40), nullable=False),
        sa.Column("dvc_lock", sa.String(length=64), nullable=False),
        sa.Column("snapshot", sa.String(length=64), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("decision", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
        sa.UniqueConstraint("bundle"),
    )
    op.create_table(
        "windows",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("after", SEQ, nullable=False),
        sa.Column("until", SEQ, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "deployments",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["versions.version"]),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "retired",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["versions.version"]),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("version"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("retired")
    op.drop_table("deployments")
    op.drop_table("windows")
    op.drop_table("versions")
    op.drop_table("texts")
    op.drop_table("runs")
    op.drop_index("ix_predictions_time", table_name="predictions")
    op.drop_index("ix_predictions_bundle", table_name="predictions")
    op.drop_table("predictions")
    op.drop_index("ix_labels_prediction_id", table_name="labels")
    op.drop_table("labels")
    op.drop_table("decisions")
