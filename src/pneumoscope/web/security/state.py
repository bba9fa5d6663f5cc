"""What the guards of one server remember while it runs. It lies at ``app.state.guards``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pneumoscope.web.security import sessions
from pneumoscope.web.security.firstrun import FirstRun
from pneumoscope.web.security.keys import csrf_of, digest, local_cookie, new_token
from pneumoscope.web.security.limits import Buckets
from pneumoscope.web.security.passwords import Passwords
from pneumoscope.web.security.policy import Policy

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pneumoscope.worklist import Worklist

__all__ = ["Guards", "Turns", "guards_of"]

_TRIES_A_MINUTE = 10  # passwords and codes from one address
_LINES = 256  # waiting lines for names; names that share one wait for each other, and that is all
_WAITING = 4  # in one line; the next is told to come back
_IN_ALL = 64  # in all lines


class Turns:
    """Lets those who try the same name in one at a time, so that a counter of failures cannot be outrun."""

    def __init__(self) -> None:
        self._locks = [asyncio.Lock() for _ in range(_LINES)]
        self._waiting = [0] * _LINES
        self._in_all = 0

    def line(self, name: str) -> int | None:
        """The number of the line to wait in; None if too many wait already."""
        number = hash(name.casefold()) % _LINES
        return None if self._waiting[number] >= _WAITING or self._in_all >= _IN_ALL else number

    async def enter(self, number: int) -> None:
        """Wait for the turn."""
        self._count(number, 1)
        try:
            await self._locks[number].acquire()
        except BaseException:  # the browser has gone
            self._count(number, -1)
            raise

    def leave(self, number: int) -> None:
        """Let the next one in."""
        self._count(number, -1)
        self._locks[number].release()

    def _count(self, number: int, more: int) -> None:
        self._waiting[number] += more
        self._in_all += more


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Guards:
    """The memory of the guards.

    Attributes:
        policy: The rules.
        passwords: Makes and checks hashes.
        first: The one-time code of the first run.
        local_token: Lets the local person in while there are no users; the data folder's, once it is open.
        addresses: How many requests come from each address.
        identities: How many each user or token makes.
        tries: How many passwords and codes were tried from each address.
        turns: Who tries a name, one at a time.
        least_seconds: A login that fails takes at least so long, so that its time tells nothing.
        checking: Passwords that are checked at once; each takes 64 MiB.
        now: The time, aware.
    """

    policy: Policy
    passwords: Passwords = field(default_factory=Passwords)
    first: FirstRun = field(default_factory=FirstRun)
    local_token: str = field(default_factory=new_token, repr=False)
    addresses: Buckets | None = None
    identities: Buckets | None = None
    tries: Buckets = field(default_factory=lambda: Buckets(_TRIES_A_MINUTE / 60, _TRIES_A_MINUTE))
    turns: Turns = field(default_factory=Turns)
    least_seconds: float = 0.5
    checking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    now: Callable[[], datetime] = _now
    _users: bool = False

    @classmethod
    def of(cls, policy: Policy) -> Guards:
        """With the limits of the policy: an address may be a whole hospital's, so that it has three times as much."""
        rate = policy.per_minute / 60
        if not rate:
            return cls(policy)
        most = float(policy.per_minute)
        return cls(policy, addresses=Buckets(3 * rate, max(20.0, most)), identities=Buckets(rate, max(20.0, most / 4)))

    @property
    def local_csrf(self) -> str:
        """What a browser's page of the local person must bring."""
        return csrf_of(self.local_token)

    @property
    def local_cookie(self) -> tuple[str, str]:
        """Name and value of the local person's cookie.

        The name tells servers of one host apart, for cookies do not know ports; the value does not tell the token.
        """
        return f"{sessions.LOCAL}_{digest(self.local_token)[:8]}", local_cookie(self.local_token)

    def takes_local(self, worklist: Worklist) -> bool:
        """Whether the local token lets somebody in: on loopback while there are no users, or with login=never."""
        policy = self.policy
        if not policy.loopback or policy.login == "always":
            return False
        return policy.login == "never" or not self.has_users(worklist)

    def has_users(self, worklist: Worklist) -> bool:
        """Whether there is any user. There is no way back to none, so that a yes is not asked for again."""
        if not self._users:
            self._users = worklist.users.count() > 0
        return self._users

    def needs_code(self) -> bool:
        """Whether the first user is made with a code: wherever not only the person at this machine can come in."""
        return not self.policy.loopback or self.policy.login == "always"


def guards_of(app: FastAPI) -> Guards:
    """The guards of an application."""
    found: Guards = app.state.guards
    return found
