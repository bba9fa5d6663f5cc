"""Slices and other medical pictures that are no radiographs, drawn."""

from __future__ import annotations

import numpy as np

from quality_head.canvas import Lobes, Picture, axes, blob, cloud, finished, scaled, smooth

__all__ = [
    "ct_abdomen",
    "ct_chest",
    "ct_head",
    "fundus",
    "microscopy",
    "mr_head",
    "mr_knee",
    "scintigram",
    "ultrasound",
]


def _lobes(rng: np.random.Generator, most: float) -> Lobes:
    return [(float(rng.uniform(0, most)), float(rng.uniform(0, 6.3))) for _ in range(3)]


def _window(rng: np.random.Generator, picture: Picture, grain: float = 0.04) -> Picture:
    """A display window and the grain of a reconstruction."""
    grainy = picture + rng.uniform(0, grain) * smooth(rng.normal(size=picture.shape), 0.8) * 2
    low = rng.uniform(0, 0.12)
    return finished((grainy - low) / rng.uniform(0.6, 1.1))


def _flat(part: Picture) -> Picture:
    """A slice has no thickness: inside or outside, with a soft edge."""
    return finished(part * 6)


def ct_abdomen(rng: np.random.Generator) -> Picture:
    """A broad ellipse with a rim of fat, organs of even gray, a bright vertebra."""
    wide, high = rng.uniform(0.75, 0.98), rng.uniform(0.5, 0.75)
    body = _flat(blob(0, 0, wide, high, 0, _lobes(rng, 0.03)))
    inside = _flat(blob(0, 0, wide * 0.9, high * 0.87, 0, _lobes(rng, 0.03)))
    picture = 0.25 * body + 0.2 * inside
    for _ in range(rng.integers(4, 12)):
        x, y = rng.uniform(-0.55, 0.55) * wide, rng.uniform(-0.6, 0.5) * high
        organ = _flat(blob(x, y, rng.uniform(0.06, 0.35), rng.uniform(0.06, 0.25), rng.uniform(0, 3), _lobes(rng, 0.1)))
        picture = picture * (1 - organ) + organ * rng.choice([rng.uniform(0.4, 0.75), 0.02])
    bone = _flat(blob(0, high * 0.55, 0.13, 0.12)) - 0.35 * _flat(blob(0, high * 0.55, 0.09, 0.08))
    return _window(rng, np.maximum(picture * body, bone + 0.9 * _flat(blob(0, high * 0.8, 0.03, 0.1))))


def ct_chest(rng: np.random.Generator) -> Picture:
    """Two black lungs in an ellipse that is wider than high: the slice that is most like a film."""
    wide, high = rng.uniform(0.8, 0.98), rng.uniform(0.55, 0.75)
    body = _flat(blob(0, 0, wide, high, 0, _lobes(rng, 0.03)))
    picture = 0.45 * body
    for side in (-1, 1):
        lung = _flat(blob(side * wide * 0.48, -0.02, wide * 0.37, high * 0.68, side * 0.15, _lobes(rng, 0.06)))
        vessels = np.clip((cloud(rng, 0.8) - 0.62) * 6, 0, 1)
        picture = picture * (1 - lung) + lung * (0.05 + 0.5 * vessels)
    picture = np.maximum(picture, 0.6 * _flat(blob(0.1 * rng.choice([-1, 1]), -0.08, 0.26, 0.24)))
    for angle in np.linspace(0, 2 * np.pi, 14, endpoint=False) + rng.uniform(0, 0.4):
        spot = blob(wide * 0.88 * np.cos(angle), high * 0.87 * np.sin(angle), 0.09, 0.03, angle + np.pi / 2)
        picture = np.maximum(picture, 0.9 * _flat(spot))
    return _window(rng, np.maximum(picture * body, 0.95 * _flat(blob(0, high * 0.6, 0.13, 0.13))))


def ct_head(rng: np.random.Generator) -> Picture:
    """A white ring, even gray inside, dark ventricles."""
    wide, high = rng.uniform(0.55, 0.75), rng.uniform(0.7, 0.9)
    skull = _flat(blob(0, 0, wide, high, 0, _lobes(rng, 0.02)))
    brain = _flat(blob(0, 0, wide * 0.88, high * 0.9))
    picture = skull * (1 - brain) + brain * (0.4 + 0.1 * cloud(rng, 1.5))
    for side in (-1, 1):
        horn = _flat(blob(side * 0.11, -0.05, 0.06, 0.28, side * rng.uniform(0.1, 0.4)))
        picture = picture * (1 - horn) + 0.2 * horn
    return _window(rng, picture)


def mr_head(rng: np.random.Generator) -> Picture:
    """Nested ellipses of unlike gray with folds; from above or from the side."""
    wide, high = rng.uniform(0.6, 0.85), rng.uniform(0.7, 0.9)
    picture = 0.8 * _flat(blob(0, 0, wide, high, 0, _lobes(rng, 0.05)))
    gap = _flat(blob(0, 0, wide * 0.9, high * 0.92))
    picture = picture * (1 - gap) + 0.05 * gap
    brain = _flat(blob(0, -0.02, wide * 0.82, high * 0.85, 0, _lobes(rng, 0.03)))
    folds = np.abs(np.sin(18 * cloud(rng, 2.0)))
    picture = picture * (1 - brain) + brain * (0.35 + 0.4 * folds * rng.uniform(0.4, 1))
    for side in (-1, 1):
        horn = _flat(blob(side * 0.1, 0, 0.07, 0.25, side * 0.3, _lobes(rng, 0.1)))
        picture = picture * (1 - horn) + rng.uniform(0, 1) * horn
    shade = 0.7 + 0.6 * cloud(rng, 2.5)
    return _window(rng, picture * shade)


def mr_knee(rng: np.random.Generator) -> Picture:
    """Bright marrow between dark rims, gray muscle, black air."""
    body = _flat(blob(0, 0, rng.uniform(0.6, 0.8), 1.3))
    picture = body * (0.3 + 0.25 * cloud(rng, 1.2))
    for y in (-0.6, 0.6):
        rim = _flat(blob(0.02, y, 0.46, 0.5, 0, _lobes(rng, 0.08)))
        core = _flat(blob(0.02, y, 0.42, 0.46, 0, _lobes(rng, 0.05)))
        picture = picture * (1 - rim) + core * (0.75 + 0.2 * cloud(rng, 1.0))
    return _window(rng, picture)


def scintigram(rng: np.random.Generator) -> Picture:
    """Few counts: glowing blobs on black."""
    picture = 0.15 * blob(0, 0, rng.uniform(0.4, 0.8), 0.95)
    for _ in range(rng.integers(1, 9)):
        x, y = rng.uniform(-0.6, 0.6, 2)
        picture = picture + rng.uniform(0.1, 1) * blob(x, y, *rng.uniform(0.05, 0.35, 2))
    counts = rng.poisson(scaled(smooth(picture, 4)) * rng.uniform(4, 60))
    return scaled(smooth(counts.astype(np.float32), rng.uniform(0, 1.5)))


def ultrasound(rng: np.random.Generator) -> Picture:
    """A bright fan of speckle on black, with dark cysts and shadows."""
    x, y = axes()
    reach, angle = np.hypot(x, y + 1.1), np.arctan2(x, y + 1.1)
    fan = (reach < rng.uniform(1.8, 2.05)) & (reach > rng.uniform(0.1, 0.4)) & (np.abs(angle) < rng.uniform(0.5, 0.8))
    speckle = np.abs(smooth(rng.normal(size=x.shape), 1.0)) * 3
    tissue = 0.2 + 0.8 * cloud(rng, 1.6)
    for _ in range(rng.integers(1, 5)):
        x0, y0 = rng.uniform(-0.4, 0.4), rng.uniform(-0.5, 0.6)
        wide, high = rng.uniform(0.08, 0.35, 2)
        cyst = blob(x0, y0, wide, high, 0, _lobes(rng, 0.1))
        tissue = tissue * (1 - 0.9 * _flat(cyst))
    return finished(fan * speckle * tissue * rng.uniform(0.8, 1.5))


def microscopy(rng: np.random.Generator) -> Picture:
    """Cells with dark nuclei on a pale ground."""
    picture = 0.85 - 0.2 * cloud(rng, 1.0)
    for _ in range(rng.integers(20, 70)):
        x, y = rng.uniform(-1, 1, 2)
        size = rng.uniform(0.03, 0.1)
        cell = _flat(blob(x, y, size, size * rng.uniform(0.6, 1), rng.uniform(0, 3), _lobes(rng, 0.1)))
        picture = picture - rng.uniform(0.2, 0.5) * cell
    return finished(picture)


def fundus(rng: np.random.Generator) -> Picture:
    """A lit disc on black with a bright spot and branching dark lines."""
    x, y = axes()
    disc = np.hypot(x, y) < rng.uniform(0.85, 1.0)
    picture = 0.5 + 0.2 * cloud(rng, 2.0) + 0.5 * blob(rng.choice([-0.4, 0.4]), 0, 0.15, 0.17)
    lines = np.exp(-((np.sin(6 * cloud(rng, 2.2) * 3.1) / 0.12) ** 2))
    return finished(disc * (picture - 0.25 * lines))
