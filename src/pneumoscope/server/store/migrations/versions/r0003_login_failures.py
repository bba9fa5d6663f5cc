"""Failed logins by user and address, so that nobody is locked out from elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["branch_labels", "depends_on", "down_revision", "revision", "upgrade"]

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table; locks of before, which held from everywhere, end."""
    op.create_table(
        "login_failure",
        sa.Column("account", KEY, nullable=False),
        sa.Column("address", KEY, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger()),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_login_failure_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account", "address", name="pk_login_failure"),
    )
