"""What other systems lack, faked: locks, affinity, a console that knows all letters. The container's files, as text."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pneumoscope.cli.main import main
from pneumoscope.settings import Settings
from pneumoscope.storage import lock_file, make_private

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]


@pytest.fixture
def chinese(tmp_path: Path) -> Path:
    for seed, name in enumerate(("正常", "肺炎")):
        (tmp_path / "set" / name).mkdir(parents=True)
        noise = np.random.default_rng(seed).integers(0, 256, (64, 64)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / "set" / name / "film.png")
    return tmp_path / "set"


@pytest.mark.parametrize("coding", ["cp1252", "ascii", "cp437", "utf-8"])
def test_a_console_of_any_coding(chinese: Path, coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=coding, write_through=True))
    assert main(["scan", str(chinese)]) == 0
    assert b"for pneumonia" in out.getvalue()


def test_without_locks_and_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert Settings().cpu_threads() == (os.cpu_count() or 1)
    with lock_file(tmp_path / "lock") as free:
        assert free


def test_windows_keeps_its_own_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tmp_path.stat().st_mode
    monkeypatch.setattr("pneumoscope.storage.os.name", "nt")
    try:
        assert make_private([str(tmp_path)]) == []
    finally:
        monkeypatch.undo()
    assert tmp_path.stat().st_mode == before


@pytest.mark.parametrize(
    ("file", "holds"),
    [
        ("Dockerfile", lambda text: re.search(r"^FROM \S+-slim$", text, re.M)),
        ("Dockerfile", lambda text: re.search(r"^USER (?!root|0)\S+$", text, re.M)),
        ("Dockerfile", lambda text: "HEALTHCHECK" in text and "readyz" in text),
        ("compose.yaml", lambda text: re.search(r"read_only: true", text)),
        ("compose.yaml", lambda text: "cap_drop: [ALL]" in text and "no-new-privileges:true" in text),
        ("compose.yaml", lambda text: "image: postgres:" in text and "service_healthy" in text),
    ],
)
def test_the_container_is_held_to_what_is_said_of_it(file: str, holds: Callable[[str], object]) -> None:
    assert holds((ROOT / "deploy" / file).read_text())
