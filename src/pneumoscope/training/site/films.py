"""The films of a site, as a bundle reads them, and what their labels say in the bundle's classes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.labels import binary_label, canonical_label, is_negative
from pneumoscope.dataset.pixels import read_film
from pneumoscope.dataset.progress import counted
from pneumoscope.errors import FilmError
from pneumoscope.films import load
from pneumoscope.training.reference import measure_films
from pneumoscope.training.site.gate import fit_gate, strain_of, with_gate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.dataset import FilmRow, Manifest
    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.gate import GateSpec
    from pneumoscope.reading import Reader
    from pneumoscope.training.reference import Measured
    from pneumoscope.training.site.gate import SiteGate

__all__ = ["SiteFilms", "admitted_classes", "read_site_films"]

_SEVERAL = re.compile(r"[|;]")
"""Between the findings of one film, as the tables of public sets write them."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteFilms:
    """Labelled films with what the bundle says of them.

    Attributes:
        probabilities: float64 [N, C], of the bundle as it is.
        admitted: bool [N, C]: the classes that each film may be of. A label like "pneumonia" admits every class of the
            finding where the bundle has several.
        patients: str [N].
        positive: bool [C], the bundle's classes that count as the finding.
        counts: Films by label, as the site writes them.
        manifest_sha256: Of the films and labels.
        refused: Films that the reader refused, as (path, reason).
        unused: Films whose label is none of the bundle's, by label.
        gate: The gate for the site; None if the bundle has none, or is to keep its own.
        measured: What the films are like, for those that will come later; None if that is not known.
    """

    probabilities: NDArray[np.float64]
    admitted: NDArray[np.bool_]
    patients: NDArray[np.str_]
    positive: NDArray[np.bool_]
    counts: dict[str, int] = field(default_factory=dict)
    manifest_sha256: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    unused: dict[str, int] = field(default_factory=dict)
    gate: SiteGate | None = None
    measured: Measured | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Whether each film has the finding, [N]."""
        return np.asarray((self.admitted & self.positive).any(axis=1), dtype=np.bool_)

    @property
    def single(self) -> NDArray[np.bool_]:
        """Whether each film's label tells its class, and not only its side, [N]."""
        return np.asarray(self.admitted.sum(axis=1) == 1, dtype=np.bool_)

    def take(self, rows: NDArray[np.integer]) -> SiteFilms:
        """Some of the films; the counts, the hash and what was measured stay those of all."""
        return replace(
            self,
            probabilities=self.probabilities[rows],
            admitted=self.admitted[rows],
            patients=self.patients[rows],
        )


def admitted_classes(label: str, meta: BundleMeta, labels: Iterable[str]) -> NDArray[np.bool_] | None:
    """The bundle's classes that a label leaves possible: bool [C]; None if it is none of theirs.

    A label of several findings ("Atelectasis|Pneumonia") is positive if one of them is the bundle's.

    Args:
        label: The site's.
        meta: The bundle's.
        labels: All labels of the site: 0 is the negative of a set whose only labels are 0 and 1.
    """
    known = [canonical_label(name) for name in meta.class_names]
    positive = np.array([c.positive for c in meta.classes], dtype=np.bool_)
    finding = {canonical_label(meta.finding), "1"}
    said = {canonical_label(part) for part in _SEVERAL.split(label) if part.strip()}
    everything = {canonical_label(name) for name in labels}
    named = np.array([name in said for name in known], dtype=np.bool_)
    by_side: NDArray[np.bool_] = named & positive
    if by_side.any():
        return by_side
    if said & finding or {binary_label(name) for name in said} & finding:
        return positive
    by_side = named & ~positive
    if by_side.any():
        return by_side
    if said and all(is_negative(name, everything) for name in said):
        return ~positive
    return None


def read_site_films(
    reader: Reader,
    manifest: Manifest,
    *,
    false_refusals: float | None = None,
    site: str = "the site",
    seed: int = 0,
    progress: bool = True,
) -> SiteFilms:
    """Read every film whose label is one of the bundle's, the way that any film is read: refused ones are left out.

    Args:
        reader: With the bundle.
        manifest: The films.
        false_refusals: Share of such films that the gate may refuse: its limits are first chosen for them, and the
            films are read through the new ones. Without it the gate stays as it is.
        site: Its name, for the bundle.
        seed: Of the folds by which the gate is judged.
        progress: Show bars.
    """
    meta, rows = reader.meta, manifest.films
    admitted = {label: admitted_classes(label, meta, manifest.classes) for label in manifest.classes}
    wanted = [row for row in rows if admitted[row.label] is not None]
    unused = Counter(row.label for row in rows if admitted[row.label] is None)
    gate = None
    if false_refusals is not None and meta.gate is not None:
        strains, stopped, people = _strains(manifest, wanted, meta.gate, progress=progress)
        if len(strains):
            gate = fit_gate(strains, stopped, people, meta.gate, asked=false_refusals, site=site, seed=seed)
            reader = with_gate(reader, gate.spec)
    refused, said, kept = [], [], []
    readings = _readings(reader, manifest, [row.path for row in wanted])
    for row, found in zip(wanted, counted(readings, total=len(wanted), title="Reading", show=progress), strict=True):
        if isinstance(found, str):
            refused.append((row.path, found))
        else:
            said.append(found)
            kept.append(row)
    return SiteFilms(
        probabilities=np.array(said, dtype=np.float64).reshape(-1, len(meta.classes)),
        admitted=np.array([admitted[row.label] for row in kept], dtype=np.bool_).reshape(-1, len(meta.classes)),
        patients=np.array([row.patient for row in kept], dtype=np.str_),
        positive=np.array([c.positive for c in meta.classes], dtype=np.bool_),
        counts=dict(Counter(row.label for row in kept)),
        manifest_sha256=manifest.sha256,
        refused=tuple(refused),
        unused=dict(unused),
        gate=gate,
        measured=measure_films(manifest, kept, progress=progress),
    )


def _strains(
    manifest: Manifest, rows: Sequence[FilmRow], gate: GateSpec, *, progress: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]:
    """Of the films that the gate's limits concern: what they take, whether they are refused as it is, and whose."""
    found, patients = [], []
    for row in counted(rows, total=len(rows), title="Looking", show=progress):
        try:
            strain = strain_of(_loaded(manifest, row), gate)
        except FilmError:
            continue
        if strain is not None:
            found.append(strain)
            patients.append(row.patient)
    strains, refused = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return strains, refused.astype(np.bool_), np.array(patients, dtype=np.str_)


def _loaded(manifest: Manifest, row: FilmRow) -> Radiograph:
    """A film of a folder, or of a .npz file."""
    return load(read_film(manifest, row).pixels if "#" in row.path else manifest.root / row.path)


def _readings(reader: Reader, manifest: Manifest, paths: Sequence[str]) -> Iterator[list[float] | str]:
    """The probabilities of each film, or why it was refused."""
    if any("#" in path for path in paths):  # films inside a .npz file have no file of their own to read
        by_path = {row.path: row for row in manifest.films}
        for path in paths:
            try:
                reading = reader.read(read_film(manifest, by_path[path]).pixels, name=path)
            except FilmError as error:
                yield error.what
                continue
            yield _said(reading.probabilities, reading.refusal.reason if reading.refusal else "")
        return
    for reading in reader.read_many(manifest.root / path for path in paths):
        yield _said(reading.probabilities, reading.refusal.reason if reading.refusal else "")


def _said(probabilities: dict[str, float] | None, reason: str) -> list[float] | str:
    return reason if probabilities is None else list(probabilities.values())
