"""Augmentation: drawing the random parameters is one function, applying them another, pure one.

Every function takes films float32 [N, 1, S, S] in [0, 1] and one strength a film, float32 [N], and gives films
back. A film whose strength is the neutral one comes back as it was. Only the films that need it are worked on.

All of it works on whole batches on the device that the batch is on. Each kind is switched off by setting
its strength to 0 in ``AugmentConfig``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pneumoscope.data.pixels import read_film
from pneumoscope.model.preprocess import PreprocessSpec, preprocess
from pneumoscope.networks.extensions import Extensions
from pneumoscope.networks.registry import default_size
from pneumoscope.settings import NOTICE
from pneumoscope.storage import write_atomically
from pneumoscope.training.background_swap import BackgroundSwap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.training.config import AugmentConfig, TrainConfig

__all__ = [
    "AugmentParameters",
    "add_grain",
    "apply_augmentation",
    "augmentation_grid",
    "coarsen",
    "compress_jpeg",
    "draw_parameters",
    "equalize_locally",
    "find_augmentation",
    "gaussian_blur",
    "register_augmentation",
    "sharpen",
    "warp_masks",
]

_AUGMENTATIONS: Extensions[Callable[[Tensor, torch.Generator], Tensor]] = Extensions(
    "augmentation", "pneumoscope.augmentations"
)
register_augmentation = _AUGMENTATIONS.register
"""``register_augmentation(name, function)``: films float32 [N, 1, S, S] in [0, 1] and a generator that every random
number is to come from (so that a killed run ends as it would have) -> films. For ``augment.extra``."""

find_augmentation = _AUGMENTATIONS.find

# The luminance table of JPEG (ITU-T T.81, table K.1).
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def _apply_where(x: Tensor, on: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Change only the films that are ``on``; ``change`` gets them and their indices (on the CPU)."""
    chosen = on.nonzero()[:, 0]
    if len(chosen) == 0:
        return x
    here = chosen.to(x.device)
    return x.index_copy(0, here, change(x[here], chosen))


def _per_film(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.device, like.dtype)[:, None, None, None]


def _gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """Blur each film with its own sigma (pixels) by two 1-D convolutions, edges replicated."""
    radius = max(1, min(math.ceil(2.5 * float(sigma.max())), x.shape[-1] - 1))
    offsets = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma.to(x.device, x.dtype).clamp(min=0.05)[:, None]) ** 2)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)  # [n, k]
    count, _, height, width = x.shape
    flat = F.pad(x.reshape(1, count, height, width), (radius, radius, radius, radius), mode="replicate")
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=count)
    flat = F.conv2d(flat, kernel[:, None, :, None], groups=count)
    return flat.reshape(count, 1, height, width)


def gaussian_blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur; ``sigma`` in pixels, 0 for none."""
    return _apply_where(x, sigma > 0, lambda part, which: _gaussian(part, sigma[which]))


def sharpen(x: Tensor, amount: Tensor) -> Tensor:
    """Unsharp mask of one pixel's radius; 0 for none."""

    def change(part: Tensor, which: Tensor) -> Tensor:
        smooth = _gaussian(part, torch.ones(len(part)))
        return (part + _per_film(amount[which], part) * (part - smooth)).clamp(0, 1)

    return _apply_where(x, amount > 0, change)


def equalize_locally(x: Tensor, amount: Tensor) -> Tensor:
    """Take a share of the local mean away and put it back as the film's mean; 0 for none.

    What detail-enhancing post-processing of digital radiographs does (and, below 0, its opposite). The
    neighbourhood is a sixteenth of the film.
    """

    def change(part: Tensor, which: Tensor) -> Tensor:
        cells = max(part.shape[-1] // 16, 1)
        small = F.adaptive_avg_pool2d(part, max(part.shape[-1] // cells, 1))
        mean = F.interpolate(small, part.shape[-2:], mode="bilinear", align_corners=False)
        share = _per_film(amount[which], part)
        return (part - share * (mean - part.mean(dim=(2, 3), keepdim=True))).clamp(0, 1)

    return _apply_where(x, amount != 0, change)


def coarsen(x: Tensor, factor: Tensor) -> Tensor:
    """Resample down by ``factor`` and up again; 1 for none. Films share the batch's mean factor, by halves."""

    def change(part: Tensor, which: Tensor) -> Tensor:
        order = torch.argsort(factor[which])
        out = torch.empty_like(part)
        for group in order.chunk(2):
            mean = float(factor[which][group].mean())
            side = max(8, round(part.shape[-1] / mean))
            small = F.interpolate(part[group], size=(side, side), mode="bilinear", align_corners=False, antialias=True)
            out[group] = F.interpolate(small, part.shape[-2:], mode="bilinear", align_corners=False)
        return out

    return _apply_where(x, factor > 1, change)


def add_grain(x: Tensor, strength: Tensor, clump: Tensor, seed: int) -> Tensor:
    """Add Gaussian grain of a standard deviation; ``clump`` 0 to 1 mixes in grain of twice the pixel's size."""

    def change(part: Tensor, which: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        white = torch.randn(part.shape, generator=generator).to(part.device, part.dtype)
        coarse = F.avg_pool2d(white, 3, stride=1, padding=1) * 3  # the mean of nine has a third of the deviation
        share = _per_film(clump[which], part)
        grain = ((1 - share) * white + share * coarse) / torch.sqrt((1 - share) ** 2 + share**2)
        return (part + _per_film(strength[which], part) * grain).clamp(0, 1)

    return _apply_where(x, strength > 0, change)


def compress_jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """What JPEG loses: quantised 8 x 8 cosine transforms (ITU-T T.81, A.3); 100 for none.

    Rows and columns past a multiple of 8 are kept as they are.
    """

    def change(part: Tensor, which: Tensor) -> Tensor:
        side = part.shape[-1] // 8 * 8
        body = part[..., :side, :side]
        q = quality[which].clamp(1, 100)
        scale = torch.where(q < 50, 5000 / q, 200 - 2 * q) / 100  # libjpeg's quality curve
        table = torch.tensor(_LUMINANCE, dtype=part.dtype)[None] * scale[:, None, None]
        table = torch.round(table).clamp(1, 255).to(part.device)[:, None, None]  # [n, 1, 1, 8, 8]
        cosine = _cosine(part)
        blocks = body.reshape(len(part), side // 8, 8, side // 8, 8).transpose(2, 3) * 255 - 128
        coefficients = torch.round(cosine @ blocks @ cosine.T / table) * table
        back = (cosine.T @ coefficients @ cosine + 128) / 255
        out = part.clone()
        out[..., :side, :side] = back.transpose(2, 3).reshape(len(part), 1, side, side)
        return out.clamp(0, 1)

    return _apply_where(x, quality < 100, change)


def _cosine(like: Tensor) -> Tensor:
    """The orthonormal 8-point DCT-II matrix."""
    k = torch.arange(8, dtype=like.dtype, device=like.device)
    matrix = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    matrix[0] /= math.sqrt(2)
    return matrix


_MARKER_CELLS = 5  # a painted marker is a 5 x 5 random glyph, about as legible as a real one at network size


@dataclass(frozen=True, slots=True)
class AugmentParameters:
    """The random numbers of one batch; all float32 unless said otherwise.

    Attributes:
        theta: [N, 2, 3], the affine map from output to input coordinates (in [-1, 1]).
        gamma: [N], exponent of the intensity curve.
        contrast: [N], slope about the film's mean.
        brightness: [N], added after that, in units of full white.
        curve: [N], steepness of an S-shaped (positive) or inverse S-shaped (negative) film curve.
        local: [N], how much of the local mean is taken away (positive) or doubled (negative).
        sigma: [N], Gaussian blur in pixels; 0 for none.
        sharpen: [N], unsharp-mask amount; 0 for none.
        coarse: [N], factor of down-and-up resampling, at least 1.
        jpeg: [N], JPEG quality 1 to 100; 100 for none.
        noise: [N], standard deviation of grain, in units of full white.
        grain: [N], 0 for white grain to 1 for grain blurred to clumps.
        erase: [N, 4] (top, left, bottom, right) in [0, 1]; empty for none.
        marker: [N, 4], likewise: where a bright glyph is painted.
        glyph: [N, 5, 5], which cells of it are bright.
        border: [N, 4] widths of the painted collimation (top, left, bottom, right) in [0, 1].
        partner: int64 [N], whom each film is mixed with (mixup).
        weight: [N], share of the film itself in the mixture, 0.5 to 1.
        seed: Of the grain.
    """

    theta: Tensor
    gamma: Tensor
    contrast: Tensor
    brightness: Tensor
    curve: Tensor
    local: Tensor
    sigma: Tensor
    sharpen: Tensor
    coarse: Tensor
    jpeg: Tensor
    noise: Tensor
    grain: Tensor
    erase: Tensor
    marker: Tensor
    glyph: Tensor
    border: Tensor
    partner: Tensor
    weight: Tensor
    seed: int


def draw_parameters(config: AugmentConfig, count: int, generator: torch.Generator) -> AugmentParameters:
    """Draw the random numbers for ``count`` films.

    Args:
        config: Strengths and probabilities.
        count: N.
        generator: The only source of chance; on the CPU, so that a run is the same on every device.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    def chance(probability: float) -> Tensor:
        return torch.rand(count, generator=generator) < probability

    weight = torch.ones(count)
    if config.mixup > 0:
        share = uniform(0, config.mixup)  # at most half of another film: the label stays the film's own
        weight = torch.where(chance(config.mixup_probability), 1 - share, weight)
    return AugmentParameters(
        theta=_draw_affine(config, count, uniform, chance),
        gamma=torch.exp(uniform(-config.gamma, config.gamma)),
        contrast=torch.exp(uniform(-config.contrast, config.contrast)),
        brightness=uniform(-config.brightness, config.brightness),
        curve=uniform(-config.curve, config.curve),
        local=torch.where(chance(config.local_probability), uniform(-config.local, config.local), 0.0),
        sigma=torch.where(chance(config.blur_probability), uniform(0.3, max(config.blur, 0.3)), 0.0)
        * float(config.blur > 0),
        sharpen=torch.where(chance(config.sharpen_probability), uniform(0, config.sharpen), 0.0),
        coarse=torch.where(chance(config.coarse_probability), uniform(1, max(config.coarse, 1.0)), 1.0),
        jpeg=torch.where(chance(config.jpeg_probability), uniform(config.jpeg, 95), 100.0),
        noise=torch.where(chance(config.noise_probability), uniform(0, config.noise), 0.0),
        grain=uniform(0, 1),
        erase=_draw_boxes(chance(config.erase_probability), uniform, 0.05, config.erase),
        marker=_draw_boxes(chance(config.marker_probability), uniform, 0.04, config.marker, edge=True),
        glyph=(torch.rand(count, _MARKER_CELLS, _MARKER_CELLS, generator=generator) < 0.6).float(),
        border=torch.stack([uniform(-config.border, config.border).clamp(min=0) for _ in range(4)], dim=1)
        * chance(config.border_probability)[:, None],
        partner=torch.randperm(count, generator=generator),
        weight=weight,
        seed=int(torch.randint(2**31, (), generator=generator)),
    )


def apply_augmentation(films: Tensor, drawn: AugmentParameters) -> Tensor:
    """Apply what was drawn; the same films and draw give the same result.

    Args:
        films: float32 [N, 1, S, S] in [0, 1].
        drawn: From ``draw``, for the same N.

    Returns:
        float32 [N, 1, S, S] in [0, 1].
    """
    x = _affine(films, drawn.theta.to(films.device))
    x = _intensity(x, drawn)
    x = equalize_locally(x, drawn.local)
    x = coarsen(x, drawn.coarse)
    x = gaussian_blur(x, drawn.sigma)
    x = sharpen(x, drawn.sharpen)
    x = add_grain(x, drawn.noise, drawn.grain, drawn.seed)
    x = _paint(x, drawn)
    x = compress_jpeg(x, drawn.jpeg)
    if bool((drawn.weight < 1).any()):
        share = _per_film_like(drawn.weight, x)
        x = share * x + (1 - share) * x[drawn.partner.to(x.device)]
    return x.clamp(0, 1)


def warp_masks(masks: Tensor, drawn: AugmentParameters) -> Tensor:
    """Move masks [N, 1, S, S] as ``apply`` moves their films: geometry alone."""
    return _affine(masks, drawn.theta.to(masks.device))


def _draw_affine(config, count, uniform, chance) -> Tensor:  # type: ignore[no-untyped-def]
    """Compose rotation, shear, zoom, aspect, crop, translation and flip to one map, [N, 2, 3]."""
    angle = uniform(-config.rotation, config.rotation) * math.pi / 180
    shear = torch.tan(uniform(-config.shear, config.shear) * math.pi / 180)
    scale = torch.exp(uniform(-config.zoom, config.zoom))
    aspect = torch.exp(uniform(-config.aspect, config.aspect) / 2)
    keep = 1 - uniform(0, 1) * config.crop  # side of the crop, as a share of the film's
    flip = torch.where(chance(config.flip), -1.0, 1.0)
    sx, sy = keep / scale * aspect, keep / scale / aspect
    cos, sin = torch.cos(angle), torch.sin(angle)
    tx = uniform(-1, 1) * ((1 - keep) + config.translation)
    ty = uniform(-1, 1) * ((1 - keep) + config.translation)
    first = torch.stack([flip * sx * cos, sx * (shear * cos - sin), tx], dim=1)
    second = torch.stack([flip * sy * sin, sy * (shear * sin + cos), ty], dim=1)
    return torch.stack([first, second], dim=1).reshape(count, 2, 3)


def _draw_boxes(on: Tensor, uniform, least: float, most: float, *, edge: bool = False) -> Tensor:  # type: ignore[no-untyped-def]
    """Boxes (top, left, bottom, right) in [0, 1], near the film's left or right ``edge`` if asked.

    Empty where ``on`` is false or ``most`` is 0.
    """
    height, width = uniform(least, max(most, least)), uniform(least, max(most, least))
    v, u = uniform(0, 1), uniform(0, 1)
    if edge:
        u = torch.where(u < 0.5, u * 0.4, 1 - (1 - u) * 0.4)
    top, left = v * (1 - height), u * (1 - width)
    boxes = torch.stack([top, left, top + height, left + width], dim=1)
    return boxes * (on & torch.tensor(most > 0))[:, None]


def _affine(films: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(films.shape), align_corners=False)
    return F.grid_sample(films, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _intensity(x: Tensor, drawn: AugmentParameters) -> Tensor:
    """Gamma, contrast about the mean, brightness, then the film curve."""
    x = x.clamp(1e-4, 1).pow(_per_film_like(drawn.gamma, x))
    mean = x.mean(dim=(2, 3), keepdim=True)
    x = ((x - mean) * _per_film_like(drawn.contrast, x) + mean + _per_film_like(drawn.brightness, x)).clamp(0, 1)
    return x + _per_film_like(drawn.curve, x) * (x - 0.5) * x * (1 - x) * 4


def _paint(x: Tensor, drawn: AugmentParameters) -> Tensor:
    """Erase a box to gray, paint a marker, and darken the collimated border."""
    size = x.shape[-1]
    place = (torch.arange(size, device=x.device, dtype=x.dtype) + 0.5) / size
    erased = _inside(place, drawn.erase.to(x.device))
    x = torch.where(erased, x.mean(dim=(2, 3), keepdim=True), x)
    marked = _inside(place, drawn.marker.to(x.device)) & _glyph(
        place, drawn.marker.to(x.device), drawn.glyph.to(x.device)
    )
    x = torch.where(marked, torch.ones_like(x), x)
    top, left, bottom, right = drawn.border.to(x.device)[:, :, None].unbind(1)  # each [N, 1]
    open_rows = (place[None] >= top) & (place[None] <= 1 - bottom)  # [N, S]
    open_columns = (place[None] >= left) & (place[None] <= 1 - right)
    return x * (open_rows[:, None, :, None] & open_columns[:, None, None, :])


def _inside(place: Tensor, boxes: Tensor) -> Tensor:
    """Bool [N, 1, S, S], true inside each box."""
    top, left, bottom, right = boxes[:, :, None].unbind(1)
    rows = (place[None] >= top) & (place[None] < bottom)
    columns = (place[None] >= left) & (place[None] < right)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _glyph(place: Tensor, boxes: Tensor, glyph: Tensor) -> Tensor:
    """Bool [N, 1, S, S]: the glyph's cells, spread over each box."""
    top, left, bottom, right = boxes[:, :, None].unbind(1)
    cells = glyph.shape[-1]
    row = ((place[None] - top) / (bottom - top).clamp(min=1e-6) * cells).long().clamp(0, cells - 1)  # [N, S]
    column = ((place[None] - left) / (right - left).clamp(min=1e-6) * cells).long().clamp(0, cells - 1)
    film = torch.arange(len(boxes), device=place.device)[:, None, None]
    return (glyph[film, row[:, :, None], column[:, None, :]] > 0)[:, None]


def _per_film_like(values: Tensor, like: Tensor) -> Tensor:
    """[N] as [N, 1, 1, 1] beside the films."""
    return values.to(like.device, like.dtype)[:, None, None, None]


_GAP = 4
_HEAD, _BESIDE = 18, 136  # pixels above and beside the films, for words
_LEAST_SIDE = 96


def augmentation_grid(manifest: Manifest, config: TrainConfig, out: Path, *, films: int, looks: int, seed: int) -> None:
    """Write the grid: one row a film, the plain film first, then ``looks`` augmented ones, with words beside them.

    Args:
        manifest: Films are taken evenly from it.
        config: Its ``augment`` and ``data`` sections.
        out: The PNG.
        films: Rows.
        looks: Columns after the first.
        seed: Of the draw.
    """
    size = config.data.size or default_size(config.network.name)
    spec = PreprocessSpec(size=size, low=config.data.low, high=config.data.high)
    rows = np.linspace(0, len(manifest) - 1, min(films, len(manifest))).astype(np.int64)
    plain = np.stack([preprocess(read_film(manifest, manifest.films[int(row)]), spec) for row in rows])
    batch = torch.from_numpy(plain)[:, None].float() / 255
    generator = torch.Generator().manual_seed(seed)
    numbers = np.arange(len(rows), dtype=np.int64)
    outside = BackgroundSwap(plain, numbers, config.augment.background_swap, progress=False)
    columns = [batch]
    for _ in range(looks):
        drawn = draw_parameters(config.augment, len(rows), generator)
        columns.append(apply_augmentation(outside.swap(batch, torch.from_numpy(numbers), generator), drawn))
    tiles = np.stack([torch.round(column[:, 0] * 255).to(torch.uint8).numpy() for column in columns], axis=1)
    names = [(manifest.films[int(row)].label, manifest.films[int(row)].path) for row in rows]
    words = ", ".join(
        f"{key} {value:g}"
        for key, value in msgspec.structs.asdict(config.augment).items()
        if isinstance(value, int | float) and value and not key.endswith("_probability")
    )
    note = f"{size} x {size} pixels; {words or 'no augmentation'}; seed {seed}. {NOTICE}"
    png = BytesIO()
    _labelled_grid(tiles, names, note).save(png, format="PNG")
    write_atomically(out, png.getvalue())


def _labelled_grid(tiles: NDArray[np.uint8], names: Sequence[tuple[str, str]], note: str) -> Image.Image:
    """The films, uint8 [rows, columns, size, size], with their classes and files beside them and a heading above."""
    rows, columns, size = tiles.shape[:3]
    side = max(size, _LEAST_SIDE)  # small networks' pictures are enlarged, or no word would fit
    font = ImageFont.load_default(11)  # Pillow's own: the same on every machine
    width = _BESIDE + columns * (side + _GAP)
    lines = _lines(note, width - 2 * _GAP, font)
    top = _HEAD + rows * (side + _GAP)
    sheet = Image.new("L", (width, top + 14 * len(lines) + _GAP), 255)
    pen = ImageDraw.Draw(sheet)
    for column in range(columns):
        word = "as it is" if column == 0 else f"augmented {column}" if side > 80 else f"{column}"
        pen.text((_BESIDE + column * (side + _GAP), 3), word, fill=0, font=font)
    for row, (label, path) in enumerate(names):
        y = _HEAD + row * (side + _GAP)
        for place, line in enumerate(
            [*_lines(label, _BESIDE - 8, font), *_lines(PurePath(path).name, _BESIDE - 8, font)]
        ):
            pen.text((_GAP, y + 13 * place), line, fill=0 if place == 0 else 90, font=font)
        for column in range(columns):
            film = Image.fromarray(tiles[row, column]).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(film, (_BESIDE + column * (side + _GAP), y))
    for place, line in enumerate(lines):
        pen.text((_GAP, top + 14 * place), line, fill=90, font=font)
    return sheet


def _lines(text: str, width: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Lines of at most ``width`` pixels; a word that is wider is broken."""
    lines = [""]
    for word in text.split():
        rest = word
        while font.getlength(rest) > width and len(rest) > 1:
            fits = max(1, next(n for n in range(len(rest), 0, -1) if n == 1 or font.getlength(rest[:n]) <= width))
            lines += [rest[:fits]]
            rest = rest[fits:]
        longer = f"{lines[-1]} {rest}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(rest)
    return [line for line in lines if line]
