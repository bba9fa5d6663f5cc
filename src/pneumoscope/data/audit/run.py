"""The whole audit, in order: count, measure, find duplicates, leaks, shortcuts and wrong labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.data.audit.acquisition import FEATURES, GROUPS, feature_names
from pneumoscope.data.audit.duplicates import exact_duplicates, near_duplicates
from pneumoscope.data.audit.label_noise import QUICK_MODEL, OutOfFoldPredictions, label_noise, quick_predictions
from pneumoscope.data.audit.measurements import measure_manifest
from pneumoscope.data.audit.report import (
    AuditReport,
    ClassCount,
    Cluster,
    Clusters,
    CrossingPatient,
    DuplicateGroup,
    FileKind,
    FilmNote,
    ImageModel,
    ImageSizes,
    LabelNoise,
    Leaks,
    Shortcuts,
    SiteShortcut,
)
from pneumoscope.data.audit.shortcuts import (
    CLASSIFIER,
    ShortcutTask,
    choose_k,
    cluster_films,
    find_shortcuts,
    find_site_shortcuts,
    task_auc,
)
from pneumoscope.data.progress import track_progress
from pneumoscope.data.split import k_folds
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.audit.measurements import FilmMeasurements
    from pneumoscope.data.manifest import Manifest
    from pneumoscope.data.split import Split

__all__ = [
    "Audit",
    "audit",
    "class_balance",
    "class_counts",
    "count_mixed_patients",
    "file_kinds",
    "film_parts",
    "find_duplicates",
    "find_leaks",
    "find_outliers",
    "image_sizes",
]

_RARE, _FEW = 0.01, 3  # share of the films, or number, up to which the films of a mode are told one by one
_SMALL = 128  # pixels of the shorter side, where it is also less than half of what is usual in the set
_FLAT = 5.0  # gray levels
_UNLIKE = 0.2  # correlation with the mean film
_LONG = 2.0  # times as wide as high, or as high as wide


def class_counts(manifest: Manifest, parts: Sequence[str]) -> list[ClassCount]:
    """Films and patients by class, part and source."""
    films: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for film, target, part in zip(manifest.films, manifest.targets.tolist(), parts, strict=True):
        films[target, part, film.source].append(film.patient)
    return [
        ClassCount(manifest.classes[target], part, source, len(patients), len(set(patients)))
        for (target, part, source), patients in sorted(films.items())
    ]


def class_balance(manifest: Manifest) -> float:
    """Films of the largest class for each film of the smallest."""
    found = manifest.counts().values()
    return max(found) / max(1, min(found))


def file_kinds(manifest: Manifest, measured: FilmMeasurements) -> list[FileKind]:
    """Films by mode and bit depth, the most frequent first."""
    depth = measured.features[:, feature_names().index("bit_depth")].astype(int).tolist()
    found: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for film, bits in zip(manifest.films, depth, strict=True):
        found[film.mode, bits][film.label] += 1
    rows = [FileKind(mode, bits, labels.total(), dict(labels)) for (mode, bits), labels in found.items()]
    return sorted(rows, key=lambda kind: -kind.films)


def image_sizes(manifest: Manifest) -> ImageSizes:
    """Least, median and greatest height and width."""

    def three(values: list[int]) -> tuple[int, int, int]:
        return min(values), round(float(np.median(values))), max(values)

    return ImageSizes(three([film.height for film in manifest.films]), three([film.width for film in manifest.films]))


def find_duplicates(manifest: Manifest, measured: FilmMeasurements, parts: Sequence[str]) -> list[DuplicateGroup]:
    """Films that are one picture, byte for byte or nearly: those that cross parts first, then those that conflict."""
    digests = [film.sha256 for film in manifest.films]
    found = [_duplicates("bytes", group.tolist(), manifest, parts) for group in exact_duplicates(digests)]
    pairs = near_duplicates(digests, measured.thumbnails)
    home = {place: place for pair in pairs for place in (pair.first, pair.second)}

    def find(place: int) -> int:
        while home[place] != place:
            place = home[place]
        return place

    for pair in pairs:
        one, other = sorted((find(pair.first), find(pair.second)))
        home[other] = one
    groups: dict[int, list[int]] = defaultdict(list)
    for place in sorted(home):
        groups[find(place)].append(place)
    for group in groups.values():
        links = [pair for pair in pairs if pair.first in group]
        least = min(pair.correlation for pair in links)
        mirrored = any(pair.mirrored for pair in links)
        found.append(_duplicates("picture", group, manifest, parts, correlation=least, mirrored=mirrored))
    return sorted(found, key=lambda copies: (not copies.crosses, not copies.conflict, copies.how, copies.paths))


def _duplicates(
    how: str,
    places: Sequence[int],
    manifest: Manifest,
    parts: Sequence[str],
    *,
    correlation: float | None = None,
    mirrored: bool = False,
) -> DuplicateGroup:
    films = [manifest.films[place] for place in places]
    theirs = [parts[place] for place in places]
    return DuplicateGroup(
        how=how,
        paths=[film.path for film in films],
        labels=[film.label for film in films],
        parts=theirs,
        patients=[film.patient for film in films],
        crosses=len({part for part in theirs if part}) > 1,
        conflict=len({film.label for film in films}) > 1,
        correlation=correlation,
        mirrored=mirrored,
    )


def find_leaks(manifest: Manifest, copies: Sequence[DuplicateGroup], parts: Sequence[str]) -> Leaks:
    """What is on both sides of the split: copies, and patients."""
    films: dict[str, Counter[str]] = defaultdict(Counter)
    for film, part in zip(manifest.films, parts, strict=True):
        if part:
            films[film.patient][part] += 1
    crossing = [CrossingPatient(patient, dict(theirs)) for patient, theirs in sorted(films.items()) if len(theirs) > 1]
    exact = sum(group.crosses for group in copies if group.how == "bytes")
    near = sum(group.crosses for group in copies if group.how == "picture")
    return Leaks(
        known=len({part for part in parts if part}) > 1,
        found=bool(exact or near or crossing),
        exact_copies=exact,
        near_copies=near,
        patients=len(crossing),
        crossing=crossing,
    )


def count_mixed_patients(manifest: Manifest) -> int:
    """Patients with films of several classes."""
    labels: dict[str, set[str]] = defaultdict(set)
    for film in manifest.films:
        labels[film.patient].add(film.label)
    return sum(len(theirs) > 1 for theirs in labels.values())


def find_outliers(manifest: Manifest, measured: FilmMeasurements) -> list[FilmNote]:
    """Films that differ from the others in kind: read with a warning, rare modes, small, even, or unlike the rest."""
    modes = Counter(film.mode for film in manifest.films)
    usual_mode, rare = modes.most_common(1)[0][0], max(_FEW, _RARE * len(manifest))
    usual = float(np.median([min(film.width, film.height) for film in manifest.films]))
    found: list[FilmNote] = []
    alike = _likeness(measured.thumbnails)
    flat = measured.thumbnails.std(axis=(1, 2)) < _FLAT
    for place, film in enumerate(manifest.films):
        what = [measured.warnings[place]] if measured.warnings[place] else []
        if film.mode != usual_mode and modes[film.mode] <= rare:
            what.append(f"stored as {film.mode}, as only {modes[film.mode]:,} of {len(manifest):,} films are")
        if min(film.width, film.height) < min(_SMALL, usual / 2):
            what.append(f"small: {film.width} x {film.height} pixels")
        if max(film.width, film.height) > _LONG * min(film.width, film.height):
            what.append(f"long: {film.width} x {film.height} pixels")
        if flat[place]:
            what.append("nearly even: it shows next to nothing")
        elif alike[place] < _UNLIKE:
            how = f"correlation {alike[place]:.2f} with the mean film"
            what.append(f"unlike the others ({how}): lying, inverted, cut, or no chest")
        if what:
            found.append(FilmNote(film.path, "; ".join(what)))
    return found


def _likeness(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Correlation of each film with the mean of all: float64 [N]."""
    films = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    films -= films.mean(axis=1, keepdims=True)
    films /= np.linalg.norm(films, axis=1, keepdims=True) + 1e-3
    mean = films.mean(axis=0)
    correlation: NDArray[np.float64] = (films @ (mean / (np.linalg.norm(mean) + 1e-9))).astype(np.float64)
    return correlation


_FOLDS = 5
_ORDER = {"train": 0, "val": 1, "test": 2}
_TRAITS = 4  # features that are named of each cluster
_CLUSTER_LEAST = 10  # films of each side for an AUC within a cluster


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """The findings, and the arrays behind them.

    Attributes:
        report: The findings.
        manifest: The films.
        parts: Part of each film, N; "" for none.
        measured: Features and thumbnails.
        predictions: Of the image model.
        clusters: Acquisition cluster of each film, int64 [N]; all 0 where there are none.
    """

    report: AuditReport
    manifest: Manifest
    parts: tuple[str, ...]
    measured: FilmMeasurements
    predictions: OutOfFoldPredictions
    clusters: NDArray[np.int64]

    def __repr__(self) -> str:
        """In one line."""
        leaks = "a leak" if self.report.leaks.found else "no leak"
        return (
            f"<Audit of {self.report.films} films: {leaks}, {len(self.report.copies)} groups of copies, shortcuts "
            f"{self.report.shortcuts.verdict}>"
        )


def film_parts(manifest: Manifest, split: Split | None = None) -> tuple[str, ...]:
    """The part of each film, N: the set's own, or a split's; "" for none."""
    if split is None:
        return tuple(film.part or "" for film in manifest.films)
    parts = [""] * len(manifest)
    for name, places in split.parts.items():
        for place in places.tolist():
            parts[place] = name
    return tuple(parts)


def audit(
    manifest: Manifest,
    *,
    parts: Sequence[str] | None = None,
    split: str = "",
    predictions: OutOfFoldPredictions | None = None,
    network: tuple[str, NDArray[np.float64]] | None = None,
    cache: Path | None = None,
    folds: int = _FOLDS,
    k: int | None = None,
    seed: int = 0,
    progress: bool = False,
    seconds: dict[str, float] | None = None,
    now: Callable[[], float] = perf_counter,
) -> Audit:
    """Audit a data set.

    Args:
        manifest: The films.
        parts: Part of each film, "" for none; None takes the set's own.
        split: Where the parts come from, in words.
        predictions: Out-of-fold, of an image model; None trains the quick one.
        network: A bundle's name and its network's features of the films, float64 [N, F]: asked how well they tell the
            site.
        cache: Where the look at each film is kept, so that a kill costs little; None: the cache of the settings.
        folds: Of the cross-validations, by patient.
        k: Acquisition clusters; None chooses.
        seed: Of the folds, the classifiers and the clusters.
        progress: Show bars.
        seconds: Of steps that were done before, such as the scan.
        now: What the steps are timed by.

    Raises:
        DatasetError: A film is no longer what the manifest says, or there are none.
        MissingExtra: A package of the extra ``audit`` is not installed.
        StorageError: The disk is full; the same call goes on where it stopped.
    """
    clock = _Clock(seconds or {}, now)
    if manifest.partial:  # films whose pattern nobody knows: what is asked of all is the finding
        manifest = manifest.with_task("binary", manifest.negative)
    own = film_parts(manifest) if parts is None else tuple(parts)
    measured = measure_manifest(manifest, cache, progress=progress)
    clock.note("look at films")
    copies = find_duplicates(manifest, measured, own)
    clock.note("copies")
    asked = _find_shortcuts_and_image_model(
        manifest, measured, predictions, network=network, folds=folds, seed=seed, progress=progress, clock=clock
    )
    noise = _label_noise(manifest, asked.predictions)
    clock.note("labels")
    found, groups = _clusters(manifest, measured, asked, k, seed)
    clock.note("clusters")
    report = AuditReport(
        data=manifest.root.name,
        manifest_sha256=manifest.sha256,
        films=len(manifest),
        patients=len(manifest.patients),
        classes=list(manifest.classes),
        positive=[name for name, sick in zip(manifest.classes, manifest.positive, strict=True) if sick],
        parts=sorted({part for part in own if part}, key=lambda part: (_ORDER.get(part, len(_ORDER)), part)),
        split=split or ("the set's own parts" if any(own) else "none"),
        counts=class_counts(manifest, own),
        balance=class_balance(manifest),
        problems=[FilmNote(path, what) for path, what in manifest.problems],
        kinds=file_kinds(manifest, measured),
        sizes=image_sizes(manifest),
        odd=find_outliers(manifest, measured),
        copies=copies,
        mixed_patients=count_mixed_patients(manifest),
        leaks=find_leaks(manifest, copies, own),
        shortcuts=asked.shortcuts,
        image_model=asked.image_model,
        clusters=found,
        label_noise=noise,
        sites=asked.sites,
        network="" if network is None else network[0],
        network_sites=asked.network_sites,
        seconds=clock.seconds,
        software=f"pneumoscope {__version__}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Audit(report, manifest, own, measured, asked.predictions, groups)


class _Clock:
    """How long each step took."""

    def __init__(self, before: dict[str, float], now: Callable[[], float]) -> None:
        self.seconds = {name: round(value, 2) for name, value in before.items()}
        self._now, self._last = now, now()

    def note(self, name: str) -> None:
        now = self._now()
        self.seconds[name] = round(now - self._last, 2)
        self._last = now


@dataclass(frozen=True, slots=True, eq=False)
class _ShortcutAnswers:
    shortcuts: Shortcuts
    image_model: ImageModel
    predictions: OutOfFoldPredictions
    finding: ShortcutTask
    sites: list[SiteShortcut]
    network_sites: list[SiteShortcut]


def _find_shortcuts_and_image_model(
    manifest: Manifest,
    measured: FilmMeasurements,
    predictions: OutOfFoldPredictions | None,
    *,
    network: tuple[str, NDArray[np.float64]] | None,
    folds: int,
    seed: int,
    progress: bool,
    clock: _Clock,
) -> _ShortcutAnswers:
    """Shortcuts, and the image model beside them."""
    finding, pattern = _tasks(manifest)
    patients = np.array([film.patient for film in manifest.films], dtype=np.str_)
    try:
        held_out = [part.parts["val"] for part in k_folds(manifest, folds, seed)]
    except DatasetError as error:
        held_out, why_not = [], f"{error.what}"
    if held_out:
        with _bar("Asking for shortcuts", len(GROUPS) + 4, progress) as tick:
            shortcuts = find_shortcuts(
                measured.features,
                finding,
                pattern,
                classes=manifest.classes,
                targets=manifest.targets,
                patients=patients,
                folds=held_out,
                seed=seed,
                tick=tick,
            )
    else:
        shortcuts = Shortcuts(
            CLASSIFIER, folds, finding.words, None, None, None, None, "", [], [], "cannot be asked", why_not=why_not
        )
    names = np.array([film.site for film in manifest.films], dtype=np.str_)
    sites = find_site_shortcuts(measured.features, names, manifest.finding, patients, held_out, seed=seed)
    network_sites = (
        []
        if network is None
        else find_site_shortcuts(network[1], names, manifest.finding, patients, held_out, seed=seed, linear=True)
    )
    clock.note("shortcuts")
    if predictions is None:
        probabilities = np.full((len(manifest), len(manifest.classes)), np.nan)
        if held_out:
            with _bar("Quick image model", len(held_out), progress) as tick:
                probabilities = quick_predictions(
                    measured.thumbnails, manifest.targets, len(manifest.classes), held_out, seed=seed, tick=tick
                )
        predictions = OutOfFoldPredictions(probabilities, "quick", QUICK_MODEL)
    clock.note("image model")
    auc = task_auc(finding, _score(predictions.probabilities, manifest), patients)
    model = ImageModel(predictions.kind, predictions.words, auc, predictions.out_of_fold)
    return _ShortcutAnswers(shortcuts, model, predictions, finding, sites, network_sites)


def _tasks(manifest: Manifest) -> tuple[ShortcutTask, ShortcutTask | None]:
    """Finding against none; and the first two classes of the finding against each other."""
    classes, targets = manifest.classes, manifest.targets
    sick = _finding(manifest)
    everything = np.arange(len(manifest))
    healthy = " and ".join(name for name, is_sick in zip(classes, sick, strict=True) if not is_sick)
    words = " and ".join(name for name, is_sick in zip(classes, sick, strict=True) if is_sick)
    finding = ShortcutTask(f"{words} from {healthy}", np.array(sick, dtype=np.bool_)[targets], everything)
    patterns = [number for number, is_sick in enumerate(sick) if is_sick]
    if len(patterns) < 2 or len(patterns) == len(classes):
        return finding, None
    one, other = patterns[:2]
    rows = everything[np.isin(targets, (one, other))]
    return finding, ShortcutTask(f"{classes[one]} from {classes[other]}", targets == one, rows)


def _finding(manifest: Manifest) -> tuple[bool, ...]:
    """Which classes are the finding; where none is named like a negative one, all but the first."""
    return tuple(c > 0 for c in range(len(manifest.classes))) if all(manifest.positive) else manifest.positive


def _score(probabilities: NDArray[np.float64], manifest: Manifest) -> NDArray[np.float64]:
    """The probability of the finding: float64 [N]."""
    score: NDArray[np.float64] = probabilities[:, np.array(_finding(manifest))].sum(axis=1)
    return score


def _label_noise(manifest: Manifest, predictions: OutOfFoldPredictions) -> list[LabelNoise]:
    """At the level of the finding, and at that of the classes where they are more than two."""
    rows = np.flatnonzero(np.isfinite(predictions.probabilities).all(axis=1))
    paths = [manifest.films[row].path for row in rows.tolist()]
    p, labels = predictions.probabilities[rows], manifest.targets[rows]
    if not len(rows) or not predictions.out_of_fold:
        why = "there are no out-of-fold predictions"
        return [LabelNoise("classes", list(manifest.classes), len(rows), [], [], why)]
    if len(manifest.classes) == 2:
        return [label_noise("classes", paths, labels, p, manifest.classes)]
    sick = np.array(_finding(manifest))
    score = np.clip(p[:, sick].sum(axis=1), 0, 1)
    healthy = " or ".join(name for name, s in zip(manifest.classes, sick.tolist(), strict=True) if not s)
    ill = " or ".join(name for name, s in zip(manifest.classes, sick.tolist(), strict=True) if s)
    two = np.stack([1 - score, score], axis=1)
    return [
        label_noise("finding", paths, sick[labels].astype(np.int64), two, (healthy, ill)),
        label_noise("classes", paths, labels, p, manifest.classes),
    ]


def _clusters(
    manifest: Manifest, measured: FilmMeasurements, asked: _ShortcutAnswers, k: int | None, seed: int
) -> tuple[Clusters, NDArray[np.int64]]:
    features = measured.features
    try:
        k = choose_k(features, seed=seed) if k is None else k
        groups = cluster_films(features, k, seed)
    except DatasetError as error:
        return Clusters(0, 0.0, [], f"{error.what}"), np.zeros(len(features), dtype=np.int64)
    patients = np.array([film.patient for film in manifest.films], dtype=np.str_)
    score = _score(asked.predictions.probabilities, manifest)
    table = np.zeros((k, len(manifest.classes)), dtype=np.int64)
    np.add.at(table, (groups, manifest.targets), 1)
    middle, spread = np.median(features, axis=0), features.std(axis=0)
    rows = []
    for number in range(k):
        places = np.flatnonzero(groups == number)
        task = ShortcutTask("", asked.finding.truth, places)
        sides = np.bincount(task.truth[places].astype(np.int64), minlength=2)
        far = (np.median(features[places], axis=0) - middle) / np.where(spread > 0, spread, np.inf)
        traits = [
            f"{FEATURES[place].words} {np.median(features[places, place]):.3g} (all films {middle[place]:.3g})"
            for place in np.argsort(-np.abs(far), kind="stable")[:_TRAITS].tolist()
            if abs(far[place]) > 0.25
        ]
        typical = places[np.argmin(np.square((features[places] - features[places].mean(0)) / (spread + 1e-9)).sum(1))]
        auc = task_auc(task, score, patients) if sides.min() >= _CLUSTER_LEAST else None
        rows.append(
            Cluster(
                number=number,
                films=len(places),
                by_class=dict(zip(manifest.classes, table[number].tolist(), strict=True)),
                traits=traits,
                image_auc=auc,
                example=manifest.films[int(typical)].path,
            )
        )
    return Clusters(k, _cramer(table), rows), groups


def _cramer(table: NDArray[np.int64]) -> float:
    """Cramer's V of a table of counts: 0 where cluster and class are independent, 1 where one tells the other."""
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    chi2 = float((np.square(table - expected) / np.maximum(expected, 1e-12)).sum())
    freedom = min(table.shape) - 1
    return float(np.sqrt(chi2 / (table.sum() * freedom))) if freedom else 0.0


@contextmanager
def _bar(title: str, total: int, show: bool) -> Iterator[Callable[[], None]]:
    """A bar that is moved on by calling what this gives."""
    steps = track_progress(range(total), total=total, title=title, show=show)
    next(steps, None)

    def tick() -> None:
        next(steps, None)

    yield tick
    for _ in steps:  # lets the bar end
        pass
