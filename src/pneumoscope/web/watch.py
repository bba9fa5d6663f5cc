"""One look a second at whether the worklist has changed, for all pages that want to know."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import PneumoscopeError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Watch"]

_LOG = logging.getLogger(__name__)
_EVERY = 1.0  # seconds between two looks
_LEAST = 0.25  # seconds between two looks when something is known to have changed


class Watch:
    """Tells whoever waits when the number of the latest change has grown.

    Other processes (the node, another server) change the same database, so that it is asked, and only while somebody
    waits.

    Args:
        latest: Gives the number of the latest change; called in a thread.
    """

    def __init__(self, latest: Callable[[], int]) -> None:
        self._ask = latest
        self._number = 0
        self._waiting = 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()

    async def after(self, seen: int, timeout: float) -> int:
        """The number of the latest change; waits until it is above ``seen``, or for so many seconds."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        self._waiting += 1
        try:
            async with self._changed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await self._changed.wait_for(lambda: self._number > seen)
        finally:
            self._waiting -= 1
        return self._number

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def soon(self) -> None:
        """Something has just changed: look now."""
        self._nudge.set()

    async def _look(self) -> None:
        while True:
            if self._waiting:
                try:
                    number = await run_in_threadpool(self._ask)
                except PneumoscopeError as error:
                    _LOG.warning("the worklist cannot be asked for changes: %s", error)
                    number = self._number
                if number > self._number:
                    async with self._changed:
                        self._number = number
                        self._changed.notify_all()
            await asyncio.sleep(_LEAST)
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY - _LEAST):
                    await self._nudge.wait()
            self._nudge.clear()
