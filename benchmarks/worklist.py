"""How long the worklist's questions take with 100,000 studies, on SQLite and on PostgreSQL.

    PYTHONPATH=tools python benchmarks/worklist.py --database sqlite:///FILE [--database postgresql://...]

A database that is empty is filled first; one that holds studies already is taken as it is. Each question is asked
``--rounds`` times, each time through the store's own door (connection, SQL, rows to records); printed are the fastest,
the median and the slowest of them in milliseconds.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.records import NewFilm, NewReading, Query
from pneumoscope.server.store.worklist import open_worklist
from synthetic_worklist import add_synthetic_studies

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.server.store.worklist import Worklist

DEEP = 500  # pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", action="append", help="URL; a SQLite file in a temporary folder without it")
    parser.add_argument("--count", type=int, default=100_000, help="studies to fill an empty database with")
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for url in options.database or [f"sqlite:///{folder}/worklist.db"]:
            measure(url, Path(folder) / "films", options.count, options.rounds)


def measure(url: str, films: Path, count: int, rounds: int) -> None:
    worklist = open_worklist(url, LocalBlobs(films))
    try:
        if not worklist.numbers.totals()["studies"]:
            start = time.perf_counter()
            add_synthetic_studies(worklist, count)
            print(f"filled with {count:,} studies in {time.perf_counter() - start:.1f} s")
        total = worklist.numbers.totals()["studies"]
        print(f"\n{worklist.database.engine.dialect.name}, {total:,} studies, {rounds} rounds, milliseconds")
        print(f"{'':44} {'fastest':>8} {'median':>8} {'slowest':>8}")
        for name, ask in questions(worklist, count).items():
            ask()
            taken = [timed(ask) for _ in range(rounds)]
            print(f"{name:44} {min(taken):8.2f} {median(taken):8.2f} {max(taken):8.2f}")
    finally:
        worklist.close()


def timed(ask: Callable[[], object]) -> float:
    start = time.perf_counter()
    ask()
    return (time.perf_counter() - start) * 1000


def questions(worklist: Worklist, count: int) -> dict[str, Callable[[], object]]:
    def page(**query: object) -> Callable[[], object]:
        return lambda: worklist.studies.page(Query(**query))  # type: ignore[arg-type]

    def counted(**query: object) -> Callable[[], object]:
        return lambda: worklist.studies.count(Query(**query), cap=10**9)  # type: ignore[arg-type]

    now = worklist.database.now()
    some = worklist.studies.page(Query(limit=3)).items[1]
    middle = worklist.studies.page(Query(cursor=deep(worklist, "newest"))).items[0]
    one = f"person{count // 2:07}"
    return {
        "first page, newest": page(),
        f"page {DEEP}, newest": page(cursor=deep(worklist, "newest")),
        "first page, by urgency": page(order="urgency"),
        f"page {DEEP}, by urgency": page(order="urgency", cursor=deep(worklist, "urgency")),
        "filter: call": page(call="indeterminate"),
        "filter: refused": page(status="refused"),
        "filter: refusal": page(refusal="blurred"),
        "filter: source": page(source="import"),
        "filter: verdict none": page(verdict="none"),
        "filter: verdict correct": page(verdict="correct"),
        "filter: a week, a month ago": page(since=now - timedelta(days=37), until=now - timedelta(days=30)),
        "filter: call, by urgency": page(call="indeterminate", order="urgency"),
        "filter: verdict none, by urgency": page(verdict="none", order="urgency"),
        "filter: a week, by urgency": page(
            since=now - timedelta(days=37), until=now - timedelta(days=30), order="urgency"
        ),
        "filter: call, source, verdict, a month": page(
            call="pneumonia", source="node", verdict="correct", since=now - timedelta(days=30)
        ),
        "filter: refusal, source, by urgency": page(refusal="blurred", source="import", order="urgency"),
        "search: one name": page(text=one),
        "search: number within a name": page(text=f"{count // 2:07}"),
        "search: beginning of an id": page(text=middle.id[:5]),
        "search: beginning of a film's sha256": page(text=middle.lead[:12]),
        "search: a frequent word": page(text="ward"),
        "search: in every label": page(text="person"),
        "search: a frequent word, by urgency": page(text="ward", order="urgency"),
        "search: three frequent words": page(text="ward person ask"),
        "search: two words that never meet": page(text="ward intensive archive"),
        "search: nothing": page(text="zzz"),
        "search: a frequent word, and verdict correct": page(text="ward", verdict="correct"),
        "count of all": counted(),
        "count of a call": counted(call="pneumonia"),
        "count of a call, a source, a verdict": counted(call="pneumonia", source="node", verdict="none"),
        "count of a frequent word": counted(text="ward"),
        "count up to 10,000 of all": lambda: worklist.studies.count(Query()),
        "count up to 10,000 of a frequent word": lambda: worklist.studies.count(Query(text="ward")),
        "neighbours": lambda: worklist.studies.neighbours(middle.id, Query()),
        "neighbours, filtered, by urgency": lambda: worklist.studies.neighbours(
            middle.id, Query(call="pneumonia", order="urgency")
        ),
        "study in detail": lambda: worklist.studies.detail(some.id),
        "changes since the last but one": lambda: worklist.studies.changes_since(count - 1),
        "dashboard: readings a day, 30 days": lambda: worklist.numbers.per_day(30),
        "dashboard: calls, 30 days": lambda: worklist.numbers.calls(30),
        "dashboard: scores, 30 days": lambda: worklist.numbers.scores(30),
        "dashboard: inputs, 30 days": lambda: worklist.numbers.inputs(30),
        "dashboard: seconds, 30 days": lambda: worklist.numbers.seconds(30),
        "dashboard: agreement, 30 days": lambda: worklist.numbers.agreement(30),
        "write: a film of 2 MB, a reading, its study": lambda: add(worklist),
        "write: a note": lambda: worklist.studies.note(some.id, f"seen {time.perf_counter()}", by="benchmark"),
    }


def add(worklist: Worklist) -> None:
    data = os.urandom(2_000_000)
    document = {"status": "refused", "refusal": {"code": "blurred", "reason": "", "remedy": ""}}
    film = NewFilm(hashlib.sha256(data).hexdigest(), data, "benchmark.png", (NewReading(document),))
    worklist.studies.add([film], label="", source="api", by="benchmark")


def deep(worklist: Worklist, order: str) -> str | None:
    """The cursor of page ``DEEP``, by walking there."""
    cursor = None
    for _ in range(DEEP // 10):
        cursor = worklist.studies.page(Query(order=order, limit=500, cursor=cursor)).next or cursor  # type: ignore[arg-type]
    return cursor


if __name__ == "__main__":
    main()
