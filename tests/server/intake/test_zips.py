"""Archives: films out, bombs and tricks refused."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from pneumoscope.server.config import WebConfig
from pneumoscope.server.intake.upload import BadZip, members

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> WebConfig:
    return WebConfig(data=tmp_path, max_bytes=50_000, max_request_bytes=1_000_000, max_files=5)


def _zip(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    file.seek(0)
    return file


def test_films_in_their_order_without_folders(config: WebConfig, picture: Callable[..., bytes]) -> None:
    found = list(
        members(_zip(("b/2.png", picture(2, "PNG")), ("a/1.jpeg", picture(1)), ("a/.hidden.png", b"x")), config)
    )
    assert [(each.name, each.data) for each in found] == [("2.png", picture(2, "PNG")), ("1.jpeg", picture(1))]


def test_names_that_lead_out_are_only_names(config: WebConfig, picture: Callable[..., bytes], tmp_path: Path) -> None:
    names = ["../../etc/evil.png", "/abs/evil.png", "C:\\win\\evil.png", "..\\..\\evil.png"]
    found = list(members(_zip(*((name, picture(1, "PNG")) for name in names)), config))
    assert [each.name for each in found] == ["evil.png"] * 4
    assert list(tmp_path.iterdir()) == [], "nothing is unpacked to disk"


def test_a_dicom_file_without_a_suffix_is_a_film(config: WebConfig) -> None:
    data = bytes(128) + b"DICM" + bytes(100)
    found = list(members(_zip(("DICOM/IM0001", data), ("notes", b"text"), ("DICOMDIR", data)), config))
    assert [each.name for each in found] == ["IM0001"]


def test_a_bomb_is_refused_before_it_is_unpacked(config: WebConfig) -> None:
    with pytest.raises(BadZip, match="unpacks to"):
        members(_zip(("bomb.png", bytes(40_000_000))), config)


def test_a_bomb_of_many_small_ones(config: WebConfig) -> None:
    with pytest.raises(BadZip, match="unpacks to"):
        members(_zip(*((f"{n}.png", bytes(1_500_000)) for n in range(5))), config)


def test_an_entry_that_lies_about_its_size_is_cut_off(config: WebConfig) -> None:
    file = _zip(("liar.png", bytes(2_000_000)))
    data = bytearray(file.getvalue())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature)
        struct.pack_into("<I", data, at + offset, 1000)
    found = list(members(io.BytesIO(bytes(data)), config))
    assert found[0].data is None or len(found[0].data) <= config.max_bytes


def test_one_film_over_the_limit_does_not_stop_the_others(config: WebConfig, picture: Callable[..., bytes]) -> None:
    large = picture(1, "BMP", size=(300, 300))
    found = list(members(_zip(("l.bmp", large), ("s.jpeg", picture(2)), method=zipfile.ZIP_STORED), config))
    assert found[0].data is None
    assert found[0].error is not None
    assert found[0].error.code == "too-large"
    assert found[1].data == picture(2)


@pytest.mark.parametrize("many", [6, 60])
def test_too_many(config: WebConfig, many: int) -> None:
    with pytest.raises(BadZip, match="at most 5"):
        members(_zip(*((f"{n}.png", b"x" * 99) for n in range(many)), method=zipfile.ZIP_STORED), config)


def test_no_film(config: WebConfig) -> None:
    with pytest.raises(BadZip, match="no film"):
        members(_zip(("readme.txt", b"nothing here"), ("folder/", b"")), config)


@pytest.mark.parametrize("cut", [10, 60, -30])
def test_a_damaged_archive(config: WebConfig, picture: Callable[..., bytes], cut: int) -> None:
    with pytest.raises(BadZip, match="damaged"):
        members(io.BytesIO(_zip(("1.jpeg", picture(1))).getvalue()[:cut]), config)


def test_a_damaged_entry_is_refused_by_itself(config: WebConfig, picture: Callable[..., bytes]) -> None:
    file = _zip(("1.jpeg", picture(1)), ("2.jpeg", picture(2)), method=zipfile.ZIP_STORED)
    data = bytearray(file.getvalue())
    data[200] ^= 0xFF
    found = list(members(io.BytesIO(bytes(data)), config))
    assert found[0].data is None
    assert found[0].error is not None
    assert "damaged" in found[0].error.what
    assert found[1].data == picture(2)


def test_a_password(config: WebConfig, picture: Callable[..., bytes]) -> None:
    data = bytearray(_zip(("1.jpeg", picture(1))).getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    found = list(members(io.BytesIO(bytes(data)), config))
    assert found[0].error is not None
    assert "password" in found[0].error.what
