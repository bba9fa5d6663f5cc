from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from pneumoscope.data.audit.report import AuditReport
from pneumoscope.data.scan import scan
from pneumoscope.data.split import make_split
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.phantom.write import write_phantoms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "phantoms"
    write_phantoms(root, count=60, seed=8, size=128)
    shutil.rmtree(root / "masks")
    (root / "phantoms.csv").unlink()
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(folder))
    return folder


def test_without_a_folder_nothing_is_written_where_one_stands(
    drawn: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)

    ran = run("audit", drawn, "--folds", 3)

    assert ran.code == 0, ran.err
    assert "Leaks" in ran.out
    assert "--out DIR" in ran.out
    assert list(here.iterdir()) == []


def test_several_data_sets_are_several_sites(drawn: Path, tmp_path: Path, run: Run, tiny_bundle: Path) -> None:
    write_phantoms(tmp_path / "second", count=36, seed=9, size=128)
    shutil.rmtree(tmp_path / "second" / "masks")
    (tmp_path / "second" / "phantoms.csv").unlink()

    options = ("--folds", 3, "--labels", "binary", "--bundle", tiny_bundle)
    ran = run("audit", f"home={drawn}", tmp_path / "second", *options, "--out", tmp_path / "a")

    assert ran.code == 0, ran.err
    report = msgspec.json.decode((tmp_path / "a" / "audit.json").read_bytes(), type=AuditReport)
    assert {site.site: site.films for site in report.sites} == {"home": 60, "second": 36}
    assert report.classes == ["normal", "pneumonia"]
    assert [site.site for site in report.network_sites] == ["home", "second"]
    assert all(site.auc is not None and 0 <= site.auc.value <= 1 for site in report.network_sites)
    assert report.network in (tmp_path / "a" / "audit.html").read_text()
    assert run("audit", drawn, "--bundle", tiny_bundle).code == 2


def test_saved_labels_are_joined_where_binary_ones_are_asked_for(drawn: Path, tmp_path: Path, run: Run) -> None:
    scan(drawn).save(tmp_path / "all.parquet")

    ran = run("audit", tmp_path / "all.parquet", "--folds", 3, "--labels", "binary", "--out", tmp_path / "a")

    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "a" / "audit.json").read_text())["classes"] == ["normal", "pneumonia"]


def test_a_leak_ends_with_4_and_stands_on_the_page(drawn: Path, tmp_path: Path, run: Run) -> None:
    import pyarrow.parquet as pq

    data = shutil.copytree(drawn, tmp_path / "<b>films & co")
    first = sorted((data / "train/NORMAL").iterdir())[0]
    shutil.copy(first, data / "test/NORMAL/<img src=x>.jpeg")
    ran = run("audit", data, "--out", tmp_path / "out", "--folds", 3)
    assert ran.code == 4, ran.err
    assert "Leaks" in ran.out
    assert "found" in ran.out
    assert "Research use only" in ran.out
    page = (tmp_path / "out/audit.html").read_text()
    assert "leak: in several parts" in page
    assert "Research use only" in page
    assert "<script" not in page
    assert "<img src=x>" not in page
    assert "&lt;b&gt;films &amp; co" in page
    assert not re.search(r"(?:https?:)?//\w", re.sub(r"base64,[^\"]+", "", page))
    assert page.count("data:image/jpeg;base64,") >= 2
    report = msgspec.json.decode((tmp_path / "out/audit.json").read_bytes(), type=AuditReport, strict=True)
    assert report.leaks.exact_copies == 1
    table = pq.read_table(tmp_path / "out/films.parquet").to_pydict()
    assert len(table["path"]) == report.films == 61
    assert {"cluster", "p_normal", "jpeg_quality", "laplacian"} <= set(table)


def test_one_part_alone_has_no_leak(drawn: Path, tmp_path: Path, run: Run) -> None:
    ran = run("audit", drawn, "--out", tmp_path / "out", "--part", "train", "--folds", 3, "--clusters", 2)
    assert ran.code == 0, ran.err
    report = msgspec.json.decode((tmp_path / "out/audit.json").read_bytes(), type=AuditReport)
    assert report.parts == ["train"]
    assert not report.leaks.known
    assert report.clusters.k == 2
    assert "not known" in ran.out


def test_our_own_split_is_understood(drawn: Path, tmp_path: Path, run: Run) -> None:
    manifest = scan(drawn)
    make_split(manifest, seed=4).save(tmp_path / "split.json")
    manifest.save(tmp_path / "films.parquet")
    ran = run("audit", tmp_path / "films.parquet", "--split", tmp_path / "split.json", "--out", tmp_path, "--folds", 3)
    assert ran.code == 0, ran.err
    report = msgspec.json.decode((tmp_path / "audit.json").read_bytes(), type=AuditReport)
    assert report.split == "split.json"
    assert sum(count.films for count in report.counts if count.part == "train") == len(
        make_split(manifest, seed=4).parts["train"]
    )


def test_the_schema_is_printed_and_fits(run: Run) -> None:
    ran = run("audit", "--schema")
    assert ran.code == 0
    schema = json.loads(ran.out)
    assert "shortcuts" in schema["$defs"]["AuditReport"]["properties"]


def test_a_bundle_that_learned_from_these_films_is_refused(
    drawn: Path, tmp_path: Path, run: Run, tiny_bundle: Path
) -> None:
    graph, meta, _ = read_bundle(tiny_bundle)
    trained = replace(meta.provenance, manifest_sha256=scan(drawn).sha256)
    write_bundle(tmp_path / "trained.onnx", graph, replace(meta, provenance=trained))
    ran = run("audit", drawn, "--out", tmp_path / "out", "--model", tmp_path / "trained.onnx")
    assert ran.code == 2
    assert "not out-of-fold" in ran.err
    assert not (tmp_path / "out/audit.json").exists()


def test_another_bundle_reads_the_films(drawn: Path, tmp_path: Path, run: Run, tiny_bundle: Path) -> None:
    ran = run("audit", drawn, "--out", tmp_path / "out", "--model", tiny_bundle, "--folds", 3)
    assert ran.code == 0, ran.err
    report = msgspec.json.decode((tmp_path / "out/audit.json").read_bytes(), type=AuditReport)
    assert report.image_model.kind == "bundle"
    assert "cannot be told" in report.image_model.words
    assert report.image_model.auc is not None
    assert np.isfinite(report.image_model.auc.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no data"),
        (["DATA", "--part", "nowhere"], "no film is of the part"),
        (["DATA", "--predictions", "t.csv", "--model", "standard"], "predictions and a bundle"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], words: str, drawn: Path, tmp_path: Path, run: Run) -> None:
    ran = run("audit", *[drawn if word == "DATA" else word for word in arguments], "--out", tmp_path / "out")
    assert ran.code == 2
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_unknown_labels_are_told(drawn: Path, run: Run) -> None:
    ran = run("audit", drawn, "--labels", "guess")
    assert ran.code == 2
    assert "guess" in ran.err


def test_a_folder_without_films_is_told(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    ran = run("audit", tmp_path / "empty", "--out", tmp_path / "out")
    assert ran.code == 1
    assert "no data set" in ran.err


def test_what_c_libraries_print_is_kept_away(drawn: Path, tmp_path: Path, damaged_tiff: Callable[[Path], Path]) -> None:
    """libtiff's line about a damaged strip; the audit lists the film."""
    data = shutil.copytree(drawn, tmp_path / "data")
    damaged_tiff(data / "train/NORMAL/damaged.tiff")
    command = [sys.executable, "-m", "pneumoscope", "audit", str(data), "--out", str(tmp_path / "out"), "--folds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    report = msgspec.json.decode((tmp_path / "out/audit.json").read_bytes(), type=AuditReport)
    assert [problem.path for problem in report.problems] == ["train/NORMAL/damaged.tiff"]


def test_sources_are_counted_and_a_patient_of_two_counts_once(drawn: Path, tmp_path: Path, run: Run) -> None:
    films = sorted(film for kind in ("NORMAL", "PNEUMONIA") for film in (drawn / "train" / kind).iterdir())
    rows = [
        f"{film},{film.parent.name.lower()},{'both' if i < 2 else f'p{i}'},{('north', 'south')[i % 2]}"
        for i, film in enumerate(films)
    ]
    (tmp_path / "films.csv").write_text("\n".join(["path,label,patient,hospital", *rows]) + "\n")
    ran = run("audit", tmp_path / "films.csv", "--out", tmp_path / "out", "--folds", 3)
    assert ran.code == 0, ran.err
    report = msgspec.json.decode((tmp_path / "out/audit.json").read_bytes(), type=AuditReport)
    assert {count.source for count in report.counts} == {"north", "south"}
    text = " ".join(re.sub(r"<[^>]+>", " ", (tmp_path / "out/audit.html").read_text()).split())
    normal = sum(film.parent.name == "NORMAL" for film in films)
    assert f" normal {normal} {normal - 1} " in text
    assert f" north {(len(films) + 1) // 2} " in text
