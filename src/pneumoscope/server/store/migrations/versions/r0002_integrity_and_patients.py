"""Age, sex, date and accession of a study where the site keeps identity; findings and salt of verdicts; no paths."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["branch_labels", "depends_on", "down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns; take away the path of a bundle, which follows from its sha256."""
    op.add_column("study", sa.Column("patient", KEY))
    op.add_column("study", sa.Column("age", sa.Double()))
    op.add_column("study", sa.Column("sex", sa.Text()))
    op.add_column("study", sa.Column("film_date", sa.Text()))
    op.add_column("study", sa.Column("accession", sa.Text()))
    op.create_index("ix_study_patient_received_id", "study", ["patient", "received", "id"])
    op.add_column("verdict", sa.Column("findings", sa.Text()))
    op.add_column("verdict", sa.Column("salt", sa.Text()))
    op.drop_column("bundle", "path")
