"""The reading path, from a film to a Reading."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.bundle import find_bundle, read_bundle
from pneumoscope.domain.radiograph import FilmInfo
from pneumoscope.domain.reading import ModelRef, Reading, Refusal, Software
from pneumoscope.errors import FilmError, UsageError
from pneumoscope.films import load as load_film
from pneumoscope.preprocess import preprocess
from pneumoscope.preprocess.apply import frame_of
from pneumoscope.reading.calibrate import calibrate
from pneumoscope.reading.decide import decide_finding, decide_pattern, operating_point
from pneumoscope.reading.evidence import finding_evidence
from pneumoscope.reading.session import Session
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from typing import TypeAlias

    from numpy.typing import NDArray
    from PIL.Image import Image

    FilmSource: TypeAlias = str | PathLike[str] | bytes | Image | NDArray[np.generic]

__all__ = ["Reader", "load"]

_SOFTWARE = Software(name="pneumoscope", version=__version__)


def load(
    model: str | PathLike[str] | None = None, *, preset: str | None = None, settings: Settings | None = None
) -> Reader:
    """Load a bundle.

        >>> reader = load()
        >>> reader.read("film.jpeg").finding.call
        'no pneumonia'

    Args:
        model: The name of a shipped bundle or a path; without it, ``settings.model``.
        preset: The operating point, "screening" or "balanced"; without it, the bundle's default.
        settings: Of this machine; without them, from the environment.

    Raises:
        BundleError: There is no such bundle, or it cannot be used.
        UsageError: The bundle has no such preset.
    """
    settings = Settings.from_environment() if settings is None else settings
    return Reader(find_bundle(fspath(model) if model is not None else settings.model), preset=preset, settings=settings)


class Reader:
    """Reads films with one bundle at one operating point; safe to share between threads.

    Attributes:
        meta: All that the bundle says of itself.
        model: Its name, version and sha256, as they stand in each reading.
        point: The operating point that calls are made at.
        settings: Of this machine.
    """

    def __init__(self, path: Path, *, preset: str | None = None, settings: Settings | None = None) -> None:
        self.settings = Settings() if settings is None else settings
        graph, self.meta, sha256 = read_bundle(path)
        self.model = ModelRef(name=self.meta.name, version=self.meta.version, sha256=sha256)
        self.point = operating_point(self.meta, preset)
        self._threads = self.settings.cpu_threads()
        self._session = Session(graph, self.meta, where=path, threads=self._threads)

    def read(self, film: FilmSource, *, name: str | None = None) -> Reading:
        """Read one film.

        Args:
            film: A path, the bytes of a file, a PIL image, or an array [rows, columns] or [rows, columns, 3].
            name: What to call it in the reading; without it, its path or kind.

        Raises:
            FilmError: The film cannot be read.
        """
        return self._judge([self._prepare(film, name)])[0]

    def read_many(self, films: Iterable[FilmSource], *, batch: int | None = None) -> Iterator[Reading]:
        """Read films as a stream, in their order.

        Threads decode the next films while the network reads these; a handful of batches is in memory at any
        time, however many films there are. A film that cannot be read gives a refused reading in its place.

        Args:
            films: As for ``read``; taken one by one, as they are needed.
            batch: Films that go through the network at once; without it, ``settings.batch``. It does not change
                a reading.

        Raises:
            UsageError: The batch is not 1 or more.
        """
        batch = self.settings.batch if batch is None else batch
        if batch < 1:
            raise UsageError(f"the batch must be 1 film or more, not {batch}", where="batch", remedy="Give 16, say")
        return self._stream(films, batch)

    def _judge(self, films: Sequence[_Prepared]) -> list[Reading]:
        """The reading path: every number of a reading is made in these lines."""
        meta = self.meta
        logits, maps = self._session.run(np.stack([film.pixels for film in films])[:, None])
        probabilities = calibrate(logits, meta.calibrator).tolist()
        readings = []
        for n, film in enumerate(films):
            finding = decide_finding(probabilities[n], meta, self.point)
            readings.append(
                Reading(
                    film=film.info,
                    status="read",
                    software=_SOFTWARE,
                    model=self.model,
                    warnings=film.warnings,
                    probabilities=dict(zip(meta.class_names, probabilities[n], strict=True)),
                    finding=finding,
                    pattern=decide_pattern(probabilities[n], meta, called=finding.call == meta.finding),
                    evidence=finding_evidence(maps[n], logits[n], meta, film.frame),
                )
            )
        return readings

    def _prepare(self, source: FilmSource, name: str | None = None) -> _Prepared:
        """Decode and preprocess; the full-size pixels are let go here."""
        film = load_film(source, name=name, max_pixels=self.settings.max_pixels)
        spec = self.meta.preprocess
        return _Prepared(preprocess(film, spec), film.info, film.warnings, frame_of(film, spec))

    def _refuse(self, error: FilmError, source: FilmSource) -> Reading:
        name = fspath(source) if isinstance(source, str | PathLike) else error.where or type(source).__name__
        return Reading(
            film=FilmInfo(path=name),
            status="refused",
            software=_SOFTWARE,
            model=self.model,
            refusal=Refusal(code=error.code, reason=error.what, remedy=error.remedy),
        )

    def _prepare_or_refuse(self, source: FilmSource) -> _Prepared | Reading:
        try:
            return self._prepare(source)
        except FilmError as error:
            return self._refuse(error, source)

    def _stream(self, films: Iterable[FilmSource], batch: int) -> Iterator[Reading]:
        waiting: list[_Prepared | Reading] = []
        for item in self._decode_ahead(films, 2 * batch):
            waiting.append(item)
            if sum(isinstance(film, _Prepared) for film in waiting) == batch or len(waiting) == 4 * batch:
                yield from self._in_order(waiting)
                waiting = []
        yield from self._in_order(waiting)

    def _in_order(self, films: Sequence[_Prepared | Reading]) -> Iterator[Reading]:
        """Judge those that can be; each reading comes out at its film's place."""
        sound = [film for film in films if isinstance(film, _Prepared)]
        judged = iter(self._judge(sound) if sound else [])
        for film in films:
            yield film if isinstance(film, Reading) else next(judged)

    def _decode_ahead(self, films: Iterable[FilmSource], ahead: int) -> Iterator[_Prepared | Reading]:
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="decode")
        queue: deque[Future[_Prepared | Reading]] = deque()
        try:
            for film in films:
                queue.append(pool.submit(self._prepare_or_refuse, film))
                if len(queue) > ahead:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            # Also when the caller stops taking: nothing is decoded for nobody.
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A film on its way to the network.

    Attributes:
        pixels: uint8 [size, size].
        info: Where it came from.
        warnings: What was odd.
        frame: What the network sees of it.
    """

    pixels: NDArray[np.uint8]
    info: FilmInfo
    warnings: tuple[str, ...]
    frame: tuple[float, float, float, float]
