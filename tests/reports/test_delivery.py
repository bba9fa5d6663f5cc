"""Readings handed to a small FHIR server and a small HL7 receiver that look at what they get."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import hl7
import pytest
from fhir.resources.bundle import Bundle as R5Bundle
from fhir.resources.R4B.bundle import Bundle as R4Bundle

from pneumoscope.errors import DeliveryError, UsageError
from pneumoscope.reports.delivery.fhir_server import FhirServer
from pneumoscope.reports.delivery.mllp import Hl7Receiver
from pneumoscope.reports.fhir import FhirOptions, Release, to_bundle
from pneumoscope.reports.hl7 import to_oru

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pneumoscope.reports.summary import ReportContext
    from pneumoscope.types.reading import Reading

NOW: Callable[[float], None] = lambda _: None  # noqa: E731 - a test does not wait


class SmallFhirServer(ThreadingHTTPServer):
    """Keeps what it is given by identifier, as conditional create asks; validates with the models of its release.

    Attributes:
        kept: "Type identifier" of what it made.
        troubles: Status codes that it answers with before it takes anything.
        authorization: Of the last request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: dict[str, dict[str, Any]] = {}
        self.troubles: list[int] = []
        self.authorization: str | None = None
        self.model: Any = R4Bundle

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/fhir"


class _Handler(BaseHTTPRequestHandler):
    server: SmallFhirServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.authorization = self.headers.get("Authorization")
        if self.server.troubles:
            self.answer(self.server.troubles.pop(0), {"resourceType": "OperationOutcome", "issue": [{"code": "busy"}]})
            return
        self.server.model.model_validate_json(body)
        entries = []
        for entry in json.loads(body)["entry"]:
            request = entry["request"]
            key = request["url"] + request.get("ifNoneExist", "")
            entries.append({"response": {"status": "200 OK" if key in self.server.kept else "201 Created"}})
            self.server.kept[key] = entry["resource"]
        self.answer(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})

    def answer(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def fhir_server() -> Iterator[SmallFhirServer]:
    """A FHIR server on loopback."""
    server = SmallFhirServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("release", "model"), [("R4", R4Bundle), ("R5", R5Bundle)])
@pytest.mark.parametrize("what", ["read", "refused"])
def test_a_transaction_is_made_once_however_often_it_is_posted(
    read_reading: Reading,
    refused_reading: Reading,
    given: ReportContext,
    dicom_film: bytes,
    fhir_server: SmallFhirServer,
    release: Release,
    model: type,
    what: str,
) -> None:
    reading = read_reading if what == "read" else refused_reading
    fhir_server.model = model
    options = FhirOptions(release, "transaction", subject="Patient/7", accession="A1")
    bundle = to_bundle(reading, replace(given, source=dicom_film), options)
    client = FhirServer(fhir_server.url, token="secret")  # noqa: S106 - of a test

    first, second = client.post(bundle), client.post(bundle)

    assert set(first) == {"201 Created"}
    assert set(second) == {"200 OK"}
    assert fhir_server.authorization == "Bearer secret"
    kinds = {part["resourceType"]: part for part in fhir_server.kept.values()}
    assert {"DiagnosticReport", "Observation", "ImagingStudy", "Device", "Provenance"} <= set(kinds)
    assert kinds["DiagnosticReport"]["subject"] == {"reference": "Patient/7"}
    assert kinds["DiagnosticReport"]["basedOn"][0]["identifier"]["value"] == "A1"
    assert kinds["Observation"]["subject"] == {"reference": "Patient/7"}


def test_trouble_that_may_pass_is_tried_again_and_a_refusal_is_told(
    read_reading: Reading, given: ReportContext, fhir_server: SmallFhirServer
) -> None:
    bundle = to_bundle(read_reading, given, FhirOptions(kind="transaction", patient_id="4711"))
    client = FhirServer(fhir_server.url, user="a", password="b")  # noqa: S106 - of a test

    fhir_server.troubles = [503, 429]
    assert set(client.post(bundle, NOW)) == {"201 Created"}
    assert fhir_server.authorization == "Basic YTpi"
    fhir_server.troubles = [422]
    with pytest.raises(DeliveryError, match="422: busy"):
        client.post(bundle, NOW)
    fhir_server.troubles = [302]
    with pytest.raises(DeliveryError):
        client.post(bundle, NOW)
    fhir_server.troubles = [500] * 9
    with pytest.raises(DeliveryError, match="4 attempts"):
        client.post(bundle, NOW)


def test_credentials_do_not_go_over_the_network_in_clear() -> None:
    with pytest.raises(UsageError):
        FhirServer("http://fhir.example/r4", token="secret")  # noqa: S106 - of a test
    with pytest.raises(UsageError, match="address") as told:
        FhirServer("https://me:secret@fhir.example/r4")
    assert "secret" not in str(told.value)
    with pytest.raises(UsageError):
        FhirServer("file:///etc/passwd")


class SmallHl7Receiver(threading.Thread):
    """Takes a message a connection and acknowledges it with the next of its codes; "" closes, "late" names another."""

    def __init__(self, codes: list[str]) -> None:
        super().__init__()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.codes = codes
        self.messages: list[str] = []

    @property
    def receiver(self) -> Hl7Receiver:
        return Hl7Receiver("127.0.0.1", self.socket.getsockname()[1], timeout=20)

    def run(self) -> None:
        for code in self.codes:
            line, _ = self.socket.accept()
            with line:
                data = b""
                while not data.endswith(b"\x1c\r"):
                    data += line.recv(65536)
                message = data[1:-2].decode()
                self.messages.append(message)
                control = "other" if code == "late" else str(hl7.parse(message).segment("MSH")[10])
                if code:
                    said = f"MSH|^~\\&|R||||1||ACK|1|P|2.5.1\rMSA|{'AA' if code == 'late' else code}|{control}|no\r"
                    line.sendall(b"\x0b" + said.encode() + b"\x1c\r")
        self.socket.close()


@pytest.mark.parametrize("codes", [["AA"], ["CA"], ["AE", "AA"], ["", "late", "AA"]])
def test_a_message_is_sent_until_it_is_acknowledged(
    read_reading: Reading, given: ReportContext, codes: list[str]
) -> None:
    listener = SmallHl7Receiver(codes)
    listener.start()

    code = listener.receiver.send(to_oru(read_reading, given).encode(), NOW)

    listener.join()
    assert code == codes[-1]
    assert len(set(listener.messages)) == 1
    assert len(listener.messages) == len(codes)


@pytest.mark.parametrize(("codes", "told"), [(["AR"], "rejects"), (["AE"] * 4, "4 attempts")])
def test_a_rejection_is_final_and_errors_have_an_end(
    read_reading: Reading, given: ReportContext, codes: list[str], told: str
) -> None:
    listener = SmallHl7Receiver(codes)
    listener.start()

    with pytest.raises(DeliveryError, match=told):
        listener.receiver.send(to_oru(read_reading, given).encode(), NOW)

    listener.join()
    assert len(listener.messages) == len(codes)


def test_a_receiver_is_named_by_host_and_port() -> None:
    assert Hl7Receiver.parse("ris:2575") == Hl7Receiver("ris", 2575)
    for wrong in ("ris", "ris:", "ris:x", ":2575", "ris:99999"):
        with pytest.raises(UsageError):
            Hl7Receiver.parse(wrong)


def test_a_message_tells_patient_order_call_and_caveat(
    read_reading: Reading, given: ReportContext, make_dicom: Callable[..., bytes]
) -> None:
    film = make_dicom(AccessionNumber="A|1^2", PatientName="O^Neil&Sons")
    message = to_oru(read_reading, replace(given, source=film))

    parsed = hl7.parse(message)
    assert str(parsed.segment("MSH")[9]) == "ORU^R01^ORU_R01"
    assert str(parsed.segment("PID")[3]) == "4711^^^^MR"
    assert parsed.unescape(str(parsed.segment("OBR")[18])) == "A|1^2"
    assert str(parsed.segment("OBR")[25]) == "P"
    first, second, *_ = parsed.segments("OBX")
    assert str(first[3]).startswith("233604007^Pneumonia^SCT")
    assert str(first[5]).startswith("52101004^Present")
    assert (str(second[2]), float(str(second[5])), str(second[6])) == ("NM", 0.966667, "1^no units^UCUM")
    assert "Research use only" in message
    assert "not microbiology" in message


def test_a_refused_film_gives_a_message_without_a_number(refused_reading: Reading, given: ReportContext) -> None:
    parsed = hl7.parse(to_oru(refused_reading, given))

    (only,) = parsed.segments("OBX")
    assert (str(only[2]), str(only[11])) == ("TX", "X")
    assert "the file is empty" in str(only[5])
