from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pneumoscope.errors import DatasetError, NotABundle, UnreadableFilm
from pneumoscope.evaluation.dataset import LabelledFilm
from pneumoscope.evaluation.explanation import run as run_module
from pneumoscope.evaluation.explanation.result import ExplanationResult
from pneumoscope.evaluation.explanation.run import CheckEffort, run_explanation_checks
from pneumoscope.settings import NOTICE, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

EFFORT = CheckEffort(randomised=4, draws=1, perturbed=3, phantoms=2)


def middle(radiograph: Radiograph) -> NDArray[np.bool_]:
    mask = np.zeros(radiograph.pixels.shape, bool)
    mask[radiograph.rows // 4 : -radiograph.rows // 4, radiograph.columns // 4 : -radiograph.columns // 4] = True
    return mask


def nowhere(radiograph: Radiograph) -> NDArray[np.bool_]:
    return np.zeros(radiograph.pixels.shape, bool)


run = partial(run_explanation_checks, effort=EFFORT, settings=Settings(threads=2), progress=False, find_lungs=middle)


def test_all_parts_in_one_call(tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path) -> None:
    result = run(tiny_bundle, films, tmp_path)
    assert (result.films, result.positives, result.negatives) == (12, 8, 4)
    assert result.randomised is not None
    assert result.phantoms is not None
    assert result.lungs is not None
    assert result.places is not None
    assert result.places.films == 8
    assert result.blanking is not None
    assert result.blanking.films == 12
    assert [p.reference for p in result.perturbations] == ["a normal film", "blurred"][-len(result.perturbations) :]
    assert ExplanationResult.load(tmp_path / "sanity.json") == result
    text = (tmp_path / "sanity.json").read_text()
    assert "NaN" not in text
    assert NOTICE in text


def test_a_finished_part_is_not_made_again(
    tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the parts: what is kept is taken, the rest is made, and the result is the same."""
    whole = run(tiny_bundle, films, tmp_path / "whole")
    calls: list[str] = []

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "perturb_some", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tiny_bundle, films, tmp_path / "part")
    for name in ("check_all_films", "randomize_some", "perturb_some", "pointing_game"):
        real = getattr(run_module, name)

        def counting(*args: Any, _name: str = name, _real: Any = real, **kwargs: Any) -> Any:
            calls.append(_name)
            return _real(*args, **kwargs)

        monkeypatch.setattr(run_module, name, counting)
    assert run(tiny_bundle, films, tmp_path / "part") == whole
    assert calls == ["perturb_some", "pointing_game"]
    (tmp_path / "part" / "sanity" / "phantoms.json").write_text("{")
    assert run(tiny_bundle, films, tmp_path / "part") == whole
    assert calls[2:] == ["pointing_game"]
    run(tiny_bundle, films[:-1], tmp_path / "part")  # other films: all anew
    assert calls[3:] == ["check_all_films", "randomize_some", "perturb_some", "pointing_game"]


def test_what_cannot_be_made_is_none_with_a_reason(
    tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = run(tiny_bundle, films, tmp_path, find_lungs=nowhere, effort=CheckEffort(2, 1, 0, 0))
    assert result.randomised is None
    assert result.lungs is None
    assert result.blanking is None
    assert result.phantoms is None
    assert result.perturbations == ()
    assert any("No lung fields" in limit for limit in result.limits)
    assert any("onnx" in limit and "pneumoscope[train]" in limit for limit in result.limits)


def test_films_of_one_class(tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path) -> None:
    result = run(tiny_bundle, [f for f in films if not f.positive], tmp_path)
    assert result.places is None
    assert result.perturbations == ()
    assert result.blanking is not None
    assert result.blanking.clean.auc.value is None
    assert result.blanking.rows[0].change.value is None
    assert any("Fewer than two films" in limit for limit in result.limits)
    assert any("No film with the finding was called" in limit for limit in result.limits)
    assert b"NaN" not in msgspec.json.encode(result)


def broken() -> Radiograph:
    raise UnreadableFilm("damaged", where="bad.png")


def test_unreadable_films_are_counted(tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path) -> None:
    bad = LabelledFilm("bad.png", "0" * 64, "normal", positive=False, patient="p", open=broken)
    result = run(tiny_bundle, [*films, bad], tmp_path)
    assert result.blanking is not None
    assert result.blanking.films == 12
    assert any("1 of 13 films could not be decoded" in limit for limit in result.limits)
    with pytest.raises(DatasetError, match="none of the 1 films"):
        run(tiny_bundle, [bad], tmp_path / "bad")
    with pytest.raises(DatasetError, match="no films"):
        run(tiny_bundle, [], tmp_path / "none")
    with pytest.raises(NotABundle):
        run("nothing", films, tmp_path / "nothing")


def test_the_result_of_another_kind_of_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(DatasetError, match="no sanity result"):
        ExplanationResult.load(tmp_path / "x.json")
    with pytest.raises(DatasetError, match="cannot be read"):
        ExplanationResult.load(tmp_path / "y.json")
