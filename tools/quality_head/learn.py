"""Learning the head: small networks on samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pneumoscope.quality.head import (
    CHEST,
    FEATURE_COUNT,
    FIT,
    FRONTAL,
    HEAD_OUTPUTS,
    INVERTED,
    MIRRORED,
    RADIOGRAPH,
    SINGLE,
    TURNS,
    WHOLE,
    QualityHead,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["labels_of", "learn_head"]

_HIDDEN = 80
_NETWORKS = 2
_RATE = 3e-3
_BATCH = 256
_KEPT = 0.98  # share of the variance along the axes of the distance
_UNKNOWN = -1.0


def labels_of(family: str, turn: int = 0, *, inverted: bool = False, mirrored: bool = False) -> NDArray[np.float32]:
    """What is true of a picture: float32 [A], -1 where it cannot be said.

    Args:
        family: "film", or the family of its kind.
        turn: Quarter turns, counter-clockwise.
        inverted: Whether its tones are turned round.
        mirrored: Whether it was mirrored before it was turned.
    """
    said = np.full(len(HEAD_OUTPUTS), _UNKNOWN, dtype=np.float32)
    of_film = family in {"film", "part", "several", "page", "tilted"}
    said[FIT] = family == "film" and turn == 0 and not inverted
    said[RADIOGRAPH] = of_film or family in {"other radiograph", "scrambled", "lateral"}
    said[CHEST] = of_film or family == "lateral"
    if of_film:
        said[INVERTED] = inverted
    if family in {"film", "part", "lateral"}:
        said[WHOLE], said[SINGLE] = family != "part", 1
    if family in {"film", "lateral"}:
        said[FRONTAL] = family == "film"
    if family == "several":
        said[SINGLE] = 0
    if family == "film":
        said[MIRRORED] = mirrored
        said[TURNS] = np.eye(4)[turn]
    return said


def learn_head(
    inputs: NDArray[np.float32],
    labels: NDArray[np.float32],
    weights: NDArray[np.float32],
    *,
    epochs: int = 30,
    seed: int = 0,
) -> QualityHead:
    """Learn the answers, and where the films that are fit lie.

    Args:
        inputs: float32 [N, D], the lung-field network's features.
        labels: float32 [N, A], of ``labels_of``.
        weights: float32 [N], how much each picture counts.
        epochs: Passes over the pictures.
        seed: Of everything that is drawn.
    """
    fit = inputs[labels[:, FIT] == 1]
    mean = fit.mean(axis=0)
    # The spread of all pictures, not of the films alone: what never varies in films would be blown up elsewhere.
    scale = inputs.std(axis=0) + 1e-3
    x = torch.from_numpy(np.clip((inputs - mean) / scale, -6, 6))
    y, w = torch.from_numpy(labels), torch.from_numpy(weights)
    networks = [_learn_one(x, y, w, epochs=epochs, seed=seed * 100 + number) for number in range(_NETWORKS)]
    laid = np.clip((fit - mean) / scale, -6, 6)[:, :FEATURE_COUNT]
    _, singular, axes = np.linalg.svd(laid - laid.mean(axis=0), full_matrices=False)
    share = np.cumsum(singular**2) / np.sum(singular**2)
    kept = int(np.searchsorted(share, _KEPT)) + 1
    return QualityHead(
        mean=mean,
        scale=scale,
        first=np.stack([first.weight.detach().numpy().T for first, _ in networks]),
        first_bias=np.stack([first.bias.detach().numpy() for first, _ in networks]),
        second=np.stack([second.weight.detach().numpy().T for _, second in networks]),
        second_bias=np.stack([second.bias.detach().numpy() for _, second in networks]),
        axes=axes[:kept].T.astype(np.float32),
        spread=(singular[:kept] / np.sqrt(len(fit) - 1)).astype(np.float32),
    )


def _learn_one(x: Tensor, y: Tensor, w: Tensor, *, epochs: int, seed: int) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    first, second = nn.Linear(x.shape[1], _HIDDEN), nn.Linear(_HIDDEN, y.shape[1])
    network = nn.Sequential(first, nn.ReLU(), nn.Dropout(0.3), second)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.05)
    steps = epochs * (len(x) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        if step % (len(x) // _BATCH) == 0:
            order = torch.randperm(len(x), generator=generator)
        rows = order[(step % (len(x) // _BATCH)) * _BATCH :][:_BATCH]
        # Noise and missing numbers on the inputs: the films of other hospitals differ in them.
        seen = x[rows] + 0.15 * torch.randn(len(rows), x.shape[1], generator=generator)
        seen = seen * (torch.rand(seen.shape, generator=generator) > 0.1)
        loss = _loss(network(seen), y[rows], w[rows])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return first, second


def _loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of each answer that is known, the turns as one; being fit counts double."""
    known = (labels != _UNKNOWN).float() * weights[:, None]
    known[:, FIT] *= 2
    turned = known[:, TURNS.start].clone()
    known[:, TURNS] = 0
    each = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), reduction="none")
    turns = F.cross_entropy(logits[:, TURNS], labels[:, TURNS].clamp(min=0), reduction="none")
    return (each * known).sum() / known.sum() * 3 + (turns * turned).sum() / turned.sum().clamp(min=1)
