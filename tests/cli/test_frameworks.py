"""The verbs for Keras where Keras is not installed: one line that says how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.cli import console as extras

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("verb", ["frameworks", "import-keras"])
def test_without_tensorflow_the_install_line_is_told(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "tensorflow" else object())
    ran = run(verb, tmp_path, "--out", tmp_path / "out.onnx")
    assert ran.code == 2
    assert "pip install 'pneumoscope[keras]'" in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out.onnx").exists()
