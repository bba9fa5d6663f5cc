"""Augmentation: drawing the random numbers is one function, applying them another, pure one.

All of it works on whole batches on the device that the batch is on. Each kind is switched off by setting
its strength to 0 in ``AugmentConfig``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor

from pneumoscope.training.degrade import add_grain, coarsen, compress_jpeg, equalize_locally, gaussian_blur, sharpen

if TYPE_CHECKING:
    from pneumoscope.training.config import AugmentConfig

__all__ = ["Draw", "apply", "draw", "warp"]

_MARKER_CELLS = 5  # a painted marker is a 5 x 5 random glyph, about as legible as a real one at network size


@dataclass(frozen=True, slots=True)
class Draw:
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


def draw(config: AugmentConfig, count: int, generator: torch.Generator) -> Draw:
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
    return Draw(
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


def apply(films: Tensor, drawn: Draw) -> Tensor:
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
        share = _column(drawn.weight, x)
        x = share * x + (1 - share) * x[drawn.partner.to(x.device)]
    return x.clamp(0, 1)


def warp(masks: Tensor, drawn: Draw) -> Tensor:
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


def _intensity(x: Tensor, drawn: Draw) -> Tensor:
    """Gamma, contrast about the mean, brightness, then the film curve."""
    x = x.clamp(1e-4, 1).pow(_column(drawn.gamma, x))
    mean = x.mean(dim=(2, 3), keepdim=True)
    x = ((x - mean) * _column(drawn.contrast, x) + mean + _column(drawn.brightness, x)).clamp(0, 1)
    return x + _column(drawn.curve, x) * (x - 0.5) * x * (1 - x) * 4


def _paint(x: Tensor, drawn: Draw) -> Tensor:
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


def _column(values: Tensor, like: Tensor) -> Tensor:
    """[N] as [N, 1, 1, 1] beside the films."""
    return values.to(like.device, like.dtype)[:, None, None, None]
