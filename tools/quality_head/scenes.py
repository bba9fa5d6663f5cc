"""Pictures that are no radiographs, drawn."""

from __future__ import annotations

import numpy as np
from PIL import Image

from quality_head.canvas import SIDE, Picture, axes, blob, capsule, cloud, dried, finished, ink, scaled, smooth, warped

__all__ = [
    "chart",
    "circles",
    "dead_leaves",
    "facade",
    "field",
    "fractal",
    "gradient",
    "handwriting",
    "landscape",
    "line_art",
    "map_of_streets",
    "noise",
    "page",
    "portrait",
    "room",
    "screen",
    "stripes",
    "two_blobs",
]

_FINE = 2 * SIDE


def gradient(rng: np.random.Generator) -> Picture:
    """A smooth shade, straight or round, with a step at times."""
    x, y = axes()
    angle = rng.uniform(0, 6.3)
    shade = x * np.cos(angle) + y * np.sin(angle)
    if rng.random() < 0.4:
        shade = np.hypot(x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.5))
    if rng.random() < 0.3:
        shade = np.floor(shade * rng.integers(1, 6))
    return scaled(shade)


def noise(rng: np.random.Generator) -> Picture:
    """Grain of any size; a pixel's or a third of the picture's."""
    cells = int(rng.choice([3, 5, 8, 16, 40, 160]))
    grain = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8))
    how = Image.Resampling.BICUBIC if rng.random() < 0.6 else Image.Resampling.NEAREST
    return np.asarray(grain.resize((SIDE, SIDE), how), dtype=np.float32) / 255


def field(rng: np.random.Generator) -> Picture:
    """A cloud with the spectrum of photographs or rougher."""
    return cloud(rng, rng.uniform(0.5, 2.2))


def stripes(rng: np.random.Generator) -> Picture:
    """Stripes, checks and waves, bent a little."""
    x, y = axes()
    bend = cloud(rng, 2.0) * rng.uniform(0, 1.5)
    angle, waves = rng.uniform(0, 3.2), rng.uniform(2, 30)
    first = np.sin(waves * (x * np.cos(angle) + y * np.sin(angle) + bend))
    if rng.random() < 0.5:
        first = first * np.sin(waves * (y * np.cos(angle) - x * np.sin(angle)))
    return scaled(np.sign(first) if rng.random() < 0.4 else first)


def dead_leaves(rng: np.random.Generator) -> Picture:
    """Things before things, of all sizes: the statistics of photographs (Lee, Mumford, Huang, IJCV 41 (2001) 35)."""
    sheet, pen = ink()
    for _ in range(int(rng.integers(30, 160))):
        size = float(np.clip(8 / rng.uniform(0.03, 1), 8, _FINE / 2))
        x, y = rng.uniform(0, _FINE, 2)
        box = (x - size, y - size * rng.uniform(0.4, 1.6), x + size, y + size)
        shape = pen.ellipse if rng.random() < 0.6 else pen.rectangle
        if box[3] > box[1]:
            shape(box, fill=int(rng.integers(0, 256)))
    return finished(dried(sheet) + rng.uniform(0, 0.35) * (cloud(rng, 1.0) - 0.5))


def landscape(rng: np.random.Generator) -> Picture:
    """Sky over ground, hills, trees, a sun."""
    x, y = axes()
    picture = 0.9 - 0.3 * (y + 1) / 2 + 0.3 * (cloud(rng, 1.8) - 0.5)
    for depth in range(int(rng.integers(1, 4))):
        ridge = rng.uniform(-0.4, 0.3) + 0.3 * depth + 0.25 * (cloud(rng, 1.4)[0] - 0.5)[None, :]
        picture = np.where(y > ridge, rng.uniform(0.1, 0.7) + 0.35 * (cloud(rng, 0.8) - 0.5), picture)
    for _ in range(int(rng.integers(0, 7))):
        base, foot = rng.uniform(-0.9, 0.9), rng.uniform(0.1, 0.8)
        crown = blob(base, foot - 0.35, rng.uniform(0.08, 0.3), rng.uniform(0.1, 0.35)) > 0
        picture = np.where(crown, rng.uniform(0, 0.35) + 0.3 * cloud(rng, 0.5), picture)
        picture = np.where(capsule((base, foot - 0.2), (base, foot), 0.03) > 0, 0.15, picture)
    return finished(np.broadcast_to(picture, x.shape))


def room(rng: np.random.Generator) -> Picture:
    """Walls in perspective, boxes with three lit sides, a lamp's light."""
    sheet, pen = ink()
    vx, vy = rng.uniform(0.3, 0.7, 2) * _FINE
    corners = [(0, 0), (_FINE, 0), (_FINE, _FINE), (0, _FINE)]
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        pen.polygon([start, end, (vx, vy)], fill=int(rng.integers(40, 230)))
    for _ in range(int(rng.integers(2, 9))):
        x, y = rng.uniform(0.05, 0.85, 2) * _FINE
        w, h, d = rng.uniform(0.05, 0.3, 3) * _FINE
        gray = int(rng.integers(20, 220))
        pen.rectangle((x, y, x + w, y + h), fill=gray)
        pen.polygon([(x, y), (x + d / 2, y - d / 3), (x + w + d / 2, y - d / 3), (x + w, y)], fill=min(gray + 30, 255))
        side = [(x + w, y), (x + w + d / 2, y - d / 3), (x + w + d / 2, y + h - d / 3), (x + w, y + h)]
        pen.polygon(side, fill=max(gray - 40, 0))
    light = 0.6 + 0.6 * blob(rng.uniform(-0.6, 0.6), rng.uniform(-0.8, 0.2), 1.2, 1.2)
    return finished(dried(sheet) * light + 0.08 * (cloud(rng, 0.7) - 0.5))


def portrait(rng: np.random.Generator) -> Picture:
    """A head with hair and eyes on shoulders before a ground."""
    picture = rng.uniform(0.1, 0.9) + 0.3 * (cloud(rng, 1.6) - 0.5)
    torso = blob(0, 1.3, rng.uniform(0.7, 1.0), 0.85) > 0
    picture = np.where(torso, rng.uniform(0.05, 0.9) + 0.3 * (cloud(rng, 1.0) - 0.5), picture)
    tilt, skin = rng.uniform(-0.2, 0.2), rng.uniform(0.35, 0.85)
    for part, gray in (
        (blob(tilt, -0.25, 0.48, 0.62), rng.uniform(0, 0.5)),
        (blob(tilt, -0.12, 0.38, 0.52), skin),
        (capsule((tilt * 0.8, 0.3), (0, 0.6), 0.17), skin * 0.9),
    ):
        picture = np.where(part > 0, gray + 0.25 * (part - 0.6), picture)
    for side in (-1, 1):
        picture = picture - 0.4 * (blob(tilt + side * 0.15, -0.18, 0.07, 0.04) > 0)
    picture = picture - 0.2 * blob(tilt, -0.02, 0.05, 0.1) - 0.3 * (blob(tilt, 0.15, 0.14, 0.035) > 0)
    return finished(picture + 0.08 * (cloud(rng, 0.6) - 0.5))


def facade(rng: np.random.Generator) -> Picture:
    """Rows of windows on a wall, seen askew."""
    sheet, pen = ink()
    wall, pane = rng.integers(0, 256, 2).tolist()
    pen.rectangle((0, 0, _FINE, _FINE), fill=wall)
    down, across = rng.integers(3, 10, 2).tolist()
    for row in range(down):
        for column in range(across):
            x, y = (column + 0.2) * _FINE / across, (row + 0.2) * _FINE / down
            gray = int(np.clip(pane + rng.integers(-30, 30), 0, 255))
            pen.rectangle((x, y, x + 0.55 * _FINE / across, y + 0.6 * _FINE / down), fill=gray)
    x, y = axes()
    lean = rng.uniform(-0.35, 0.35)
    askew = warped(dried(sheet), y * (1 + lean * x), x)
    return finished(askew + 0.1 * (cloud(rng, 0.8) - 0.5))


def line_art(rng: np.random.Generator) -> Picture:
    """A drawing: outlines of shapes and strokes, dark on pale or pale on dark."""
    sheet, pen = ink()
    for _ in range(int(rng.integers(2, 14))):
        points = rng.uniform(0, _FINE, (int(rng.integers(2, 7)), 2))
        width = int(rng.integers(1, 9))
        if rng.random() < 0.4:
            low, high = points.min(axis=0), points.max(axis=0)
            pen.ellipse((*low.tolist(), *high.tolist()), outline=255, width=width)
        else:
            pen.line([tuple(point) for point in points.tolist()], fill=255, width=width, joint="curve")
    drawn = dried(sheet)
    return drawn if rng.random() < 0.4 else 1 - drawn


def page(rng: np.random.Generator) -> Picture:
    """A page of lines of words, with a heading or a picture box at times."""
    sheet, pen = ink()
    y, left = rng.uniform(10, 50), rng.uniform(8, 50)
    step = rng.uniform(7, 20)
    while y < _FINE - 15:
        x = left
        while x < _FINE - left and rng.random() > 0.04:
            word = rng.uniform(0.6, 4) * step
            gaps = x
            while gaps < x + word:
                pen.rectangle((gaps, y, gaps + step * 0.28, y + step * rng.uniform(0.35, 0.62)), fill=255)
                gaps += step * 0.42
            x += word + step * 0.6
        y += step * (1.0 if rng.random() > 0.1 else 2.2)
    if rng.random() < 0.3:
        x, y = rng.uniform(0.1, 0.5, 2) * _FINE
        pen.rectangle((x, y, x + 0.4 * _FINE, y + 0.3 * _FINE), fill=int(rng.integers(60, 200)))
    drawn = dried(sheet) * rng.uniform(0.7, 1)
    return drawn if rng.random() < 0.15 else 1 - drawn


def handwriting(rng: np.random.Generator) -> Picture:
    """Lines of loops on paper that is lit unevenly."""
    sheet, pen = ink()
    rows = int(rng.integers(3, 11))
    for row in range(rows):
        t = np.linspace(0, 1, 400)
        loops = np.cumsum(rng.normal(size=400)) * 0.02
        x = (0.06 + 0.86 * t) * _FINE + 9 * np.sin(70 * t + loops)
        y = ((row + 0.6) / rows) * _FINE + (0.22 * _FINE / rows) * np.sin(95 * t + 3 * loops + rng.uniform(0, 6))
        cut = int(rng.integers(150, 400))
        pen.line(list(zip(x[:cut].tolist(), y[:cut].tolist(), strict=True)), fill=255, width=int(rng.integers(1, 4)))
    return finished(0.7 + 0.3 * cloud(rng, 2.2) - 0.65 * dried(sheet))


def screen(rng: np.random.Generator) -> Picture:
    """Windows, bars, buttons, lists: the picture of a program."""
    sheet, pen = ink()
    pen.rectangle((0, 0, _FINE, _FINE), fill=int(rng.integers(0, 256)))
    for _ in range(int(rng.integers(2, 6))):
        x, y = rng.uniform(-0.1, 0.6, 2) * _FINE
        w, h = rng.uniform(0.25, 0.9, 2) * _FINE
        ground, text = rng.integers(0, 256, 2).tolist()
        pen.rectangle((x, y, x + w, y + h), fill=ground, outline=text)
        pen.rectangle((x, y, x + w, y + 14), fill=int(rng.integers(0, 256)))
        for line in np.arange(y + 24, y + h - 8, rng.uniform(9, 24)):
            pen.rectangle((x + 8, line, x + 8 + rng.uniform(0.1, 0.8) * w, line + 4), fill=text)
    return dried(sheet)


def chart(rng: np.random.Generator) -> Picture:
    """Axes with curves, bars or points."""
    sheet, pen = ink()
    low, high = 0.12 * _FINE, 0.92 * _FINE
    pen.line([(low, low), (low, high), (high, high)], fill=255, width=2)
    for tick in np.linspace(low, high, int(rng.integers(3, 9))):
        pen.line([(low - 6, tick), (high if rng.random() < 0.3 else low, tick)], fill=150)
    style = rng.integers(3)
    for _ in range(int(rng.integers(1, 5))):
        x = np.linspace(low, high, int(rng.integers(6, 40)))
        y = high - scaled(np.cumsum(rng.normal(size=len(x)))) * (high - low) * rng.uniform(0.4, 0.95)
        fill = int(rng.integers(90, 256))
        if style == 0:
            pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=fill, width=int(rng.integers(1, 5)))
        for u, v in zip(x.tolist(), y.tolist(), strict=True) if style else ():
            box = (u - 3, v - 3, u + 3, v + 3) if style == 1 else (u - 4, v, u + 4, high)
            pen.rectangle(box, fill=fill)
    return 1 - dried(sheet)


def map_of_streets(rng: np.random.Generator) -> Picture:
    """Crossing lines of several widths over blocks."""
    sheet, pen = ink()
    pen.rectangle((0, 0, _FINE, _FINE), fill=int(rng.integers(120, 220)))
    for _ in range(int(rng.integers(8, 30))):
        start, end = rng.uniform(-0.2, 1.2, (2, 2)) * _FINE
        if rng.random() < 0.6:
            end[int(rng.integers(2))] = start[int(rng.integers(2))]
        pen.line(
            [tuple(start.tolist()), tuple(end.tolist())], fill=int(rng.integers(0, 256)), width=int(rng.integers(1, 12))
        )
    return dried(sheet)


def fractal(rng: np.random.Generator) -> Picture:
    """A Julia set (z^2 + c), by how fast each place escapes."""
    x, y = axes()
    zoom = rng.uniform(0.6, 1.6)
    z = (x * zoom + 1j * y * zoom).astype(np.complex64)
    angle = rng.uniform(0, 6.3)
    c = 0.5 * np.exp(1j * angle) - 0.25 * np.exp(2j * angle) + rng.normal() * 0.02
    count = np.zeros(x.shape, dtype=np.float32)
    for _ in range(30):
        inside = np.abs(z) < 4
        z = np.where(inside, z * z + c, z)
        count += inside
    return scaled(np.sqrt(count))


def circles(rng: np.random.Generator) -> Picture:
    """Balls lit from one side: coins, fruit, planets."""
    picture = rng.uniform(0, 0.6) + 0.2 * cloud(rng, 1.5)
    for _ in range(int(rng.integers(1, 14))):
        x, y = rng.uniform(-0.9, 0.9, 2)
        size = rng.uniform(0.08, 0.5)
        ball = blob(x, y, size, size)
        lit = blob(x - 0.3 * size, y - 0.3 * size, size, size)
        picture = np.where(ball > 0, rng.uniform(0, 0.4) + 0.6 * lit, picture)
    return finished(picture + 0.1 * (cloud(rng, 0.8) - 0.5))


def two_blobs(rng: np.random.Generator) -> Picture:
    """Two dark shapes side by side on a bright ground: as much a chest as a mask has eyes."""
    picture = rng.uniform(0.6, 0.9) + 0.3 * (cloud(rng, rng.uniform(1, 2)) - 0.5)
    for side in (-1, 1):
        x, y = side * rng.uniform(0.2, 0.6), rng.uniform(-0.4, 0.4)
        part = blob(x, y, rng.uniform(0.1, 0.4), rng.uniform(0.1, 0.6), rng.uniform(-0.8, 0.8))
        edge = part > 0 if rng.random() < 0.6 else smooth((part > 0).astype(np.float32), 6)
        picture = picture - rng.uniform(0.3, 0.7) * edge
    return finished(picture)
