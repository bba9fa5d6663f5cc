"""The pictures of a page: the film, and the film with its evidence, as JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from pneumoscope.reports.drawing import evidence_over, film_for_the_eye, legend_bar, scale_limit

if TYPE_CHECKING:
    from PIL import Image

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.domain.reading import Reading

__all__ = ["Pictures", "pictures"]

_LONGEST = 960  # pixels; on A4 this is about 250 to the inch
_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a page shows.

    Attributes:
        size: (columns, rows) of each, in pixels.
        film: JPEG of the film alone.
        evidence: JPEG of the film with its evidence; None if there is none to draw.
        legend: PNG of the scale's bar; None likewise.
        limit: The end of the scale, in natural log-odds; 0 likewise.
    """

    size: tuple[int, int]
    film: bytes
    evidence: bytes | None = None
    legend: bytes | None = None
    limit: float = 0.0


def pictures(film: Radiograph, reading: Reading) -> Pictures:
    """Draw a film for a page, with its evidence where the reading has a map."""
    scale = min(1.0, _LONGEST / max(film.rows, film.columns))
    size = (max(1, round(film.columns * scale)), max(1, round(film.rows * scale)))
    alone = _bytes(film_for_the_eye(film, size), "JPEG")
    evidence = reading.evidence
    if evidence is None or evidence.map.size == 0:
        return Pictures(size, alone)
    return Pictures(
        size,
        alone,
        evidence=_bytes(evidence_over(film, evidence, size), "JPEG"),
        legend=_bytes(legend_bar(256, 8), "PNG"),
        limit=scale_limit(evidence),
    )


def _bytes(picture: Image.Image, kind: str) -> bytes:
    out = BytesIO()
    if kind == "JPEG":
        picture.save(out, kind, quality=_QUALITY, subsampling=0)
    else:
        picture.save(out, kind)
    return out.getvalue()
