"""``scripts/check-vulnerabilities``: what it makes of the answers of pip-audit. No network is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(__file__).parents[3] / "scripts" / "check-vulnerabilities"
GOOD = {"name": "jinja2", "version": "3.1.6", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "inhouse", "version": "1.0", "skip_reason": "Dependency not found on PyPI"}
OURS = {"name": "pneumoscope", "version": "1.0", "skip_reason": "distribution marked as editable"}


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run the script with a pip-audit that answers this."""

    def ask(answer: object) -> tuple[int, str]:
        (tmp_path / "pip_audit").mkdir(exist_ok=True)
        told = "import sys; sys.exit('cannot connect')" if answer is None else f"print({json.dumps(answer)!r})"
        (tmp_path / "pip_audit" / "__init__.py").touch()  # or the real one, if it is installed, would go first
        (tmp_path / "pip_audit" / "__main__.py").write_text(told)
        environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(tmp_path)}
        ran = subprocess.run([sys.executable, SCRIPT], env=environment, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout

    return ask


def test_nothing_known(ask: Callable[..., tuple[int, str]]) -> None:
    code, out = ask({"dependencies": [GOOD, OURS]})
    assert code == 0
    assert "1 packages asked about, 0 with known" in out


def test_something_known(ask: Callable[..., tuple[int, str]]) -> None:
    code, out = ask({"dependencies": [GOOD, BAD, UNKNOWN]})
    assert code == 1
    assert "old 1.0: PYSEC-1 (CVE-1); fixed in 1.1" in out


def test_what_was_not_asked_about_is_not_called_clean(ask: Callable[..., tuple[int, str]]) -> None:
    told: list[object] = [{"dependencies": given} for given in ([GOOD, UNKNOWN], [], [OURS])]
    for answer in (*told, None, "?", {}):
        code, _ = ask(answer)
        assert code == 2, answer
    assert "NOT CHECKED" in ask(None)[1]
    assert "cannot connect" in ask(None)[1]
    assert "inhouse" in ask({"dependencies": [UNKNOWN]})[1]
