"""Whose film it is: what names of files and folders, DICOM headers and tables tell of patients.

A patient on both sides of a split makes a figure too good; two patients taken for one only make a
split a little less even. So every doubt is decided towards one patient:

- ``person63_bacteria_306`` and ``person63_virus_121``: the number after "person" runs anew for bacteria
  and virus in parts of the public set and does not in others, and nobody has said which. The same
  number is the same child, over both patterns and over the official train, val and test.
- ``IM-0115-0001``, ``NORMAL2-IM-0385-0001``, ``IM-0439-0001-0002``: the first number after "IM" is the
  study. Whether "NORMAL2" starts a second numbering or goes on with the first is not known either:
  the same number is the same child over both prefixes.
- Names of other known sets are in ``_NAMES``.
- Folders below a class that look like one a patient are one patient each, over all classes.
- Films with the same bytes are of one child, whatever their names and classes say; their patients are joined.
- Any other name tells nothing: each film is its own patient, and that is said (``patient_notes``).

The numbers of "personN" and "IM-N" are never taken for each other: the first are of PNEUMONIA and the
second of NORMAL films, and joining them would tie unrelated children of different classes together.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from statistics import median
from typing import TYPE_CHECKING

from pneumoscope.errors import StorageError, UsageError
from pneumoscope.settings import Settings
from pneumoscope.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pneumoscope.films.dicom_metadata import DicomIdentity

__all__ = [
    "PATIENT_SOURCES",
    "DicomPatient",
    "PatientPattern",
    "dicom_patient",
    "folder_patients",
    "join_patients",
    "patient_key",
    "patient_notes",
    "patient_of",
]

PATIENT_SOURCES = {
    "pattern": "the pattern that was given",
    "table": "the table",
    "dicom": "the DICOM headers (as keyed hashes)",
    "study": "the study in the DICOM headers (as keyed hashes)",
    "name": "the file names",
    "folder": "a folder a patient",
    "none": "nothing",
}
"""Where a film's patient comes from, and that in words."""

_PERSON = re.compile(r"^person(\d+)(?:_|$)", re.IGNORECASE)
_IM = re.compile(r"^(?:NORMAL\d*-)?IM-(\d+)(?:-\d+)+$", re.IGNORECASE)
_NAMES = (
    # NIH ChestX-ray14 (Wang et al., CVPR 2017): patient_follow-up; the table writes the number without zeros
    (re.compile(r"^0*(\d{1,8})_\d{3}$"), "{0}", 12),
    # Guangzhou, third version on Mendeley Data: class-patient-film
    (re.compile(r"^(?:BACTERIA|VIRUS|NORMAL)-(\d+)-\d+$", re.IGNORECASE), "guangzhou-{0}", 0),
    # BIMCV-COVID19 and other sets in BIDS
    (re.compile(r"^(sub-[A-Za-z0-9]+)_", re.IGNORECASE), "{0}", 0),
    # PadChest: the first number is the study's
    (re.compile(r"^(\d{30,})_"), "study-{0}", 0),
    # Indiana University (OpenI)
    (re.compile(r"^(CXR\d+)(?:_\d+)?_IM-\d+", re.IGNORECASE), "{0}", 0),
    # Montgomery County and Shenzhen
    (re.compile(r"^((?:MCUCXR|CHNCXR)_\d+)_[01](?:_\d+)?$", re.IGNORECASE), "{0}", 0),
    # JSRT
    (re.compile(r"^(JPC[LN]N\d{3})$", re.IGNORECASE), "{0}", 0),
    # what people call their own films
    (re.compile(r"^((?:patient|subject|subj|pat|pt|pid|case)[-_ ]?\d+)(?:[-_ .]|$)", re.IGNORECASE), "{0}", 0),
)
"""Names of films of known sets: pattern, patient, and the least length of the name (without the suffix)."""

_FOLDERS = (
    re.compile(r"^(patient\d+)$", re.IGNORECASE),  # CheXpert: patient00001/study1/view1_frontal.jpg
    re.compile(r"^(p\d{8})$"),  # MIMIC-CXR: p10/p10000032/s50414267/...
    re.compile(r"^(sub-[A-Za-z0-9]+)$", re.IGNORECASE),  # BIDS
)

_WRAPPERS = re.compile(
    r"(?:images?|imgs?|films?|png|jpe?g|dicoms?|dcm|x-?rays?|cxr|data|originals?|raw|processed)", re.IGNORECASE
)
_NOT_A_PATIENT = re.compile(
    r"(?:batch|part|fold|set|split|group|site|hospital|view|year|v|ver|version|rev|vol|volume|dataset|series|study|session|"
    r"visit|exam|train|test|val|level|grade|class|type|week|month|day|page|disk|cd|dvd|camera|scanner|machine)"
    r"[\s_\-.]*\d*[a-z]?|(?:19|20)\d\d(?:[-_.]?\d\d){0,2}",
    re.IGNORECASE,
)
_LIKE_A_PATIENT = re.compile(r"(?:[a-z]{0,12}[\s_\-.#]*)?\d+(?:[\s_\-.]?[a-z0-9]+)*|[0-9a-f\-]{16,}|[\d.]{12,}", re.I)
_FEW_FILMS = 20  # of one patient, in the middle of the folders
_PLACEHOLDERS = re.compile(
    r"(?:0+|x+|-+|anon\w*|no ?name|none|null|n/?a|unknown|unbekannt|test|dummy|default|patient|patient ?id|id|removed|"
    r"deidentified|de-identified|pseudonym|12345|123456)?",
    re.IGNORECASE,
)
_KEY_BYTES = 32


def patient_of(path: str) -> str | None:
    """The patient that the name of a film of a known set tells: "person63", "IM-0115", "13"; None for other names."""
    place = PurePosixPath(path)
    stem = place.stem
    if match := _PERSON.match(stem):
        return f"person{int(match[1])}"
    if match := _IM.match(stem):
        return f"IM-{int(match[1]):04d}"
    for pattern, words, least in _NAMES:
        if len(stem) >= least and (match := pattern.match(stem)):
            return words.format(match[1])
    for folder in reversed(place.parts[:-1]):
        for pattern in _FOLDERS:
            if match := pattern.match(folder):
                return match[1]
    return None


class PatientPattern:
    """A regular expression that finds the patient in a film's path.

    The patient is the group ``patient``, else the first group, else all that was found.
    """

    def __init__(self, text: str) -> None:
        """Compile it.

        Raises:
            UsageError: It is no regular expression.
        """
        try:
            self._pattern = re.compile(text)
        except re.error as error:
            raise UsageError(
                f"the pattern of patients is no regular expression ({error})",
                where=text,
                remedy="Write one as Python takes it, like '(p\\d+)_'",
            ) from error

    def find(self, path: str) -> str | None:
        """The patient in a path with forward slashes; None where the pattern is not found."""
        match = self._pattern.search(path)
        if match is None:
            return None
        groups = match.groupdict()
        found = groups["patient"] if "patient" in groups else match[1] if match.re.groups else match[0]
        return found or None


def folder_patients(films: Sequence[tuple[str, int]]) -> list[str | None]:
    """The patient of each film by its folder, where the folders below the classes look like one a patient.

    They do if there are two or more with few films each, and their names look like numbers of patients, or there are
    many of them; and not if they are called like a batch, a year or a hospital's part.

    Args:
        films: Path of each film, with forward slashes, and how many of its folders are above the patient's.
    """
    folders = [_first_folder(PurePosixPath(path).parts[above:-1]) for path, above in films]
    counts = Counter(folder for folder in folders if folder is not None)
    names = [name for name in counts if not _NOT_A_PATIENT.fullmatch(name)]
    numbered = [name for name in names if _LIKE_A_PATIENT.fullmatch(name)]
    many = len(names) >= 5 and len(names) == len(counts)
    wanted = set(names) if many else set(numbered)
    if len(wanted) < 2 or len(wanted) < len(counts) / 2 or median(counts[name] for name in wanted) > _FEW_FILMS:
        return [None] * len(folders)
    return [folder if folder in wanted else None for folder in folders]


def _first_folder(parts: Sequence[str]) -> str | None:
    return next((part for part in parts if not _WRAPPERS.fullmatch(part)), None)


@dataclass(frozen=True, slots=True)
class DicomPatient:
    """Whose film a DICOM file is, as keyed hashes.

    Attributes:
        number: Of the PatientID, whoever issued it; None where the file tells none.
        issued: Of the PatientID with its issuer; None where it tells no issuer.
        study: Of the StudyInstanceUID.
    """

    number: str | None
    issued: str | None
    study: str | None


def dicom_patient(identity: DicomIdentity) -> DicomPatient | None:
    """The keyed hashes of what a header tells; None if it tells nothing. What stands for no name is none."""

    def kept(*words: str) -> str:
        return hmac.new(patient_key(), "\\".join(words).encode(), "sha256").hexdigest()[:20]

    number, issuer = identity.patient_id.strip(), identity.issuer.strip()
    if _PLACEHOLDERS.fullmatch(number):
        number = ""
    if not number and not identity.study:
        return None
    return DicomPatient(
        kept("patient", number) if number else None,
        kept("patient", issuer, number) if number and issuer else None,
        kept("study", identity.study) if identity.study else None,
    )


@lru_cache(maxsize=1)
def _key_in(path: Path) -> bytes:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = secrets.token_bytes(_KEY_BYTES)
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:  # another process was quicker
                return path.read_bytes()
            with os.fdopen(handle, "wb") as file:
                file.write(found)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(
            f"the key of patients cannot be read ({reason})", where=path, remedy="Set PNEUMOSCOPE_PATIENT_KEY to a file"
        ) from error
    return found


def patient_key() -> bytes:
    """The key that patients' numbers are hashed with: of this account on this machine; made when it is first needed.

    Raises:
        StorageError: It cannot be read or written.
    """
    return _key_in(Settings.from_environment().patient_key.expanduser())


def patient_notes(sources: Mapping[str, int]) -> list[str]:
    """What a person must know of where the patients come from, each a sentence.

    Args:
        sources: Films by where their patient comes from (``PATIENT_SOURCES``).
    """
    count, nobody = sum(sources.values()), sources.get("none", 0)
    notes = []
    if nobody:
        which = f"all {count}" if nobody == count else f"{nobody} of {count}"
        notes.append(
            f"PATIENTS ARE NOT KNOWN of {which} films: each of these counts as a patient of its own, so that films of "
            "one patient may lie on both sides of a split and make figures too good. Name them with --patient-pattern "
            "REGEX, a folder a patient, or a table with a column patient."
        )
    if sources.get("study"):
        notes.append(
            f"Of {sources['study']} films only the study is known: films of a patient's other studies may lie on the "
            "other side of a split."
        )
    return notes


def join_patients(
    films: Iterable[tuple[str, str | None, str]], also: Iterable[Sequence[str]] | None = None
) -> list[str]:
    """Name the patient of each film, and join the patients who share a film.

    Args:
        films: For each film its path, the patient that its table or name tells (or None), and its sha256.
        also: For each film what else tells its patient; patients who share one of these are joined, too.

    Returns:
        A patient for each film, in the same order. Patients that were joined take the name that sorts first.
    """
    films = list(films)
    # A node is (0, patient) or (1, path of a film without one), so that a named patient sorts first.
    nodes = [(1, path) if patient is None else (0, patient) for path, patient, _ in films]
    parent = {node: node for node in nodes}

    def find(node: tuple[int, str]) -> tuple[int, str]:
        while parent[node] != node:
            parent[node] = parent[parent[node]]  # halve the path as we go
            node = parent[node]
        return node

    first_with: dict[str, tuple[int, str]] = {}
    others = [()] * len(films) if also is None else list(also)
    for node, (_, _, digest), more in zip(nodes, films, others, strict=True):
        for key in (f"film {digest}", *more):
            here, there = find(node), find(first_with.setdefault(key, node))
            parent[max(here, there)] = min(here, there)
    return [name if named == 0 else f"film:{name}" for named, name in map(find, nodes)]
