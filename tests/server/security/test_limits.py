"""Token buckets: their law, their memory, and what a person sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.server.auth.limits import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.security.conftest import Room


@given(
    steps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
    rate=st.floats(0.1, 10),
    burst=st.integers(1, 10),
)
def test_never_more_than_burst_and_rate_allow(steps: list[float], rate: float, burst: int) -> None:
    now = 0.0
    buckets = RateLimiter(rate, burst, clock=lambda: now)
    taken = 0
    for step in steps:
        now += step
        wait = buckets.take("x")
        taken += not wait
        assert taken <= burst + rate * now + 1e-6
        if wait:  # who waits as long as told gets in
            now += wait + 1e-9
            assert buckets.take("x") == 0
            taken += 1


def test_one_does_not_take_from_another() -> None:
    buckets = RateLimiter(1, 2, clock=lambda: 0.0)
    assert [bool(buckets.take("a")) for _ in range(3)] == [False, False, True]
    assert buckets.take("b") == 0


def test_the_memory_is_bounded() -> None:
    buckets = RateLimiter(1, 2, size=100, clock=lambda: 0.0)
    for number in range(10_000):
        buckets.take(str(number))
    assert len(buckets) == 100


def test_one_user_is_slowed_down_and_told_for_how_long(open_room: Callable[..., Room]) -> None:
    room = open_room(host="0.0.0.0", requests_per_minute=60)  # noqa: S104 - nothing listens
    room.user("ada")
    room.user("joan")
    ada, joan = room.visitor(address="192.0.2.1"), room.visitor(address="192.0.2.2")
    ada.log_in()
    joan.log_in("joan")
    answers = [ada.http.get("/api/v1/films/7") for _ in range(30)]
    assert 429 in {answer.status_code for answer in answers}
    told = next(answer for answer in answers if answer.status_code == 429)
    assert int(told.headers["Retry-After"]) >= 1
    assert told.json()["code"] == "too-many-requests"
    assert joan.http.get("/api/v1/films/7").status_code == 200


def test_strangers_are_slowed_down_by_their_address(open_room: Callable[..., Room]) -> None:
    room = open_room(host="0.0.0.0", requests_per_minute=60)  # noqa: S104 - nothing listens
    room.user("ada")
    flood = room.visitor(browser=False, address="2001:db8::1")
    statuses = {flood.http.get("/api/v1/films/7").status_code for _ in range(80)}
    assert statuses == {401, 429}
    near = room.visitor(browser=False, address="2001:db8::ffff")  # the same machine can take this one, too
    assert near.http.get("/api/v1/films/7").status_code == 429
    far = room.visitor(browser=False, address="2001:db8:0:1::1")
    assert far.http.get("/api/v1/films/7").status_code == 401


def test_the_local_person_and_static_files_are_not_counted(open_room: Callable[..., Room]) -> None:
    room = open_room(requests_per_minute=20)
    http = room.visitor(browser=False, local=True).http
    assert {http.get("/api/v1/films/7").status_code for _ in range(100)} == {200}
    assert {http.get("/healthz").status_code for _ in range(100)} == {200}
