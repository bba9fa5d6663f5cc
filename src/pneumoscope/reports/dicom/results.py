"""All that a reading gives in DICOM, by kind: the one function that the node, the command and the server call."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, cast

from pneumoscope.errors import MissingExtra, UsageError
from pneumoscope.quiet import capture_warnings
from pneumoscope.reports.dicom.filing import Filing
from pneumoscope.reports.dicom.source import source_of
from pneumoscope.types.report_context import ReportContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydicom.dataset import Dataset

    from pneumoscope.types.reading import Reading

__all__ = ["DEFAULT_KINDS", "RESULT_KINDS", "ResultKind", "dicom_results", "parse_kinds", "to_bytes"]


@dataclass(frozen=True, slots=True)
class ResultKind:
    """One kind of result.

    Attributes:
        name: In options and configuration: "sr".
        title: For people.
        sop_class: UID of its SOP class.
        maker: Module and function, "module:function".
        packages: What it needs beside the standard installation, as it is imported, and the extra that brings it.
    """

    name: str
    title: str
    sop_class: str
    maker: str
    packages: tuple[tuple[str, str], ...] = (("highdicom", "sr"),)


RESULT_KINDS: dict[str, ResultKind] = {
    each.name: each
    for each in (
        ResultKind(
            "sr",
            "Structured Report (TID 1500)",
            "1.2.840.10008.5.1.4.1.1.88.34",
            "pneumoscope.reports.dicom.structured_report:structured_report",
        ),
        ResultKind(
            "sc",
            "Secondary Capture with the evidence over the film",
            "1.2.840.10008.5.1.4.1.1.7",
            "pneumoscope.reports.dicom.secondary_capture:secondary_capture",
        ),
        ResultKind(
            "gsps",
            "Presentation State with the outline of the evidence",
            "1.2.840.10008.5.1.4.1.1.11.1",
            "pneumoscope.reports.dicom.presentation_state:presentation_state",
        ),
        ResultKind(
            "seg",
            "Segmentation of the lungs and of the evidence",
            "1.2.840.10008.5.1.4.1.1.66.4",
            "pneumoscope.reports.dicom.segmentation:segmentation",
        ),
        ResultKind(
            "map",
            "Parametric Map of the evidence",
            "1.2.840.10008.5.1.4.1.1.30",
            "pneumoscope.reports.dicom.parametric_map:parametric_map",
        ),
        ResultKind(
            "pdf",
            "Encapsulated PDF report",
            "1.2.840.10008.5.1.4.1.1.104.1",
            "pneumoscope.reports.dicom.encapsulated_pdf:encapsulated_pdf",
            packages=(("highdicom", "sr"), ("fpdf", "pdf")),
        ),
        ResultKind(
            "kos",
            "Key Object Selection of a film that was called",
            "1.2.840.10008.5.1.4.1.1.88.59",
            "pneumoscope.reports.dicom.key_objects:key_object_selection",
        ),
    )
}
"""By name."""

DEFAULT_KINDS = ("sr", "sc")
"""What a PACS of any age takes and shows."""


def parse_kinds(names: str | Iterable[str]) -> tuple[str, ...]:
    """Kinds as a person names them, each once, in the order of the table.

    Args:
        names: With commas between, or one by one.

    Raises:
        UsageError: There is no such kind, or none was named.
        MissingExtra: What one of them needs is not installed.
    """
    from importlib.util import find_spec  # noqa: PLC0415 - only where kinds are chosen

    asked = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    unknown = [name for name in asked if name not in RESULT_KINDS]
    if unknown or not asked:
        what = f"there is no DICOM result {unknown[0]!r}" if unknown else "no DICOM result was named"
        raise UsageError(what, remedy=f"There are: {', '.join(RESULT_KINDS)}")
    wanted = tuple(name for name in RESULT_KINDS if name in asked)
    for kind in (RESULT_KINDS[name] for name in wanted):
        for package, extra in kind.packages:
            if find_spec(package) is None:
                raise MissingExtra.named(package, extra=extra, needed_for=f"the {kind.title}")
    return wanted


def dicom_results(
    reading: Reading, source: Dataset, kinds: Iterable[str] = DEFAULT_KINDS, given: ReportContext | None = None
) -> tuple[Dataset, ...]:
    """The results of a reading as DICOM objects, each in a series of its own in the film's study, ready to be sent.

    The UIDs are the same each time for the same film, bundle and operating point, so that a resend is a copy; nothing
    has the UID of the film. What a reading has nothing for is left out: a refused film has no segmentation, one without
    the finding no key object selection.

    Args:
        reading: Read or refused.
        source: The film's data set, with or without its pixels. It is not changed.
        kinds: Of ``RESULT_KINDS``.
        given: What reports are given (``Reader.report_context``): without the film no picture is made, without the
            geometry nothing that lies over the stored pixels. Set ``created``, or a resend tells another time.

    Returns:
        Data sets with file meta information (Explicit VR Little Endian), in the order of ``RESULT_KINDS``.

    Raises:
        UsageError: An unknown kind, or the film has no UIDs to refer to.
        MissingExtra: What a kind needs is not installed.
    """
    wanted = parse_kinds(kinds)
    with capture_warnings():  # a patient's data are taken as they stand, whatever the library thinks of them
        film = source_of(source)
        if film is None:
            raise UsageError(
                "the DICOM film has no valid UIDs, so that no result can refer to it",
                where=reading.film.path,
                remedy="Send it with Study, Series and SOP Instance UID and its SOP class",
            )
        filing = Filing.of(reading, ReportContext() if given is None else given, film)
        made = [_made(RESULT_KINDS[name], filing) for name in wanted]
    return tuple(each for each in made if each is not None)


def to_bytes(made: Dataset) -> bytes:
    """A result as the bytes of a DICOM file (PS3.10)."""
    out = BytesIO()
    with capture_warnings():
        made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _made(kind: ResultKind, filing: Filing) -> Dataset | None:
    module, function = kind.maker.split(":")
    make = cast("Callable[[Filing], Dataset | None]", getattr(import_module(module), function))
    return make(filing)
