"""Whether a bundle has met the films that it is judged on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.dataset import Manifest, Split

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["seen_notes"]

_WORDS = {
    "train": "The network learned from {count} of the {films} films: the figures flatter.",
    "val": "{count} of the {films} films chose the epoch, the calibration and the thresholds: the figures flatter.",
}


def seen_notes(bundle: Path, table: PredictionTable) -> tuple[str, ...]:
    """What the run that a bundle lies in says of the judged films, each a sentence; nothing where there is no run.

    Films are told by their bytes, so that a copied or renamed one is found; a film that was saved anew is not.

    Args:
        bundle: Its file.
        table: With the sha256 of its films.

    Raises:
        DatasetError: The run's files are damaged.
    """
    saved, parts = bundle.with_name("manifest.parquet"), bundle.with_name("split.json")
    if table.sha256 is None or not (saved.is_file() and parts.is_file()):
        return ()
    manifest = Manifest.load(saved)
    split = Split.load(parts, manifest)
    notes = []
    for part, words in _WORDS.items():
        known = {manifest.films[row].sha256 for row in split.parts[part].tolist()}
        count = sum(digest in known for digest in table.sha256)
        if count:
            notes.append(words.format(count=f"{count:,}", films=f"{len(table):,}"))
    return tuple(notes)
