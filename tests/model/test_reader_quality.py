"""A bundle with a gate: what it refuses has no number, what it mends says so, and a forced reading says that."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.errors import BundleIncompatible
from pneumoscope.lungs.segmentation import lung_segmenter
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.preprocess import PreprocessSpec
from pneumoscope.model.reader import Reader
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.quality.corrections import apply_corrections
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.reports.json import schema, to_dict, to_json
from pneumoscope.reports.overlay import overlay_png
from pneumoscope.types.correction import Rotate

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.model.schema import BundleMeta

NOISE = np.random.default_rng(0).integers(0, 256, (200, 180), dtype=np.uint8)


@pytest.fixture(scope="module")
def chest() -> np.ndarray:
    return draw_phantom(3, "normal", rows=384).pixels


@pytest.fixture(params=["film", "lungs"])
def gated(request: pytest.FixtureRequest, tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta) -> Path:
    framed = PreprocessSpec(size=32, frame="lungs", lungs=lung_segmenter().sha256)
    spec = framed if request.param == "lungs" else tiny_meta.preprocess
    path = tmp_path / "gated.onnx"
    write_bundle(path, tiny_graph, replace(tiny_meta, preprocess=spec, gate=shipped_quality_spec()))
    return path


def test_the_gate_survives_the_bundle(gated: Path) -> None:
    assert read_bundle(gated)[1].gate == shipped_quality_spec()


def test_what_is_no_chest_film_has_a_code_and_no_number(gated: Path) -> None:
    reading = Reader(gated).read(NOISE)
    assert reading.status == "refused"
    assert reading.refusal is not None
    assert reading.refusal.code in {"not-a-radiograph", "not-a-chest"}
    assert reading.probabilities is None
    assert (reading.film.rows, reading.film.columns) == NOISE.shape
    assert reading.film.sha256
    document = json.loads(to_json(reading))
    assert document["finding"] is None
    assert set(document) == set(schema()["required"])


def test_a_bundle_without_a_gate_reads_anything(tiny_bundle: Path) -> None:
    assert Reader(tiny_bundle).read(NOISE).status == "read"


def test_a_turned_film_is_read_as_if_it_were_upright(
    gated: Path, chest: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Reader(gated)
    upright = reader.read(chest)
    with caplog.at_level(logging.INFO, logger="pneumoscope"):
        turned = reader.read(np.ascontiguousarray(np.rot90(chest, 2)), name="turned")
    assert upright.status == turned.status == "read"
    assert upright.corrections == ()
    assert turned.corrections == (Rotate(180),)
    assert turned.probabilities == upright.probabilities
    assert any("degrees=180" in record.getMessage() for record in caplog.records)


def test_without_mending_it_is_refused(gated: Path, chest: np.ndarray) -> None:
    reading = Reader(gated, mend=False).read(255 - chest)
    assert reading.refusal is not None
    assert reading.refusal.code == "inverted"
    assert reading.corrections == ()


def test_a_forced_reading_has_a_number_and_says_why_it_should_not(gated: Path) -> None:
    reading = Reader(gated, force=True).read(NOISE)
    assert reading.status == "read"
    assert reading.refusal is None
    assert reading.probabilities is not None
    assert reading.forced
    assert "(not-a-" in reading.warnings[0]
    assert reading.finding is not None
    assert reading.finding.expected is None
    assert json.loads(to_json(reading))["forced"] is True


def test_that_it_was_forced_stands_before_other_warnings(gated: Path) -> None:
    colour = np.random.default_rng(1).integers(0, 256, (200, 180, 3), dtype=np.uint8)
    reading = Reader(gated, force=True).read(colour)
    assert len(reading.warnings) >= 2
    assert "quality control refuses" in reading.warnings[0]


def test_forcing_changes_nothing_for_a_good_film(gated: Path, chest: np.ndarray) -> None:
    assert to_dict(Reader(gated, force=True).read(chest)) == to_dict(Reader(gated).read(chest))


def test_the_picture_of_the_evidence_shows_the_film_as_it_was_read(gated: Path, chest: np.ndarray) -> None:
    from pneumoscope.films.load import load

    reader = Reader(gated)
    wide = np.ascontiguousarray(np.rot90(chest, 1))
    reading = reader.read(wide)
    assert reading.corrections == (Rotate(90),)
    film = load(wide)
    assert np.array_equal(apply_corrections(film, reading.corrections).pixels, chest)
    assert overlay_png(apply_corrections(film, reading.corrections), reading)


def test_thresholds_for_another_head_are_not_used(tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta) -> None:
    path = tmp_path / "other.onnx"
    write_bundle(path, tiny_graph, replace(tiny_meta, gate=replace(shipped_quality_spec(), head="0" * 64)))
    with pytest.raises(BundleIncompatible, match="another head"):
        Reader(path)
