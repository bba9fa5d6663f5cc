"""The bundle as a file: what is written comes back, and what is damaged is told."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pneumoscope.errors import BundleDamaged, BundleError, BundleIncompatible, NotABundle, StorageError
from pneumoscope.model.bundle import METADATA_CHECK_KEY, METADATA_KEY, read_bundle, write_bundle
from pneumoscope.model.preprocess import PreprocessSpec
from pneumoscope.model.schema import (
    SCHEMA_VERSION,
    BundleMeta,
    BundleMetric,
    Calibrator,
    ClassSpec,
    Conformal,
    OperatingPoint,
    SiteCalibration,
    ThreeWayPoint,
)
from pneumoscope.types.proportion import Proportion
from pneumoscope.types.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path

shares = st.floats(0, 1)
names = st.text(min_size=1, max_size=12)
rates = st.builds(Proportion, shares, shares, shares, st.integers(0, 10_000), st.integers(0, 10_000))
bands = st.builds(
    ThreeWayPoint, st.floats(0, 0.5), st.floats(0.5, 1.5), st.tuples(shares, shares), *[rates] * 7, names, names
)
sites = st.builds(
    SiteCalibration,
    *[names] * 3,
    *[st.integers(0, 500)] * 2,
    st.dictionaries(names, st.integers(0, 500), max_size=2),
    *[names] * 2,
    shares,
    st.dictionaries(names, st.builds(BundleMetric, shares, st.integers(0, 500), shares | st.none()), max_size=2),
    st.lists(names, max_size=2).map(tuple),
)


@st.composite
def metas(draw: st.DrawFn) -> BundleMeta:
    classes = draw(st.lists(names, min_size=2, max_size=6, unique=True))
    first_positive = draw(st.integers(1, len(classes) - 1))
    per_class = st.tuples(*[st.floats(-1e6, 1e6)] * len(classes))
    return BundleMeta(
        name=draw(names),
        version=draw(names),
        finding=draw(names),
        classes=tuple(ClassSpec(name, i >= first_positive) for i, name in enumerate(classes)),
        preprocess=PreprocessSpec(size=draw(st.integers(16, 2048))),
        evidence_bias=draw(per_class),
        calibrator=Calibrator(draw(st.floats(1e-3, 1e3)), draw(per_class)),
        operating_points=tuple(
            draw(st.lists(st.builds(OperatingPoint, names, shares, rates, rates, names, names), min_size=1, max_size=3))
        ),
        architecture=draw(st.text()),
        parameters=draw(st.integers(0, 10**9)),
        provenance=Provenance(
            created=draw(names), data=draw(st.text()), config={"layers": [1, 2], "name": draw(names)}
        ),
        conformal=tuple(Conformal(c, draw(per_class)) for c in draw(st.lists(shares, max_size=2))),
        band=draw(st.none() | bands),
        sites=tuple(draw(st.lists(sites, max_size=2))),
    )


@given(graph=st.binary(max_size=0) | st.just(b"\x08\x09"), meta=metas())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_comes_back(tmp_path: Path, graph: bytes, meta: BundleMeta) -> None:
    path = tmp_path / "bundle.onnx"

    written = write_bundle(path, graph, meta)
    read_graph, read_meta, digest = read_bundle(path)

    assert read_graph == graph
    assert read_meta == written
    assert replace(read_meta, graph_sha256="", graph_bytes=0) == meta
    assert digest == sha256(path.read_bytes()).hexdigest()


def test_any_onnx_program_opens_a_bundle(tiny_bundle: Path) -> None:
    model = onnx.load(tiny_bundle)

    onnx.checker.check_model(model)
    assert [entry.key for entry in model.metadata_props] == ["pneumoscope", "pneumoscope.sha256"]


def test_metadata_can_be_rewritten_without_touching_the_graph(tiny_bundle: Path, tiny_graph: bytes) -> None:
    graph, meta, _ = read_bundle(tiny_bundle)

    write_bundle(tiny_bundle, graph, replace(meta, version="2"))

    assert read_bundle(tiny_bundle)[0] == tiny_graph
    assert read_bundle(tiny_bundle)[1].version == "2"


def test_a_changed_length_is_noticed(tiny_bundle: Path) -> None:
    """The bytes that say how long the document and its check are stand outside what the check is of."""
    whole = tiny_bundle.read_bytes()
    for before in (METADATA_CHECK_KEY + b"\x12", METADATA_KEY + b"\x12"):
        place = whole.index(before) + len(before)
        for bit in range(7):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            path = tiny_bundle.with_name("changed.onnx")
            path.write_bytes(bytes(changed))
            with pytest.raises(BundleError):
                read_bundle(path)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_noticed_wherever_it_is(tiny_bundle: Path, data: st.DataObject) -> None:
    whole = tiny_bundle.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    path = tiny_bundle.with_name("changed.onnx")
    path.write_bytes(bytes(changed))

    with pytest.raises(BundleError):
        read_bundle(path)


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_bundle_cut_short_is_told(tiny_bundle: Path, share: float) -> None:
    whole = tiny_bundle.read_bytes()
    path = tiny_bundle.with_name("cut.onnx")
    path.write_bytes(whole[: int(share * len(whole))])

    with pytest.raises(BundleError):
        read_bundle(path)


@given(junk=st.binary(max_size=400))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_other_file_is_no_bundle(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "junk.onnx"
    path.write_bytes(junk)

    with pytest.raises(BundleError):
        read_bundle(path)


def test_foreign_onnx_is_told_apart(tmp_path: Path, tiny_graph: bytes) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(tiny_graph)

    with pytest.raises(NotABundle, match="did not write"):
        read_bundle(path)


def test_missing_and_empty_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()

    with pytest.raises(NotABundle, match="cannot be read"):
        read_bundle(tmp_path / "missing.onnx")
    with pytest.raises(NotABundle, match="empty"):
        read_bundle(tmp_path / "empty.onnx")


def test_a_future_bundle_asks_for_an_upgrade(tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta) -> None:
    path = tmp_path / "future.onnx"
    write_bundle(path, tiny_graph, replace(tiny_meta, schema_version=SCHEMA_VERSION + 1))

    with pytest.raises(BundleIncompatible) as caught:
        read_bundle(path)

    assert "pip install --upgrade pneumoscope" in str(caught.value)


def test_metadata_that_does_not_hold_together_is_told(
    tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bias too few is valid JSON of the right types, and no calibrator of three classes."""
    encode = msgspec.json.encode

    def forget_a_bias(meta: object) -> bytes:
        document: bytes = encode(meta)
        assert b",-0.1]" in document
        return document.replace(b",-0.1]", b"]")

    monkeypatch.setattr(msgspec.json, "encode", forget_a_bias)
    write_bundle(tmp_path / "odd.onnx", tiny_graph, tiny_meta)

    with pytest.raises(BundleDamaged, match="need 3 values"):
        read_bundle(tmp_path / "odd.onnx")


def test_metadata_that_is_not_text_is_told(
    tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(msgspec.json, "encode", lambda _: b'{"schema_version": 1, "name": "\xb3"}')
    write_bundle(tmp_path / "odd.onnx", tiny_graph, tiny_meta)

    with pytest.raises(BundleDamaged, match="not valid"):
        read_bundle(tmp_path / "odd.onnx")


def test_a_full_disk_leaves_the_old_bundle(
    tiny_bundle: Path, tiny_graph: bytes, tiny_meta: BundleMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tiny_bundle.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageError, match="no space left"):
        write_bundle(tiny_bundle, tiny_graph, replace(tiny_meta, version="2"))

    assert tiny_bundle.read_bytes() == before
    assert list(tiny_bundle.parent.iterdir()) == [tiny_bundle]
