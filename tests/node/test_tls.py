"""The node by TLS, with dcmtk as the peer: who shows no certificate of the hospital's authority stays outside."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.node.conftest import dcmtk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node.conftest import NodeProcess


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority, and a certificate by it: ca.pem, node.pem, node.key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")

    def do(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    new = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    do("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=hospital")
    do("req", *new[:3], "-keyout", "node.key", "-out", "node.csr", "-subj", "/CN=localhost")
    do("x509", "-req", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "node.pem")
    return tmp_path


def test_films_come_by_tls_alone(node: NodeProcess, certificates: Path, chest_film: Callable[..., Path]) -> None:
    config = certificates / "node.toml"
    names = {"certificate": "node.pem", "key": "node.key", "ca": "ca.pem"}
    config.write_text("[tls]\n" + "".join(f'{key} = "{certificates / name}"\n' for key, name in names.items()))
    film = chest_film(certificates / "film.dcm")
    node.start("--config", str(config))
    paths = [certificates / name for name in ("node.key", "node.pem", "ca.pem")]
    peer = ("-aec", "PNEUMOSCOPE", "127.0.0.1", node.port, film)

    assert dcmtk("storescu", *peer, check=False).returncode != 0
    assert dcmtk("storescu", "+tla", "+cf", paths[2], *peer, check=False).returncode != 0
    dcmtk("storescu", "+tls", paths[0], paths[1], "+cf", paths[2], *peer)

    assert [line["outcome"] for line in node.events("received")] == ["taken"]
