"""All explanation sanity checks of a bundle in one call, resumable."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
import numpy as np

from pneumoscope import __version__
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import DatasetError, FilmError, MissingExtra, UsageError
from pneumoscope.evaluation.dataset import stratified_sample
from pneumoscope.evaluation.explanation.faithfulness import (
    REFERENCES,
    deletion_insertion_curves,
    parameter_randomization,
)
from pneumoscope.evaluation.explanation.localization import (
    boxed_film,
    boxes_mask,
    cover_of,
    pointing_game,
    summarize_boxes,
    summarize_mean_maps,
)
from pneumoscope.evaluation.explanation.masking import default_lung_mask, lung_evidence, read_masked, summarize_masking
from pneumoscope.evaluation.explanation.network import open_bundle
from pneumoscope.evaluation.explanation.result import (
    BoxEvidence,
    ExplanationResult,
    LungEvidence,
    Masking,
    MeanMaps,
    ParameterRandomization,
    Perturbation,
    PointingGame,
)
from pneumoscope.evaluation.inference import ordered_map
from pneumoscope.settings import Settings
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from pneumoscope.evaluation.dataset import LabelledFilm

__all__ = ["CheckEffort", "FilmChecks", "check_all_films", "perturb_some", "randomize_some", "run_explanation_checks"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.dataset import LabelledFilm
    from pneumoscope.evaluation.explanation.localization import BoxedFilm
    from pneumoscope.evaluation.explanation.masking import MaskedReading
    from pneumoscope.evaluation.explanation.network import FilmEvidence, OpenBundle
    from pneumoscope.types.radiograph import Radiograph

    FindLungs = Callable[[Radiograph], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class FilmChecks:
    """What is known from looking at each film once.

    Attributes:
        places: None with fewer than two films of the finding.
        lungs: None if no lungs were looked for, or none were found.
        blanking: Likewise.
        boxes: Against readers' boxes; none without boxes.
        limits: What could not be said, each a sentence.
    """

    places: MeanMaps | None
    lungs: LungEvidence | None
    blanking: Masking | None
    limits: tuple[str, ...]
    boxes: tuple[BoxEvidence, ...] = ()


def check_all_films(
    network: OpenBundle,
    films: Sequence[LabelledFilm],
    find_lungs: FindLungs | None,
    *,
    threads: int,
    seed: int,
    show: bool,
) -> FilmChecks:
    """Look at each film once: as it came, and with parts of it blanked.

    Raises:
        DatasetError: No film can be decoded.
    """
    boxed: list[BoxedFilm] = []

    def one(film: LabelledFilm) -> tuple[FilmEvidence, dict[tuple[str, str], MaskedReading] | None] | None:
        try:
            radiograph = film.open()
        except FilmError:
            return None
        seen = network.see(radiograph, patient=film.patient, positive=film.positive)
        if film.boxes and film.positive:
            drawn = boxes_mask(film.boxes, radiograph.rows, radiograph.columns)
            if held := boxed_film(network, seen, drawn, site=film.site):
                boxed.append(held)
        mask = None if find_lungs is None else find_lungs(radiograph)
        cover = None if mask is None or not mask.any() else cover_of(mask, seen.frame, seen.map.shape)
        if mask is None or cover is None or not cover.any():
            return seen, None
        return replace(seen, lungs=cover), read_masked(network, radiograph, seen, mask)

    looks = track_progress(ordered_map(one, films, threads), total=len(films), title="looking", show=show)
    found = [look for look in looks if look is not None]
    if not found:
        raise DatasetError(f"none of the {len(films)} films can be read", where=films[0].path)
    # In the order of names: threads end in any order, and the bootstrap is to be the same every time.
    boxed.sort(key=lambda film: (film.site, film.patient, film.evidence.area, film.evidence.touched))
    boxes = summarize_boxes(boxed, rng=np.random.default_rng((seed, 6)))
    limits = []
    if len(found) < len(films):
        limits.append(f"{len(films) - len(found)} of {len(films)} films could not be decoded and are in no figure.")
    rng = np.random.default_rng((seed, 1))
    where = summarize_mean_maps([seen for seen, _ in found], network.meta.finding, rng=rng)
    if where is None:
        limits.append(f"Fewer than two films have {network.meta.finding}: there is no mean map.")
    framed = [(seen, row) for seen, row in found if row is not None]
    if not framed:
        limits.append("No lung fields were found: nothing is said of the lungs.")
        return FilmChecks(where, None, None, tuple(limits), boxes)
    seen = [look for look, _ in framed]
    missed = len(found) - len(framed)
    return FilmChecks(
        where,
        lung_evidence(seen, not_found=missed, rng=rng),
        summarize_masking(network, seen, [row for _, row in framed], not_found=missed, rng=rng),
        tuple(limits),
        boxes,
    )


def randomize_some(
    network: OpenBundle, films: Sequence[LabelledFilm], most: int, *, draws: int, threads: int, seed: int, show: bool
) -> ParameterRandomization:
    """Shuffle the weights under some of the films.

    Raises:
        DatasetError: No film can be decoded.
        MissingExtra: onnx is not installed.
        UsageError: The graph has no weights.
    """
    seen = list(_seen(network, stratified_sample(films, most, seed=seed)))
    if not seen:
        raise DatasetError("none of the films can be read", where=films[0].path)
    rng = np.random.default_rng((seed, 2))
    return parameter_randomization(
        network,
        seen,
        rng=rng,
        draws=draws,
        threads=threads,
        watch=lambda stages: track_progress(stages, total=len(stages), title="shuffling weights", show=show),
    )


def perturb_some(
    network: OpenBundle, films: Sequence[LabelledFilm], most: int, *, threads: int, seed: int, show: bool
) -> tuple[Perturbation, ...]:
    """Deletion and insertion on called films, with each reference that there is.

    Films are looked at in an order of chance until there are enough that have the finding and are called, and as many
    that have not and are not, at the bundle's first operating point.
    """
    threshold = network.meta.operating_points[0].threshold
    order = np.random.default_rng((seed, 3)).permutation(len(films))
    called: deque[FilmEvidence] = deque()
    normal: deque[FilmEvidence] = deque()
    for kind, kept in ((True, called), (False, normal)):
        for seen in _seen(network, (films[i] for i in order if films[i].positive is kind)):
            if (seen.probability >= threshold) is kind:
                kept.append(seen)
            if len(kept) == most:
                break
    if not called:
        return ()
    return tuple(
        deletion_insertion_curves(
            network,
            list(called),
            list(normal),
            reference,
            rng=np.random.default_rng((seed, 4)),
            threads=threads,
            watch=lambda rows: track_progress(rows, total=len(called), title="deleting and inserting", show=show),
        )
        for reference in REFERENCES
        if normal or reference != REFERENCES[0]
    )


def _seen(network: OpenBundle, films: Iterable[LabelledFilm]) -> Iterator[FilmEvidence]:
    """Those that can be decoded, one after the other."""
    for film in films:
        try:
            radiograph = film.open()
        except FilmError:
            continue
        yield network.see(radiograph, patient=film.patient, positive=film.positive)


P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class CheckEffort:
    """How many films each part takes; the time grows with each of them, and 0 leaves the part out.

    Attributes:
        randomised: Films whose map is compared with that of shuffled networks.
        draws: Shuffled networks at each stage.
        perturbed: Called films for deletion and insertion.
        phantoms: Drawn children.
    """

    randomised: int = 24
    draws: int = 3
    perturbed: int = 40
    phantoms: int = 60


def run_explanation_checks(
    bundle: str | PathLike[str],
    films: Sequence[LabelledFilm],
    out: str | PathLike[str],
    *,
    find_lungs: FindLungs | None = default_lung_mask,
    effort: CheckEffort | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    progress: bool = True,
) -> ExplanationResult:
    """Check whether a bundle's evidence deserves its name.

    Each film is looked at once: the mean map, the share of the evidence inside the lungs, the AUC with the lungs and
    with all else blanked. Some of them again: shuffled weights, deletion and insertion. Then phantoms.

    Each finished part is kept in ``OUT/sanity/``; after a kill the same call does only what is missing. The result is
    also written, as ``OUT/sanity.json``. A part that cannot be made is None, and ``limits`` says why.

    Args:
        bundle: Its path, or the name of a shipped one.
        films: See ``evaluation.labelled``. A film that cannot be decoded is left out.
        out: The folder.
        find_lungs: Film -> bool [rows, columns], nowhere True if there are none; None leaves the lungs out.
        effort: How many films the slow parts take.
        settings: Of this machine; its threads count.
        seed: For the choice of films, the shuffling and the bootstrap.
        progress: Show a bar if a person looks at standard error.

    Raises:
        BundleError: The bundle cannot be used, or the lung-field network.
        DatasetError: There are no films, or none that can be decoded.
        StorageError: The folder cannot be written.
    """
    if not films:
        raise DatasetError("there are no films to look at", remedy="Give at least one film of each class")
    effort = CheckEffort() if effort is None else effort
    threads = (Settings.from_environment() if settings is None else settings).cpu_threads()
    network = open_bundle(bundle)
    by = None if find_lungs is None else f"{find_lungs.__module__}.{find_lungs.__qualname__}"
    asked = [__version__, network.model.sha256, by, seed, asdict(effort), [(f.sha256, f.label, f.boxes) for f in films]]
    parts = _PartCache(Path(out) / "sanity", sha256(msgspec.json.encode(asked)).hexdigest())

    looks = parts.get(
        "films",
        FilmChecks,
        lambda: check_all_films(network, films, find_lungs, threads=threads, seed=seed, show=progress),
    )
    randomised = parts.get(
        "randomised",
        ParameterRandomization,
        lambda: randomize_some(
            network, films, effort.randomised, draws=effort.draws, threads=threads, seed=seed, show=progress
        ),
        wanted=effort.randomised > 0,
    )
    perturbations = parts.get(
        "perturbations",
        tuple[Perturbation, ...],
        lambda: perturb_some(network, films, effort.perturbed, threads=threads, seed=seed, show=progress),
        wanted=effort.perturbed > 0,
    )
    phantoms = parts.get(
        "phantoms",
        PointingGame,
        lambda: pointing_game(
            network,
            effort.phantoms,
            rng=np.random.default_rng((seed, 5)),
            threads=threads,
            watch=lambda rows: track_progress(rows, total=effort.phantoms, title="drawing phantoms", show=progress),
        ),
        wanted=effort.phantoms > 0,
    )
    if perturbations == ():
        parts.limits.append("No film with the finding was called: there are no deletion and insertion curves.")
    result = ExplanationResult(
        model=network.model,
        finding=network.meta.finding,
        films=len(films),
        positives=sum(film.positive for film in films),
        negatives=sum(not film.positive for film in films),
        randomised=randomised,
        perturbations=perturbations or (),
        phantoms=phantoms,
        lungs=looks.lungs if looks else None,
        places=looks.places if looks else None,
        blanking=looks.blanking if looks else None,
        boxes=looks.boxes if looks else (),
        limits=(*(looks.limits if looks else ()), *parts.limits),
    )
    result.save(Path(out) / "sanity.json")
    return result


@dataclass(frozen=True, slots=True)
class _CachedPart(Generic[P]):
    """A finished part, and what it was made of."""

    asked: str
    part: P


class _PartCache:
    """Finished parts in a folder; one of other films, another bundle or another version is made again."""

    def __init__(self, folder: Path, asked: str) -> None:
        self._folder = folder
        self._asked = asked
        self.limits: list[str] = []

    def get(self, name: str, kind: type[P], make: Callable[[], P], *, wanted: bool = True) -> P | None:
        """The part as kept, or made now and kept; None if it is not wanted or cannot be made here."""
        if not wanted:
            return None
        path = self._folder / f"{name}.json"
        if path.is_file():
            try:
                kept = msgspec.json.decode(path.read_bytes(), type=_CachedPart[kind])  # type: ignore[valid-type]
            except (msgspec.DecodeError, OSError):
                kept = None  # damaged: made again
            if kept is not None and kept.asked == self._asked:
                part: P = kept.part
                return part
        try:
            made = make()
        except (MissingExtra, UsageError) as error:
            self.limits.append(f"The part {name!r} could not be made: {error}")
            return None
        write_atomically(path, msgspec.json.encode(_CachedPart(self._asked, made)))
        return made
