"""What can go wrong, as one tree. Every message says what happened, where, and what to do about it.

PneumoscopeError
├── UsageError            wrong arguments, an unknown preset                     exit 2
│   └── ConfigError       a config file with an unknown key or a wrong value     exit 2
├── MissingExtra          an optional part is not installed                      exit 2
├── FilmError             one film; others go on                                 exit 3
│   ├── UnreadableFilm    not a picture, empty, truncated, damaged
│   ├── UnsupportedFilm   a real file of a kind that is not read here
│   └── FilmTooLarge      more pixels than the limit (decompression bomb)
├── DatasetError          a folder that is no data set, a manifest that does not fit
├── BundleError           a model file that cannot be used                       exit 4
│   ├── NotABundle        some other file, or a foreign ONNX model
│   ├── BundleDamaged     the sha256 of the graph is not the one it was written with
│   └── BundleIncompatible  written by a newer pneumoscope
├── TrainingError         a run that cannot start, go on, or be resumed
├── SiteError             a site's films that no re-calibration can be made with    exit 6
├── WorklistError         something that the store of studies says no to
│   ├── NotFound          no such study, film, reading, user ...
│   ├── Conflict          the name is another's already
│   ├── WorklistIncompatible  a database of a newer pneumoscope
│   └── AuditLogTampered  the audit log is not as it was written                 exit 7
└── StorageError          a disk that is full or cannot be written               exit 5
    └── StorageFull       only the reserve is left: films are refused
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from os import PathLike

__all__ = [
    "AuditLogTampered",
    "BundleDamaged",
    "BundleError",
    "BundleIncompatible",
    "ConfigError",
    "Conflict",
    "DatasetError",
    "FilmError",
    "FilmTooLarge",
    "MissingExtra",
    "NotABundle",
    "NotFound",
    "PneumoscopeError",
    "SiteError",
    "StorageError",
    "StorageFull",
    "TrainingError",
    "UnreadableFilm",
    "UnsupportedFilm",
    "UsageError",
    "WorklistError",
    "WorklistIncompatible",
]


class PneumoscopeError(Exception):
    """The root: catch this to catch everything that pneumoscope raises on purpose.

    Args:
        what: What happened, one clause without a full stop ("the file is empty").
        where: The film, file, folder or key that it happened to.
        remedy: What the person can do, one sentence without a full stop.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str | PathLike[str] | None = None, remedy: str = "") -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        """One line: ``where: what. Remedy.``."""
        head = f"{self.where}: {self.what}." if self.where else f"{self.what}."
        return f"{head} {self.remedy}." if self.remedy else head

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip between processes (keyword arguments are lost by the default)."""
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[PneumoscopeError], what: str, where: str | None, remedy: str) -> PneumoscopeError:
    return kind(what, where=where, remedy=remedy)


class UsageError(PneumoscopeError):
    """The arguments do not make sense."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """A configuration has an unknown key or an impossible value."""

    code = "config"


class MissingExtra(PneumoscopeError):
    """An optional part is not installed; the message holds the line that installs it."""

    code = "missing-extra"
    exit_code = 2

    @classmethod
    def named(cls, package: str, *, extra: str, needed_for: str) -> MissingExtra:
        """Build the error for a ``package`` that the ``extra`` brings."""
        return cls(
            f"{needed_for} needs the package {package}, which is not installed",
            remedy=f"Install it with: pip install 'pneumoscope[{extra}]'",
        )


class FilmError(PneumoscopeError):
    """Something about one film. Reading goes on with the next."""

    code = "film"
    exit_code = 3


class UnreadableFilm(FilmError):
    """Not a picture, or a damaged one."""

    code = "unreadable"


class UnsupportedFilm(FilmError):
    """A sound file of a kind that is not read here."""

    code = "unsupported"


class FilmTooLarge(FilmError):
    """More pixels than the limit: a decompression bomb, or not a film."""

    code = "too-large"


class DatasetError(PneumoscopeError):
    """A folder or table that is no data set, or a manifest that does not fit its films."""

    code = "dataset"


class BundleError(PneumoscopeError):
    """A model file that cannot be used."""

    code = "bundle"
    exit_code = 4


class NotABundle(BundleError):
    """Some other file, or an ONNX model without our metadata."""

    code = "not-a-bundle"


class BundleDamaged(BundleError):
    """The bytes are not those that were written."""

    code = "bundle-damaged"


class BundleIncompatible(BundleError):
    """Written by a newer pneumoscope than this one."""

    code = "bundle-from-future"


class TrainingError(PneumoscopeError):
    """A run that cannot start, go on, or be resumed."""

    code = "training"


class SiteError(PneumoscopeError):
    """Films of a site that no re-calibration can be made with: too few, or the bundle does not rank them."""

    code = "site"
    exit_code = 6


class WorklistError(PneumoscopeError):
    """Something that the store of studies says no to."""

    code = "worklist"


class NotFound(WorklistError):
    """No such study, film, reading, user, token, bundle or blob."""

    code = "not-found"


class Conflict(WorklistError):
    """The name is another's already."""

    code = "taken"


class WorklistIncompatible(WorklistError):
    """The database was written by a newer pneumoscope than this one."""

    code = "worklist-from-future"


class AuditLogTampered(WorklistError):
    """A line of the audit log was changed or taken away."""

    code = "log-broken"
    exit_code = 7


class StorageError(PneumoscopeError):
    """A disk that is full, or a place that cannot be written."""

    code = "storage"
    exit_code = 5


class StorageFull(StorageError):
    """A disk on which only the reserve is left: films are refused, everything else goes on."""

    code = "disk-full"


class DeliveryError(PneumoscopeError):
    """A result could not be handed to another system (a FHIR server, an HL7 receiver)."""

    code: ClassVar[str] = "delivery"
