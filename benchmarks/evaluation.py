"""What an evaluation costs, and how fast its bootstrap is beside a plain loop over scikit-learn.

    python benchmarks/evaluation.py [--model standard] [--films 1000] [--draws 2000] [--source FOLDER]

The first table is of one evaluation without stress and evidence checks: reading, judging by step, the report. The
second takes the same resamples of the same films for both ways: a figure's interval by ``Resamples`` and by a loop
that draws patients and calls scikit-learn (or numpy) on each resample. Seconds are of the processor, so that what
else the machine does matters little; both ways use one thread. Films are drawn ones without --source, which takes a
folder of labelled films.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sklearn import metrics

from pneumoscope.evaluation.dataset import evaluation_films
from pneumoscope.evaluation.inference import predict
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.report.page import write_report
from pneumoscope.evaluation.systems import BundleSystem
from pneumoscope.model.bundle import find_bundle
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.stats import confusion
from pneumoscope.stats.bootstrap import Resamples
from pneumoscope.stats.roc import RankedScores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pneumoscope.evaluation.predictions import PredictionTable

_DRAWN = 60


def draw(folder: Path, count: int) -> Path:
    """A folder of phantoms in two classes; after the first few they are links to these."""
    for number in range(count):
        kind = ("normal", "consolidation")[number % 2]
        home = folder / ("normal" if kind == "normal" else "pneumonia")
        home.mkdir(parents=True, exist_ok=True)
        film = home / f"{number:05}.png"
        if number < _DRAWN:
            Image.fromarray(draw_phantom(number, kind, rows=400, columns=480).pixels).save(film)  # type: ignore[arg-type]
        else:
            film.symlink_to(home / f"{number % _DRAWN:05}.png")
    return folder


@contextmanager
def timed(name: str, found: dict[str, float]) -> Iterator[None]:
    began = time.process_time()
    yield
    found[name] = time.process_time() - began


def whole(arguments: argparse.Namespace, folder: Path) -> PredictionTable:
    seconds: dict[str, float] = {}
    data = arguments.source or draw(folder / "films", arguments.films)
    with timed("reading", seconds):
        system = BundleSystem(find_bundle(arguments.model))
        table = predict(system, evaluation_films(data, limit=arguments.films), parts=folder / "parts.jsonl")
    with timed("judging", seconds):
        judgement = compute_metrics(table, draws=arguments.draws, now=time.process_time)
    with timed("report", seconds):
        write_report(folder / "report", table, judgement, bundle=system.path)
    print(
        f"evaluation of {len(table)} films, {arguments.draws} resamples: {sum(seconds.values()):.1f} processor seconds"
    )
    for name, value in seconds.items():
        print(f"  {name:10s} {value:7.1f} s   {100 * value / sum(seconds.values()):4.0f} %")
    print(f"  judging by step: {judgement.seconds}\n")
    return table


def loop(table: PredictionTable, draws: int, statistic: Callable[[np.ndarray], float]) -> list[float]:
    """What a script does: draw patients, gather their films, call the library."""
    people = np.arange(len(table)) if table.patients is None else np.asarray(table.patients)
    rows = {name: np.flatnonzero(people == name) for name in np.unique(people)}
    names, generator, found = list(rows), np.random.default_rng(0), []
    for _ in range(draws):
        picked = np.concatenate([rows[names[i]] for i in generator.integers(len(names), size=len(names))])
        found.append(statistic(picked))
    return found


def ratios(table: PredictionTable, draws: int) -> None:
    truth, score = table.truth, table.score
    called = (score >= 0.5).astype(np.int64)
    cells = confusion.confusion_cells(truth.astype(np.int64), called, 2)
    squares = np.stack([(score - truth) ** 2, np.ones(len(truth))], axis=1)
    ranking = RankedScores(truth, score)

    def fresh() -> Resamples:
        return Resamples(len(table), table.patients, draws, generator=np.random.default_rng(0))

    ways: dict[str, tuple[Callable[[], object], Callable[[np.ndarray], float]]] = {
        "Brier": (
            lambda: fresh().sums(lambda x: x[:, 0] / x[:, 1], squares),
            lambda rows: float(metrics.brier_score_loss(truth[rows], score[rows])),
        ),
        "F1": (
            lambda: fresh().sums(lambda x: confusion.class_f1(x.reshape(-1, 2, 2))[:, 1], cells),
            lambda rows: float(metrics.f1_score(truth[rows], called[rows])),
        ),
        "MCC": (
            lambda: fresh().sums(lambda x: confusion.mcc(x.reshape(-1, 2, 2)), cells),
            lambda rows: float(metrics.matthews_corrcoef(truth[rows], called[rows])),
        ),
        "average precision": (
            lambda: fresh().weights(ranking.average_precisions),
            lambda rows: float(metrics.average_precision_score(truth[rows], score[rows])),
        ),
    }
    print(f"interval of one figure, {len(table)} films, {draws} resamples, processor seconds")
    for name, (ours, plain) in ways.items():
        seconds: dict[str, float] = {}
        with timed("ours", seconds):
            ours()
        some = max(20, draws // 10)  # a tenth of the plain loop is enough to time it
        with timed("plain", seconds):
            loop(table, some, plain)
        whole_loop = seconds["plain"] * draws / some
        ratio = whole_loop / seconds["ours"]
        print(f"  {name:18s} ours {seconds['ours']:6.3f} s   plain {whole_loop:7.2f} s   x{ratio:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="standard")
    parser.add_argument("--films", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--source", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        ratios(whole(arguments, Path(folder)), arguments.draws)


if __name__ == "__main__":
    main()
