"""What a file is, told from its first bytes and never from its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.films.archives import member_head

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["FILM_SUFFIXES", "SNIFF_BYTES", "looks_like_film", "name_foreign_format", "sniff"]

FILM_SUFFIXES = frozenset(
    {".jpeg", ".jpg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".dic", ".ima"}
    | {".heic", ".heif", ".hif", ".avif"}
    | {".gif", ".webp", ".jp2", ".j2k", ".jpx", ".pgm", ".ppm", ".pbm", ".pnm"}
)
"""Suffixes of files that a walk through a folder takes for films (lower case)."""

SNIFF_BYTES = 1024
"""How much of a file's head is enough to tell what it is."""

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    *((b"P%d%b" % (number, space), "PNM") for number in range(1, 7) for space in (b" ", b"\t", b"\n", b"\r")),
)

_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
"""Brands of ISO/IEC 23008-12 files that hold pictures; others are videos."""

_NO_FILMS = frozenset(
    {".txt", ".csv", ".tsv", ".xlsx", ".xls", ".json", ".xml", ".html", ".htm", ".md", ".pdf", ".doc", ".docx", ".py"}
    | {
        ".zip",
        ".gz",
        ".tar",
        ".tgz",
        ".bz2",
        ".xz",
        ".7z",
        ".rar",
        ".mp4",
        ".avi",
        ".mov",
        ".npz",
        ".npy",
        ".h5",
        ".pt",
    }
    | {".parquet", ".onnx", ".ipynb", ".log", ".ini", ".db", ".exe", ".dll", ".inf", ".svg", ".psd", ".part"}
)
"""Suffixes of files that are not even looked into."""

_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

# Value representations that the first elements of a data set without preamble may have (PS3.5 section 6.2).
_FIRST_VRS = frozenset({b"UL", b"OB", b"UI", b"SH", b"AE", b"CS", b"DA", b"TM", b"LO", b"UN", b"SQ", b"DT"})

_STRANGERS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"8BPS", "a Photoshop document"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"NRRD", "an NRRD volume"),
    (b"%!PS", "a PostScript document"),
    (b"SQLite format 3", "a database"),
)


def sniff(data: bytes) -> str | None:
    """Name the format of a film by its magic bytes.

    Args:
        data: The file, or its first ``SNIFF_BYTES``.

    Returns:
        "DICOM", "JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PNM", "HEIC" or "AVIF"; None for anything
        that is not read here. DICOM is asked first: its preamble may hold a whole TIFF header
        (PS3.10 section 7.1).
    """
    if data[128:132] == b"DICM":
        return "DICOM"
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and (brand := _BRANDS.get(data[8:12])):
        return brand
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    return "DICOM" if _starts_like_a_data_set(data) else None


def _starts_like_a_data_set(data: bytes) -> bool:
    """Whether this is DICOM without preamble: an element of group 0002 or 0008 with a small length comes first."""
    if len(data) < 12:
        return False
    for order in ("little", "big"):
        group = int.from_bytes(data[0:2], order)
        element = int.from_bytes(data[2:4], order)
        if group not in (0x0002, 0x0008) or element > 0x0100:
            continue
        if data[4:6] in _FIRST_VRS:
            return True
        if order == "little" and int.from_bytes(data[4:8], order) <= 256:  # implicit VR is always little endian
            return True
    return False


def name_foreign_format(data: bytes) -> str | None:
    """Name, in words, a well-known kind of file that is no film; None if it is not known."""
    for magic, words in _STRANGERS:
        if data.startswith(magic):
            return words
    if data[4:8] == b"ftyp":
        return "a video"
    if data[344:348] in (b"n+1\x00", b"ni1\x00"):
        return "a NIfTI volume"
    head = data[:SNIFF_BYTES]
    if head and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return "a web page" if head.lstrip()[:1] == b"<" else "a text file"
    return None


def looks_like_film(path: str | PathLike[str]) -> bool:
    """Whether a walk through a folder should take this file for a film.

    By its suffix; a file with no suffix, or with one that is not known (DICOM files are often named by their
    UID), by its first bytes; inside an archive, too. Hidden files and DICOMDIR are never films. A file that may not
    be opened is taken for one when its name leaves it open, so that its film's line says why.
    """
    path = Path(path)
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR":
        return False
    suffix = path.suffix.lower()
    if suffix in FILM_SUFFIXES:
        return True
    return suffix not in _NO_FILMS and _begins_like_film(path)


def _begins_like_film(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would wait for ever
            head = None if path.exists() else member_head(path, SNIFF_BYTES)
            return head is not None and sniff(head) is not None
        with path.open("rb") as file:
            return sniff(file.read(SNIFF_BYTES)) is not None
    except OSError as error:
        return isinstance(error, PermissionError)
