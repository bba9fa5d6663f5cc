"""Several data sets as one manifest: each is a site, and keeps its name, licence and citation."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pneumoscope.data.manifest import Manifest, Site, is_manifest
from pneumoscope.data.scan import scan
from pneumoscope.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pneumoscope.data.scan import ScanOptions

__all__ = ["join_sites", "scan_sites", "site_arguments"]


def site_arguments(given: Sequence[str]) -> dict[str, Path]:
    """The data sets of a command line by site: ``name=path``, or a path whose last part is the name.

    Raises:
        UsageError: Two sites have one name.
    """
    sites: dict[str, Path] = {}
    for text in given:
        head, equals, tail = text.partition("=")
        # A path may hold an equals sign; what exists as it stands is a path.
        named = bool(equals and head and tail) and "/" not in head and os.sep not in head and not Path(text).exists()
        path = Path(tail if named else text)
        name = head if named else path.absolute().stem
        if name in sites:
            raise UsageError(
                f"two data sets are called {name!r}", where=path, remedy="Name them: first=PATH second=PATH"
            )
        sites[name] = path
    return sites


def scan_sites(
    given: Mapping[str, Path],
    *,
    known: Mapping[str, Site] | None = None,
    source: str | None = None,
    labels: Literal["pattern", "binary"] = "pattern",
    limit: int | None = None,
    progress: bool = False,
    options: ScanOptions | None = None,
) -> Manifest:
    """One manifest of one or several data sets, each a site.

    Args:
        given: Folder, table, .npz file or saved manifest by site, as ``site_arguments`` gives them.
        known: Description, licence and citation by site.
        source: Layout of each; detected without it.
        labels: As in ``scan``.
        limit: Films of each data set at most.
        progress: Show bars.
        options: As in ``scan``.

    Raises:
        DatasetError: One is no data set, or their labels do not fit together.
    """
    found = {}
    for name, path in given.items():
        if path.suffix.lower() == ".parquet" and path.is_file() and is_manifest(path):
            found[name] = Manifest.load(path).with_task(labels)
        else:
            least = 1 if len(given) > 1 else 2
            found[name] = scan(
                path,
                source=source,
                labels=labels,
                progress=progress,
                limit=limit,
                site=name,
                least=least,
                options=options,
            )
    return join_sites(found, known)


def join_sites(manifests: Mapping[str, Manifest], known: Mapping[str, Site] | None = None) -> Manifest:
    """One manifest of the films of several sites.

    Paths start from the folder that holds all sites. A patient's name gets the site's before it; patients of two sites
    are one only where the sites share a film, byte for byte.

    Args:
        manifests: By site. One is given back as it is but for what is known of it.
        known: Description, licence and citation by site; their folders are found here.

    Raises:
        DatasetError: The labels do not fit together: no class is left that nothing else is a part of.
    """
    known = known or {}
    if len(manifests) == 1:
        ((name, only),) = manifests.items()
        sites = {site: replace(known[site], folder=".") for site in only.site_names if site in known}
        if name in known and name not in sites:
            sites[name] = replace(known[name], folder=".")
        return replace(only, sites={**only.sites, **sites})
    root = Path(os.path.commonpath([manifest.root for manifest in manifests.values()]))
    heads = {name: manifest.root.relative_to(root).as_posix() for name, manifest in manifests.items()}
    rows, problems = [], []
    for name, manifest in manifests.items():
        head = "" if heads[name] == "." else f"{heads[name]}/"
        rows += [
            replace(
                film,
                path=film.path if Path(film.path).is_absolute() else head + film.path,
                patient=f"{name}/{film.patient}",
                site=name,
            )
            for film in manifest.films
        ]
        problems += [(head + path, why) for path, why in manifest.problems]
    same = _same_patients([(film.patient, film.sha256) for film in rows])
    films = tuple(sorted((replace(film, patient=same[film.patient]) for film in rows), key=lambda film: film.path))
    sites = {name: replace(known.get(name, Site()), folder=heads[name]) for name in manifests}
    passed: Counter[str] = Counter()
    for manifest in manifests.values():
        passed.update(manifest.passed)
    notes = tuple(f"{name}: {note}" for name, manifest in manifests.items() for note in manifest.notes)
    negative = next((manifest.negative for manifest in manifests.values() if manifest.negative), "")
    joined = Manifest(films, root, sorted(problems), sites, negative, notes, dict(passed))
    if len(joined.classes) < 2:
        raise DatasetError(
            f"all films of these sites are {joined.classes[0] if joined.classes else 'missing'}",
            where=root,
            remedy="Give films of at least two classes",
        )
    return joined


def _same_patients(films: Sequence[tuple[str, str]]) -> dict[str, str]:
    """For each patient the first name (by the alphabet) of those that share films with them.

    Args:
        films: Patient and sha256 of each film.
    """
    parent = {patient: patient for patient, _ in films}

    def find(patient: str) -> str:
        while parent[patient] != patient:
            patient = parent[patient]
        return patient

    holders: dict[str, list[str]] = defaultdict(list)
    for patient, digest in films:
        holders[digest].append(patient)
    for group in holders.values():
        for other in group[1:]:
            first, second = find(group[0]), find(other)
            parent[max(first, second)] = min(first, second)
    return {patient: find(patient) for patient in parent}
