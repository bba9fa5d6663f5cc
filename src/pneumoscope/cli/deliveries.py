"""Where ``pneumoscope read`` hands its readings on: a FHIR server, an HL7 receiver."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pneumoscope.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from pneumoscope.model.reader import Reader
    from pneumoscope.reports.delivery.fhir_server import FhirServer
    from pneumoscope.reports.delivery.mllp import Hl7Receiver
    from pneumoscope.reports.fhir import Release
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = ["Deliveries", "dicom_bytes", "wanted_deliveries"]


class Deliveries:
    """Sends each reading as it comes; one that cannot be delivered is told, and the others go on.

    Attributes:
        failed: Number of messages that could not be delivered.
    """

    def __init__(
        self,
        fhir: FhirServer | None = None,
        hl7: Hl7Receiver | None = None,
        *,
        release: Release = "R4",
        subject: str = "",
    ) -> None:
        self._fhir = fhir
        self._hl7 = hl7
        self._release: Release = release
        self._subject = subject
        self.failed = 0

    def send(self, reading: Reading, film: Radiograph | None, reader: Reader) -> None:
        """Send a reading, read or refused, everywhere.

        Args:
            reading: With its film.
            film: As it was read; None if it could not be decoded.
            reader: That read it.
        """
        from pneumoscope.reports.dicom.source import dicom_source, source_header
        from pneumoscope.reports.fhir import FhirOptions, to_bundle
        from pneumoscope.reports.hl7 import to_oru

        source = dicom_bytes(reading)
        given = reader.report_context(reading, film, source=source)
        if self._fhir is not None:
            header = source_header(reading, dicom_source(source))
            options = FhirOptions(
                self._release, "transaction", self._subject, str(header.PatientID), str(header.AccessionNumber)
            )
            try:
                self._fhir.post(to_bundle(reading, given, options))
            except DeliveryError as error:
                self._tell(reading, error)
        if self._hl7 is not None:
            try:
                self._hl7.send(to_oru(reading, given).encode("utf-8", "replace"))
            except DeliveryError as error:
                self._tell(reading, error)

    def _tell(self, reading: Reading, error: DeliveryError) -> None:
        self.failed += 1
        print(f"pneumoscope: {reading.film.path} was read, but not delivered: {error}", file=sys.stderr)  # noqa: T201


def wanted_deliveries(
    fhir: str | None, hl7: str | None, *, release: str, subject: str | None, hl7_tls: bool
) -> Deliveries | None:
    """What the options ask for, before the first film is read; credentials come from the environment.

    Raises:
        UsageError: An address that cannot be, or an unknown release.
    """
    if fhir is None and hl7 is None:
        return None
    from pneumoscope.reports.delivery.fhir_server import FhirServer
    from pneumoscope.reports.delivery.mllp import Hl7Receiver

    if release not in {"R4", "R5"}:
        raise UsageError(f"there is no FHIR release {release!r} here", remedy="Take R4 or R5")
    server = None
    if fhir is not None:
        server = FhirServer(
            fhir,
            token=os.environ.get("PNEUMOSCOPE_FHIR_TOKEN", ""),
            user=os.environ.get("PNEUMOSCOPE_FHIR_USER", ""),
            password=os.environ.get("PNEUMOSCOPE_FHIR_PASSWORD", ""),
        )
    return Deliveries(
        server,
        None if hl7 is None else Hl7Receiver.parse(hl7, tls=hl7_tls),
        release="R5" if release == "R5" else "R4",
        subject=subject or "",
    )


def dicom_bytes(reading: Reading) -> bytes | None:
    """The file of a film that is DICOM, also of one that was refused before it was decoded."""
    from pneumoscope.errors import FilmError
    from pneumoscope.films.load import film_bytes

    try:
        data = film_bytes(reading.film.path)
    except FilmError:
        return None
    return data if data[128:132] == b"DICM" else None
