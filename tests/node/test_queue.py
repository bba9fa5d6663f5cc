"""The queue, the schedule and the intake by themselves: full disks, clocks that jump, many films."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from pneumoscope.errors import StorageFull, UsageError
from pneumoscope.server.node.config import NodeConfig
from pneumoscope.server.node.incoming import NO_RESOURCES, SUCCESS, Intake
from pneumoscope.server.node.metrics import NodeMetrics
from pneumoscope.server.node.queue import NewResult, Queue
from pneumoscope.server.node.reading import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    one = Queue(tmp_path / "node")
    yield one
    one.close()


def intake_of(queue: Queue, room: Callable[[int], object] = lambda _: None) -> Intake:
    metrics = NodeMetrics(CollectorRegistry(), queue.counts)
    return Intake(queue, NodeConfig(), metrics, secret=b"key", room=room, arrived=lambda *_: None)


def give(intake: Intake, film: Path) -> int:
    file = intake.open()
    file.write(film.read_bytes())
    return intake.take(file, sender="MODALITY").status


def test_a_full_disk_is_told_and_the_next_film_is_taken(
    queue: Queue, chest_film: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = chest_film(tmp_path / "film.dcm")

    def full(*_: Any) -> None:
        raise StorageFull("the disk is full")

    assert give(intake_of(queue, room=full), film) == NO_RESOURCES
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert give(intake_of(queue), film) == NO_RESOURCES
    assert queue.counts().waiting == 0
    assert give(intake_of(queue), film) == SUCCESS
    assert queue.counts().waiting == 1
    assert not list(queue.incoming.iterdir())


def test_no_two_nodes_share_a_queue(queue: Queue) -> None:
    with pytest.raises(UsageError):
        Queue(queue.folder)


def test_a_clock_that_jumps_loses_nothing(
    queue: Queue, chest_film: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(intake_of(queue), chest_film(tmp_path / "film.dcm"))
    real = time.time
    for jump in (-1e8, 1e8):
        monkeypatch.setattr("time.time", lambda jump=jump: real() + jump)
        assert queue.tidy(hold_seconds=1, remember_seconds=1) == 0
        assert queue.counts().waiting == 1
    number = queue.waiting()[0][0]
    film = queue.begin(number)
    assert film is not None
    queue.finish(film, reading="r", results=[NewResult("sr", "1.2", "1.2.3", b"x")], destinations=["A@h:1"])
    assert queue.tidy(hold_seconds=1, remember_seconds=1) == 0  # its result has not arrived yet
    assert queue.sent(queue.pending("A@h:1")[0])
    assert queue.tidy(hold_seconds=1, remember_seconds=1) == 1
    assert not list(queue.folder.glob("*/*/*.dcm"))


def test_a_result_that_is_refused_again_and_again_is_given_up_and_can_be_sent_again(
    queue: Queue, chest_film: Callable[..., Path], tmp_path: Path
) -> None:
    give(intake_of(queue), chest_film(tmp_path / "film.dcm"))
    film = queue.begin(queue.waiting()[0][0])
    assert film is not None
    queue.finish(film, reading="r", results=[NewResult("sr", "1.2", "1.2.3", b"x")], destinations=["A@h:1"])

    assert [queue.refused(queue.pending("A@h:1")[0], "no", most=3) for _ in range(3)] == [False, False, True]
    assert queue.pending("A@h:1") == []
    assert queue.send_again() == 1
    assert len(queue.pending("A@h:1")) == 1


def test_ten_thousand_films_are_read_in_their_order() -> None:
    schedule = Schedule(0.0)
    for number in range(10_000):
        schedule.arrived(number, f"study {number // 2}")

    assert [schedule.next() for _ in range(10_000)] == list(range(10_000))


def test_a_study_is_read_when_nothing_of_it_has_come_for_a_while() -> None:
    schedule = Schedule(0.2)
    begun = time.monotonic()
    schedule.arrived(1, "study")
    schedule.arrived(2, "study")

    assert [schedule.next(), schedule.next()] == [1, 2]
    assert time.monotonic() - begun >= 0.2
    schedule.close()
    assert schedule.next() is None
