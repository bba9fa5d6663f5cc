"""The drawn parameters of one child and one exposure, from a seed and from nothing else.

Drawing the parameters is one step, rendering them is another: ``body.py``, ``bones.py`` and ``film.py`` are
pure functions of what is drawn here. The proportions are those of children of one to five years: a short, wide
chest, ribs nearer to the horizontal than an adult's, and a large heart and thymus (Arthur, Paediatric
Respiratory Reviews 1 (2000) 311, "Interpretation of the paediatric chest X-ray").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Anatomy", "Exposure", "draw_anatomy", "draw_exposure"]


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One child. Lengths are in units of half the inner width of the rib cage.

    Attributes:
        age: Years.
        dome: y of the top of the right half of the diaphragm: how deeply the child breathed in.
        dome_gap: By how much the left half lies lower.
        dome_fall: How far the diaphragm falls from its top to the side wall.
        round_top: How round the top of the cage is; 2 is an ellipse.
        apex: |x| of the top of each lung.
        wall: Thickness of the chest wall at the sides.
        depth: Thickness of the chest from front to back.
        rib_gap: From one rib to the next, at the spine.
        rib_drop: How far a rib falls on its way from the spine to the front.
        rib_width: Of a rib's band.
        bone: How dense the bones are.
        spine: Half the width of a vertebral body.
        heart: Size of the heart; 1 is usual.
        heart_turn: How steeply the heart lies, in radians.
        thymus: Size of the thymus; 0 is not seen.
        rotation: How far front structures are shifted against the spine, because the child lies askew.
        arms: Degrees of each upper arm below the horizontal, (right, left); negative is raised.
        shoulder: y of the shoulders.
        clavicle: How far each clavicle rises towards the shoulder.
        chin: y of the lower edge of the jaw; far negative when it is not in the picture.
        vessels: Strength of the lung vessels.
        texture: Strength of the fine drawing of the lung.
        gas: Size of the stomach bubble; 0 is none.
        lean: Bend of the spine, to either side.
    """

    age: float
    dome: float
    dome_gap: float
    dome_fall: float
    round_top: float
    apex: float
    wall: float
    depth: float
    rib_gap: float
    rib_drop: float
    rib_width: float
    bone: float
    spine: float
    heart: float
    heart_turn: float
    thymus: float
    rotation: float
    arms: tuple[float, float]
    shoulder: float
    clavicle: float
    chin: float
    vessels: float
    texture: float
    gas: float
    lean: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """How the film was taken.

    Attributes:
        tilt: Degrees by which the child leans, clockwise.
        fill: Share of the picture's width that the cage takes.
        top: y at the upper edge of the picture.
        shift: Sideways shift of the body, in units of the body.
        speed: Attenuation that comes out mid-gray.
        contrast: Slope of the film's curve there.
        base: Gray of the unexposed edge.
        scatter: Share of scattered radiation.
        focus: Blur, in units of the body.
        quanta: Strength of the quantum noise.
        lines: Strength of the grid's lines.
        vignette: Fall of the beam towards one side, (across, down).
        collimation: Width of the black borders, (left, top, right, bottom), as shares of the picture.
        marker: "R", "L" or "" for none.
        marker_size: Height of the marker, as a share of the picture's height.
        marker_place: Column and row of the marker's middle, as shares of the picture.
        electrodes: Number of ECG electrodes and their cables.
        projection: "AP" or "PA", as the facts tell it.
    """

    tilt: float
    fill: float
    top: float
    shift: float
    speed: float
    contrast: float
    base: float
    scatter: float
    focus: float
    quanta: float
    lines: float
    vignette: tuple[float, float]
    collimation: tuple[float, float, float, float]
    marker: str
    marker_size: float
    marker_place: tuple[float, float]
    electrodes: int
    projection: str


def draw_anatomy(rng: np.random.Generator, age: float | None = None) -> Anatomy:
    """Draw a child.

    Args:
        rng: Where the chance comes from.
        age: Years, 1 to 5; drawn when not given.
    """
    drawn = rng.uniform(1, 5)
    age = float(drawn) if age is None else age
    young = (5 - age) / 4  # 1 at one year, 0 at five

    def about(middle: float, spread: float) -> float:
        return float(middle + spread * rng.uniform(-1, 1))

    raised = rng.random() < 0.45
    arms = (about(-50, 25), about(-50, 25)) if raised else (about(25, 35), about(25, 35))
    return Anatomy(
        age=age,
        dome=about(1.33 - 0.09 * young, 0.13),
        dome_gap=about(0.06, 0.05),
        dome_fall=about(0.36, 0.07),
        round_top=about(2.0, 0.25),
        apex=about(0.35, 0.04),
        wall=about(0.15 + 0.04 * young, 0.05),
        depth=about(1.32, 0.06),
        rib_gap=about(0.176 - 0.010 * young, 0.009),
        rib_drop=about(0.78 - 0.14 * young, 0.09),
        rib_width=about(0.088, 0.010),
        bone=about(0.30, 0.05),
        spine=about(0.135, 0.015),
        heart=about(1.0 + 0.06 * young, 0.08),
        heart_turn=about(0.62 - 0.15 * young, 0.12),
        thymus=float(max(0.0, rng.normal(0.5 * young, 0.35))),
        rotation=float(rng.normal(0, 0.035)),
        arms=arms,
        shoulder=about(-0.05 if not raised else -0.12, 0.07),
        clavicle=about(0.12 if not raised else 0.24, 0.08),
        chin=about(-0.20, 0.12) if rng.random() < 0.75 else -9.0,
        vessels=about(1.0, 0.25),
        texture=about(1.0, 0.35),
        gas=about(0.8, 0.4) if rng.random() < 0.7 else 0.0,
        lean=float(rng.normal(0, 0.02)),
    )


def draw_exposure(rng: np.random.Generator) -> Exposure:
    """Draw how the film was taken."""

    def about(middle: float, spread: float) -> float:
        return float(middle + spread * rng.uniform(-1, 1))

    marker = "" if (chance := rng.random()) < 0.12 else "R" if chance < 0.75 else "L"
    side = about(0.06, 0.035)
    bordered = rng.random(4) < 0.3
    borders = rng.uniform(0.005, 0.04, 4) * bordered
    return Exposure(
        tilt=float(rng.normal(0, 2.0)),
        fill=about(0.84, 0.08),
        top=about(-0.30, 0.12),
        shift=about(0.0, 0.06),
        speed=about(0.74, 0.08),
        contrast=about(3.2, 0.5),
        base=about(0.015, 0.015),
        scatter=about(0.16, 0.10),
        focus=about(0.006, 0.003),
        quanta=about(0.013, 0.008),
        lines=about(0.002, 0.002) if rng.random() < 0.3 else 0.0,
        vignette=(about(0, 0.06), about(0, 0.06)),
        collimation=(float(borders[0]), float(borders[1]), float(borders[2]), float(borders[3])),
        marker=marker,
        marker_size=about(0.055, 0.025),
        marker_place=(side if marker != "L" else 1 - side, about(0.22, 0.17)),
        electrodes=int(rng.integers(1, 4)) if rng.random() < 0.15 else 0,
        projection="AP" if rng.random() < 0.8 else "PA",
    )
