from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pneumoscope.networks.base import parameters_count
from pneumoscope.networks.registry import build
from pneumoscope.networks.residual import Block, Blur, HalfInstanceNorm, MixStyle


def test_the_default_is_slim_and_reads_by_sixteen_pixels() -> None:
    network = build("residual", classes=3, size=192).eval()
    assert 2.7e6 < parameters_count(network) < 2.9e6
    with torch.no_grad():
        _, evidence = network.explain(torch.zeros(1, 1, 192, 192))
    assert evidence.shape == (1, 3, 12, 12)


@pytest.mark.parametrize(
    "options",
    [
        {"stem": "patch", "strides": [1, 2]},
        {"stem": "wide", "strides": [1, 2]},
        {"blur": True},
        {"squeeze": True},
        {"instance": 1, "style": 0.5},
        {"dilation": 2, "strides": [2, 1]},
        {"blur": True, "squeeze": True, "strides": [1, 2], "stem": "patch"},
    ],
)
@pytest.mark.parametrize("size", [32, 37])
def test_every_layout_learns_at_any_size(options: dict[str, Any], size: int) -> None:
    network = build(
        "residual", classes=2, size=size, options={"width": 8, "blocks": [1, 2], "strides": [2, 2], **options}
    )
    network(torch.randn(4, 1, size, size, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_fresh_block_passes_its_input_on() -> None:
    network = build("residual", classes=2, size=32, options={"width": 8, "blocks": [2], "strides": [1]})
    x = torch.rand(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    block = next(module for module in network.modules() if isinstance(module, Block))
    assert torch.equal(block(x), x)


def test_dilation_widens_only_stages_that_keep_the_size() -> None:
    network = build(
        "residual", classes=2, size=32, options={"width": 8, "blocks": [1] * 3, "strides": [1, 2, 1], "dilation": 2}
    )
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    assert [block.conv2.dilation for block in blocks] == [(1, 1), (1, 1), (2, 2)]


def test_blurring_keeps_a_flat_picture_flat() -> None:
    flat = torch.full((1, 2, 7, 7), 3.0)
    torch.testing.assert_close(Blur(2)(flat), torch.full((1, 2, 4, 4), 3.0))


def test_runs_in_bfloat16_and_channels_last() -> None:
    network = build("residual", classes=3, size=32, options={"width": 16}).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    films = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    network.eval()
    with torch.no_grad():
        full = network(films)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(films.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(half, full, atol=0.02, rtol=0.05)
    assert isinstance(network, nn.Module)


def test_half_of_the_channels_forget_the_films_contrast() -> None:
    norm = HalfInstanceNorm(6).eval()
    x = torch.rand(2, 6, 8, 8, generator=torch.Generator().manual_seed(0))
    plain, changed = norm(x), norm(3 * x + 1)
    torch.testing.assert_close(plain[:, :3], changed[:, :3], atol=2e-3, rtol=0)
    assert (plain[:, 3:] - changed[:, 3:]).abs().min() > 0.5


def test_styles_are_mixed_only_while_learning_and_places_stay() -> None:
    mix = MixStyle(1.0)
    x = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 9)[:, None, None, None]
    assert torch.equal(mix.eval()(x), x)
    torch.manual_seed(0)
    mixed = mix.train()(x)
    assert not torch.allclose(mixed, x)
    # Each channel is an affine function of itself, so the order of its places is kept...
    assert torch.equal(mixed.flatten(2).argsort(dim=2), x.flatten(2).argsort(dim=2))
    # ... and every mean lies within those of the batch.
    assert (mixed.mean(dim=(2, 3)) <= x.mean(dim=(2, 3)).amax(dim=0) + 1e-4).all()
    assert torch.equal(MixStyle(0.0).train()(x), x)
