"""The tables. Migrations bring a database to just this; a test compares the two."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from pneumoscope.errors import UsageError
from pneumoscope.quality.measures import INPUT_STATISTICS

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = [
    "Instant",
    "Json",
    "account",
    "audit",
    "audit_head",
    "bundle",
    "counter",
    "deleted_study",
    "film",
    "login_failure",
    "metadata",
    "reader_study",
    "reader_study_film",
    "reader_study_item",
    "reader_study_reader",
    "reader_study_reading",
    "reading",
    "reading_body",
    "session",
    "setting",
    "study",
    "study_word",
    "to_microseconds",
    "token",
    "unreferenced_blob",
    "verdict",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(at: datetime) -> int:
    """Since 1970 in UTC."""
    if at.tzinfo is None:
        raise UsageError("the time has no zone", where=at.isoformat(), remedy="Add one: Z, or +02:00")
    return (at - _EPOCH) // _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """A moment as whole microseconds since 1970 in UTC: exact, ordered, and the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """To a number."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Back to a time in UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class Json(TypeDecorator[Any]):
    """JSON as ASCII text, keys in their own order: any file name survives it, and every database gives it back."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        """To text."""
        return json.dumps(value, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Back to objects."""
        return None if value is None else json.loads(value)


# Compared byte by byte, as SQLite does, and not by a language's alphabet: the order of ids, and ranges of words.
_Key = String().with_variant(String(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _reference_to(table: str) -> ForeignKey:
    return ForeignKey(f"{table}.{'sha256' if table == 'film' else 'id'}", ondelete="CASCADE")


counter = Table(
    "counter", metadata, Column("name", _Key, primary_key=True), Column("value", BigInteger, nullable=False)
)

# The summary stands in the study itself, so that a page of the worklist is one walk along one index. What is absent
# is '' and not NULL: PostgreSQL orders by an index only after `=`.
study = Table(
    "study",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("key", _Key, unique=True),
    Column("label", Text, nullable=False),
    Column("source", _Key, nullable=False),
    Column("received", Instant, nullable=False),
    Column("changed", BigInteger, nullable=False, index=True),
    Column("films", Integer, nullable=False),
    Column("status", _Key, nullable=False),
    Column("call", _Key, nullable=False),
    Column("probability", Double),
    Column("urgency", Double, nullable=False),  # the probability, -1 for a refused study
    Column("pattern", Text),
    Column("refusal", _Key, nullable=False),
    Column("verdict", _Key, nullable=False),
    Column("corrected_to", Text),
    Column("lead", _Key, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("note", Text, nullable=False),
    # Only where the site keeps identity, but for the patient: a keyed hash, by which earlier films are found.
    Column("patient", _Key),
    Column("age", Double),
    Column("sex", Text),
    Column("film_date", Text),
    Column("accession", Text),
    Index(None, "patient", "received", "id"),
    Index(None, "received", "id"),
    Index(None, "urgency", "received", "id"),
)
for _filter in ("call", "status", "source", "verdict", "refusal"):
    Index(None, study.c[_filter], study.c.received, study.c.id)
    Index(None, study.c[_filter], study.c.urgency, study.c.received, study.c.id)

study_word = Table(
    "study_word",
    metadata,
    Column("word", _Key, primary_key=True),
    Column("study", _Key, _reference_to("study"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

deleted_study = Table(
    "gone",
    metadata,
    Column("study", _Key, primary_key=True),
    Column("changed", BigInteger, nullable=False, index=True),
    Column("at", Instant, nullable=False),
)

film = Table(
    "film",
    metadata,
    Column("sha256", _Key, primary_key=True),
    Column("study", _Key, _reference_to("study"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("format", Text),
    Column("rows", Integer),
    Column("columns", Integer),
    Column("bytes", BigInteger, nullable=False),
    Column("white", Integer),
    Column("spacing_row", Double),
    Column("spacing_column", Double),
    Column("facts", Json, nullable=False),
    Column("blob", _Key, nullable=False, index=True),
    *(Column(name, Double) for name in INPUT_STATISTICS),
    Column("received", Instant, nullable=False, index=True),
    Index(None, "study", "position"),
)

reading = Table(
    "reading",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("film", _Key, _reference_to("film"), nullable=False),
    Column("study", _Key, _reference_to("study"), nullable=False),
    Column("ordinal", Integer, nullable=False),  # within the study; the clock may stand still, this does not
    Column("created", Instant, nullable=False, index=True),
    Column("by", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("bundle_sha256", _Key, nullable=False),
    Column("preset", Text),
    Column("seconds", Double, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("choice", Text, nullable=False),
    Column("status", _Key, nullable=False),
    Column("call", _Key, nullable=False),
    Column("probability", Double),
    Column("pattern", Text),
    Column("refusal", _Key, nullable=False),
    Index(None, "film", "ordinal"),
    Index(None, "study", "ordinal"),
)

# What is long lies beside, so that the dashboard's numbers do not page through it.
reading_body = Table(
    "reading_body",
    metadata,
    Column("reading", _Key, _reference_to("reading"), primary_key=True),
    Column("document", Json, nullable=False),
    Column("map", LargeBinary),
    Column("map_rows", Integer),
    Column("map_columns", Integer),
    Column("map_frame", Json),
    Column("in_lungs", Double),
)

verdict = Table(
    "verdict",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("study", _Key, _reference_to("study"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("by", Text, nullable=False),
    Column("created", Instant, nullable=False),
    Column("kind", _Key, nullable=False),
    Column("corrected_to", Text),
    Column("comment", Text, nullable=False),
    Column("findings", Json),
    Column("salt", Text),  # so that nobody guesses a deleted comment from its hash in the audit log
    Index(None, "study", "ordinal"),
)

account = Table(
    "account",  # "user" is a word of SQL
    metadata,
    Column("id", _Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded", _Key, nullable=False, unique=True),
    Column("role", _Key, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("password", Text, nullable=False),  # a hash
    Column("created", Instant, nullable=False),
    Column("last_login", Instant),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Instant),
)

# Of one user from one address: who guesses from elsewhere locks nobody out.
login_failure = Table(
    "login_failure",
    metadata,
    Column("account", _Key, _reference_to("account"), primary_key=True),
    Column("address", _Key, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Instant),
)

session = Table(
    "session",
    metadata,
    Column("hash", _Key, primary_key=True),
    Column("account", _Key, _reference_to("account"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant, nullable=False, index=True),
    Column("last_seen", Instant, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("hash", _Key, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("account", _Key, _reference_to("account"), nullable=False, index=True),
    Column("scopes", Json, nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant),
    Column("last_used", Instant),
    Column("prefix", Text, nullable=False),
)

# Triggers of the first migration refuse to change or delete a line.
audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", _Key, nullable=False, index=True),
    Column("action", _Key, nullable=False, index=True),
    Column("target", _Key, nullable=False, index=True),
    Column("detail", Text, nullable=False),  # JSON, as it was hashed
    Column("previous", _Key, nullable=False),
    Column("digest", _Key, nullable=False),
)

# One row: where the log ends, so that lines cut off its end are missed.
audit_head = Table(
    "audit_head",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", _Key, nullable=False),
)

setting = Table("setting", metadata, Column("key", _Key, primary_key=True), Column("value", Json, nullable=False))

bundle = Table(
    "bundle",
    metadata,
    Column("name", _Key, primary_key=True),
    Column("sha256", _Key, nullable=False),  # and the file's name
    Column("added", Instant, nullable=False),
)

# Blobs that nothing refers to, and those lately taken away; see retention.py.
unreferenced_blob = Table(
    "doomed",
    metadata,
    Column("address", _Key, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("done", Boolean, nullable=False),
)

# A reader study: films that persons read without seeing what the model said. What was read outlives the films, so that
# nothing of it refers to the worklist by a foreign key.
reader_study = Table(
    "reader_study",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("series", _Key, nullable=False),  # the id of its first version
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", _Key, nullable=False, index=True),  # "draft", "running", "closed"
    Column("design", Json, nullable=False),
    Column("sampling", Json, nullable=False),  # how the films were chosen, and what was left out
    Column("digest", Text, nullable=False),  # sha256 of design and films, when it was started
    Column("created", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("started", Instant),
    Column("closed", Instant),
    Index(None, "series", "version", unique=True),
)

reader_study_film = Table(
    "reader_study_film",
    metadata,
    Column("reader_study", _Key, _reference_to("reader_study"), primary_key=True),
    Column("film", _Key, primary_key=True),
    Column("study", _Key, nullable=False, index=True),
    Column("reading", _Key, nullable=False, index=True),
    Column("patient", _Key, nullable=False),
    Column("label", Text, nullable=False),
    Column("positive", Boolean),
    Column("training", Boolean, nullable=False),
    Column("probability", Double),
    Column("threshold", Double),
    Column("model_positive", Boolean),
    Column("bundle", Text, nullable=False),
    Index(None, "film"),
)

reader_study_reader = Table(
    "reader_study_reader",
    metadata,
    Column("reader_study", _Key, _reference_to("reader_study"), primary_key=True),
    Column("reader", _Key, primary_key=True),
    Column("arms", Json, nullable=False),  # in the order of reading
    Column("left", Instant),
    Index(None, "reader"),
)

reader_study_item = Table(
    "reader_study_item",
    metadata,
    Column("reader_study", _Key, _reference_to("reader_study"), primary_key=True),
    Column("reader", _Key, primary_key=True),
    Column("arm", _Key, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("film", _Key, nullable=False),
    Column("opened", Instant),
    Column("draft", Json, nullable=False),
)

reader_study_reading = Table(
    "reader_study_reading",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("reader_study", _Key, _reference_to("reader_study"), nullable=False),
    Column("reader", _Key, nullable=False),
    Column("arm", _Key, nullable=False),
    Column("film", _Key, nullable=False),
    Column("key", _Key, nullable=False),  # of the request: sent twice, it counts once
    Column("class", Text, nullable=False),
    Column("rating", Double, nullable=False),
    Column("boxes", Json, nullable=False),
    Column("zones", Json, nullable=False),
    Column("comment", Text, nullable=False),
    Column("seconds", Double),
    Column("started", Instant),
    Column("finished", Instant, nullable=False),
    Column("training", Boolean, nullable=False),
    Column("source", _Key, nullable=False),  # "web" or "import"
    Index(None, "reader_study", "reader", "arm", "film", unique=True),
    Index(None, "reader_study", "key", unique=True),
)
