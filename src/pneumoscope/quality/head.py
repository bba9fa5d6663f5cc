"""The quality network: two small dense layers in numpy on the features of the lung segmentation.

The lung-field network's graph gives them as its features, D = FEATURES + 2 GRID^2 numbers: log(1 + the mean of each
channel), the mask, and the film of 0 to 1, both as means over a grid. The first are means over the picture, so they
tell what is in it, and hardly where; the two small pictures tell where, and so which way is up. The graph has all at
hand: what costs a tenth of a millisecond outside is nearly free inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from io import BytesIO
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from pneumoscope.errors import BundleDamaged

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CHEST",
    "FEATURE_COUNT",
    "FIT",
    "FRONTAL",
    "GRID",
    "HEAD_OUTPUTS",
    "INVERTED",
    "MIRRORED",
    "RADIOGRAPH",
    "SINGLE",
    "TURNS",
    "WHOLE",
    "QualityHead",
    "mirrored_inputs",
    "quality_head",
    "with_mirror_image",
]

HEAD_OUTPUTS = (
    "fit",
    "radiograph",
    "chest",
    "frontal",
    "whole",
    "single",
    "inverted",
    "mirrored",
    "turned 0",
    "turned 90",
    "turned 180",
    "turned 270",
)
"""Logits. "fit": a whole, frontal, upright chest film that is not inverted, and only one. The turns share one softmax
and are counter-clockwise; each of the others stands for itself."""

FIT, RADIOGRAPH, CHEST, FRONTAL, WHOLE, SINGLE, INVERTED, MIRRORED = range(8)
TURNS = slice(8, 12)


FEATURE_COUNT = 256
"""Mean activations of the lung-field network's stages."""

GRID = 16
"""Side of the small mask and the small film."""


def mirrored_inputs(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the inputs of the mirrored film nearly are: float32 [..., D] of [..., D], without a second look.

    The two small pictures are mirrored; the features, which hardly tell where, are kept.
    """
    mirrored: NDArray[np.float32] = inputs.take(_mirror_permutation()[1], axis=-1)
    return mirrored


def with_mirror_image(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inputs of a film and of its mirror image: float32 [..., 2, D] of [..., D]."""
    both: NDArray[np.float32] = inputs.take(_mirror_permutation(), axis=-1)
    return both


@lru_cache(maxsize=1)
def _mirror_permutation() -> NDArray[np.int64]:
    """Where each number of the film and of its mirror image is among the film's: int64 [2, D]."""
    places = np.arange(FEATURE_COUNT + 2 * GRID * GRID)
    small = places[FEATURE_COUNT:].reshape(2, GRID, GRID)
    return np.stack([places, np.concatenate([places[:FEATURE_COUNT], small[..., ::-1].ravel()])])


_SHIPPED_HEAD = Path(__file__).with_name("gate.npz")
_REMEDY = "Install pneumoscope again"
_WILD = np.float32(6)  # standard deviations; one wild number must not decide alone


@dataclass(frozen=True, eq=False)
class QualityHead:
    """What was learned of the lung-field network's features; D numbers in, A logits and a distance out.

    Attributes:
        mean: float32 [D], of the films that are fit.
        scale: float32 [D], what a number is divided by after that.
        first: float32 [E, D, H], the first layer of each of E networks.
        first_bias: float32 [E, H].
        second: float32 [E, H, A], likewise.
        second_bias: float32 [E, A].
        axes: float32 [F, K], onto which the first F numbers are laid for the distance.
        spread: float32 [K], standard deviation along each.
        sha256: Of the file.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    first: NDArray[np.float32]
    first_bias: NDArray[np.float32]
    second: NDArray[np.float32]
    second_bias: NDArray[np.float32]
    axes: NDArray[np.float32]
    spread: NDArray[np.float32]
    sha256: str = ""

    def standard(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Centred and scaled, and bounded."""
        x: NDArray[np.float32] = inputs - self.mean
        x *= self._joined[5]
        np.maximum(x, -_WILD, out=x)
        np.minimum(x, _WILD, out=x)
        return x

    def answers(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits in the order of ``ANSWERS``, the mean over the networks: float32 [..., A] of [..., D]."""
        return self._answered(self.standard(inputs))

    def distance(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far from the films that the head has learned from: root mean square of the whitened features, [...].

        A Mahalanobis distance (Lee et al., "A simple unified framework for detecting out-of-distribution samples",
        NeurIPS 2018) to the one class of films that are fit; 1 is usual.
        """
        return self._away(self.standard(inputs))

    def judge(self, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float]:
        """Answers, distance and side of one picture in one pass: float32 [A] of [D], and two numbers."""
        x = self.standard(with_mirror_image(inputs))
        answers = self._answered(x)
        laid = x[0, : len(self.axes)] @ self._joined[4]
        away = sqrt(float(laid @ laid) / len(laid))  # as ``distance``, with nothing new to call
        return answers[0], away, float(answers[0, MIRRORED] - answers[1, MIRRORED]) / 2

    def side(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much more the film looks mirrored than its mirror image does: half the difference of the logits, [...].

        What speaks for neither side (an adult's heart, a film that is turned a little) speaks in both, and cancels.
        """
        both = self.answers(with_mirror_image(inputs))[..., MIRRORED]
        lean: NDArray[np.float32] = (both[..., 0] - both[..., 1]) / np.float32(2)
        return lean

    def _answered(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        first, first_bias, second, second_bias, _, _ = self._joined
        hidden: NDArray[np.float32] = x @ first
        hidden += first_bias
        np.maximum(hidden, 0, out=hidden)
        answered: NDArray[np.float32] = hidden @ second
        answered += second_bias
        return answered

    def _away(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        laid = x[..., : len(self.axes)] @ self._joined[4]
        root: NDArray[np.float32] = np.sqrt((laid * laid).sum(axis=-1) / np.float32(laid.shape[-1]))
        return root

    @cached_property
    def _joined(self) -> tuple[NDArray[np.float32], ...]:
        """The networks side by side, so that all answer with two products; axes in units of their spread; 1 / scale."""
        networks, numbers, _ = self.first.shape
        return (
            np.ascontiguousarray(np.moveaxis(self.first, 0, 1).reshape(numbers, -1)),
            self.first_bias.ravel(),
            self.second.reshape(-1, self.second.shape[-1]) / np.float32(networks),
            self.second_bias.mean(axis=0, dtype=np.float32),
            self.axes / self.spread,
            np.float32(1) / self.scale,
        )

    def to_bytes(self) -> bytes:
        """As a file; half precision, which moves a logit by less than a hundredth."""
        held = BytesIO()
        np.savez(held, **{name: getattr(self, name).astype(np.float16) for name in _ARRAYS})
        return held.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, where: Path | None = None) -> QualityHead:
        """Read what ``to_bytes`` wrote.

        Raises:
            BundleDamaged: It is something else, or damaged.
        """
        try:
            with np.load(BytesIO(data), allow_pickle=False) as file:
                arrays: dict[str, Any] = {name: file[name].astype(np.float32) for name in _ARRAYS}
        except (KeyError, ValueError, OSError, EOFError, BadZipFile) as error:
            raise BundleDamaged("the gate's head cannot be read", where=where, remedy=_REMEDY) from error
        head = cls(**arrays, sha256=sha256(data).hexdigest())
        if head.second.shape[-1] != len(HEAD_OUTPUTS) or head.first.shape[1] != len(head.mean):
            raise BundleDamaged("the gate's head gives other answers than are asked", where=where, remedy=_REMEDY)
        return head


_ARRAYS = ("mean", "scale", "first", "first_bias", "second", "second_bias", "axes", "spread")


@lru_cache(maxsize=1)
def quality_head() -> QualityHead:
    """The one that comes with the package, loaded once a process.

    Raises:
        BundleDamaged: It cannot be used.
    """
    try:
        data = _SHIPPED_HEAD.read_bytes()
    except OSError as error:
        raise BundleDamaged(
            f"the gate's head cannot be read ({error.strerror})", where=_SHIPPED_HEAD, remedy=_REMEDY
        ) from error
    return QualityHead.from_bytes(data, _SHIPPED_HEAD)
