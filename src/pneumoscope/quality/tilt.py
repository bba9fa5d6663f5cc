"""A tilted film on a picture, found by its four straight edges (Hough transform).

A photographed film has four long straight edges, two and two at right angles; a chest has few. So a Hough transform
(Duda and Hart, Communications of the ACM 15 (1972) 11) is asked for the angle at which four lines are strongest
together. The ground may be uneven: a light box, a table, a screen. Nothing is taken on trust: what comes out is looked
at again like any other film.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.films.resample import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

__all__ = ["TiltedFilm", "background_level", "detect_tilted_film"]

_SIDE = 192  # pixels of the picture's longer side when it is searched
_STRONG = 0.90  # quantile of the gradient; only what is above it can be an edge
_CAPPED = 0.98  # quantile of the gradient above which an edge counts no more: glare is not a better edge
_LEAST_GRADIENT = 2.0  # gray levels of 255 a pixel
_ALONG = 12.0  # degrees by which the gradient of an edge's pixel may be off the edge's normal
_APART = 0.3  # of the shorter side, that two edges must lie apart
_WEAKEST = 0.02  # what an edge counts at the least, so that one hidden edge does not hide the other three
_SURE = 0.6  # strength from which there is a film; films that fill the picture mostly stay below it
_SEEN = 0.1  # share of its length that each edge must be seen at
_CALM = 80  # gray levels of 255 that the ground may differ by along one margin of the picture
_MIDDLE = (0.15, 0.85)  # of a margin; what is beyond may be a rail of the light box, or the film's corner
_COARSE = np.arange(-45.0, 45.0, 1.0)
_FINE = np.arange(-1.0, 1.01, 0.25)


@dataclass(frozen=True, slots=True)
class TiltedFilm:
    """A film on a picture.

    Attributes:
        degrees: By which it is tilted clockwise, -45 to 45.
        box: (top, left, bottom, right) of the film on the straightened picture, in pixels from that picture's middle.
        strength: Geometric mean of the four edges' lengths, in units of half the picture's shorter side.
    """

    degrees: float
    box: tuple[float, float, float, float]
    strength: float

    def on(self, rows: int, columns: int) -> tuple[int, int, int, int]:
        """The box on the straightened picture of so many pixels: (top, left, bottom, right), within the picture."""
        top, bottom = (min(max(round(rows / 2 + edge), 0), rows) for edge in (self.box[0], self.box[2]))
        left, right = (min(max(round(columns / 2 + edge), 0), columns) for edge in (self.box[1], self.box[3]))
        return top, left, bottom, right


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """The pixels that may lie on an edge: where, from the middle; how strong; the gradient's direction in degrees."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    strength: NDArray[np.float64]
    direction: NDArray[np.float64]
    shorter: int
    reach: int


def background_level(seen: NDArray[np.uint8]) -> int | None:
    """The gray that a film lies on, if all four margins of a picture are calm, so that it seems to show more than it.

    A chest film is cut through the body on two sides at least, and is not calm there: of 1,093 films of four sources 7
    are calm all round; of films photographed on an even ground all are, on a light box half, on a table three in four.

    Args:
        seen: uint8 [S, S], the picture squared and stretched.
    """
    margins = np.sort(np.stack([seen[1], seen[-2], seen[:, 1], seen[:, -2]]), axis=1).astype(np.int16)
    low, high = (int(share * len(seen)) for share in _MIDDLE)
    if (margins[:, high] - margins[:, low]).max() >= _CALM:
        return None
    return int(np.median(margins))


def detect_tilted_film(film: Radiograph) -> TiltedFilm | None:
    """Look for the four edges of a film on a picture.

    Args:
        film: The picture, of any size.

    Returns:
        The film; None where no four lines are strong enough together.
    """
    scale = max(film.rows, film.columns) / _SIDE
    rows, columns = (max(round(side / scale), 8) for side in (film.rows, film.columns))
    edges = _edges(resize(film.pixels, rows, columns) * (255 / film.white))
    if edges is None:
        return None
    coarse = float(_COARSE[np.argmax([_four(edges, degrees)[0] for degrees in _COARSE])])
    degrees = coarse + float(_FINE[np.argmax([_four(edges, coarse + more)[0] for more in _FINE])])
    strength, seen, (top, left, bottom, right) = _four(edges, degrees)
    if strength < _SURE or seen < _SEEN:
        return None
    # One place less on each side: a place at the edge holds a part of the ground.
    inside = (top + 1, left + 1, bottom - 1, right - 1)
    return TiltedFilm(degrees, (inside[0] * scale, inside[1] * scale, inside[2] * scale, inside[3] * scale), strength)


def _edges(gray: NDArray[np.float32]) -> _Edges | None:
    """The strong gradients of a picture of 0 to 255."""
    down, across = (np.asarray(each, dtype=np.float64) for each in np.gradient(gray))
    size = np.hypot(down, across)
    least, most = (max(float(each), _LEAST_GRADIENT) for each in np.quantile(size, (_STRONG, _CAPPED)))
    y, x = np.nonzero(size > least)
    if not len(y):
        return None
    rows, columns = gray.shape
    return _Edges(
        x - (columns - 1) / 2,
        y - (rows - 1) / 2,
        np.minimum(size[y, x], most) / most,
        np.degrees(np.arctan2(down[y, x], across[y, x])),
        min(rows, columns),
        int(np.hypot(rows, columns)) + 4,
    )


def _four(edges: _Edges, degrees: float) -> tuple[float, float, tuple[float, float, float, float]]:
    """The two best lines each way at an angle.

    Returns:
        Their strength together, the least share of its length that one of them is seen at, and the box between them:
        top, left, bottom, right.
    """
    first, second, left, right = _two(edges, degrees)
    third, fourth, top, bottom = _two(edges, degrees + 90)
    lengths = np.maximum([first, second, third, fourth], _WEAKEST * edges.shorter / 2)
    seen = min(min(first, second) / max(bottom - top, 1), min(third, fourth) / max(right - left, 1))
    return float(np.prod(lengths / (edges.shorter / 2)) ** 0.25), seen, (top, left, bottom, right)


def _two(edges: _Edges, normal: float) -> tuple[float, float, float, float]:
    """The two strongest lines across a normal: their strengths, and where they cross it, in order of place."""
    off = (edges.direction - normal + 90) % 180 - 90
    on = np.abs(off) < _ALONG
    angle = np.radians(normal)
    places = edges.x[on] * np.cos(angle) + edges.y[on] * np.sin(angle)
    counted = np.bincount(
        np.rint(places + edges.reach / 2).astype(np.int64), weights=edges.strength[on], minlength=edges.reach
    )
    lines = counted + np.append(counted[1:], 0)  # an edge falls on one place or two
    one = int(lines.argmax())
    best = float(lines[one])
    away = int(_APART * edges.shorter)
    lines[max(one - away, 0) : one + away] = 0
    other = int(lines.argmax())
    low, high = sorted((one, other))
    return best, float(lines[other]), low - edges.reach / 2 + 0.5, high - edges.reach / 2 + 0.5
