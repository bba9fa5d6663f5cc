"""From a film to the network's input, for training and reading alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING, Literal

from pneumoscope.films.resample import resize_and_stretch
from pneumoscope.lungs.segmentation import lung_segmenter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.lungs.segmentation import LungSegmentation
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["PreparedFilm", "PreprocessSpec", "input_frame", "prepare_film", "preprocess"]


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


_NO_LUNGS = "no lung fields were found, so the whole film was taken"


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFilm:
    """A film as the network sees it.

    Attributes:
        pixels: uint8 [size, size]. Normalising to floats is inside the bundle's graph.
        frame: The part of the film that it shows: (top, left, bottom, right) in film pixels.
        lungs: The lung fields; None if the spec does not ask for them.
        warnings: What could not be done, in words.
    """

    pixels: NDArray[np.uint8]
    frame: tuple[float, float, float, float]
    lungs: LungSegmentation | None = None
    warnings: tuple[str, ...] = ()


def prepare_film(film: Radiograph, spec: PreprocessSpec, lungs: LungSegmentation | None = None) -> PreparedFilm:
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
        lungs = lung_segmenter().find(film)
    frame = input_frame(film, spec, lungs)
    part = frame if spec.trim or (lungs is not None and lungs.found) else None
    pixels = resize_and_stretch(film.pixels, spec.size, spec.low, spec.high, part)
    warnings = (_NO_LUNGS,) if lungs is not None and not lungs.found else ()
    return PreparedFilm(pixels, frame, lungs, warnings)


def preprocess(film: Radiograph, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """A film as the network's input: uint8 [size, size]."""
    return prepare_film(film, spec).pixels


def input_frame(
    film: Radiograph, spec: PreprocessSpec, lungs: LungSegmentation | None
) -> tuple[float, float, float, float]:
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
