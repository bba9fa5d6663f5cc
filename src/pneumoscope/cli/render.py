"""``pneumoscope render``: what the model saw of a film, beside the film."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

__all__ = ["render"]


def render(
    film: Annotated[str, typer.Argument(metavar="FILM", help="JPEG, PNG, TIFF, BMP or DICOM.")],
    out: Annotated[Path, typer.Option("--out", metavar="PNG", help="The picture to write.")],
    model: Annotated[str | None, typer.Option(help="A shipped bundle's name, or a bundle's path.")] = None,
) -> None:
    """Draw what the model saw of a film: corrections, frame and lungs, the network's input, the evidence.

    The film as it came stands beside it. A film that is refused is drawn as far as it got, with the reason.

    Exit code 0: read; 2: wrong usage; 3: refused; 4: the bundle cannot be used; 5: disk full.

    Example: pneumoscope render film.dcm --out seen.png
    """
    from pneumoscope.films.load import load as load_film
    from pneumoscope.lungs.segmentation import lung_segmenter
    from pneumoscope.model.preprocess import prepare_film
    from pneumoscope.model.reader import load
    from pneumoscope.quality.corrections import apply_corrections
    from pneumoscope.reports.render import render_png
    from pneumoscope.reports.summary import population_sentences
    from pneumoscope.storage import write_atomically

    reader = load(model)
    original = load_film(film, max_pixels=reader.settings.max_pixels)
    reading = reader.read_radiograph(original)
    corrected = apply_corrections(original, reading.corrections)
    seen, lungs = None, None
    if reading.status == "read":
        found = lung_segmenter().find(corrected)
        lungs = found.mask if found.enough else None
        seen = prepare_film(corrected, reader.meta.preprocess, found)
    population = reader.report_context(reading, corrected).population
    remarks = () if population is None else population_sentences(population, original.facts, reading.finding)
    picture = render_png(
        original,
        corrected,
        reading,
        seen=None if seen is None else seen.pixels,
        frame=None if seen is None else seen.frame,
        lungs=lungs,
        remarks=remarks,
    )
    write_atomically(out, picture)
    if reading.status == "refused":
        raise typer.Exit(3)
