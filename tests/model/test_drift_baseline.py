"""The films that later ones are compared with, as they stand in a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pneumoscope.errors import BundleDamaged
from pneumoscope.model.bundle import METADATA_KEY, read_bundle, write_bundle
from pneumoscope.stats.drift import QUANTILES

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.model.schema import BundleMeta, DriftBaseline

EVEN = tuple(i / (QUANTILES - 1) for i in range(QUANTILES))


def test_it_comes_back_as_it_was_written(
    tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta, tiny_reference: DriftBaseline
) -> None:
    written = write_bundle(tmp_path / "a.onnx", tiny_graph, replace(tiny_meta, reference=tiny_reference))
    assert written.reference == tiny_reference
    assert read_bundle(tmp_path / "a.onnx")[1] == written


def test_a_bundle_without_one_has_none_and_an_older_program_passes_over_it(
    tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta
) -> None:
    """No new version is needed: who does not know the field reads as it always did."""
    before = msgspec.to_builtins(tiny_meta)
    del before["reference"]
    assert msgspec.convert(before, type(tiny_meta)).reference is None
    assert msgspec.convert(before | {"what later versions add": 1}, type(tiny_meta)) == tiny_meta
    write_bundle(tmp_path / "a.onnx", tiny_graph, tiny_meta)
    assert read_bundle(tmp_path / "a.onnx")[1].reference is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"films": 0, "finding": 0}, "no reference"),
        ({"finding": 401}, "no reference"),
        ({"finding": -1}, "no reference"),
        ({"score": EVEN[1:]}, "score needs 101 finite quantiles"),
        ({"score": EVEN[::-1]}, "of score must rise"),
        ({"score": (*EVEN[:-1], 1.5)}, "from 0 to 1"),
        ({"statistics": {"mean": (*EVEN[:-1], float("nan"))}}, "mean needs"),
        ({"statistics": {"aspect": (*EVEN[:-1], float("inf"))}}, "aspect needs"),
        ({"statistics": {"std": (1.0, *EVEN[1:])}}, "of std must rise"),
    ],
)
def test_what_no_bin_can_be_made_of_is_refused(
    tiny_reference: DriftBaseline, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(tiny_reference, **change)


def test_a_damaged_one_is_told_as_a_damaged_bundle(
    tmp_path: Path,
    tiny_graph: bytes,
    tiny_meta: BundleMeta,
    tiny_reference: DriftBaseline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Written by a program that does not check, so that the hashes fit."""
    encode = msgspec.json.encode
    monkeypatch.setattr(msgspec.json, "encode", lambda meta: encode(meta).replace(b'"films":400', b'"films":4'))
    write_bundle(tmp_path / "a.onnx", tiny_graph, replace(tiny_meta, reference=tiny_reference))
    assert METADATA_KEY in (tmp_path / "a.onnx").read_bytes()
    with pytest.raises(BundleDamaged, match="no reference"):
        read_bundle(tmp_path / "a.onnx")
