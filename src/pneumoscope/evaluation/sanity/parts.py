"""The parts of the sanity checks: which films each takes, and what comes of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.progress import counted
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.evaluation.labelled import some_of
from pneumoscope.evaluation.pool import stream
from pneumoscope.evaluation.sanity.lungs import blanking, lung_evidence, without
from pneumoscope.evaluation.sanity.perturb import REFERENCES, perturb
from pneumoscope.evaluation.sanity.places import places
from pneumoscope.evaluation.sanity.pointing import cover_of
from pneumoscope.evaluation.sanity.randomise import randomise
from pneumoscope.evaluation.sanity.result import Blanking, LungEvidence, Places  # noqa: TC001 - msgspec reads them

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.evaluation.labelled import LabelledFilm
    from pneumoscope.evaluation.sanity.lungs import Without
    from pneumoscope.evaluation.sanity.network import Network, Seen
    from pneumoscope.evaluation.sanity.result import Perturbation, Randomised

    FindLungs = Callable[[Radiograph], NDArray[np.bool_]]

__all__ = ["Looks", "look_at_all", "perturb_some", "randomise_some"]


@dataclass(frozen=True, slots=True)
class Looks:
    """What is known from looking at each film once.

    Attributes:
        places: None with fewer than two films of the finding.
        lungs: None if no lungs were looked for, or none were found.
        blanking: Likewise.
        limits: What could not be said, each a sentence.
    """

    places: Places | None
    lungs: LungEvidence | None
    blanking: Blanking | None
    limits: tuple[str, ...]


def look_at_all(
    network: Network,
    films: Sequence[LabelledFilm],
    find_lungs: FindLungs | None,
    *,
    threads: int,
    seed: int,
    show: bool,
) -> Looks:
    """Look at each film once: as it came, and with parts of it blanked.

    Raises:
        DatasetError: No film can be decoded.
    """

    def one(film: LabelledFilm) -> tuple[Seen, dict[tuple[str, str], Without] | None] | None:
        try:
            radiograph = film.open()
        except FilmError:
            return None
        seen = network.see(radiograph, patient=film.patient, positive=film.positive)
        mask = None if find_lungs is None else find_lungs(radiograph)
        cover = None if mask is None or not mask.any() else cover_of(mask, seen.frame, seen.map.shape)
        if mask is None or cover is None or not cover.any():
            return seen, None
        return replace(seen, lungs=cover), without(network, radiograph, seen, mask)

    looks = counted(stream(one, films, threads), total=len(films), title="looking", show=show)
    found = [look for look in looks if look is not None]
    if not found:
        raise DatasetError(f"none of the {len(films)} films can be read", where=films[0].path)
    limits = []
    if len(found) < len(films):
        limits.append(f"{len(films) - len(found)} of {len(films)} films could not be decoded and are in no figure.")
    rng = np.random.default_rng((seed, 1))
    where = places([seen for seen, _ in found], network.meta.finding, rng=rng)
    if where is None:
        limits.append(f"Fewer than two films have {network.meta.finding}: there is no mean map.")
    framed = [(seen, row) for seen, row in found if row is not None]
    if not framed:
        limits.append("No lung fields were found: nothing is said of the lungs.")
        return Looks(where, None, None, tuple(limits))
    seen = [look for look, _ in framed]
    missed = len(found) - len(framed)
    return Looks(
        where,
        lung_evidence(seen, not_found=missed, rng=rng),
        blanking(network, seen, [row for _, row in framed], not_found=missed, rng=rng),
        tuple(limits),
    )


def randomise_some(
    network: Network, films: Sequence[LabelledFilm], most: int, *, draws: int, threads: int, seed: int, show: bool
) -> Randomised:
    """Shuffle the weights under some of the films.

    Raises:
        DatasetError: No film can be decoded.
        MissingExtra: onnx is not installed.
        UsageError: The graph has no weights.
    """
    seen = list(_seen(network, some_of(films, most, seed=seed)))
    if not seen:
        raise DatasetError("none of the films can be read", where=films[0].path)
    rng = np.random.default_rng((seed, 2))
    return randomise(
        network,
        seen,
        rng=rng,
        draws=draws,
        threads=threads,
        watch=lambda stages: counted(stages, total=len(stages), title="shuffling weights", show=show),
    )


def perturb_some(
    network: Network, films: Sequence[LabelledFilm], most: int, *, threads: int, seed: int, show: bool
) -> tuple[Perturbation, ...]:
    """Deletion and insertion on called films, with each reference that there is.

    Films are looked at in an order of chance until there are enough that have the finding and are called, and as many
    that have not and are not, at the bundle's first operating point.
    """
    threshold = network.meta.operating_points[0].threshold
    order = np.random.default_rng((seed, 3)).permutation(len(films))
    called: deque[Seen] = deque()
    normal: deque[Seen] = deque()
    for kind, kept in ((True, called), (False, normal)):
        for seen in _seen(network, (films[i] for i in order if films[i].positive is kind)):
            if (seen.probability >= threshold) is kind:
                kept.append(seen)
            if len(kept) == most:
                break
    if not called:
        return ()
    return tuple(
        perturb(
            network,
            list(called),
            list(normal),
            reference,
            rng=np.random.default_rng((seed, 4)),
            threads=threads,
            watch=lambda rows: counted(rows, total=len(called), title="deleting and inserting", show=show),
        )
        for reference in REFERENCES
        if normal or reference != REFERENCES[0]
    )


def _seen(network: Network, films: Iterable[LabelledFilm]) -> Iterator[Seen]:
    """Those that can be decoded, one after the other."""
    for film in films:
        try:
            radiograph = film.open()
        except FilmError:
            continue
        yield network.see(radiograph, patient=film.patient, positive=film.positive)
