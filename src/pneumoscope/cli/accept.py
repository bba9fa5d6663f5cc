"""``pneumoscope accept``: drawn films with known values, read in this installation; ``conformance``: the statement."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pneumoscope.errors import PneumoscopeError
from pneumoscope.reports.acceptance import AcceptanceCase

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.model.reader import Reader

__all__ = ["accept", "conformance"]

_TOLERANCE = 0.02  # of a probability: what other processors may differ by where a value lies between two integers
_KNOWN_VALUES = {
    "20d013460013add07cd4107b770c4b51b852201caddb569413a045f260d3c6ef": (0.520841, 0.760806, 0.989929),
    "a26df0e1beb318704227af8ab2b27753f005cbbb0aef3b72f3f9ed90fbbf26f0": (0.698788, 0.918976, 0.996385),
    "7d4ffaa4fe4ed56f67f473dcc408d29cb26fbf4c8e04e3260ac2ecccfb1b4bc3": (0.721818, 0.897549, 0.918370),
}
"""By the bundle's sha256, the probability of each drawing: standard 0.5.0, best 0.5.0 and guangzhou 0.4.0."""


def accept(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="HTML", help="Write the sheet as a page, too, to be printed.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="URL", help="Also read through the API of this server; token from PNEUMOSCOPE_TOKEN."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="A shipped bundle's name, or a bundle's path.")] = None,
) -> None:
    """Test an installation: read drawn films whose right values are known, and print a sheet to sign.

    Films are drawn as PNG and DICOM, upright and rotated, and one is no radiograph; each goes the way of a person's
    film, through files and, with --url, through a server (whose bundle must be the same). The values are those of the
    shipped bundles; of another bundle it is only asked that all ways agree.

    Exit code 0: all passed; 1: something failed.

    Example: pneumoscope accept --out acceptance.html
    """
    from pneumoscope import __version__
    from pneumoscope.model.reader import load
    from pneumoscope.reports.acceptance import acceptance_page, acceptance_text
    from pneumoscope.storage import write_atomically

    reader = load(model)
    about = (
        ("Software", f"pneumoscope {__version__}"),
        ("Bundle", f"{reader.model.name} {reader.model.version}, sha256 {reader.model.sha256}"),
        ("Machine", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"),
        *((("Server", url),) if url else ()),
    )
    cases, when = [*_cases(reader, url)], datetime.now(UTC)
    print(acceptance_text(cases, about, when))  # noqa: T201 - the sheet is the product
    if out is not None:
        write_atomically(out, acceptance_page(cases, about, when).encode())
    if not all(case.passed for case in cases):
        raise typer.Exit(1)


def _cases(reader: Reader, url: str | None) -> Iterator[AcceptanceCase]:
    values = _KNOWN_VALUES.get(reader.model.sha256)
    with TemporaryDirectory(prefix="pneumoscope-accept-") as folder:
        first: dict[int, float] = {}
        for title, data, drawing in _films():
            suffix = ".dcm" if data[128:132] == b"DICM" else ".png"
            path = Path(folder) / f"{title.replace(' ', '-').replace(',', '')}{suffix}"
            path.write_bytes(data)
            for way in ("command", *(("API",) if url else ())):
                found, probability = _read(reader, path, url if way == "API" else None)
                if drawing is None:
                    yield AcceptanceCase(title, way, "refused", found, found.startswith("refused"))
                    continue
                right = first.get(drawing, probability) if values is None else values[drawing]
                if probability is not None:
                    first.setdefault(drawing, probability)
                expected = "read" if right is None else f"probability {right:.4f}"
                agree = probability is not None and right is not None and abs(probability - right) <= _TOLERANCE
                yield AcceptanceCase(title, way, expected, found, agree)


def _read(reader: Reader, path: Path, url: str | None) -> tuple[str, float | None]:
    """What is found, in words, and the probability."""
    reading: Any
    try:
        if url is None:
            (reading,) = reader.read_many([path])
        else:
            from pneumoscope.client import Client

            with Client(url, token=os.environ.get("PNEUMOSCOPE_TOKEN")) as client:
                reading = client.read(path, store=False)
    except PneumoscopeError as error:
        return f"error: {error}", None
    if reading.finding is None:
        return f"refused: {reading.refusal.code if reading.refusal else 'unknown'}", None
    return f"probability {reading.finding.probability:.4f}", float(reading.finding.probability)


def _films() -> Iterator[tuple[str, bytes, int | None]]:
    """Title, file, and which drawing it is; None of what has to be refused."""
    import numpy as np

    from pneumoscope.phantom.draw import draw_phantom

    seeds = (("normal", 11), ("bacterial", 21), ("viral", 31))
    for number, (kind, seed) in enumerate(seeds):
        pixels = draw_phantom(seed, kind, rows=512).radiograph().pixels  # type: ignore[arg-type]
        yield f"{kind} drawing {seed}, PNG", _png(pixels), number
        yield f"{kind} drawing {seed}, DICOM", _dicom(pixels, seed), number
        if kind == "bacterial":
            yield f"{kind} drawing {seed}, rotated", _png(np.ascontiguousarray(np.rot90(pixels))), number
    noise = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    yield "no radiograph, PNG", _png(noise), None


def _png(pixels: NDArray[np.generic]) -> bytes:
    from PIL import Image

    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _dicom(pixels: NDArray[np.generic], seed: int) -> bytes:
    """A Computed Radiography object of nobody."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.SOPClassUID, film.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", f"2.25.7100{seed}"
    film.StudyInstanceUID, film.SeriesInstanceUID, film.Modality = f"2.25.7200{seed}", f"2.25.7300{seed}", "CR"
    film.PatientName, film.PatientID, film.BodyPartExamined, film.ViewPosition = "Drawing", str(seed), "CHEST", "AP"
    bits = 8 * pixels.dtype.itemsize
    film.Rows, film.Columns, film.SamplesPerPixel = *pixels.shape, 1
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = bits, bits, bits - 1, 0
    film.PhotometricInterpretation, film.PixelData = "MONOCHROME2", pixels.tobytes()
    out = BytesIO()
    film.save_as(out, enforce_file_format=True)
    return out.getvalue()


def conformance(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, and not to the terminal.")
    ] = None,
) -> None:
    """Print the DICOM conformance statement (PS3.2) of this installation, in Markdown, from the code's own tables.

    Example: pneumoscope conformance --out conformance.md
    """
    from pneumoscope.cli.console import require_packages
    from pneumoscope.storage import write_atomically

    require_packages("pynetdicom", extra="node", needed_for="the conformance statement of the node")
    from pneumoscope.server.node.conformance import conformance_statement

    if out is None:
        print(conformance_statement())  # noqa: T201 - the statement is the product
    else:
        write_atomically(out, conformance_statement().encode())
