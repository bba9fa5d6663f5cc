"""The figures of a search: what must stand in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.evaluation import search_page as search_module
from pneumoscope.evaluation.figures import training as module
from pneumoscope.evaluation.search_page import search_figures, write_search_report
from pneumoscope.settings import NOTICE
from pneumoscope.training.search.record import OuterEvaluation, SearchRecord, TrialRecord, write_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

SPACE: dict[str, Any] = {
    "optim.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True, "step": None, "whole": False},
    "optim.optimizer": {"values": ["adamw", "sgd"]},
}
OUTER = OuterEvaluation(
    value=0.9, low=0.85, high=0.94, method="DeLong", films=50, patients=40, positives=30, bundle_sha256="0"
)


def trial(index: int, value: float | None) -> TrialRecord:
    point = {"optim.learning_rate": 1e-3 * (index + 1), "optim.optimizer": ("adamw", "sgd")[index % 2]}
    state: Any = "pruned" if value is None else "complete"
    return TrialRecord(index=index, state=state, params=point, value=value, error=None if value is None else 0.01)


def record(values: list[float | None], **more: Any) -> SearchRecord:
    best = max((value, -i) for i, value in enumerate(values) if value is not None) if any(values) else None
    return SearchRecord(
        study="s",
        sought="AUC",
        network="residual",
        plan={"folds": 2},
        space=SPACE,
        seed=0,
        manifest_sha256="",
        split_sha256="",
        films={"choose": 450, "judge": 50},
        patients={"choose": 300, "judge": 40},
        trials=tuple(trial(i, value) for i, value in enumerate(values)),
        best=None if best is None else -best[1],
        importances=more.pop("importances", {}),
        **more,
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[SearchRecord], dict[str, Figure]]:
    """Draw a record, and hand the figures over instead of saving them."""

    def draw(found: SearchRecord) -> dict[str, Figure]:
        caught: dict[str, Figure] = {}

        def keep(figure: Figure, path: Path) -> list[Path]:
            caught[path.name] = figure
            return []

        monkeypatch.setattr(module, "save", keep)
        write_record(found, tmp_path / "search.json", tmp_path / "trials.csv")
        search_figures(tmp_path)
        return caught

    return draw


def test_every_figure_says_who_chose_and_who_judged(drawn: Callable[[SearchRecord], dict[str, Figure]]) -> None:
    shares = {"optim.learning_rate": 0.8, "optim.optimizer": 0.2}
    figures = drawn(record([0.9, None, 0.95, 0.93], outer=OUTER, optimism=0.05, importances=shares))
    assert sorted(figures) == ["history", "importance", "slices"]
    for figure in figures.values():
        words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
        assert "n = 450 films of 300 patients choose (2 folds by patient); 50 films of 40 patients judge" in words
        assert NOTICE in words


def test_the_history_marks_the_best_the_early_and_the_judged(
    drawn: Callable[[SearchRecord], dict[str, Figure]],
) -> None:
    figure = drawn(record([0.9, None, 0.95, 0.93], outer=OUTER, optimism=0.05))["history"]
    axes = figure.axes[0]
    assert axes.get_title(loc="right") == "optimism +0.050"
    labels = axes.get_legend_handles_labels()[1]
    assert {"best (0.950)", "ended early", "winner on held-out films (0.900, 95 % CI 0.850 to 0.940)"} <= set(labels)
    ring = next(line for line in axes.lines if line.get_label() == "best (0.950)")
    assert np.asarray(ring.get_xydata()).tolist() == [[3, 0.95]]
    early = next(line for line in axes.lines if line.get_label() == "ended early")
    assert np.asarray(early.get_xydata())[:, 0].tolist() == [2]


def test_one_trial_and_no_judgement_can_be_drawn(drawn: Callable[[SearchRecord], dict[str, Figure]]) -> None:
    figures = drawn(record([0.9]))
    assert sorted(figures) == ["history", "slices"]
    assert "optimism" not in figures["history"].axes[0].get_title(loc="right")


def test_slices_have_a_panel_for_each_key(drawn: Callable[[SearchRecord], dict[str, Figure]]) -> None:
    panels = drawn(record([0.9, None, 0.95]))["slices"].axes
    assert [axes.get_title(loc="left") for axes in panels] == list(SPACE)
    assert panels[0].get_xscale() == "log"
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ["adamw", "sgd"]


def test_without_a_complete_trial_nothing_is_drawn(drawn: Callable[[SearchRecord], dict[str, Figure]]) -> None:
    assert drawn(record([None, None])) == {}


def test_a_folder_without_a_record_and_a_damaged_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no search's folder"):
        search_figures(tmp_path)
    (tmp_path / "search.json").write_text("{}")
    with pytest.raises(DatasetError, match="cannot be read"):
        search_figures(tmp_path)


def test_the_page_begins_with_the_winner_on_held_out_films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = record([0.9, None, 0.95, 0.93], outer=OUTER, optimism=0.05)
    write_record(found, tmp_path / "search.json", tmp_path / "trials.csv")
    (tmp_path / "winner").mkdir()
    (tmp_path / "winner" / "bundle.onnx").touch()
    drawn: list[Path] = []

    def run_figures(run: Path) -> list[Path]:
        """As of a finished run: one figure of it."""
        for suffix, text in ((".svg", "<svg viewBox='0 0 9 9'><g id='a'></g></svg>"), (".png", "")):
            path = run / f"curves{suffix}"
            path.write_text(text)
            drawn.append(path)
        return drawn

    monkeypatch.setattr(search_module, "run_figures", run_figures)
    page, *files = write_search_report(tmp_path)
    text = page.read_text()
    assert page.name == "search.html"
    assert set(drawn) <= set(files)
    assert text.index("Winner on held-out films") < text.index("Best trial")
    assert "0.850 to 0.940" in text
    assert 'id="figure-curves"' in text
    assert 'id="figure-history"' in text
    assert NOTICE in text
    assert "<script" not in text
    assert text.index("0.9500") < text.index("0.9300") < text.index("0.9000")  # the best trial first


def test_a_search_without_a_complete_trial_has_no_page(tmp_path: Path) -> None:
    write_record(record([None, None]), tmp_path / "search.json", tmp_path / "trials.csv")
    assert write_search_report(tmp_path) == []
    assert not (tmp_path / "search.html").exists()
