"""A bundle's predictions for an audit, after asking whether it has learned from the films."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.audit.label_noise import OutOfFoldPredictions
from pneumoscope.data.pixels import read_film
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import UsageError
from pneumoscope.model.reader import load
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest

__all__ = ["bundle_predictions"]


def bundle_predictions(model: str, manifest: Manifest, *, progress: bool = False) -> OutOfFoldPredictions:
    """Read all films with a bundle.

    A bundle that learned from these very films is refused: it knows their labels, wrong ones too. Of any other bundle
    it cannot be told here whether some of the films were among those that it learned from, and the words say so.
    A film that the bundle's own path refuses has no probabilities.

    Args:
        model: The name of a shipped bundle or a path.
        manifest: The films.
        progress: Show a bar.

    Raises:
        UsageError: It was trained on these films, or its classes are others.
        BundleError: It cannot be used.
        FilmError: A film cannot be read any more.
    """
    reader = load(model)
    trained_on = reader.meta.provenance.manifest_sha256
    if trained_on == manifest.sha256:
        raise UsageError(
            "this bundle was trained on these very films: what it says of them is not out-of-fold",
            where=model,
            remedy="Give predictions from cross-validation with --predictions, or neither, for the quick model",
        )
    places = {name: place for place, name in enumerate(reader.meta.class_names)}
    if not set(manifest.classes) <= set(places):
        raise UsageError(
            f"the bundle knows the classes {', '.join(places)}, the films have {', '.join(manifest.classes)}",
            where=model,
            remedy="Give a bundle of the same classes, or predictions with --predictions",
        )

    def read(row: FilmRow) -> NDArray[np.float64]:
        file = manifest.root / row.path
        found = reader.read(file if file.is_file() else read_film(manifest, row).pixels, name=row.path).probabilities
        return np.array([found[name] if found else np.nan for name in manifest.classes])

    with ThreadPoolExecutor(Settings.from_environment().cpu_threads()) as pool:
        rows = pool.map(read, manifest.films)
        p = np.stack(list(track_progress(rows, total=len(manifest), title="Reading films", show=progress)))
    doubt = "" if trained_on else "; it does not say what it learned from"
    words = f"bundle {reader.meta.name} (whether it learned from some of these films cannot be told here{doubt})"
    return OutOfFoldPredictions(p / p.sum(axis=1, keepdims=True), "bundle", words)
