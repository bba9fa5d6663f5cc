"""The sections on the films themselves: the failures, some samples, who was refused, and how they flowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.report import words
from pneumoscope.evaluation.report.blocks import (
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
from pneumoscope.evaluation.report.diagram import Box, flow_svg
from pneumoscope.evaluation.report.drawn_checks import draw_samples
from pneumoscope.evaluation.report.pictures import Viewer, random_rows
from pneumoscope.evaluation.shown import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pneumoscope.evaluation.report.drawings import Album
    from pneumoscope.evaluation.report.facts import Facts
    from pneumoscope.evaluation.report.pictures import SeenFilm

__all__ = ["failure_section", "films_section", "flow", "sample_blocks"]

_WORST, _SAMPLES, _LISTED = 8, 12, 30


def failure_section(facts: Facts, viewer: Viewer) -> Section:
    """The surest mistakes at the first operating point, with their evidence."""
    title = "Failures: the surest mistakes"
    point = facts.first
    if point is None:
        return Section("failures", title, (Text("Without a frozen threshold there are no calls, and no mistakes."),))
    finding = facts.finding
    missed = facts.errors(point, missed=True, most=_WORST)
    false = facts.errors(point, missed=False, most=_WORST)
    seen = {film.row: film for film in viewer.see([*missed, *false], pictures=True)}
    blocks: list[Block] = [
        Text(
            f"At {point.preset} (called from {point.threshold:.3g}). Left the film, right the same film with its "
            f"evidence: orange speaks for {finding}, blue against it, one scale for all. The surest mistakes come "
            "first."
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
    return Section("failures", title, tuple(blocks))


def _film(facts: Facts, row: int, seen: SeenFilm | None, viewer: Viewer) -> GalleryFilm:
    table = facts.table
    truth, score = table.classes[table.labels[row]], float(table.score[row])
    p = ", ".join(
        f"{name} {100 * float(x):.1f}\u00a0%" for name, x in zip(table.classes, table.probabilities[row], strict=True)
    )
    path = shown_path(table.paths[row])
    more = ""
    if seen is None:
        more = f"No picture: {viewer.missing.get(row, 'the film is not at hand')}."
    elif seen.evidence is not None and seen.evidence.in_lungs is not None:
        more = f"{100 * seen.evidence.in_lungs:.0f} % of the evidence for it lies in the lungs."
    alt = f"Chest film {path}, which is {truth}"
    if seen is not None and seen.evidence is not None:
        alt += f", and the same film with its evidence for {facts.finding}"
    if len(table.classes) > 2:
        more = f"Said: {p}. {more}".rstrip()
    said = f"P({facts.finding}) {100 * score:.1f}\u00a0%"
    return GalleryFilm(path, "" if seen is None else seen.jpeg, alt, truth, said, more)


def sample_blocks(facts: Facts, viewer: Viewer, album: Album) -> tuple[Block, ...]:
    """Inputs and outputs of a random draw."""
    draw_samples(facts, viewer.see(random_rows(facts, _SAMPLES)), album)
    return album.get("samples")


def films_section(facts: Facts, samples: tuple[Block, ...], training: tuple[Block, ...]) -> Section:
    """Which films came in, which were refused, and what some of them look like."""
    judgement = facts.judgement
    counts = judgement.counts
    boxes = flow(facts)
    steps = tuple(" ".join((f"{box.title}.", *(f"{line}." for line in (*box.lines, *box.aside)))) for box in boxes)
    rows = [
        Row(name, (Cell(f"{number:,}"), Cell(f"{100 * number / counts.films:.1f} %")))
        for name, number in counts.by_class.items()
    ]
    blocks: list[Block] = [
        Diagram(
            "flow",
            "Flow of the films",
            flow_svg(boxes, "flow", "Flow of the films, from the data set to the calls"),
            steps,
        ),
        Table("by-class", "Judged films by class", ("Class", "Films", "Share"), tuple(rows), wide=False),
        *_strata(facts),
    ]
    if judgement.refused:
        shown = judgement.refused[:_LISTED]
        listed = tuple(Row(shown_path(f.path), (Cell(f.label), Cell(f.code), Cell(f.reason))) for f in shown)
        rest = len(judgement.refused) - len(shown)
        caption = (
            "Refused films: no probability, and in no "
            f"figure{f' (the first {len(shown)}; {rest} more in the JSON)' if rest else ''}"
        )
        blocks.append(Table("refused", caption, ("Film", "Class", "Code", "Reason"), listed))
    blocks += [*samples, *training]
    return Section("films", "The films", tuple(blocks))


def _strata(facts: Facts) -> Iterable[Block]:
    """What the table knows of the films, counted."""
    from collections import Counter  # noqa: PLC0415

    rows = []
    for name, groups in facts.table.strata.items():
        for group, number in sorted(Counter(groups.tolist()).items(), key=lambda pair: -pair[1]):
            rows.append(Row(f"{name}: {group or 'not known'}", (Cell(f"{number:,}"),)))
    if rows:
        yield Table("strata", "What is known of them", ("Group", "Films"), tuple(rows[:_LISTED]), wide=False)
    else:
        yield Notes("", ("Age, sex, view and source of the films are not known to the table.",))


def flow(facts: Facts) -> tuple[Box, ...]:
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
        Box(f"{words.counted(counts.films, 'film')} judged", (patients,), strong=True),
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
