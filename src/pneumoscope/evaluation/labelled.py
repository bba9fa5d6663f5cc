"""Films with their labels, opened one at a time: what the stress sweep and the sanity checks go over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.pixels import open_film
from pneumoscope.errors import DatasetError
from pneumoscope.films.phantom import draw_phantom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pneumoscope.dataset.manifest import Manifest
    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.films.phantom import Kind

__all__ = ["LabelledFilm", "films_of_manifest", "films_of_table", "phantom_films", "some_of"]


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
    """

    path: str
    sha256: str
    label: str
    positive: bool
    patient: str
    open: Callable[[], Radiograph]


def films_of_manifest(manifest: Manifest, indices: Iterable[int] | None = None) -> list[LabelledFilm]:
    """The films of a manifest, or some of them (a part of a split, ``split.parts["test"]``)."""
    chosen = range(len(manifest)) if indices is None else [int(i) for i in indices]
    finding = dict(zip(manifest.classes, manifest.positive, strict=True))
    rows = [manifest.films[i] for i in chosen]
    return [
        LabelledFilm(
            path=row.path,
            sha256=row.sha256,
            label=row.label,
            positive=finding[row.label],
            patient=row.patient,
            open=partial(open_film, manifest.root, row.path),
        )
        for row in rows
    ]


def films_of_table(table: PredictionTable) -> list[LabelledFilm]:
    """The films of a table of predictions.

    Raises:
        DatasetError: The table does not say where its films are, or what their sha256 is.
    """
    if not table.root or table.sha256 is None:
        raise DatasetError(
            "the table of predictions does not lead to its films",
            where=table.films or None,
            remedy="Judge a bundle on a folder of films, not a table alone",
        )
    return [
        LabelledFilm(
            path=path,
            sha256=table.sha256[i],
            label=table.classes[int(table.labels[i])],
            positive=bool(table.truth[i]),
            patient=path if table.patients is None else str(table.patients[i]),
            open=partial(open_film, Path(table.root), path),
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


def some_of(films: Sequence[LabelledFilm], most: int, *, seed: int = 0) -> list[LabelledFilm]:
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
