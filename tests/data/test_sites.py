"""Several data sets as one, each a site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.manifest import Manifest, Site
from pneumoscope.data.scan import scan
from pneumoscope.data.sites import join_sites, site_arguments
from pneumoscope.data.split import first_block, make_split
from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.data.conftest import Draw


@pytest.fixture
def reads(tmp_path: Path, draw: Draw) -> Path:
    """A site whose films are in a table, as a challenge hands them out."""
    folder = tmp_path / "reads"
    lines = ["film,read,patient,age,sex,view,copy,boxes"]
    for number in range(8):
        read = "opacity" if number % 2 else "normal"
        draw(folder / read / f"{number // 2:05d}_00{number % 2}.png")
        boxes = '"0.1 0.2 0.3 0.4;0.5 0.5 0.25 0.25"' if number % 2 else ""
        lines.append(f"{read}/{number // 2:05d}_00{number % 2}.png,{read},{number // 2},{40 + number},F,PA,a,{boxes}")
    (folder / "films.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_table_of_reads_is_taken_as_it_comes(reads: Path) -> None:
    manifest = scan(reads)
    assert manifest.counts() == {"normal": 4, "opacity": 4}
    film = next(film for film in manifest.films if film.label == "opacity")
    assert (film.patient, film.age, film.sex, film.view, film.source, film.site) == ("0", "41", "F", "PA", "a", "reads")
    assert film.boxes == "0.1 0.2 0.3 0.4;0.5 0.5 0.25 0.25"


def test_boxes_that_are_none_are_told(reads: Path) -> None:
    table = reads / "films.csv"
    table.write_text(table.read_text().replace("0.5 0.5 0.25 0.25", "0.5 0.5 200", 1))
    problems = scan(reads).problems
    assert len(problems) == 1
    assert "boxes" in problems[0][1]


def test_sites_are_joined_with_their_labels_as_parents(reads: Path, public_set: Path, tmp_path: Path) -> None:
    known = {"reads": Site(licence="theirs")}
    joined = join_sites({"home": scan(public_set), "reads": scan(reads)}, known)
    assert joined.classes == ("normal", "bacterial", "viral")
    assert joined.site_names == ("home", "reads")
    assert joined.sites["reads"] == Site(folder="reads", licence="theirs")
    assert all((joined.root / film.path).is_file() for film in joined.films)
    for film, target, allowed in zip(joined.films, joined.targets, joined.allowed, strict=True):
        assert (target == -1) == (film.label == "opacity")
        if film.label == "opacity":
            assert allowed.tolist() == [False, True, True]
    assert joined.finding.sum() == 4 + 4
    assert {film.patient.split("/")[0] for film in joined.films} == {"home", "reads"}
    joined.save(tmp_path / "joined.parquet")
    again = Manifest.load(tmp_path / "joined.parquet")
    assert again.films == joined.films
    assert again.sites == joined.sites
    assert again.sha256 == joined.sha256


def test_the_hash_does_not_tell_where_the_sites_lie(reads: Path, public_set: Path, tmp_path: Path) -> None:
    before = join_sites({"home": scan(public_set), "reads": scan(reads)})
    (tmp_path / "far" / "away").mkdir(parents=True)
    moved = reads.rename(tmp_path / "far" / "away" / "reads")
    assert join_sites({"home": scan(public_set), "reads": scan(moved)}).sha256 == before.sha256


def test_patients_of_two_sites_are_one_where_they_share_a_film(tmp_path: Path, draw: Draw) -> None:
    for site in ("a", "b"):
        draw(tmp_path / site / "NORMAL" / "IM-0001-0001.png", seed=1)
        draw(tmp_path / site / "NORMAL" / "IM-0002-0001.png")
        draw(tmp_path / site / "PNEUMONIA" / "person1_virus_1.png")
    joined = join_sites({site: scan(tmp_path / site) for site in ("a", "b")})
    assert len(joined.patients) == 5


def test_arguments_name_sites(tmp_path: Path) -> None:
    assert site_arguments([str(tmp_path / "one"), "other=two"]) == {"one": tmp_path / "one", "other": Path("two")}
    with pytest.raises(UsageError):
        site_arguments(["a/one", "b/one"])


def site_rows(site: str, count: int, part: str | None) -> list[tuple[str, str, str | None]]:
    labels = ("normal", "bacterial", "viral")
    return [(labels[number % 3], f"{site}/p{number}", part) for number in range(count)]


def with_sites(manifest: Manifest) -> Manifest:
    return replace(manifest, films=tuple(replace(film, site=film.patient.split("/")[0]) for film in manifest.films))


def test_a_site_s_own_test_part_is_kept_and_others_get_one(manifest_of: Callable[..., Manifest]) -> None:
    rows = [*site_rows("a", 300, "train"), *site_rows("a2", 0, None)]
    rows += [(label, f"a/t{number}", "test") for number, (label, _, _) in enumerate(site_rows("x", 60, None))]
    rows += [("normal", "a/v1", "val"), ("viral", "a/v2", "val"), *site_rows("b", 200, None)]
    manifest = with_sites(manifest_of(rows))
    split = make_split(manifest, seed=0, keep_official=None)
    films = [manifest.films[row] for row in split.parts["test"]]
    assert {film.patient for film in films if film.site == "a"} == {f"a/t{number}" for number in range(60)}
    assert 10 <= sum(film.site == "b" for film in films) <= 30
    assert {manifest.films[row].site for row in split.parts["val"]} == {"a", "b"}
    assert any("too few" in note for note in split.notes)
    anew = make_split(manifest, seed=0, keep_official=False)
    assert len({manifest.films[row].part for row in anew.parts["train"]}) == 4


def test_a_validation_part_that_is_large_enough_is_kept(manifest_of: Callable[..., Manifest]) -> None:
    rows = [*site_rows("a", 300, "train")]
    for part, head in (("val", "v"), ("test", "t")):
        rows += [(label, f"a/{head}{number}", part) for number, (label, _, _) in enumerate(site_rows("x", 90, None))]
    rows.append(("normal", "a/v0", "train"))  # a patient of the validation part
    manifest = with_sites(manifest_of(rows))
    split = make_split(manifest, seed=0, keep_official=None)
    assert [manifest.films[row].part for row in split.parts["val"]] == ["val"] * 90
    assert split.dropped.tolist() == [len(rows) - 1]


def test_the_first_block_is_of_the_lowest_numbers(manifest_of: Callable[..., Manifest]) -> None:
    manifest = with_sites(manifest_of(site_rows("a", 300, None) + site_rows("b", 30, None)))
    out = first_block(manifest, 0.2, "a")
    numbers = np.array([int(film.patient.split("p")[1]) for film in manifest.films])
    of_a = np.array([film.site == "a" for film in manifest.films])
    assert out.sum() == 60
    assert out[of_a & (numbers < 55)].all()
    assert not out[~of_a | (numbers > 65)].any()
