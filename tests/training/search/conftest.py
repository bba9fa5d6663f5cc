"""A search that takes seconds: small phantoms, a tiny network, two epochs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pneumoscope.films.phantom import write_phantoms
from pneumoscope.training.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

TINY = [
    "data.size=32",
    "data.fractions=[0.6,0.2,0.2]",
    "network.options.width=4",
    "network.options.blocks=[1,1]",
    "network.options.strides=[2,2]",
    "optim.epochs=2",
    "calibration.shifted_copies=0",
]
SPACE = """
[space]
optim.learning_rate = { low = 1e-4, high = 1e-2, log = true }
network.options.width = [4, 8]
augment.strength = { low = 0.0, high = 1.0 }
"""


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 phantoms of 96 pixels."""
    folder = tmp_path_factory.mktemp("small") / "set"
    write_phantoms(folder, count=120, seed=3, size=96)
    return folder


@pytest.fixture(scope="session")
def tiny() -> TrainConfig:
    return TrainConfig.load(None, TINY)


@pytest.fixture(scope="session")
def space_text() -> str:
    return SPACE


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a real PostgreSQL: that of PNEUMOSCOPE_TEST_POSTGRES, or a server of our own for the session."""
    given = os.environ.get("PNEUMOSCOPE_TEST_POSTGRES")
    if given:
        yield given
        return
    tools = {name: found for name in ("initdb", "pg_ctl") if (found := _postgres_tool(name))}
    if len(tools) < 2:
        pytest.skip("PostgreSQL is not installed (initdb, pg_ctl), and PNEUMOSCOPE_TEST_POSTGRES is not set")
    root = os.geteuid() == 0
    if root and subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode:  # noqa: S607
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="pneumoscope-pg-"))  # short: a socket's path may have 107 characters
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def do(*command: str) -> None:
        line = ["runuser", "-u", "postgres", "--", *command] if root else list(command)
        subprocess.run(line, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)

    if root:
        shutil.chown(folder, "postgres")
    data, log = str(folder / "data"), str(folder / "log")
    try:
        do(tools["initdb"], "-D", data, "-A", "trust", "-U", "pneumoscope", "-N")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        do(tools["pg_ctl"], "-D", data, "-l", log, "-o", options, "-w", "start")
        yield f"postgresql://pneumoscope@127.0.0.1:{port}/postgres"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            do(tools["pg_ctl"], "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_tool(name: str) -> str | None:
    """Debian keeps the server's programs out of the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(places[-1]) if places else None)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, as a person would name it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    from sqlalchemy import create_engine, text

    url: str = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{url.rpartition('/')[0]}/{name}"
