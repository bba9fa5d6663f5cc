"""One key, one meaning: all tables of keys of the pages, read from the scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pneumoscope.server

SCRIPTS = Path(pneumoscope.server.__file__).parent / "static" / "js"
OF_THE_FOCUS = {"ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Enter", "Escape"}
"""They belong to what has the focus, on every page of the web."""


def tables() -> dict[str, set[str]]:
    """What each key says that it does, over all scripts."""
    meanings: dict[str, set[str]] = {}
    for script in SCRIPTS.rglob("*.js"):
        text = script.read_text(encoding="utf-8")
        for keys, say in re.findall(r'keys: \[((?:"[^"]+"(?:, )?)+)\], say: "([^"]+)"', text):
            for key in re.findall(r'"([^"]+)"', keys):
                meanings.setdefault(key, set()).add(say)
        for key, say in re.findall(r'^  \["\w+", "\w+", "(\w)", "([^":]+)', text, re.MULTILINE):  # the viewer's tools
            meanings.setdefault(key, set()).add(say)
    return meanings


def test_no_key_has_two_meanings() -> None:
    found = tables()
    assert len(found) > 25, "the tables were not found"
    assert {"a", "n", "[", "t", "w"} <= found.keys()
    assert {key: says for key, says in found.items() if len(says) > 1 and key not in OF_THE_FOCUS} == {}
