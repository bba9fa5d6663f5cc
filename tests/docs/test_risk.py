"""The risk file names tests: each must exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_proves_a_control_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "risk.md").read_text()))
    written = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert len(named) > 20
    assert named <= written
