"""The mean of networks is a network: its evidence sums to its logits."""

from __future__ import annotations

import pytest
import torch

from pneumoscope.errors import ConfigError
from pneumoscope.networks.ensemble import Ensemble
from pneumoscope.networks.registry import build


def _film(size: int = 64) -> torch.Tensor:
    return torch.randn(3, 1, size, size, generator=torch.Generator().manual_seed(1))


def test_it_says_the_mean_of_what_its_members_say() -> None:
    members = [build("residual", classes=3, size=64, options={"width": width}, seed=width).eval() for width in (8, 16)]
    joined = Ensemble(members).eval()
    film = _film()
    with torch.inference_mode():
        expected = torch.stack([member(film) for member in members]).mean(dim=0)
        logits, evidence = joined.explain(film)
        torch.testing.assert_close(joined(film), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    summed = evidence.mean(dim=(2, 3)) + torch.tensor(joined.evidence_bias())
    torch.testing.assert_close(summed, logits, atol=1e-4, rtol=1e-4)


def test_networks_that_do_not_fit_are_refused() -> None:
    three = build("residual", classes=3, size=64, options={"width": 8})
    two = build("residual", classes=2, size=64, options={"width": 8})
    coarse = build("residual", classes=3, size=64, options={"width": 8, "strides": [2, 2, 2, 2]})
    with pytest.raises(ConfigError, match="one set of classes"):
        Ensemble([three, two])
    with pytest.raises(ConfigError, match="one height and width"):
        Ensemble([three, coarse])
