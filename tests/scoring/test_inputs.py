"""Where films come from, in one process: what the search finds, and what shards give."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import UsageError
from pneumoscope.scoring.chunk_reader import ChunkReader, ReaderSpec
from pneumoscope.scoring.film_search import find_film_refs
from pneumoscope.scoring.outcome import Failure, FilmRef
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def reader(tiny_bundle: Path) -> ChunkReader:
    return ChunkReader(ReaderSpec(tiny_bundle, None, None, mend=True, force=False, settings=Settings(threads=1)))


def pack(films: Path, shard: Path) -> Path:
    """The films as a shard, by the suffix of its name."""
    paths = sorted(films.rglob("*.png"))
    if shard.suffix == ".zip":
        with zipfile.ZipFile(shard, "w") as file:
            for path in paths:
                file.write(path, str(path.relative_to(films)))
    else:
        with tarfile.open(shard, "w:gz" if shard.suffix == ".gz" else "w") as file:
            for path in paths:
                file.add(path, str(path.relative_to(films)))
    return shard


def films_of(*inputs: object) -> list[FilmRef]:
    found = list(find_film_refs([str(each) for each in inputs]))
    assert all(isinstance(each, FilmRef) for each in found)
    return [each for each in found if isinstance(each, FilmRef)]


def test_folders_patterns_and_lists_give_the_same_films(films: Path, tmp_path: Path) -> None:
    names = [film.name for film in films_of(films)]
    listing = tmp_path / "films" / "list.txt"
    listing.write_text("".join(f"{Path(name).relative_to(films)}\n" for name in names))
    table = tmp_path / "table.csv"
    table.write_text("label,path\n" + "".join(f"x,{name}\n" for name in names))

    assert len(names) == 12
    assert names == sorted(names)
    assert [film.name for film in films_of(f"{films}/*/*.png")] == names
    assert [film.name for film in films_of(listing)] == names
    assert [film.name for film in films_of(table)] == names
    assert [film.name for film in films_of(f"file://{films}")] == [
        film.name for film in films_of(f"file://{films}/*/*")
    ]


def test_a_manifest_gives_its_films(films: Path, tmp_path: Path) -> None:
    from pneumoscope.data.manifest import FilmRow, Manifest

    rows = [
        FilmRow(f"a/0{n}.png", "0" * 64, "normal", f"p{n}", "test", 40, 48, "L") for n in range(3)
    ]  # paths from the root
    path = tmp_path / "manifest.parquet"
    Manifest(rows, films).save(path)

    assert [film.name for film in films_of(path)] == [str(films / f"a/0{n}.png") for n in range(3)]


@pytest.mark.parametrize("name", ["films.tar", "films.tar.gz", "films.zip"])
def test_a_film_in_a_shard_reads_as_it_does_outside(
    name: str, films: Path, tmp_path: Path, reader: ChunkReader
) -> None:
    outside = reader.read(films_of(films))
    inside = reader.read(films_of(pack(films, tmp_path / name)))

    assert [each.status for each in outside] == ["read"] * 12
    assert [each.cells[1:] for each in inside if each.cells] == [each.cells[1:] for each in outside if each.cells]
    assert [each.name for each in inside] == [
        f"{tmp_path / name}!{Path(each.name).relative_to(films)}" for each in outside
    ]


@pytest.mark.parametrize("left", [0.2, 0.5, 0.9])
def test_a_cut_tar_gives_the_films_before_the_cut_and_says_so(
    left: float, films: Path, tmp_path: Path, reader: ChunkReader
) -> None:
    shard = pack(films, tmp_path / "films.tar")
    last = max(film.offset + film.size for film in films_of(shard))
    whole = {film.name: film for film in films_of(shard)}
    data = shard.read_bytes()[: int(left * last)]
    shard.write_bytes(data)

    found = list(find_film_refs([str(shard)]))
    failures = [each for each in found if isinstance(each, Failure)]
    outcomes = reader.read([each for each in found if isinstance(each, FilmRef)])

    before = {name for name, film in whole.items() if film.offset + film.size <= len(data)}
    assert [failure.code for failure in failures] == ["shard-damaged"]
    assert {each.name for each in outcomes if each.status == "read"} == before
    assert all(each.failure and each.failure.code == "shard-damaged" for each in outcomes if each.status != "read")


def test_a_tar_cut_between_two_films_is_found_out(films: Path, tmp_path: Path) -> None:
    shard = pack(films, tmp_path / "films.tar")
    seventh = films_of(shard)[7]
    shard.write_bytes(shard.read_bytes()[: seventh.offset - 512])

    found = list(find_film_refs([str(shard)]))

    assert [isinstance(each, FilmRef) for each in found] == [True] * 7 + [False]


@pytest.mark.parametrize("name", ["films.tar.gz", "films.zip"])
def test_another_shard_that_is_cut_fails_and_does_not_stop_the_run(name: str, films: Path, tmp_path: Path) -> None:
    shard = pack(films, tmp_path / name)
    shard.write_bytes(shard.read_bytes()[:-200])

    found = list(find_film_refs([str(shard), str(films)]))

    assert [each.code for each in found if isinstance(each, Failure)] == ["shard-damaged"]
    assert {str(path) for path in films.rglob("*.png")} <= {each.name for each in found if isinstance(each, FilmRef)}


def test_a_damaged_film_in_a_shard_is_refused_and_not_failed(tmp_path: Path, reader: ChunkReader) -> None:
    shard = tmp_path / "films.tar"
    with tarfile.open(shard, "w") as file:
        member = tarfile.TarInfo("film.png")
        member.size = 9
        file.addfile(member, io.BytesIO(b"not a png"))

    (outcome,) = reader.read(films_of(shard))

    assert outcome.status == "refused"


def test_a_film_that_is_gone_is_tried_again_and_not_refused(
    films: Path, reader: ChunkReader, make_film: Callable[..., Path]
) -> None:
    refs = films_of(films)
    gone = Path(refs[0].location)
    gone.unlink()

    first = reader.read(refs[:1])
    make_film(gone, 0)

    assert [each.status for each in first] == ["failed"]
    assert [each.status for each in reader.read(refs[:1])] == ["read"]


@pytest.mark.parametrize("place", ["nothing-here", "nothing/*.png", "nosuchkind://bucket/films"])
def test_what_is_no_input_is_wrong_usage(place: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        list(find_film_refs([place if "://" in place else str(tmp_path / place)]))
