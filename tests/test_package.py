"""What a user sees of the package, and the contract between its rooms."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pneumoscope

ROOT = Path(__file__).parents[1]


def test_the_public_names_are_what_a_user_sees() -> None:
    """``__all__`` is just what ``dir`` shows, and every name of it is there, with a docstring."""
    assert dir(pneumoscope) == sorted(pneumoscope.__all__)
    for name in pneumoscope.__all__:
        assert getattr(pneumoscope, name).__doc__, name
    functions = {"load", "read", "scan", "split", "train", "evaluate", "compare", "audit", "metrics", "reader_study"}
    assert functions <= set(pneumoscope.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="diagnose"):
        pneumoscope.diagnose  # noqa: B018 - looking it up is the test


def test_every_module_says_what_it_gives() -> None:
    """``__all__`` stands in every module that defines something, and names only what is there."""
    without = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "src" / "pneumoscope").rglob("*.py"))
        if re.search(r"^(def|class) ", path.read_text(), re.MULTILINE) and "__all__ = [" not in path.read_text()
    ]

    assert without == []


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest is not None
    assert pneumoscope.__version__ == project["version"] == newest[1]


def test_importing_is_instant() -> None:
    """Nothing that is heavy, ours or others', is imported before it is needed."""
    code = "import sys, pneumoscope; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    modules = set(done.stdout.split())
    assert {"numpy", "torch", "onnxruntime", "PIL", "pydicom", "msgspec", "rich", "typer"}.isdisjoint(modules)
    assert {name for name in modules if name.startswith("pneumoscope")} == {"pneumoscope"}


@pytest.mark.parametrize("learning", ["torch", "lightning", "sklearn", "scipy", "pyarrow", "matplotlib", "onnx"])
def test_reading_does_without_learning(tiny_bundle: Path, make_film: object, tmp_path: Path, learning: str) -> None:
    """A film is read, drawn and told with the learning libraries out of reach."""
    assert callable(make_film)
    film = make_film(tmp_path / "film.png")
    code = (
        f"import sys; sys.modules[{learning!r}] = None\n"
        "from pneumoscope.cli.main import main\n"
        f"raise SystemExit(main(['read', {str(film)!r}, '--model', {str(tiny_bundle)!r},"
        f" '--evidence', {str(tmp_path / 'e')!r}, '--csv', {str(tmp_path / 'o.csv')!r}]))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_rooms_keep_their_contract() -> None:
    """What ``pyproject.toml`` says of who may import whom."""
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which("lint-imports")
    assert command, "import-linter is part of the test extra"

    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
