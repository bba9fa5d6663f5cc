from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from pneumoscope.training.learner import Objective, finding_logit

LOGITS = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) * 3
LABELS = torch.arange(20) % 3
POSITIVE = (False, True, True)


def test_the_findings_logit_is_that_of_its_summed_probabilities() -> None:
    p = LOGITS.double().softmax(1)[:, 1:].sum(1)
    torch.testing.assert_close(finding_logit(LOGITS.double(), torch.tensor(POSITIVE)), torch.logit(p))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_categorical(smoothing: float) -> None:
    weights = torch.tensor([1.0, 2.0, 0.5])
    ours = Objective(POSITIVE, weights=weights, label_smoothing=smoothing)(LOGITS, LABELS)
    torch.testing.assert_close(
        ours, F.cross_entropy(LOGITS, LABELS, weight=weights, label_smoothing=smoothing, reduction="none")
    )


def test_binary_of_two_classes_is_the_usual_one() -> None:
    logits, labels = LOGITS[:, :2], LABELS % 2
    ours = Objective((False, True), finding_weight=1.0)(logits, labels)
    usual = F.binary_cross_entropy_with_logits(logits[:, 1] - logits[:, 0], labels.float(), reduction="none")
    torch.testing.assert_close(ours, usual)


def test_a_share_of_each() -> None:
    whole = Objective(POSITIVE)(LOGITS, LABELS)
    binary = Objective(POSITIVE, finding_weight=1.0)(LOGITS, LABELS)
    torch.testing.assert_close(Objective(POSITIVE, finding_weight=0.3)(LOGITS, LABELS), 0.7 * whole + 0.3 * binary)
