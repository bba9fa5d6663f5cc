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


def test_a_film_of_several_classes_is_asked_for_their_sum() -> None:
    allowed = torch.tensor([[True, False, False], [False, True, True]])
    logits = torch.tensor([[0.3, -1.0, 2.0], [0.1, 0.7, -0.4]])
    p = logits.softmax(1)
    ours = Objective((False, True, True))(logits, allowed)
    torch.testing.assert_close(ours, -torch.log(torch.stack([p[0, 0], p[1, 1] + p[1, 2]])))
    binary = Objective((False, True, True), finding_weight=1.0)(logits, allowed)
    torch.testing.assert_close(binary, -torch.log(torch.stack([p[0, 0], p[1, 1:].sum()])))


def test_labels_of_one_class_each_are_the_same_as_numbers() -> None:
    allowed = torch.nn.functional.one_hot(LABELS, LOGITS.shape[1]).bool()
    objective = Objective(POSITIVE, label_smoothing=0.1, finding_weight=0.3)
    torch.testing.assert_close(objective(LOGITS, allowed), objective(LOGITS, LABELS))
