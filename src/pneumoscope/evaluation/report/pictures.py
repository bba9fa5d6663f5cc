"""Films read again to be shown: as the network sees them, and as a person sees them with the evidence laid over."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pneumoscope.bundle import read_bundle
from pneumoscope.dataset.pixels import open_film
from pneumoscope.errors import FilmError
from pneumoscope.evaluation.figures.evidence import BALANCE
from pneumoscope.preprocess import PreprocessSpec, prepare
from pneumoscope.reading import Session, finding_evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pneumoscope.domain.evidence import Evidence
    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.evaluation.report.facts import Facts

__all__ = ["SeenFilm", "Viewer", "random_rows"]

_SIDE, _GAP, _QUALITY = 232, 4, 78  # pixels of each half of a gallery picture; JPEG quality
_LIFT = 0.36  # how far black is lifted below the evidence: on black no colour could be told
_OPACITY = 0.78


@dataclass(frozen=True, slots=True, eq=False)
class SeenFilm:
    """One film, read again.

    Attributes:
        row: In the table.
        pixels: As the network saw it, uint8 [S, S]; without a bundle, squared and stretched in the usual way.
        evidence: Where the finding speaks from; None without a bundle.
        jpeg: The film, and beside it (with a bundle) the film with its evidence, as base64; empty unless asked for.
    """

    row: int
    pixels: NDArray[np.uint8]
    evidence: Evidence | None
    jpeg: str = ""


class Viewer:
    """Reads single films of the table again; a film that is gone or changed is left out, and the reason kept.

    Attributes:
        missing: Reason by row, for the films that could not be shown.
    """

    def __init__(self, facts: Facts) -> None:
        self._table, self._meta, self._session = facts.table, facts.meta, None
        if facts.bundle is not None and facts.table.root:
            graph, self._meta, _ = read_bundle(facts.bundle)
            self._session = Session(graph, self._meta, where=facts.bundle)
        self.missing: dict[int, str] = {}

    def see(self, rows: Iterable[int], *, pictures: bool = False) -> list[SeenFilm]:
        """Films by their rows, in their order.

        Args:
            rows: Of the table.
            pictures: Give each its picture too, all in one scale of colours.
        """
        found, films = [], {}
        for row in rows:
            try:
                film = self._open(int(row))
                found.append(self._one(int(row), film))
            except FilmError as error:
                self.missing[int(row)] = error.what
                continue
            if pictures:
                films[int(row)] = _small(film)
        if not pictures:
            return found
        reach = _reach(found)
        return [replace(one, jpeg=_side_by_side(films[one.row], one.evidence, reach)) for one in found]

    def _open(self, row: int) -> Radiograph:
        if not self._table.root:
            raise FilmError("the films are not at hand", where=self._table.paths[row])
        return open_film(Path(self._table.root), self._table.paths[row])

    def _one(self, row: int, film: Radiograph) -> SeenFilm:
        if self._session is None or self._meta is None:
            return SeenFilm(row, prepare(film, PreprocessSpec()).pixels, None)
        seen = prepare(film, self._meta.preprocess)
        logits, maps = self._session.run(seen.pixels)
        evidence = finding_evidence(maps, logits, self._meta, seen.frame, seen.lungs)
        return SeenFilm(row, seen.pixels, evidence)


def random_rows(facts: Facts, most: int) -> list[int]:
    """Rows of a random draw, the classes taking turns; the judgement's seed makes it the same every time."""
    generator = np.random.default_rng(facts.judgement.seed)
    labels = facts.table.labels
    shuffled = generator.permutation(len(labels))
    turns = np.zeros(len(labels), dtype=np.int64)
    for c in np.unique(labels):
        of_class = shuffled[labels[shuffled] == c]
        turns[of_class] = np.arange(len(of_class))
    chosen = np.lexsort((labels, turns))[:most]
    return [int(row) for row in chosen]


def _reach(seen: Iterable[SeenFilm]) -> float:
    """One end of the colour scale for all films: their 98th percentile of strength, at least 1 (log-odds)."""
    values = [np.abs(film.evidence.map).ravel() for film in seen if film.evidence is not None]
    return max(1.0, float(np.quantile(np.concatenate(values), 0.98))) if values else 1.0


def _small(film: Radiograph) -> tuple[NDArray[np.float32], float]:
    """The film for the eye, float32 [H, W] from 0 to 1 between its 0.5 and 99.5 percentiles, and how it was scaled."""
    scale = _SIDE / max(film.rows, film.columns)
    size = (max(1, round(film.columns * scale)), max(1, round(film.rows * scale)))
    raw = Image.fromarray(film.pixels if film.pixels.dtype == np.uint8 else film.pixels.astype(np.float32))
    grey = np.asarray(raw.resize(size, Image.Resampling.BOX), dtype=np.float32)
    black, white = np.percentile(grey, (0.5, 99.5))
    return np.clip((grey - black) / max(float(white - black), 1e-6), 0, 1).astype(np.float32), scale


def _side_by_side(film: tuple[NDArray[np.float32], float], evidence: Evidence | None, reach: float) -> str:
    """The film and the film with its evidence, as the base64 of a JPEG. What is drawn here no network sees."""
    grey, scale = film
    plain = np.repeat(grey[..., None], 3, axis=2)
    parts: list[NDArray[np.floating[Any]]] = [plain]
    if evidence is not None:
        values = _spread(evidence, grey.shape, scale)
        shade = BALANCE(0.5 + 0.5 * np.clip(values / reach, -1, 1))[..., :3]
        opacity = _OPACITY * np.clip(np.abs(values) / reach, 0, 1)[..., None] ** 0.8
        laid = (_LIFT + (1 - _LIFT) * plain) * (1 - opacity) + shade * opacity
        parts += [np.ones((len(grey), _GAP, 3)), laid]
    out = io.BytesIO()
    both = np.rint(255 * np.concatenate(parts, axis=1)).astype(np.uint8)
    Image.fromarray(both).save(out, "JPEG", quality=_QUALITY, optimize=True)
    return base64.b64encode(out.getvalue()).decode("ascii")


def _spread(evidence: Evidence, shape: tuple[int, ...], scale: float) -> NDArray[np.float32]:
    """The map over the drawn film, 0 where the network did not look: float32 [H, W]."""
    top, left, bottom, right = (round(edge * scale) for edge in evidence.frame)
    smooth = Image.fromarray(evidence.map.astype(np.float32)).resize(
        (max(1, right - left), max(1, bottom - top)), Image.Resampling.BILINEAR
    )
    whole = Image.new("F", (shape[1], shape[0]))
    whole.paste(smooth, (left, top))
    return np.asarray(whole, dtype=np.float32)
