"""Which bundles there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import NotABundle
from pneumoscope.model import bundle as registry
from pneumoscope.model.bundle import find_bundle, read_bundle, shipped_bundles

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bundle_is_found_by_its_path(tiny_bundle: Path) -> None:
    assert find_bundle(str(tiny_bundle)) == tiny_bundle


def test_a_shipped_bundle_is_found_by_its_name(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_SHIPPED_BUNDLES", tiny_bundle.parent)

    assert shipped_bundles() == {"tiny": tiny_bundle}
    assert find_bundle("tiny") == tiny_bundle


def test_what_is_not_there_is_told_with_what_is(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_SHIPPED_BUNDLES", tiny_bundle.parent)

    with pytest.raises(NotABundle, match="no such bundle") as caught:
        find_bundle("huge")

    assert "tiny" in caught.value.remedy


def test_every_shipped_bundle_is_whole_and_small() -> None:
    for name, path in shipped_bundles().items():
        _, meta, _ = read_bundle(path)
        assert meta.name == name
        assert path.stat().st_size <= (12_000_000 if name == "standard" else 45_000_000)
