"""What can be compared: a run, a bundle with films, a table of predictions; and a bundle's speed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.manifest import Manifest
from pneumoscope.data.split import Split
from pneumoscope.errors import NotABundle, UsageError
from pneumoscope.evaluation.prediction_files import read_predictions
from pneumoscope.evaluation.training_run import FinishedRun, chosen_epoch
from pneumoscope.model.bundle import find_bundle, read_bundle, shipped_bundles
from pneumoscope.model.session import Session

__all__ = ["ComparedSystem", "ModelFacts", "films_per_second", "open_systems"]

_LEAST_RUNS, _LEAST_SECONDS = 5, 0.5


def films_per_second(path: Path) -> float:
    """Films a second of a bundle's network alone, one film at a time on one thread, as ``read`` runs it.

    By the thread's own clock and the fastest of many runs, so that other programs' work does not count. Decoding and
    framing a film are the same for every bundle, and are left out.

    Raises:
        BundleError: The bundle cannot be used.
    """
    graph, meta, _ = read_bundle(path)
    session = Session(graph, meta, where=path)
    size = meta.preprocess.size
    film = np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8)
    session.run(film)  # the first run allocates
    seconds: list[float] = []
    while len(seconds) < _LEAST_RUNS or sum(seconds) < _LEAST_SECONDS:
        started = time.thread_time()
        session.run(film)
        seconds.append(time.thread_time() - started)
    return 1 / min(seconds)


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.model.schema import BundleMeta

    Judge = Callable[[Path, Path | None], PredictionTable]
    """What a model says of the films that are compared on: its file, and its spec if it is no bundle."""


_SYSTEMS_REMEDY = "Give run folders, bundles with --data DATA, or tables of predictions (.parquet, .csv, .tsv)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is known of a system beside its predictions; None where it is not known. See ``result.Row``."""

    about: str = ""
    family: str = ""
    parameters: int | None = None
    size: int | None = None
    file_bytes: int | None = None
    train_accuracy: float | None = None
    val_accuracy: float | None = None
    films_a_second: float | None = None
    minutes: float | None = None
    epoch_seconds: float | None = None
    epochs: int | None = None
    seed: int | None = None
    machine: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingHistory:
    """The learning curves of a run.

    Attributes:
        columns: As in history.csv, float64 [epochs]; epochs are counted from 1.
        chosen: The epoch whose weights were kept, likewise; None if it cannot be told.
    """

    columns: dict[str, NDArray[np.float64]]
    chosen: int | None


@dataclass(frozen=True, slots=True, eq=False)
class ComparedSystem:
    """One of those that are compared.

    Attributes:
        name: In every table and figure.
        kind: "run", "bundle", "model" (any ONNX classifier) or "table".
        table: Its predictions.
        facts: What else is known.
        learned: sha256 of the films that it learned from or was chosen by, as far as they are known.
        films_known: Whether a bundle says which films it learned from; a note in its table then counts them.
        part: Of a run whose own predictions are taken: "test", or "val" if it has no test films.
        history: How a run was trained; None for what is no run, or an ensemble.
    """

    name: str
    kind: str
    table: PredictionTable
    facts: ModelFacts
    learned: frozenset[str] = frozenset()
    films_known: bool = False
    part: str = ""
    history: TrainingHistory | None = None


def open_systems(
    arguments: Sequence[str], *, judge: Judge | None, part: str | None, speed: bool = True, least: int = 2
) -> list[ComparedSystem]:
    """Open each argument: ``PATH`` or ``NAME=PATH``.

    Args:
        arguments: Run folders, bundles (a path, or the name of a shipped one), tables of predictions.
        judge: Reads the films to compare on with a bundle; None if there are only runs and tables.
        part: Which part's predictions of runs and tables; None takes a run's test films, else its validation films.
        speed: Measure how fast each bundle is.
        least: How many are needed.

    Raises:
        UsageError: Fewer than two, a name twice, something that is none of these, or a bundle without films.
        BundleError: A bundle cannot be used.
        DatasetError: A table or a run's file is damaged.
    """
    if len(arguments) < least:
        raise UsageError("a comparison needs two systems or more", remedy=_SYSTEMS_REMEDY)
    named = _names(arguments)
    return [_open(name, target, judge, part, speed) for name, target in named.items()]


def _names(arguments: Sequence[str]) -> dict[str, str]:
    """Target by name: the name that was given, else the shortest end of the path that tells it from the others."""
    given: list[tuple[str, str]] = []
    for argument in arguments:
        name, equals, target = argument.partition("=")
        given.append((name, target) if equals and name and not Path(argument).exists() else ("", argument))
    plain = [target for name, target in given if not name]
    short = _short(plain)
    named: dict[str, str] = {}
    for name, target in given:
        chosen = name or short[target]
        if chosen in named:
            raise UsageError(
                "two systems have this name", where=chosen, remedy="Name them apart: NAME=PATH for each of them"
            )
        named[chosen] = target
    return named


def _short(targets: Sequence[str]) -> dict[str, str]:
    """A short name for each path: its last part, and as many parts before it as tell all of them apart."""
    parts = {target: [piece for piece in Path(target).parts if piece not in {"/", "."}] for target in targets}
    for target, pieces in parts.items():
        if pieces and pieces[-1] in {"bundle.onnx", "predictions.parquet", "predictions.csv"} and len(pieces) > 1:
            pieces.pop()  # the folder says more
        elif pieces:
            pieces[-1] = Path(pieces[-1]).stem if Path(target).is_file() else pieces[-1]
    longest = max((len(pieces) for pieces in parts.values()), default=1)
    names: dict[str, str] = {}
    for depth in range(1, longest + 1):
        names = {target: "/".join(pieces[-depth:]) or target for target, pieces in parts.items()}
        if len(set(names.values())) == len(names):
            break
    return names


def _open(name: str, target: str, judge: Judge | None, part: str | None, speed: bool) -> ComparedSystem:
    path = Path(target)
    if path.is_dir() and (path / "predictions.parquet").is_file() and not (path / "bundle.onnx").exists():
        path /= "predictions.parquet"  # what `evaluate` left
    if path.is_dir():
        return _run(name, path, judge, part, speed)
    if target in shipped_bundles() or path.suffix == ".onnx":
        return _model(name, target, judge, speed)
    if not path.is_file():
        raise UsageError("there is no such run, bundle or table", where=target, remedy=_SYSTEMS_REMEDY)
    table = read_predictions(path, part=None if part == "all" else part, every_part=part == "all")
    return ComparedSystem(name, "table", table, ModelFacts(about=table.system, family=name))


def _model(name: str, target: str, judge: Judge | None, speed: bool) -> ComparedSystem:
    path = find_bundle(target)
    if judge is None:
        raise UsageError("a model is compared on films", where=target, remedy="Give them with --data DATA")
    spec = path.with_suffix(".toml")
    try:
        meta = read_bundle(path)[1]
    except NotABundle:
        if not spec.is_file():
            raise
        table = judge(path, spec)
        return ComparedSystem(
            name, "model", table, ModelFacts(about=table.system, family=name, file_bytes=path.stat().st_size)
        )
    facts = _bundle_facts(path, meta, speed)
    return ComparedSystem(name, "bundle", judge(path, None), facts, films_known=bool(meta.learned_films))


def _run(name: str, folder: Path, judge: Judge | None, part: str | None, speed: bool) -> ComparedSystem:
    run = FinishedRun.load(folder)
    facts = _run_facts(run, _bundle_facts(folder / "bundle.onnx", run.bundle, speed))
    digests, learned = _films_of(folder)
    if judge is not None:
        table = judge(folder / "bundle.onnx", None)
        return ComparedSystem(name, "run", table, facts, history=_history(run))
    wanted = part or ("test" if "test" in run.parts else "val")
    table = run.table(wanted)
    if digests and all(path in digests for path in table.paths):
        table = replace(table, sha256=tuple(digests[path][0] for path in table.paths), root=digests[table.paths[0]][1])
    return ComparedSystem(name, "run", table, facts, learned, part=wanted, history=_history(run))


def _history(run: FinishedRun) -> TrainingHistory | None:
    if not run.history:
        return None
    return TrainingHistory(run.history, chosen_epoch(run))


def _films_of(folder: Path) -> tuple[dict[str, tuple[str, str]], frozenset[str]]:
    """Of a run: sha256 and root of each film by path, and the sha256 of those that it learned from or chose by."""
    saved, split_file = folder / "manifest.parquet", folder / "split.json"
    if not (saved.is_file() and split_file.is_file()):
        return {}, frozenset()
    manifest = Manifest.load(saved)
    split = Split.load(split_file, manifest)
    digests = {film.path: (film.sha256, str(manifest.root)) for film in manifest.films}
    seen = np.concatenate([split.parts["train"], split.parts["val"]]).tolist()
    return digests, frozenset(manifest.films[row].sha256 for row in seen)


def _bundle_facts(path: Path, meta: BundleMeta, speed: bool) -> ModelFacts:
    origin = meta.provenance
    return ModelFacts(
        about=meta.architecture,
        family=f"{meta.architecture} {meta.preprocess}",
        parameters=meta.parameters or None,
        size=meta.preprocess.size,
        file_bytes=path.stat().st_size,
        films_a_second=films_per_second(path) if speed else None,
        minutes=origin.minutes or None,
        seed=origin.seed if origin.config else None,
        machine=origin.machine,
    )


def _run_facts(run: FinishedRun, facts: ModelFacts) -> ModelFacts:
    """What the run's history adds."""
    if not run.history:  # an ensemble has learned nothing itself
        return replace(facts, family=_family(run))
    history, chosen = run.history, chosen_epoch(run)
    at = np.flatnonzero(history["epoch"] == chosen)
    seconds = history.get("seconds")
    return replace(
        facts,
        family=_family(run),
        train_accuracy=_at(history.get("train_accuracy"), at),
        val_accuracy=_at(history.get("val_accuracy"), at),
        epochs=len(history["epoch"]),
        epoch_seconds=None if seconds is None else _finite(float(np.median(seconds))),
    )


def _at(column: NDArray[np.float64] | None, rows: NDArray[np.int64]) -> float | None:
    """The figure of the chosen epoch, as the network said before it was calibrated; None where it is not known."""
    return None if column is None or not len(rows) else _finite(float(column[rows[0]]))


def _family(run: FinishedRun) -> str:
    """The same for runs that differ in nothing but their seed and name."""
    config = {
        key: value for key, value in run.bundle.provenance.config.items() if key not in {"seed", "name", "version"}
    }
    origin = run.bundle.provenance
    return repr((run.bundle.architecture, sorted(config.items()), origin.manifest_sha256, origin.split_sha256))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
