"""Connected parts of a mask, held against scipy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn
from scipy.ndimage import label

from pneumoscope.lungs.segmentation import connected_components, two_largest_components

masks = hn.arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))


@given(masks)
def test_parts_are_those_of_scipy(on: np.ndarray) -> None:
    ours = connected_components(on)
    theirs, count = label(on)
    assert (ours[~on] == 0).all()
    assert (ours[on] > 0).all()
    pairs = set(zip(ours[on].tolist(), theirs[on].tolist(), strict=True))
    assert len(pairs) == count == len(set(ours[on].tolist()))


def test_a_winding_part_is_one() -> None:
    """A spiral makes running maxima go round many corners."""
    spiral = np.zeros((9, 9), dtype=bool)
    spiral[0, :] = spiral[:, 8] = spiral[8, :] = True
    spiral[2:, 0] = spiral[2, :7] = spiral[2:7, 6] = spiral[6, 2:7] = True
    assert len(np.unique(connected_components(spiral)[spiral])) == 1


@given(masks)
def test_no_more_than_two_parts_are_kept_and_the_largest_is_one_of_them(on: np.ndarray) -> None:
    kept = two_largest_components(on)
    assert not (kept & ~on).any()
    theirs, count = label(on)
    assert label(kept)[1] <= 2
    if count:
        assert np.bincount(theirs[theirs > 0]).max() == np.bincount(label(kept)[0][kept]).max()


def test_a_spot_is_left_out_and_a_second_lung_is_not() -> None:
    on = np.zeros((32, 32), dtype=bool)
    on[5:25, 4:13] = True
    on[6:24, 18:27] = True
    spotted = on.copy()
    spotted[29:31, 29:31] = True
    assert np.array_equal(two_largest_components(spotted), on)
