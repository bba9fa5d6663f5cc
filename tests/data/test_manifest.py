from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pneumoscope.data.manifest import Manifest, is_manifest
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = [("viral", "p1", "train"), ("normal", "p2", "test"), ("bacterial", "p1", None), ("normal", "p3", "val")]


@pytest.fixture
def manifest(manifest_of: Callable[..., Manifest]) -> Manifest:
    found = manifest_of(ROWS)
    return Manifest((replace(found.films[0], age="4", sex="F", view="AP"), *found.films[1:]), found.root, [("x", "no")])


def test_classes_and_what_is_a_finding(manifest: Manifest) -> None:
    assert manifest.classes == ("normal", "bacterial", "viral")
    assert manifest.positive == (False, True, True)
    assert manifest.targets.tolist() == [2, 0, 1, 0]
    assert manifest.counts() == {"normal": 2, "bacterial": 1, "viral": 1}


def test_the_hash_knows_neither_root_nor_order(manifest: Manifest, tmp_path: Path) -> None:
    assert Manifest(manifest.films[::-1], tmp_path).sha256 == manifest.sha256


@pytest.mark.parametrize("change", [{"path": "y"}, {"sha256": "f"}, {"label": "viral"}, {"patient": "p9"}])
def test_the_hash_knows_the_rest(manifest: Manifest, change: dict[str, Any]) -> None:
    changed = (*manifest.films[:3], replace(manifest.films[3], **change))
    assert Manifest(changed, manifest.root).sha256 != manifest.sha256


def test_saving_and_loading_is_the_identity(manifest: Manifest, tmp_path: Path) -> None:
    manifest.save(tmp_path / "m.parquet")
    assert Manifest.load(tmp_path / "m.parquet") == manifest
    assert Manifest.load(tmp_path / "m.parquet", root=tmp_path).root == tmp_path


def test_a_changed_manifest_is_found_out(manifest: Manifest, tmp_path: Path) -> None:
    file = tmp_path / "m.parquet"
    manifest.save(file)
    table = pq.read_table(file)
    labels = pa.array(["normal"] * len(manifest))
    changed = table.set_column(table.schema.get_field_index("label"), "label", labels)
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), file)
    with pytest.raises(DatasetError, match="not as it was written"):
        Manifest.load(file)


def test_a_manifest_is_told_from_a_table(manifest: Manifest, tmp_path: Path) -> None:
    manifest.save(tmp_path / "m.parquet")
    pq.write_table(pa.table({"path": ["a"], "label": ["b"]}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("path,label")
    assert [is_manifest(tmp_path / name) for name in ("m.parquet", "t.parquet", "t.csv")] == [True, False, False]


def test_what_is_no_manifest_is_said(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    (tmp_path / "text.parquet").write_text("hello")
    pq.write_table(
        pa.table({"a": [1]}).replace_schema_metadata({b"pneumoscope.manifest": b'{"format": 99}'}),
        tmp_path / "new.parquet",
    )
    for name, reason in (
        ("other", "no manifest"),
        ("text", "cannot be read"),
        ("gone", "cannot be read"),
        ("new", "99"),
    ):
        with pytest.raises(DatasetError, match=reason):
            Manifest.load(tmp_path / f"{name}.parquet")
