"""Ids, cursors, and pages of the worklist: filters, orders and the search as SQL (keyset pagination).

A page is found by where the one before ended (keyset) and not by counting rows off, so that page 500 costs what page
1 costs. Every filter has an index in both orders.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from typing import TYPE_CHECKING, Any, TypeGuard

from sqlalchemy import BigInteger, ColumnElement, Double, and_, case, cast, exists, func, select, tuple_, type_coerce

from pneumoscope.errors import UsageError
from pneumoscope.server.store.reader_studies.blinding import blinded_studies
from pneumoscope.server.store.records import Neighbours, Page, to_study
from pneumoscope.server.store.tables import study, study_word, to_microseconds
from pneumoscope.server.store.text import LAST, not_found, terms_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, FromClause, Row, Select

    from pneumoscope.server.store.records import Query
    from pneumoscope.types.studies import Study

__all__ = ["decode_cursor", "encode_cursor", "new_id", "study_count", "study_neighbours", "study_page"]


def new_id() -> str:
    """16 hexadecimal digits by chance: nobody can count the studies, or guess another one's address."""
    return secrets.token_hex(8)


def encode_cursor(kind: str, key: tuple[float | int | str, ...]) -> str:
    """Where a page ended, as one word that stands in a URL.

    Args:
        kind: The order that it is of.
        key: The last row's place in it. Numbers come back just as they were.
    """
    return base64.urlsafe_b64encode(json.dumps([kind, *key]).encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, kinds: tuple[type, ...]) -> tuple[float | int | str, ...]:
    """The place that a cursor names.

    Args:
        kind: The order that is asked for now.
        cursor: From ``encode_cursor``.
        kinds: The type of each part.

    Raises:
        UsageError: It is none of ours, or of another order.
    """
    try:
        parts: object = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    if not _is_list(parts) or parts[:1] != [kind] or [type(part) for part in parts[1:]] != list(kinds):
        raise UsageError(
            "this is no cursor of this order", where="cursor", remedy="Take it from the page before, or leave it out"
        )
    key = tuple(part for part in parts[1:] if isinstance(part, (int, float, str)))
    if any(isinstance(part, int) and abs(part) >= 2**63 for part in key):
        raise UsageError("this is no cursor of this order", where="cursor", remedy="Take it from the page before")
    return key


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


_MAX_PAGE = 500  # rows a page
_RARE = 2000  # studies: if fewer are found by words, they are looked up first; if more, on the way along the order
_FREQUENT = 50_000  # rows up to which words are told apart by how frequent they are

LONGEST_WAIT_HOURS = 4.0
"""By "priority" a study that is sure not to have the finding waits so much longer than one that is sure to have it."""

_WAIT = LONGEST_WAIT_HOURS * 3600e6  # microseconds
# Earliest due first: a study is due when it came, and the less probable the finding, the later. So the urgent ones come
# first, and yet nothing that comes later than the longest wait goes before a study that waits. It depends on no clock:
# the place of a study does not change while it waits. A refused film is due as one without the finding.
_PRIORITY = case((study.c.urgency < 0, 0.0), else_=study.c.urgency) * _WAIT - cast(
    type_coerce(study.c.received, BigInteger), Double
)

_ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "priority": (_PRIORITY, study.c.id),
    "newest": (study.c.received, study.c.id),
    "urgency": (study.c.urgency, study.c.received, study.c.id),
}
_CURSOR_TYPES: dict[str, tuple[type, ...]] = {
    "newest": (int, str),
    "urgency": (float, int, str),
    "priority": (float, str),
}


def study_page(connection: Connection, query: Query) -> Page[Study]:
    """One page.

    Raises:
        UsageError: The cursor is none, or of another order.
    """
    columns = _columns(query)
    conditions = _conditions(connection, query)
    if query.cursor is not None:
        conditions.append(
            tuple_(*columns) < tuple_(*decode_cursor(query.order, query.cursor, _CURSOR_TYPES[query.order]))
        )
    limit = min(max(query.limit, 1), _MAX_PAGE)
    chosen = select(study).where(*conditions).order_by(*(column.desc() for column in columns)).limit(limit + 1)
    rows = connection.execute(chosen).all()
    items = tuple(to_study(row) for row in rows[:limit])
    return Page(
        items, encode_cursor(query.order, _order_key(query.order, rows[limit - 1])) if len(rows) > limit else None
    )


def study_count(connection: Connection, query: Query, cap: int) -> int:
    """How many studies, cursor and limit aside; never more than ``cap``."""
    some = select(study.c.id).where(*_conditions(connection, query)).limit(cap).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def study_neighbours(connection: Connection, ident: str, query: Query) -> Neighbours:
    """What stands before and after a study, which need not itself be among those of the query.

    Raises:
        NotFound: There is no such study.
    """
    columns = _columns(query)
    here = connection.execute(select(study).where(study.c.id == ident)).first()
    if here is None:
        raise not_found("study", ident)
    conditions = _conditions(connection, query)
    place = tuple_(*_order_key(query.order, here))
    before = select(study.c.id).where(*conditions, tuple_(*columns) > place).order_by(*columns)
    after = select(study.c.id).where(*conditions, tuple_(*columns) < place)
    after = after.order_by(*(column.desc() for column in columns))
    return Neighbours(*(connection.execute(side.limit(1)).scalar() for side in (before, after)))


def _columns(query: Query) -> tuple[ColumnElement[Any], ...]:
    if query.order not in _ORDERS:
        raise UsageError(f"there is no order {query.order!r}", where="order", remedy="Take newest, urgency or priority")
    return _ORDERS[query.order]


def _order_key(order: str, row: Row[Any]) -> tuple[float | int | str, ...]:
    """A row's place in the order, times as the database holds them."""
    if order == "priority":
        return max(0.0, row.urgency) * _WAIT - float(to_microseconds(row.received)), row.id
    return (*([row.urgency] if order == "urgency" else []), to_microseconds(row.received), row.id)


def _conditions(connection: Connection, query: Query) -> list[ColumnElement[bool]]:
    found = [
        study.c[name] == value
        for name in ("call", "status", "source", "refusal")
        if (value := getattr(query, name)) is not None
    ]
    if query.call is not None and query.status is None:
        found.append(study.c.status == "read")  # the call of a film that was forced is no call
    if query.verdict is not None:
        found.append(study.c.verdict == ("" if query.verdict == "none" else query.verdict))
    if query.since is not None:
        found.append(study.c.received >= query.since)
    if query.until is not None:
        found.append(study.c.received < query.until)
    if query.blind:
        found.append(study.c.id.not_in(blinded_studies(query.blind)))
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
    sizes = {term: _frequency(connection, term, far) for term in terms}
    if len(terms) > 1 or sizes[terms[0]] < _RARE:
        having = _studies_with(sorted(terms, key=lambda term: sizes[term])).limit(_RARE)
        found = connection.execute(having).scalars().all()
        if len(found) < _RARE:
            return study.c.id.in_(set(found))  # as a list: the databases would rather walk, and ask each study
    return and_(*(exists().where(study_word.c.study == study.c.id, _begins(study_word, term)) for term in terms))


def _studies_with(terms: Sequence[str]) -> Select[tuple[str]]:
    """Studies that have a word for each term, from the first term's on; some more than once."""
    first = study_word.alias()
    chosen = select(first.c.study).where(_begins(first, terms[0]))
    for term in terms[1:]:
        other = study_word.alias()
        chosen = chosen.where(exists().where(other.c.study == first.c.study, _begins(other, term)))
    return chosen


def _frequency(connection: Connection, term: str, cap: int) -> int:
    """How many studies have a word for the term, ``cap`` for that many or more."""
    some = _studies_with([term]).limit(cap).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def _begins(words: FromClause, term: str) -> ColumnElement[bool]:
    return and_(words.c.word >= term, words.c.word < term + LAST)
