"""Guessing passwords: slower with each failure, told nothing, and not faster with many at once."""

from __future__ import annotations

import asyncio
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from argon2 import PasswordHasher

from pneumoscope.server.auth.identity import Denied
from pneumoscope.server.auth.limits import RateLimiter
from pneumoscope.server.auth.login import FREE_ATTEMPTS, lockout, log_in
from pneumoscope.server.auth.passwords import Passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.server.security.conftest import Room


T = TypeVar("T")


@pytest.fixture
def patient(ward: Room) -> Room:
    """Counts tries by user alone."""
    ward.guards.tries = RateLimiter(1e6, 1e6)
    return ward


def run(steps: Coroutine[Any, Any, T]) -> T:
    """In a thread: a browser of other tests may keep a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, steps).result()


def guess(room: Room, name: str = "ada", password: str = "not the password") -> int:  # noqa: S107
    return room.visitor().log_in(name, password)


def test_a_user_is_locked_out_for_a_growing_time(patient: Room) -> None:
    for _ in range(FREE_ATTEMPTS):
        assert guess(patient) == 401
    assert patient.visitor().log_in() == 401  # right, but locked
    patient.clock.on(seconds=29)
    assert patient.visitor().log_in() == 401
    patient.clock.on(seconds=2)
    assert guess(patient) == 401  # the sixth failure: 60 s now
    patient.clock.on(seconds=31)
    assert patient.visitor().log_in() == 401
    patient.clock.on(seconds=30)
    assert patient.visitor().log_in() == 303
    row = patient.worklist.users.get("ada")
    assert row is not None
    assert (row.failures, row.locked_until) == (0, None)


def test_the_time_grows_to_an_hour_and_no_further() -> None:
    times = [lockout(failures).total_seconds() for failures in range(40)]
    assert times[:FREE_ATTEMPTS] == [0] * FREE_ATTEMPTS
    assert times[FREE_ATTEMPTS : FREE_ATTEMPTS + 4] == [30, 60, 120, 240]
    assert times == sorted(times)
    assert times[-1] == 3600


def test_a_lock_outlives_a_restart(patient: Room, open_room: Callable[..., Room]) -> None:
    for _ in range(FREE_ATTEMPTS):
        guess(patient)
    again = open_room(host="0.0.0.0")  # noqa: S104 - nothing listens
    assert again.visitor().log_in() == 401
    assert again.visitor().log_in("grace") == 303


def test_nobody_is_locked_out_from_elsewhere(patient: Room) -> None:
    far = patient.visitor(address="203.0.113.9")
    for _ in range(FREE_ATTEMPTS + 3):
        assert far.log_in("ada", "not the password") == 401
    assert far.log_in() == 401, "right, but locked from there"
    assert patient.visitor().log_in() == 303, "and from here she comes in"


def test_a_whole_ward_logs_in_from_one_address(ward: Room) -> None:
    for number in range(30):
        name = ward.user(f"nurse{number}")
        assert ward.visitor().log_in(name) == 303


def test_tries_while_locked_do_not_lengthen_the_lock(patient: Room) -> None:
    for _ in range(FREE_ATTEMPTS + 20):
        guess(patient)
    row = patient.worklist.users.get("ada")
    assert row is not None
    assert row.failures == FREE_ATTEMPTS
    patient.clock.on(seconds=31)
    assert patient.visitor().log_in() == 303


def test_an_administrator_ends_a_lock(patient: Room) -> None:
    for _ in range(FREE_ATTEMPTS):
        guess(patient)
    grace = patient.visitor()
    grace.log_in("grace")
    assert grace.http.patch("/api/v1/users/ada", json={"unlock": True}, headers=grace.own()).json()["failures"] == 0
    assert patient.visitor().log_in() == 303


def test_the_answer_is_the_same_whatever_is_wrong(patient: Room) -> None:
    patient.user("shut", "reader")
    patient.worklist.users.set_active("shut", False, by="test")
    for _ in range(FREE_ATTEMPTS + 1):
        guess(patient, "grace")
    seen = set()
    for name in ("ada", "nobody", "shut", "grace", "' OR 1=1 --", "a" * 900):
        visitor = patient.visitor()
        form = {"name": name, "password": "a lamp beside the flim"}
        answer = visitor.http.post("/login", data=form, headers={"Origin": visitor.base})
        text = answer.text.replace(name[:64].replace("'", "&#39;"), "NAME")
        seen.add((answer.status_code, text, tuple(sorted(set(answer.headers) - {"x-request-id", "content-length"}))))
    assert len(seen) == 1


def test_a_name_that_is_nobodys_is_not_written_down(patient: Room) -> None:
    guess(patient, "my-secret-password-in-the-wrong-field")
    guess(patient, "ada")
    entries = patient.worklist.audit.page(action="login.failed").items
    assert [(entry.actor, entry.target) for entry in entries] == [("ada", "user:ada"), ("nobody", "")]
    assert "secret" not in repr(entries)


def test_a_hundred_guesses_at_once_are_not_a_hundred_checks(patient: Room) -> None:
    guards, worklist = patient.guards, patient.worklist
    checked = []
    real = guards.passwords.check

    def check(password: str, kept: str | None) -> bool:
        if kept is not None:
            checked.append(password)
        time.sleep(0.002)  # as long as others need to come in between
        return real(password, kept)

    guards.passwords.check = check  # type: ignore[method-assign]

    async def attack() -> list[object]:
        tries = [log_in(guards, worklist, "ada", f"guess number {i}", address="x") for i in range(100)]
        return await asyncio.gather(*tries, return_exceptions=True)

    answers = run(attack())
    assert all(isinstance(answer, Denied) for answer in answers)
    assert len(checked) <= FREE_ATTEMPTS
    row = worklist.users.get("ada")
    assert row is not None
    assert row.failures <= FREE_ATTEMPTS


def test_a_flood_of_names_is_turned_away_and_leaves_nothing_behind(patient: Room) -> None:
    guards, worklist = patient.guards, patient.worklist

    async def flood() -> list[int]:
        tries = [log_in(guards, worklist, f"name{i}", "guess", address="x") for i in range(300)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        return [answer.status_code for answer in answers if isinstance(answer, Denied)]

    statuses = run(flood())
    assert len(statuses) == 300
    assert statuses.count(401) <= 64
    assert patient.visitor().log_in() == 303  # the lines are empty again


def test_two_servers_on_one_store_count_together(patient: Room, open_room: Callable[..., Room]) -> None:
    other = open_room(host="0.0.0.0")  # noqa: S104 - nothing listens
    for number in range(FREE_ATTEMPTS):
        guess(patient if number % 2 else other)
    assert patient.visitor().log_in() == other.visitor().log_in() == 401


def test_failures_are_counted_one_by_one_from_many_threads(patient: Room) -> None:
    failed = partial(patient.worklist.users.failed, "ada")
    with ThreadPoolExecutor(16) as pool:
        counts = [row.failures for row in pool.map(failed, ["192.0.2.7"] * 64) if row is not None]
    assert sorted(counts) == list(range(1, 65))


def test_one_address_may_try_ten_passwords_a_minute(ward: Room) -> None:
    here = ward.visitor()
    statuses = []
    for number in range(12):
        form = {"name": f"name{number}", "password": "not the password"}
        answer = here.http.post("/login", data=form, headers={"Origin": here.base})
        statuses.append(answer.status_code)
    assert statuses == [401] * 10 + [429] * 2
    assert int(answer.headers["Retry-After"]) >= 1
    assert ward.visitor(address="192.0.2.77").log_in() == 303  # others go on


def test_an_unknown_name_takes_as_long_as_a_known_one(patient: Room) -> None:
    patient.guards.passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=16 * 1024, parallelism=1))
    patient.worklist.users.set_password("ada", patient.guards.passwords.hash("quite another one"), by="test")
    patient.guards.passwords.nobody()

    async def seconds(name: str) -> float:
        begun = time.perf_counter()
        with pytest.raises(Denied, match="do not let you in"):
            await log_in(patient.guards, patient.worklist, name, "not the password", address="x")
        return time.perf_counter() - begun

    async def compare() -> tuple[float, float]:
        known, unknown = [], []
        for _ in range(15):  # by turns, so that a busy machine is busy for both
            patient.worklist.users.unlock("ada", by="test")
            known.append(await seconds("ada"))
            unknown.append(await seconds("nobody"))
        return statistics.median(known), statistics.median(unknown)

    known, unknown = run(compare())
    checking = 0.005  # a check of this hash takes more; without the dummy the unknown name would answer without it
    assert unknown > checking
    assert abs(known - unknown) < 0.6 * max(known, unknown)


def test_a_failure_takes_its_least_time(patient: Room) -> None:
    patient.guards.least_seconds = 0.2
    begun = time.perf_counter()
    assert guess(patient, "nobody") == 401
    assert time.perf_counter() - begun >= 0.2


def test_an_old_hash_is_made_again_at_the_next_login(patient: Room) -> None:
    before = patient.worklist.users.password_of("ada")
    assert before is not None
    patient.guards.passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    assert patient.visitor().log_in() == 303
    after = patient.worklist.users.password_of("ada")
    assert after is not None
    assert "t=2" in after
    assert "t=1" in before
    assert patient.visitor().log_in() == 303
