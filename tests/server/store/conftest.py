"""A store of each kind, a clock that is moved by hand, and films and readings of nobody."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from sqlalchemy import create_engine, delete, insert, text

from pneumoscope.server.store import tables
from pneumoscope.server.store.audit_log import GENESIS_DIGEST
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.records import EvidenceMap, NewFilm, NewReading
from pneumoscope.server.store.worklist import open_worklist
from pneumoscope.settings import NOTICE
from pneumoscope.types.evidence import Evidence, zone_shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pneumoscope.server.store.worklist import Worklist


@dataclass
class Clock:
    """Stands still until it is moved."""

    at: datetime = field(default_factory=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


class MakeReading(Protocol):
    def __call__(
        self, probability: float | None = 0.9, *, bundle: str = "standard", refusal: str = "not-a-chest", **more: Any
    ) -> NewReading: ...


class MakeFilm(Protocol):
    def __call__(self, name: str, *readings: NewReading, **more: Any) -> NewFilm: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "films")


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables, to copy."""
    folder = tmp_path_factory.mktemp("empty")
    open_worklist(f"sqlite:///{folder / 'empty.db'}", LocalBlobs(folder / "films")).close()
    return folder / "empty.db"


@pytest.fixture(scope="session")
def shared_postgres(postgres: str) -> str:
    """One database of PostgreSQL that all tests take in turn: to make one for each takes seconds."""
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = create_engine(postgres.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{postgres.rpartition('/')[0]}/{name}"


@pytest.fixture
def wiped_postgres(shared_postgres: str, tmp_path: Path) -> str:
    """That database, without a row of the tests before."""
    store = open_worklist(shared_postgres, LocalBlobs(tmp_path / "films"))
    with store.database.write() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # silences the log's triggers
        for table in tables.metadata.tables.values():
            connection.execute(delete(table))  # a few rows: faster than TRUNCATE, which makes new files
        connection.execute(insert(tables.counter), {"name": "changes", "value": 0})
        connection.execute(insert(tables.audit_head), {"one": 1, "sequence": 0, "digest": GENESIS_DIGEST})
    store.close()
    return shared_postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the tables and without studies, of each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_file"), tmp_path / "worklist.db")
        return f"sqlite:///{tmp_path / 'worklist.db'}"
    url: str = request.getfixturevalue("wiped_postgres")
    return url


@pytest.fixture
def worklist(store_url: str, blobs: LocalBlobs, clock: Clock) -> Iterator[Worklist]:
    """Empty, on SQLite and on PostgreSQL."""
    store = open_worklist(store_url, blobs, clock=clock)
    yield store
    store.close()


@pytest.fixture
def sqlite_worklist(tmp_path: Path, empty_file: Path, blobs: LocalBlobs, clock: Clock) -> Iterator[Worklist]:
    """Empty, on SQLite alone: for what has nothing to do with the database's kind."""
    shutil.copy(empty_file, tmp_path / "one.db")
    store = open_worklist(f"sqlite:///{tmp_path / 'one.db'}", blobs, clock=clock)
    yield store
    store.close()


@pytest.fixture(scope="session")
def new_reading() -> MakeReading:
    """A reading in the form of the contract; None as probability is a refusal."""

    def make(
        probability: float | None = 0.9, *, bundle: str = "standard", refusal: str = "not-a-chest", **more: Any
    ) -> NewReading:
        read = probability is not None
        values = np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4)
        seen = Evidence(values, zone_shares(values), (0.0, 1.5, 30.0, 40.25), 0.75)
        document: dict[str, Any] = {
            "version": 2,
            "film": {"path": "a.png", "sha256": None, "format": "PNG", "rows": 30, "columns": 42},
            "status": "read" if read else "refused",
            "refusal": None if read else {"code": refusal, "reason": "why", "remedy": "what"},
            "corrections": [],
            "forced": False,
            "warnings": [],
            "probabilities": None,
            "positive_classes": [],
            "finding": None,
            "pattern": None,
            "evidence": None,
            "model": {"name": bundle, "version": "1", "sha256": hashlib.sha256(bundle.encode()).hexdigest()},
            "software": {"name": "pneumoscope", "version": "0"},
            "notice": NOTICE,
        }
        if probability is not None:
            called = probability >= 0.5
            document |= {
                "probabilities": {"normal": 1 - probability, "bacterial": probability, "viral": 0.0},
                "positive_classes": ["bacterial"],
                "finding": {
                    "name": "pneumonia",
                    "probability": probability,
                    "threshold": 0.5,
                    "lower": None,
                    "preset": "balanced",
                    "call": "pneumonia" if called else "no pneumonia",
                    "expected": None,
                },
                "pattern": {"call": "bacterial" if called else None, "set": ["bacterial"], "coverage": 0.9},
            }
        return NewReading(document, EvidenceMap.of(seen) if read else None, **({"seconds": 0.25} | more))

    return make


@pytest.fixture(scope="session")
def new_film(new_reading: MakeReading) -> MakeFilm:
    """A film of a name; its bytes follow from the name."""

    def make(name: str, *readings: NewReading, **more: Any) -> NewFilm:
        data = f"the film {name}".encode()
        return NewFilm(hashlib.sha256(data).hexdigest(), data, name, readings or (new_reading(),), **more)

    return make


@pytest.fixture
def add(worklist: Worklist, new_film: MakeFilm, new_reading: MakeReading) -> Callable[..., str]:
    """Add a study of one film: ``add("name", 0.9)``; its id."""

    def study(name: str, probability: float | None = 0.9, **more: Any) -> str:
        film = new_film(name, new_reading(probability))
        return worklist.studies.add([film], **({"label": name, "source": "web", "by": "anna"} | more)).id

    return study


@pytest.fixture
def empty_postgres(postgres: str) -> Iterator[str]:
    """A database of PostgreSQL without tables."""
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = create_engine(postgres.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield f"{postgres.rpartition('/')[0]}/{name}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
