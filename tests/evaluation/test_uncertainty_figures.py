"""Risk against coverage, and a site before and after: what must stand in the pictures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.figures.calibration import risk_coverage_figure
from pneumoscope.evaluation.figures.site_calibration import site_figures
from pneumoscope.evaluation.figures.style import house_style
from pneumoscope.stats.calibration import expected_calibration_error
from pneumoscope.stats.uncertainty import risk_coverage as curve_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from matplotlib.figure import Figure


def films() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each film has the finding, and two probabilities of it."""
    generator = np.random.default_rng(0)
    truth = generator.random(200) < 0.6
    p = np.clip(0.5 + 0.3 * np.where(truth, 1, -1) + generator.normal(size=200) * 0.2, 0, 1)
    return truth, np.clip(p - 0.25, 0, 1), p


def test_the_curve_and_its_area_stand_in_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []
    module = "pneumoscope.evaluation.figures.calibration.save"
    monkeypatch.setattr(module, lambda figure, _path: kept.append(figure))
    truth, _, p = films()
    wrong, doubt = (p >= 0.5) != truth, np.minimum(p, 1 - p)

    risk_coverage_figure(
        {"After": (wrong, doubt)}, tmp_path / "x", generator=np.random.default_rng(0), films="Ward", draws=50
    )

    (axes,) = kept[0].axes
    found = curve_of(wrong, doubt)
    line = np.asarray(axes.lines[0].get_xydata())
    np.testing.assert_allclose(line[-1], [100, 100 * wrong.mean()])
    assert len(line) == 200 - 19  # from twenty films on
    (words,) = [text.get_text() for text in kept[0].legends[0].get_texts()]
    assert words.startswith(f"After: mean risk {100 * found.area:.2f} % (")
    assert any(
        "Research use only" in words and "Ward: n = 200 films" in words
        for words in (" ".join(text.get_text().split()) for text in kept[0].texts)
    )


def test_no_error_at_all_is_said_and_not_divided_by(tmp_path: Path) -> None:
    with house_style():
        written = risk_coverage_figure(
            {"All": (np.zeros(30, dtype=bool), np.linspace(0, 1, 30))},
            tmp_path / "none",
            generator=np.random.default_rng(0),
            draws=20,
        )
    assert [file.suffix for file in written] == [".svg", ".png"]


def test_a_site_gets_two_pictures_with_the_same_bytes_every_time(tmp_path: Path) -> None:
    truth, before, after = films()
    groups = np.arange(200) // 2
    first, second = (
        site_figures(truth, before, after, tmp_path / name, groups=groups, site="Ward 3") for name in ("a", "b")
    )
    assert [file.name for file in first] == [
        "reliability.svg",
        "reliability.png",
        "risk_coverage.svg",
        "risk_coverage.png",
    ]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_a_sites_picture_states_the_calibration_error_of_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, before, after = films()
    kept: list[Figure] = []

    def keep(figure: Figure, path: Path) -> list[Path]:  # noqa: ARG001 - as save
        kept.append(figure)
        return []

    monkeypatch.setattr(sys.modules["pneumoscope.evaluation.figures.calibration"], "save", keep)
    site_figures(truth, before, after, tmp_path, groups=np.arange(200), site="Ward 3")
    words = " ".join(text.get_text() for axes in kept[0].axes for text in axes.texts)
    for p in (before, after):
        assert f"ECE {expected_calibration_error(truth, p):.3f}" in words
