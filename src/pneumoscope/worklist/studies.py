"""Studies and their films and readings: add, look up, change, delete."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class Studies:
    """Made by ``open_worklist``."""

    def add(
        self, films: Sequence[NewFilm], *, label: str, source: Source, by: str, key: str | None = None, note: str = ""
    ) -> StudyRow:
        """Keep films as one study, in one transaction.

        A film that is there already (by sha256) is not added again: its study is the one that is given back, and the
        films that are new join it. Films with the ``key`` of an earlier study join that one.

        Args:
            films: At least one.
            label: What a person calls it; the first one of a study stays.
            source: Where it came from.
            by: Who added it.
            key: What the films of one examination share: a hash of the StudyInstanceUID.
            note: First note of a new study.
        """
        raise NotImplementedError

    def add_reading(self, study: str, film: str, reading: NewReading, *, by: str) -> ReadingRow:
        """Keep another reading of a film of a study. Raises NotFound."""
        raise NotImplementedError

    def of_film(self, sha256: str) -> StudyRow | None:
        """The study of a film by the sha256 of the bytes received."""
        raise NotImplementedError

    def reading_for(
        self, film: str, bundle_sha256: str, *, preset: str | None = None, forced: bool = False, choice: str = ""
    ) -> ReadingRow | None:
        """The newest reading of a film that was made in just this way."""
        raise NotImplementedError

    def page(self, query: Query) -> Page[StudyRow]:
        """One page of the worklist. Raises UsageError for a cursor that is none, or is of another order."""
        raise NotImplementedError

    def count(self, query: Query, *, cap: int = 10_000) -> int:
        """How many studies a query has, cursor and limit aside; never more than ``cap``."""
        raise NotImplementedError

    def neighbours(self, study: str, query: Query) -> Neighbours:
        """The studies before and after one in the order of a query. Raises NotFound."""
        raise NotImplementedError

    def get(self, study: str) -> StudyRow:
        """One line of the worklist. Raises NotFound."""
        raise NotImplementedError

    def get_many(self, ids: Sequence[str]) -> tuple[StudyRow, ...]:
        """Those that are there, in the order of ``ids``."""
        raise NotImplementedError

    def detail(self, study: str) -> StudyDetail:
        """All that is known of a study. Raises NotFound."""
        raise NotImplementedError

    def film(self, sha256: str) -> FilmRow:
        """One film. Raises NotFound."""
        raise NotImplementedError

    def kept(self, sha256: str) -> bytes:
        """The kept bytes of a film, checked against their address. Raises NotFound, StorageError."""
        raise NotImplementedError

    def reading(self, reading: str) -> ReadingRow:
        """One reading. Raises NotFound."""
        raise NotImplementedError

    def note(self, study: str, text: str, *, by: str) -> StudyRow:
        """Write the note, in place of the one before. Raises NotFound."""
        raise NotImplementedError

    def delete(self, ids: Sequence[str], *, by: str) -> int:
        """Delete studies with films, readings and verdicts; how many were there. The audit log keeps that it happened."""
        raise NotImplementedError

    def changes_since(self, number: int, *, limit: int = 1000) -> tuple[int, tuple[str, ...]]:
        """The number of the latest change, and the ids of studies changed or deleted after ``number``, newest first."""
        raise NotImplementedError
