"""The documentation site builds, and no link or anchor of it is broken."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is not installed (extra docs)")
def test_the_site_builds_without_a_broken_link(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    reference = (tmp_path / "api-reference.html").read_text("utf-8")
    for name in ("load", "read", "scan", "split", "train", "evaluate", "compare", "audit", "metrics"):
        assert f'id="pneumoscope.api.{name}"' in reference


def test_every_page_is_in_the_navigation() -> None:
    listed = (ROOT / "mkdocs.yml").read_text("utf-8")

    assert [page.name for page in (ROOT / "docs").glob("*.md") if page.name not in listed] == []
