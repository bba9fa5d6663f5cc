"""Logging in by name and password: counted before it is checked, answered alike whatever is wrong."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import UsageError
from pneumoscope.server.auth.identity import Denied

if TYPE_CHECKING:
    from pneumoscope.server.auth.state import AuthState
    from pneumoscope.server.store.records import UserRow
    from pneumoscope.server.store.worklist import Worklist

__all__ = ["FREE_ATTEMPTS", "check_name", "lockout", "log_in"]

FREE_ATTEMPTS = 5
"""Failures in a row that lock a user out for the first time."""

_FIRST, _LONGEST = 30.0, 3600.0  # seconds
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_RESERVED = frozenset({"local", "system", "server", "node", "nobody", "anonymous", "admin-of-this-machine"})


def lockout(failures: int) -> timedelta:
    """How long a user is locked out after so many failures in a row: 30 s, 60 s, 120 s ... up to an hour."""
    if failures < FREE_ATTEMPTS:
        return timedelta()
    return timedelta(seconds=min(_LONGEST, _FIRST * 2.0 ** min(failures - FREE_ATTEMPTS, 16)))


def check_name(name: str) -> str:
    """Hold the name of a new user to the rules: plain letters, so that none looks like another.

    Raises:
        UsageError: It breaks them.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            "this cannot be a user's name",
            where="name",
            remedy="Take 1 to 64 of A-Z, a-z, 0-9 and . _ @ -, with a letter or digit first",
        )
    if name.casefold() in _RESERVED:
        raise UsageError("this name has a meaning of its own in the audit log", where="name", remedy="Take another")
    return name


async def log_in(
    guards: AuthState, worklist: Worklist, name: str, password: str, *, address: str, action: str = "login"
) -> UserRow:
    """Let a person in.

    Args:
        guards: With the limits and the hasher.
        worklist: The store.
        name: As typed.
        password: As typed.
        address: Where from; for the audit log and the limit of tries.
        action: What it is called in the audit log.

    Returns:
        The user. The failures before it are forgotten.

    Raises:
        Denied: In the same words, and after the same time, for an unknown name, a wrong password, a user who was shut
            out, and one who is locked out for a while; or there were too many tries from this address.
    """
    begun = time.monotonic()
    if wait := guards.tries.take(address):
        raise Denied.too_many(wait)
    line = guards.turns.line(name)
    if line is None:
        raise Denied.too_many(1.0)
    await guards.turns.enter(line)
    try:
        async with guards.checking:
            user = await run_in_threadpool(
                _attempt, guards, worklist, name=name, password=password, address=address, action=action
            )
    finally:
        guards.turns.leave(line)
    if user is not None:
        guards.tries.give_back(address)  # a whole ward may log in from one address; only failures count there
    if user is None:
        await asyncio.sleep(max(0.0, guards.least_seconds - (time.monotonic() - begun)))
        raise Denied(
            401,
            "login-failed",
            "this name and password do not let you in",
            "Check both. After several wrong tries a user is locked out for a while: then wait some minutes",
        )
    return user


def _attempt(
    guards: AuthState, worklist: Worklist, *, name: str, password: str, address: str, action: str
) -> UserRow | None:
    now = guards.now()
    known = worklist.users.get(name) if _NAME.fullmatch(name) else None
    kept = None if known is None else worklist.users.password_of(name)
    # Counted before it is checked: many tries at one moment, or a crash, cannot go uncounted.
    counted = None
    if known is not None and known.active:
        counted = worklist.users.failed(known.name, address)
    locked = counted is None and known is not None and known.active
    if counted is not None and counted.failures >= FREE_ATTEMPTS:
        worklist.users.lock(counted.name, address, now + lockout(counted.failures))
    right = guards.passwords.check(password, kept if counted is not None else None)
    if right and counted is not None and kept is not None:
        if guards.passwords.outdated(kept):
            worklist.users.rehash(counted.name, guards.passwords.hash(password))
        user = worklist.users.logged_in(counted.name, address)
        worklist.audit.write(user.name, action, f"user:{user.name}", address=address)
        return user
    # A name that is not a user's may be a password that went into the wrong field: it is not written down.
    told = "nobody" if known is None else known.name
    detail: dict[str, str | int | bool] = {"address": address}
    if known is not None:
        detail["locked"] = locked or (counted is not None and counted.failures >= FREE_ATTEMPTS)
        detail["active"] = known.active
    worklist.audit.write(told, f"{action}.failed", f"user:{known.name}" if known else "", **detail)
    return None
