"""The reading path, from a film to a Reading."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from os import PathLike, fspath
from typing import TYPE_CHECKING

from pneumoscope import __version__
from pneumoscope.bundle import find_bundle, read_bundle
from pneumoscope.domain.radiograph import FilmInfo
from pneumoscope.domain.reading import ModelRef, Reading, Refusal, Software
from pneumoscope.errors import BundleFromFuture, FilmError, UsageError
from pneumoscope.films import load as load_film
from pneumoscope.gate import Admission, admit, gate_head
from pneumoscope.lungs import lung_finder
from pneumoscope.preprocess import prepare
from pneumoscope.reading.calibrate import calibrate
from pneumoscope.reading.decide import conformal_level, decide_finding, decide_pattern, operating_point
from pneumoscope.reading.evidence import finding_evidence
from pneumoscope.reading.session import Session
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.preprocess import PreprocessSpec

    FilmSource: TypeAlias = str | PathLike[str] | bytes | Image | NDArray[np.generic]

__all__ = ["Reader", "load"]

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
        _same_lungs(self.meta.preprocess, path)
        _same_gate(self.meta, path)
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
        seen = prepare(passed.film, meta.preprocess, passed.lungs)  # uint8 [size, size], and where
        logits, maps = self._session.run(seen.pixels)  # float32 [C] and [C, h, w]
        probabilities = calibrate(logits, meta.calibrator).tolist()
        finding = decide_finding(probabilities, meta, self.point)
        return Reading(
            film=radiograph.info,
            status="read",
            software=_SOFTWARE,
            model=self.model,
            mended=passed.mended,
            warnings=passed.warnings + radiograph.warnings + seen.warnings,
            probabilities=dict(zip(meta.class_names, probabilities, strict=True)),
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
        batch = self.settings.batch if batch is None else batch
        if batch < 1:
            raise UsageError(f"the batch must be 1 film or more, not {batch}", where="batch", remedy="Give 16, say")
        return self._stream(films, batch)

    def _stream(self, films: Iterable[FilmSource], batch: int) -> Iterator[Reading]:
        threads = min(batch, self.settings.cpu_threads())
        pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
        in_hand: deque[Future[Reading]] = deque()
        try:
            for film in films:
                if len(in_hand) == batch:
                    yield in_hand.popleft().result()
                in_hand.append(pool.submit(self._read_or_refuse, film))
            while in_hand:
                yield in_hand.popleft().result()
        finally:
            # Also when the caller stops taking: no film is read for nobody.
            pool.shutdown(cancel_futures=True)

    def _read_or_refuse(self, film: FilmSource) -> Reading:
        try:
            return self.read(film)
        except FilmError as error:
            return self._refuse(error, film)

    def _admit(self, film: Radiograph) -> Admission:
        """What the gate says of a film, if the bundle has a gate."""
        if self.meta.gate is None:
            return Admission(film)
        passed = admit(film, self.meta.gate, mend=self.mend)
        if passed.mended:
            _LOG.info("%s: mended: %s", film.info.path, ", ".join(passed.mended))
        if passed.refusal is None or not self.force:
            return passed
        warning = f"forced: the gate refuses this film ({passed.refusal.code}: {passed.refusal.reason})"
        return replace(passed, refusal=None, warnings=(warning, *passed.warnings))

    def _refuse(self, error: FilmError, source: FilmSource) -> Reading:
        name = fspath(source) if isinstance(source, str | PathLike) else error.where or type(source).__name__
        return self._refused(FilmInfo(path=name), Refusal(code=error.code, reason=error.what, remedy=error.remedy))

    def _refused(self, film: FilmInfo, refusal: Refusal) -> Reading:
        return Reading(film=film, status="refused", software=_SOFTWARE, model=self.model, refusal=refusal)


def _same_gate(meta: BundleMeta, path: Path) -> None:
    """Hold the gate's head to the one that the bundle's thresholds were chosen for.

    Raises:
        BundleFromFuture: It is another one.
    """
    if meta.gate is not None and meta.gate.head != gate_head().sha256:
        raise BundleFromFuture(
            "the bundle's gate has thresholds for another head than this pneumoscope has",
            where=path,
            remedy="Use the pneumoscope that the bundle was made with (its provenance says which)",
        )


def _same_lungs(spec: PreprocessSpec, path: Path) -> None:
    """Hold the lung-field network that frames today's films to the one that framed the training films.

    Raises:
        BundleFromFuture: It is another one.
    """
    if spec.frame == "lungs" and spec.lungs != lung_finder().sha256:
        raise BundleFromFuture(
            "the bundle was trained on films framed by another lung-field network than this pneumoscope has",
            where=path,
            remedy="Use the pneumoscope that the bundle was trained with (its provenance names it), or train it again",
        )
