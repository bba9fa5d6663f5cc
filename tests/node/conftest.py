"""A node that runs as its own program, films of persons, and the real peers: Orthanc and dcmtk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pynetdicom")
pytest.importorskip("highdicom")

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import ExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE = 60.0  # seconds; nothing here takes as long, but machines are busy


def eventually(found: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """Ask until the answer is true."""
    until = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
    return answer


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def program(name: str) -> str:
    """The system's: pynetdicom installs programs with the names of dcmtk's into a virtual environment."""
    own = Path(sys.executable).parent.resolve()
    places = [place for place in os.get_exec_path() if Path(place).resolve() != own]
    found = shutil.which(name, path=os.pathsep.join([*places, "/usr/sbin", "/usr/local/sbin"]))
    if found is None:
        pytest.skip(f"{name} is not installed (scripts/services)")
    return found


def dcmtk(name: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one of dcmtk's programs."""
    line = [program(name), *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def chest_film() -> Callable[..., Path]:
    """Write a film of smooth noise as DICOM: ``chest_film(path, study="1.2.3", number=1, Modality="DX")``."""

    def make(path: Path, study: str = "1.2.840.99.1", number: int = 1, side: int = 64, **changed: Any) -> Path:
        coarse = np.random.default_rng(number).integers(0, 256, (6, 5), dtype=np.uint8)
        pixels = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
        film = Dataset()
        film.file_meta = FileMetaDataset()
        film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        film.SpecificCharacterSet = "ISO_IR 100"
        film.PatientName, film.PatientID, film.PatientBirthDate = "Müller^Jörg", "4711", "19700101"
        film.PatientSex, film.AccessionNumber, film.StudyID = "M", "A-17", "1"
        film.StudyInstanceUID, film.SeriesInstanceUID = study, f"{study}.1"
        film.SOPInstanceUID = f"{study}.1.{number}"
        film.SOPClassUID, film.Modality = "1.2.840.10008.5.1.4.1.1.1", "CR"
        film.BodyPartExamined, film.ViewPosition, film.StationName = "CHEST", "PA", "ER-1"
        film.StudyDate, film.StudyTime = "20260228", "101500"
        film.SeriesNumber, film.InstanceNumber = 1, number
        film.Rows = film.Columns = side
        film.BitsAllocated = film.BitsStored = 8
        film.HighBit, film.SamplesPerPixel, film.PixelRepresentation = 7, 1, 0
        film.PhotometricInterpretation = "MONOCHROME2"
        film.PixelData = pixels.tobytes()
        for keyword, value in changed.items():
            setattr(film, keyword, value)
        path.parent.mkdir(parents=True, exist_ok=True)
        film.save_as(path, enforce_file_format=True)
        return path

    return make


@dataclass
class Orthanc:
    """A real PACS on loopback."""

    folder: Path
    port: int = field(default_factory=free_port)
    http: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def peer(self) -> str:
        return f"ORTHANC@127.0.0.1:{self.port}"

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def start(self, node_port: int = 0, **settings: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        plugin = next(Path("/usr/share/orthanc/plugins").glob("libOrthancDicomWeb.so*"), None)
        config = {
            "Name": "PACS",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "DicomAet": "ORTHANC",
            "DicomPort": self.port,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {"node": ["PNEUMOSCOPE", "127.0.0.1", node_port]},
            "Plugins": [str(plugin)] if plugin else [],
            "ConcurrentJobs": 1,
            "DicomThreadsCount": 2,
            "HttpThreadsCount": 4,
        }
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps({**config, **settings}))
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen([program("Orthanc"), str(file)], stdout=log, stderr=log)
        log.close()
        eventually(self._answers, "Orthanc runs")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            self.get("/system")
        except OSError:
            return False
        return True

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=30) as answer:
            data = answer.read()
        return json.loads(data) if data[:1] in b"[{" else data

    def post(self, path: str, body: object) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def instances(self, modality: str = "SR") -> list[dict[str, Any]]:
        """The objects of a modality, with their tags in short."""
        query = {"Level": "Instance", "Query": {"Modality": modality}, "Expand": True}
        found: list[dict[str, Any]] = self.post("/tools/find", query)
        for each in found:
            each["tags"] = self.get(f"/instances/{each['ID']}/simplified-tags")
        return found

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """A PACS that is not started yet."""
    program("Orthanc")
    pacs = Orthanc(tmp_path / "orthanc")
    yield pacs
    pacs.stop()


@dataclass
class StoreScp:
    """dcmtk's archive: a file for each SOP instance."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def peer(self) -> str:
        return f"ARCHIVE@127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        line = [program("storescp"), "-aet", "ARCHIVE", "-od", str(self.folder), "-fe", ".dcm", *options]
        self.process = subprocess.Popen([*line, str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: dcmtk("echoscu", "127.0.0.1", self.port, check=False).returncode == 0, "storescp runs")

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.dcm"))

    def instances(self) -> list[str]:
        """The SOP Instance UIDs of what came, told from the files' names."""
        return [path.name for path in self.files()]

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


@dataclass
class NodeProcess:
    """The node as a person starts it."""

    folder: Path
    bundle: Path
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> NodeProcess:
        self.options = options or self.options
        self.folder.mkdir(parents=True, exist_ok=True)
        line = [*(self.command or (sys.executable, "-m", "pneumoscope")), "node"]
        line += ["--port", str(self.port), "--data", str(self.folder)]
        line += ["--model", str(self.bundle), "--workers", "1", "--metrics-port", str(self.metrics_port), *self.options]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PNEUMOSCOPE_WEB_RESERVE_MB": "0"}
        environment.setdefault("PNEUMOSCOPE_WEB_LOG_FORMAT", "json")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert "The node is open" in told, told + self.log
        return self

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log that tell of one kind of event."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]

    def send_raw(self, film: Path, data: bytes | None = None, *, instance: str = "", stop_after: int = 0) -> int | None:
        """Send an object as no honest program does.

        Args:
            film: Whose UIDs are announced.
            data: The data set in place of the film's.
            instance: SOP Instance UID in place of the film's.
            stop_after: Abort after so many fragments; 0 sends all.

        Returns:
            The status; None after an abort.
        """
        from pydicom import dcmread
        from pydicom.filewriter import write_dataset
        from pynetdicom import AE
        from pynetdicom.dimse_messages import C_STORE_RQ
        from pynetdicom.dimse_primitives import C_STORE

        header = dcmread(film)
        entity = AE(ae_title="MODALITY")
        entity.add_requested_context(header.SOPClassUID, ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", self.port, ae_title="PNEUMOSCOPE")
        assert association.is_established
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_dataset(buffer, header)
        request = C_STORE()
        request.MessageID, request.Priority = 1, 2
        request.AffectedSOPClassUID = header.SOPClassUID
        request.AffectedSOPInstanceUID = instance or header.SOPInstanceUID
        request.DataSet = BytesIO(buffer.getvalue() if data is None else data)
        message = C_STORE_RQ()
        message.primitive_to_message(request)
        context = association.accepted_contexts[0].context_id
        association._reactor_checkpoint.clear()  # as send_c_store does: the answer is ours to take
        eventually(lambda: association._is_paused, "the association's thread waits")
        for number, part in enumerate(message.encode_msg(context or 1, 4096), 1):
            if number == stop_after:
                association._reactor_checkpoint.set()
                association.abort()
                return None
            association.dul.send_pdu(part)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        association.release()
        assert isinstance(answer, C_STORE)
        return answer.Status

    def store(self, *paths: Path, aet: str = "MODALITY", check: bool = True) -> subprocess.CompletedProcess[str]:
        return dcmtk("storescu", "-aet", aet, "-aec", "PNEUMOSCOPE", "127.0.0.1", self.port, *paths, check=check)

    def died(self) -> None:
        """Wait for a node that kills itself."""
        assert self.process is not None
        assert self.process.wait(60) == -signal.SIGKILL, self.log
        self._end(signal.SIGKILL)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def readings(self) -> dict[str, list[dict[str, Any]]]:
        """The readings in the worklist, by the films' sha256."""
        from pneumoscope.server.store.blobs import LocalBlobs
        from pneumoscope.server.store.records import Query
        from pneumoscope.server.store.worklist import open_worklist

        worklist = open_worklist(f"sqlite:///{self.folder / 'worklist.sqlite'}", LocalBlobs(self.folder / "films"))
        try:
            found: dict[str, list[dict[str, Any]]] = {}
            for study in worklist.studies.page(Query(limit=200)).items:
                for row in worklist.studies.detail(study.id).readings:
                    found.setdefault(row.film, []).append(row.document)
            return found
        finally:
            worklist.close()


@pytest.fixture
def node(tmp_path: Path, tiny_bundle: Path) -> Iterator[NodeProcess]:
    """A node that is not started yet."""
    one = NodeProcess(tmp_path / "data", tiny_bundle)
    yield one
    one.kill()
