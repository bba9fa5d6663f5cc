"""``pneumoscope compare`` at the command line: bundles on films, tables, and what goes wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.phantom.write import write_phantoms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def phantoms(tmp_path: Path) -> Path:
    write_phantoms(tmp_path / "set", count=18, seed=1, size=96)
    return tmp_path / "set"


def test_a_bundle_and_a_foreign_classifier_on_the_same_films(
    run: Callable[..., Any], tiny_bundle: Path, tiny_graph: bytes, phantoms: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "theirs.onnx"
    foreign.write_bytes(tiny_graph)
    foreign.with_suffix(".toml").write_text(
        'classes = ["normal", "bacterial", "viral"]\nsize = 32\nchannels = 1\nrange = 255\noutput = "logits"\n'
    )
    broken = next(path for path in sorted(phantoms.rglob("*.jp*g")) if "NORMAL" in str(path))
    broken.write_bytes(broken.read_bytes()[:300])
    out = tmp_path / "out"
    ran = run("compare", tiny_bundle, foreign, "--data", phantoms, "--part", "all", "--out", out, "--draws", 100)
    assert ran.code == 0
    document = json.loads((out / "comparison.json").read_text())
    assert document["common"] == 17
    assert {row["kind"] for row in document["rows"]} == {"bundle", "model"}
    assert [film["refused_by"] for film in document["unmatched"]] == [["tiny", "theirs"]]
    assert "Research use only" in ran.out
    assert "does not list the films" in ran.out
    assert (out / "comparison.html").exists()
    # A second time nothing is read again: the answers are kept.
    kept = {path: path.stat().st_mtime_ns for path in (out / "parts").iterdir()}
    assert len(kept) == 2
    again = run(
        "compare", tiny_bundle, foreign, "--data", phantoms, "--part", "all", "--out", out, "--draws", 100, "--json"
    )
    assert json.loads(again.out)["common"] == 17


def test_wrong_usage_is_one_line(run: Callable[..., Any], tiny_bundle: Path) -> None:
    ran = run("compare", tiny_bundle, f"b={tiny_bundle}")
    assert ran.code == 2
    assert "--data" in ran.err
    assert ran.err.count("\n") == 1
