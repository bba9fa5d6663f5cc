"""``pneumoscope render``, ``accept`` and ``conformance``, as a person runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.reports.dicom.results import RESULT_KINDS
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., "Ran"]

    class Ran:
        code: int
        out: str
        err: str


def test_what_was_seen_is_drawn_in_four_panels(run: Run, films: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    ran = run("render", films / "a.png", "--model", tiny_bundle, "--out", tmp_path / "seen.png")

    assert ran.code == 0, ran.err
    with Image.open(tmp_path / "seen.png") as picture:
        assert picture.info["Comment"] == NOTICE
        assert picture.width > 4 * 420
        pixels = np.asarray(picture)
    assert (pixels[..., 0] > pixels[..., 2] + 100).any()  # the yellow frame


def test_a_film_that_cannot_be_read_is_told(run: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"no picture")

    ran = run("render", tmp_path / "no.png", "--model", tiny_bundle, "--out", tmp_path / "seen.png")

    assert ran.code == 3
    assert "no.png" in ran.err
    assert not (tmp_path / "seen.png").exists()


def test_the_acceptance_sheet_has_known_values_and_a_place_to_sign(run: Run, tmp_path: Path) -> None:
    ran = run("accept", "--out", tmp_path / "sheet.html")

    assert ran.code == 0, ran.out
    assert "0.7608" in ran.out
    assert "8 of 8 passed" in ran.out
    assert "signature" in ran.out
    page = (tmp_path / "sheet.html").read_text()
    assert NOTICE in page
    assert page.count("<b>passed</b>") == 8


def test_a_bundle_that_reads_what_must_be_refused_is_not_accepted(run: Run, tiny_bundle: Path) -> None:
    ran = run("accept", "--model", tiny_bundle)  # it has no quality control

    assert ran.code == 1
    assert "NOT accepted" in ran.out


def test_the_conformance_statement_names_every_object(run: Run) -> None:
    ran = run("conformance")

    assert ran.code == 0
    assert all(kind.sop_class in ran.out for kind in RESULT_KINDS.values())
    assert "1.2.840.10008.1.2.1" in ran.out
