"""From a film to the network's input, for training and reading alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.lungs import lung_finder
from pneumoscope.resample import stretched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.lungs import LungField
    from pneumoscope.preprocess.spec import PreprocessSpec

__all__ = ["Prepared", "frame_of", "prepare", "preprocess"]

_NO_LUNGS = "no lung fields were found, so the whole film was taken"


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A film as the network sees it.

    Attributes:
        pixels: uint8 [size, size]. Normalising to floats is inside the bundle's graph.
        frame: The part of the film that it shows: (top, left, bottom, right) in film pixels.
        lungs: The lung fields; None if the spec does not ask for them.
        warnings: What could not be done, in words.
    """

    pixels: NDArray[np.uint8]
    frame: tuple[float, float, float, float]
    lungs: LungField | None = None
    warnings: tuple[str, ...] = ()


def prepare(film: Radiograph, spec: PreprocessSpec, lungs: LungField | None = None) -> Prepared:
    """Frame a film, resample the frame, and stretch its intensities.

    Args:
        film: What is to be seen.
        spec: How.
        lungs: Its lung fields where they are known already; they are not looked for again.

    Raises:
        BundleDamaged: The spec frames by the lungs, and the lung-field network cannot be used.
    """
    if spec.frame != "lungs":
        lungs = None
    elif lungs is None:
        lungs = lung_finder().find(film)
    frame = frame_of(film, spec, lungs)
    part = frame if spec.trim or (lungs is not None and lungs.found) else None
    pixels = stretched(film.pixels, spec.size, spec.low, spec.high, part)
    warnings = (_NO_LUNGS,) if lungs is not None and not lungs.found else ()
    return Prepared(pixels, frame, lungs, warnings)


def preprocess(film: Radiograph, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """A film as the network's input: uint8 [size, size]."""
    return prepare(film, spec).pixels


def frame_of(film: Radiograph, spec: PreprocessSpec, lungs: LungField | None) -> tuple[float, float, float, float]:
    """The part of the film that the network sees: (top, left, bottom, right) in film pixels.

    The film, or the box around the lungs with its margin, as far as the film reaches; less what the spec trims.
    """
    box = None if lungs is None else lungs.box
    margin = -spec.trim if box is None else spec.margin - spec.trim
    top, left, bottom, right = (0.0, 0.0, float(film.rows), float(film.columns)) if box is None else box
    tall, wide = margin * (bottom - top), margin * (right - left)
    return (
        max(0.0, top - tall),
        max(0.0, left - wide),
        min(float(film.rows), bottom + tall),
        min(float(film.columns), right + wide),
    )
