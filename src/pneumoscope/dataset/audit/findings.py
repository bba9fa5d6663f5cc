"""What can be counted: classes and parts, copies, patients on both sides, kinds of files, odd films."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.audit.acquisition import feature_names
from pneumoscope.dataset.audit.duplicates import exact_copies, near_copies
from pneumoscope.dataset.audit.report import Copies, Count, Crossing, Kind, Leaks, Noted, Sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.dataset.audit.measured import Measured
    from pneumoscope.dataset.manifest import Manifest

__all__ = [
    "class_balance",
    "class_counts",
    "count_mixed_patients",
    "file_kinds",
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


def class_counts(manifest: Manifest, parts: Sequence[str]) -> list[Count]:
    """Films and patients by class, part and source."""
    films: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for film, target, part in zip(manifest.films, manifest.targets.tolist(), parts, strict=True):
        films[target, part, film.source].append(film.patient)
    return [
        Count(manifest.classes[target], part, source, len(patients), len(set(patients)))
        for (target, part, source), patients in sorted(films.items())
    ]


def class_balance(manifest: Manifest) -> float:
    """Films of the largest class for each film of the smallest."""
    found = manifest.counts().values()
    return max(found) / max(1, min(found))


def file_kinds(manifest: Manifest, measured: Measured) -> list[Kind]:
    """Films by mode and bit depth, the most frequent first."""
    depth = measured.features[:, feature_names().index("bit_depth")].astype(int).tolist()
    found: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for film, bits in zip(manifest.films, depth, strict=True):
        found[film.mode, bits][film.label] += 1
    rows = [Kind(mode, bits, labels.total(), dict(labels)) for (mode, bits), labels in found.items()]
    return sorted(rows, key=lambda kind: -kind.films)


def image_sizes(manifest: Manifest) -> Sizes:
    """Least, median and greatest height and width."""

    def three(values: list[int]) -> tuple[int, int, int]:
        return min(values), round(float(np.median(values))), max(values)

    return Sizes(three([film.height for film in manifest.films]), three([film.width for film in manifest.films]))


def find_duplicates(manifest: Manifest, measured: Measured, parts: Sequence[str]) -> list[Copies]:
    """Films that are one picture, byte for byte or nearly: those that cross parts first, then those that conflict."""
    digests = [film.sha256 for film in manifest.films]
    found = [_duplicates("bytes", group.tolist(), manifest, parts) for group in exact_copies(digests)]
    pairs = near_copies(digests, measured.thumbnails)
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
) -> Copies:
    films = [manifest.films[place] for place in places]
    theirs = [parts[place] for place in places]
    return Copies(
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


def find_leaks(manifest: Manifest, copies: Sequence[Copies], parts: Sequence[str]) -> Leaks:
    """What is on both sides of the split: copies, and patients."""
    films: dict[str, Counter[str]] = defaultdict(Counter)
    for film, part in zip(manifest.films, parts, strict=True):
        if part:
            films[film.patient][part] += 1
    crossing = [Crossing(patient, dict(theirs)) for patient, theirs in sorted(films.items()) if len(theirs) > 1]
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


def find_outliers(manifest: Manifest, measured: Measured) -> list[Noted]:
    """Films that differ from the others in kind: read with a warning, rare modes, small, even, or unlike the rest."""
    modes = Counter(film.mode for film in manifest.films)
    usual_mode, rare = modes.most_common(1)[0][0], max(_FEW, _RARE * len(manifest))
    usual = float(np.median([min(film.width, film.height) for film in manifest.films]))
    found: list[Noted] = []
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
            found.append(Noted(film.path, "; ".join(what)))
    return found


def _likeness(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Correlation of each film with the mean of all: float64 [N]."""
    films = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    films -= films.mean(axis=1, keepdims=True)
    films /= np.linalg.norm(films, axis=1, keepdims=True) + 1e-3
    mean = films.mean(axis=0)
    correlation: NDArray[np.float64] = (films @ (mean / (np.linalg.norm(mean) + 1e-9))).astype(np.float64)
    return correlation
