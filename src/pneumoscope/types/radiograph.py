"""One film, decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FilmInfo", "Radiograph"]


@dataclass(frozen=True, slots=True)
class FilmInfo:
    """Where a film came from; the ``film`` object of the Reading contract.

    Attributes:
        path: The path or name that it was given under.
        sha256: Hex digest of the file's bytes; for an array, of its pixels. None if it could not be read.
        format: "JPEG", "PNG", "TIFF", "BMP", "DICOM", "array", ...; None if unknown.
        rows: Height of the stored picture in pixels, after EXIF orientation.
        columns: Width, likewise.
    """

    path: str
    sha256: str | None = None
    format: str | None = None
    rows: int | None = None
    columns: int | None = None


@dataclass(frozen=True, slots=True)
class Radiograph:
    """A film as numbers, always in the MONOCHROME2 sense: dense tissue is bright, air is dark.

    Attributes:
        pixels: uint8 or uint16 [rows, columns], C-contiguous; 8-bit pictures stay uint8.
        white: The value that stands for full white: 255, or up to 65535 for deeper films.
        info: Where it came from.
        spacing_mm: Row and column spacing in mm at the detector, when the file tells it.
        facts: What DICOM tells and a reading may use, by DICOM keyword: ``ViewPosition``, ``PatientAge``,
            ``PatientSex``, ``BodyPartExamined``, ``Modality``, ``Laterality``. No identity.
        warnings: What was odd but could be read, in plain words.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    white: int
    info: FilmInfo
    spacing_mm: tuple[float, float] | None = None
    facts: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the promise of the docstring: a finished Radiograph is a valid one."""
        if self.pixels.ndim != 2 or self.pixels.dtype not in (np.uint8, np.uint16) or self.pixels.size == 0:
            raise ValueError(
                f"pixels must be uint8 or uint16 [rows, columns], not {self.pixels.dtype} {self.pixels.shape}"
            )

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])
