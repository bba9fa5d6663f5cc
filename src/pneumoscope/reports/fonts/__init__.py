"""Fonts for PDF pages: DejaVu Sans Condensed (its licence stands beside it), and the machine's own for other scripts.

The shipped font has Latin, Greek, Cyrillic, Arabic, Hebrew, Georgian, Armenian and many signs. For what it lacks
(Chinese, say), a font of this machine is looked for by its usual file names. What no font has is written as its code
point, so that no two file names look the same.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BOLD", "REGULAR", "covered", "fallbacks", "font_file", "legible"]

REGULAR = "DejaVuSansCondensed.ttf"
BOLD = "DejaVuSansCondensed-Bold.ttf"

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/Library/Fonts",
    "/System/Library/Fonts",
    "C:/Windows/Fonts",
)
_WIDE = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.ttf",
    "NotoSansJP-Regular.ttf",
    "NotoSansKR-Regular.ttf",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "Arial Unicode.ttf",
    "ARIALUNI.TTF",
    "msyh.ttc",
    "simsun.ttc",
    "msgothic.ttc",
    "malgun.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoSansBengali-Regular.ttf",
    "NotoSansTamil-Regular.ttf",
    "NotoSans-Regular.ttf",
    "Symbola.ttf",
    "NotoEmoji-Regular.ttf",
)
"""From the widest to the narrowest."""


def font_file(name: str) -> Path:
    """Where a shipped font is."""
    return Path(str(files("pneumoscope.reports.fonts").joinpath(name)))


@cache
def covered(path: Path) -> frozenset[int]:
    """The code points that a font has; none if it cannot be read."""
    from fontTools.ttLib import TTFont, TTLibError  # noqa: PLC0415 - comes with the extra

    try:
        # The file is ours to close: TTFont leaves one open that is no font.
        with path.open("rb") as file, TTFont(file, lazy=True, fontNumber=0) as font:
            return frozenset(font.getBestCmap())
    except (TTLibError, OSError, KeyError):
        return frozenset()


def fallbacks(text: str, folders: Iterable[str] = _FOLDERS) -> tuple[Path, ...]:
    """Fonts of this machine that have what the shipped one lacks, as few as will do.

    Args:
        text: All that is to be written.
        folders: Where to look.
    """
    missing = {ord(letter) for letter in text} - covered(font_file(REGULAR))
    found: list[Path] = []
    for path in _on_this_machine(tuple(folders)) if missing else ():
        gained = missing & covered(path)
        if gained:
            found.append(path)
            missing -= gained
        if not missing:
            break
    return tuple(found)


def legible(text: str, fonts: Iterable[Path]) -> str:
    """The text, with what none of the fonts has as its code point: "[U+80F8]".

    Args:
        text: Any.
        fonts: Those that it is written with, beside the shipped one.
    """
    have = covered(font_file(REGULAR)).union(*(covered(path) for path in fonts))
    return "".join(letter if ord(letter) in have else f"[U+{ord(letter):04X}]" for letter in text)


@cache
def _on_this_machine(folders: tuple[str, ...]) -> tuple[Path, ...]:
    """The fonts of ``_WIDE`` that are there, in its order."""
    there: dict[str, Path] = {}
    for folder in folders:
        for where, _, names in os.walk(Path(folder).expanduser()):
            for name in names:
                if name in _WIDE:
                    there.setdefault(name, Path(where, name))
    return tuple(there[name] for name in _WIDE if name in there)
