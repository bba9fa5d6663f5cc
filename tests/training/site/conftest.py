"""Films of a made-up hospital, where the bundle is over-sure and biased but ranks well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from scipy.special import softmax

from pneumoscope.training.site.films import SiteFilms

POSITIVE = np.array([False, True, True])
_CENTRE = np.array([[2.4, -1.2, -1.2], [-1.3, 1.7, 0.3], [-1.0, 0.3, 1.4]])

Draw: TypeAlias = Callable[..., SiteFilms]


@pytest.fixture
def drawn() -> Draw:
    """``drawn(n, seed=0, apart=1.0, binary=False)``: n films of as many patients; ``apart`` 0 has no ranking."""

    def draw(n: int, seed: int = 0, apart: float = 1.0, *, binary: bool = False) -> SiteFilms:
        generator = np.random.default_rng(seed)
        labels = generator.choice(3, n, p=[0.4, 0.4, 0.2])
        z = _CENTRE[labels] * apart + 1.2 * generator.normal(size=(n, 3))
        admitted = np.eye(3, dtype=np.bool_)[labels]
        if binary:
            admitted = np.where((labels > 0)[:, None], POSITIVE, ~POSITIVE)
        counts = {"normal": int((labels == 0).sum()), "pneumonia": int((labels > 0).sum())}
        p = softmax(z * 1.8 + np.array([-1.5, 0.5, 1.0]), axis=1)
        return SiteFilms(p, admitted, np.arange(n).astype(np.str_), POSITIVE, counts, "ab" * 32)

    return draw
