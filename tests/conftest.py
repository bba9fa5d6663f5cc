"""What all tests share: where the real films are, if they are anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real films that SOURCES.md describes; the test is skipped without it."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PNEUMOSCOPE_REAL_DATA", default))
    if not (folder / "chest_xray").is_dir():
        pytest.skip(f"no real films at {folder}")
    return folder
