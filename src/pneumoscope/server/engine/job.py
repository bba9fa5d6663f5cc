"""One film read: the settings asked for, what is kept, the outcome."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from pneumoscope import __version__
from pneumoscope.errors import FilmError
from pneumoscope.films.load import load
from pneumoscope.films.sniff import sniff
from pneumoscope.quality.measures import input_statistics
from pneumoscope.reports.overlay import thumbnail_jpeg
from pneumoscope.server.intake.deidentify import deidentify, strip_metadata
from pneumoscope.server.intake.upload import anonymous_name
from pneumoscope.server.store.records import Examination
from pneumoscope.types.radiograph import FilmInfo
from pneumoscope.types.reading import ModelRef, Reading, Refusal, Software

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.model.reader import Reader
    from pneumoscope.server.config import WebConfig
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["Choice", "Film", "Outcome", "Privacy", "read_film"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person may choose; None is the bundle's own.

    Attributes:
        bundle: Name of a shipped or imported one; None for the one in use.
        preset: The operating point.
        coverage: Of the pattern's prediction set.
        mend: Whether turned, inverted and tilted films and wide borders are put right.
        force: Read what the gate refuses too.
    """

    bundle: str | None = None
    preset: str | None = None
    coverage: float | None = None
    mend: bool = True
    force: bool = False

    @property
    def key(self) -> str:
        """What the worklist tells readings of one bundle and preset apart by; empty if nothing else was chosen."""
        parts = [] if self.coverage is None else [f"coverage={self.coverage:g}"]
        return " ".join(parts if self.mend else [*parts, "mend=false"])


_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Privacy:
    """What may be kept of a film.

    Attributes:
        secret: Key for the hashes of UIDs.
        identity: DICOM files are kept as they came.
        names: Films may be called by the names of their files.
    """

    secret: bytes = field(repr=False)
    identity: bool = False
    names: bool = True

    @classmethod
    def of(cls, config: WebConfig, secret: bytes) -> Privacy:
        """As the settings say."""
        return cls(secret, config.keep_identity, config.keep_names)


@dataclass(frozen=True, slots=True)
class Film:
    """A film on its way.

    Attributes:
        read: Gives its bytes, in the worker's thread.
        name: What it was called, or is called in the worklist.
        sha256: Of a film out of the worklist: of the bytes that were received once. Its name stays.
    """

    read: Callable[[], bytes]
    name: str
    sha256: str | None = None

    @classmethod
    def of(cls, data: bytes, name: str) -> Film:
        """A film that lies in memory."""
        return cls(lambda: data, name)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a film.

    Attributes:
        reading: Of which ``film.path`` is the film's name and ``film.sha256`` of the bytes received.
        radiograph: The film; None if it could not be decoded.
        kept: What may be kept of its bytes; empty if it could not be decoded.
        examination: Which study and patient it is of; empty where nothing told.
        statistics: Of ``gate.statistics``; empty if it could not be decoded.
        thumbnail: JPEG; empty if it could not be decoded.
        seconds: That it took, without waiting.
    """

    reading: Reading
    radiograph: Radiograph | None
    kept: bytes
    examination: Examination
    statistics: dict[str, float]
    thumbnail: bytes
    seconds: float


def read_film(film: Film, reader: Reader, privacy: Privacy) -> Outcome:
    """Read a film, all the way. A film that cannot be read gives a refused reading.

    Raises:
        BundleError: The bundle cannot be used.
    """
    start = time.perf_counter()
    data = film.read()
    digest = film.sha256 or sha256(data).hexdigest()
    try:
        radiograph = load(data, name=film.name, max_pixels=reader.settings.max_pixels)
    except FilmError as error:
        own_name = film.sha256 or (privacy.names and sniff(data) != "DICOM")
        name = film.name if own_name else anonymous_name(digest, {})
        reading = _refused(error, FilmInfo(path=name, sha256=digest), reader.model)
        return Outcome(reading, None, b"", Examination(), {}, b"", time.perf_counter() - start)
    own_name = film.sha256 or (privacy.names and (privacy.identity or radiograph.info.format != "DICOM"))
    name = film.name if own_name else anonymous_name(digest, radiograph.facts)
    radiograph = replace(radiograph, info=replace(radiograph.info, path=name, sha256=digest))
    kept, examination, warnings = (b"", Examination(), ()) if film.sha256 else _keep(data, radiograph, privacy)
    radiograph = replace(radiograph, warnings=radiograph.warnings + warnings)
    reading = reader.read_radiograph(radiograph)
    return Outcome(
        reading,
        radiograph,
        kept,
        examination,
        input_statistics(radiograph),
        thumbnail_jpeg(radiograph),
        time.perf_counter() - start,
    )


def _keep(data: bytes, film: Radiograph, privacy: Privacy) -> tuple[bytes, Examination, tuple[str, ...]]:
    """What may be kept, which examination it is of, and what a person should know of it."""
    if film.info.format != "DICOM":
        return strip_metadata(data, film), Examination(), ()
    try:
        pixels = film.rows * film.columns
        bare = deidentify(data, secret=privacy.secret, max_pixels=pixels, keep_identity=privacy.identity)
    except Exception:  # noqa: BLE001 - whatever a foreign file makes pydicom say
        # Identity that cannot be taken out is not kept.
        _LOG.exception("the identity of a film cannot be removed; it is not kept")
        warning = "the patient's identity cannot be taken out of the file: the film was read but not kept"
        return b"", Examination(), (warning,)
    return (data if privacy.identity else bare.data), bare.examination, ()


def _refused(error: FilmError, film: FilmInfo, model: ModelRef) -> Reading:
    refusal = Refusal(code=error.code, reason=error.what, remedy=error.remedy)
    software = Software(name="pneumoscope", version=__version__)
    return Reading(film=film, status="refused", software=software, model=model, refusal=refusal)
