"""How much memory a film may take: bounded by its pixels for every decoder, whatever its bytes would unpack to.

The films are loaded in a process of their own, which tells its peak after each (Linux: ``VmHWM``).
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux for the peak")

SIDE = 1500
MIB = 2**20
BYTES_A_PIXEL = 36
BESIDE = 64 * MIB  # what a header may unpack to (16 MiB) and its copies, and the libraries' own
BOMB = 160 * MIB

_PEAKS = """
import json, sys
from pathlib import Path
import pydicom.pixels.decoders, pydicom.pixels.utils
from pneumoscope.errors import FilmError
from pneumoscope.films.load import load

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024

load(sys.argv[1])  # what is imported at the first film is not the film's
for path in sys.argv[2:]:
    data = Path(path).read_bytes()
    Path("/proc/self/clear_refs").write_text("5")
    before, said = peak(), "read"
    try:
        load(data)
    except FilmError as error:
        said = error.code
    print(json.dumps([Path(path).name, peak() - before, said]))
"""


def peaks(files: dict[str, bytes], folder: Path, warm: bytes) -> dict[str, tuple[int, str]]:
    """Load files one after the other: bytes beyond those before, and "read" or the error's code."""
    (folder / "warm").write_bytes(warm)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", _PEAKS, str(folder / "warm"), *(str(folder / name) for name in files)],
        capture_output=True,
        check=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "MALLOC_TRIM_THRESHOLD_": "0"},
    )
    return {name: (more, said) for name, more, said in map(json.loads, run.stdout.splitlines())}


def deflated(*parts: bytes, zeros: int = BOMB) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = [packer.compress(part) for part in parts]
    packed += [packer.compress(bytes(16 * MIB)) for _ in range(zeros // (16 * MIB))]
    return b"".join([*packed, packer.flush()])


@pytest.fixture(scope="module")
def bombs(smooth: NDArray[np.uint8], dicom: Callable[..., bytes], encode: Callable[..., bytes]) -> dict[str, bytes]:
    """Small files that would unpack to hundreds of megabytes, and whose header says 70 x 90 pixels."""
    film = dicom(smooth, syntax=DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(film[140:144], "little")
    head, body = film[:start], zlib.decompress(film[start:], -zlib.MAX_WBITS)
    before = body[: body.rindex(b"\xe0\x7f\x10\x00")]
    many = struct.pack("<I", BOMB)
    bomb = deflated(before, b"\xe0\x7f\x10\x00OB\0\0" + many)
    lying = bytearray(head)
    lying[140:144] = struct.pack("<I", 1_000_000)
    jp2 = encode(smooth, "JPEG2000", no_jp2=True)
    siz = jp2.find(b"\xff\x51")
    crowd = jp2[: siz + 2] + struct.pack(">H", 38 + 3 * 16384) + jp2[siz + 4 : siz + 38] + struct.pack(">H", 16384)
    crowd += jp2[siz + 40 : siz + 43] * 16384 + jp2[siz + 43 :]
    tiles = jp2[: siz + 22] + struct.pack(">II", 1, 1) + jp2[siz + 30 :]
    runs = struct.pack("<16I", 1, 64, *[0] * 14) + bytes([129, 0]) * (BOMB // 128)
    text = zlib.compress(bytes(BOMB), 9)
    png = encode(smooth, "PNG")
    chunk = b"zTXta\0\0" + text
    return {
        "deflated pixels": head + bomb,
        "deflated, false group length": bytes(lying) + bomb,
        "deflated, no group length": head[:132] + head[144:] + bomb,
        "deflated, no preamble": head[132:] + bomb,
        "deflated private element": head + deflated(b"\x09\x00\x10\x10OB\0\0" + many),
        "deflated behind the pixels": head + deflated(body, b"\xfc\xff\xfc\xffOB\0\0" + many),
        "deflated 2^32 rows of text": head + deflated(b"\x08\x00\x20\x41UT\0\0" + many),
        "RLE": dicom(smooth, syntax=RLELossless, PixelData=encapsulate([runs])),
        "JPEG 2000 components": crowd,
        "JPEG 2000 components in DICOM": dicom(smooth, syntax=JPEG2000Lossless, PixelData=encapsulate([crowd])),
        "JPEG 2000 tiles": tiles,
        "JPEG 2000 tiles in DICOM": dicom(smooth, syntax=JPEG2000Lossless, PixelData=encapsulate([tiles])),
        "PNG text": png[:33]
        + struct.pack(">I", len(chunk) - 4)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + png[33:],
        "PNG rows": png[:33] + struct.pack(">I", len(text)) + b"IDAT" + text + bytes(4) + png[33:],
    }


def test_no_bomb_takes_more_than_a_header_may(
    bombs: dict[str, bytes], dicom: Callable[..., bytes], smooth: NDArray[np.uint8], tmp_path: Path
) -> None:
    found = peaks(bombs, tmp_path, dicom(smooth))

    assert found.keys() == bombs.keys()
    assert {name: more // MIB for name, (more, _) in found.items() if more > BESIDE + 90 * 70 * BYTES_A_PIXEL} == {}
    assert {said for name, (_, said) in found.items() if "deflated" in name} == {"too-large"}


def test_an_honest_film_takes_so_much_a_pixel(
    header: Callable[..., Dataset],
    dicom: Callable[..., bytes],
    encode: Callable[..., bytes],
    smooth: NDArray[np.uint8],
    tmp_path: Path,
) -> None:
    """Of every decoder; the file itself is in memory already."""
    gray = (np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 251).astype(np.uint8)
    deep, colour = gray.astype(np.uint16) << 4, np.stack([gray, gray[::-1], gray], axis=-1)
    files = {
        f"gray {kind}": encode(gray, kind) for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")
    }
    files |= {
        f"colour {kind}": encode(colour, kind) for kind in ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "JPEG2000", "PPM")
    }
    files |= {"16 bit PNG": encode(deep, "PNG"), "16 bit TIFF": encode(deep, "TIFF")}
    files["float TIFF"] = encode(Image.fromarray(gray).convert("F"), "TIFF")
    files["CMYK"] = encode(Image.fromarray(colour).convert("CMYK"), "JPEG")
    files["RGBA"] = encode(Image.fromarray(np.dstack([colour, gray])), "PNG")
    for syntax in (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        files[f"DICOM {syntax.name}"] = dicom(deep, bits=12, syntax=syntax)
    files["DICOM window"] = dicom(
        deep, bits=12, RescaleSlope="1.5", RescaleIntercept="-9", WindowCenter="99", WindowWidth="50"
    )
    files["DICOM colour"] = dicom(colour)
    files["DICOM JPEG"] = dicom(gray, syntax=JPEGBaseline8Bit, PixelData=encapsulate([encode(gray, "JPEG")]))
    for syntax in (RLELossless, JPEG2000Lossless):
        data = header(deep, bits=12)
        data.compress(syntax, generate_instance_uid=False)
        data.save_as(tmp_path / "made", enforce_file_format=True)
        files[f"DICOM {syntax.name}"] = (tmp_path / "made").read_bytes()

    found = peaks(files, tmp_path, dicom(smooth))

    assert {said for _, said in found.values()} == {"read"}
    assert {name: round(more / SIDE**2, 1) for name, (more, _) in found.items() if more > SIDE**2 * BYTES_A_PIXEL} == {}
