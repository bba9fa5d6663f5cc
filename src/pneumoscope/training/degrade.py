"""What scanners, printers and file formats do to a film: pure functions on batches.

Every function takes films float32 [N, 1, S, S] in [0, 1] and one strength a film, float32 [N], and gives films
back. A film whose strength is the neutral one comes back as it was. Only the films that need it are worked on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add_grain", "coarsen", "compress_jpeg", "equalize_locally", "gaussian_blur", "sharpen"]

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


def _where(x: Tensor, on: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Change only the films that are ``on``; ``change`` gets them and their indices (on the CPU)."""
    chosen = on.nonzero()[:, 0]
    if len(chosen) == 0:
        return x
    here = chosen.to(x.device)
    return x.index_copy(0, here, change(x[here], chosen))


def _column(values: Tensor, like: Tensor) -> Tensor:
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
    return _where(x, sigma > 0, lambda part, which: _gaussian(part, sigma[which]))


def sharpen(x: Tensor, amount: Tensor) -> Tensor:
    """Unsharp mask of one pixel's radius; 0 for none."""

    def change(part: Tensor, which: Tensor) -> Tensor:
        smooth = _gaussian(part, torch.ones(len(part)))
        return (part + _column(amount[which], part) * (part - smooth)).clamp(0, 1)

    return _where(x, amount > 0, change)


def equalize_locally(x: Tensor, amount: Tensor) -> Tensor:
    """Take a share of the local mean away and put it back as the film's mean; 0 for none.

    What detail-enhancing post-processing of digital radiographs does (and, below 0, its opposite). The
    neighbourhood is a sixteenth of the film.
    """

    def change(part: Tensor, which: Tensor) -> Tensor:
        cells = max(part.shape[-1] // 16, 1)
        small = F.adaptive_avg_pool2d(part, max(part.shape[-1] // cells, 1))
        mean = F.interpolate(small, part.shape[-2:], mode="bilinear", align_corners=False)
        share = _column(amount[which], part)
        return (part - share * (mean - part.mean(dim=(2, 3), keepdim=True))).clamp(0, 1)

    return _where(x, amount != 0, change)


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

    return _where(x, factor > 1, change)


def add_grain(x: Tensor, strength: Tensor, clump: Tensor, seed: int) -> Tensor:
    """Add Gaussian grain of a standard deviation; ``clump`` 0 to 1 mixes in grain of twice the pixel's size."""

    def change(part: Tensor, which: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        white = torch.randn(part.shape, generator=generator).to(part.device, part.dtype)
        coarse = F.avg_pool2d(white, 3, stride=1, padding=1) * 3  # the mean of nine has a third of the deviation
        share = _column(clump[which], part)
        grain = ((1 - share) * white + share * coarse) / torch.sqrt((1 - share) ** 2 + share**2)
        return (part + _column(strength[which], part) * grain).clamp(0, 1)

    return _where(x, strength > 0, change)


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

    return _where(x, quality < 100, change)


def _cosine(like: Tensor) -> Tensor:
    """The orthonormal 8-point DCT-II matrix."""
    k = torch.arange(8, dtype=like.dtype, device=like.device)
    matrix = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    matrix[0] /= math.sqrt(2)
    return matrix
