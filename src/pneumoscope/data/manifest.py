"""The manifest: films and labels of a data set."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pneumoscope.data.labels import allowed_classes, binary_label, canonical_label, is_negative, leaf_classes
from pneumoscope.data.passengers import passenger_sentences
from pneumoscope.data.patients import patient_notes
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.storage import open_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["FilmRow", "Manifest", "Site", "is_manifest", "manifest_hash"]

_METADATA_KEY = b"pneumoscope.manifest"
_FORMAT = 3
_SINCE = {"site": 2, "boxes": 2, "patient_from": 3}
"""Columns that older formats do not have."""

_REMAKE = "Make it again with: pneumoscope manifest DATA --out FILE.parquet"


@dataclass(frozen=True, slots=True)
class FilmRow:
    """One film of a data set.

    Attributes:
        path: From the manifest's root, with forward slashes; absolute if it lies elsewhere. A film inside a
            MedMNIST file is ``file.npz#train/12``.
        sha256: Hex digest of the file's bytes (of the pixels, for a film inside an .npz file).
        label: The class, or a parent of classes ("pneumonia", where others are bacterial or viral).
        patient: Films of one child have one name; see ``pneumoscope.data.labels``.
        source: As the table told it (the hospital, say); else the name of the layout that it was found by.
        width: In pixels, after EXIF orientation.
        height: In pixels, likewise.
        mode: How the file stores its pixels, in Pillow's words ("L", "RGB", "I;16"); gray DICOM as "L" or "I;16".
        part: The set's own split ("train", "val", "test"), or None.
        age: As the table told it.
        sex: As the table told it.
        view: As the table told it ("PA", "AP", "lateral").
        site: The data set that the film is of; "" in a manifest of format 1.
        boxes: What a reader drew around findings: "x y width height" as shares of the film's width and height, several
            with a semicolon between them; None if nobody drew any.
        patient_from: Where the patient comes from ("table", "dicom", "name", "folder" ...; "none" where nothing
            tells it: the film counts as a patient of its own); see ``patients.PATIENT_SOURCES``. "" before format 3.
    """

    path: str
    sha256: str
    label: str
    patient: str
    source: str
    width: int
    height: int
    mode: str
    part: str | None = None
    age: str | None = None
    sex: str | None = None
    view: str | None = None
    site: str = ""
    boxes: str | None = None
    patient_from: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """One of the data sets that a manifest was joined from.

    Attributes:
        folder: Where its films start, from the manifest's root; "." for the root itself.
        description: What the films are, and whose.
        licence: Under which they may be used.
        citation: How to cite them.
    """

    folder: str = "."
    description: str = ""
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True)
class Manifest:
    """The films of a data set, in the order of their paths as ``scan`` leaves them.

    Attributes:
        films: One row for each film that can be read.
        root: The folder that the paths start from.
        problems: What was left out, as (path, reason).
        sites: What is known of each site, by its name; empty if nothing is.
        negative: The class without the finding; "" where its name says so.
        notes: What a person should know of how the films were found, each a sentence.
        passed: Files that are no films, by kind ("mask") or suffix (".txt").
    """

    films: Sequence[FilmRow]
    root: Path
    problems: list[tuple[str, str]] = field(default_factory=list)
    sites: Mapping[str, Site] = field(default_factory=dict)
    negative: str = ""
    notes: Sequence[str] = ()
    passed: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.films)

    def __repr__(self) -> str:
        """In one line."""
        counts = ", ".join(f"{count} {name}" for name, count in self.counts().items())
        return f"<Manifest of {len(self)} films of {len(self.patients)} patients: {counts}>"

    def _repr_html_(self) -> str:
        """As a notebook shows it: films and patients of each label."""
        rows = [
            (name, f"{count:,}", f"{len({film.patient for film in self.films if film.label == name}):,}")
            for name, count in self.counts().items()
        ]
        head = "".join(f"<th>{escape(name)}</th>" for name in ("label", "films", "patients"))
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes: negative first, then bacterial, viral, then the alphabet. No parent of classes is among them."""
        classes = leaf_classes(film.label for film in self.films)
        if self.negative not in classes:
            return classes
        return (self.negative, *(name for name in classes if name != self.negative))

    @cached_property
    def positive(self) -> tuple[bool, ...]:
        """For each class, whether it is a finding. All True if no class is named like a negative one."""
        if self.negative:
            return tuple(name != self.negative for name in self.classes)
        return tuple(not is_negative(name, self.classes) for name in self.classes)

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """int64 [N]: for each film the index of its class; -1 where the label leaves several open (``allowed``)."""
        index = {name: number for number, name in enumerate(self.classes)}
        return np.fromiter((index.get(film.label, -1) for film in self.films), dtype=np.int64, count=len(self.films))

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """Bool [N, C]: the classes that each film may be of; one, unless its label is a parent of classes."""
        rows = {label: allowed_classes(label, self.classes) for label in {film.label for film in self.films}}
        found = np.array([rows[film.label] for film in self.films], dtype=np.bool_)
        return found.reshape(len(self.films), len(self.classes))

    @property
    def labels(self) -> NDArray[np.int64] | NDArray[np.bool_]:
        """``targets`` where each film is of one class, else ``allowed``: what learning and figures take."""
        return self.allowed if self.partial else self.targets

    @cached_property
    def finding(self) -> NDArray[np.bool_]:
        """Bool [N]: whether each film has the finding; known of partial labels too."""
        return np.asarray((self.allowed & np.array(self.positive, dtype=np.bool_)).any(axis=1))

    @property
    def partial(self) -> bool:
        """Whether some film's label leaves its class open."""
        return bool((self.targets < 0).any())

    @cached_property
    def site_names(self) -> tuple[str, ...]:
        """The sites that films are of, sorted."""
        return tuple(sorted({film.site for film in self.films}))

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """The patients, sorted."""
        return tuple(sorted({film.patient for film in self.films}))

    @cached_property
    def patient_sources(self) -> dict[str, int]:
        """Films by where their patient comes from."""
        return dict(Counter(film.patient_from for film in self.films if film.patient_from))

    @property
    def remarks(self) -> list[str]:
        """What a person should know of patients, classes and what is no film, each a sentence."""
        remarks = [*patient_notes(self.patient_sources), *self.notes, *passenger_sentences(self.passed)]
        if self.classes and all(self.positive):
            remarks.append(
                f"none of the classes {', '.join(self.classes[:9])} is named like a normal one, so that every class "
                "would count as the finding: name it with --negative CLASS, or --label LABEL=normal"
            )
        return remarks

    @cached_property
    def sha256(self) -> str:
        """Hash over (path, sha256, label, patient); neither the roots of the sites nor the order matters."""
        return manifest_hash(self.films, self.sites)

    def with_task(self, labels: Literal["pattern", "binary"], negative: str = "") -> Manifest:
        """The films with the labels that a task asks for; the manifest itself if they are so already.

        Args:
            labels: "pattern" keeps the labels; "binary" takes bacterial and viral for "pneumonia".
            negative: The class without the finding; "" leaves it as it is.

        Raises:
            DatasetError: Binary labels are asked for, and there are other findings; or no class has that name.
        """
        films, named = self.films, canonical_label(negative) if negative else self.negative
        if labels == "binary" and any(film.label != binary_label(film.label) for film in films):
            films = tuple(replace(film, label=binary_label(film.label)) for film in films)
        found = self if films is self.films and named == self.negative else replace(self, films=films, negative=named)
        if labels == "binary" and len(found.classes) > 2:
            raise DatasetError(
                f"binary labels are two, but there are {len(found.classes)} classes: {', '.join(found.classes[:9])}",
                where=self.root,
                remedy="Ask for pattern labels, which take all classes as they are",
            )
        if negative and named not in found.classes:
            raise DatasetError(
                f"no film is of the class {named!r}, which is to be the one without the finding",
                where="data.negative",
                remedy=f"Name one of: {', '.join(found.classes)}",
            )
        return found

    def counts(self) -> dict[str, int]:
        """Films of each class, then of each label that leaves the class open."""
        numbers = Counter(film.label for film in self.films)
        return {name: numbers[name] for name in (*self.classes, *sorted(set(numbers) - set(self.classes)))}

    def save(self, path: str | PathLike[str]) -> None:
        """Write as Parquet; the file's metadata holds the hash, the classes, the root and the problems.

        Raises:
            MissingExtra: pyarrow is not installed.
            StorageError: The disk is full or the folder cannot be written.
        """
        pa, pq = _arrow()
        names = [column.name for column in fields(FilmRow)]
        kinds = {"width": pa.int32(), "height": pa.int32()}
        table = pa.table(
            [pa.array([getattr(f, name) for f in self.films], type=kinds.get(name, pa.string())) for name in names],
            names=names,
        )
        about = {
            "format": _FORMAT,
            "sha256": self.sha256,
            "classes": self.classes,
            "root": str(self.root),
            "problems": self.problems,
            "negative": self.negative,
            "sites": {name: asdict(site) for name, site in self.sites.items()},
            "notes": list(self.notes),
            "passed": dict(self.passed),
        }
        with open_atomically(path) as file:
            pq.write_table(table.replace_schema_metadata({_METADATA_KEY: json.dumps(about).encode()}), file)

    @classmethod
    def load(cls, path: str | PathLike[str], root: str | PathLike[str] | None = None) -> Manifest:
        """Read what ``save`` wrote.

        Args:
            path: The Parquet file.
            root: Where the films are now, if they moved.

        Raises:
            DatasetError: The file is missing, no manifest, of a newer format, or was changed.
            MissingExtra: pyarrow is not installed.
        """
        pa, pq = _arrow()
        try:
            table = pq.read_table(Path(path))
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise DatasetError(f"the manifest cannot be read ({reason})", where=path, remedy=_REMAKE) from error
        about: dict[str, Any] | None = json.loads((table.schema.metadata or {}).get(_METADATA_KEY, b"null"))
        if about is None:
            raise DatasetError("this Parquet file is no manifest", where=path, remedy=_REMAKE)
        if about["format"] > _FORMAT:
            raise DatasetError(
                f"the manifest has format {about['format']}, and this pneumoscope knows {_FORMAT}",
                where=path,
                remedy="Upgrade with: pip install --upgrade pneumoscope",
            )
        names = [column.name for column in fields(FilmRow) if _SINCE.get(column.name, 1) <= about["format"]]
        values = [table.column(name).to_pylist() for name in names]
        films = tuple(FilmRow(**dict(zip(names, row, strict=True))) for row in zip(*values, strict=True))
        sites = {name: Site(**known) for name, known in about.get("sites", {}).items()}
        problems = [tuple(p) for p in about["problems"]]
        root = Path(about["root"] if root is None else root)
        told = {"notes": tuple(about.get("notes", ())), "passed": about.get("passed", {})}
        manifest = cls(films, root, problems, sites, about.get("negative", ""), **told)
        if manifest.sha256 != about["sha256"]:
            raise DatasetError("the manifest is not as it was written", where=path, remedy=_REMAKE)
        return manifest


def is_manifest(path: str | PathLike[str]) -> bool:
    """Whether a file is what ``Manifest.save`` wrote, and not just any table."""
    pa, pq = _arrow()
    try:
        return _METADATA_KEY in (pq.read_schema(Path(path)).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def manifest_hash(films: Sequence[FilmRow], sites: Mapping[str, Site] | None = None) -> str:
    """Hash over the sorted (path, sha256, label, patient) of the films.

    Where sites lie in folders of their own, a path starts from its site's folder, and the site's name stands before it.
    """
    heads = {name: f"{site.folder}/" for name, site in (sites or {}).items() if site.folder != "."}

    def place(film: FilmRow) -> str:
        head = heads.get(film.site)
        return film.path if head is None else f"{film.site}:{film.path.removeprefix(head)}"

    digest = sha256()
    for key in sorted((place(film), film.sha256, film.label, film.patient) for film in films):
        digest.update(json.dumps(key).encode())
    return digest.hexdigest()


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - heavy, and only learning needs it
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="train", needed_for="a manifest") from error
    return pa, pq
