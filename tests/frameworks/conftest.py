"""Tests of Keras need TensorFlow, which the extra ``test`` does not bring: it is a wheel of 250 MB."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

INSTALL = "needs TensorFlow: pip install 'pneumoscope[keras]'"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session", autouse=True)
def keras_there() -> None:
    """Skip everything in this folder, and say how not to."""
    if any(find_spec(package) is None for package in ("tensorflow", "keras", "tf2onnx")):
        pytest.skip(INSTALL)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves films in the person's own cache."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
