"""Learning the lung-field network."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lung_field.network import LungField, SlimLungField
from pneumoscope.data.progress import track_progress
from pneumoscope.training.augment import apply_augmentation, draw_parameters, warp_masks
from pneumoscope.training.config import AugmentConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lung_field.films import MaskedFilms

__all__ = ["AUGMENT", "learn", "predict_masks"]

AUGMENT = AugmentConfig(
    rotation=18.0, translation=0.12, zoom=0.25, aspect=0.35, shear=6.0, crop=0.2, contrast=0.5, brightness=0.12,
    gamma=0.5, curve=0.6, local=0.6, local_probability=0.4, blur=1.5, noise=0.05, jpeg=25.0, border=0.15,
    border_probability=0.3, marker_probability=0.4, erase_probability=0.3,
)  # fmt: skip
"""90 films must stand for all scanners, ages and crops, so each is seen in many ways."""

_BATCH = 32
_RATE = 2e-3


def learn(
    parts: list[tuple[MaskedFilms, float]],
    *,
    steps: int,
    seed: int,
    cloudy: float = 0.35,
    start: LungField | None = None,
    progress: bool = True,
) -> LungField:
    """Learn from several sources at once; each batch draws from them in fixed shares.

    Dense lungs are the hard ones, so in some of the looks a soft white cloud is laid over a part of the lungs,
    and the mask stays as it was. The loss is cross-entropy plus soft Dice (Milletari et al., 3DV 2016).

    Args:
        parts: Sources and their shares of a batch.
        steps: Batches.
        seed: Of everything that is drawn.
        cloudy: Share of the looks with a cloud.
        start: Go on from this network; without it, afresh.
        progress: Show a bar.

    Returns:
        The exponential average of the weights, in eval mode.
    """
    torch.manual_seed(seed)
    size = parts[0][0].films.shape[1]
    network = LungField(size) if start is None else start
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]  # torch's stub lacks it
    decay = get_ema_multi_avg_fn(0.99)  # type: ignore[no-untyped-call]  # likewise
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=0.1)
    generator, chance = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    shares = np.array([share for _, share in parts])
    for _ in track_progress(range(steps), total=steps, title="Learning lungs", show=progress):
        films, masks = _batch(parts, shares / shares.sum(), chance)
        drawn = draw_parameters(AUGMENT, len(films), generator)
        masks = warp_masks(masks, drawn)
        films = _clouds(apply_augmentation(films, drawn), masks, cloudy, generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, _features = network(_normalise(films, network).contiguous(memory_format=torch.channels_last))
        loss = _loss(logits.float(), F.avg_pool2d(masks, 2))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # likewise
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
    return cast("LungField", average.module).eval()


def predict_masks(network: LungField | SlimLungField, films: NDArray[np.uint8], batch: int = 64) -> NDArray[np.float32]:
    """Probability of lung: float32 [N, S / 2, S / 2] of films uint8 [N, S, S]."""
    with torch.inference_mode():
        parts = [
            torch.sigmoid(
                network(_normalise(torch.from_numpy(films[i : i + batch])[:, None].float() / 255, network))[0]
            )
            for i in range(0, len(films), batch)
        ]
    masks: NDArray[np.float32] = torch.cat(parts)[:, 0].numpy()
    return masks


def _batch(
    parts: list[tuple[MaskedFilms, float]], shares: NDArray[np.float64], chance: np.random.Generator
) -> tuple[Tensor, Tensor]:
    counts = np.diff(np.round(np.concatenate([[0.0], shares.cumsum()]) * _BATCH)).astype(int)
    some = [part[chance.integers(0, len(part), count)] for (part, _), count in zip(parts, counts, strict=True)]
    films = torch.from_numpy(np.concatenate([part.films for part in some]))[:, None].float() / 255
    masks = torch.from_numpy(np.concatenate([part.masks for part in some]))[:, None]
    return films, masks


def _clouds(films: Tensor, masks: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Lay a soft white cloud over a part of the lungs of some films."""
    count, size = len(films), films.shape[-1]
    coarse = torch.rand(count, 1, 5, 5, generator=generator)
    cloud = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)
    cloud = ((cloud - 0.55) * 4).clamp(0, 1) * (F.avg_pool2d(masks, 9, stride=1, padding=4))
    strength = torch.rand(count, generator=generator) * (torch.rand(count, generator=generator) < share)
    return films + cloud * strength[:, None, None, None] * (0.85 - films).clamp(min=0)


def _loss(logits: Tensor, masks: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    both = (p * masks).sum(dim=(1, 2, 3))
    dice = 1 - (2 * both + 1) / (p.sum(dim=(1, 2, 3)) + masks.sum(dim=(1, 2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, masks) + dice.mean()


def _normalise(films: Tensor, network: LungField | SlimLungField) -> Tensor:
    return (films - network.mean) / network.std
