"""What films are called: file names without folders and without what a screen cannot show."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["anonymous_name", "plain_name"]

_LONGEST = 120


def plain_name(name: str | None) -> str:
    """The last part of a path of any system, without control characters; "film" if nothing is left."""
    last = (name or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(each for each in last if unicodedata.category(each)[0] != "C")
    text = " ".join(unicodedata.normalize("NFC", shown).split())
    if text in ("", ".", ".."):
        return "film"
    if len(text) <= _LONGEST:
        return text
    stem, dot, ending = text.rpartition(".")
    ending = f"{dot}{ending}" if dot and len(ending) <= 8 else ""
    return f"{(stem or text)[: _LONGEST - len(ending) - 3]}...{ending}"


def anonymous_name(sha256: str, facts: Mapping[str, str]) -> str:
    """What a film is called whose own name may tell who it is: "CR PA 1f3a5c7e"."""
    parts = [facts.get("Modality", ""), facts.get("ViewPosition", ""), sha256[:8]]
    return " ".join(part for part in parts if part) if any(parts[:2]) else f"film {sha256[:8]}"
