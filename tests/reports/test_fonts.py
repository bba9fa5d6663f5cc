from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from pneumoscope.reports import pdf as fonts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a font of a usual name that has one Chinese letter, and one that is no font."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((500, 700))
    pen.lineTo((500, 0))
    pen.closePath()
    glyph = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "chest"])
    builder.setupCharacterMap({ord("胸"): "chest"})
    builder.setupGlyf({".notdef": glyph, "chest": glyph})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "chest": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "One", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    (tmp_path / "deep").mkdir()
    builder.save(str(tmp_path / "deep" / "NotoSansSC-Regular.ttf"))
    (tmp_path / "simsun.ttc").write_bytes(b"no font")
    return tmp_path


def test_the_shipped_fonts_have_what_we_write_and_most_of_europe() -> None:
    regular, bold = (fonts.code_points(fonts.font_file(name)) for name in (fonts.REGULAR, fonts.BOLD))
    ours = "".join(chr(code) for code in range(0x20, 0x7F)) + "•"

    assert {ord(letter) for letter in f"{ours}ŻółćфильмЕλλάςÅäö"} <= regular
    assert {ord(letter) for letter in f"{ours}ŻółćфильмΕλλάςÅäö"} <= bold
    assert fonts.font_file("LICENSE").is_file()


def test_nothing_is_looked_for_when_nothing_is_missing(folder: Path) -> None:
    assert fonts.fallback_fonts("Żółć", [str(folder)]) == ()


def test_a_font_of_this_machine_helps_out(folder: Path) -> None:
    found = fonts.fallback_fonts("胸片.png", [str(folder), str(folder / "none")])

    assert [path.name for path in found] == ["NotoSansSC-Regular.ttf"]
    assert fonts.replace_missing_glyphs("胸片.png", found) == "胸[U+7247].png"
    assert fonts.replace_missing_glyphs("胸片.png", ()) == "[U+80F8][U+7247].png"
