"""What the authentication of one server remembers while it runs."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pneumoscope.server.auth import sessions
from pneumoscope.server.auth.limits import RateLimiter
from pneumoscope.server.auth.passwords import Passwords
from pneumoscope.server.auth.tokens import local_cookie, new_token, token_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from pneumoscope.server.auth.policy import Policy
    from pneumoscope.server.store.worklist import Worklist

__all__ = ["AuthState", "LoginQueue", "SetupCode", "auth_state"]

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that is read as another
_GROUPS, _GROUP = 4, 4  # 16 letters of 30: 78 bits
_TRIES = 5
_SECONDS = 30 * 60.0


class SetupCode:
    """One code at a time: it works once, within half an hour, and five wrong ones end it.

    Only its hash is kept, in the memory of this process. A new one comes with the next start of the server.

    Args:
        clock: Seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: bytes | None = None
        self._until = 0.0
        self._tries = 0
        self._lock = threading.Lock()

    def issue(self) -> str:
        """A new code; the one before it does not work any more."""
        groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
        code = "-".join(groups)
        with self._lock:
            self._kept, self._until, self._tries = _hashed(code), self._clock() + _SECONDS, _TRIES
        return code

    @property
    def open(self) -> bool:
        """Whether there is a code that works."""
        with self._lock:
            return self._kept is not None and self._tries > 0 and self._clock() < self._until

    def check(self, code: str) -> bool:
        """Whether this is the code. A wrong one takes a try."""
        with self._lock:
            if self._kept is None or self._tries <= 0 or self._clock() >= self._until:
                return False
            self._tries -= 1
            return hmac.compare_digest(self._kept, _hashed(code))

    def spend(self) -> None:
        """The first administrator is there: the code has done its work."""
        with self._lock:
            self._kept = None


def _hashed(code: str) -> bytes:
    return hashlib.sha256("".join(code.split()).replace("-", "").upper().encode()).digest()


_TRIES_A_MINUTE = 10  # passwords and codes from one address
_LINES = 256  # waiting lines for names; names that share one wait for each other, and that is all
_WAITING = 4  # in one line; the next is told to come back
_IN_ALL = 64  # in all lines


class LoginQueue:
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
class AuthState:
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
    first: SetupCode = field(default_factory=SetupCode)
    local_token: str = field(default_factory=new_token, repr=False)
    addresses: RateLimiter | None = None
    identities: RateLimiter | None = None
    tries: RateLimiter = field(default_factory=lambda: RateLimiter(_TRIES_A_MINUTE / 60, _TRIES_A_MINUTE))
    turns: LoginQueue = field(default_factory=LoginQueue)
    least_seconds: float = 0.5
    checking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    now: Callable[[], datetime] = _now
    _users: bool = False

    @classmethod
    def of(cls, policy: Policy) -> AuthState:
        """With the limits of the policy: an address may be a whole hospital's, so that it has three times as much."""
        rate = policy.per_minute / 60
        if not rate:
            return cls(policy)
        most = float(policy.per_minute)
        return cls(
            policy, addresses=RateLimiter(3 * rate, max(20.0, most)), identities=RateLimiter(rate, max(20.0, most / 4))
        )

    @property
    def local_cookie(self) -> tuple[str, str]:
        """Name and value of the local person's cookie.

        The name tells servers of one host apart, for cookies do not know ports; the value does not tell the token.
        """
        return f"{sessions.LOCAL_COOKIE}_{token_hash(self.local_token)[:8]}", local_cookie(self.local_token)

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


def auth_state(app: FastAPI) -> AuthState:
    """The guards of an application."""
    found: AuthState = app.state.guards
    return found
