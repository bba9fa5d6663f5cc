"""The whole audit on drawn films, clean and with planted faults."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageOps

from pneumoscope.data.audit.label_noise import OutOfFoldPredictions
from pneumoscope.data.audit.report import AuditReport
from pneumoscope.data.audit.run import audit, film_parts
from pneumoscope.data.scan import scan
from pneumoscope.data.sites import join_sites
from pneumoscope.data.split import make_split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.data.audit.run import Audit

    Films = Callable[[Path, str], list[Path]]


@pytest.fixture(scope="session")
def found_clean(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return audit(scan(drawn), cache=tmp_path_factory.mktemp("cache"), folds=3)


def test_a_clean_set_is_clean(found_clean: Audit) -> None:
    report = found_clean.report
    assert (report.films, report.classes, report.parts) == (
        90,
        ["normal", "bacterial", "viral"],
        ["train", "val", "test"],
    )
    assert report.copies == []
    assert report.problems == []
    assert report.odd == []
    assert report.leaks.known
    assert not report.leaks.found
    assert sum(count.films for count in report.counts) == 90
    assert [kind.films for kind in report.kinds] == [90]


def test_no_shortcut_is_seen_in_how_clean_films_were_stored(found_clean: Audit) -> None:
    groups = {group.name: group for group in found_clean.report.shortcuts.groups}
    assert groups["coding"].alone is not None  # the quality differs from film to film, and not by class
    assert groups["coding"].alone.low < 0.5 < groups["coding"].alone.high
    assert abs(groups["coding"].drop) < 0.1


def test_the_report_goes_through_json(found_clean: Audit) -> None:
    data = msgspec.json.encode(found_clean.report)
    assert msgspec.json.decode(data, type=AuditReport, strict=True) == found_clean.report
    assert found_clean.report.format == 1


def test_every_planted_fault_is_found(clean: Path, films_of: Films, tmp_path: Path) -> None:
    normal, sick = films_of(clean, "train/NORMAL"), films_of(clean, "train/PNEUMONIA")
    test_normal, test_sick = films_of(clean, "test/NORMAL"), films_of(clean, "test/PNEUMONIA")
    shutil.copy(normal[0], clean / "test/NORMAL/IM-9001-0001.jpeg")  # the same file on both sides
    with Image.open(normal[1]) as film:  # the same picture, on both sides and with another label
        film.resize((150, 160)).save(clean / "test/PNEUMONIA/person9002_bacteria_1.jpeg", quality=60)
    shutil.move(test_sick[0], clean / f"test/PNEUMONIA/{sick[0].name.split('_')[0]}_virus_9003.jpeg")  # a patient
    test_normal[0].write_bytes(test_normal[0].read_bytes()[:300])
    with Image.open(normal[2]) as film:
        ImageOps.invert(film).save(normal[2])
    with Image.open(normal[3]) as film:
        film.convert("CMYK").save(normal[3])
    report = audit(scan(clean), cache=tmp_path, folds=3).report
    same, near = (next(group for group in report.copies if group.how == how) for how in ("bytes", "picture"))
    assert len(report.copies) == 2
    assert same.paths == ["test/NORMAL/IM-9001-0001.jpeg", f"train/NORMAL/{normal[0].name}"]
    assert same.crosses
    assert not same.conflict
    assert near.paths == ["test/PNEUMONIA/person9002_bacteria_1.jpeg", f"train/NORMAL/{normal[1].name}"]
    assert near.crosses
    assert near.conflict
    leaks = report.leaks
    assert (leaks.found, leaks.exact_copies, leaks.near_copies) == (True, 1, 1)
    crossing = {row.patient for row in leaks.crossing}
    assert sick[0].name.split("_")[0] in crossing
    assert leaks.patients == len(crossing) == 2  # and the child of the copied file, whatever its new name
    assert [noted.path for noted in report.problems] == [f"test/NORMAL/{test_normal[0].name}"]
    odd = {noted.path: noted.what for noted in report.odd}
    assert set(odd) == {f"train/NORMAL/{normal[2].name}", f"train/NORMAL/{normal[3].name}"}
    assert "unlike" in odd[f"train/NORMAL/{normal[2].name}"]
    assert "CMYK" in odd[f"train/NORMAL/{normal[3].name}"]


def test_a_planted_shortcut_is_found(clean: Path, films_of: Films, tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        for path in films_of(clean, f"{part}/NORMAL"):
            with Image.open(path) as film:
                film.save(path, quality=60)
    report = audit(scan(clean), cache=tmp_path, folds=3).report
    assert report.shortcuts.auc is not None
    assert report.shortcuts.auc.value > 0.95
    assert report.shortcuts.verdict == "strong"
    quality = next(row for row in report.shortcuts.features if row.name == "jpeg_quality")
    assert quality.auc == 1
    assert quality.higher
    assert quality.medians["normal"] == 60
    coding = next(group for group in report.shortcuts.groups if group.name == "coding")
    assert coding.alone is not None
    assert coding.alone.value > 0.95


def test_given_predictions_rank_planted_labels_and_are_named(drawn: Path, found_clean: Audit, tmp_path: Path) -> None:
    manifest = scan(drawn)
    truth = manifest.targets
    p = np.full((90, 3), 0.05)
    p[np.arange(90), truth] = 0.9
    wrong = [3, 70]
    for place in wrong:
        p[place] = np.roll(p[place], 1)
    given = OutOfFoldPredictions(p, "predictions", "five folds")
    cache = tmp_path / "cache"
    report = audit(manifest, cache=cache, folds=3, predictions=given).report
    assert report.image_model.words == "five folds"
    classes = next(noise for noise in report.label_noise if noise.level == "classes")
    assert {suspect.path for suspect in classes.suspects} == {manifest.films[place].path for place in wrong}
    fitted = audit(
        manifest, cache=cache, folds=3, predictions=OutOfFoldPredictions(p, "bundle", "b", out_of_fold=False)
    ).report
    assert fitted.label_noise[0].why_not
    assert found_clean.report.image_model.kind == "quick"


def test_a_split_gives_the_parts(drawn: Path) -> None:
    manifest = scan(drawn)
    split = make_split(manifest, seed=3)
    parts = film_parts(manifest, split)
    assert {name: parts.count(name) for name in split.parts} == {name: len(rows) for name, rows in split.parts.items()}
    assert film_parts(manifest) == tuple(film.part for film in manifest.films)


def test_a_few_films_of_one_patient_end_in_words(tmp_path: Path, drawn: Path, films_of: Films) -> None:
    root = tmp_path / "few"
    for kind in ("NORMAL", "PNEUMONIA"):
        (root / kind).mkdir(parents=True)
        for path in films_of(drawn, f"train/{kind}")[:2]:
            shutil.copy(path, root / kind / path.name)
    report = audit(scan(root), cache=tmp_path).report
    assert report.shortcuts.why_not
    assert report.label_noise[0].why_not
    assert not report.leaks.known
    assert report.image_model.auc is None


def test_sites_that_are_made_otherwise_are_told_apart(drawn: Path, tmp_path: Path) -> None:
    """One site's films are half as large: nothing of the chest is needed to know it."""
    other = tmp_path / "other"
    shutil.copytree(drawn, other)
    for path in sorted(other.rglob("*.jp*g")) + sorted(other.rglob("*.png")):
        if "masks" in path.parts:
            continue
        with Image.open(path) as film:
            small = film.resize((film.width // 2, film.height // 2))
        small.save(path)
    manifest = join_sites({"home": scan(drawn), "other": scan(other)})
    report = audit(manifest, cache=tmp_path / "cache", folds=3).report
    assert [(site.site, site.films) for site in report.sites] == [("home", 90), ("other", 90)]
    for site in report.sites:
        assert site.auc is not None
        assert site.auc.value > 0.95
    assert audit(scan(drawn), cache=tmp_path / "cache", folds=3).report.sites == []
