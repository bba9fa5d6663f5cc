"""A judgement of made-up films, with a bundle that reads phantoms, and results of checks as numbers."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.evaluation.explanation.result import (
    ExplanationResult,
    LungEvidence,
    MaskedMetrics,
    Masking,
    MeanMapOfGroup,
    MeanMaps,
    ParameterRandomization,
    Perturbation,
    PerturbationAverage,
    PointingGame,
    RandomizationStage,
)
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.predictions import PredictionTable, RefusedFilm
from pneumoscope.evaluation.robustness.result import (
    CorruptionInfo,
    RobustnessCell,
    RobustnessPoint,
    RobustnessResult,
    RobustnessSummary,
)
from pneumoscope.stats.metrics import Metric
from pneumoscope.stats.proportions import wilson
from pneumoscope.types.reading import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import SimpleNamespace

    from pneumoscope.evaluation.result import EvaluationResult

CLASSES = ("normal", "bacterial", "viral")
HOSTILE = 'a <b>&"x"</b>|`y`'
"""A name that would break a page which does not escape it."""


VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What the tests ask of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        (self.styles if self.open and self.open[-1] == "style" else self.words).append(data)

    def all(self, name: str) -> list[dict[str, str]]:
        """The attributes of every element of a name."""
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="session")
def parse() -> Callable[[Path], Page]:
    """A written page, taken apart."""
    return lambda path: Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


def table_of(judged: SimpleNamespace, root: str = "", paths: tuple[str, ...] | None = None) -> PredictionTable:
    n = len(judged.labels)
    generator = np.random.default_rng(2)
    return PredictionTable(
        paths=paths or tuple(f"films/{k:03}.png" for k in range(n)),
        labels=judged.labels,
        probabilities=judged.p,
        classes=CLASSES,
        positive=(1, 2),
        finding="pneumonia",
        thresholds={"screening": 0.3, "balanced": 0.7},
        chosen={"screening": "recall at least 0.99; other films", "balanced": "Youden; other films"},
        patients=np.array([f"secret-patient-{k}" for k in judged.patients]),
        strata={"sex": generator.choice(["female", "male", ""], n), "view": np.array(["PA"] * n)},
        system="tiny 1",
        films=f"made-up films {HOSTILE}",
        refused=(RefusedFilm(f"films/{HOSTILE}.png", "viral", "unreadable", "the file is cut short"),),
        root=root,
    )


@pytest.fixture(scope="session")
def table(judged: SimpleNamespace) -> PredictionTable:
    """Films that are not at hand."""
    return table_of(judged)


@pytest.fixture(scope="session")
def judgement(table: PredictionTable) -> EvaluationResult:
    return compute_metrics(table, draws=100)


@pytest.fixture
def with_films(judged: SimpleNamespace, tmp_path: Path, make_film: Callable[..., Path]) -> PredictionTable:
    """The same films, at hand."""
    made = table_of(judged, root=str(tmp_path / "data"))
    for k, path in enumerate(made.paths):
        make_film(tmp_path / "data" / path, seed=k)
    return made


def metric(name: str, value: float | None, width: float = 0.03, n: int = 100) -> Metric:
    if value is None:
        return Metric(name, None, None, None, 0, None, "bootstrap")
    return Metric(name, value, value - width, value + width, n, None, "bootstrap")


def rate(name: str, k: int, n: int) -> Metric:
    found = wilson(k, n)
    return Metric(name, found.value, found.low, found.high, n, k, "Wilson")


@pytest.fixture(scope="session")
def stress() -> RobustnessResult:
    return stress_of({"blur": 5, "noise": 5, "local contrast away": 5, "JPEG": 5, "inversion": 1})


def stress_of(names: dict[str, int]) -> RobustnessResult:
    def cell(name: str, severity: int) -> RobustnessCell:
        points = tuple(
            RobustnessPoint(preset, t, rate("recall", 196 - 9 * severity, 200), rate("specificity", 95 - 4 * severity, 100),  # noqa: E501
                        rate("flipped", 6 * severity, 300))
            for preset, t in (("screening", 0.3), ("balanced", 0.7))
        )  # fmt: skip
        shift = tuple(metric("shift", -0.02 * severity) for _ in range(3))
        return RobustnessCell(name, severity, 0.5 * severity, 300, (severity, 0), {}, 0, points,
                          metric("AUC", 0.95 - 0.03 * severity), (shift[0], shift[1], shift[2]))  # fmt: skip

    infos = tuple(
        CorruptionInfo(name, "what it stands for", "share of the range", tuple(0.5 * s for s in range(1, count + 1)))
        for name, count in names.items()
    )
    rates = {"screening": metric("recall", 0.9), "balanced": metric("recall", 0.8)}
    return RobustnessResult(
        model=ModelRef("tiny", "1", "0" * 64),
        finding="pneumonia",
        films=300,
        positives=200,
        negatives=100,
        patients=180,
        corruptions=infos,
        clean=cell("none", 0),
        cells=tuple(cell(info.name, s) for info in infos for s in range(1, len(info.strengths) + 1)),
        summary=tuple(RobustnessSummary(s, metric("AUC", 0.95 - 0.02 * s), ("blur", 0.9 - 0.05 * s), rates, rates)
                      for s in range(1, 6)),
        left_out=(("films/a.png", "unreadable"),),
    )  # fmt: skip


@pytest.fixture(scope="session")
def sanity() -> ExplanationResult:
    share = tuple(np.linspace(0, 1, 11).tolist())

    def line(order: str, rate_of: float) -> PerturbationAverage:
        y = [0.9 * float(np.exp(-rate_of * x)) for x in share]
        return PerturbationAverage(
            order, tuple(y), tuple(v - 0.03 for v in y), tuple(v + 0.03 for v in y), metric("area", 0.3)
        )

    lines = (line("by evidence", 4), line("at random", 1))
    rates = {"screening": metric("recall", 0.9), "balanced": metric("recall", 0.8)}
    grid = tuple(tuple(float(r + c) for c in range(12)) for r in range(12))
    means = tuple(MeanMapOfGroup(name, 50, grid, tuple(tuple(v - 11 for v in row) for row in grid))
                  for name in ("with pneumonia", "without pneumonia"))  # fmt: skip

    def blanked(name: str, fill: str) -> MaskedMetrics:
        return MaskedMetrics(
            name, fill, 0.6, metric("AUC", 0.8), metric("change", -0.1), rates, rates, metric("shift", 0.1)
        )

    return ExplanationResult(
        model=ModelRef("tiny", "1", "0" * 64),
        finding="pneumonia",
        films=100,
        positives=50,
        negatives=50,
        randomised=ParameterRandomization(12, 3, tuple(RandomizationStage(k, f"w{k}", metric("correlation", 0.8 / k), metric("size", 0.5))  # noqa: E501
                                           for k in (1, 2, 4, 8, 12)), metric("between", 0.3)),
        perturbations=(Perturbation("blurred", 40, share, lines, lines, metric("gain", 0.2), metric("gain", 0.1),
                                    metric("reference", 0.05)),),
        phantoms=PointingGame(60, *(metric(f"figure {k}", 0.4) for k in range(9))),
        lungs=LungEvidence(95, 5, (metric("a", 0.6), metric("b", 0.7), metric("c", 0.5)), metric("area", 0.4),
                           rate("mostly", 70, 95)),
        places=MeanMaps(50, means, metric("alike", 0.2), rate("peak", 9, 50), (3, 4), 17, 144, metric("spread", 0.4), 0.7,  # noqa: E501
                      metric("edge", 0.1), 0.19),
        blanking=Masking(95, 5, blanked("as they came", ""), (blanked("lungs blanked", "mean of the rest"),)),
        limits=("One seed of shuffled weights.",),
    )  # fmt: skip
