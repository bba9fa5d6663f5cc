"""Whoever edits readings, verdicts or summaries behind the log, or takes its triggers away, is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pneumoscope.server.store.integrity import record_baseline, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.store.conftest import MakeFilm, MakeReading

    from pneumoscope.server.store.worklist import Worklist


@pytest.fixture
def used(worklist: Worklist, add: Callable[..., str], new_film: MakeFilm, new_reading: MakeReading) -> Worklist:
    """Some studies, readings, verdicts and a deletion."""
    first = add("a", 0.9)
    add("b", None)
    gone = add("c", 0.2)
    two = worklist.studies.add(
        [new_film("d", new_reading(0.3)), new_film("e", new_reading(0.8))], label="d", source="api", by="bob"
    )
    worklist.studies.add_reading(first, worklist.studies.detail(first).films[0].sha256, new_reading(0.4), by="bob")
    worklist.verdicts.give(first, "agree", comment="as I see it", by="anna")
    worklist.verdicts.give(two.id, "correct", "viral", by="anna")
    given = worklist.verdicts.give(two.id, "not-assessable", by="bob")
    worklist.verdicts.withdraw(two.id, given.id, by="bob")
    worklist.studies.delete([gone], by="anna")
    return worklist


def test_a_store_that_was_left_alone_is_whole(used: Worklist) -> None:
    found = verify(used.database)
    assert found.ok, found
    assert (found.readings, found.verdicts) == (5, 4)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reading SET probability = 0.01 WHERE probability = 0.9",
        "UPDATE reading SET by = 'eve'",
        'UPDATE reading_body SET document = \'{"status": "read"}\'',
        "UPDATE reading_body SET map = NULL",
        "UPDATE verdict SET kind = 'agree', corrected_to = NULL",
        "UPDATE verdict SET comment = 'as you see it' WHERE comment <> ''",
        "DELETE FROM verdict",
        "DELETE FROM reading WHERE probability = 0.4",
        "INSERT INTO verdict (id, study, ordinal, by, created, kind, comment) "
        "SELECT 'x', study, 9, by, created, kind, comment FROM verdict WHERE kind = 'agree'",
        "UPDATE study SET call = 'no pneumonia' WHERE call = 'pneumonia'",
        "UPDATE study SET verdict = 'agree', corrected_to = NULL WHERE verdict = 'correct'",
        "UPDATE study SET probability = 0.5, urgency = 0.5 WHERE probability = 0.8",
    ],
)
def test_an_edit_of_the_tables_is_found(used: Worklist, statement: str) -> None:
    quoted = statement.replace(" by ", ' "by" ').replace(" by,", ' "by",')
    with used.database.write() as connection:
        assert connection.exec_driver_sql(quoted).rowcount
    found = verify(used.database)
    assert found.log.ok
    assert not found.ok
    assert found.problems


def test_triggers_that_were_dropped_are_found(used: Worklist) -> None:
    sqlite = used.database.sqlite
    name = "audit_update" if sqlite else "audit_keep"
    with used.database.write() as connection:
        connection.execute(text(f"DROP TRIGGER {name}" if sqlite else f"DROP TRIGGER {name} ON audit"))
    found = verify(used.database)
    if not sqlite:  # the next test takes the same database
        with used.database.write() as connection:
            connection.execute(
                text(
                    "CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
                    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
                )
            )
    assert not found.ok
    assert found.missing_triggers == (name,)


def test_triggers_that_do_nothing_are_found(used: Worklist) -> None:
    with used.database.write() as connection:
        if used.database.sqlite:
            connection.execute(text("DROP TRIGGER audit_delete"))
            connection.execute(text("CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT 1; END"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_keep"))
    assert verify(used.database).missing_triggers
    if not used.database.sqlite:
        with used.database.write() as connection:
            connection.execute(text("ALTER TABLE audit ENABLE TRIGGER audit_keep"))


def test_rows_of_an_older_release_are_vouched_for_from_the_update_on(used: Worklist) -> None:
    with used.database.write() as connection:
        connection.exec_driver_sql(
            'INSERT INTO verdict (id, study, ordinal, "by", created, kind, comment) '
            "SELECT 'old', study, 9, \"by\", created, kind, '' FROM verdict WHERE kind = 'agree'"
        )
    assert not verify(used.database).ok
    with used.database.write() as connection:
        assert record_baseline(connection, used.database.now(), by="update") == 1
        assert record_baseline(connection, used.database.now(), by="update") == 0
    assert verify(used.database).ok
    with used.database.write() as connection:
        connection.exec_driver_sql("UPDATE verdict SET comment = 'x' WHERE id = 'old'")
    assert not verify(used.database).ok


def test_the_log_keeps_no_comment(used: Worklist) -> None:
    assert "as I see it" not in str(used.audit.page(limit=500))
