"""What a bundle declares of its own making: members, calibration, re-calibration, unlabelled films.

A report says of a model only what a field of its bundle says. Each function reads such fields and returns None, or
nothing, where they are silent; the sentences are used by the model card and by the reporting guidelines alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta

__all__ = [
    "Member",
    "calibration_films",
    "calibration_sentence",
    "configuration",
    "ensemble_members",
    "ensemble_sentence",
    "network_count",
    "seeds",
    "site_sentences",
    "split_sentence",
    "unlabelled_films",
]

_ENSEMBLE = "ensemble"
_PARTS = (("train", "training"), ("val", "validation"), ("test", "test"))


@dataclass(frozen=True, slots=True)
class Member:
    """One network of an ensemble.

    Attributes:
        seed: Of its training; None if the bundle does not say.
        epochs: That it was trained for; likewise.
        differs: Keys of the configuration in which it differs from the first member.
        unlabelled: Films without labels that it was trained beside.
    """

    seed: int | None
    epochs: int | None
    differs: tuple[str, ...]
    unlabelled: int


def configuration(meta: BundleMeta, section: str) -> dict[str, Any]:
    """A section of the training's configuration; empty if the bundle holds none."""
    found = meta.provenance.config.get(section, {})
    return found if isinstance(found, dict) else {}


def ensemble_members(meta: BundleMeta) -> tuple[Member, ...]:
    """The networks whose mean the bundle is; empty for a single network, or if the bundle does not say."""
    found = meta.provenance.config.get("members", ())
    return tuple(
        Member(
            _whole(one.get("seed")), _whole(one.get("epochs")), tuple(one.get("differs", {})), _count_unlabelled(one)
        )
        for one in (found if isinstance(found, list | tuple) else ())
        if isinstance(one, dict)
    )


def network_count(meta: BundleMeta) -> int | None:
    """How many networks the bundle holds; None if it does not say."""
    members = ensemble_members(meta)
    if members:
        return len(members)
    return None if not meta.architecture or meta.architecture.startswith(_ENSEMBLE) else 1


def seeds(meta: BundleMeta) -> tuple[int, ...]:
    """The seed of each network."""
    members = ensemble_members(meta)
    return tuple(one.seed for one in members if one.seed is not None) if members else (meta.provenance.seed,)


def unlabelled_films(meta: BundleMeta) -> int:
    """Films without labels that were trained beside; 0 if there were none, or the bundle does not say."""
    return max([_count_unlabelled(meta.provenance.config), *(one.unlabelled for one in ensemble_members(meta))])


def ensemble_sentence(meta: BundleMeta) -> str | None:
    """Whether the model is an ensemble, and of what."""
    members = ensemble_members(meta)
    if not members:
        if not meta.architecture:
            return None
        return (
            "An ensemble; the bundle does not list its members."
            if meta.architecture.startswith(_ENSEMBLE)
            else "A single network, no ensemble."
        )
    parts = [f"seeds {_series(one.seed for one in members)}"] if all(one.seed is not None for one in members) else []
    if all(one.epochs is not None for one in members):
        parts.append(f"{_series(one.epochs for one in members)} epochs")
    differs = tuple(dict.fromkeys(key for one in members for key in one.differs if not _is_text(key)))
    more = f" Members differ in {', '.join(differs)}." if differs else ""
    return f"An ensemble: the mean of {len(members)} networks ({'; '.join(parts)}).{more}"


def calibration_films(meta: BundleMeta) -> str:
    """The films that calibrator and operating points were fitted on, in words; empty if the bundle does not say."""
    if meta.sites:
        site = meta.sites[-1]
        return f"{site.films:,} films of {site.patients:,} patients of {site.site}"
    fold = meta.provenance.config.get("calibrated_out_of_fold")
    if isinstance(fold, dict) and "films" in fold and "folds" in fold:
        return f"out-of-fold predictions of {fold['films']:,} films in {fold['folds']} folds"
    return meta.operating_points[0].chosen_on if configuration(meta, "calibration") else ""


def calibration_sentence(meta: BundleMeta) -> str:
    """How logits become probabilities, and where that was fitted."""
    if meta.calibrator.temperature == 1 and not any(meta.calibrator.bias):
        return "Not calibrated: the network's own probabilities."
    scaling = f"a temperature of {meta.calibrator.temperature:.3g} and a bias per class"
    films = calibration_films(meta)
    if not films:
        return f"Calibrated with {scaling}; the bundle does not say on which films."
    if meta.sites:
        return f"Re-calibrated with {scaling} in total, last on {films}."
    return f"Calibrated with {scaling}, fitted on {films}."


def site_sentences(meta: BundleMeta) -> tuple[str, ...]:
    """The re-calibrations since the training, in their order."""
    return tuple(
        f"Re-calibrated on {one.films:,} films of {one.patients:,} patients of {one.site}"
        f"{f' by {one.by}' if one.by else ''} ({one.created[:10]}): calibration, operating points and quality-control "
        "thresholds may differ from the training's; the network's weights are the same."
        for one in meta.sites
    )


def split_sentence(meta: BundleMeta) -> str | None:
    """How many films each part held and how they were divided, as far as the configuration says."""
    provenance, data = meta.provenance, configuration(meta, "data")
    parts = [f"{provenance.films[key]:,} {word}" for key, word in _PARTS if key in provenance.films]
    if not parts:
        return None
    told = [f"Films: {', '.join(parts)}."]
    if data.get("keep_official"):
        told.append("The data set's own test part was kept.")
    if data.get("clusters"):
        told.append(f"Whole acquisition clusters were held out ({data['clusters']} clusters).")
    if data.get("folds"):
        told.append(f"Fold {data.get('fold', 0)} of {data['folds']} was held out.")
    shares = data.get("fractions")
    if isinstance(shares, list | tuple):
        told.append(f"Fractions asked for: {' / '.join(f'{x:g}' for x in shares)}.")
    if "split_seed" in data:
        told.append(f"Split seed {data['split_seed']}.")
    if provenance.split_sha256:
        told.append(f"Split sha256 {provenance.split_sha256[:16]}.")
    return " ".join(told)


def _count_unlabelled(note: dict[str, Any]) -> int:
    """Of a run's or member's note; bundles before 0.4 call these films guests."""
    for key in ("unlabelled", "guests"):
        found = note.get(key)
        if isinstance(found, dict):
            return _whole(found.get("films")) or 0
    return 0


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_text(key: str) -> bool:
    """Words about the data, which say the same as the films do."""
    return key.rpartition(".")[2] in {"description", "licence", "citation"}


def _series(values: Any) -> str:
    """``0, 2 and 5``."""
    *rest, last = [str(value) for value in values]
    return f"{', '.join(rest)} and {last}" if rest else last
