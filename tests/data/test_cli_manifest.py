from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from typer.testing import CliRunner

from pneumoscope.cli.data import manifest
from pneumoscope.data.manifest import Manifest
from pneumoscope.data.scan import scan

if TYPE_CHECKING:
    from pathlib import Path


def test_the_verb_writes_and_tells(public_set: Path, tmp_path: Path) -> None:
    (public_set / "train" / "NORMAL" / "empty.jpeg").write_bytes(b"")
    app = typer.Typer()
    app.command()(manifest)
    result = CliRunner().invoke(app, [str(public_set), "--out", str(tmp_path / "m.parquet"), "--labels", "binary"])
    assert result.exit_code == 0, result.output
    assert Manifest.load(tmp_path / "m.parquet").sha256 == scan(public_set, labels="binary").sha256
    for words in ("normal", "pneumonia", "source: public", "left out: 1 files", "empty.jpeg"):
        assert words in result.output


def test_several_sites_are_one_manifest(public_set: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(manifest)
    other = tmp_path / "other"
    public_set.joinpath("train").rename(other)
    asked = [f"home={public_set}", str(other), "--out", str(tmp_path / "m.parquet")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    found = Manifest.load(tmp_path / "m.parquet")
    assert found.site_names == ("home", "other")
    assert "site: home, other" in result.output
