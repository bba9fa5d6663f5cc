"""The report formats, as one table for the command and the web application."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from pneumoscope.errors import MissingExtra, UsageError
from pneumoscope.reports.summary import ReportContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.types.reading import Reading

__all__ = ["FORMATS", "Format", "find_format"]


@dataclass(frozen=True, slots=True)
class Format:
    """One form of a report. Nothing of it is imported before it is written.

    Attributes:
        name: In options and addresses: "html".
        title: For people: "PDF page".
        media_type: Of the bytes (RFC 6838).
        suffix: Of the file, with its dot.
        home: Module and function, "module:function".
        extra: Of the package, that brings what it needs; None if nothing is needed.
        package: What it needs, as it is imported.
    """

    name: str
    title: str
    media_type: str
    suffix: str
    home: str
    extra: str | None = None
    package: str | None = None

    @property
    def installed(self) -> bool:
        """Whether what it needs is there."""
        return self.package is None or find_spec(self.package) is not None

    def check(self) -> None:
        """Say no before any film is read.

        Raises:
            MissingExtra: What it needs is not installed; the message has the line that installs it.
        """
        if not self.installed:
            raise MissingExtra.named(str(self.package), extra=str(self.extra), needed_for=f"a report as {self.title}")

    def write(self, reading: Reading, given: ReportContext | None = None) -> bytes:
        """The report of a reading, read or refused, as the bytes of a file.

        Args:
            reading: What to report.
            given: The picture, the meaning of the operating point, the time; what is missing is left out.

        Raises:
            MissingExtra: What it needs is not installed.
        """
        self.check()
        module, function = self.home.split(":")
        made = cast("Callable[[Reading, ReportContext], bytes]", getattr(import_module(module), function))
        return made(reading, ReportContext() if given is None else given)


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format(
            name="json",
            title="JSON",
            media_type="application/json",
            suffix=".json",
            home="pneumoscope.reports.json:write",
        ),
        Format(
            name="html",
            title="HTML page",
            media_type="text/html; charset=utf-8",
            suffix=".html",
            home="pneumoscope.reports.html:write",
        ),
        Format(
            name="pdf",
            title="PDF page",
            media_type="application/pdf",
            suffix=".pdf",
            home="pneumoscope.reports.pdf:write",
            extra="pdf",
            package="fpdf",
        ),
        Format(
            name="fhir",
            title="FHIR R4 bundle",
            media_type="application/fhir+json",
            suffix=".fhir.json",
            home="pneumoscope.reports.fhir:write",
        ),
        Format(
            name="fhir-r5",
            title="FHIR R5 bundle",
            media_type="application/fhir+json",
            suffix=".fhir5.json",
            home="pneumoscope.reports.fhir:write_r5",
        ),
        Format(
            name="hl7",
            title="HL7 v2 message",
            media_type="application/hl7-v2; charset=utf-8",
            suffix=".hl7",
            home="pneumoscope.reports.hl7:write",
        ),
        Format(
            name="sr",
            title="DICOM Structured Report",
            media_type="application/dicom",
            suffix=".dcm",
            home="pneumoscope.reports.dicom.structured_report:write",
            extra="sr",
            package="highdicom",
        ),
    )
}
"""By name, from the plainest to the most particular."""


def find_format(name: str) -> Format:
    """A format by its name or by its file's ending ("dcm").

    Raises:
        UsageError: There is no such format.
    """
    for each in FORMATS.values():
        if name in {each.name, each.suffix.removeprefix(".")}:
            return each
    raise UsageError(f"there is no report as {name!r}", remedy=f"There are: {', '.join(FORMATS)}")
