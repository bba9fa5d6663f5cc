"""Small films and manifests for the tests of this room."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from pneumoscope.data.manifest import FilmRow, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Draw(Protocol):
    def __call__(self, path: Path, seed: int | None = None, size: int = 40) -> Path: ...


def dicom(path: Path, seed: int, patient: str = "", issuer: str = "", study: str = "", **more: str) -> Path:
    """A small film in DICOM with an identity."""
    path.parent.mkdir(parents=True, exist_ok=True)
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    film.SOPInstanceUID = generate_uid(entropy_srcs=[str(seed)])
    film.Modality, film.PhotometricInterpretation = "CR", "MONOCHROME2"
    film.Rows, film.Columns, film.SamplesPerPixel = 40, 48, 1
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 8, 8, 7, 0
    film.PixelData = np.random.default_rng(seed).integers(0, 256, (40, 48)).astype(np.uint8).tobytes()
    film.PatientName = "Doe^John"
    if patient:
        film.PatientID = patient
    if issuer:
        film.IssuerOfPatientID = issuer
    if study:
        film.StudyInstanceUID = study
    for keyword, value in more.items():
        setattr(film, keyword, value)
    film.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def draw() -> Draw:
    """Write a film of noise; films without a seed are all different."""
    drawn = iter(range(10_000, 1_000_000))

    def write(path: Path, seed: int | None = None, size: int = 40) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(next(drawn) if seed is None else seed).integers(0, 256, (size, size + 8))
        Image.fromarray(noise.astype(np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def public_set(tmp_path: Path, draw: Draw) -> Path:
    """Eight sound films in the public set's layout."""
    root = tmp_path / "chest_xray"
    for place in (
        "train/NORMAL/IM-0115-0001.jpeg",
        "train/NORMAL/NORMAL2-IM-0385-0001.jpeg",
        "train/NORMAL/IM-0439-0001-0002.jpeg",
        "train/PNEUMONIA/person1_bacteria_1.jpeg",
        "train/PNEUMONIA/person2_virus_2.jpeg",
        "test/NORMAL/NORMAL2-IM-0439-0001.jpeg",
        "test/PNEUMONIA/person1_virus_6.jpeg",
        "val/PNEUMONIA/person9_bacteria_7.jpeg",
    ):
        draw(root / place)
    return root


@pytest.fixture(scope="session")
def manifest_of() -> Callable[..., Manifest]:
    """A manifest of films that are nowhere, from (label, patient) or (label, patient, part)."""

    def make(rows: Sequence[Any], root: Path | None = None) -> Manifest:
        films = []
        for number, (label, patient, *part) in enumerate(rows):
            digest = f"{number:064x}"
            films.append(
                FilmRow(f"{number}.png", digest, label, patient, "folders", 40, 40, "L", part[0] if part else None)
            )

        return Manifest(tuple(films), root or Path("nowhere"))

    return make


@pytest.fixture(autouse=True)
def _patient_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of patients of the test's own, not of the account that runs it."""
    monkeypatch.setenv("PNEUMOSCOPE_PATIENT_KEY", str(tmp_path_factory.mktemp("key") / "patient.key"))
