"""Recall at a fixed specificity, against brute force over every threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.stats.roc import recall_at_specificity


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40),
    st.sampled_from([0.0, 0.3, 0.5, 0.8, 0.9, 1.0]),
)
def test_it_is_the_best_of_all_thresholds(films: list[tuple[bool, int]], wanted: float) -> None:
    truth, score = (np.array(column) for column in zip(*films, strict=True))
    if truth.all() or not truth.any():
        with pytest.raises(ValueError, match="class"):
            recall_at_specificity(truth, score, wanted)
        return
    best = 0.0
    for threshold in range(9):
        called = score >= threshold
        if (~called)[~truth].mean() >= wanted:
            best = max(best, called[truth].mean())
    assert recall_at_specificity(truth, score, wanted) == pytest.approx(best)


def test_an_impossible_specificity_is_refused() -> None:
    with pytest.raises(ValueError, match="specificity"):
        recall_at_specificity([0, 1], [0.1, 0.9], 1.2)
