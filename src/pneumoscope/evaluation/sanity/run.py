"""All sanity checks of a bundle on some films, in one call."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
import numpy as np

from pneumoscope import __version__
from pneumoscope.dataset.progress import counted
from pneumoscope.errors import DatasetError, MissingExtra, UsageError
from pneumoscope.evaluation.sanity.lungs import lungs_of_the_house
from pneumoscope.evaluation.sanity.network import open_network
from pneumoscope.evaluation.sanity.parts import Looks, look_at_all, perturb_some, randomise_some
from pneumoscope.evaluation.sanity.pointing import point_at_phantoms
from pneumoscope.evaluation.sanity.result import Perturbation, Phantoms, Randomised, SanityResult
from pneumoscope.settings import Settings
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from pneumoscope.evaluation.labelled import LabelledFilm
    from pneumoscope.evaluation.sanity.parts import FindLungs

__all__ = ["Effort", "run_sanity"]

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Effort:
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


def run_sanity(
    bundle: str | PathLike[str],
    films: Sequence[LabelledFilm],
    out: str | PathLike[str],
    *,
    find_lungs: FindLungs | None = lungs_of_the_house,
    effort: Effort | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    progress: bool = True,
) -> SanityResult:
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
    effort = Effort() if effort is None else effort
    threads = (Settings.from_environment() if settings is None else settings).cpu_threads()
    network = open_network(bundle)
    by = None if find_lungs is None else f"{find_lungs.__module__}.{find_lungs.__qualname__}"
    asked = [__version__, network.model.sha256, by, seed, asdict(effort), [(f.sha256, f.label) for f in films]]
    parts = _Parts(Path(out) / "sanity", sha256(msgspec.json.encode(asked)).hexdigest())

    looks = parts.get(
        "films",
        Looks,
        lambda: look_at_all(network, films, find_lungs, threads=threads, seed=seed, show=progress),
    )
    randomised = parts.get(
        "randomised",
        Randomised,
        lambda: randomise_some(
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
        Phantoms,
        lambda: point_at_phantoms(
            network,
            effort.phantoms,
            rng=np.random.default_rng((seed, 5)),
            threads=threads,
            watch=lambda rows: counted(rows, total=effort.phantoms, title="drawing phantoms", show=progress),
        ),
        wanted=effort.phantoms > 0,
    )
    if perturbations == ():
        parts.limits.append("No film with the finding was called: there are no deletion and insertion curves.")
    result = SanityResult(
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
        limits=(*(looks.limits if looks else ()), *parts.limits),
    )
    result.save(Path(out) / "sanity.json")
    return result


@dataclass(frozen=True, slots=True)
class _Kept(Generic[P]):
    """A finished part, and what it was made of."""

    asked: str
    part: P


class _Parts:
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
                kept = msgspec.json.decode(path.read_bytes(), type=_Kept[kind])  # type: ignore[valid-type]
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
        write_atomically(path, msgspec.json.encode(_Kept(self._asked, made)))
        return made
