"""A slim lung-field network that learns from the large one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import onnx
import torch
import torch.nn.functional as F  # noqa: N812
from onnx import numpy_helper
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lung_field.learn import AUGMENT
from lung_field.network import LungField, SlimLungField
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import TrainingError
from pneumoscope.training.augment import apply_augmentation, draw_parameters
from quality_head.kinds import KINDS, draw_kind
from quality_head.samples import film_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["large_of", "no_films", "slimmed"]

_RATE = 3e-3
_DECAY = 0.99  # of the average of the weights, a batch
_CHANGED, _PLAIN, _MOVED, _OTHERS = 14, 6, 6, 6
"""Of a batch: films under strong augmentation, films as they are, films turned or inverted, pictures that are none."""
_INVERTED = 0.3
_SMALL = 4  # places a side that the gate's small mask takes together
_SMOOTH = 10.0  # places; a mask of nothing is no reason to learn fast


def large_of(graph: bytes) -> LungField:
    """The torch network of an ONNX file that ``train_lungs`` wrote.

    Raises:
        TrainingError: It is the graph of another network.
    """
    parts = onnx.load_from_string(graph).graph
    held = {each.name: torch.tensor(numpy_helper.to_array(each)) for each in parts.initializer}
    network = LungField().eval()
    try:
        _folded(network.stem, "network.stem", held)
        for level, stage in enumerate(network.down):
            for place, step in enumerate(cast("nn.Sequential", stage)):
                _folded(cast("nn.Sequential", step), f"network.down.{level}.{place}", held)
        for level, (bridge, merge) in enumerate(zip(network.bridge, network.merge, strict=True)):
            _plain(cast("nn.Conv2d", bridge), f"network.bridge.{level}", held)
            _folded(cast("nn.Sequential", merge), f"network.merge.{level}", held)
        _plain(network.last, "network.last", held)
    except KeyError as error:
        raise TrainingError(
            f"the graph has no {error}", where="the large lung-field network", remedy="Give what train_lungs.py wrote"
        ) from error
    if all(node.op_type != "Div" for node in parts.node):
        # Graphs without a division: the first layer takes gray levels about their middle, and divides them itself.
        cast("nn.Conv2d", network.stem[0]).weight.data *= 255 * network.std
    return network


def _folded(step: nn.Sequential, name: str, held: Mapping[str, Tensor]) -> None:
    """The exporter has folded each normalisation into the layer before it: here it only adds the bias."""
    layer, norm = cast("nn.Conv2d", step[0]), cast("nn.BatchNorm2d", step[1])
    layer.weight.data = held[f"{name}.0.weight"]
    cast("Tensor", norm.running_mean).zero_()
    cast("Tensor", norm.running_var).fill_(1 - norm.eps)
    norm.weight.data.fill_(1)
    norm.bias.data = held[f"{name}.0.weight_bias"]


def _plain(layer: nn.Conv2d, name: str, held: Mapping[str, Tensor]) -> None:
    layer.weight.data = held[f"{name}.weight"]
    cast("Tensor", layer.bias).data = held[f"{name}.bias"]


def no_films(films: NDArray[np.uint8], each: int, *, seed: int, progress: bool = True) -> NDArray[np.uint8]:
    """Pictures of every kind that the gate learns from: uint8 [N, S, S]. Kinds that it holds out are passed over."""
    rng = np.random.default_rng(seed)
    told = [kind for kind in KINDS if not kind.held_out for _ in range(each)]
    return np.stack(
        [
            draw_kind(kind, rng, list(films[rng.integers(0, len(films), 9)].astype(np.float32) / 255))
            for kind in track_progress(told, total=len(told), title="Drawing pictures", show=progress)
        ]
    )


def slimmed(
    large: LungField,
    films: NDArray[np.uint8],
    others: NDArray[np.uint8],
    *,
    steps: int = 2500,
    seed: int = 0,
    progress: bool = True,
) -> SlimLungField:
    """Learn the upward path from what the large network says (Hinton et al., "Distilling the knowledge", 2015).

    The downward path is not touched. The gate looks at films that are put wrong and at pictures that are none, and its
    head knows what the large network makes of them: these are learned from as well.

    Args:
        large: Trained; its downward path becomes part of what is returned.
        films: uint8 [N, S, S], as the network sees them.
        others: Likewise, pictures that are no films.
        steps: Batches.
        seed: Of everything that is drawn.
        progress: Show a bar.

    Returns:
        The exponential average of the weights, in eval mode.
    """
    torch.manual_seed(seed)
    large = large.requires_grad_(requires_grad=False).eval()
    network = SlimLungField(large)
    own = [weight for weight in network.parameters() if weight.requires_grad]
    decay = get_ema_multi_avg_fn(_DECAY)  # type: ignore[no-untyped-call]  # torch's stub lacks it
    average = AveragedModel(network.eval(), multi_avg_fn=decay, use_buffers=True)
    optimizer = torch.optim.AdamW(own, lr=_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=0.1)
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    network.merge.train()  # and nothing else: the downward path keeps its averages too
    for _ in track_progress(range(steps), total=steps, title="Slimming lungs", show=progress):
        x = _batch(films, others, generator, rng)
        x = ((x - network.mean) / network.std).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            told = torch.sigmoid(large(x)[0])
        loss = _loss(network(x)[0], told)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # likewise
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
    return cast("SlimLungField", average.module).eval()


def _batch(
    films: NDArray[np.uint8], others: NDArray[np.uint8], generator: torch.Generator, rng: np.random.Generator
) -> Tensor:
    """Gray float32 [N, 1, S, S] in 0..1."""

    def some(pictures: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
        chosen: NDArray[np.uint8] = pictures[rng.integers(0, len(pictures), count)]
        return chosen

    changed = _gray(some(films, _CHANGED))
    changed = apply_augmentation(changed, draw_parameters(AUGMENT, len(changed), generator))
    plain = some(films, _PLAIN)
    moved = [
        _moved(picture, rng) for part, count in ((films, _MOVED), (others, _OTHERS)) for picture in some(part, count)
    ]
    return torch.cat([changed, _gray(plain), _gray(np.stack(moved))])


def _gray(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures)[:, None].float() / 255


def _moved(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Mirrored, turned and inverted by chance, and looked at anew."""
    picture = np.rot90(picture[:, ::-1] if rng.random() < 0.5 else picture, int(rng.integers(4)))
    return film_inputs(rng, np.ascontiguousarray(255 - picture if rng.random() < _INVERTED else picture))


def _loss(logits: Tensor, told: Tensor) -> Tensor:
    """Relative entropy, soft Dice, and how far the gate's small masks lie apart."""
    p = torch.sigmoid(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, told) - F.binary_cross_entropy(told, told)
    both = (p * told).sum(dim=(1, 2, 3))
    dice = 1 - (2 * both + _SMOOTH) / ((p * p).sum(dim=(1, 2, 3)) + (told * told).sum(dim=(1, 2, 3)) + _SMOOTH)
    small = (F.avg_pool2d(p, _SMALL) - F.avg_pool2d(told, _SMALL)).abs().mean()
    return entropy + 0.5 * dice.mean() + small
