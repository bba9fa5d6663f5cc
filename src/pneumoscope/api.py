"""The public functions: films to a manifest, a split, an audit, a bundle, an evaluation, a comparison, a reading.

Each is a short way into the package that does the work; ``import pneumoscope as ps`` offers them by name. Nothing heavy
is imported before it is used, and no torch before a training begins.
"""

from __future__ import annotations

from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from pneumoscope.data.audit.run import Audit
    from pneumoscope.data.manifest import Manifest
    from pneumoscope.data.split import Split
    from pneumoscope.evaluation.compare.result import Comparison
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.evaluation.reader_study.result import ReaderStudyResult
    from pneumoscope.evaluation.result import EvaluationResult
    from pneumoscope.model.reader import FilmSource, Reader
    from pneumoscope.stats.metrics import Metrics
    from pneumoscope.training.run import Run
    from pneumoscope.types.reading import Reading

__all__ = ["audit", "compare", "evaluate", "load", "metrics", "read", "reader_study", "scan", "split", "train"]

DataSet: TypeAlias = "str | PathLike[str] | Manifest"
"""A folder of labelled films, a table of them, a saved manifest, or a manifest."""

_GIVEN = "given by the person who evaluated"


def load(
    model: str | PathLike[str] | None = None,
    *,
    preset: str | None = None,
    coverage: float | None = None,
    correct: bool = True,
    force: bool = False,
) -> Reader:
    """Load a bundle, ready to read films.

    Args:
        model: Name of a shipped bundle, or a bundle's path; without it, the shipped ``standard``.
        preset: Operating point: "three-way", "screening" or "balanced"; without it, the bundle's default.
        coverage: Nominal coverage of the prediction set, 0.9 or 0.95.
        correct: Whether rotated, inverted and tilted films and wide borders are corrected; else they are refused.
        force: Read films that quality control refuses, too; each such reading is marked as forced.

    Raises:
        BundleError: There is no such bundle, or it cannot be used.
        UsageError: The bundle has no such preset or coverage.
    """
    from pneumoscope.model.reader import load as load_reader

    return load_reader(model, preset=preset, coverage=coverage, mend=correct, force=force)


def read(film: FilmSource, model: str | PathLike[str] | None = None, *, preset: str | None = None) -> Reading:
    """Read one film. For many, ``load`` a reader and use its ``read_many``.

    Args:
        film: A path, the bytes of a file, a PIL image, or an array [rows, columns] or [rows, columns, 3].
        model: As for ``load``; the last bundles used stay loaded.
        preset: As for ``load``.

    Raises:
        FilmError: The film cannot be read.
        BundleError: The bundle cannot be used.
    """
    from pneumoscope.model.bundle import find_bundle
    from pneumoscope.settings import Settings

    path = find_bundle(fspath(model) if model is not None else Settings.from_environment().model)
    return _reader(path, path.stat().st_mtime_ns, preset).read(film)


@lru_cache(maxsize=2)
def _reader(path: Path, changed: int, preset: str | None) -> Reader:  # noqa: ARG001 - of a changed file, a new reader
    return load(path, preset=preset)


def scan(
    data: str | PathLike[str],
    *,
    labels: str = "pattern",
    source: str | None = None,
    limit: int | None = None,
    rename: Mapping[str, str] | None = None,
    negative: str = "",
    patient_pattern: str = "",
    uncertain: str = "leave-out",
    strict: bool = False,
    progress: bool = False,
) -> Manifest:
    """List and open all labelled films of a data set, with their patients.

    Args:
        data: A folder of films, a table of them, a MedMNIST file, or a saved manifest, which is loaded.
        labels: "pattern" keeps all classes; "binary" takes bacterial and viral for pneumonia.
        source: Name of the layout; detected without it.
        limit: At most this many films, evenly spaced.
        rename: Labels to take for a class; "" leaves their films out.
        negative: The class without the finding, where its name does not say so.
        patient_pattern: A regular expression that finds the patient in a film's path.
        uncertain: Films whose finding a set calls uncertain: "leave-out", "positive" or "negative".
        strict: Fail if a file is no film.
        progress: Show a bar.

    Raises:
        DatasetError: It is no data set, or has fewer than two classes.
    """
    from pneumoscope.data.manifest import Manifest, is_manifest
    from pneumoscope.data.scan import ScanOptions
    from pneumoscope.data.scan import scan as scan_films

    path = Path(data)
    if path.is_file() and is_manifest(path):
        return Manifest.load(path)
    if labels not in {"pattern", "binary"}:
        raise UsageError(f"there are no labels {labels!r}", remedy="Take pattern or binary")
    if uncertain not in {"leave-out", "positive", "negative"}:
        raise UsageError(f"uncertain films cannot be {uncertain!r}", remedy="Take leave-out, positive or negative")
    kind = "binary" if labels == "binary" else "pattern"
    options = ScanOptions(
        labels=dict(rename or {}),
        uncertain=uncertain,  # type: ignore[arg-type]  # one of the three, as was just asked
        patient_pattern=patient_pattern,
        negative=negative,
        strict=strict,
    )
    return scan_films(path, labels=kind, source=source, limit=limit, progress=progress, options=options)  # type: ignore[arg-type]


def split(data: DataSet, *, seed: int = 0, val: float = 0.1, test: float = 0.1) -> Split:
    """Split films into train, val and test by patient; each class is shared out in proportion.

    Args:
        data: The films.
        seed: Another one gives another split.
        val: Share of validation films.
        test: Share of test films.

    Raises:
        DatasetError: The shares are impossible, or there are too few patients.
    """
    from pneumoscope.data.split import make_split

    return make_split(_manifest(data), seed=seed, fractions=(1 - val - test, val, test))


def audit(
    data: DataSet,
    *,
    parts: Split | None = None,
    out: str | PathLike[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    progress: bool = False,
) -> Audit:
    """Audit labelled films: copies, leaks between parts, outliers, shortcuts, likely wrong labels.

    Args:
        data: The films.
        parts: A split of them; without it, the data set's own parts count.
        out: Folder for the page (audit.html), audit.json and films.parquet; without it, nothing is written.
        folds: Of the cross-validation, by patient.
        seed: Random seed.
        progress: Show bars.

    Returns:
        The findings (``report``), and the arrays behind them.

    Raises:
        DatasetError: A film is no longer what the manifest says.
        MissingExtra: The extra ``audit`` is not installed.
    """
    from pneumoscope.data.audit.run import audit as run_audit
    from pneumoscope.data.audit.run import film_parts

    manifest = _manifest(data)
    found = run_audit(manifest, parts=film_parts(manifest, parts), folds=folds, seed=seed, progress=progress)
    if out is not None:
        from pneumoscope.evaluation.audit_page import write_audit

        write_audit(found, out)
    return found


def train(
    data: DataSet,
    out: str | PathLike[str],
    *,
    network: str | None = None,
    recipe: str | None = None,
    config: str | PathLike[str] | None = None,
    settings: Mapping[str, object] | None = None,
    seed: int | None = None,
    fresh: bool = False,
    progress: bool = True,
) -> Run:
    """Train a network, calibrate it, choose its operating points, and export the bundle.

    Started again after a kill, the same call goes on where it stopped.

    Args:
        data: The films; they are split by patient with the run's seed.
        out: Folder of the run; the bundle is ``bundle.onnx`` in it.
        network: Network family; the command ``pneumoscope networks`` lists them.
        recipe: Name of a shipped configuration.
        config: TOML file with the keys that differ from the defaults.
        settings: Single keys that differ, such as ``{"optim.epochs": 10}``.
        seed: Random seed.
        fresh: Throw away an earlier run in ``out``.
        progress: Show bars.

    Raises:
        ConfigError: A key or a value that cannot be.
        DatasetError: Films that do not fit the task.
        MissingExtra: The extra ``train`` is not installed.
        TrainingError: Learning failed, or ``out`` holds another run.
    """
    from pneumoscope.errors import MissingExtra

    try:
        from pneumoscope.training.run import train as run_training
    except ImportError as error:
        raise MissingExtra.named(error.name or "torch", extra="train", needed_for="training") from error
    from pneumoscope.training.config import TrainConfig, find_recipe

    if recipe is not None and config is not None:
        raise UsageError("a recipe is a configuration, too", remedy="Give recipe or config, and settings for the rest")
    changes = [f"{key}={_setting(value)}" for key, value in (settings or {}).items()]
    changes += [] if network is None else [f"network.name={network}"]
    changes += [] if seed is None else [f"seed={seed}"]
    chosen = TrainConfig.load(find_recipe(recipe) if recipe else None if config is None else Path(config), changes)
    manifest = _manifest(
        data,
        labels=chosen.data.labels,
        source=chosen.data.source or None,
        rename=chosen.data.rename,
        patient_pattern=chosen.data.patient_pattern,
        uncertain=chosen.data.uncertain,
        progress=progress,
    )
    return run_training(manifest, Path(out), chosen, fresh=fresh, progress=progress)


def evaluate(
    system: str | PathLike[str] | Run | PredictionTable,
    data: DataSet | None = None,
    *,
    part: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    limit: int | None = None,
    out: str | PathLike[str] | None = None,
    robustness: bool = False,
    explanation: bool = False,
    draws: int = 2000,
    seed: int = 0,
    fresh: bool = False,
    progress: bool = False,
) -> EvaluationResult:
    """Evaluate a system on labelled films: metrics with intervals, curves, subgroups.

    Operating points are those that the bundle froze; none is chosen on these films.

    Args:
        system: A shipped bundle's name, a bundle's path, a run (its folder, or what ``train`` gave), or a table of
            predictions (a file, or a ``PredictionTable``).
        data: The films; of a run, its own test films without it.
        part: "train", "val", "test" or "all", where the films or the table have parts.
        thresholds: Prespecified operating points by name, in place of the bundle's.
        limit: At most this many films, evenly spaced.
        out: Folder for the report, the model card, tables and figures; without it, nothing is written.
        robustness: Also measure the metrics under image corruptions (needs ``out``).
        explanation: Also check whether the evidence depends on model and film (needs ``out``).
        draws: Bootstrap replicates.
        seed: Random seed.
        fresh: Replace the evaluation of another system that ``out`` holds.
        progress: Show bars.

    Raises:
        UsageError: There is nothing to evaluate it on.
        DatasetError: Labels that the system does not know, or no film could be read.
        BundleError: The bundle cannot be used.
        MissingExtra: The extra ``evaluate`` is not installed.
    """
    from pneumoscope.data.manifest import Manifest
    from pneumoscope.evaluation.evaluate import EvaluationInput
    from pneumoscope.evaluation.evaluate import evaluate as run_evaluation
    from pneumoscope.evaluation.inputs import EvaluationRequest, gather_predictions, with_thresholds
    from pneumoscope.evaluation.metrics import compute_metrics
    from pneumoscope.evaluation.predictions import PredictionTable

    if (robustness or explanation) and out is None:
        raise UsageError("robustness and explanation checks write their results", remedy="Give out, a folder")
    if isinstance(system, PredictionTable):
        found = EvaluationInput(system if not thresholds else with_thresholds(system, thresholds))
    else:
        found = gather_predictions(
            EvaluationRequest(
                system=_system_path(system),
                data=data if data is None or isinstance(data, Manifest) else Path(data),
                part=part,
                thresholds=thresholds or {},
                limit=limit,
                journal=None if out is None else Path(out),
                fresh=fresh,
            ),
            progress=progress,
        )
    if out is None:
        return compute_metrics(found.table, draws=draws, seed=seed)
    return run_evaluation(
        found,
        out,
        draws=draws,
        seed=seed,
        stress_films=100 if robustness else 0,
        sanity=explanation,
        fresh=fresh,
        progress=progress,
    ).judgement


def compare(
    *systems: str | PathLike[str] | Run | PredictionTable,
    data: DataSet | None = None,
    part: str | None = None,
    preset: str = "balanced",
    reference: str | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 2000,
    seed: int = 0,
    progress: bool = False,
) -> Comparison:
    """Compare systems on the same films: metrics of each, paired tests, and where they disagree.

    Args:
        systems: Two or more: runs, bundles, tables of predictions (files, or ``PredictionTable``, which goes by its
            ``system``); "NAME=PATH" gives a name.
        data: Films to evaluate bundles (and runs) on; without it, runs bring their test films.
        part: Part of runs, tables and films.
        preset: Operating point of the calls.
        reference: Name of the system that the others are tested against; without it, every pair.
        out: Folder for the page, JSON, CSV and figures; without it, nothing is written.
        draws: Bootstrap replicates.
        seed: Random seed of the bootstrap.
        progress: Show a bar.

    Raises:
        UsageError: Fewer than two systems, or there is no such system or operating point.
        DatasetError: The systems have no film in common.
        MissingExtra: The extra ``evaluate`` is not installed.
    """
    from pneumoscope.evaluation.compare.compare import compare as compare_systems
    from pneumoscope.evaluation.compare.systems import ComparedSystem, ModelFacts, open_systems
    from pneumoscope.evaluation.predictions import PredictionTable

    if len(systems) < 2:
        raise UsageError("a comparison needs two systems or more", remedy="Give two or more systems")
    tables = [system for system in systems if isinstance(system, PredictionTable)]
    names = [_system_path(system) for system in systems if not isinstance(system, PredictionTable)]
    judge = None
    if data is not None:
        from pneumoscope.evaluation.inference import predict
        from pneumoscope.evaluation.systems import BundleSystem, OnnxSpec, OnnxSystem

        films = _films(data, part=part)

        def judge(model: Path, spec: Path | None) -> PredictionTable:
            system = BundleSystem(model) if spec is None else OnnxSystem(model, OnnxSpec.load(spec))
            return predict(system, films, progress=progress)

    opened = open_systems(names, judge=judge, part=part, least=0)
    opened += [
        ComparedSystem(table.system, "table", table, ModelFacts(about=table.system, family=table.system))
        for table in tables
    ]
    compared = compare_systems(opened, preset=preset, reference=reference, draws=draws, seed=seed, progress=progress)
    if out is not None:
        from pneumoscope.evaluation.compare.report import write_files

        write_files(compared, Path(out))
    return compared.result


def reader_study(
    results: str | PathLike[str],
    *,
    reference: str | PathLike[str] | None = None,
    positive: Sequence[str] = (),
    cut: float | None = None,
    margin: float | None = None,
    detect: float = 0.05,
    out: str | PathLike[str] | None = None,
    films: str | PathLike[str] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> ReaderStudyResult:
    """Analyse a reader study: readers against the reference and the model, arms against each other, agreement, times.

    Args:
        results: Table of readings (.csv, .tsv, .parquet, .json), as the web application exports it or made elsewhere:
            reader, film, label, and class or rating (higher is more suspicious).
        reference: Table with film and label, in place of the column label.
        positive: Classes that are the finding; by their names without it.
        cut: Ratings at or above it are calls, in place of the classes.
        margin: Of non-inferiority, stated before the study.
        detect: Difference between two arms that the next study is to show.
        out: Folder for the report, JSON, tables and figures; without it, nothing is written.
        films: Folder of the films, for the gallery (needs ``out``).
        draws: Bootstrap replicates of measures of agreement.
        seed: Random seed.

    Raises:
        DatasetError: The table cannot be understood, or its labelled films are of one kind.
        UsageError: A margin or a difference that is not above 0.
        MissingExtra: The extra ``evaluate`` is not installed.
    """
    from pneumoscope.evaluation.reader_study.analysis import analyse_reader_study
    from pneumoscope.evaluation.reader_study.readings import read_reader_study

    if films is not None and out is None:
        raise UsageError("the gallery of films is part of the report", remedy="Give out, a folder")
    readings = read_reader_study(results, reference=reference, positive=positive, cut=cut)
    found = analyse_reader_study(readings, margin=margin, detect=detect, draws=draws, seed=seed)
    if out is not None:
        from pneumoscope.evaluation.reader_study.report import write_reader_study

        write_reader_study(found, readings, Path(out), films=None if films is None else Path(films))
    return found


def metrics(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    threshold: float | Mapping[str, float] | None = 0.5,
    draws: int = 2000,
    seed: int = 0,
) -> Metrics:
    """Every usual metric of a set of predictions, each with its 95 % interval.

    Args:
        labels: Class numbers, [N]: 0 or 1 for one probability a film. Lists, tuples, arrays and Series are taken.
        probabilities: Calibrated: of the finding, [N]; or of each class, [N, C].
        patients: The patient of each film, [N], by which the intervals are clustered; without it, each film is its own.
        threshold: Probability of the finding from which a film is called; several by name; None for no calls.
        draws: Bootstrap replicates.
        seed: Random seed of the bootstrap.

    Returns:
        The metrics, found by name ("AUC", "recall", ...); ``to_frame()`` gives a pandas table.

    Raises:
        ValueError: NaN, values that are no probabilities, or shapes that do not fit.
    """
    from pneumoscope.stats.metrics import metrics as all_metrics

    return all_metrics(labels, probabilities, patients=patients, threshold=threshold, draws=draws, seed=seed)


def _manifest(data: DataSet, **options: Any) -> Manifest:
    from pneumoscope.data.manifest import Manifest

    return data if isinstance(data, Manifest) else scan(data, **options)


def _films(data: DataSet, *, part: str | None, limit: int | None = None) -> Any:
    from pneumoscope.evaluation.dataset import evaluation_films

    return evaluation_films(data, part=part, limit=limit)


def _setting(value: object) -> str:
    """A value as ``--set KEY=VALUE`` writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _system_path(system: str | PathLike[str] | Run) -> str:
    """The path or name of a system; of a run, its folder."""
    return fspath(system) if isinstance(system, str | PathLike) else fspath(system.folder.path)
