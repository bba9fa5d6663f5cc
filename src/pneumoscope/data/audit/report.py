"""The audit as data: what audit.json holds, field by field."""

from __future__ import annotations

from typing import Any

import msgspec

from pneumoscope.settings import NOTICE

__all__ = [
    "AucEstimate",
    "AuditReport",
    "ClassCount",
    "Cluster",
    "Clusters",
    "CrossingPatient",
    "DuplicateGroup",
    "FeatureAuc",
    "FileKind",
    "FilmNote",
    "GroupAuc",
    "ImageModel",
    "ImageSizes",
    "LabelNoise",
    "Leaks",
    "Shortcuts",
    "SiteShortcut",
    "Suspect",
    "report_schema",
]


class AucEstimate(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval, on so many films."""

    value: float
    low: float
    high: float
    films: int


class SiteShortcut(msgspec.Struct, frozen=True):
    """How well a site can be told from the others by how its films were made.

    Attributes:
        site: Its name.
        films: Number of films.
        finding: How many of them have the finding.
        auc: Among films without the finding alone, so that the label plays no part; None where that cannot be asked.
        with_finding: Likewise among films with it.
    """

    site: str
    films: int
    finding: int
    auc: AucEstimate | None
    with_finding: AucEstimate | None


class ClassCount(msgspec.Struct, frozen=True):
    """Films of one class in one part and of one source; part "" is no part."""

    label: str
    part: str
    source: str
    films: int
    patients: int


class FileKind(msgspec.Struct, frozen=True):
    """Films that were stored alike, and how many of each class."""

    mode: str
    bit_depth: int
    films: int
    by_class: dict[str, int]


class ImageSizes(msgspec.Struct, frozen=True):
    """Least, median and greatest height and width, in pixels."""

    rows: tuple[int, int, int]
    columns: tuple[int, int, int]


class FilmNote(msgspec.Struct, frozen=True):
    """A film and what is odd or wrong about it."""

    path: str
    what: str


class DuplicateGroup(msgspec.Struct, frozen=True):
    """Films that are one picture.

    ``how`` is "bytes" (the same file) or "picture" (a near copy); ``correlation`` is that of the least alike link of
    near copies. ``crosses``: they lie in several parts. ``conflict``: they have several labels.
    """

    how: str
    paths: list[str]
    labels: list[str]
    parts: list[str]
    patients: list[str]
    crosses: bool
    conflict: bool
    correlation: float | None = None
    mirrored: bool = False


class CrossingPatient(msgspec.Struct, frozen=True):
    """A patient with films in several parts."""

    patient: str
    films: dict[str, int]


class Leaks(msgspec.Struct, frozen=True):
    """What lies on both sides of a split; groups of copies, and patients. Not ``known``: the films have no parts."""

    known: bool
    found: bool
    exact_copies: int
    near_copies: int
    patients: int
    crossing: list[CrossingPatient]


class FeatureAuc(msgspec.Struct, frozen=True):
    """One acquisition feature: its AUC alone (0.5 or more; higher in the finding or lower), and its median by class."""

    name: str
    group: str
    words: str
    auc: float
    higher: bool
    medians: dict[str, float]


class GroupAuc(msgspec.Struct, frozen=True):
    """A group of features: the AUC of a classifier that sees only them, and what the whole loses without them.

    ``alone`` is null where all films are alike in them. ``drop`` is the fall of the AUC of the classifier on all
    features when this group's values are exchanged between the held-out films.
    """

    name: str
    alone: AucEstimate | None
    drop: float


class ImageModel(msgspec.Struct, frozen=True):
    """Whose out-of-fold probabilities stand beside the shortcut's: "quick", "predictions" or "bundle"."""

    kind: str
    words: str
    auc: AucEstimate | None
    out_of_fold: bool


class Shortcuts(msgspec.Struct, frozen=True):
    """How well the label can be told from how a film was made; ``why_not`` says why that could not be asked.

    ``auc`` is from all features, ``strict`` from those that hardly see disease (size, coding, borders, markers),
    ``no_pixels`` from the header and size of the file.
    """

    classifier: str
    folds: int
    task: str
    auc: AucEstimate | None
    strict: AucEstimate | None
    no_pixels: AucEstimate | None
    pattern: AucEstimate | None
    pattern_task: str
    groups: list[GroupAuc]
    features: list[FeatureAuc]
    verdict: str
    why_not: str = ""


class Cluster(msgspec.Struct, frozen=True):
    """Films made alike: how many of each class, what sets them apart, and the image model's AUC among them."""

    number: int
    films: int
    by_class: dict[str, int]
    traits: list[str]
    image_auc: AucEstimate | None
    example: str


class Clusters(msgspec.Struct, frozen=True):
    """The clusters of the acquisition features; ``association`` of cluster and class is Cramer's V, 0 to 1."""

    k: int
    association: float
    clusters: list[Cluster]
    why_not: str = ""


class Suspect(msgspec.Struct, frozen=True):
    """A film whose label is probably wrong, with out-of-fold probabilities of its label and of the suggested one."""

    path: str
    label: str
    suggested: str
    p_label: float
    p_suggested: float


class LabelNoise(msgspec.Struct, frozen=True):
    """Likely mislabelled films at one level ("finding" or "classes"), the least plausible label first.

    ``joint`` estimates how many films of each given label (rows) truly are of each class (columns).
    """

    level: str
    classes: list[str]
    films: int
    joint: list[list[float]]
    suspects: list[Suspect]
    why_not: str = ""


class AuditReport(msgspec.Struct, frozen=True):
    """All findings of an audit.

    ``network_sites`` is how well sites can be told by the features of the bundle that ``network`` names.
    """

    data: str
    manifest_sha256: str
    films: int
    patients: int
    classes: list[str]
    positive: list[str]
    parts: list[str]
    split: str
    counts: list[ClassCount]
    balance: float
    problems: list[FilmNote]
    kinds: list[FileKind]
    sizes: ImageSizes
    odd: list[FilmNote]
    copies: list[DuplicateGroup]
    mixed_patients: int
    leaks: Leaks
    shortcuts: Shortcuts
    image_model: ImageModel
    clusters: Clusters
    label_noise: list[LabelNoise]
    seconds: dict[str, float]
    software: str
    created: str
    format: int = 1
    notice: str = NOTICE
    sites: list[SiteShortcut] = []
    network: str = ""
    network_sites: list[SiteShortcut] = []


def report_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of ``audit.json``."""
    return msgspec.json.schema(AuditReport)
