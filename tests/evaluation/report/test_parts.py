"""The parts of the pages: figures inside a page, diagrams, words, and the films of the gallery."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.predictions import display_path
from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.context import ReportContext
from pneumoscope.evaluation.report.engine import Gallery
from pneumoscope.evaluation.report.films import FilmViewer, error_analysis_section, random_rows
from pneumoscope.evaluation.report.svg import Box, flow_svg, inline_svg, standalone_svg
from pneumoscope.model.bundle import read_bundle
from pneumoscope.stats.metrics import Metric

if TYPE_CHECKING:
    from pneumoscope.evaluation.predictions import PredictionTable

SVG = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="252pt" height="263pt" viewBox="0 0 252 263"
 xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata><x href="http://purl.org/dc"/></metadata>
 <defs><style type="text/css">*{stroke: red}</style><clipPath id="p1"><rect/></clipPath></defs>
 <g id="axes_1" clip-path="url(#p1)"><use xlink:href="#p1"/><image id="i" xlink:href="data:image/png;base64,AA=="/>
 <image id="i" xlink:href="data:image/png;base64,AA=="/></g>
</svg>"""


def test_two_figures_of_a_page_never_share_an_id() -> None:
    both = inline_svg(SVG, "fig-a", "A") + inline_svg(SVG, "fig-b", "B")
    ids = re.findall(r'\sid="([^"]+)"', both)
    assert len(ids) == len(set(ids)) == 10
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', both)) == {"fig-a-p1", "fig-b-p1"}
    assert "http" not in both
    assert "<style" not in both  # it would reach the whole page
    assert "width=" not in both.split(">", 1)[0]
    assert 'href="data:image/png;base64,AA=="' in both


def test_a_figures_title_is_escaped() -> None:
    assert "<title" in inline_svg(SVG, "f", "a < b & c")
    assert "a &lt; b &amp; c" in inline_svg(SVG, "f", "a < b & c")


def test_no_line_of_a_diagram_leaves_its_box() -> None:
    long = "x" * 200
    boxes = (Box("Films", ("many words " * 20, long), ("one refused",)), Box("End"))
    root = ET.fromstring(standalone_svg(flow_svg(boxes, "k", "t")))  # noqa: S314 - our own drawing
    space = "{http://www.w3.org/2000/svg}"
    texts = [(float(t.attrib["x"]), t.text or "") for t in root.iter(f"{space}text")]
    assert "".join(text for _, text in texts).count("x") >= 200
    for x, text in texts:
        assert x + 6.8 * len(text) < 460
    assert len(list(root.iter(f"{space}rect"))) == 3
    heights = [float(r.attrib["y"]) + float(r.attrib["height"]) for r in root.iter(f"{space}rect")]
    assert max(heights) < float(root.attrib["viewBox"].split()[3])


@pytest.mark.parametrize(
    ("value", "three", "share"),
    [
        (1.0, "1.000", "100.0\u00a0%"),
        (0.0, "0.000", "0.0\u00a0%"),
        (0.98249, "0.982", "98.2\u00a0%"),
        (0.9997, "0.9997", "99.97\u00a0%"),
        (0.99997, "0.99997", "99.997\u00a0%"),
        (0.0002, "0.0002", "0.02\u00a0%"),
        (0.00001, "0.000", "0.0\u00a0%"),
        (-0.00003, "0.000", "0.0\u00a0%"),
        (-0.25, "\u22120.250", "-25.0\u00a0%"),
    ],
)
def test_a_figure_never_says_all_of_less_than_all(value: float, three: str, share: str) -> None:
    metric = Metric("recall", value, value, value, 10, 5, "Wilson")
    assert words.value(metric) == three
    assert words.percent(metric) == share
    assert words.cell(metric).more == (f"{three} to {three}", "5 of 10")


def test_what_cannot_be_computed_is_said() -> None:
    none = Metric("recall", None, None, None, 0, 0, "Wilson")
    assert words.cell(none).value == words.percent(none) == words.NO_VALUE
    assert words.cell(none).faint
    assert words.cell(None).faint
    reasoned = Metric("slope", None, None, None, 9, None, "bootstrap", "", "all films are of one kind")
    assert words.cell(reasoned).more == ("all films are of one kind",)
    assert words.cell(Metric("F1", 1.0, None, None, 9, None, "bootstrap")).more == (words.NO_INTERVAL, "n = 9")


@pytest.mark.parametrize(
    ("path", "shown"),
    [("a/b.png", "a/b.png"), ("/home/someone/b.png", "b.png"), ("C:\\Users\\someone\\b.png", "b.png")],
)
def test_a_path_shows_no_persons_folder(path: str, shown: str) -> None:
    assert display_path(path) == shown


@pytest.fixture
def facts(with_films: PredictionTable, tiny_bundle: Path) -> ReportContext:
    _, meta, sha256 = read_bundle(tiny_bundle)
    return ReportContext(with_films, compute_metrics(with_films, draws=100), meta, tiny_bundle, sha256)


def test_the_gallery_holds_the_surest_mistakes_with_pictures(facts: ReportContext) -> None:
    section = error_analysis_section(facts, FilmViewer(facts))
    missed, false = (block for block in section.blocks if isinstance(block, Gallery))
    table, point = facts.table, facts.judgement.points[0]
    lost = np.flatnonzero(table.truth & (table.score < point.threshold))
    assert [film.path for film in missed.films] == [
        table.paths[row] for row in lost[np.argsort(table.score[lost], kind="stable")][:8]
    ]
    assert missed.films
    assert false.films
    for film in (*missed.films, *false.films):
        picture = Image.open(io.BytesIO(base64.b64decode(film.picture)))
        assert picture.format == "JPEG"
        assert picture.width > 1.5 * picture.height  # the film, and beside it its evidence
        assert len(film.picture) < 60_000
        assert film.truth in film.alt
        assert "secret-patient" not in f"{film}"


def test_a_film_that_is_gone_leaves_its_words(facts: ReportContext) -> None:
    row = int(facts.errors(facts.judgement.points[0], missed=False, most=1)[0])
    (Path(facts.table.root) / facts.table.paths[row]).unlink()
    section = error_analysis_section(facts, FilmViewer(facts))
    false = next(block for block in section.blocks if isinstance(block, Gallery) and block.key == "false")
    assert false.films[0].picture == ""
    assert "No picture" in false.films[0].more
    assert false.films[1].picture


def test_without_a_bundle_the_film_is_shown_alone(facts: ReportContext) -> None:
    alone = replace(facts, meta=None, bundle=None)
    seen = FilmViewer(alone).see([0], pictures=True)[0]
    assert seen.evidence is None
    picture = Image.open(io.BytesIO(base64.b64decode(seen.jpeg)))
    assert picture.width < picture.height  # as the film: 40 wide, 48 high


def test_the_random_draw_takes_turns_and_is_the_same_again(facts: ReportContext) -> None:
    rows = random_rows(facts, 12)
    assert rows == random_rows(facts, 12)
    assert np.bincount(facts.table.labels[rows], minlength=3).tolist() == [4, 4, 4]
    assert rows != sorted(rows)
