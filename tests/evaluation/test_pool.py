from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from pneumoscope.evaluation.inference import ordered_map

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_come_in_order_whatever_takes_longest() -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        return number * number

    assert list(ordered_map(work, range(40), 4)) == [n * n for n in range(40)]


def test_no_more_in_hand_than_twice_the_threads_and_nothing_for_nobody() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = ordered_map(lambda n: n, items(), 2)
    assert next(results) == 0
    assert len(taken) == 5
    results.close()  # type: ignore[attr-defined]  # a generator
    assert len(taken) == 5
    assert not [t for t in threading.enumerate() if t.name.startswith("films")]


def test_an_error_comes_out_at_its_place() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise LookupError("three")
        return number

    results = ordered_map(work, range(9), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError, match="three"):
        next(results)
