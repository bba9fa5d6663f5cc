"""A server with drawn films behind it, and a real browser before it."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image

from pneumoscope.phantom.draw import Kind, draw_phantom
from pneumoscope.server.config import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="session")
def room(
    tmp_path_factory: pytest.TempPathFactory, run_room: Callable[[WebConfig], AbstractContextManager[Any]]
) -> Iterator[str]:
    """A running web application on a free port of this machine: its address."""
    data = tmp_path_factory.mktemp("room")
    with run_room(WebConfig(data=data, workers=1, max_bytes=4 * 2**20, requests_per_minute=0)) as running:
        yield running.address


@pytest.fixture
def look(watch: Callable[..., Any], room: str) -> Callable[..., Any]:
    """Open a page of the room: `look("/", size="phone", theme="light")`."""
    return lambda path="/", **given: watch(room, path, **given)


def dicom(pixels: NDArray[np.uint8]) -> bytes:
    """A film of 12 bits with a known spacing: each value tells its place, so that no two neighbours are the same."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    grain = np.indices(pixels.shape).sum(axis=0) % 16
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["film"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film = FileDataset("film", {}, file_meta=meta, preamble=b"\0" * 128)
    film.SOPClassUID, film.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    film.StudyInstanceUID, film.SeriesInstanceUID = (generate_uid(entropy_srcs=[name]) for name in ("study", "series"))
    film.Modality, film.ViewPosition, film.BodyPartExamined, film.PatientID = "DX", "PA", "CHEST", "nobody"
    film.Rows, film.Columns = pixels.shape
    film.SamplesPerPixel, film.PhotometricInterpretation, film.PixelRepresentation = 1, "MONOCHROME2", 0
    film.BitsAllocated, film.BitsStored, film.HighBit = 16, 12, 11
    film.ImagerPixelSpacing = [0.2, 0.2]
    film.PixelData = (pixels.astype(np.uint16) * 16 + grain).astype(np.uint16).tobytes()
    out = BytesIO()
    film.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Drawn films by what they are for."""
    folder = tmp_path_factory.mktemp("films")
    wanted: dict[str, tuple[int, Kind]] = {
        "pneumonia": (2, "bacterial"),
        "viral": (3, "viral"),
        "normal": (34, "normal"),
    }
    made = {}
    for name, (seed, kind) in wanted.items():
        made[name] = folder / f"{name}.jpeg"
        Image.fromarray(draw_phantom(seed, kind, rows=600).pixels).save(made[name], quality=92)
    made["cat"] = folder / "cat.png"
    y, x = np.mgrid[:300, :400]
    colours = np.stack([x * 255 // 400, y * 255 // 300, 255 - x * 255 // 400], axis=-1).astype(np.uint8)
    Image.fromarray(colours).save(made["cat"])
    made["broken"] = folder / "broken.jpeg"
    made["broken"].write_bytes(made["normal"].read_bytes()[:900])
    made["deep"] = folder / "deep.dcm"
    made["deep"].write_bytes(dicom(draw_phantom(2, "bacterial", rows=600).pixels))
    made["zip"] = folder / "films.zip"
    with zipfile.ZipFile(made["zip"], "w") as archive:
        for name in ("pneumonia", "normal"):
            archive.write(made[name], f"inside/{name}.jpeg")
    return made
