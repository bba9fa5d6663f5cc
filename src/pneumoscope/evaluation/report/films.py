"""Report sections on the films: participant flow, errors, samples, and their pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.pixels import open_film
from pneumoscope.errors import FilmError
from pneumoscope.evaluation.predictions import display_path
from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.engine import (
    Block,
    Cell,
    Diagram,
    Gallery,
    GalleryFilm,
    Notes,
    Row,
    Section,
    Table,
    Text,
)
from pneumoscope.evaluation.report.figures import draw_samples
from pneumoscope.evaluation.report.svg import Box, flow_svg
from pneumoscope.model.bundle import read_bundle
from pneumoscope.model.evidence import finding_evidence
from pneumoscope.model.preprocess import PreprocessSpec, prepare_film
from pneumoscope.model.session import Session
from pneumoscope.reports.overlay import colour_scale_limit, side_by_side_jpeg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pneumoscope.evaluation.report.context import ReportContext
    from pneumoscope.evaluation.report.svg import FigureSet
    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.radiograph import Radiograph

__all__ = [
    "FilmView",
    "FilmViewer",
    "error_analysis_section",
    "films_section",
    "participant_flow",
    "random_rows",
    "sample_blocks",
]

_SIDE = 232  # pixels of each half of a gallery picture


@dataclass(frozen=True, slots=True, eq=False)
class FilmView:
    """One film, read again.

    Attributes:
        row: In the table.
        pixels: As the network saw it, uint8 [S, S]; without a bundle, squared and stretched in the usual way.
        evidence: Where the finding speaks from; None without a bundle.
        jpeg: The film, and beside it (with a bundle) the film with its evidence, as base64; empty unless asked for.
    """

    row: int
    pixels: NDArray[np.uint8]
    evidence: Evidence | None
    jpeg: str = ""


class FilmViewer:
    """Reads single films of the table again; a film that is gone or changed is left out, and the reason kept.

    Attributes:
        missing: Reason by row, for the films that could not be shown.
    """

    def __init__(self, facts: ReportContext) -> None:
        self._table, self._meta, self._session = facts.table, facts.meta, None
        if facts.bundle is not None and facts.table.root:
            graph, self._meta, _ = read_bundle(facts.bundle)
            self._session = Session(graph, self._meta, where=facts.bundle)
        self.missing: dict[int, str] = {}

    def see(self, rows: Iterable[int], *, pictures: bool = False) -> list[FilmView]:
        """Films by their rows, in their order.

        Args:
            rows: Of the table.
            pictures: Give each its picture too, all in one scale of colours.
        """
        found, films = [], {}
        for row in rows:
            try:
                film = self._open(int(row))
                found.append(self._one(int(row), film))
            except FilmError as error:
                self.missing[int(row)] = error.what
                continue
            if pictures:
                films[int(row)] = film
        if not pictures:
            return found
        limit = colour_scale_limit(*(one.evidence for one in found if one.evidence is not None))
        return [
            replace(one, jpeg=_base64(side_by_side_jpeg(films[one.row], one.evidence, _SIDE, limit))) for one in found
        ]

    def _open(self, row: int) -> Radiograph:
        if not self._table.root:
            raise FilmError("the films are not at hand", where=self._table.paths[row])
        return open_film(Path(self._table.root), self._table.paths[row])

    def _one(self, row: int, film: Radiograph) -> FilmView:
        if self._session is None or self._meta is None:
            return FilmView(row, prepare_film(film, PreprocessSpec()).pixels, None)
        seen = prepare_film(film, self._meta.preprocess)
        logits, maps = self._session.run(seen.pixels)
        evidence = finding_evidence(maps, logits, self._meta, seen.frame, seen.lungs)
        return FilmView(row, seen.pixels, evidence)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def random_rows(facts: ReportContext, most: int) -> list[int]:
    """Rows of a random draw, the classes taking turns; the judgement's seed makes it the same every time."""
    generator = np.random.default_rng(facts.judgement.seed)
    labels = facts.table.labels
    shuffled = generator.permutation(len(labels))
    turns = np.zeros(len(labels), dtype=np.int64)
    for c in np.unique(labels):
        of_class = shuffled[labels[shuffled] == c]
        turns[of_class] = np.arange(len(of_class))
    chosen = np.lexsort((labels, turns))[:most]
    return [int(row) for row in chosen]


_WORST, _SAMPLES, _LISTED = 8, 12, 30


def error_analysis_section(facts: ReportContext, viewer: FilmViewer) -> Section:
    """The surest mistakes at the first operating point, with their evidence."""
    title = "Error analysis: most confident errors"
    point = facts.first
    if point is None:
        return Section("errors", title, (Text("Without a threshold there are no calls, and no errors."),))
    finding = facts.finding
    missed = facts.errors(point, missed=True, most=_WORST)
    false = facts.errors(point, missed=False, most=_WORST)
    seen = {film.row: film for film in viewer.see([*missed, *false], pictures=True)}
    blocks: list[Block] = [
        Text(
            f"At {point.preset} (called from {point.threshold:.3g}). Left the film, right the same film with its "
            f"evidence: orange speaks for {finding}, blue against it, one scale for all. The most confident errors "
            "come first."
        ),
        Gallery(
            "missed",
            f"Missed: films with {finding} that were not called",
            tuple(_film(facts, int(row), seen.get(int(row)), viewer) for row in missed),
            f"None of the films with {finding} was missed.",
        ),
        Gallery(
            "false",
            f"False calls: films without {finding} that were called",
            tuple(_film(facts, int(row), seen.get(int(row)), viewer) for row in false),
            f"None of the films without {finding} was called.",
        ),
        Text(
            "Paths start from the data set's folder. No patient is named here; a path is shown as the data set has it.",
            "small",
        ),
    ]
    return Section("errors", title, tuple(blocks))


def _film(facts: ReportContext, row: int, seen: FilmView | None, viewer: FilmViewer) -> GalleryFilm:
    table = facts.table
    truth, score = table.label_names[row], float(table.score[row])
    p = ", ".join(
        f"{name} {100 * float(x):.1f}\u00a0%" for name, x in zip(table.classes, table.probabilities[row], strict=True)
    )
    path = display_path(table.paths[row])
    more = ""
    if seen is None:
        more = f"No picture: {viewer.missing.get(row, 'the film is not at hand')}."
    elif seen.evidence is not None and seen.evidence.in_lungs is not None:
        more = f"{100 * seen.evidence.in_lungs:.0f} % of the evidence for it lies in the lungs."
    alt = f"Chest film {path}, which is {truth}"
    if seen is not None and seen.evidence is not None:
        alt += f", and the same film with its evidence for {facts.finding}"
    if len(table.classes) > 2:
        more = f"Predicted: {p}. {more}".rstrip()
    said = f"P({facts.finding}) {100 * score:.1f}\u00a0%"
    return GalleryFilm(path, "" if seen is None else seen.jpeg, alt, truth, said, more)


def sample_blocks(facts: ReportContext, viewer: FilmViewer, album: FigureSet) -> tuple[Block, ...]:
    """Inputs and outputs of a random draw."""
    draw_samples(facts, viewer.see(random_rows(facts, _SAMPLES)), album)
    return album.get("samples")


def films_section(facts: ReportContext, samples: tuple[Block, ...], training: tuple[Block, ...]) -> Section:
    """Which films came in, which were refused, and what some of them look like."""
    judgement = facts.judgement
    counts = judgement.counts
    boxes = participant_flow(facts)
    steps = tuple(" ".join((f"{box.title}.", *(f"{line}." for line in (*box.lines, *box.aside)))) for box in boxes)
    rows = [
        Row(name, (Cell(f"{number:,}"), Cell(f"{100 * number / counts.films:.1f} %")))
        for name, number in counts.by_class.items()
    ]
    blocks: list[Block] = [
        Diagram(
            "flow",
            "Participant flow",
            flow_svg(boxes, "flow", "Participant flow, from the data set to the calls"),
            steps,
        ),
        Table("by-class", "Evaluated films by class", ("Class", "Films", "Share"), tuple(rows), wide=False),
        *_strata(facts),
    ]
    if judgement.refused:
        shown = judgement.refused[:_LISTED]
        listed = tuple(Row(display_path(f.path), (Cell(f.label), Cell(f.code), Cell(f.reason))) for f in shown)
        rest = len(judgement.refused) - len(shown)
        caption = (
            "Refused films: no probability, and in no "
            f"metric{f' (the first {len(shown)}; {rest} more in the JSON)' if rest else ''}"
        )
        blocks.append(Table("refused", caption, ("Film", "Class", "Code", "Reason"), listed))
    blocks += [*samples, *training]
    return Section("films", "Films", tuple(blocks))


def _strata(facts: ReportContext) -> Iterable[Block]:
    """What the table knows of the films, counted."""
    from collections import Counter  # noqa: PLC0415

    rows = []
    for name, groups in facts.table.strata.items():
        for group, number in sorted(Counter(groups.tolist()).items(), key=lambda pair: -pair[1]):
            rows.append(Row(f"{name}: {group or 'not known'}", (Cell(f"{number:,}"),)))
    if rows:
        yield Table("strata", "Known characteristics", ("Group", "Films"), tuple(rows[:_LISTED]), wide=False)
    else:
        yield Notes("", ("Age, sex, view and source of the films are not known to the table.",))


def participant_flow(facts: ReportContext) -> tuple[Box, ...]:
    """From the data set to the calls."""
    counts, finding = facts.judgement.counts, facts.finding
    total = counts.films + counts.refused
    patients = f"{words.counted(counts.patients, 'patient')}" if counts.patients is not None else "patients not known"
    boxes = [
        Box(
            f"{words.counted(total, 'film')} given",
            (facts.judgement.films,) if facts.judgement.films else (),
            (f"{counts.refused:,} refused:", "no probability") if counts.refused else (),
        ),
        Box(f"{words.counted(counts.films, 'film')} evaluated", (patients,), strong=True),
        Box(
            f"{counts.positives:,} with {finding}, {counts.negatives:,} without",
            (", ".join(f"{number:,} {name}" for name, number in counts.by_class.items()),),
        ),
    ]
    point = facts.first
    if point is not None and len(point.confusion.cells) == 2:
        (tn, fp), (fn, tp) = point.confusion.cells
        boxes.append(
            Box(
                f"{tp + fp:,} called, {tn + fn:,} not called ({point.preset})",
                (
                    f"of those with {finding}: {tp:,} called, {fn:,} missed",
                    f"of those without: {fp:,} called, {tn:,} not",
                ),
            )
        )
    return tuple(boxes)
