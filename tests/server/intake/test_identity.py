"""No identity of a DICOM file survives; what a reading uses does, and the pixels."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from pneumoscope.films.load import load
from pneumoscope.server.intake.deidentify import KEPT, deidentify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from starlette.testclient import TestClient

    from pneumoscope.server.config import WebConfig

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # real files, and made ones, are not valid

SECRET = bytes(range(32))
TEXT_VRS = {"AE", "AS", "CS", "DA", "DT", "IS", "DS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}


def _texts(dataset: Dataset) -> set[bytes]:
    """Every text of a data set, its sequences and its private elements, that is not to be kept."""
    found: set[bytes] = set()
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found |= _texts(item)
            continue
        if element.keyword in KEPT and element.keyword:
            continue
        if element.VR in TEXT_VRS:
            values = element.value if element.VM > 1 else [element.value]
            found |= {str(value).strip().encode() for value in values}
        elif element.VR == "UN" and isinstance(element.value, bytes):
            found.add(element.value.strip())
    return found


def _telling(texts: set[bytes], kept: bytes) -> set[bytes]:
    """Those that are long enough to tell something, and are not words of the kept file's own header."""
    header = dcmread(BytesIO(kept), stop_before_pixels=True)
    own = b"\n".join([str(element.value).encode() for element in [*header.file_meta, *header]])
    return {text for text in texts if len(text) >= 4 and text not in own}


@pytest.mark.real
def test_real_chest_films(real_data: Path) -> None:
    films = sorted((real_data / "dicom" / "chest").iterdir())
    assert len(films) >= 4
    for path in films:
        data = path.read_bytes()
        came = dcmread(BytesIO(data), force=True)
        texts = _texts(came)
        bare = deidentify(data, secret=SECRET)
        kept = dcmread(BytesIO(bare.data))
        assert texts & {str(came.get("PatientName", "")).encode(), str(came.StudyInstanceUID).encode()}
        for text in _telling(texts, bare.data):
            assert text not in bare.data, (path.name, text)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            assert str(came[keyword].value).encode() not in bare.data
        before, after = load(data), load(bare.data)
        np.testing.assert_array_equal(before.pixels, after.pixels, err_msg=path.name)
        assert (before.white, before.facts, before.spacing_mm) == (after.white, after.facts, after.spacing_mm)
        assert before.warnings == after.warnings
        assert kept.PatientIdentityRemoved == "YES"
        assert kept.file_meta.TransferSyntaxUID


@pytest.fixture(scope="module")
def told(smooth_film: Callable[..., NDArray[Any]]) -> Callable[..., tuple[bytes, set[bytes]]]:
    """A DICOM film with every text element of the standard's dictionary filled, and what they were filled with."""

    def made(syntax: str = ExplicitVRLittleEndian, **own: Any) -> tuple[bytes, set[bytes]]:
        dataset = Dataset()
        secrets = set()
        for number, (tag, (vr, _, _, retired, keyword)) in enumerate(sorted(DicomDictionary.items())):
            group = tag >> 16
            if not keyword or retired or keyword in KEPT or group in (0x0000, 0x0002, 0x0004, 0x7FE0, 0x0028):
                continue
            if vr not in ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "AE", "UI", "DA", "TM", "DT"):
                continue
            if vr == "DA":
                text = f"1{number:03d}".rjust(4, "1")[:4] + "0101"
            elif vr in ("TM", "DT"):
                text = "112233" if vr == "TM" else f"19310101{number % 24:02d}"
            elif vr == "UI":
                text = f"1.2.826.0.1.99.{number}.7"
            else:
                text = f"Sec{number:05d}"
            setattr(dataset, keyword, text)
            secrets.add(text.encode())
        item = Dataset()
        item.PatientName, item.PatientComments = "Nested^Secret", "Nested comment"
        dataset.OtherPatientIDsSequence = Sequence([item])
        dataset.RequestAttributesSequence = Sequence([item])
        block = dataset.private_block(0x0011, "SECRET CREATOR", create=True)
        block.add_new(0x01, "LO", "Private Secret")
        block.add_new(0x02, "UN", b"Private Bytes")
        dataset.add_new((0x6000, 0x3000), "OW", b"Overlay Secret  ")
        dataset.add_new((0x6000, 0x4000), "LT", "Overlay Comment")
        secrets |= {b"Nested^Secret", b"Nested comment", b"SECRET CREATOR", b"Private Secret", b"Private Bytes"}
        secrets |= {b"Overlay Secret", b"Overlay Comment", b"Preamble Secret"}
        pixels = smooth_film(8, (64, 48), deep=True) >> 4
        dataset.Modality, dataset.ViewPosition, dataset.BodyPartExamined = "DX", "AP", "CHEST"
        dataset.PatientSex, dataset.PatientAge, dataset.PixelSpacing = "F", "004Y", [0.2, 0.25]
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 64, 48, 1
        dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME1", 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.WindowCenter, dataset.WindowWidth = 2000, 3000
        dataset.WindowCenterWidthExplanation = "Window Secret"
        secrets.add(b"Window Secret")
        data = pixels.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes()
        dataset.add_new("PixelData", "OW", data + b"Behind the pixels")
        secrets.add(b"Behind the pixels")
        for keyword, value in own.items():
            setattr(dataset, keyword, value)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        dataset.file_meta.SourceApplicationEntityTitle = "SECRETAE"
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.preamble = b"Preamble Secret".ljust(128, b"\0")
        file = BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        return file.getvalue(), secrets | {b"SECRETAE"}

    return made


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_film_that_tells_everything(told: Callable[..., tuple[bytes, set[bytes]]], syntax: str) -> None:
    data, secrets = told(syntax)
    assert len(secrets) > 500
    bare = deidentify(data, secret=SECRET)
    kept = dcmread(BytesIO(bare.data))
    telling = _telling(secrets, bare.data)
    assert len(telling) > 400
    assert all(secret in data for secret in telling), "the test looks for what was there"
    for secret in telling:
        assert secret not in bare.data, secret
    before, after = load(data), load(bare.data)
    np.testing.assert_array_equal(before.pixels, after.pixels)
    assert after.facts == {
        "Modality": "DX",
        "ViewPosition": "AP",
        "BodyPartExamined": "CHEST",
        "PatientSex": "F",
        "PatientAge": "004Y",
    }
    assert after.spacing_mm == (0.2, 0.25)
    known = {*KEPT, "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientIdentityRemoved"}
    assert {element.keyword for element in kept} <= known | {
        "DeidentificationMethod",
        "DeidentificationMethodCodeSequence",
    }


def test_lookup_tables_are_kept_without_their_words(told: Callable[..., tuple[bytes, set[bytes]]]) -> None:
    item = Dataset()
    item.LUTDescriptor, item.LUTExplanation = [4096, 0, 12], "Table Secret"
    item.add_new("LUTData", "OW", (np.arange(4096, dtype="<u2") // 2).tobytes())
    data, _ = told(VOILUTSequence=Sequence([item]))
    bare = deidentify(data, secret=SECRET)
    assert b"Table Secret" in data
    assert b"Table Secret" not in bare.data
    np.testing.assert_array_equal(load(data).pixels, load(bare.data).pixels)


@pytest.mark.parametrize(
    ("age", "kept"), [("004Y", "004Y"), ("018M", "018M"), ("089Y", "089Y"), ("093Y", "090Y"), ("Jane", None)]
)
def test_ages(told: Callable[..., tuple[bytes, set[bytes]]], age: str, kept: str | None) -> None:
    data, _ = told(PatientAge=age)
    bare = dcmread(BytesIO(deidentify(data, secret=SECRET).data))
    assert bare.get("PatientAge") == kept


@pytest.mark.parametrize("keyword", ["BodyPartExamined", "ViewPosition", "PatientSex", "WindowCenter"])
def test_free_text_in_a_kept_element_is_not_kept(told: Callable[..., tuple[bytes, set[bytes]]], keyword: str) -> None:
    data, _ = told()
    dataset = dcmread(BytesIO(data))
    dataset[keyword].VR = "LO"
    dataset[keyword].value = "Jane Roe, born 1999"
    file = BytesIO()
    dataset.save_as(file)
    assert b"Jane Roe" in file.getvalue()
    bare = deidentify(file.getvalue(), secret=SECRET)
    assert b"Jane" not in bare.data


def test_comments_inside_jpeg_frames_go(
    told: Callable[..., tuple[bytes, set[bytes]]], picture: Callable[..., bytes]
) -> None:
    frame = picture(1, "JPEG", size=(64, 48), comment=b"Frame Secret")
    data, _ = told(BitsAllocated=8, BitsStored=8, HighBit=7, PhotometricInterpretation="MONOCHROME2")
    dataset = dcmread(BytesIO(data))
    for keyword in ("WindowCenter", "WindowWidth"):
        delattr(dataset, keyword)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    bare = deidentify(file.getvalue(), secret=SECRET)
    assert b"Frame Secret" in file.getvalue()
    assert b"Frame Secret" not in bare.data
    np.testing.assert_array_equal(load(file.getvalue()).pixels, load(bare.data).pixels)


def test_a_study_stays_together_and_cannot_be_told_without_the_key(
    told: Callable[..., tuple[bytes, set[bytes]]],
) -> None:
    first, _ = told(SOPInstanceUID="1.2.3.4")
    second, _ = told(SOPInstanceUID="1.2.3.5")
    other, _ = told(StudyInstanceUID="1.2.3.9")
    one, two, three = (deidentify(data, secret=SECRET) for data in (first, second, other))
    assert one.study == two.study != three.study
    assert deidentify(first, secret=bytes(32)).study != one.study
    uids = [dcmread(BytesIO(each.data)) for each in (one, two)]
    assert uids[0].StudyInstanceUID == uids[1].StudyInstanceUID
    assert uids[0].SOPInstanceUID != uids[1].SOPInstanceUID
    assert all(uid.startswith("2.25.") for uid in (uids[0].StudyInstanceUID, uids[0].SOPInstanceUID))


def test_nothing_in_the_whole_folder_tells(
    asked: TestClient, room_config: WebConfig, told: Callable[..., tuple[bytes, set[bytes]]]
) -> None:
    first, secrets = told(SOPInstanceUID="1.2.3.4")
    second, _ = told(SOPInstanceUID="1.2.3.5")
    answers = [asked.post("/api/v1/read?name=ROE_JANE_19990101.dcm", content=data) for data in (first, second)]
    assert [each.json()["status"] for each in answers] == ["read", "read"]
    assert answers[0].headers["location"] == answers[1].headers["location"], "the films of one study join it"
    detail = asked.get(answers[0].headers["location"])
    assert detail.json()["study"]["films"] == 2
    assert detail.json()["study"]["label"].startswith("DX AP ")
    kept = next(path for path in (room_config.data / "films").rglob("*") if path.is_file()).read_bytes()
    telling = _telling(secrets, kept) | {b"ROE_JANE", b"1.2.3.4"}
    for path in [path for path in room_config.data.rglob("*") if path.is_file()]:
        stored = path.read_bytes()
        for secret in telling:
            if len(secret) > 6:
                assert secret not in stored, (path, secret)
    for secret in telling:
        if len(secret) > 6:
            assert secret.decode() not in detail.text


def test_the_coded_view_and_the_orientation_are_kept_without_their_words(
    told: Callable[..., tuple[bytes, set[bytes]]],
) -> None:
    """Else a kept lateral would be read at the next setting, and a mirrored film would be mirrored again."""
    view = Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "399173006", "SCT", "left lateral of Doe^Jane"
    data, _ = told(ViewCodeSequence=[view], ViewPosition="", PatientOrientation=["R", "F"])

    bare = deidentify(data, secret=SECRET).data

    assert b"Doe^Jane" not in bare
    before, after = load(data), load(bare)
    assert before.facts["ViewPosition"] == after.facts["ViewPosition"] == "LL"
    np.testing.assert_array_equal(before.pixels, after.pixels)


def test_the_patient_is_told_by_a_keyed_hash_and_the_rest_only_where_identity_is_kept(
    told: Callable[..., tuple[bytes, set[bytes]]],
) -> None:
    facts = {"PatientAge": "004Y", "PatientSex": "F", "StudyDate": "20260227", "AccessionNumber": "ACC-7431"}
    more = {"PatientID": "0815", "IssuerOfPatientID": "here", "AcquisitionDate": ""}
    first, _ = told(**facts, **more)
    again, _ = told(**facts, **more, StudyInstanceUID="1.2.3.77")
    elsewhere, _ = told(**facts, **(more | {"IssuerOfPatientID": "there"}))
    bare, other, foreign = (deidentify(data, secret=SECRET).examination for data in (first, again, elsewhere))
    assert bare.patient == other.patient != foreign.patient
    assert bare.key != other.key
    assert "0815" not in str(bare.patient)
    assert (bare.age, bare.sex, bare.film_date, bare.accession) == (None, None, None, None)
    kept = deidentify(first, secret=SECRET, keep_identity=True).examination
    assert (kept.age, kept.sex, kept.film_date, kept.accession) == (4.0, "F", "2026-02-27", "ACC-7431")
