"""Three systems on the same films: a good one, a middling one, and one of chance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import expit

from pneumoscope.evaluation.compare.systems import ComparedSystem, ModelFacts
from pneumoscope.evaluation.predictions import PredictionTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Make = "Callable[..., PredictionTable]"


def table_of(score: NDArray[np.float64], labels: NDArray[np.int64], patients: NDArray[np.str_]) -> PredictionTable:
    return PredictionTable(
        paths=tuple(f"film{i:03d}.png" for i in range(len(labels))),
        labels=labels,
        probabilities=np.stack([1 - score, score], axis=1),
        classes=("normal", "pneumonia"),
        positive=(1,),
        finding="pneumonia",
        thresholds={"balanced": 0.5, "screening": 0.3},
        chosen={"balanced": "Youden; made up"},
        patients=patients,
        system="made up",
        films="made-up films",
    )


@pytest.fixture(scope="session")
def tables() -> dict[str, PredictionTable]:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, 240)
    patients = np.array([f"p{i}" for i in generator.integers(0, 160, 240)])
    strengths = {"good": 3.0, "middling": 1.2, "chance": 0.0}
    return {
        name: table_of(expit(strength * (labels - 0.5) + generator.normal(size=240)), labels, patients)
        for name, strength in strengths.items()
    }


@pytest.fixture
def systems(tables: dict[str, PredictionTable]) -> list[ComparedSystem]:
    return [
        ComparedSystem(
            name, "table", table, ModelFacts(about=f"network of {name} {{}}", parameters=1000 * place + 1, seed=0)
        )
        for place, (name, table) in enumerate(tables.items())
    ]


@pytest.fixture
def with_bytes(tables: dict[str, PredictionTable]) -> Callable[[str], PredictionTable]:
    """A table that knows each film's sha256."""

    def make(name: str) -> PredictionTable:
        table = tables[name]
        return replace(table, sha256=tuple(f"{i:064x}" for i in range(len(table))))

    return make
