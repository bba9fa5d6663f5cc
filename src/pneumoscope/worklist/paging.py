"""Queries of the worklist as SQL.

A page is found by where the one before ended (keyset) and not by counting rows off, so that page 500 costs what page
1 costs. Every filter has an index in both orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, select, tuple_

from pneumoscope.errors import UsageError
from pneumoscope.worklist.keys import decode_cursor, encode_cursor
from pneumoscope.worklist.missing import no_such
from pneumoscope.worklist.records import Neighbours, Page, StudyRow
from pneumoscope.worklist.rows import to_study
from pneumoscope.worklist.tables import microseconds, study, study_word
from pneumoscope.worklist.texts import LAST, terms_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select

    from pneumoscope.worklist.records import Query

__all__ = ["count", "neighbours", "page"]

_MOST = 500  # rows a page
_RARE = 2000  # studies: if fewer are found by words, they are looked up first; if more, on the way along the order
_FREQUENT = 50_000  # rows up to which words are told apart by how frequent they are

_ORDERS = {
    "newest": (study.c.received, study.c.id),
    "urgency": (study.c.urgency, study.c.received, study.c.id),
}
_KINDS: dict[str, tuple[type, ...]] = {"newest": (int, str), "urgency": (float, int, str)}


def page(connection: Connection, query: Query) -> Page[StudyRow]:
    """One page.

    Raises:
        UsageError: The cursor is none, or of another order.
    """
    columns = _columns(query)
    conditions = _conditions(connection, query)
    if query.cursor is not None:
        conditions.append(tuple_(*columns) < tuple_(*decode_cursor(query.order, query.cursor, _KINDS[query.order])))
    limit = min(max(query.limit, 1), _MOST)
    chosen = select(study).where(*conditions).order_by(*(column.desc() for column in columns)).limit(limit + 1)
    rows = connection.execute(chosen).all()
    items = tuple(to_study(row) for row in rows[:limit])
    return Page(items, encode_cursor(query.order, _key(query.order, rows[limit - 1])) if len(rows) > limit else None)


def count(connection: Connection, query: Query, cap: int) -> int:
    """How many studies, cursor and limit aside; never more than ``cap``."""
    some = select(study.c.id).where(*_conditions(connection, query)).limit(cap).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def neighbours(connection: Connection, ident: str, query: Query) -> Neighbours:
    """What stands before and after a study, which need not itself be among those of the query.

    Raises:
        NotFound: There is no such study.
    """
    columns = _columns(query)
    here = connection.execute(select(study).where(study.c.id == ident)).first()
    if here is None:
        raise no_such("study", ident)
    conditions = _conditions(connection, query)
    place = tuple_(*_key(query.order, here))
    before = select(study.c.id).where(*conditions, tuple_(*columns) > place).order_by(*columns)
    after = select(study.c.id).where(*conditions, tuple_(*columns) < place)
    after = after.order_by(*(column.desc() for column in columns))
    return Neighbours(*(connection.execute(side.limit(1)).scalar() for side in (before, after)))


def _columns(query: Query) -> tuple[ColumnElement[Any], ...]:
    if query.order not in _ORDERS:
        raise UsageError(f"there is no order {query.order!r}", where="order", remedy="Take newest or urgency")
    return _ORDERS[query.order]


def _key(order: str, row: Row[Any]) -> tuple[float | int | str, ...]:
    """A row's place in the order, times as the database holds them."""
    return (*([row.urgency] if order == "urgency" else []), microseconds(row.received), row.id)


def _conditions(connection: Connection, query: Query) -> list[ColumnElement[bool]]:
    found = [
        study.c[name] == value
        for name in ("call", "status", "source", "refusal")
        if (value := getattr(query, name)) is not None
    ]
    if query.verdict is not None:
        found.append(study.c.verdict == ("" if query.verdict == "none" else query.verdict))
    if query.since is not None:
        found.append(study.c.received >= query.since)
    if query.until is not None:
        found.append(study.c.received < query.until)
    if query.text.strip():
        found.append(_search(connection, query.text))
    return found


def _search(connection: Connection, text: str) -> ColumnElement[bool]:
    """Studies that have a word for each term.

    If few have, they are looked up first; if many have, each study is asked on the way along the order. So a rare
    word does not walk through all studies, and a frequent one does not collect them all before the first is shown.
    """
    terms = terms_of(text)
    if not terms:
        return study.c.id == ""  # only signs: nothing is found by them
    # The rarest first, so that the fewest are looked at; one word alone need not be counted far.
    far = _FREQUENT if len(terms) > 1 else _RARE
    sizes = {term: _size(connection, term, far) for term in terms}
    if len(terms) > 1 or sizes[terms[0]] < _RARE:
        having = _having(sorted(terms, key=lambda term: sizes[term])).limit(_RARE)
        found = connection.execute(having).scalars().all()
        if len(found) < _RARE:
            return study.c.id.in_(set(found))  # as a list: the databases would rather walk, and ask each study
    return and_(*(exists().where(study_word.c.study == study.c.id, _begins(study_word, term)) for term in terms))


def _having(terms: Sequence[str]) -> Select[tuple[str]]:
    """Studies that have a word for each term, from the first term's on; some more than once."""
    first = study_word.alias()
    chosen = select(first.c.study).where(_begins(first, terms[0]))
    for term in terms[1:]:
        other = study_word.alias()
        chosen = chosen.where(exists().where(other.c.study == first.c.study, _begins(other, term)))
    return chosen


def _size(connection: Connection, term: str, cap: int) -> int:
    """How many studies have a word for the term, ``cap`` for that many or more."""
    some = _having([term]).limit(cap).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def _begins(words: FromClause, term: str) -> ColumnElement[bool]:
    return and_(words.c.word >= term, words.c.word < term + LAST)
