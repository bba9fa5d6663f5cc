"""Makers of small films, written by the real encoders."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from pneumoscope.errors import FilmError
from pneumoscope.films.load import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph


@pytest.fixture(scope="session")
def smooth() -> NDArray[np.uint8]:
    """uint8 [70, 90]: no symmetry, no flat part, so that every mistake shows."""
    seeds = np.random.default_rng(5).integers(0, 256, (8, 9), dtype=np.uint8)
    return np.asarray(Image.fromarray(seeds).resize((90, 70), Image.Resampling.BICUBIC))


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """A picture or array as the bytes of a file."""

    def encoded(picture: Image.Image | NDArray[Any], kind: str, **options: Any) -> bytes:
        file = BytesIO()
        picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        picture.save(file, kind, **options)
        return file.getvalue()

    return encoded


@pytest.fixture(scope="session")
def header() -> Callable[..., Dataset]:
    """A CR film as a pydicom data set; keywords overrule its elements, and None leaves one out."""

    def made(
        stored: NDArray[Any], *, bits: int | None = None, syntax: str = ExplicitVRLittleEndian, **own: Any
    ) -> Dataset:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = ComputedRadiographyImageStorage
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
        dataset.Modality = "CR"
        dataset.PatientName = "Secret^Name"
        dataset.PatientID = "SECRET-1"
        dataset.SamplesPerPixel = 1 if stored.ndim == 2 else stored.shape[2]
        dataset.PhotometricInterpretation = "MONOCHROME2" if stored.ndim == 2 else "RGB"
        if stored.ndim == 3:
            dataset.PlanarConfiguration = 0
        dataset.Rows, dataset.Columns = stored.shape[:2]
        dataset.BitsAllocated = 8 * stored.dtype.itemsize
        dataset.BitsStored = bits or dataset.BitsAllocated
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelRepresentation = int(stored.dtype.kind == "i")
        data = stored.tobytes()
        dataset.PixelData = data + b"\0" * (len(data) % 2)
        dataset["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
        for keyword, value in own.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        return dataset

    return made


@pytest.fixture(scope="session")
def dicom(header: Callable[..., Dataset]) -> Callable[..., bytes]:
    """The same as the bytes of a file."""

    def written(stored: NDArray[Any], **own: Any) -> bytes:
        file = BytesIO()
        header(stored, **own).save_as(file, enforce_file_format=True)
        return file.getvalue()

    return written


@pytest.fixture(scope="session")
def attempt() -> Callable[..., Radiograph | FilmError]:
    """Load, and give back the refusal as a value: nothing else may be raised."""

    def attempted(source: Any, **options: Any) -> Radiograph | FilmError:
        try:
            return load(source, **options)
        except FilmError as error:
            refusal = error
        assert refusal.remedy, refusal
        assert "\n" not in str(refusal), refusal
        return refusal

    return attempted
