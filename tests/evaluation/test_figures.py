"""What must stand in every figure, and that the same numbers give the same bytes."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from pneumoscope.evaluation.figures.calibration import reliability_diagram, score_histogram
from pneumoscope.evaluation.figures.discrimination import confusion_matrix, precision_recall_figure, roc_figure
from pneumoscope.evaluation.figures.films import evidence_gallery, sample_inputs, sample_outputs
from pneumoscope.evaluation.figures.style import counted, house_style, new_figure, rate_limits, with_interval, wrapped
from pneumoscope.evaluation.figures.training import learning_curves
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

CLASSES = ("normal", "bacterial", "viral")
POINTS = {"balanced": 0.6, "screening": 0.2}
KINDS = ("curves", "confusion_matrix", "roc", "precision_recall", "reliability", "score_histogram", "sample_inputs",
         "sample_outputs", "evidence_gallery")  # fmt: skip


def draw(kind: str, path: Path) -> list[Path]:
    """Any of the figures, of the same numbers every time."""
    generator = np.random.default_rng(0)
    labels, score = np.repeat([0, 1, 2], 20), np.clip(np.linspace(0.05, 0.95, 60), 0, 1)
    p = np.stack([1 - score, score * 0.6, score * 0.4], axis=1)
    images = generator.integers(0, 255, (60, 24, 24), dtype=np.uint8)
    history = {name: [0.5, 0.7, 0.8] for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy",
                                                 "val_recall", "val_auc")} | {"epoch": [1, 2, 3]}  # fmt: skip
    some: Any = {"films": "Validation"}
    few = slice(0, 60, 12)
    calls: dict[str, Callable[[], list[Path]]] = {
        "curves": lambda: learning_curves(history, path, chosen=2, films={"train": 900, "val": 60}),
        "confusion_matrix": lambda: confusion_matrix(np.diag([20, 20, 20]), CLASSES, path, **some),
        "roc": lambda: roc_figure(labels > 0, score, path, operating_points=POINTS, **some),
        "precision_recall": lambda: precision_recall_figure(
            labels > 0, score, path, operating_points=POINTS, generator=np.random.default_rng(0), **some
        ),
        "reliability": lambda: reliability_diagram({"Pneumonia": (labels > 0, score)}, path, **some),
        "score_histogram": lambda: score_histogram(labels, score, CLASSES, path, operating_points=POINTS, **some),
        "sample_inputs": lambda: sample_inputs(images[few], labels[few], CLASSES, path, **some),
        "sample_outputs": lambda: sample_outputs(images[few], labels[few], p[few], CLASSES, path, **some),
        "evidence_gallery": lambda: evidence_gallery(
            images[few],
            generator.normal(size=(5, 3, 3)),
            path,
            labels=labels[few],
            probabilities=p[few],
            classes=CLASSES,
            **some,
        ),
    }
    return calls[kind]()


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_states_n_and_research_use(kind: str, drawn: Callable[[str], Figure]) -> None:
    words = " ".join(" ".join(text.get_text() for text in drawn(kind).texts).split())
    assert "n = " in words
    assert NOTICE in words
    assert "alidation" in words


@pytest.mark.parametrize("kind", ["roc", "sample_outputs"])
def test_the_same_numbers_give_the_same_bytes(kind: str, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in draw(kind, tmp_path / "a")]
    again = [path.read_bytes() for path in draw(kind, tmp_path / "b")]
    assert first == again


def test_wrong_calls_are_marked_by_more_than_colour(drawn: Callable[[str], Figure]) -> None:
    figure = drawn("sample_outputs")
    marks = set()
    for axes in figure.axes:
        title = axes.get_title(loc="left")
        if title:
            frame = next(patch for patch in axes.patches if isinstance(patch, Rectangle))
            marks.add(("✓" in title, "✗" in title, frame.get_linestyle() == "-", frame.get_linewidth() > 2))
    assert marks == {(True, False, True, False), (False, True, False, True)}


def test_the_chosen_epoch_is_marked_in_every_panel(drawn: Callable[[str], Figure]) -> None:
    panels = drawn("curves").axes
    assert [axes.get_title() or axes.get_title(loc="left") for axes in panels] == ["Loss", "Accuracy", "Recall", "AUC"]
    for axes in panels:
        assert axes.get_title(loc="right") == "validation 0.700"


def test_no_film_falls_off_the_histogram(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    caught: list[Figure] = []
    module = sys.modules["pneumoscope.evaluation.figures.calibration"]
    monkeypatch.setattr(module, "save", lambda figure, path: caught.append(figure))  # noqa: ARG005 - the place of save
    p = np.array([0.0, 1e-9, 0.3, 0.99995, 1 - 1e-9, 1.0])
    score_histogram([0, 0, 0, 1, 1, 1], p, ("a", "b"), tmp_path / "x", operating_points={})
    bars = [
        sum(patch.get_height() for patch in axes.patches if isinstance(patch, Rectangle)) for axes in caught[0].axes
    ]
    assert bars == [3, 3]


def test_a_run_of_one_epoch_and_a_missing_figure_can_be_drawn(tmp_path: Path) -> None:
    history: dict[str, Any] = {name: [0.5] for name in ("epoch", "train_loss", "val_loss", "train_accuracy",
                                                        "val_accuracy", "val_recall")}  # fmt: skip
    assert len(learning_curves(history | {"epoch": [1], "val_auc": [float("nan")]}, tmp_path / "one", chosen=1)) == 2


def test_the_persons_own_settings_come_back(tmp_path: Path) -> None:
    with mpl.rc_context({"font.size": 31.0}):
        draw("roc", tmp_path / "roc")
        assert mpl.rcParams["font.size"] == 31.0


def test_long_small_print_stays_on_the_page() -> None:
    with house_style():
        figure = new_figure(3.5, 2, "Validation, " + "many MORE words " * 12)
        figure.set_dpi(250)  # as saved; at screen size the letters are rounded to whole pixels
        figure.draw_without_rendering()
        box = figure.texts[0].get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_numbers_are_written_alike() -> None:
    assert counted(1, "film") == "1 film"
    assert counted(1043, "film") == "1,043 films"
    assert with_interval(0.973, 0.961, 0.984) == "0.973 (95 % CI 0.961 to 0.984)"
    assert with_interval(0.9991, 0.9984, 0.99968) == "0.9991 (95 % CI 0.9984 to 0.9997)"  # never 1.000 of less


def test_no_window_and_nothing_heavy_before_it_is_needed() -> None:
    code = (
        "import sys, pneumoscope.evaluation.training_run; assert 'matplotlib' not in sys.modules;"
        "import pneumoscope.evaluation.figures; assert 'matplotlib.pyplot' not in sys.modules;"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


LONG = (
    "no finding",
    "community-acquired pneumonia",
    "pulmonary tuberculosis",
    "pneumoconiosis_or_silicosis",
    "effusion",
)


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would have been saved."""
    found: list[Figure] = []
    for name in ("calibration", "discrimination", "films", "training"):
        module = sys.modules[f"pneumoscope.evaluation.figures.{name}"]
        monkeypatch.setattr(module, "save", lambda figure, path: found.append(figure))  # noqa: ARG005 - as save
    return found


def test_reliability_of_five_classes_has_a_panel_each_with_its_counts(caught: list[Figure], tmp_path: Path) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(5), 200)
    labels = p.argmax(axis=1)
    panels = {name: (labels == c, p[:, c]) for c, name in enumerate(LONG)}
    reliability_diagram({"Finding": (labels > 0, 1 - p[:, 0])} | panels, tmp_path / "a")
    reliability_diagram(panels, tmp_path / "a")
    for figure, shown in zip(caught, (6, 5), strict=True):
        seen = [axes for axes in figure.axes if axes.axison]
        assert len([axes for axes in seen if axes.patches]) == shown  # the counts
        assert len([axes for axes in seen if axes.get_title(loc="left")]) == shown  # the diagrams
    logs = [axes.get_ylabel() for axes in caught[0].axes if axes.get_yscale() == "symlog" and axes.get_ylabel()]
    assert logs
    assert all("log" in label for label in logs)


def test_long_names_of_classes_stay_in_their_places(caught: list[Figure], tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (5, 24, 24), dtype=np.uint8)
    confusion_matrix(np.eye(5) * 20, LONG, tmp_path / "a")
    sample_inputs(images, np.arange(5), LONG, tmp_path / "a")
    sample_outputs(images, np.arange(5), np.roll(np.eye(5), 1, axis=1), LONG, tmp_path / "a")
    for figure in caught:
        figure.draw_without_rendering()
        width = figure.bbox.width
        for axes in figure.axes:
            labels = [*axes.get_xticklabels(), *axes.get_yticklabels()]
            for text in labels:
                assert text.get_window_extent().x0 >= -1
                assert text.get_window_extent().x1 <= width + 1
            boxes = sorted(text.get_window_extent().bounds for text in axes.get_xticklabels())
            assert all(x + w <= following for (x, _, w, _), (following, *_) in itertools.pairwise(boxes))
            if not labels:  # a film: its caption has the film's width
                captions = [text for text in axes.get_children() if isinstance(text, Text) and text.get_text()]
                assert captions
                assert all(t.get_window_extent().width <= 1.05 * axes.bbox.width for t in captions)


def test_a_word_wider_than_its_line_is_broken_and_nothing_is_lost() -> None:
    lines = wrapped("pneumoconiosis_or_silicosis of both lungs", 0.7, 7)
    assert len(lines) > 2
    assert "".join(lines).replace("-", "").replace(" ", "") == "pneumoconiosis_or_silicosisofbothlungs"


@pytest.mark.parametrize("lowest", [0.0, 0.4, 0.9992, 1.0])
def test_a_rates_axis_is_neither_a_magnifying_glass_nor_beyond_one(lowest: float) -> None:
    low, high = rate_limits(lowest)
    assert high - low >= 0.1
    assert low < lowest
    assert 1 < high <= 1.03


def test_a_recall_of_one_all_the_way_is_a_line_and_no_landscape(caught: list[Figure], tmp_path: Path) -> None:
    names = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_auc")
    history = {name: [0.5, 0.7, 0.8] for name in names} | {"epoch": [1, 2, 3], "val_recall": [1, 1, 0.9992]}
    learning_curves(history, tmp_path / "a")
    recall = next(axes for axes in caught[0].axes if axes.get_title(loc="left") == "Recall")
    assert recall.get_ylim()[0] < 0.92


def test_no_label_of_four_reliability_panels_leaves_the_page(caught: list[Figure], tmp_path: Path) -> None:
    p = np.random.default_rng(0).beta(0.2, 0.2, 3000)  # bins of hundreds, whose numbers take room
    names = ("Pneumonia", "Normal", "Bacterial", "Viral")
    reliability_diagram(dict.fromkeys(names, (p > 0.5, p)), tmp_path / "four", films="Test")
    (figure,) = caught
    figure.set_dpi(250)
    figure.draw_without_rendering()
    labels = [axes.xaxis.label.get_window_extent() for axes in figure.axes if axes.get_xlabel()]
    assert len(labels) == 4
    assert all(label.x0 >= 0 and label.x1 <= figure.bbox.x1 for label in labels)
