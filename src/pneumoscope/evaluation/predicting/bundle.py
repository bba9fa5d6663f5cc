"""A bundle as the judge sees it: films go through the real reading path, ``pneumoscope.reading.Reader``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.dataset.pixels import open_film
from pneumoscope.errors import FilmError
from pneumoscope.evaluation.predicting.system import Answer, Facts
from pneumoscope.reading import Reader
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.bundle import BundleMeta

__all__ = ["BundleSystem", "facts_of"]


class BundleSystem:
    """Reads films with a bundle.

    Args:
        path: Its file.
        settings: Of this machine; without them, from the environment.

    Raises:
        BundleError: It cannot be used.
    """

    def __init__(self, path: Path, *, settings: Settings | None = None) -> None:
        settings = Settings.from_environment() if settings is None else settings
        self.path = path
        self.reader = Reader(path, settings=settings)
        self._facts = facts_of(self.reader.meta, self.reader.model.sha256)

    @property
    def facts(self) -> Facts:
        """What the bundle says of itself."""
        return self._facts

    @property
    def threads(self) -> int:
        """Films to read at once."""
        return self.reader.settings.cpu_threads()

    def answer(self, root: Path, path: str, stamp: str) -> Answer:
        """Read one film."""
        try:
            if ".npz#" in path:
                film = open_film(root, path)
                reading = self.reader.read(film.pixels, name=path)
                sha256 = film.info.sha256
            else:
                reading = self.reader.read(root / path, name=path)
                sha256 = reading.film.sha256
        except FilmError as error:
            return Answer(path, stamp, code=error.code, reason=error.what)
        info = reading.film
        if reading.probabilities is None or reading.refusal is not None:
            code, reason = (
                ("refused", "") if reading.refusal is None else (reading.refusal.code, reading.refusal.reason)
            )
            return Answer(path, stamp, sha256, info.rows, info.columns, code=code, reason=reason)
        return Answer(
            path=path,
            stamp=stamp,
            sha256=sha256,
            rows=info.rows,
            columns=info.columns,
            probabilities=tuple(reading.probabilities.values()),
            inside_lungs=None if reading.evidence is None else reading.evidence.in_lungs,
        )


def facts_of(meta: BundleMeta, sha256: str = "") -> Facts:
    """A bundle's classes, thresholds and band, frozen when it was made."""
    chosen = {point.preset: f"{point.rule}; {point.chosen_on}" for point in meta.operating_points}
    if meta.band is not None:
        chosen[meta.band.preset] = f"{meta.band.rule}; {meta.band.chosen_on}"
    return Facts(
        name=f"{meta.name} {meta.version}",
        sha256=sha256,
        classes=meta.class_names,
        positive=meta.positive,
        finding=meta.finding,
        thresholds={point.preset: point.threshold for point in meta.operating_points},
        chosen=chosen,
        band=None if meta.band is None else (meta.band.lower, meta.band.upper),
    )
