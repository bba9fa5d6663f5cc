"""docs/dicom-node.md, "Connect your PACS in an afternoon", step by step against a real Orthanc."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.node.conftest import eventually, free_port, program

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node.conftest import Orthanc

PAGE = Path(__file__).parents[2] / "docs" / "dicom-node.md"


def blocks() -> list[tuple[str, str]]:
    """The language and text of each block of the section, in their order."""
    section = PAGE.read_text("utf-8").partition("## Connect your PACS in an afternoon")[2].partition("\n## ")[0]
    return re.findall(r"```(toml|sh)\n(.*?)```", section, re.DOTALL)


def test_the_page_can_be_followed(
    orthanc: Orthanc, chest_film: Callable[..., Path], tmp_path: Path, tiny_bundle: Path
) -> None:
    for tool in ("echoscu", "storescu", "findscu"):
        program(tool)
    port = free_port()
    orthanc.start(port)
    chest_film(tmp_path / "study" / "film.dcm")
    command = f"{sys.executable} -m pneumoscope"

    def here(text: str) -> str:
        """With this test's ports, bundle and interpreter."""
        text = text.replace("11112", str(port)).replace("4242", str(orthanc.port))
        return re.sub(r"^pneumoscope node", f"{command} node", text, flags=re.MULTILINE)

    said: list[str] = []
    node: subprocess.Popen[bytes] | None = None
    try:
        for language, text in blocks():
            if language == "toml":
                (tmp_path / "node.toml").write_text(here(text))
                continue
            line = here(text).strip()
            if line.endswith("&"):
                words = [*line.removesuffix("&").split(), "--model", str(tiny_bundle), "--workers", "1"]
                with (tmp_path / "log").open("wb") as log:
                    node = subprocess.Popen(words, cwd=tmp_path, stdout=log, stderr=log)
                eventually(lambda: b"The node is open" in (tmp_path / "log").read_bytes(), "the node is open")
                continue
            if line.startswith("findscu"):
                eventually(lambda: orthanc.instances("SR"), "the report is in the PACS")
            done = subprocess.run(
                [program("bash"), "-ec", line], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
            )
            assert done.returncode == 0, line + done.stdout + done.stderr
            said.append(done.stdout + done.stderr)
    finally:
        if node is not None:
            node.terminate()
            assert node.wait(60) == 0

    checked, _, _, found = said
    assert "1 of 1 DICOM objects would be read" in checked
    assert "SeriesInstanceUID" in found or "SR" in found
