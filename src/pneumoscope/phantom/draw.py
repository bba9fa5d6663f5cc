"""One phantom film from a seed: exposure, markers, and the whole drawing path in one function."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from pneumoscope.errors import UsageError
from pneumoscope.phantom.anatomy import draw_anatomy, draw_exposure
from pneumoscope.phantom.body import grow_vessels, lay_body, lay_bones, lay_vessels
from pneumoscope.phantom.canvas import Grid, blur, noise
from pneumoscope.phantom.lesions import consolidation, interstitial, no_lesion
from pneumoscope.types.radiograph import FilmInfo, Radiograph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.phantom.anatomy import Anatomy, Exposure
    from pneumoscope.phantom.canvas import Layer

__all__ = ["KINDS", "Kind", "Phantom", "draw_phantom", "expose", "overlay_markers", "phantom_radiograph"]

_LETTERS = {
    "R": (
        [(0.00, 0.0), (0.20, 0.0), (0.20, 1.0), (0.00, 1.0)],
        [(0.10, 0.0), (0.45, 0.0), (0.62, 0.06), (0.70, 0.17), (0.70, 0.34), (0.62, 0.46), (0.45, 0.54),
         (0.10, 0.54), (0.10, 0.41), (0.40, 0.41), (0.49, 0.36), (0.51, 0.29), (0.51, 0.23), (0.48, 0.17),
         (0.40, 0.14), (0.10, 0.14)],
        [(0.28, 0.48), (0.48, 0.48), (0.74, 1.0), (0.52, 1.0)],
    ),
    "L": ([(0.0, 0.0), (0.20, 0.0), (0.20, 0.85), (0.62, 0.85), (0.62, 1.0), (0.0, 1.0)],),
}  # fmt: skip
"""Outlines in a box one high. Drawn here, because fonts differ between machines and films must not."""


def expose(
    attenuation: Layer,
    added: Layer,
    grid: Grid,
    exposure: Exposure,
    rng: np.random.Generator,
) -> Layer:
    """Expose and develop a film.

    The gray is a logistic function of the logarithm of the exposure, which is the shape of the characteristic
    curve of Hurter and Driffield (Journal of the Society of Chemical Industry 9 (1890) 455). Scatter is that of
    the healthy chest, so that a lesion changes its own place and no other.

    Args:
        attenuation: float32 [rows, columns], of the healthy chest.
        added: float32 [rows, columns], of the lesion.
        grid: The picture.
        exposure: How the film is taken.
        rng: For the noise.

    Returns:
        float32 [rows, columns], 0 black to 1 white.
    """
    healthy = np.exp(-2.0 * attenuation)
    scattered = exposure.scatter * blur(healthy, 0.22 * grid.unit)
    primary = healthy * np.exp(-2.0 * added)
    dose = primary + scattered
    grains = rng.standard_normal(dose.shape, dtype=np.float32)
    grains = 0.75 * grains + 0.9 * blur(grains, 0.7)
    # Fewer quanta behind dense parts, so more noise there; the reference dose is that of the lungs.
    dose = dose * (1 + exposure.quanta * grains * np.sqrt(0.3 / (dose + 0.03)))
    fall = exposure.vignette[0] * (grid.x - 0.0) + exposure.vignette[1] * (grid.y - 0.7)
    density = -0.5 * np.log(np.maximum(dose, 1e-4)) + fall.astype(np.float32)
    if exposure.lines > 0:
        density = density + exposure.lines * np.cos(np.arange(grid.rows, dtype=np.float32) * 2.1)[:, None]
    gray = 1 / (1 + np.exp(-exposure.contrast * (density - exposure.speed)))
    floor = 1 / (1 + np.exp(exposure.contrast * exposure.speed))
    developed: Layer = np.clip(exposure.base + (gray - floor) * 0.95 / (1 - floor), 0, 1)
    return developed.astype(np.float32)


def overlay_markers(gray: Layer, grid: Grid, exposure: Exposure, rng: np.random.Generator) -> Layer:
    """Put the marker, cables and borders on a film; float32 [rows, columns], 0 to 1, in and out."""
    if exposure.electrodes:
        gray = _electrodes(gray, grid, exposure.electrodes, rng)
    rows, columns = gray.shape
    left, top, right, bottom = exposure.collimation
    gray = gray.copy()
    gray[: round(top * rows)] = 0
    gray[rows - round(bottom * rows) :] = 0
    gray[:, : round(left * columns)] = 0
    gray[:, columns - round(right * columns) :] = 0
    if exposure.marker:
        stamp = grid.stamp()
        high = exposure.marker_size * rows
        corner = np.array((exposure.marker_place[0] * columns - 0.35 * high, exposure.marker_place[1] * rows))
        for shape in _LETTERS[exposure.marker]:
            stamp.polygons_in_pixels(corner + np.array(shape) * high, 1.0)
        ink = stamp.array()
        gray = gray * (1 - ink) + 0.97 * ink
    return gray


def _electrodes(gray: Layer, grid: Grid, count: int, rng: np.random.Generator) -> Layer:
    """Electrodes with their cables: metal, so nearly white."""
    stamp = grid.stamp()
    seats = [(-0.85, 0.05), (0.82, 0.08), (0.75, 1.35)]
    for seat in [seats[k] for k in rng.permutation(3)[:count]]:
        x, y = seat[0] + 0.1 * rng.uniform(-1, 1), seat[1] + 0.1 * rng.uniform(-1, 1)
        t = np.linspace(0, 1, 24)
        side = 1 if x > 0 else -1
        bend = rng.uniform(-0.4, 0.4)
        cable = np.stack([x + side * 0.9 * t, y + bend * np.sin(3 * t) + 0.5 * t**2], axis=1)
        stamp.tubes(cable, 0.014, 0.40)
        stamp.ellipses((x, y), (0.060, 0.052), 0.35)
        stamp.ellipses((x, y), (0.045, 0.038), 0.20)
        stamp.ellipses((x, y), (0.022, 0.020), 0.75)
    ink = stamp.array()
    return (gray + (1 - gray) * ink).astype(np.float32)


Kind = Literal["normal", "bacterial", "viral"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can be drawn, in the order of the classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A drawn film, and what is known of it.

    Attributes:
        pixels: uint8 [rows, columns], MONOCHROME2: dense is bright.
        lesion: bool [rows, columns], where the lesion can be seen; all False in a normal film.
        right_lung: bool [rows, columns], the patient's right lung, on the picture's left.
        left_lung: bool [rows, columns], the patient's left lung.
        heart: bool [rows, columns], the heart and its great vessels.
        kind: What was drawn.
        seed: From which it was drawn.
        facts: In words: ``ViewPosition``, ``PatientAge`` (DICOM AS, "003Y"), ``Marker``, ``Places`` of the lesion.
    """

    pixels: NDArray[np.uint8]
    lesion: NDArray[np.bool_]
    right_lung: NDArray[np.bool_]
    left_lung: NDArray[np.bool_]
    heart: NDArray[np.bool_]
    kind: Kind
    seed: int
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def lungs(self) -> NDArray[np.bool_]:
        """Both lungs: bool [rows, columns]."""
        return self.right_lung | self.left_lung

    def radiograph(self) -> Radiograph:
        """The film as the rest of the house knows films."""
        rows, columns = self.pixels.shape
        info = FilmInfo(
            path=f"phantom {self.kind} {self.seed}",
            sha256=sha256(self.pixels.tobytes()).hexdigest(),
            format="array",
            rows=rows,
            columns=columns,
        )
        facts = {key: text for key, text in self.facts.items() if key in {"ViewPosition", "PatientAge"}}
        return Radiograph(pixels=self.pixels, white=255, info=info, facts=facts)


def draw_phantom(
    seed: int,
    kind: Kind,
    *,
    rows: int = 512,
    columns: int | None = None,
    age: float | None = None,
    take: int = 0,
) -> Phantom:
    """Draw a chest film; the same arguments give the same film.

    The child, the exposure, the lesion and the noise have their own streams of chance, so the normal and the
    diseased film of one seed show the same child under the same exposure.

    Args:
        seed: 0 or more.
        kind: "normal", "bacterial" or "viral".
        rows: Height in pixels, 32 to 4096.
        columns: Width in pixels; drawn from the seed (1.05 to 1.45 times the height) when not given.
        age: Years, 1 to 5; drawn from the seed when not given.
        take: Which film of this child; another one has another exposure, noise and lesion.

    Raises:
        UsageError: An argument is out of range.
    """
    _check(seed, kind, rows, columns, age=age, take=take)
    body_rng = np.random.default_rng((seed, 0))
    film_rng, lesion_rng, net_rng, noise_rng = (np.random.default_rng((seed, k, take)) for k in range(1, 5))
    anatomy = draw_anatomy(body_rng, age)
    tree = grow_vessels(body_rng, anatomy)
    exposure = draw_exposure(film_rng)
    aspect = float(film_rng.uniform(1.05, 1.45))
    grid = _frame(rows, columns or round(rows * aspect), anatomy, exposure)

    flat, deep = (lesion_rng.uniform(0.2, 0.8), lesion_rng.uniform(0.0, 0.09)) if kind == "viral" else (0.0, 0.0)
    body = lay_body(grid, anatomy, flat=flat, deep=deep)
    drawing = lay_vessels(grid, anatomy, tree, net_rng, body.air)
    bones = lay_bones(grid, anatomy, body.width)
    inside = np.minimum(body.outer * 4, 1)
    mottle = noise(net_rng, grid, (0.30, 0.12, 0.05), 0.75) * np.float32(0.013 * anatomy.texture)
    soft = body.outer - 0.76 * body.air - body.airway - 0.8 * body.gas
    attenuation = np.maximum(soft + drawing + inside * mottle, 0) + inside * bones

    if kind == "bacterial":
        lesion = consolidation(grid, anatomy, body, tree, lesion_rng)
    elif kind == "viral":
        lesion = interstitial(grid, anatomy, body, tree, lesion_rng)
    else:
        lesion = no_lesion(grid)
    gray = overlay_markers(expose(attenuation, lesion.added, grid, exposure, noise_rng), grid, exposure, noise_rng)

    lungs = body.air > 0.12
    facts = {"ViewPosition": exposure.projection, "PatientAge": f"{int(anatomy.age):03d}Y", "Marker": exposure.marker}
    if lesion.places:
        facts["Places"] = ", ".join(lesion.places)
    return Phantom(
        pixels=np.ascontiguousarray(np.rint(gray * 255).astype(np.uint8)),
        lesion=lesion.mask,
        right_lung=lungs & (grid.x < 0),
        left_lung=lungs & (grid.x >= 0),
        heart=body.heart > 0.25,
        kind=kind,
        seed=seed,
        facts=facts,
    )


def phantom_radiograph(seed: int, kind: Kind, *, rows: int = 512, columns: int | None = None) -> Radiograph:
    """Draw a film and give it as a Radiograph; the arguments are those of ``draw_phantom``."""
    return draw_phantom(seed, kind, rows=rows, columns=columns).radiograph()


def _frame(rows: int, columns: int, anatomy: Anatomy, exposure: Exposure) -> Grid:
    """Lay the child in the picture so that both lungs are whole in it."""
    lowest = anatomy.dome + 0.95 * anatomy.dome_fall + 0.05
    unit = min(exposure.fill * columns / 2, rows / (lowest - exposure.top))
    room = max(0.0, columns / 2 / unit - 1.05)
    origin = (columns / 2 + float(np.clip(exposure.shift, -room, room)) * unit, -exposure.top * unit)
    return Grid.lay(rows, columns, unit=unit, origin=origin, tilt=exposure.tilt)


def _check(seed: int, kind: str, rows: int, columns: int | None, *, age: float | None, take: int) -> None:
    if min(seed, take) < 0:
        raise UsageError(f"the seed {min(seed, take)} is negative", remedy="Give 0 or more")
    if kind not in KINDS:
        raise UsageError(f"there is no phantom of the kind {kind!r}", remedy=f"Choose one of {', '.join(KINDS)}")
    for name, value in (("rows", rows), ("columns", columns)):
        if value is not None and not 32 <= value <= 4096:
            raise UsageError(f"{name} is {value}", remedy="Give 32 to 4096 pixels")
    if age is not None and not 1 <= age <= 5:
        raise UsageError(f"the age is {age} years", remedy="Give 1 to 5; the proportions are those of small children")
