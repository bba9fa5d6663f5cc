"""Reader studies: their films, readers, orders of reading, and what was read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["branch_labels", "depends_on", "down_revision", "revision", "upgrade"]

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "reader_study",
        sa.Column("id", KEY, nullable=False),
        sa.Column("series", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("design", sa.Text(), nullable=False),
        sa.Column("sampling", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger()),
        sa.Column("closed", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_reader_study"),
    )
    op.create_index("ix_reader_study_status", "reader_study", ["status"])
    op.create_index("ix_reader_study_series_version", "reader_study", ["series", "version"], unique=True)
    _films_and_readers()
    _readings()


def _films_and_readers() -> None:
    op.create_table(
        "reader_study_film",
        sa.Column("reader_study", KEY, nullable=False),
        sa.Column("film", KEY, nullable=False),
        sa.Column("study", KEY, nullable=False),
        sa.Column("reading", KEY, nullable=False),
        sa.Column("patient", KEY, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("positive", sa.Boolean()),
        sa.Column("training", sa.Boolean(), nullable=False),
        sa.Column("probability", sa.Double()),
        sa.Column("threshold", sa.Double()),
        sa.Column("model_positive", sa.Boolean()),
        sa.Column("bundle", sa.Text(), nullable=False),
        _of_study("reader_study_film"),
        sa.PrimaryKeyConstraint("reader_study", "film", name="pk_reader_study_film"),
    )
    for column in ("film", "reading", "study"):
        op.create_index(f"ix_reader_study_film_{column}", "reader_study_film", [column])
    op.create_table(
        "reader_study_reader",
        sa.Column("reader_study", KEY, nullable=False),
        sa.Column("reader", KEY, nullable=False),
        sa.Column("arms", sa.Text(), nullable=False),
        sa.Column("left", sa.BigInteger()),
        _of_study("reader_study_reader"),
        sa.PrimaryKeyConstraint("reader_study", "reader", name="pk_reader_study_reader"),
    )
    op.create_index("ix_reader_study_reader_reader", "reader_study_reader", ["reader"])


def _readings() -> None:
    op.create_table(
        "reader_study_item",
        sa.Column("reader_study", KEY, nullable=False),
        sa.Column("reader", KEY, nullable=False),
        sa.Column("arm", KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("film", KEY, nullable=False),
        sa.Column("opened", sa.BigInteger()),
        sa.Column("draft", sa.Text(), nullable=False),
        _of_study("reader_study_item"),
        sa.PrimaryKeyConstraint("reader_study", "reader", "arm", "position", name="pk_reader_study_item"),
    )
    op.create_table(
        "reader_study_reading",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reader_study", KEY, nullable=False),
        sa.Column("reader", KEY, nullable=False),
        sa.Column("arm", KEY, nullable=False),
        sa.Column("film", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("rating", sa.Double(), nullable=False),
        sa.Column("boxes", sa.Text(), nullable=False),
        sa.Column("zones", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double()),
        sa.Column("started", sa.BigInteger()),
        sa.Column("finished", sa.BigInteger(), nullable=False),
        sa.Column("training", sa.Boolean(), nullable=False),
        sa.Column("source", KEY, nullable=False),
        _of_study("reader_study_reading"),
        sa.PrimaryKeyConstraint("id", name="pk_reader_study_reading"),
    )
    once = ["reader_study", "reader", "arm", "film"]
    op.create_index("ix_reader_study_reading_" + "_".join(once), "reader_study_reading", once, unique=True)
    op.create_index(
        "ix_reader_study_reading_reader_study_key", "reader_study_reading", ["reader_study", "key"], unique=True
    )


def _of_study(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_reader_study"
    return sa.ForeignKeyConstraint(["reader_study"], ["reader_study.id"], name=name, ondelete="CASCADE")
