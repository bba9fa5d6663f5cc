"""The films to evaluate on: which they are, their labels in a system's classes, and how they are opened."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.labels import binary_label, canonical_label, is_negative
from pneumoscope.data.layout import Candidate, ListingOptions
from pneumoscope.data.manifest import Manifest, is_manifest
from pneumoscope.data.patients import patient_notes
from pneumoscope.data.pixels import open_film
from pneumoscope.data.scan import told_patients
from pneumoscope.data.sources.registry import find_source
from pneumoscope.data.split import Split
from pneumoscope.data.unpacking import laid_out, moved_back
from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.evaluation.predictions import RefusedFilm, age_band, normalize_sex
from pneumoscope.evaluation.systems import SystemDescription
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.stats.checks import UNKNOWN_CLASS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.phantom.draw import Kind
    from pneumoscope.types.radiograph import Radiograph

__all__ = [
    "EvaluationFilms",
    "LabelledFilm",
    "MappedLabels",
    "evaluation_films",
    "film_sites",
    "films_of_manifest",
    "films_of_table",
    "map_labels",
    "match_to_dataset",
    "parse_label_map",
    "phantom_films",
    "stratified_sample",
]

ALL_PARTS = "all"


@dataclass(frozen=True, slots=True)
class EvaluationFilms:
    """Films with labels, not yet opened.

    Attributes:
        root: The folder that the paths start from.
        films: What should be films, in the order of their paths.
        source: Of the films that do not tell their own: the name of the layout that they were found by.
        words: Which films, in words.
        problems: What cannot be judged, as (path, reason).
        notes: What a reader of their figures must know, each a sentence.
    """

    root: Path
    films: tuple[Candidate, ...]
    source: str
    words: str
    problems: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def evaluation_films(
    data: str | PathLike[str] | Manifest,
    *,
    part: str | None = None,
    source: str | None = None,
    limit: int | None = None,
) -> EvaluationFilms:
    """List the films of a data set. None is opened: that is done when they are read.

    Args:
        data: A folder or table in any layout that training takes, a manifest (also a saved one), or a run's folder.
        part: "train", "val" or "test" of a data set or a run that has parts; "all" takes all. A run without it gives
            its test films, or its validation films if it has no others.
        source: Name of the layout; found out if None.
        limit: At most this many films, evenly spread over the set.

    Raises:
        DatasetError: There is no data set, it has several parts and none is asked for, or no films.
    """
    given = data if isinstance(data, Manifest) else None
    data = data.root if isinstance(data, Manifest) else Path(data).absolute()
    if given is not None:
        found = _of_part(_of_manifest(given, range(len(given)), f"the films of {data.name}"), part, data)
    elif (data / "manifest.parquet").is_file() and (data / "split.json").is_file():
        found = _of_run(data, part)
    elif data.is_file() and data.suffix.lower() == ".parquet" and is_manifest(data):
        manifest = Manifest.load(data)
        found = _of_part(_of_manifest(manifest, range(len(manifest)), data.name), part, data)
    else:
        with laid_out(data) as place:
            layout = find_source(place, source)
            listing = moved_back(layout.films(place, ListingOptions()), place, data)
        films = tuple(sorted(told_patients(listing.root, listing.films), key=lambda film: film.path))
        found = _of_part(
            EvaluationFilms(
                listing.root,
                films,
                layout.name,
                f"the films of {data.name}",
                tuple(listing.problems),
                tuple(patient_notes(Counter(film.patient_from for film in films))),
            ),
            part,
            data,
        )
    if not found.films:
        raise DatasetError("there are no films to judge", where=data, remedy="Give films with labels")
    if limit is not None and limit < len(found.films):
        places = np.linspace(0, len(found.films) - 1, max(1, limit)).astype(int).tolist()
        found = replace(
            found,
            films=tuple(found.films[place] for place in places),
            words=f"{found.words} ({limit} of {len(found.films)}, evenly taken)",
        )
    return found


def _of_run(folder: Path, part: str | None) -> EvaluationFilms:
    manifest = Manifest.load(folder / "manifest.parquet")
    split = Split.load(folder / "split.json", manifest)
    if part is None:
        part = "test" if len(split.parts["test"]) else "val"
    if part != ALL_PARTS and not len(split.parts.get(part, ())):
        there = ", ".join(name for name, rows in split.parts.items() if len(rows))
        raise DatasetError(f"the run has no films of the part {part}", where=folder, remedy=f"It has: {there}")
    rows = range(len(manifest)) if part == ALL_PARTS else split.parts[part].tolist()
    found = _of_manifest(manifest, rows, f"the {part} films of the run {folder.name}")
    notes = []
    if found.problems:  # nobody knows of which part they would have been
        notes.append(f"{len(found.problems)} files of the data set could not be used when the run was made.")
    return replace(found, notes=(*found.notes, *notes), problems=())


def _of_manifest(manifest: Manifest, rows: Sequence[int], words: str) -> EvaluationFilms:
    kept = [manifest.films[row] for row in rows]
    if not manifest.root.is_dir():
        raise DatasetError(
            "the folder of the films is not there any more",
            where=manifest.root,
            remedy="Put the films back, or make the manifest again: pneumoscope manifest DATA --out FILE.parquet",
        )
    films = [
        Candidate(
            path=film.path,
            label=film.label,
            patient=film.patient,
            part=film.part,
            age=film.age,
            sex=film.sex,
            view=film.view,
            source=film.source,
            site=film.site or None,
            boxes=film.boxes,
            patient_from=film.patient_from or "table",
        )
        for film in kept
    ]
    return EvaluationFilms(
        root=manifest.root,
        films=tuple(sorted(films, key=lambda film: film.path)),
        source="",
        words=words if words.startswith("the ") else f"the films of {words}",
        problems=tuple(manifest.problems),
        notes=tuple(patient_notes(Counter(film.patient_from for film in kept if film.patient_from))),
    )


def _of_part(found: EvaluationFilms, part: str | None, data: Path) -> EvaluationFilms:
    """The films of the part that is asked for.

    Raises:
        DatasetError: There are several and none is asked for, or the one that is has no films.
    """
    there = sorted({film.part for film in found.films if film.part})
    if part is None:
        if len(there) > 1:
            raise DatasetError(
                f"the data set has the parts {', '.join(there)}",
                where=data,
                remedy="Say which of them to judge with --part (or --part all): films that a network learned from "
                "judge nothing",
            )
        return found
    if part == ALL_PARTS:
        return found
    kept = tuple(film for film in found.films if film.part == part)
    if not kept:
        told = f"Its parts: {', '.join(there)}" if there else "It has no parts; judge it without --part"
        raise DatasetError(f"the data set has no films of the part {part}", where=data, remedy=told)
    return replace(found, films=kept, words=f"the {part} films of {data.name}")


@dataclass(frozen=True, slots=True)
class MappedLabels:
    """Labels in the classes that can be judged.

    Attributes:
        classes: Those of the system; or, where the labels do not tell its classes apart, the finding and its absence.
        positive: Numbers of those that are the finding.
        numbers: Of each film its class, ``UNKNOWN_CLASS`` where only the finding is known; None for a film that is left
            out.
        joined: Whether the system's classes were joined into two.
        notes: What a reader must know, each a sentence.
    """

    classes: tuple[str, ...]
    positive: tuple[int, ...]
    numbers: tuple[int | None, ...]
    joined: bool
    notes: tuple[str, ...] = ()


def parse_label_map(given: Sequence[str]) -> dict[str, str]:
    """``LABEL=CLASS`` of the command line; an empty class leaves the films out.

    Raises:
        UsageError: There is no ``=``.
    """
    found = {}
    for text in given:
        label, equals, name = text.rpartition("=")
        if not equals or not label:
            raise UsageError(
                "this renames nothing", where=text, remedy="Write LABEL=CLASS; LABEL= leaves the films out"
            )
        found[canonical_label(label)] = canonical_label(name)
    return found


def map_labels(
    labels: Sequence[str],
    facts: SystemDescription,
    *,
    renames: Mapping[str, str] | None = None,
    where: str | PathLike[str],
) -> MappedLabels:
    """Find the class of each film.

    A label is a class of the system; else the finding ("pneumonia" for a system of bacterial and viral), one of its
    kinds ("viral" for a system of pneumonia), or its absence ("no finding"). Where the labels of some films name a
    class of the finding, and those of others the finding alone, the latter count for the finding and not for the
    classes. If no label tells the classes of the finding apart, the system is judged by its finding alone.

    Args:
        labels: Of the films, as ``canonical_label`` writes them.
        facts: Of the system.
        renames: Labels to be taken for another; "" leaves the films out. A name with * or ? is a pattern, and is asked
            of labels that the system does not know; the first that fits is taken.
        where: The data set, for messages.

    Raises:
        DatasetError: Labels that the system does not know, or no film left.
    """
    renames = renames or {}
    known = {label: _mapped_label(label, facts, renames) for label in set(labels)}
    meant = [known[label] for label in labels]
    left_out = sum(name == "" for name in meant)
    if left_out == len(meant):
        raise DatasetError("all films are left out", where=where, remedy="Keep the films of at least one label")
    notes = []
    if left_out:
        gone = Counter(label for label in labels if not known[label])
        names = ", ".join(name for name, _ in gone.most_common(8)) + (", ..." if len(gone) > 8 else "")
        notes.append(f"{left_out} films were left out by their label ({names}).")
    sides = {name: _is_positive(name, facts) for name in set(meant) if name}
    if unknown := Counter(name for name in meant if name and sides[name] is None):
        told = ", ".join(f"{name} ({count})" for name, count in unknown.most_common(8))
        first = next(iter(unknown))
        raise DatasetError(
            f"the system does not know the label{'s' if len(unknown) > 1 else ''} {told}",
            where=where,
            remedy=f"Its classes are {', '.join(facts.classes)}. Rename a label with --label '{first}=CLASS', or leave "
            f"its films out with --label '{first}=' (all unknown ones with --label '*=')",
        )
    if all(name in facts.classes for name in sides):
        place = {name: number for number, name in enumerate(facts.classes)}
        numbers = tuple(place[name] if name else None for name in meant)
        return MappedLabels(facts.classes, facts.positive, numbers, joined=False, notes=tuple(notes))
    negatives = [name for number, name in enumerate(facts.classes) if number not in facts.positive]
    patterns = {name for name in sides if name in facts.classes and sides[name]}
    if len(facts.positive) > 1 and patterns and len(negatives) == 1:
        place = {name: number for number, name in enumerate(facts.classes)}
        absent = place[negatives[0]]
        numbers = tuple(place.get(name, UNKNOWN_CLASS if sides[name] else absent) if name else None for name in meant)
        parents = sum(number == UNKNOWN_CLASS for number in numbers)
        if parents:
            notes.append(
                f"{parents} films are labelled {facts.finding} without its class: they count for {facts.finding}, and "
                f"are left out of the figures of {' and '.join(facts.classes[number] for number in facts.positive)}."
            )
        return MappedLabels(facts.classes, facts.positive, numbers, joined=False, notes=tuple(notes))
    classes = (negatives[0] if len(negatives) == 1 else f"no {facts.finding}", facts.finding)
    numbers = tuple(int(bool(sides[name])) if name else None for name in meant)
    joined = len(facts.classes) > 2
    if joined:
        kinds = " and ".join(facts.classes[number] for number in facts.positive)
        notes.append(f"The labels do not tell {kinds} apart: the system is judged by {facts.finding} alone.")
    return MappedLabels(classes, (1,), numbers, joined=True, notes=tuple(notes))


def _mapped_label(label: str, facts: SystemDescription, renames: Mapping[str, str]) -> str:
    """What a label is to be taken for."""
    if label in renames:
        return renames[label]
    if _is_positive(label, facts) is None:
        return next((name for pattern, name in renames.items() if _matches_pattern(label, pattern)), label)
    return label


def _matches_pattern(label: str, pattern: str) -> bool:
    return ("*" in pattern or "?" in pattern) and fnmatchcase(label, pattern)


def _is_positive(label: str, facts: SystemDescription) -> bool | None:
    """Whether a label is the finding; None if the system does not know it."""
    if label in facts.classes:
        return facts.classes.index(label) in facts.positive
    positives = {facts.finding, *(facts.classes[number] for number in facts.positive)}
    if label in positives or binary_label(label) in positives or binary_label(label) == facts.finding:
        return True
    return False if is_negative(label, {label}) else None


def match_to_dataset(
    table: PredictionTable, films: EvaluationFilms, *, renames: Mapping[str, str] | None = None
) -> PredictionTable:
    """Hold a table against the films that it speaks of.

    Films are found by their path, from the data set's root or absolute. What the table does not know (patients, age,
    sex, view) is taken from the data set. A film of the data set without a prediction is listed with the refused ones,
    so that nobody can leave out the hard ones unseen.

    Args:
        table: Of any system.
        films: The data set.
        renames: Labels to be taken for another; see ``fit_labels``.

    Raises:
        DatasetError: The table has films that the data set has not, or labels them otherwise.
    """
    by_path = {film.path: film for film in films.films}
    paths = [_relative_path(path, films.root) for path in table.paths]
    if strangers := [old for old, new in zip(table.paths, paths, strict=True) if new not in by_path]:
        raise DatasetError(
            f"{len(strangers)} of {len(table)} films of the table are not in the data set (the first: {strangers[0]})",
            where=films.root,
            remedy="Give the data set that the table was made on; paths start from its folder",
        )
    mine = [by_path[path] for path in paths]
    facts = SystemDescription(table.system, "", table.classes, table.positive, table.finding)
    fitted = map_labels([film.label for film in mine], facts, renames=renames, where=films.root)
    left_out = np.array([number is None for number in fitted.numbers])
    truth = np.array([UNKNOWN_CLASS if number is None else number for number in fitted.numbers])
    finding = np.isin(truth, (*fitted.positive, UNKNOWN_CLASS))
    # Where one of the two knows the class and the other the finding alone, the finding is compared.
    both = (truth != UNKNOWN_CLASS) & table.class_known & (fitted.classes == table.classes)
    wrong = np.flatnonzero(left_out | (finding != table.truth) | (both & (truth != table.labels)))
    if len(wrong):
        first = int(wrong[0])
        raise DatasetError(
            f"{len(wrong)} of {len(table)} films have another label in the table than in the data set (the first is "
            f"{table.label_names[first]} in the table and {mine[first].label} in the data set)",
            where=table.paths[first],
            remedy="Correct the table; a label can be taken for another with --label LABEL=CLASS",
        )
    there = set(paths)
    silent = tuple(
        RefusedFilm(film.path, film.label, "no-prediction", "The table has no row for this film.")
        for film in films.films
        if film.path not in there and _mapped_label(film.label, facts, renames or {})
    )
    return replace(
        table,
        paths=tuple(paths),
        patients=_patients(mine) if table.patients is None else table.patients,
        strata=_strata(mine) | table.strata,
        films=table.films or films.words,
        refused=(*table.refused, *silent),
        root=str(films.root),
        notes=(*table.notes, *films.notes),
    )


def _relative_path(path: str, root: Path) -> str:
    """A path as the data set writes it."""
    whole = os.path.normpath(root / path)
    base = os.path.normpath(root)
    return Path(whole).relative_to(base).as_posix() if Path(whole).is_relative_to(base) else path


def _patients(films: list[Candidate]) -> NDArray[np.str_] | None:
    """As far as the data set tells them; None if it tells none."""
    if not any(film.patient for film in films):
        return None
    return np.array([film.patient or f"film:{film.path}" for film in films], dtype=np.str_)


def film_sites(films: Sequence[Candidate]) -> list[str]:
    """The site of each film; empty where all are of one."""
    sites = [film.site or "" for film in films]
    return sites if len(set(sites)) > 1 else []


def _strata(films: list[Candidate]) -> dict[str, NDArray[np.str_]]:
    found = {
        "age": [age_band(film.age or "") for film in films],
        "sex": [normalize_sex(film.sex or "") for film in films],
        "view": [(film.view or "").strip().upper() for film in films],
        "source": [film.source or "" for film in films],
        "site": film_sites(films),
    }
    return {name: np.array(groups, dtype=np.str_) for name, groups in found.items() if any(groups)}


@dataclass(frozen=True, slots=True)
class LabelledFilm:
    """A film, and what is known of it.

    Attributes:
        path: Its name in messages and lists.
        sha256: Of its content; results are kept under it, and chance comes from it.
        label: The class, by name.
        positive: Whether that class is the finding.
        patient: Films of one patient have one name.
        open: Decodes it. Raises FilmError where that fails.
        site: The data set that it is of, where there are several.
        boxes: What a reader drew around findings, as in a manifest; None if nobody drew any.
    """

    path: str
    sha256: str
    label: str
    positive: bool
    patient: str
    open: Callable[[], Radiograph]
    site: str = ""
    boxes: str | None = None


def films_of_manifest(manifest: Manifest, indices: Iterable[int] | None = None) -> list[LabelledFilm]:
    """The films of a manifest, or some of them (a part of a split, ``split.parts["test"]``)."""
    chosen = range(len(manifest)) if indices is None else [int(i) for i in indices]
    return [
        LabelledFilm(
            path=(row := manifest.films[i]).path,
            sha256=row.sha256,
            label=row.label,
            positive=bool(manifest.finding[i]),
            patient=row.patient,
            open=partial(open_film, manifest.root, row.path),
            site=row.site,
            boxes=row.boxes,
        )
        for i in chosen
    ]


def films_of_table(table: PredictionTable, boxes: Mapping[str, str] | None = None) -> list[LabelledFilm]:
    """The films of a table of predictions.

    Args:
        table: The predictions.
        boxes: By path, what a reader drew around findings.

    Raises:
        DatasetError: The table does not say where its films are, or what their sha256 is.
    """
    if not table.root or table.sha256 is None:
        raise DatasetError(
            "the table of predictions does not lead to its films",
            where=table.films or None,
            remedy="Judge a bundle on a folder of films, not a table alone",
        )
    labels, sites = table.label_names, table.strata.get("site")
    return [
        LabelledFilm(
            path=path,
            sha256=table.sha256[i],
            label=labels[i],
            positive=bool(table.truth[i]),
            patient=path if table.patients is None else str(table.patients[i]),
            open=partial(open_film, Path(table.root), path),
            site="" if sites is None else str(sites[i]),
            boxes=(boxes or {}).get(path),
        )
        for i, path in enumerate(table.paths)
    ]


def phantom_films(seeds: Iterable[int], kinds: Sequence[Kind], *, rows: int = 256) -> list[LabelledFilm]:
    """Drawn films, one a seed; the kinds take turns."""

    def draw(seed: int, kind: Kind) -> Radiograph:
        return draw_phantom(seed, kind, rows=rows).radiograph()

    films = []
    for number, seed in enumerate(seeds):
        kind = kinds[number % len(kinds)]
        name = f"phantom {kind} {seed}"
        films.append(LabelledFilm(name, f"{name} {rows}", kind, kind != "normal", str(seed), partial(draw, seed, kind)))
    return films


def stratified_sample(films: Sequence[LabelledFilm], most: int, *, seed: int = 0) -> list[LabelledFilm]:
    """At most so many films, drawn by chance with the classes in proportion (at least one of each), in their order."""
    if len(films) <= most:
        return list(films)
    rng = np.random.default_rng(seed)
    by_class: dict[str, list[int]] = {}
    for place, film in enumerate(films):
        by_class.setdefault(film.label, []).append(place)
    due = {label: most * len(places) / len(films) for label, places in by_class.items()}
    taken = {label: max(1, int(share)) for label, share in due.items()}
    for label in sorted(due, key=lambda label: (int(due[label]) - due[label], label)):  # largest remainder first
        taken[label] += due[label] > taken[label] and sum(taken.values()) < most
    while sum(taken.values()) > max(most, len(taken)):  # rare classes took what is not theirs: the largest gives
        taken[max(sorted(taken), key=lambda label: taken[label])] -= 1
    kept: list[int] = []
    for label in sorted(by_class):
        kept.extend(rng.permutation(by_class[label])[: taken[label]].tolist())
    return [films[place] for place in sorted(kept)]
