"""The figures of a judgement: what must stand in each, and what is drawn where nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pneumoscope.evaluation.figures.calibration import reliability_diagram
from pneumoscope.evaluation.figures.clinical_utility import decision_curve_figure, prevalence_curves
from pneumoscope.evaluation.figures.discrimination import ReaderPoint, precision_recall_figure, roc_figure
from pneumoscope.evaluation.figures.explanation import (
    MeanMap,
    PerturbationCurve,
    deletion_insertion,
    mean_evidence_figure,
    parameter_randomization_figure,
)
from pneumoscope.evaluation.figures.robustness import CorruptionPanel, corruption_curves
from pneumoscope.evaluation.figures.style import with_interval
from pneumoscope.evaluation.figures.subgroups import ForestCell, ForestRow, forest_plot
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.result import DecisionCurve, PrevalenceCurve
from pneumoscope.settings import NOTICE
from pneumoscope.stats.metrics import Metric
from pneumoscope.stats.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

    from pneumoscope.evaluation.predictions import PredictionTable

NONE = Metric("recall", None, None, None, 0, 0, "Wilson")
POINTS = {"screening": 0.3, "balanced": 0.7}
KINDS = ("prevalence", "decision", "forest", "stress", "mean", "deletion", "randomised", "readers")


def rate(k: int, n: int) -> Metric:
    found = wilson(k, n)
    return Metric("recall", found.value, found.low, found.high, n, k, "Wilson")


def draw(kind: str, path: Path) -> list[Path]:
    """Any of the figures, of the same numbers every time."""
    x = np.linspace(0.01, 0.9, 20)
    falling = tuple((1 - x).tolist())
    ends: dict[str, Any] = {f"{name}{end}": falling for name in ("ppv", "npv") for end in ("", "_low", "_high")}
    curves = [PrevalenceCurve(preset=name, prevalence=tuple(x.tolist()), here=0.6, **ends) for name in POINTS]
    cell = ForestCell
    rows = [
        ForestRow("", "all films", 60, (cell(0.9, 0.8, 0.95, "54/60"), cell(0.8, 0.7, 0.9, "8/10"))),
        ForestRow("sex", "female", 30, (cell(0.8, 0.7, 0.9, "24/30", differs=True), cell(None))),
        ForestRow("sex", "male", 30, (cell(0.9, 0.8, 1.0, "27/30"), cell(0.5, 0.1, 0.9, "1/2"))),
    ]
    panels = [
        CorruptionPanel("blur", "sigma", ("none", "1"), (rate(9, 10), rate(5, 10)), (NONE, NONE)),
        CorruptionPanel("noise", "deviation", ("none", "1"), (rate(9, 10), NONE), (rate(4, 5), rate(3, 5))),
    ]
    lines = [PerturbationCurve(name, 1 - x, 0.5, x * 0, x * 0 + 1) for name in ("by evidence", "at random")]
    maps = [MeanMap(f"with {k}", 50, np.full((24, 24), 90.0), np.eye(6) - k) for k in (0, 1)]
    labels, score = np.repeat([0, 1], 30), np.linspace(0.05, 0.95, 60)
    some: Any = {"films": "Validation"}
    calls: dict[str, Callable[[], list[Path]]] = {
        "prevalence": lambda: prevalence_curves(curves, path, number=60, finding="pneumonia", **some),
        "decision": lambda: decision_curve_figure(
            DecisionCurve(tuple(x.tolist()), falling, falling, falling, falling),
            path,
            operating_points=POINTS,
            number=60,
            **some,
        ),
        "forest": lambda: forest_plot(rows, ("recall", "specificity"), path, number=60, **some),
        "stress": lambda: corruption_curves(panels, path, number=60, preset="screening", **some),
        "mean": lambda: mean_evidence_figure(maps, path, finding="pneumonia", **some),
        "deletion": lambda: deletion_insertion(x, lines, lines, path, number=60, **some),
        "randomised": lambda: parameter_randomization_figure(
            [1, 2], [rate(5, 10), NONE], path, between_films=0.3, number=60, **some
        ),
        "readers": lambda: roc_figure(
            labels,
            score,
            path,
            operating_points=POINTS,
            readers=[ReaderPoint("A", wilson(20, 30), wilson(25, 30))],
            **some,
        ),
    }
    return calls[kind]()


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_states_n_and_research_use(kind: str, drawn: Callable[[str], Figure]) -> None:
    words = " ".join(" ".join(text.get_text() for text in drawn(kind).texts).split())
    assert "n = " in words
    assert NOTICE in words
    assert "Validation" in words


@pytest.mark.parametrize("kind", ["forest", "stress"])
def test_the_same_numbers_give_the_same_bytes(kind: str, tmp_path: Path) -> None:
    first, again = ([path.read_bytes() for path in draw(kind, tmp_path / name)] for name in ("a", "b"))
    assert first == again
    assert len(first) == 2


def test_a_group_without_a_figure_says_so_and_one_that_differs_is_marked(drawn: Callable[[str], Figure]) -> None:
    figure = drawn("forest")
    told = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert told.count("cannot be computed") == 1
    assert "0.800 (0.70 to 0.90)  24/30" in told
    markers = {line.get_marker() for axes in figure.axes for line in axes.lines}
    assert {"D", "s"} <= markers


def test_what_is_not_known_under_stress_is_not_drawn(drawn: Callable[[str], Figure]) -> None:
    blur, noise = drawn("stress").axes[:2]
    assert [line.get_label() for line in blur.lines if line.get_marker() in ("o", "s")] == ["recall"]
    recall = next(line for line in noise.lines if line.get_label() == "recall")
    assert np.isnan(np.asarray(recall.get_ydata(), dtype=float)).tolist() == [False, True]


def test_each_operating_point_has_its_own_line_and_style(drawn: Callable[[str], Figure]) -> None:
    for axes in drawn("prevalence").axes:
        lines = [line for line in axes.lines if line.get_label() in POINTS]
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 2
    marked = {line.get_marker() for line in drawn("decision").axes[0].lines if len(np.asarray(line.get_xdata())) == 1}
    assert len(marked) == 2


def test_readers_stand_on_the_roc_without_a_colour_of_their_own(drawn: Callable[[str], Figure]) -> None:
    axes = drawn("readers").axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [line.get_label() for line in crosses] == ["reader"]
    assert np.allclose(np.asarray(crosses[0].get_xydata()), [[1 - 25 / 30, 20 / 30]])
    assert "A" in [text.get_text() for text in axes.texts]


def test_the_curve_has_the_interval_of_the_judgement(table: PredictionTable, tmp_path: Path) -> None:
    """The same seed and draws, by another way: the page and its picture say the same."""
    found = compute_metrics(table, draws=200, seed=3).metric("average precision")
    assert found is not None
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    generator = np.random.default_rng(3)
    written = precision_recall_figure(
        table.truth, table.score, tmp_path / "x", operating_points=POINTS, generator=generator, groups=table.patients,
        draws=200,
    )  # fmt: skip
    assert f"average precision {with_interval(found.value, found.low, found.high)}" in written[0].read_text()


def test_reliability_states_the_error_of_the_judgement(table: PredictionTable, tmp_path: Path) -> None:
    found = compute_metrics(table, draws=100).metric("ECE")
    assert found is not None
    written = reliability_diagram({"All": (table.truth, table.score)}, tmp_path / "x")
    assert f"ECE {found.value:.3f}" in written[0].read_text()
