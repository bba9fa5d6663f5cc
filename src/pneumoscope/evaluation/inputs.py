"""What an evaluation starts from: a table of predictions, read from a file or made by a bundle on films."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.data.manifest import Manifest
from pneumoscope.errors import PneumoscopeError, UsageError
from pneumoscope.evaluation.dataset import evaluation_films, match_to_dataset
from pneumoscope.evaluation.evaluate import JOURNAL_FILE, EvaluationInput, check_folder
from pneumoscope.evaluation.inference import predict
from pneumoscope.evaluation.prediction_files import is_predictions, read_predictions
from pneumoscope.evaluation.systems import BundleSystem, OnnxSpec, OnnxSystem
from pneumoscope.evaluation.training_run import FinishedRun
from pneumoscope.model.bundle import find_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from pneumoscope.evaluation.predictions import PredictionTable

    PathArgument = str | PathLike[str]

__all__ = ["EvaluationRequest", "gather_predictions", "with_thresholds"]

_USAGE = "Give BUNDLE and DATA, a run's folder alone, or --table FILE (and the DATA that it speaks of)"
_GIVEN = "given by the person who judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What is to be evaluated.

    Attributes:
        system: A bundle's path or a shipped one's name, a run's folder, an ONNX file with ``spec``; None for a table.
        data: Labelled films: a folder, a table of them, a saved manifest, a run's folder.
        table: Predictions that were made before.
        part: Of a run, a data set or a table: "test", "val", "train" or "all".
        spec: TOML file of an ONNX classifier that is no bundle.
        labels: Labels to be taken for another; "" leaves their films out.
        positive: Of a table: the classes that are the finding.
        finding: Of a table: what it is called.
        thresholds: Operating points that were fixed beforehand, in place of the system's.
        limit: At most this many films, evenly taken.
        journal: Folder in which each answer is kept as it comes, so that the same call goes on after a kill.
        fresh: Throw away what is there.
    """

    system: str | None = None
    data: Path | Manifest | None = None
    table: Path | None = None
    part: str | None = None
    spec: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    positive: Sequence[str] | None = None
    finding: str | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    limit: int | None = None
    journal: Path | None = None
    fresh: bool = False


def gather_predictions(asked: EvaluationRequest, *, progress: bool = False) -> EvaluationInput:
    """Find out what is to be judged, and read the films if there are any to read.

    Args:
        asked: What is to be evaluated.
        progress: Show a bar if a person looks at standard error.

    Raises:
        UsageError: What is given does not go together.
        DatasetError: The films or the table cannot be used.
        BundleError: The bundle cannot be used.
    """
    table, system, data = asked.table, asked.system, asked.data
    if table is None and system is not None and is_predictions(system):
        table, system = Path(system), None
    if table is not None:
        if (system is not None and data is not None) or asked.spec is not None:
            raise UsageError("a table is judged without a model", where=table, remedy=_USAGE)
        return EvaluationInput(_from_table(table, Path(system) if system is not None else data, asked))
    if system is None:
        raise UsageError("there is nothing to judge", remedy=_USAGE)
    run = Path(system) if Path(system).is_dir() else None
    data = run if data is None else data
    if data is None:
        raise UsageError("a bundle is judged on films", where=system, remedy=_USAGE)
    if not isinstance(data, Manifest) and is_predictions(data):
        raise UsageError("these films have their predictions already", where=data, remedy="Judge it with --table FILE")
    return _from_films(system if run is None else str(run / "bundle.onnx"), data, asked, progress=progress)


def _from_table(file: Path, data: Path | Manifest | None, asked: EvaluationRequest) -> PredictionTable:
    # With a data set, the part is one of the data set's.
    every_part = asked.part == "all" or data is not None
    table = read_predictions(
        file,
        part=None if every_part else asked.part,
        every_part=every_part,
        positive=asked.positive,
        finding=asked.finding,
        thresholds=asked.thresholds or None,
        renames=asked.labels,
    )
    if data is not None:
        table = match_to_dataset(table, evaluation_films(data, part=asked.part), renames=asked.labels)
    if asked.thresholds:
        return replace(table, chosen=dict.fromkeys(asked.thresholds, _GIVEN))
    if not table.thresholds:
        words = "0.5, by convention: the table came without an operating point"
        return replace(table, thresholds={"half": 0.5}, chosen={"half": words})
    return table


def _from_films(bundle: str, data: Path | Manifest, asked: EvaluationRequest, *, progress: bool) -> EvaluationInput:
    path = find_bundle(bundle)
    system = BundleSystem(path) if asked.spec is None else OnnxSystem(path, OnnxSpec.load(asked.spec))
    if asked.journal is not None:
        check_folder(asked.journal, system.facts.name, fresh=asked.fresh)  # before hours of reading
    films = evaluation_films(data, part=asked.part, limit=asked.limit)
    table = predict(
        system,
        films,
        parts=None if asked.journal is None else asked.journal / JOURNAL_FILE,
        fresh=asked.fresh,
        renames=asked.labels,
        progress=progress,
    )
    if asked.thresholds:
        table = with_thresholds(table, asked.thresholds)
    if isinstance(system, BundleSystem):
        boxes = {film.path: film.boxes for film in films.films if film.boxes}
        return EvaluationInput(table, system.reader, path, _finished(path.parent), boxes)
    return EvaluationInput(table)


def with_thresholds(table: PredictionTable, thresholds: Mapping[str, float]) -> PredictionTable:
    """The same predictions with prespecified operating points in place of the system's."""
    return replace(table, thresholds=dict(thresholds), chosen=dict.fromkeys(thresholds, _GIVEN), band=None)


def _finished(folder: Path) -> FinishedRun | None:
    """The run that made the bundle, for its training curves; None if its folder is none, or not whole."""
    try:
        return FinishedRun.load(folder)
    except PneumoscopeError:
        return None
