"""A node that is killed at any place goes on where it was: each film read once, each result there with the same UID."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread
from tests.node.conftest import StoreScp, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.node.conftest import NodeProcess

# Runs the command, and kills it at a place of our choice.
KILLED = """
import os, signal, sys
from pneumoscope.cli.main import main
from pneumoscope.server.node import delivery, queue, reading

place = sys.argv.pop(1)

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def after(home, name):
    real = getattr(home, name)
    def both(*given, **named):
        real(*given, **named)
        die()
    setattr(home, name, both)

if place == "file moved, no row":
    queue._sync_folder = die
elif place == "taken, not answered":
    after(queue.Queue, "take")
elif place == "read, not filed":
    reading.store_outcome = die
elif place == "filed, no results":
    reading.results_of = die
elif place == "results written, no rows":
    after(queue.Queue, "_keep")
elif place == "results in the queue, not sent":
    after(queue.Queue, "finish")
elif place == "sent, not marked":
    queue.Queue.sent = die
sys.exit(main(sys.argv[1:]))
"""
PLACES = (
    "file moved, no row",
    "taken, not answered",
    "read, not filed",
    "filed, no results",
    "results written, no rows",
    "results in the queue, not sent",
    "sent, not marked",
)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[StoreScp]:
    """dcmtk's storescp, which keeps what it gets."""
    one = StoreScp(tmp_path / "archive")
    one.start()
    yield one
    one.stop()


@pytest.mark.parametrize("places", [PLACES[0::3], pytest.param(PLACES[1::3] + PLACES[2::3], marks=pytest.mark.slow)])
def test_kills_at_every_place_lose_and_double_nothing(
    node: NodeProcess, archive: StoreScp, chest_film: Callable[..., Path], tmp_path: Path, places: tuple[str, ...]
) -> None:
    options = ("--send-to", archive.peer, "--stable-seconds", "0", "--results", "sr")
    films = []
    for number, place in enumerate(places):
        films.append(chest_film(tmp_path / f"{number}.dcm", study=f"1.2.840.99.{number}"))
        node.command = (sys.executable, "-c", KILLED, place)
        node.start(*options)
        node.store(*films, check=False)
        node.died()
    node.command = ()
    node.start(*options)
    node.store(*films)  # as a modality does: what was not answered is sent again
    eventually(lambda: len(set(archive.instances())) == len(films), "every result has arrived")
    node.stop()

    found = [dcmread(path) for path in archive.files()]
    assert Counter(str(each.StudyInstanceUID) for each in found) == {f"1.2.840.99.{n}": 1 for n in range(len(films))}
    assert [len(readings) for readings in node.readings().values()] == [1] * len(films)
    assert not list((node.folder / "node" / "incoming").iterdir())
