"""The first tables, and the triggers that keep the audit log as it was written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["branch_labels", "depends_on", "down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables."""
    _studies()
    _readings()
    _persons()
    _rest()
    _log()
    op.execute("INSERT INTO counter (name, value) VALUES ('changes', 0)")
    op.execute(f"INSERT INTO audit_head (one, sequence, digest) VALUES (1, 0, '{'0' * 64}')")  # noqa: S608 - no input
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _studies() -> None:
    op.create_table(
        "study",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key", KEY),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("films", sa.Integer(), nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("call", KEY, nullable=False),
        sa.Column("probability", sa.Double()),
        sa.Column("urgency", sa.Double(), nullable=False),
        sa.Column("pattern", sa.Text()),
        sa.Column("refusal", KEY, nullable=False),
        sa.Column("verdict", KEY, nullable=False),
        sa.Column("corrected_to", sa.Text()),
        sa.Column("lead", KEY, nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_study"),
        sa.UniqueConstraint("key", name="uq_study_key"),
    )
    op.create_index("ix_study_call_received_id", "study", ["call", "received", "id"])
    op.create_index("ix_study_call_urgency_received_id", "study", ["call", "urgency", "received", "id"])
    op.create_index("ix_study_changed", "study", ["changed"])
    op.create_index("ix_study_received_id", "study", ["received", "id"])
    op.create_index("ix_study_refusal_received_id", "study", ["refusal", "received", "id"])
    op.create_index("ix_study_refusal_urgency_received_id", "study", ["refusal", "urgency", "received", "id"])
    op.create_index("ix_study_source_received_id", "study", ["source", "received", "id"])
    op.create_index("ix_study_source_urgency_received_id", "study", ["source", "urgency", "received", "id"])
    op.create_index("ix_study_status_received_id", "study", ["status", "received", "id"])
    op.create_index("ix_study_status_urgency_received_id", "study", ["status", "urgency", "received", "id"])
    op.create_index("ix_study_urgency_received_id", "study", ["urgency", "received", "id"])
    op.create_index("ix_study_verdict_received_id", "study", ["verdict", "received", "id"])
    op.create_index("ix_study_verdict_urgency_received_id", "study", ["verdict", "urgency", "received", "id"])
    op.create_table(
        "study_word",
        sa.Column("word", KEY, nullable=False),
        sa.Column("study", KEY, nullable=False),
        sa.ForeignKeyConstraint(["study"], ["study.id"], name="fk_study_word_study", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("word", "study", name="pk_study_word"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_study_word_study", "study_word", ["study"])
    op.create_table(
        "gone",
        sa.Column("study", KEY, nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("study", name="pk_gone"),
    )
    op.create_index("ix_gone_changed", "gone", ["changed"])
    op.create_table(
        "film",
        sa.Column("sha256", KEY, nullable=False),
        sa.Column("study", KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text()),
        sa.Column("rows", sa.Integer()),
        sa.Column("columns", sa.Integer()),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("white", sa.Integer()),
        sa.Column("spacing_row", sa.Double()),
        sa.Column("spacing_column", sa.Double()),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("blob", KEY, nullable=False),
        sa.Column("mean", sa.Double()),
        sa.Column("std", sa.Double()),
        sa.Column("p1", sa.Double()),
        sa.Column("p99", sa.Double()),
        sa.Column("sharpness", sa.Double()),
        sa.Column("aspect", sa.Double()),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["study.id"], name="fk_film_study", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sha256", name="pk_film"),
    )
    op.create_index("ix_film_blob", "film", ["blob"])
    op.create_index("ix_film_received", "film", ["received"])
    op.create_index("ix_film_study_position", "film", ["study", "position"])


def _readings() -> None:
    op.create_table(
        "reading",
        sa.Column("id", KEY, nullable=False),
        sa.Column("film", KEY, nullable=False),
        sa.Column("study", KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("bundle_sha256", KEY, nullable=False),
        sa.Column("preset", sa.Text()),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("call", KEY, nullable=False),
        sa.Column("probability", sa.Double()),
        sa.Column("pattern", sa.Text()),
        sa.Column("refusal", KEY, nullable=False),
        sa.ForeignKeyConstraint(["film"], ["film.sha256"], name="fk_reading_film", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["study"], ["study.id"], name="fk_reading_study", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_reading"),
    )
    op.create_index("ix_reading_created", "reading", ["created"])
    op.create_index("ix_reading_film_ordinal", "reading", ["film", "ordinal"])
    op.create_index("ix_reading_study_ordinal", "reading", ["study", "ordinal"])
    op.create_table(
        "reading_body",
        sa.Column("reading", KEY, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("map", sa.LargeBinary()),
        sa.Column("map_rows", sa.Integer()),
        sa.Column("map_columns", sa.Integer()),
        sa.Column("map_frame", sa.Text()),
        sa.Column("in_lungs", sa.Double()),
        sa.ForeignKeyConstraint(["reading"], ["reading.id"], name="fk_reading_body_reading", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("reading", name="pk_reading_body"),
    )
    op.create_table(
        "verdict",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study", KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("corrected_to", sa.Text()),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["study.id"], name="fk_verdict_study", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
    )
    op.create_index("ix_verdict_study_ordinal", "verdict", ["study", "ordinal"])


def _persons() -> None:
    op.create_table(
        "account",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded", KEY, nullable=False),
        sa.Column("role", KEY, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("last_login", sa.BigInteger()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("folded", name="uq_account_folded"),
    )
    op.create_table(
        "session",
        sa.Column("hash", KEY, nullable=False),
        sa.Column("account", KEY, nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_session_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name="pk_session"),
    )
    op.create_index("ix_session_account", "session", ["account"])
    op.create_index("ix_session_expires", "session", ["expires"])
    op.create_table(
        "token",
        sa.Column("id", KEY, nullable=False),
        sa.Column("hash", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account", KEY, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.Column("last_used", sa.BigInteger()),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_token_account", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("hash", name="uq_token_hash"),
    )
    op.create_index("ix_token_account", "token", ["account"])


def _rest() -> None:
    op.create_table(
        "counter",
        sa.Column("name", KEY, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
    )
    op.create_table(
        "setting",
        sa.Column("key", KEY, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_setting"),
    )
    op.create_table(
        "bundle",
        sa.Column("name", KEY, nullable=False),
        sa.Column("sha256", KEY, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_bundle"),
    )
    op.create_table(
        "doomed",
        sa.Column("address", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_doomed"),
    )


def _log() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", KEY, nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("target", KEY, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )
    op.create_index("ix_audit_action", "audit", ["action"])
    op.create_index("ix_audit_actor", "audit", ["actor"])
    op.create_index("ix_audit_target", "audit", ["target"])
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_audit_head"),
    )


def _guard_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
        )
    op.execute(
        "CREATE TRIGGER audit_head_delete BEFORE DELETE ON audit_head "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
    )
    # INSERT OR REPLACE deletes without asking the trigger above.
    op.execute(
        "CREATE TRIGGER audit_insert BEFORE INSERT ON audit "
        "WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence) "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
    op.execute(
        "CREATE TRIGGER audit_head_keep BEFORE DELETE OR TRUNCATE ON audit_head "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
