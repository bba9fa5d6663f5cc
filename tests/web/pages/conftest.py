"""A server with drawn films behind it, and a real browser before it."""

from __future__ import annotations

import os
import socket
import threading
import time
import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")

import uvicorn
from PIL import Image

from pneumoscope.films.phantom import Kind, draw_phantom
from pneumoscope.web.app import create_app
from pneumoscope.web.config import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

SIZES = {"laptop": (1366, 768), "phone": (390, 844)}


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running reading room on a free port of this machine: its address."""
    app = create_app(
        WebConfig(data=tmp_path_factory.mktemp("room"), workers=1, max_bytes=4 * 2**20, requests_per_minute=0)
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < until, "the server did not start in time"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    listening.close()


@dataclass
class Watched:
    """A page, and what it did that it should not."""

    page: Page
    context: BrowserContext
    wrong: list[str]
    hosts: set[str]

    def hear(self, message: ConsoleMessage) -> None:
        """What the console says."""
        if message.type == "error":
            self.wrong.append(message.text)


def keep(page: Page, name: str) -> None:
    """Keep a picture of a page, where `PNEUMOSCOPE_SHOTS` names a folder."""
    if folder := os.environ.get("PNEUMOSCOPE_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """`shot(page, "read-dark")` keeps a picture for the eye."""
    return keep


@pytest.fixture
def look(chromium: Browser, room: str) -> Iterator[Callable[..., Watched]]:
    """Open a page of the room: `look("/", size="phone", theme="light")`; it must not log errors or call other hosts."""
    opened: list[Watched] = []

    def opens(path: str = "/", size: str = "laptop", theme: str = "dark", **given: Any) -> Watched:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="light" if theme == "light" else "dark",
            has_touch=size == "phone",
            is_mobile=size == "phone",
            **given,
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        watched = Watched(page, context, [], set())
        page.on("console", watched.hear)
        page.on("pageerror", lambda error: watched.wrong.append(str(error)))
        page.on("request", lambda request: watched.hosts.add(request.url.split("/")[2]))
        opened.append(watched)
        page.goto(room + path)
        return watched

    yield opens
    for watched in opened:
        watched.context.close()
        assert not watched.wrong, watched.wrong
        assert watched.hosts <= {room.split("/")[2], ""}, watched.hosts


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
