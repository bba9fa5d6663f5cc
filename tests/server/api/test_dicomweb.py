"""STOW-RS into the web application: read at once, or through the node that runs with it."""

from __future__ import annotations

import time
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pynetdicom")

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from starlette.testclient import TestClient
from tests.server.conftest import bearer

from pneumoscope.server.app import create_app
from pneumoscope.server.node.config import NodeConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pneumoscope.server.config import WebConfig

KIND = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=part'}
PATH = "/api/v1/dicom-web/studies"


@pytest.fixture
def film(smooth_film: Callable[..., NDArray[Any]]) -> bytes:
    """A film as DICOM, SOP instance 1.2.3.1 of the study 1.2.3."""
    pixels = smooth_film(3, (64, 64))
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.PatientID, made.PatientName = "4711", "Doe^Jane"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = "1.2.3", "1.2.3.0", "1.2.3.1"
    made.SOPClassUID, made.Modality, made.BodyPartExamined = "1.2.840.10008.5.1.4.1.1.1", "CR", "CHEST"
    made.Rows = made.Columns = 64
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.SamplesPerPixel, made.PixelRepresentation = 7, 1, 0
    made.PhotometricInterpretation, made.PixelData = "MONOCHROME2", pixels.tobytes()
    out = BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def body(*objects: bytes) -> bytes:
    parts = [b"--part\r\nContent-Type: application/dicom\r\n\r\n" + each + b"\r\n" for each in objects]
    return b"".join(parts) + b"--part--\r\n"


def uids(answer: Any, sequence: str) -> list[str]:
    items = answer.json().get(sequence, {}).get("Value", [])
    return [item.get("00081155", {}).get("Value", [""])[0] for item in items]


def test_films_are_read_and_what_is_none_is_told(asked: TestClient, film: bytes) -> None:
    answer = asked.post(PATH, content=body(film, b"no DICOM"), headers=KIND)

    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/dicom+json"
    assert uids(answer, "00081199") == ["1.2.3.1"]
    assert len(uids(answer, "00081198")) == 1
    studies = asked.get("/api/v1/studies").json()["items"]
    assert [study["films"] for study in studies] == [1]
    again = asked.post(PATH, content=body(film), headers=KIND)
    assert again.status_code == 200
    assert len(asked.get("/api/v1/studies").json()["items"]) == 1


def test_objects_of_another_study_are_refused(asked: TestClient, film: bytes) -> None:
    assert asked.post(f"{PATH}/1.2.4", content=body(film), headers=KIND).status_code == 409
    assert asked.post(f"{PATH}/1.2.3", content=body(film), headers=KIND).status_code == 200


@pytest.mark.parametrize("data", [b"", b"--part--\r\n", b"--part\r\n\r\nhalf", b"something else"])
def test_a_damaged_body_is_the_senders_mistake(asked: TestClient, data: bytes) -> None:
    assert asked.post(PATH, content=data, headers=KIND).status_code == 400
    assert asked.post(PATH, content=data, headers={"Content-Type": "application/json"}).status_code == 400


def test_nobody_stores_without_a_token(asked: TestClient, film: bytes) -> None:
    del asked.headers["Authorization"]

    assert asked.post(PATH, content=body(film), headers=KIND).status_code in {401, 503}


def test_a_film_goes_through_the_node_of_the_same_process(room_config: WebConfig, film: bytes) -> None:
    app = create_app(room_config, NodeConfig(port=0, stable_seconds=0))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as asked:
        asked.headers.update(bearer(app))
        assert asked.post(PATH, content=body(film), headers=KIND).status_code == 200
        until = time.monotonic() + 60
        while not (studies := asked.get("/api/v1/studies").json()["items"]):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert studies[0]["source"] == "node"
        assert "pneumoscope_node_objects" in asked.get("/metrics").text
