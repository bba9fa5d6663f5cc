"""``pneumoscope bundles``."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from pneumoscope.model import bundle as registry
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from tests.cli.conftest import Ran

    from pneumoscope.model.schema import DriftBaseline

    Run = Callable[..., Ran]


def test_the_card_tells_what_stands_in_the_bundle(run: Run, tiny_bundle: Path) -> None:
    ran = run("bundles", tiny_bundle)

    assert ran.code == 0
    told = (
        *("tiny 1: pneumonia", "normal (no pneumonia)", "bacterial (pneumonia)", "32 x 32 px", "temperature 1.5"),
        *("screening", "balanced", "90.0 % (80.0 to 95.0; 90 of 100)", "recall at least 0.99", "80 %, 90 %, 95 %"),
        *("auc", "0.9000", "0.8500 to 0.9400", "on nothing real", "2026-01-01T00:00:00Z", "train 100", NOTICE),
        *(str(tiny_bundle), sha256(tiny_bundle.read_bytes()).hexdigest()),
    )
    for text in told:
        assert text in ran.out


def test_the_card_tells_what_drift_is_measured_against(
    run: Run, tiny_bundle: Path, tiny_reference: DriftBaseline
) -> None:
    assert "first films that it reads in a web application" in " ".join(run("bundles", tiny_bundle).out.split())
    graph, meta, _ = read_bundle(tiny_bundle)
    write_bundle(tiny_bundle, graph, replace(meta, reference=tiny_reference))
    assert "400 validation films, 300 with pneumonia; about 1300 x 1600 px" in run("bundles", tiny_bundle).out


def test_the_list_tells_the_shipped_bundles(run: Run, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_SHIPPED_BUNDLES", tiny_bundle.parent)

    ran = run("bundles")

    assert ran.code == 0
    assert "tiny" in ran.out
    assert "normal, bacterial, viral" in ran.out
    assert run("bundles", "tiny").out.startswith("tiny 1: pneumonia")


def test_what_is_no_bundle_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("hello")

    for name in (tmp_path / "x.onnx", "missing"):
        ran = run("bundles", name)
        assert ran.code == 4
        assert ran.err.count("\n") == 1
