"""What goes out: the bill of materials, and a wheel that anyone can build again to the byte."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def sbom(*options: str) -> str:
    command = [sys.executable, str(ROOT / "scripts" / "sbom"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_bill_of_materials_is_cyclonedx_and_has_every_package_that_is_needed() -> None:
    text = sbom()
    bill = json.loads(text)

    names = {each["name"] for each in bill["components"]}
    assert {"numpy", "onnxruntime", "pillow", "pydicom", "msgspec", "typer", "rich"} <= names
    assert "torch" not in names
    references = {each["bom-ref"] for each in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in bill["dependencies"]} == references
    assert all(set(each["dependsOn"]) <= references for each in bill["dependencies"])
    assert text == sbom()
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema").SchemaVersion
    assert validation.JsonStrictValidator(schema.V1_6).validate_str(text) is None


def test_every_package_tells_its_licence() -> None:
    lines = sbom("--licences", "--extra", "web").splitlines()

    assert len(lines) > 20
    assert not [line for line in lines if line.endswith("not told")]


@pytest.mark.slow
def test_the_wheel_is_the_same_to_the_byte_when_built_again(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    code = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    hashes = []
    for number in range(2):
        tree, out = tmp_path / f"tree{number}", tmp_path / f"out{number}"
        out.mkdir()
        shutil.copytree(
            ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )  # another folder, other times of files
        for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
            shutil.copyfile(ROOT / name, tree / name)
        subprocess.run(
            [sys.executable, "-c", code, str(out)],
            cwd=tree,
            check=True,
            capture_output=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        )
        (wheel,) = out.glob("*.whl")
        hashes.append(hashlib.sha256(wheel.read_bytes()).hexdigest())

    assert hashes[0] == hashes[1]
