"""``pneumoscope calibrate-site``, as a person runs it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.scan import scan
from pneumoscope.errors import FilmError
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.learned_films import learned_films
from pneumoscope.model.reader import Reader
from pneumoscope.phantom.draw import KINDS, draw_phantom
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any, TypeAlias

    Run: TypeAlias = Callable[..., Any]


@pytest.fixture
def site(tmp_path: Path, tiny_bundle: Path, make_film: Callable[..., Path]) -> Callable[..., Path]:
    """``site(noise=1.0)``: a table of 120 films whose labels follow what the tiny bundle says, but for noise."""
    reader = Reader(tiny_bundle)

    def make(noise: float = 1.0, *, binary: bool = False) -> Path:
        generator = np.random.default_rng(0)
        films = [make_film(tmp_path / "site" / f"{seed}.png", seed) for seed in range(120)]
        said = [list((reader.read(film).probabilities or {}).values()) for film in films]
        score = np.log(np.array(said)[:, 0])
        score = (score - score.mean()) / score.std() + generator.normal(size=120) * noise
        order = np.argsort(np.argsort(-score))
        names = ["pneumonia", "pneumonia"] if binary else ["bacterial", "viral"]
        labels = ["normal" if place < 50 else names[place % 2] for place in order.tolist()]
        rows = "".join(f"site/{i}.png,{label}\n" for i, label in enumerate(labels))
        table = tmp_path / "site.csv"
        table.write_text(f"path,label\n{rows}")
        return table

    return make


def test_a_bundle_for_the_site_is_written_and_read_with(
    run: Run, site: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "ours.onnx"

    ran = run("calibrate-site", tiny_bundle, site(0.3), "--out", out, "--site", "Ward 3", "--by", "Dr Lee")

    assert ran.code == 0, ran.err
    graph, old, _ = read_bundle(tiny_bundle)
    new_graph, meta, sha256 = read_bundle(out)
    assert new_graph == graph
    assert (meta.version, meta.sites[0].site, meta.sites[0].by) == ("1+ward-3", "Ward 3", "Dr Lee")
    assert meta.provenance == old.provenance
    assert meta.calibrator != old.calibrator
    assert meta.reference is not None
    assert (meta.reference.on, meta.reference.finding) == ("120 films of 120 patients of Ward 3", 70)
    for words in (
        "120 films of 120 patients: ",
        "Ranking: the AUC on these films is 0.9",
        "After: cross-fitted",
        "sensitivity (balanced)",
        "Three-way call: ",
        "90 % sets, viral",
        "too few for the asked precision of 5 points",
        f"({meta.name} 1+ward-3, sha256 {sha256[:12]})",
        NOTICE,
    ):
        assert words in ran.out
    assert run("read", tmp_path / "site" / "0.png", "--model", out).code == 0
    card = run("bundles", out).out
    assert "Ward 3" in card
    assert "Dr Lee" in card


def test_films_that_the_bundle_learned_from_are_told(
    run: Run, site: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    table = site(0.3)
    digests = [film.sha256 for film in scan(table).films]
    graph, meta, _ = read_bundle(tiny_bundle)
    known = (learned_films("train", digests[:30], "salt"), learned_films("val", digests[30:40], "salt"))
    write_bundle(tmp_path / "knows.onnx", graph, replace(meta, learned_films=known))

    ran = run("calibrate-site", tmp_path / "knows.onnx", table, "--out", tmp_path / "ours.onnx", "--site", "Ward 3")

    assert ran.code == 0, ran.err
    assert "30 of the 120 films" in " ".join(ran.out.split())
    told = " ".join(read_bundle(tmp_path / "ours.onnx")[1].sites[0].remarks)
    assert "30 of the 120 films" in told
    assert "10 of the 120 films" in told


def test_labels_that_tell_only_pneumonia_are_enough(
    run: Run, site: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    ran = run("calibrate-site", tiny_bundle, site(0.3, binary=True), "--out", tmp_path / "ours.onnx")

    assert ran.code == 0, ran.err
    assert "90 % sets, bacterial or viral" in ran.out
    assert "The labels do not tell bacterial from viral" in ran.out


def test_folders_that_tell_only_pneumonia_are_enough(
    run: Run, site: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    """NORMAL and PNEUMONIA, the way most hospitals would sort them: no file name tells a pattern."""
    table = site(0.3, binary=True)
    for line in table.read_text().splitlines()[1:]:
        path, label = line.split(",")
        target = tmp_path / "sorted" / label.upper() / path.rpartition("/")[2]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((tmp_path / path).read_bytes())
    (tmp_path / "sorted" / "PNEUMONIA" / "broken.png").write_bytes(b"no picture")

    ran = run("calibrate-site", tiny_bundle, tmp_path / "sorted", "--out", tmp_path / "ours.onnx")

    assert ran.code == 0, ran.err
    assert "50 normal, 70 pneumonia" in ran.out
    assert "left out: 1 files, the first PNEUMONIA/broken.png: " in ran.out


def test_a_ranking_that_fails_is_refused_and_nothing_is_written(
    run: Run, site: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ours.onnx"

    ran = run("calibrate-site", tiny_bundle, site(30.0), "--out", out)

    assert ran.code == 6
    assert "re-calibration cannot help: the ranking fails; the AUC on these films is" in ran.err
    assert not out.exists()


def test_too_few_films_are_refused(run: Run, films: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    rows = "".join(f"{name},{label}\n" for name, label in (("a.png", "normal"), ("b.jpeg", "pneumonia")))
    (films / "table.csv").write_text(f"path,label\n{rows}")

    ran = run("calibrate-site", tiny_bundle, films / "table.csv", "--out", tmp_path / "ours.onnx")

    assert ran.code == 6
    assert "the films are too few: 2 were read, 1 with pneumonia and 1 without. Give at least 50" in ran.err


def test_what_is_asked_is_taken(run: Run, site: Callable[..., Path], tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours.onnx"
    asked = ["--missed", "0.1", "--false-calls", "0.2", "--prevalence", "0.3", "--precision", "0.25", "--recall", "0.9"]

    ran = run("calibrate-site", tiny_bundle, site(0.3), "--out", out, *asked)

    assert ran.code == 0, ran.err
    meta = read_bundle(out)[1]
    assert meta.band is not None
    assert meta.band.stated == (0.1, 0.2)
    assert meta.sites[0].prevalence == 0.3
    assert meta.sites[0].site == "site"
    assert "too few for the asked precision" not in ran.out
    assert "recall at least 0.9" in meta.operating_points[0].rule


def test_figures_are_drawn_where_they_are_wanted(
    run: Run, site: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    ran = run("calibrate-site", tiny_bundle, site(0.5), "--out", tmp_path / "o.onnx", "--figures", tmp_path / "drawn")

    assert ran.code == 0, ran.err
    names = {"reliability.svg", "reliability.png", "risk_coverage.svg", "risk_coverage.png"}
    assert {file.name for file in (tmp_path / "drawn").iterdir()} == names


def test_a_missing_library_is_named(
    run: Run, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumoscope.cli.console.find_spec", lambda _: None)

    ran = run("calibrate-site", tiny_bundle, tmp_path, "--out", tmp_path / "o.onnx")

    assert ran.code == 2
    assert "pip install 'pneumoscope[site]'" in ran.err


@pytest.fixture
def gated(tmp_path: Path, tiny_bundle: Path) -> Path:
    graph, meta, _ = read_bundle(tiny_bundle)
    path = tmp_path / "gated.onnx"
    write_bundle(path, graph, replace(meta, gate=replace(shipped_quality_spec(), ages=(1.0, 5.0))))
    return path


@pytest.fixture
def chests(tmp_path: Path, gated: Path) -> Path:
    """Sixty drawn chests of forty patients whose labels follow what the bundle says, and two pictures of noise."""
    from PIL import Image

    folder = tmp_path / "chests"
    folder.mkdir()
    pixels = [draw_phantom(seed, KINDS[seed % len(KINDS)], rows=128).pixels for seed in range(60)]
    pixels += [np.random.default_rng(seed).integers(0, 256, (128, 128), dtype=np.uint8) for seed in range(2)]
    reader = Reader(gated, force=True)
    said = [(reader.read(each).probabilities or {})["normal"] for each in pixels]
    rows = ["path,label,patient"]
    for number, (each, normal) in enumerate(zip(pixels, said, strict=True)):
        Image.fromarray(each).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{'normal' if normal >= np.median(said) else 'pneumonia'},{number % 42}")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder / "table.csv"


def test_the_gate_is_calibrated_too_and_told_as_json(run: Run, gated: Path, chests: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours.onnx"

    ran = run("calibrate-site", gated, chests, "--out", out, "--json", "--false-refusals", "0.05")

    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    meta = read_bundle(out)[1]
    assert meta.gate is not None
    assert meta.gate.head == shipped_quality_spec().head
    assert meta.gate.ages == (1.0, 5.0)
    assert meta.gate.films == told["gate"]["films"] == 62
    assert told["gate"]["asked"] == 0.05
    assert told["gate"]["beyond"] == 2
    assert told["gate"]["refused"]["after"]["k"] >= 2
    assert meta.gate.fit == told["gate"]["fit"]["after"] <= shipped_quality_spec().fit + 1e-9 + 0.6213
    assert meta.gate.fit >= shipped_quality_spec().fit - 1
    assert meta.sites[0].figures["refused by the gate"].n == 62
    assert told["films"] == 60
    assert told["presets"]["balanced"]["threshold"]["after"] == meta.operating_points[1].threshold
    assert told["bundle"]["sha256"] == read_bundle(out)[2]
    assert told["notice"] == NOTICE
    assert any("2 of 62 films look so unlike frontal chest films" in remark for remark in told["remarks"])


def test_the_gate_is_told_in_words_or_kept(run: Run, gated: Path, chests: Path, tmp_path: Path) -> None:
    ran = run("calibrate-site", gated, chests, "--out", tmp_path / "ours.onnx")
    assert ran.code == 0, ran.err
    for words in (
        "Gate: good films that it refuses",
        "refused (asked: at most 1 %)",
        "62 films can promise no less; 99 could",
    ):
        assert words in ran.out
    ran = run("calibrate-site", gated, chests, "--out", tmp_path / "kept.onnx", "--keep-gate")
    assert ran.code == 0, ran.err
    meta = read_bundle(tmp_path / "kept.onnx")[1]
    assert meta.gate == replace(shipped_quality_spec(), ages=(1.0, 5.0))
    assert "Gate: good films" not in ran.out


@pytest.mark.real
@pytest.mark.slow
def test_real_films_of_the_public_set(run: Run, real_data: Path, tmp_path: Path) -> None:
    """The shipped bundle on films for validation: the ranking holds, the gate's promise is kept on films for test."""
    from pneumoscope.data.scan import scan
    from pneumoscope.data.split import make_split
    from pneumoscope.films.load import load
    from pneumoscope.quality.checks import check_quality

    manifest = scan(real_data / "chest_xray")
    parts = make_split(manifest, seed=0).parts
    rows = ["path,label,patient"]
    for i in parts["val"][::4].tolist():
        film = manifest.films[i]
        rows.append(f"{manifest.root / film.path},{film.label},{film.patient}")
    table = tmp_path / "films.csv"
    table.write_text("\n".join(rows))
    out = tmp_path / "ours.onnx"

    ran = run("calibrate-site", "standard", table, "--out", out, "--json", "--site", "Guangzhou")

    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["ranking"]["verdict"] == "holds"
    assert told["gate"]["films"] >= 125
    assert told["gate"]["refused"]["after"]["value"] <= 0.03
    gate = read_bundle(out)[1].gate
    assert gate is not None
    judged = [load(manifest.root / manifest.films[i].path) for i in parts["test"][::4].tolist()]
    assert np.mean([check_quality(film, gate).refusal is not None for film in judged]) <= 0.03
    for path in sorted((real_data / "dicom" / "other").rglob("*.dcm"))[:12]:
        try:
            film = replace(load(path), facts={})
        except FilmError:
            continue
        assert check_quality(film, gate).refusal is not None, path.name
