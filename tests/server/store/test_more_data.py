"""Verdicts and panels as a labelled data set, versions compared, and the queue of films worth a person's look."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pneumoscope.cli.main import main
from pneumoscope.data.dataset_versions import dataset_difference
from pneumoscope.data.scan import scan
from pneumoscope.errors import DatasetError
from pneumoscope.server.store.labelled_films import export_dataset, read_panel
from pneumoscope.server.store.records import NewFilm
from pneumoscope.server.store.review_queue import review_queue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.store.conftest import Clock, MakeReading

    from pneumoscope.server.store.blobs import LocalBlobs
    from pneumoscope.server.store.worklist import Worklist

KEY = b"k" * 32


def png(number: int) -> bytes:
    """A film of noise with a name in its header."""
    pixels = np.random.default_rng(number).integers(0, 255, (48, 40), dtype=np.uint8)
    told = PngImagePlugin.PngInfo()
    told.add_text("Patient", "Jane Roe")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=told)
    return buffer.getvalue()


@pytest.fixture
def put(sqlite_worklist: Worklist, new_reading: MakeReading) -> Callable[..., str]:
    def study(number: int, probability: float, **more: Any) -> str:
        data = png(number)
        film = NewFilm(hashlib.sha256(data).hexdigest(), data, f"{number}.png", (new_reading(probability),), **more)
        return sqlite_worklist.studies.add([film], label=f"Jane {number}", source="web", by="anna").id

    return study


@pytest.fixture
def judged(sqlite_worklist: Worklist, put: Callable[..., str], clock: Clock) -> list[str]:
    """Six studies: agreed with (2), corrected (1), not assessable (1), taken back (1), without a verdict (1)."""
    ids = [put(number, p) for number, p in enumerate((0.9, 0.2, 0.8, 0.7, 0.6, 0.5))]
    clock.forward(seconds=5)
    give = sqlite_worklist.verdicts.give
    give(ids[0], "agree", by="anna")
    give(ids[1], "agree", by="ben")
    give(ids[2], "correct", "normal", by="anna")
    give(ids[3], "not-assessable", by="anna")
    last = give(ids[4], "agree", by="anna")
    sqlite_worklist.verdicts.withdraw(ids[4], last.id, by="anna")
    return ids


def export(worklist: Worklist, blobs: LocalBlobs, folder: Path, **more: Any) -> Any:
    return export_dataset(worklist.database, blobs, KEY, folder, site="here", **more)


def films(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "films.csv").read_text().splitlines()))


@pytest.mark.usefixtures("judged")
def test_verdicts_become_labels_with_provenance(sqlite_worklist: Worklist, blobs: LocalBlobs, tmp_path: Path) -> None:
    out = tmp_path / "grown"
    summary = export(sqlite_worklist, blobs, out)
    assert (summary.films, summary.labels, summary.in_sight) == (3, {"normal": 2, "pneumonia": 1}, 3)
    rows = films(out)
    assert {row["labelled_by"] for row in rows} == {"anna", "ben"}
    assert {row["in_sight_of_model"] for row in rows} == {"yes"}
    assert {row["bundle"] for row in rows} == {"standard 1"}
    assert all(row["labelled_at"] for row in rows)
    about = json.loads((out / "dataset.json").read_text())
    assert about["version"] == summary.version
    assert "Research use only" in about["notice"]


def test_no_identity_goes_out(sqlite_worklist: Worklist, blobs: LocalBlobs, judged: list[str], tmp_path: Path) -> None:
    out = tmp_path / "grown"
    export(sqlite_worklist, blobs, out)
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"Jane" not in everything
    for ident in judged:
        assert ident.encode() not in everything
    for number in range(6):
        assert hashlib.sha256(png(number)).hexdigest().encode() not in everything
    # The pixels are those of the film.
    kept = [np.asarray(Image.open(path)) for path in (out / "films").iterdir()]
    first = np.asarray(Image.open(io.BytesIO(png(0))))
    assert any(np.array_equal(first, picture) for picture in kept)


@pytest.mark.usefixtures("judged")
def test_it_is_a_site_to_train_on(sqlite_worklist: Worklist, blobs: LocalBlobs, tmp_path: Path) -> None:
    out = tmp_path / "grown"
    export(sqlite_worklist, blobs, out)
    manifest = scan(out, labels="binary")
    assert sorted(film.label for film in manifest.films) == ["normal", "normal", "pneumonia"]
    assert {film.site or film.source for film in manifest.films} == {"here"}


def test_a_panel_stands_over_a_verdict_and_is_not_in_sight_of_the_model(
    sqlite_worklist: Worklist, blobs: LocalBlobs, judged: list[str], tmp_path: Path
) -> None:
    reference = tmp_path / "reference.csv"
    reference.write_text(f"film,label,agreement\n{judged[0]},normal,majority\n{judged[5]},pneumonia,unanimous\n")
    out = tmp_path / "grown"
    export(sqlite_worklist, blobs, out)
    before = tmp_path / "before"
    out.rename(before)
    summary = export(sqlite_worklist, blobs, out, panel=read_panel(reference))
    assert (summary.films, summary.in_sight) == (4, 2)
    by = {row["agreement"]: row for row in films(out)}
    assert (by["majority"]["label"], by["majority"]["labelled_from"]) == ("normal", "panel")
    found = dataset_difference(before, out)
    assert (len(found.added), len(found.removed), found.same) == (1, 0, 2)
    assert [(one.before, one.after) for one in found.relabelled] == [("pneumonia", "normal")]
    assert found.old != found.new


def test_the_same_worklist_is_the_same_version(
    sqlite_worklist: Worklist, blobs: LocalBlobs, judged: list[str], tmp_path: Path
) -> None:
    one, two = export(sqlite_worklist, blobs, tmp_path / "a"), export(sqlite_worklist, blobs, tmp_path / "b")
    assert one.version == two.version
    given = sqlite_worklist.studies.detail(judged[1]).verdicts[0]
    sqlite_worklist.verdicts.withdraw(judged[1], given.id, by="ben")
    three = export(sqlite_worklist, blobs, tmp_path / "a")
    assert three.version != one.version
    assert len(list((tmp_path / "a" / "films").iterdir())) == 2  # what is no longer labelled is taken away


def test_without_verdicts_there_is_no_data_set(
    sqlite_worklist: Worklist, blobs: LocalBlobs, put: Callable[..., str], tmp_path: Path
) -> None:
    put(0, 0.9)
    with pytest.raises(DatasetError, match="no film has a label"):
        export(sqlite_worklist, blobs, tmp_path / "out")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="film and label"):
        read_panel(tmp_path / "bad.csv")
    with pytest.raises(DatasetError):
        dataset_difference(tmp_path, tmp_path)


def test_the_queue_asks_first_for_what_is_uncertain(sqlite_worklist: Worklist, put: Callable[..., str]) -> None:
    ids = [put(number, p) for number, p in enumerate((0.99, 0.51, 0.02, 0.35))]
    found = review_queue(sqlite_worklist.database, 10)
    assert [one.study for one in found] == [ids[1], ids[3], ids[0], ids[2]]  # the last two lie far on either side
    assert found[0].reason == "uncertain"
    sqlite_worklist.verdicts.give(ids[1], "agree", by="anna")
    assert review_queue(sqlite_worklist.database, 1)[0].study == ids[3]


def test_the_queue_asks_for_films_unlike_the_others(sqlite_worklist: Worklist, put: Callable[..., str]) -> None:
    def told(mean: float) -> dict[str, float]:
        return {"mean": mean, "std": 0.2, "p1": 0.0, "p99": 1.0, "sharpness": 0.5, "aspect": 1.0}

    ids = [put(number, 0.01, statistics=told(0.5 + number / 500)) for number in range(8)]
    odd = put(9, 0.01, statistics=told(0.9))
    found = review_queue(sqlite_worklist.database, 3)
    assert found[0].study == odd
    assert found[0].reason == "drifted"
    assert {one.study for one in found[1:]} <= set(ids)


def test_an_empty_worklist_has_an_empty_queue(sqlite_worklist: Worklist) -> None:
    assert review_queue(sqlite_worklist.database, 5) == ()


def test_by_command(
    tmp_path: Path, empty_file: Path, clock: Clock, new_reading: MakeReading, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    from pneumoscope.server.store.blobs import LocalBlobs
    from pneumoscope.server.store.worklist import open_worklist

    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(empty_file, data / "worklist.sqlite")
    store = open_worklist(f"sqlite:///{data / 'worklist.sqlite'}", LocalBlobs(data / "films"), clock=clock)
    for number, p in enumerate((0.9, 0.4)):
        film = NewFilm(hashlib.sha256(png(number)).hexdigest(), png(number), "a.png", (new_reading(p),))
        ident = store.studies.add([film], label="a", source="web", by="anna").id
    store.verdicts.give(ident, "agree", by="anna")
    store.close()
    out = tmp_path / "grown"
    assert main(["dataset", "export", str(out), "--data", str(data)]) == 0
    assert "1 films of 1 patients: normal 1" in capsys.readouterr().out
    assert main(["dataset", "diff", str(out), str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] == 1
    assert main(["queue", "--data", str(data), "--out", str(tmp_path / "queue.csv"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert len((tmp_path / "queue.csv").read_text().splitlines()) == 2
    assert main(["dataset", "diff", str(out)]) == 2
