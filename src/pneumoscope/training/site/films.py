"""The films of a site as a bundle reads them, and the limits of quality control for them.

Both limits move together, along one line: a film's strain says how much looser than the package's limits they must be
for it to pass. Chosen is the strain that all but the stated share of the site's films stay below, between ranks, as for
the sets (split conformal prediction; Beran and Hall 1993). It never goes beyond ``LOOSEST``: what lies there is no
chest film of another scanner but something else, and stays refused however many such films a site gives.
"""

from __future__ import annotations

import re
from collections import Counter
from copy import copy
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.labels import binary_label, canonical_label, is_negative
from pneumoscope.data.pixels import read_film
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import FilmError
from pneumoscope.films.load import load
from pneumoscope.quality.checks import check_quality, score_film
from pneumoscope.quality.head import FIT
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.stats.proportions import clustered_rate
from pneumoscope.training.drift_baseline import film_statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest
    from pneumoscope.model.reader import Reader
    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.quality.spec import QualitySpec
    from pneumoscope.stats.proportions import Proportion
    from pneumoscope.training.drift_baseline import FilmStatistics
    from pneumoscope.types.radiograph import Radiograph

__all__ = [
    "LOGIT",
    "LOOSEST",
    "SPREAD",
    "SiteFilms",
    "SiteQualityLimits",
    "admitted_classes",
    "film_strain",
    "fit_quality_limits",
    "limits_at",
    "read_site_films",
    "with_quality_spec",
]

LOGIT, SPREAD = 1.0, 0.35
"""What a strain of 1 is: a logit less of being fit, and so much more distance."""

LOOSEST = 1.0
"""Largest strain that a site's limits may have. ``benchmarks/site_gate.py`` measures what it lets through."""

_EVEN_ODDS = 0.0  # logit of being fit that is never asked for more
_FOLDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class SiteQualityLimits:
    """A gate for a site.

    Attributes:
        spec: The new limits.
        strain: Of them; 0 is the package's, above it they are looser.
        asked: Share of good films that may be refused.
        stated: Share that these films can promise: larger where they are too few, or ``LOOSEST`` holds.
        films: Number of films that chose it.
        needed: Films that the asked share takes; 0 if there are enough.
        beyond: Films that are refused even at the loosest limits.
        before: Share of the films that the bundle refused.
        after: Share that the new limits refuse, cross-fitted by patient.
    """

    spec: QualitySpec
    strain: float
    asked: float
    stated: float
    films: int
    needed: int
    beyond: int
    before: Proportion
    after: Proportion

    def remarks(self) -> Iterator[str]:
        """What a person at the site must know, whole sentences."""
        if self.needed:
            yield (
                f"The gate may refuse up to {100 * self.stated:.1f} % of good films, not the asked "
                f"{100 * self.asked:g} %: {self.films} films can promise no less; {self.needed} could."
            )
        if self.beyond:
            yield (
                f"{self.beyond} of {self.films} films look so unlike frontal chest films that the gate refuses them at "
                "its loosest limits too: look at them before you trust the rest."
            )


def film_strain(film: Radiograph, gate: QualitySpec) -> tuple[float, bool] | None:
    """How much looser than the package's the limits must be for a film, and whether the bundle's refuse it.

    None if it is refused for another reason, which no limit concerns.

    Args:
        film: As it was loaded. One that the gate can mend is judged as mended.
        gate: Of the bundle.
    """
    passed = check_quality(film, gate)
    if passed.lungs is None:
        return None  # its own words refuse it, or its size
    look = score_film(passed.film, gate)
    if passed.refusal is not None and look.fit:
        return None  # blurred, or clipped
    base = shipped_quality_spec()
    strain = max((base.fit - float(look.answers[FIT])) / LOGIT, (look.distance - base.distance) / SPREAD)
    return strain, passed.refusal is not None


def limits_at(strain: float, gate: QualitySpec) -> QualitySpec:
    """A bundle's gate with the limits at a strain."""
    base = shipped_quality_spec()
    return replace(
        gate,
        fit=round(min(base.fit - LOGIT * strain, max(base.fit, _EVEN_ODDS)), 4),
        distance=round(base.distance + SPREAD * strain, 4),
    )


def fit_quality_limits(
    strains: NDArray[np.float64],
    refused: NDArray[np.bool_],
    patients: NDArray[np.str_],
    gate: QualitySpec,
    *,
    asked: float = 0.01,
    site: str = "the site",
    seed: int = 0,
) -> SiteQualityLimits:
    """Choose the limits, and say what share of the site's films they refuse.

    Args:
        strains: Of the site's films, [N], at least one.
        refused: Whether the bundle's limits refuse each, [N].
        patients: Of each film, [N].
        gate: Of the bundle.
        asked: Share of good films that may be refused.
        site: Its name, for the bundle.
        seed: Of the folds.
    """
    n, people, needed = len(strains), len(np.unique(patients)), ceil(1 / asked - 1e-9) - 1
    strain, stated = _chosen(strains, asked)
    after = clustered_rate(_refused(strains, patients, asked, seed), patients)
    return SiteQualityLimits(
        spec=replace(
            limits_at(strain, gate),
            chosen_on=f"{n} films of {people} patients of {site}; the rate is cross-fitted by patient",
            false_refusals=round(after.value, 4),
            films=n,
        ),
        strain=strain,
        asked=asked,
        stated=stated,
        films=n,
        needed=needed if n < needed else 0,
        beyond=int((strains > LOOSEST).sum()),
        before=clustered_rate(refused, patients),
        after=after,
    )


def with_quality_spec(reader: Reader, gate: QualitySpec) -> Reader:
    """A reader with other limits and the same network."""
    other = copy(reader)
    other.meta = replace(reader.meta, gate=gate)
    return other


def _chosen(strains: NDArray[np.float64], asked: float) -> tuple[float, float]:
    """The strain of the limits, and the share that it promises."""
    n, base = len(strains), shipped_quality_spec()
    tightest = base.fit - max(base.fit, _EVEN_ODDS)
    within = strains[strains <= LOOSEST]
    # As loose as each film takes that may pass at all, and never tighter than the package.
    all_that_may = max(0.0, float(within.max(initial=0.0)))
    rank = (n + 1) * (1 - asked)
    if rank > n + 1e-9:  # too few to promise that
        return all_that_may, max(1 / (n + 1), 1 - len(within) / n)
    found = float(np.interp(rank, np.arange(1, n + 1), np.sort(strains)))
    if found > LOOSEST:  # no limit that is allowed keeps the promise; looser than this would help no film
        return all_that_may, max(asked, 1 - len(within) / n)
    return max(found, tightest), asked


def _refused(strains: NDArray[np.float64], patients: NDArray[np.str_], asked: float, seed: int) -> NDArray[np.bool_]:
    """Whether each film is refused by limits that were chosen without it and without its patient's other films."""
    _, numbers = np.unique(patients, return_inverse=True)
    people = int(numbers.max()) + 1
    fold_of = (np.random.default_rng(seed).permutation(people) % _FOLDS)[numbers]
    refused = strains > _chosen(strains, asked)[0]
    for fold in range(min(_FOLDS, people) if people > 1 else 0):
        here = fold_of == fold
        refused[here] = strains[here] > _chosen(strains[~here], asked)[0]
    return np.asarray(refused, dtype=np.bool_)


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
        sha256: Of each film, [N]; empty if not known.
    """

    probabilities: NDArray[np.float64]
    admitted: NDArray[np.bool_]
    patients: NDArray[np.str_]
    positive: NDArray[np.bool_]
    counts: dict[str, int] = field(default_factory=dict)
    manifest_sha256: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    unused: dict[str, int] = field(default_factory=dict)
    gate: SiteQualityLimits | None = None
    measured: FilmStatistics | None = None
    sha256: tuple[str, ...] = ()

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
            sha256=tuple(self.sha256[row] for row in rows.tolist()) if self.sha256 else (),
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
            gate = fit_quality_limits(strains, stopped, people, meta.gate, asked=false_refusals, site=site, seed=seed)
            reader = with_quality_spec(reader, gate.spec)
    refused, said, kept = [], [], []
    readings = _readings(reader, manifest, [row.path for row in wanted])
    for row, found in zip(
        wanted, track_progress(readings, total=len(wanted), title="Reading", show=progress), strict=True
    ):
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
        measured=film_statistics(manifest, kept, progress=progress),
        sha256=tuple(row.sha256 for row in kept),
    )


def _strains(
    manifest: Manifest, rows: Sequence[FilmRow], gate: QualitySpec, *, progress: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]:
    """Of the films that the gate's limits concern: what they take, whether they are refused as it is, and whose."""
    found, patients = [], []
    for row in track_progress(rows, total=len(rows), title="Looking", show=progress):
        try:
            strain = film_strain(_loaded(manifest, row), gate)
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
            yield _probabilities_or_reason(reading.probabilities, reading.refusal.reason if reading.refusal else "")
        return
    for reading in reader.read_many(manifest.root / path for path in paths):
        yield _probabilities_or_reason(reading.probabilities, reading.refusal.reason if reading.refusal else "")


def _probabilities_or_reason(probabilities: dict[str, float] | None, reason: str) -> list[float] | str:
    return reason if probabilities is None else list(probabilities.values())
