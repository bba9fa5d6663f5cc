"""What is minimised: categorical cross-entropy, the finding's binary one, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Objective", "finding_logit"]


def finding_logit(logits: Tensor, positive: Tensor) -> Tensor:
    """Log-odds of the finding against its absence: [N, C] -> [N].

    The softmax probabilities of the positive classes summed, as log-odds.

    Args:
        logits: float [N, C].
        positive: bool [C].
    """
    return torch.logsumexp(logits[:, positive], dim=1) - torch.logsumexp(logits[:, ~positive], dim=1)


class Objective(torch.nn.Module):
    """The loss of a batch.

    Args:
        positive: One bool a class.
        weights: One weight a class, or None.
        label_smoothing: 0 to 1 (Szegedy et al., CVPR 2016, section 7).
        finding_weight: Share of the finding's binary cross-entropy; 1 leaves nothing else.
    """

    def __init__(
        self,
        positive: Sequence[bool],
        *,
        weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        finding_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.positive: Tensor
        self.weights: Tensor | None
        self.register_buffer("positive", torch.tensor(list(positive)), persistent=False)
        self.register_buffer("weights", weights, persistent=False)
        self.label_smoothing = label_smoothing
        self.finding_weight = finding_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of each film: float [N] (weighted by class, so that its mean is the batch's loss)."""
        share = self.finding_weight
        loss = logits.new_zeros(len(logits))
        if share < 1:
            loss = loss + (1 - share) * F.cross_entropy(
                logits, labels, weight=self.weights, label_smoothing=self.label_smoothing, reduction="none"
            )
        if share > 0:
            target = self.positive[labels].to(logits.dtype)
            smooth = target * (1 - self.label_smoothing) + self.label_smoothing / 2
            binary = F.binary_cross_entropy_with_logits(finding_logit(logits, self.positive), smooth, reduction="none")
            loss = loss + share * (binary if self.weights is None else binary * self.weights[labels])
        return loss
