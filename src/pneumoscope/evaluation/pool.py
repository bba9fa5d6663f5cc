"""Films on a pool of threads: results in order, and no more films in hand than the threads need."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

__all__ = ["stream"]

T = TypeVar("T")
R = TypeVar("R")


def stream(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Give ``work(item)`` for each item, in their order; twice as many items as threads are in hand.

    What ``work`` raises comes out at its item's place. When the taker stops, nothing more is begun.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="films")
    in_hand: deque[Future[R]] = deque()
    try:
        for item in items:
            if len(in_hand) == 2 * threads:
                yield in_hand.popleft().result()
            in_hand.append(pool.submit(work, item))
        while in_hand:
            yield in_hand.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
