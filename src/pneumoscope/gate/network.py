"""The gate's head: two small dense layers, in numpy."""

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
from pneumoscope.gate.answers import ANSWERS, MIRRORED
from pneumoscope.gate.inputs import both_ways

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GateHead", "gate_head"]

_SHIPPED = Path(__file__).with_name("gate.npz")
_REMEDY = "Install pneumoscope again"
_WILD = np.float32(6)  # standard deviations; one wild number must not decide alone


@dataclass(frozen=True, eq=False)
class GateHead:
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
        x = self.standard(both_ways(inputs))
        answers = self._answered(x)
        laid = x[0, : len(self.axes)] @ self._joined[4]
        away = sqrt(float(laid @ laid) / len(laid))  # as ``distance``, with nothing new to call
        return answers[0], away, float(answers[0, MIRRORED] - answers[1, MIRRORED]) / 2

    def side(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much more the film looks mirrored than its mirror image does: half the difference of the logits, [...].

        What speaks for neither side (an adult's heart, a film that is turned a little) speaks in both, and cancels.
        """
        both = self.answers(both_ways(inputs))[..., MIRRORED]
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
    def from_bytes(cls, data: bytes, where: Path | None = None) -> GateHead:
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
        if head.second.shape[-1] != len(ANSWERS) or head.first.shape[1] != len(head.mean):
            raise BundleDamaged("the gate's head gives other answers than are asked", where=where, remedy=_REMEDY)
        return head


_ARRAYS = ("mean", "scale", "first", "first_bias", "second", "second_bias", "axes", "spread")


@lru_cache(maxsize=1)
def gate_head() -> GateHead:
    """The one that comes with the package, loaded once a process.

    Raises:
        BundleDamaged: It cannot be used.
    """
    try:
        data = _SHIPPED.read_bytes()
    except OSError as error:
        raise BundleDamaged(
            f"the gate's head cannot be read ({error.strerror})", where=_SHIPPED, remedy=_REMEDY
        ) from error
    return GateHead.from_bytes(data, _SHIPPED)
