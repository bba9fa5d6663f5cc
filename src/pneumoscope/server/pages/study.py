"""The study page, with the card of a reading.

The Read page shows the very card that the Study page shows: it fetches it when a reading has come (``js/read.js``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from pneumoscope.errors import NotFound
from pneumoscope.model.decide import decide_again, summarize_operating_point
from pneumoscope.model.population import bundle_population
from pneumoscope.quality.checks import MIRRORED_WARNING
from pneumoscope.quality.metadata import age_in_years
from pneumoscope.reports.formats import FORMATS
from pneumoscope.reports.json import from_dict, to_dict
from pneumoscope.reports.summary import ReportContext, capitalize_first, summarize
from pneumoscope.server.api.studies import delete_studies, read_again
from pneumoscope.server.auth.audit import record_view
from pneumoscope.server.auth.identity import Admin, Reader, Writer, blind_reader
from pneumoscope.server.context import Here
from pneumoscope.server.engine.job import Choice
from pneumoscope.server.pages import wording as words
from pneumoscope.server.pages.errors import PageRoute
from pneumoscope.server.pages.render import page
from pneumoscope.server.pages.wording import describe_entries, operating_point_choices, points_of, seconds
from pneumoscope.server.pages.worklist import Filters
from pneumoscope.types.studies import standing_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.reports.summary import Summary
    from pneumoscope.server.engine.bundles import Bundles
    from pneumoscope.server.store.records import FilmRow, ReadingRow, StudyRecord
    from pneumoscope.types.operating_point import OperatingPointSummary
    from pneumoscope.types.reading import Reading

__all__ = ["Card", "ClassBar", "card", "router", "sides_of"]

_KINDS = {"called": "for", "absent": "against", "open": "open", "forced": "open", "refused": "refused"}


@dataclass(frozen=True, slots=True)
class ClassBar:
    """One class: its name, its probability, and "for", "second" or "against" for its colour."""

    name: str
    share: float
    kind: str


@dataclass(frozen=True, slots=True)
class Card:
    """A reading for the eye.

    Attributes:
        id: Of the reading.
        kind: "for", "against", "open" or "refused"; a forced call is "open", so that it looks like no call to rely on.
        call: The call, or "refused".
        name: Of the finding.
        said: All that is said of it, as in its reports.
        preset: Of the operating point; empty if refused.
        bars: Probabilities of the classes.
        pattern: The pattern, in one word; empty if there is none.
        in_lungs: Share of the evidence within the lungs; None if not known.
        code: Of the refusal; empty if read.
        remedy: Of the refusal.
        warnings: What a person should know, each a sentence.
        forced: Whether the gate's no was overruled.
        sides: Where the patient's right is: "left" as the file says, "assumed" (on the left, as films are looked at),
            or "" where the film is taken for mirrored.
        about: The film's format and size, the bundle, the time that it took, who asked.
    """

    id: str
    kind: str
    call: str
    name: str
    said: Summary
    preset: str
    bars: tuple[ClassBar, ...]
    pattern: str
    in_lungs: float | None
    code: str
    remedy: str
    warnings: tuple[str, ...]
    forced: bool
    sides: str
    about: str


def card(row: ReadingRow, meta: BundleMeta | None, facts: Mapping[str, str] | None = None) -> Card:
    """Put a reading into words.

    Args:
        row: As it is kept.
        meta: Of its bundle, of just its version; None if that is not here.
        facts: Of its film.
    """
    reading = from_dict(row.document)
    found, refusal = reading.finding, reading.refusal
    about = (_film(reading), row.bundle, seconds(row.seconds), f"asked by {row.by}")
    population = None if meta is None else bundle_population(meta, row.preset or "")
    told = ReportContext(
        meaning=_meaning(meta, reading), created=row.created, population=population, facts=dict(facts or {})
    )
    said = summarize(reading, told)
    return Card(
        id=row.id,
        kind=_KINDS[said.tone],
        call="refused" if found is None else found.call,
        name=said.name or (meta.finding if meta else "pneumonia"),
        said=said,
        preset="" if found is None else found.preset,
        bars=_bars(said),
        pattern=capitalize_first(reading.pattern.call or "") if reading.pattern else "",
        in_lungs=None if reading.evidence is None else reading.evidence.in_lungs,
        code=refusal.code if refusal else "",
        remedy=capitalize_first(said.remedy),
        warnings=tuple(_sentence(text) for text in said.warnings),
        forced=said.tone == "forced",
        sides=sides_of(reading, facts or {}),
        about=", ".join(part for part in about if part),
    )


def sides_of(reading: Reading, facts: Mapping[str, str]) -> str:
    """Where the patient's right is in the picture of a reading; as in ``Card.sides``."""
    if MIRRORED_WARNING in reading.warnings:
        return ""
    # Of a film that was turned before reading, the file does not say how its rows run now.
    return "left" if facts.get("PatientOrientation") == "L F" and not reading.corrections else "assumed"


def _meaning(meta: BundleMeta | None, reading: Reading) -> OperatingPointSummary | None:
    if meta is None or reading.finding is None:
        return None
    preset = reading.finding.preset
    return next((summarize_operating_point(point) for point in points_of(meta) if point.preset == preset), None)


def _bars(said: Summary) -> tuple[ClassBar, ...]:
    kinds = iter(("for", *("second" for _ in said.classes)))
    return tuple(
        ClassBar(name, share, "against" if name in said.against else next(kinds)) for name, share in said.classes
    )


def _film(reading: Reading) -> str:
    film = reading.film
    size = f" {film.columns} x {film.rows}" if film.rows and film.columns else ""
    return f"{film.format or ''}{size}".strip()


def _sentence(text: str) -> str:
    return f"{capitalize_first(text)}{'' if text.endswith(('.', '!', '?')) else '.'}"


router = APIRouter(include_in_schema=False, route_class=PageRoute, prefix="/studies/{study}")

_COMMENT = 4000  # characters
_SEX = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True, slots=True)
class FilmShown:
    """One film: its row, its readings newest first, and what its file tells."""

    row: FilmRow
    readings: tuple[ReadingRow, ...]
    facts: dict[str, str]


@router.get("")
def show(
    request: Request,
    study: str,
    here: Here,
    who: Reader,
    *,
    reading: str = "",
    film: str = "",
    given: str = "",
    verdict: str = "",
) -> HTMLResponse:
    """The page; of several films, the one that is asked for, else the one that the summary is of."""
    latest, _ids = here.worklist.studies.changes_since(2**62)  # before the study: no change falls between the two
    detail = here.worklist.studies.detail(study)
    record_view(here, who, study)
    filters = Filters.of(request.query_params)
    films = tuple(_film_of_study(row, detail) for row in detail.films)
    shown, chosen = _chosen(films, detail.study.lead, film, reading)
    metas = _metas(here.bundles)
    cards = tuple(card(row, metas.get(row.bundle_sha256), shown.row.facts) for row in shown.readings)
    by_id = {one.id: one for one in cards}
    newest = standing_verdict(detail.verdicts)
    return page(
        request,
        who,
        "study",
        title=detail.study.label,
        active="worklist",
        detail=detail,
        latest=latest,
        films=films,
        film=shown,
        reading=chosen,
        card=by_id.get(chosen.id) if chosen else None,
        cards=cards,
        rows=dict(zip(by_id, shown.readings, strict=True)),
        differ=len({one.call for one in cards}) > 1,
        verdict=newest,
        before={"study": given, "verdict": verdict} if given and verdict else None,
        mine=newest is not None and newest.by == who.name,
        answers=words.answers(metas.get(chosen.bundle_sha256) if chosen else None),
        bundles=[(known, operating_point_choices(known.meta)) for known in here.bundles.all()],
        in_use=here.bundles.in_use,
        reports=tuple(FORMATS.values()),
        history=tuple(describe_entries(entry) for entry in reversed(detail.history)),
        neighbours=here.worklist.studies.neighbours(study, replace(filters.query(), blind=blind_reader(who))),
        filters=filters,
        can_delete=who.may("admin"),
        say=words,
    )


@router.get("/readings/{reading}/card")
def one_card(request: Request, study: str, reading: str, here: Here, who: Reader, *, preset: str = "") -> HTMLResponse:
    """One reading's card, without a page around it: the Read page shows it.

    At another operating point it is decided from the probabilities that are kept: looking writes nothing.
    """
    row = here.worklist.studies.reading(reading)
    if row.study != study:
        raise NotFound("the study has no such reading")
    facts = here.worklist.studies.film(row.film).facts
    meta = _metas(here.bundles).get(row.bundle_sha256)
    if not preset or preset == row.preset:
        return page(request, who, "reading_card", card=card(row, meta, facts), more=True, say=words)
    if meta is None:
        raise NotFound(
            "the bundle of this reading is not installed", remedy="Look at it with the setting that it was read with"
        )
    document = to_dict(decide_again(from_dict(row.document), meta, preset))
    looked = card(replace(row, document=document, preset=preset), meta, facts)
    kept = "" if row.preset is None else row.preset
    return page(request, who, "reading_card", card=looked, more=True, say=words, kept=kept, document=document)


@router.post("/verdict")
def give_verdict(
    request: Request,
    study: str,
    here: Here,
    who: Writer,
    *,
    kind: Annotated[Literal["agree", "correct", "not-assessable"], Form()],
    corrected_to: Annotated[str, Form(max_length=100)] = "",
    comment: Annotated[str, Form(max_length=_COMMENT)] = "",
    findings: Annotated[str, Form(max_length=_COMMENT)] = "",
    then: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Agree, correct, or say that it is not assessable; then stay, or go to the next study of the worklist."""
    filters = Filters.of(request.query_params)
    after = here.worklist.studies.neighbours(study, filters.query()).next if then == "next" else None
    told = corrected_to or None if kind == "correct" else None
    seen = [line.strip() for line in findings.splitlines() if line.strip()]
    given = here.worklist.verdicts.give(study, kind, told, comment.strip(), findings=seen, by=who.name)
    url = filters.url(f"/studies/{after or study}")
    if after:  # the next page offers to take it back
        url += f"{'&' if '?' in url else '?'}{urlencode({'given': study, 'verdict': given.id})}"
    return RedirectResponse(url, status_code=303)


@router.post("/withdraw")
def withdraw(
    request: Request, study: str, here: Here, who: Writer, *, verdict: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Take one's own verdict back, and show the study."""
    here.worklist.verdicts.withdraw(study, verdict, by=who.name)
    return RedirectResponse(Filters.of(request.query_params).url(f"/studies/{study}"), status_code=303)


@router.post("/again")
async def again(
    request: Request,
    study: str,
    here: Here,
    who: Writer,
    *,
    chosen: Annotated[str, Form(alias="with", max_length=300)],
    film: Annotated[str, Form()] = "",
    force: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Read the films again, with "bundle|preset", and show the reading of the film that was looked at."""
    bundle, _, preset = chosen.partition("|")
    rows = await read_again(here, who, study, Choice(bundle or None, preset or None, force=force))
    mine = next((row for row in rows if row.film == film), rows[0])
    search = "&".join(part for part in (f"reading={mine.id}", Filters.of(request.query_params).search()) if part)
    return RedirectResponse(f"/studies/{study}?{search}", status_code=303)


@router.post("/note")
def write_note(
    request: Request, study: str, here: Here, who: Writer, *, note: Annotated[str, Form(max_length=_COMMENT)] = ""
) -> RedirectResponse:
    """Write the note."""
    here.worklist.studies.note(study, note.strip(), by=who.name)
    return RedirectResponse(Filters.of(request.query_params).url(f"/studies/{study}"), status_code=303)


@router.post("/delete")
def delete(request: Request, study: str, here: Here, who: Admin) -> RedirectResponse:
    """Delete the study; the question was asked before, by the dialog or on the worklist's own page."""
    filters = Filters.of(request.query_params)
    deleted = delete_studies(here, [study], who.name)
    search = "&".join(part for part in (filters.search(cursor=""), f"done=delete&n={deleted}") if part)
    return RedirectResponse(f"/worklist?{search}", status_code=303)


def _film_of_study(row: FilmRow, detail: StudyRecord) -> FilmShown:
    readings = tuple(reading for reading in detail.readings if reading.film == row.sha256)
    return FilmShown(row, readings, _facts(row))


def _chosen(films: tuple[FilmShown, ...], lead: str, film: str, reading: str) -> tuple[FilmShown, ReadingRow | None]:
    """The film and the reading that are shown: what was asked for if it is there, else what the summary is of."""
    for each in films:
        for row in each.readings:
            if reading and row.id == reading:
                return each, row
    by_name = {each.row.sha256: each for each in films}
    shown = by_name.get(film) or by_name.get(lead) or films[0]
    return shown, shown.readings[0] if shown.readings else None


def _metas(bundles: Bundles) -> Mapping[str, BundleMeta]:
    """What the bundles that are here say of themselves, by their hash."""
    return {known.sha256: known.meta for known in bundles.all()}


def _facts(row: FilmRow) -> dict[str, str]:
    """What is known of a film, in words."""
    size = f"{row.columns} x {row.rows} pixels" if row.rows and row.columns else ""
    spacing = f"{row.spacing_mm[0]:.3g} x {row.spacing_mm[1]:.3g} mm a pixel" if row.spacing_mm else ""
    age = age_in_years(row.facts)
    of_age = "" if age is None else f"{age:.0f} years" if age >= 2 else f"{12 * age:.0f} months"
    found = {
        "File": row.name,
        "Format": ", ".join(part for part in (row.format or "not recognised", size, spacing) if part),
        "Kept": words.bytes_of(row.bytes),
        "Age": of_age,
        "Sex": _SEX.get(row.facts.get("PatientSex", ""), ""),
        "View": row.facts.get("ViewPosition", ""),
        "Modality": row.facts.get("Modality", ""),
        "sha256": row.sha256,
    }
    return {name: value for name, value in found.items() if value}
