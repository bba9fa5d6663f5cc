from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pneumoscope.reports.overlay import (
    blend_evidence,
    evidence_colours,
    evidence_layer,
    overlay,
    overlay_png,
    side_by_side,
    thumbnail,
)
from pneumoscope.settings import NOTICE
from pneumoscope.types.radiograph import FilmInfo, Radiograph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.types.reading import Reading

ABOVE, BELOW = 82, 94  # title and legend, in pixels


def drawn_film(film: Radiograph, reading: Reading) -> NDArray[np.int16]:
    """The part of the sheet that shows the film, int16 [H, W, 3]."""
    sheet = np.asarray(overlay(film, reading), dtype=np.int16)[ABOVE:-BELOW]
    width = round(film.columns * sheet.shape[0] / film.rows)
    left = (sheet.shape[1] - width) // 2
    return sheet[:, left : left + width]


def warmth(picture: NDArray[np.int16]) -> NDArray[np.int16]:
    return picture[..., 0] - picture[..., 2]


def test_orange_is_where_the_evidence_is(film: Radiograph, read_reading: Reading) -> None:
    picture = drawn_film(film, read_reading)
    warm = warmth(picture) > 60

    rows, columns = np.nonzero(warm)
    assert warm.mean() > 0.05
    assert rows.min() > 0.5 * picture.shape[0]
    assert columns.min() > 0.5 * picture.shape[1]


def test_blue_is_where_it_speaks_against(film: Radiograph, read_reading: Reading) -> None:
    assert read_reading.evidence is not None
    against = replace(read_reading, evidence=replace(read_reading.evidence, map=-read_reading.evidence.map))

    picture = drawn_film(film, against)

    corner = warmth(picture)[-40:-20, -60:-30]
    assert corner.max() < -30


def test_without_evidence_the_film_shows_through(film: Radiograph, read_reading: Reading) -> None:
    assert read_reading.evidence is not None
    nothing = np.full((6, 6), 0.05, np.float32)  # log-odds; noise must not be stretched into heat

    picture = drawn_film(film, replace(read_reading, evidence=replace(read_reading.evidence, map=nothing)))

    assert (np.ptp(picture[40:], axis=-1) == 0).all()  # below the sides' letters, all is grey
    grey = picture[picture.shape[0] // 2, :, 0]
    assert (np.diff(grey) >= -1).all()  # the slope of the film, from dark to bright
    assert grey[-1] - grey[0] > 200


@pytest.mark.parametrize(("rows", "columns"), [(224, 224), (3000, 2000), (900, 3000), (33, 32), (2000, 100)])
def test_the_aspect_is_kept_and_the_size_is_bounded(read_reading: Reading, rows: int, columns: int) -> None:
    assert read_reading.evidence is not None
    film = Radiograph(np.zeros((rows, columns), np.uint8), 255, FilmInfo("x", rows=rows, columns=columns))
    reading = replace(read_reading, evidence=replace(read_reading.evidence, frame=(0, 0, rows, columns)))

    sheet = overlay(film, reading)

    longest = max(640, min(1024, max(rows, columns)))
    assert sheet.height - ABOVE - BELOW == pytest.approx(longest * rows / max(rows, columns), abs=1)
    assert sheet.width == max(640, round(longest * columns / max(rows, columns)))


def test_outside_the_frame_there_is_no_colour(film: Radiograph, read_reading: Reading) -> None:
    assert read_reading.evidence is not None
    hot = replace(read_reading.evidence, map=np.full((6, 6), 3, np.float32), frame=(100, 0, 300, 200))

    picture = drawn_film(film, replace(read_reading, evidence=hot))

    third = picture.shape[0] // 3
    assert (np.ptp(picture[40 : third - 2], axis=-1) == 0).all()
    assert (warmth(picture)[third + 5 :] > 10).mean() > 0.9


def test_it_is_a_png_that_carries_the_notice(film: Radiograph, read_reading: Reading) -> None:
    with Image.open(BytesIO(overlay_png(film, read_reading))) as picture:
        assert picture.format == "PNG"
        assert picture.info["Comment"] == NOTICE
        assert picture.info["Title"] == "Pneumonia: P(pneumonia) 96.7 %"


def test_a_refused_reading_is_not_drawn(film: Radiograph, refused_reading: Reading) -> None:
    with pytest.raises(ValueError, match="no evidence"):
        overlay(film, refused_reading)


def test_the_edge_of_the_trim_is_no_edge_of_evidence(read_reading: Reading) -> None:
    """A map that ends within the film fades there; one that reaches the film's edge does not."""
    assert read_reading.evidence is not None
    even = np.full((6, 6), 3.0, np.float32)
    trimmed = replace(read_reading.evidence, map=even, frame=(30.0, 20.0, 270.0, 180.0))
    whole = replace(trimmed, frame=(0.0, 0.0, 300.0, 200.0))

    opacity = evidence_layer(trimmed, (200, 300), 1.0)[..., 3].astype(int)

    assert np.abs(np.diff(opacity[150, 15:40])).max() < 120  # it was 173 at one step
    assert opacity[150, 100] == evidence_layer(whole, (200, 300), 1.0)[150, 100, 3]
    assert evidence_layer(whole, (200, 300), 1.0)[150, 1, 3] == opacity[150, 100]


def test_a_line_runs_round_the_leading_place_alone(read_reading: Reading) -> None:
    assert read_reading.evidence is not None
    two = np.full((6, 6), -0.5, np.float32)
    two[0, 0], two[4:, 4:] = 2.5, 4.0
    layer = evidence_layer(replace(read_reading.evidence, map=two), (200, 300), 1.0)

    line = (layer == (255, 244, 214, 200)).all(axis=-1)
    rows, columns = np.nonzero(line)
    assert rows.size > 100
    assert rows.min() > 150
    assert columns.min() > 100
    nothing = evidence_layer(replace(read_reading.evidence, map=np.full((6, 6), 0.05, np.float32)), (200, 300), 1.0)
    assert not (nothing == (255, 244, 214, 200)).all(axis=-1).any()


def test_every_renderer_has_the_same_colours(film: Radiograph, read_reading: Reading) -> None:
    """Figures, the gallery and the pages take their colours from one scale."""
    from matplotlib.colors import Normalize

    from pneumoscope.evaluation.figures.films import EVIDENCE_SCALE

    assert read_reading.evidence is not None
    values = np.array([[-2.0, 0.0, 2.0]])
    colours = evidence_colours(values, 2.0).astype(np.float64)
    on_grey = 96 * (1 - colours[..., 3:] / 255) + colours[..., :3] * colours[..., 3:] / 255

    assert np.abs(255 * EVIDENCE_SCALE(Normalize(-2, 2)(values))[..., :3] - on_grey).max() < 3
    pair = np.asarray(side_by_side(film, read_reading.evidence, 150), dtype=np.int16)
    alone = np.asarray(blend_evidence(film, read_reading.evidence, (100, 150)), dtype=np.int16)
    np.testing.assert_array_equal(pair[:, -100:], alone)


def test_a_thumbnail_is_never_enlarged(film: Radiograph) -> None:
    assert thumbnail(film, 150).size == (100, 150)
    assert thumbnail(film, 4000).size == (200, 300)
