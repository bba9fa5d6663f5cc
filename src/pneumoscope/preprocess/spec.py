"""What is done to a film before the network sees it. It travels in the bundle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from json import dumps
from typing import Literal

__all__ = ["PreprocessSpec"]


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """Frozen and serialisable; the same spec and film give the same bytes everywhere.

    Attributes:
        size: Side of the square that the network sees, in pixels. The aspect ratio is not kept: the
            public films were squared before we got them, so a network learned on squares expects them.
        low: Percentile of the picture that becomes black.
        high: Percentile that becomes white. Between the two, intensities are stretched
            linearly: a film's exposure and display window then matter little.
        frame: What part of the film is the picture: all of it, or the box around its lungs. A film that is framed
            by its lungs has lost its margins, its collimation, most markers, and its aspect ratio: the lungs
            fill the square, whatever the film was.
        margin: Added to the lungs' box on each side, as a share of that side.
        trim: Cut off each side of the frame, as a share of that side, below 0.5. Random crops in training show the
            chest larger than the film does; a little less of the film at reading brings both together (Touvron et al.,
            "Fixing the train-test resolution discrepancy", NeurIPS 2019).
        lungs: sha256 of the lung-field network that framed the training films; "" for frames of the whole film.
    """

    size: int = 192
    low: float = 0.5
    high: float = 99.5
    frame: Literal["film", "lungs"] = "film"
    margin: float = 0.06
    trim: float = 0.0
    lungs: str = ""

    def __post_init__(self) -> None:
        """Refuse a spec that could not work."""
        if not 16 <= self.size <= 2048:
            raise ValueError(f"size must be 16 to 2048 pixels, not {self.size}")
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(f"low and high must be percentiles with low < high, not {self.low} and {self.high}")
        if not 0 <= self.margin <= 1:
            raise ValueError(f"margin must be 0 to 1 of the lungs' box, not {self.margin}")

        if not 0 <= self.trim < 0.5:
            raise ValueError(f"trim must be 0 to below 0.5 of each side, not {self.trim}")

    @property
    def sha256(self) -> str:
        """Hash of the spec: two caches with the same one hold the same pixels."""
        return sha256(dumps(asdict(self), sort_keys=True).encode()).hexdigest()
