"""Networks that have been shaken, and small transformers checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from pneumoscope.networks.registry import build

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pneumoscope.networks.base import Network

SIZE = 32

# A family whose evidence has 1 / 32 of the side, and would have one cell of films of SIZE.
SIZES = {"efficientnet-lite0": 64}

# Every family at a size that a test can afford.
SMALL: dict[str, dict[str, Any]] = {
    "residual": {"width": 8, "blocks": [1, 1], "strides": [2, 2]},
    "classic-2conv": {"blocks": [[4, 4], [8, 8]], "dense": [16]},
    "classic-4conv": {"blocks": [[4, 4], [8, 8]], "dense": [16]},
    "classic-3conv": {"blocks": [[4, 4, 4]], "dense": [8]},
    "dilated-5": {"blocks": [[4, 4], [4, 4], [8, 8], [8, 8]], "dense": [16]},
    "separable-5": {
        "blocks": [[4, 4], [4, 4], [8, 8]],
        "separable": 2,
        "dropout": 0.2,
        "dense": [16, 12, 8],
    },
    "efficientnet-lite0": {"pretrained": False},
    "transfer": {},
}


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each kind of transformers model, tiny, as save_pretrained writes it."""
    transformers = pytest.importorskip("transformers")
    tokens: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIZE,
        "patch_size": 8,
    }
    stages: dict[str, Any] = {"hidden_sizes": [8, 16], "depths": [1, 1]}
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        models = _models(transformers, tokens, stages)
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, model in models.items():
        model.save_pretrained(folder / name)
    return {name: folder / name for name in models}


def _models(transformers: Any, tokens: dict[str, Any], stages: dict[str, Any]) -> dict[str, Any]:
    return {
        "resnet": transformers.ResNetForImageClassification(
            transformers.ResNetConfig(embedding_size=8, layer_type="basic", **stages)
        ),
        "convnextv2": transformers.ConvNextV2ForImageClassification(
            transformers.ConvNextV2Config(num_stages=2, **stages)
        ),
        "mobilenet": transformers.MobileNetV2ForImageClassification(
            transformers.MobileNetV2Config(
                depth_multiplier=0.1, finegrained_output=False, output_stride=8, initializer_range=0.4
            )
        ),
        "vit": transformers.ViTForImageClassification(transformers.ViTConfig(intermediate_size=32, **tokens)),
        "dinov2": transformers.Dinov2Model(transformers.Dinov2Config(**tokens)),
        "registers": transformers.Dinov2WithRegistersModel(transformers.Dinov2WithRegistersConfig(**tokens)),
        "backbone": transformers.Dinov2Backbone(transformers.Dinov2Config(**tokens)),
    }


@pytest.fixture(
    params=[
        *(name for name in SMALL if name != "transfer"),
        *(f"transfer:{k}" for k in ("resnet", "convnextv2", "mobilenet", "vit", "dinov2")),
    ]
)
def small(request: pytest.FixtureRequest) -> Callable[..., Network]:
    """Builds each family in turn, small: ``small()``, ``small(seed=1)``, ``small(size=40)``."""
    name, _, kind = request.param.partition(":")
    options: Mapping[str, Any] = SMALL[name]
    if kind:
        options = {"checkpoint": str(request.getfixturevalue("checkpoints")[kind])}

    def make(*, size: int = SIZES.get(name, SIZE), seed: int = 0, classes: int = 3) -> Network:
        return build(name, classes=classes, size=size, options=options, seed=seed)

    return make


@pytest.fixture
def shake() -> Callable[[Network], Network]:
    """Gives a network weights and batch statistics that are neither zero nor one, in eval mode.

    Fresh networks have zeros in places (biases, the end of a residual block), behind which faults hide.
    """

    def shaken(network: Network) -> Network:
        generator = torch.Generator().manual_seed(7)
        network.train()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
            for _ in range(3):
                network(torch.randn(8, 1, network.size, network.size, generator=generator))
        return network.eval()

    return shaken
