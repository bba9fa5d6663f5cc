from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscope.networks.base import FlattenHead, GlobalAverageHead, Head

sides = st.integers(1, 5)


@st.composite
def heads(draw: st.DrawFn) -> tuple[Head, torch.Tensor]:
    """Any head with random weights, and features that fit it."""
    torch_seed = draw(st.integers(0, 2**31))
    channels, h, w, classes = draw(st.integers(1, 4)), draw(sides), draw(sides), draw(st.integers(2, 4))
    dense = draw(st.lists(st.integers(1, 6), max_size=3))
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(torch_seed)
        head: Head
        if draw(st.booleans()):
            head = GlobalAverageHead(channels, classes, dropout=0.5, standardise=draw(st.booleans()))
        else:
            head = FlattenHead(channels, (h, w), dense, classes, dropout=[0.5] * len(dense))
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter)
        return head.double(), torch.randn(3, channels, h, w, dtype=torch.float64)


@given(heads())
@settings(deadline=None, max_examples=60)
def test_evidence_and_bias_sum_to_the_logit(case: tuple[Head, torch.Tensor]) -> None:
    head, features = case
    head.eval()
    logits, evidence = head.explain(features)
    assert evidence.shape == (*logits.shape, *features.shape[2:])
    torch.testing.assert_close(
        evidence.mean(dim=(2, 3)) + torch.tensor(head.evidence_bias()), logits, atol=1e-6, rtol=1e-6
    )
    torch.testing.assert_close(logits.float(), head(features).float())


def test_flatten_evidence_is_gradient_times_features() -> None:
    generator = torch.Generator().manual_seed(0)
    head = FlattenHead(4, (3, 2), [10, 7], 3, dropout=[0.0, 0.0]).double()
    features = torch.randn(1, 4, 3, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    logits, evidence = head.explain(features)
    for c in range(3):
        (gradient,) = torch.autograd.grad(logits[0, c], features, retain_graph=True)
        by_place = (gradient * features).sum(dim=1)[0] * 6
        constant = logits[0, c] - (gradient * features).sum()
        torch.testing.assert_close(evidence[0, c], by_place + constant)


def test_global_average_evidence_is_local() -> None:
    head = GlobalAverageHead(4, 3).eval()
    features = torch.zeros(1, 4, 5, 5)
    features[0, :, 1, 2] = 1.0
    _, evidence = head.explain(features)
    assert evidence[0, 0].nonzero().tolist() == [[1, 2]]


@pytest.mark.parametrize("head", [GlobalAverageHead(4, 2, dropout=0.5), FlattenHead(4, (2, 2), [8], 2, dropout=[0.5])])
def test_explaining_knows_no_dropout(head: Head) -> None:
    features = torch.randn(2, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    head.train()
    first, second = head.explain(features), head.explain(features)
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_logits_keep_float32_under_autocast() -> None:
    head = GlobalAverageHead(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert head(torch.ones(2, 4, 3, 3, dtype=torch.bfloat16)).dtype is torch.float32
