"""The reader: a bundle, ready to read films."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, TypeVar

from pneumoscope import __version__
from pneumoscope.errors import BundleIncompatible, FilmError, UsageError
from pneumoscope.films.load import load as load_film
from pneumoscope.lungs.segmentation import lung_segmenter
from pneumoscope.model.bundle import find_bundle, read_bundle
from pneumoscope.model.decide import (
    calibrated_probabilities,
    conformal_level,
    decide_finding,
    decide_pattern,
    operating_point,
)
from pneumoscope.model.evidence import finding_evidence
from pneumoscope.model.population import bundle_population
from pneumoscope.model.preprocess import prepare_film
from pneumoscope.model.report_context import make_report_context
from pneumoscope.model.session import Session
from pneumoscope.quality.checks import QualityResult, check_quality
from pneumoscope.quality.corrections import apply_corrections
from pneumoscope.quality.head import quality_head
from pneumoscope.quality.metadata import age_in_years, pattern_age_warning
from pneumoscope.settings import Settings
from pneumoscope.types.radiograph import FilmInfo
from pneumoscope.types.reading import ModelRef, Reading, Refusal, Software

__all__ = ["Reader", "load"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from pydicom.dataset import Dataset

    from pneumoscope.model.preprocess import PreprocessSpec
    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.report_context import ReportContext

    FilmSource: TypeAlias = str | PathLike[str] | bytes | Image | NDArray[np.generic]


_Result = TypeVar("_Result")
_LOG = logging.getLogger(__name__)
_SOFTWARE = Software(name="pneumoscope", version=__version__)


def load(
    model: str | PathLike[str] | None = None,
    *,
    preset: str | None = None,
    coverage: float | None = None,
    mend: bool = True,
    force: bool = False,
    settings: Settings | None = None,
) -> Reader:
    """Load a bundle.

        >>> reader = load()
        >>> reader.read("film.jpeg").finding.call
        'no pneumonia'

    Args:
        model: The name of a shipped bundle or a path; without it, ``settings.model``.
        preset: The operating point, "three-way", "screening" or "balanced"; without it, the bundle's default.
        coverage: Of the pattern's prediction set, 0.9 or 0.95; without it, the lowest of at least 0.9.
        mend: Whether turned, inverted and tilted films and wide borders are put right; else they are refused.
        force: Read what the gate refuses too, with a warning.
        settings: Of this machine; without them, from the environment.

    Raises:
        BundleError: There is no such bundle, or it cannot be used.
        UsageError: The bundle has no such preset or coverage.
    """
    settings = Settings.from_environment() if settings is None else settings
    path = find_bundle(fspath(model) if model is not None else settings.model)
    return Reader(path, preset=preset, coverage=coverage, mend=mend, force=force, settings=settings)


class Reader:
    """Reads films with one bundle at one operating point; safe to share between threads.

    Attributes:
        meta: All that the bundle says of itself.
        model: Its name, version and sha256, as they stand in each reading.
        point: The operating point that calls are made at, or the band of two thresholds.
        coverage: Of the pattern's prediction set, if one was asked for.
        mend: Whether films are put right before they are read.
        force: Whether films are read that the gate refuses.
        settings: Of this machine.
    """

    def __init__(
        self,
        path: Path,
        *,
        preset: str | None = None,
        coverage: float | None = None,
        mend: bool = True,
        force: bool = False,
        settings: Settings | None = None,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        graph, self.meta, sha256 = read_bundle(path)
        self.model = ModelRef(name=self.meta.name, version=self.meta.version, sha256=sha256)
        self.point = operating_point(self.meta, preset)
        conformal_level(self.meta, coverage)  # says no to an unknown one now, and not at the first film
        self.coverage = coverage
        self.mend, self.force = mend, force
        _check_lung_segmenter(self.meta.preprocess, path)
        _check_quality_head(self.meta, path)
        self._session = Session(graph, self.meta, where=path)

    def read(self, film: FilmSource, *, name: str | None = None) -> Reading:
        """Read one film: the whole path, in order.

        Args:
            film: A path, the bytes of a file, a PIL image, or an array [rows, columns] or [rows, columns, 3].
            name: What to call it in the reading; without it, its path or kind.

        Returns:
            The reading; a refused one, without a number, if the bundle has a gate and the film does not pass it.

        Raises:
            FilmError: The film cannot be read.
        """
        return self.read_radiograph(load_film(film, name=name, max_pixels=self.settings.max_pixels))

    def read_radiograph(self, radiograph: Radiograph) -> Reading:
        """Read a film that is decoded already; the rest of the path of ``read``."""
        meta = self.meta
        passed = self._admit(radiograph)
        if passed.refusal is not None:
            return self._refused(radiograph.info, passed.refusal)
        seen = prepare_film(passed.film, meta.preprocess, passed.lungs)  # uint8 [size, size], and where
        logits, maps = self._session.run(seen.pixels)  # float32 [C] and [C, h, w]
        probabilities = calibrated_probabilities(logits, meta.calibrator).tolist()
        finding = decide_finding(probabilities, meta, self.point)
        outside = bundle_population(meta, self.point.preset).covers(age_in_years(radiograph.facts)) is False
        if passed.forced or outside:
            finding = replace(finding, expected=None)  # what was seen on other films says nothing of this one
        return Reading(
            film=radiograph.info,
            status="read",
            software=_SOFTWARE,
            model=self.model,
            corrections=passed.corrections,
            forced=passed.forced,
            warnings=passed.warnings
            + radiograph.warnings
            + seen.warnings
            + ((meta.reference_note,) if meta.reference_class else ())
            + pattern_age_warning(radiograph.facts, meta.pattern_ages, [meta.class_names[i] for i in meta.positive]),
            probabilities=dict(zip(meta.class_names, probabilities, strict=True)),
            positive_classes=tuple(meta.class_names[i] for i in meta.positive),
            finding=finding,
            pattern=decide_pattern(probabilities, meta, called=finding.call == meta.finding, coverage=self.coverage),
            evidence=finding_evidence(maps, logits, meta, seen.frame, seen.lungs or passed.lungs),
        )

    def choosing(self, *, preset: str | None, coverage: float | None, mend: bool, force: bool) -> Reader:
        """A reader of the same bundle that decides otherwise; the loaded network is shared.

        Raises:
            UsageError: The bundle has no such preset or coverage.
        """
        other = copy(self)
        other.point = operating_point(self.meta, preset)
        conformal_level(self.meta, coverage)
        other.coverage, other.mend, other.force = coverage, mend, force
        return other

    def report_context(
        self,
        reading: Reading,
        film: Radiograph | None,
        *,
        source: bytes | None = None,
        header: Dataset | None = None,
        created: datetime | None = None,
        lungs: bool = False,
    ) -> ReportContext:
        """What reports of a reading are given.

        Args:
            reading: Of this bundle, read or refused.
            film: As it was read (``read_with_films``); None if it could not be decoded.
            source: The film's file, where it is DICOM.
            header: Its data set, where it is at hand; else it is read from the source.
            created: When the film was read; now, without it.
            lungs: Whether the lung fields are asked for, too; a refused film has none.
        """
        return make_report_context(
            self.meta,
            self.point.preset,
            reading,
            film,
            source=source,
            header=header,
            created=created,
            lungs=lungs,
        )

    def read_many(self, films: Iterable[FilmSource], *, batch: int | None = None) -> Iterator[Reading]:
        """Read films as a stream, in their order.

        Each film is read by one thread from its file to its reading, several films at a time. No more than a
        batch is in hand, however many films there are. A film that cannot be read gives a refused reading in
        its place.

        Args:
            films: As for ``read``; taken one by one, as they are needed.
            batch: Films in hand at once; without it, ``settings.batch``. It does not change a reading.

        Raises:
            UsageError: The batch is not 1 or more.
        """
        return self._stream(films, batch, self._read_or_refuse)

    def read_with_films(
        self, films: Iterable[FilmSource], *, batch: int | None = None
    ) -> Iterator[tuple[Reading, Radiograph | None]]:
        """``read_many``, with each film as it was read (corrected): what draws it need not decode it again.

        Yields:
            The reading and its film; of a film that cannot be decoded, None.
        """
        return self._stream(films, batch, self._read_with_film)

    def _stream(
        self, films: Iterable[FilmSource], batch: int | None, work: Callable[[FilmSource], _Result]
    ) -> Iterator[_Result]:
        batch = self.settings.batch if batch is None else batch
        if batch < 1:
            raise UsageError(f"the batch must be 1 film or more, not {batch}", where="batch", remedy="Give 16, say")
        return self._ordered(films, batch, work)

    def _ordered(
        self, films: Iterable[FilmSource], batch: int, work: Callable[[FilmSource], _Result]
    ) -> Iterator[_Result]:
        threads = min(batch, self.settings.cpu_threads())
        pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
        in_hand: deque[Future[_Result]] = deque()
        try:
            for film in films:
                if len(in_hand) == batch:
                    yield in_hand.popleft().result()
                in_hand.append(pool.submit(work, film))
            while in_hand:
                yield in_hand.popleft().result()
        finally:
            # Also when the caller stops taking: no film is read for nobody.
            pool.shutdown(cancel_futures=True)

    def _read_or_refuse(self, film: FilmSource) -> Reading:
        try:
            return self.read(film)
        except FilmError as error:
            return self.refuse(error, film)

    def _read_with_film(self, source: FilmSource) -> tuple[Reading, Radiograph | None]:
        try:
            film = load_film(source, max_pixels=self.settings.max_pixels)
            reading = self.read_radiograph(film)
        except FilmError as error:
            return self.refuse(error, source), None
        return reading, apply_corrections(film, reading.corrections)

    def _admit(self, film: Radiograph) -> QualityResult:
        """What the gate says of a film, if the bundle has a gate."""
        if self.meta.gate is None:
            return QualityResult(film)
        passed = check_quality(film, self.meta.gate, mend=self.mend)
        if passed.corrections:
            _LOG.info("%s: corrected: %s", film.info.path, ", ".join(map(str, passed.corrections)))
        if passed.refusal is None or not self.force:
            return passed
        warning = f"quality control refuses this film ({passed.refusal.code}: {passed.refusal.reason})"
        return replace(passed, refusal=None, forced=True, warnings=(warning, *passed.warnings))

    def refuse(self, error: FilmError, source: FilmSource) -> Reading:
        """The refused reading of a film that cannot be read."""
        name = fspath(source) if isinstance(source, str | PathLike) else error.where or type(source).__name__
        return self._refused(FilmInfo(path=name), Refusal(code=error.code, reason=error.what, remedy=error.remedy))

    def _refused(self, film: FilmInfo, refusal: Refusal) -> Reading:
        return Reading(film=film, status="refused", software=_SOFTWARE, model=self.model, refusal=refusal)


def _check_quality_head(meta: BundleMeta, path: Path) -> None:
    """Hold the gate's head to the one that the bundle's thresholds were chosen for.

    Raises:
        BundleIncompatible: It is another one.
    """
    if meta.gate is not None and meta.gate.head != quality_head().sha256:
        raise BundleIncompatible(
            "the bundle's gate has thresholds for another head than this pneumoscope has",
            where=path,
            remedy="Use the pneumoscope that the bundle was made with (its provenance says which)",
        )


def _check_lung_segmenter(spec: PreprocessSpec, path: Path) -> None:
    """Hold the lung-field network that frames today's films to the one that framed the training films.

    Raises:
        BundleIncompatible: It is another one.
    """
    if spec.frame == "lungs" and spec.lungs != lung_segmenter().sha256:
        raise BundleIncompatible(
            "the bundle was trained on films framed by another lung-field network than this pneumoscope has",
            where=path,
            remedy="Use the pneumoscope that the bundle was trained with (its provenance names it), or train it again",
        )
