"""The overlaid ROC: every system told apart, the films counted, the same bytes for the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.figures import comparison as module
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from matplotlib.figure import Figure

    from pneumoscope.evaluation.predictions import PredictionTable


def draw(tables: dict[str, PredictionTable], path: Path, many: int = 3) -> list[Path]:
    names = list(tables)
    scores = {f"s{i}": tables[names[i % 3]].score for i in range(many)}
    truth = tables["good"].truth
    return module.roc_comparison(truth, scores, path, thresholds=dict.fromkeys(scores, 0.5), films="Test")


def test_systems_differ_by_more_than_colour_and_the_small_print_says_n(
    tables: dict[str, PredictionTable], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: list[Figure] = []
    monkeypatch.setattr(module, "save", lambda figure, path: caught.append(figure))  # noqa: ARG005 - the place of save
    draw(tables, tmp_path / "roc", many=12)
    figure = caught[0]
    words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert "Test: n = 240 films" in words
    assert NOTICE in words
    keys = list(figure.legends[0].get_lines())
    looks = {(key.get_color(), key.get_linestyle(), key.get_marker()) for key in keys}
    assert len(keys) == len(looks) == 12
    assert len({key.get_color() for key in keys[:10]}) == 10  # ten are told apart by colour alone
    assert len({key.get_marker() for key in keys[:10]}) == 10
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert all("AUC" in label and "95 % CI" in label for label in labels)


def test_the_same_numbers_give_the_same_bytes(tables: dict[str, PredictionTable], tmp_path: Path) -> None:
    assert [p.read_bytes() for p in draw(tables, tmp_path / "a")] == [
        p.read_bytes() for p in draw(tables, tmp_path / "b")
    ]
