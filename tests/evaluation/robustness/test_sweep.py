from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pneumoscope.errors import DatasetError, UnreadableFilm, UsageError
from pneumoscope.evaluation.dataset import LabelledFilm, stratified_sample
from pneumoscope.evaluation.robustness.corruptions import CORRUPTIONS, corrupt
from pneumoscope.evaluation.robustness.result import RobustnessResult
from pneumoscope.evaluation.robustness.sweep import run_corruption_sweep
from pneumoscope.model.bundle import write_bundle
from pneumoscope.model.reader import Reader, load
from pneumoscope.settings import NOTICE, Settings
from pneumoscope.stats.proportions import clustered_rate
from pneumoscope.stats.roc import roc_auc

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

FEW = ("blur", "inversion", "crop")
run = partial(run_corruption_sweep, draws=100, progress=False)


class Counting(Reader):
    """A reader that counts, may give up, and may refuse."""

    readings = 0
    dies_after: int | None = None

    def read(self, film: Any, *, name: str | None = None) -> Reading:
        if self.dies_after is not None and self.readings >= self.dies_after:
            raise KeyboardInterrupt
        self.readings += 1
        if film[0, 0] == film.max() and self.settings.model == "refuses white corners":
            raise UnreadableFilm("a white corner", where=name)
        return super().read(film, name=name)


def test_the_cells_are_those_of_reading_each_film_by_hand(
    reader: Reader, films: list[LabelledFilm], tmp_path: Path
) -> None:
    result = run(reader, films, tmp_path, corruptions=FEW, severities=(2, 5))

    assert [(c.corruption, c.severity) for c in result.cells] == [
        ("blur", 2), ("blur", 5), ("inversion", 1), ("crop", 2), ("crop", 5),
    ]  # fmt: skip
    crop = next(c for c in CORRUPTIONS if c.name == "crop")
    truth = np.array([film.positive for film in films])

    def probability(radiograph: Radiograph) -> float:
        found = reader.read(radiograph.pixels).finding
        assert found is not None
        return found.probability

    before = np.array([probability(film.open()) for film in films])
    after = np.array([probability(corrupt(film.open(), crop, 5)) for film in films])
    cell = result.cell("crop", 5)
    assert cell.strength == 0.25
    assert cell.auc.value == roc_auc(truth, after)
    assert cell.shift[0].value == pytest.approx((after - before).mean())
    assert cell.shift[1].value == pytest.approx((after - before)[truth].mean())
    assert cell.shift[2].value == pytest.approx((after - before)[~truth].mean())
    for point, frozen in zip(cell.points, reader.meta.operating_points, strict=True):
        assert (point.preset, point.threshold) == (frozen.preset, frozen.threshold)
        called = after >= frozen.threshold
        recall = clustered_rate(called & truth, [film.patient for film in films], truth)
        assert (point.recall.k, point.recall.n) == (recall.k, recall.n)
        assert (point.recall.value, point.recall.low, point.recall.high) == pytest.approx(
            (recall.value, recall.low, recall.high)
        )
        assert (point.specificity.k, point.specificity.n) == (int((~called & ~truth).sum()), int((~truth).sum()))
        assert point.flipped.k == int((called != (before >= frozen.threshold)).sum())
    assert result.cell("none", 0).shift[0].value == 0
    five = result.summary[-1]
    assert five.severity == 5
    aucs = {name: result.cell(name, 5).auc.value for name in ("blur", "crop")}  # inversion has no degrees
    assert five.auc.value == pytest.approx(np.mean([value for value in aucs.values() if value is not None]))
    assert five.worst == min(aucs.items(), key=lambda item: item[1] or 0)
    recalls = [result.cell(name, 5).points[0].recall.value or 0 for name in aucs]
    assert five.recall[result.clean.points[0].preset].value == pytest.approx(np.mean(recalls))


def test_the_result_survives_json(reader: Reader, films: list[LabelledFilm], tmp_path: Path) -> None:
    result = run(reader, films, tmp_path, corruptions=["blur"])
    assert RobustnessResult.load(tmp_path / "stress.json") == result
    assert NOTICE in result.table()
    assert json.loads((tmp_path / "stress.json").read_bytes())["notice"] == NOTICE
    assert b"NaN" not in (tmp_path / "stress.json").read_bytes()
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DatasetError, match="no stress result"):
        RobustnessResult.load(tmp_path / "other.json")
    with pytest.raises(DatasetError, match="cannot be read"):
        RobustnessResult.load(tmp_path / "missing.json")


def test_a_killed_sweep_goes_on(tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path) -> None:
    whole = run(load(tiny_bundle, settings=Settings(threads=1)), films, tmp_path / "whole", corruptions=FEW)
    killed = Counting(tiny_bundle, settings=Settings(threads=1))
    killed.dies_after = 40
    with pytest.raises(KeyboardInterrupt):
        run(killed, films, tmp_path / "part", corruptions=FEW)
    journal = tmp_path / "part" / "stress.jsonl"
    rows = journal.read_bytes().splitlines()
    assert 12 <= len(rows) - 1 < 40  # whole films are there
    assert (len(rows) - 1) % 12 == 0
    journal.write_bytes(journal.read_bytes()[:-9])  # and the last line was cut short

    again = Counting(tiny_bundle, settings=Settings(threads=3))
    assert run(again, films, tmp_path / "part", corruptions=FEW) == whole
    assert again.readings == 12 * len(films) - (len(rows) - 2)
    again.readings = 0
    assert run(again, films, tmp_path / "part", corruptions=FEW) == whole
    assert again.readings == 0


def test_the_journal_of_another_bundle_is_not_taken(
    reader: Reader, films: list[LabelledFilm], tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta
) -> None:
    run(reader, films, tmp_path / "out", corruptions=["blur"])
    write_bundle(tmp_path / "other.onnx", tiny_graph, replace(tiny_meta, version="2"))
    with pytest.raises(UsageError, match="another bundle"):
        run(load(tmp_path / "other.onnx"), films, tmp_path / "out", corruptions=["blur"])


def test_threads_do_not_change_the_result(tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path) -> None:
    one, four = (
        run(load(tiny_bundle, settings=Settings(threads=n)), films, tmp_path / str(n), corruptions=FEW) for n in (1, 4)
    )
    assert one == four
    assert (tmp_path / "1" / "stress.jsonl").read_bytes() == (tmp_path / "4" / "stress.jsonl").read_bytes()


def test_refused_films_are_counted_and_in_no_figure(
    tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path
) -> None:
    refusing = Counting(tiny_bundle, settings=Settings(threads=1, model="refuses white corners"))
    result = run(refusing, films, tmp_path, corruptions=["inversion"])
    cell = result.cells[0]
    black = [film for film in films if film.open().pixels[0, 0] == film.open().pixels.min()]
    assert cell.refused == (sum(f.positive for f in black), sum(not f.positive for f in black))
    assert sum(cell.refused) > 0
    assert cell.n == len(films) - sum(cell.refused)
    assert cell.refusals == {"unreadable": sum(cell.refused)}
    assert cell.points[0].recall.n + cell.points[0].specificity.n == cell.n


def broken() -> Radiograph:
    raise UnreadableFilm("damaged", where="bad.png")


def test_films_that_cannot_be_read_are_left_out_by_name(
    reader: Reader, films: list[LabelledFilm], tmp_path: Path
) -> None:
    bad = LabelledFilm("bad.png", "0" * 64, "normal", positive=False, patient="p", open=broken)
    result = run(reader, [*films, bad], tmp_path, corruptions=["blur"])
    assert result.left_out == (("bad.png", "unreadable"),)
    assert result.films == len(films)
    with pytest.raises(DatasetError, match="none of the 1 films can be read"):
        run(reader, [bad], tmp_path / "bad")
    with pytest.raises(DatasetError, match="no films"):
        run(reader, [], tmp_path / "none")


def test_one_kind_of_film_gives_what_it_can(reader: Reader, films: list[LabelledFilm], tmp_path: Path) -> None:
    result = run(reader, [f for f in films if f.positive], tmp_path, corruptions=["blur"], severities=[1])
    cell = result.cells[0]
    assert cell.auc.value is None
    assert cell.points[0].specificity.value is None
    assert cell.points[0].recall.n == 4
    assert result.summary[0].auc.value is None
    assert result.summary[0].auc.why
    assert result.summary[0].worst is None
    assert b"NaN" not in msgspec.json.encode(result)
    assert "-" in result.table()


def test_some_films_keep_the_proportion_of_classes(films: list[LabelledFilm]) -> None:
    kept = stratified_sample(films, 4)
    assert sum(film.positive for film in kept) == 2
    assert kept == stratified_sample(films, 4)
    assert [films.index(film) for film in kept] == sorted(films.index(film) for film in kept)
    assert stratified_sample(films, 100) == films
