"""The Models page: model cards, comparison, import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from pneumoscope.errors import NotFound, UsageError
from pneumoscope.reports.summary import percent
from pneumoscope.server.api.bundles import MAX_BUNDLE_BYTES
from pneumoscope.server.auth.identity import Admin, Reader
from pneumoscope.server.charts import PlanePoint, RateRow, plane, rate_rows, reach_of
from pneumoscope.server.context import Here
from pneumoscope.server.intake.upload import TooMuch
from pneumoscope.server.pages import wording as words
from pneumoscope.server.pages.errors import PageRoute
from pneumoscope.server.pages.render import page
from pneumoscope.server.pages.wording import bytes_of
from pneumoscope.types.proportion import Proportion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from pneumoscope.model.schema import BundleMeta, BundleMetric, ThreeWayPoint
    from pneumoscope.server.engine.bundles import Known

__all__ = [
    "BundleComparison",
    "Confusion",
    "Group",
    "ModelCard",
    "Point",
    "compared",
    "confusions",
    "figure",
    "grouped",
    "held_out",
    "model_card",
    "router",
]

_GROUPS = {
    "Telling films with the finding from those without": (
        "AUC",
        "recall",
        "specificity",
        "precision",
        "F1",
        "accuracy",
    ),
    "Which class": ("3-class accuracy", "macro F1", "bacterial against viral AUC"),
    "Whether probabilities are right": ("Brier", "ECE", "log loss", "3-class log loss"),
}


@dataclass(frozen=True, slots=True)
class Confusion:
    """Films by what they were and what was called.

    Attributes:
        title: Of which setting.
        on: Which films, in words.
        columns: Calls.
        rows: Name of the truth, and a count by call.
    """

    title: str
    on: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]

    def share(self, row: int, column: int) -> float:
        """Of the films of the row, those of the cell."""
        counts = self.rows[row][1]
        return counts[column] / (sum(counts) or 1)


@dataclass(frozen=True, slots=True)
class Point:
    """A setting with its two rates on some films; ``held_out`` says whether those chose it or not."""

    preset: str
    sensitivity: Proportion
    specificity: Proportion
    held_out: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that answer one question: name, value, interval, films."""

    title: str
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the page draws.

    Attributes:
        known: The bundle.
        in_use: Whether it reads unless another one is asked for.
        limits: Whole sentences.
        points: Settings, on the films that chose them and on held-out ones, numbered as in the chart.
        plane: Chart of the points.
        rates: Chart of the same rates in rows.
        confusions: By setting.
        groups: All figures.
        facts: What stands at the end.
    """

    known: Known
    in_use: bool
    limits: tuple[str, ...]
    points: tuple[Point, ...]
    plane: Markup
    rates: Markup
    confusions: tuple[Confusion, ...]
    groups: tuple[Group, ...]
    facts: dict[str, str]


def model_card(known: Known, *, in_use: bool, name: str = "card", beside: Known | None = None) -> ModelCard:
    """Put together what a bundle says of itself.

    Args:
        known: The bundle.
        in_use: Whether it is the one in use.
        name: Before the names of the charts, where a page has two cards.
        beside: The other one of two, so that their charts have the same axes.
    """
    meta = known.meta
    points = _points(meta)
    called = [f"{n}. {point.preset}, {_on(point)}" for n, point in enumerate(points, 1)]
    rows = [
        row
        for label, point in zip(called, points, strict=True)
        for row in (
            _row(f"{label}: sensitivity {percent(point.sensitivity.value)}", point.sensitivity, point),
            _row(f"{label}: specificity {percent(point.specificity.value)}", point.specificity, point),
        )
    ]
    reach = 0.0 if beside is None else reach_of(_marks(_points(beside.meta)))
    title = f"{meta.name} {meta.version}: {len(points)} settings in the plane of the ROC, with 95 % intervals"
    return ModelCard(
        known=known,
        in_use=in_use,
        limits=_limits(meta),
        points=points,
        plane=plane(f"{name}-plane", title, _marks(points), reach=reach),
        rates=rate_rows(f"{name}-rates", f"{meta.name} {meta.version}: sensitivity and specificity by setting", rows),
        confusions=confusions(meta),
        groups=grouped(meta),
        facts=_facts(known),
    )


def held_out(meta: BundleMeta, preset: str) -> tuple[Proportion, Proportion] | None:
    """Sensitivity and specificity on the films of the figures; None if the bundle does not tell both."""
    found = [_as_rate(meta.figures.get(f"{kind} ({preset})")) for kind in ("recall", "specificity")]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def confusions(meta: BundleMeta) -> tuple[Confusion, ...]:
    """Films by truth and call, from the counts of the rates: of held-out films where the bundle tells, else others."""
    finding = meta.finding
    truths = (f"with {finding}", f"without {finding}")
    found: list[Confusion] = []
    for point in meta.operating_points:
        held = held_out(meta, point.preset)
        sensitivity, specificity = held or (point.sensitivity, point.specificity)
        on = meta.figures_on if held else point.chosen_on
        rows = (
            (truths[0], (sensitivity.n - sensitivity.k, sensitivity.k)),
            (truths[1], (specificity.k, specificity.n - specificity.k)),
        )
        found.append(Confusion(point.preset, on, (f"no {finding}", finding), rows))
    if meta.band is not None:
        found.append(_band(meta.band, finding, truths))
    return tuple(found)


def grouped(meta: BundleMeta) -> tuple[Group, ...]:
    """All figures, by the question that they answer; those that are not known here come last."""
    left = dict(meta.figures)
    groups: list[Group] = []
    for title, names in _GROUPS.items():
        mine = [name for name in left if name.split(" (")[0] in names]
        if mine:
            groups.append(Group(title, tuple(figure(name, left.pop(name)) for name in mine)))
    if left:
        groups.append(Group("Others", tuple(figure(name, value) for name, value in left.items())))
    return tuple(groups)


def figure(name: str, value: BundleMetric) -> tuple[str, str, str, str]:
    """A line of the table of figures."""
    interval = "" if value.low is None or value.high is None else f"{value.low:.4f} to {value.high:.4f}"
    return name, f"{value.value:.4f}", interval, f"{value.n:,}"


def _points(meta: BundleMeta) -> tuple[Point, ...]:
    found: list[Point] = []
    for point in meta.operating_points:
        found.append(Point(point.preset, point.sensitivity, point.specificity, held_out=False))
        held = held_out(meta, point.preset)
        if held is not None:
            found.append(Point(point.preset, *held, held_out=True))
    return tuple(found)


def _marks(points: tuple[Point, ...]) -> list[PlanePoint]:
    return [PlanePoint(point.preset, point.sensitivity, point.specificity, int(point.held_out)) for point in points]


def _on(point: Point) -> str:
    return "held-out films" if point.held_out else "films that chose it"


def _row(label: str, value: Proportion, point: Point) -> RateRow:
    return RateRow(label, value.value, value.low, value.high, int(point.held_out))


def _as_rate(value: BundleMetric | None) -> Proportion | None:
    if value is None or value.low is None or value.high is None:
        return None
    return Proportion(value.value, value.low, value.high, round(value.value * value.n), value.n)


def _band(band: ThreeWayPoint, finding: str, truths: tuple[str, str]) -> Confusion:
    with_, without = band.between_with, band.between_without
    rows = (
        (truths[0], (band.missed.k, with_.k, with_.n - with_.k - band.missed.k)),
        (truths[1], (without.n - without.k - band.false_calls.k, without.k, band.false_calls.k)),
    )
    return Confusion(band.preset, band.chosen_on, (f"no {finding}", "indeterminate", finding), rows)


def _limits(meta: BundleMeta) -> tuple[str, ...]:
    found = [
        f"The figures are of {meta.figures_on or 'films that are not named'}. Films of another hospital, machine or "
        "age may read differently; watch the drift on the dashboard and the verdicts.",
        "Only frontal films are read. What else may be wrong with a patient is not looked for: a call of "
        f"no {meta.finding} is no finding of health.",
    ]
    if len(meta.positive) > 1:
        names = " and ".join(meta.classes[i].name for i in meta.positive)
        found.append(f"The patterns ({names}) are radiographic impressions, not microbiology.")
    gate = meta.gate
    if gate is None:
        found.append("It has no gate: whatever it is given, it reads.")
    else:
        if gate.ages is not None:
            low, high = gate.ages
            found.append(
                f"It learned from patients aged {low:g} to {high:g} years; of others it warns, if the file tells."
            )
        found.append(
            f"Its gate refused {percent(gate.false_refusals)} of {gate.films:,} good films ({gate.chosen_on})."
        )
    prevalence = _prevalence(meta)
    if prevalence:
        found.append(prevalence)
    return tuple(found)


def _prevalence(meta: BundleMeta) -> str:
    """Of how many films the probabilities were calibrated."""
    films = meta.provenance.films
    counts = [films.get(one.name) for one in meta.classes]
    if meta.sites or any(count is None for count in counts):
        return ""
    with_ = sum(count or 0 for one, count in zip(meta.classes, counts, strict=True) if one.positive)
    share = with_ / max(1, sum(count or 0 for count in counts))
    return (
        f"{percent(share, 0)} of the films that it learned from had {meta.finding}. Where it is rarer, the "
        "probabilities are too high; pneumoscope calibrate-site fits them to a site."
    )


def _reference(meta: BundleMeta) -> str:
    own = meta.reference
    if own is None:
        return "the first films that it meets in a web application"
    return f"{own.on}, {own.finding:,} of them with {meta.finding}, of about {own.size[0]} x {own.size[1]} pixels"


def _facts(known: Known) -> dict[str, str]:
    meta, origin = known.meta, known.meta.provenance
    spec = meta.preprocess
    levels = ", ".join(f"{100 * level.coverage:.0f} %" for level in meta.conformal) or "none"
    told = {
        "Came": "with the package" if known.shipped else "by import",
        "Classes": ", ".join(
            f"{c.name} ({meta.finding if c.positive else 'no ' + meta.finding})" for c in meta.classes
        ),
        "Network": f"{meta.architecture.split(' {')[0]}, {meta.parameters:,} weights, {bytes_of(known.bytes)}",
        "Sees": f"{spec.size} x {spec.size} pixels, percentiles {spec.low:g} to {spec.high:g} made black and white",
        "Calibration": f"temperature {meta.calibrator.temperature:.3g}, bias "
        + ", ".join(f"{bias:+.2g}" for bias in meta.calibrator.bias),
        "Sets of classes": levels,
        "Drift is measured against": _reference(meta),
        "Made": origin.created.replace("T", " ").replace("+00:00", " UTC"),
        "Seed": str(origin.seed),
        "Machine": f"{origin.machine}, {origin.minutes:.0f} minutes" if origin.machine else "",
        "Software": ", ".join(f"{name} {version}" for name, version in origin.software.items()),
        "Data manifest": origin.manifest_sha256,
        "Split": origin.split_sha256,
        "sha256": known.sha256,
    }
    return {name: value for name, value in told.items() if value}


router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class BundleComparison:
    """One line of the comparison: what, of the first, of the second."""

    what: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Whether the two differ."""
        return self.first != self.second


@router.get("/models")
def models(request: Request, here: Here, who: Reader, bundle: str = "") -> HTMLResponse:
    """All bundles, and the card of one: the one that is asked for, else the one in use."""
    known, in_use = here.bundles.all(), here.bundles.in_use
    chosen = _of(known, bundle or in_use)
    return page(
        request,
        who,
        "models",
        bundles=known,
        in_use=in_use,
        card=model_card(chosen, in_use=chosen.name == in_use),
        can_admin=who.may("admin"),
        say=words,
    )


@router.post("/models/use")
def use(here: Here, who: Admin, bundle: Annotated[str, Form()]) -> RedirectResponse:
    """Put a bundle in use; films that come after it are read with it."""
    here.bundles.use(bundle, by=who.name)
    return RedirectResponse("/models", status_code=303)


@router.post("/models/import")
async def import_bundle(request: Request, here: Here, who: Admin) -> RedirectResponse:
    """Import the bundle of the form (without a script); it is not put in use by that."""
    async with request.form(max_files=1, max_fields=1) as form:  # here, so that nobody else's body is even read
        given = form.get("bundle")
        if not isinstance(given, UploadFile) or not given.size:
            raise UsageError("no file was chosen", remedy="Choose an ONNX file with a bundle's metadata")
        if given.size > MAX_BUNDLE_BYTES:
            raise TooMuch(f"a bundle has at most {MAX_BUNDLE_BYTES / 2**20:.0f} MiB")
        data = await given.read()
    known = await run_in_threadpool(lambda: here.bundles.add(data, by=who.name, check=here.engine.check))
    return RedirectResponse(f"/models?bundle={quote(known.name, safe='')}", status_code=303)


@router.get("/models/compare")
def compare(request: Request, here: Here, who: Reader, a: str = "", b: str = "") -> HTMLResponse:
    """Two bundles side by side; without names, the one in use and the next."""
    known, in_use = here.bundles.all(), here.bundles.in_use
    first = _of(known, a or in_use)
    second = _of(known, b) if b else next((each for each in known if each.name != first.name), first)
    pair = (("card-1", first, second), ("card-2", second, first))
    cards = [model_card(one, in_use=one.name == in_use, name=name, beside=other) for name, one, other in pair]
    return page(
        request,
        who,
        "models_compare",
        title="Compare bundles",
        active="models",
        bundles=known,
        in_use=in_use,
        cards=cards,
        lines=compared(*cards),
        same_films=first.meta.figures_on == second.meta.figures_on,
        say=words,
    )


def compared(first: ModelCard, second: ModelCard) -> tuple[BundleComparison, ...]:
    """All lines of the comparison: what each is, and each figure that one of them has."""
    pair = [_said(card) for card in (first, second)]
    names = dict.fromkeys([*pair[0], *pair[1]])
    return tuple(BundleComparison(name, pair[0].get(name, "not told"), pair[1].get(name, "not told")) for name in names)


def _said(card: ModelCard) -> dict[str, str]:
    meta = card.known.meta
    told = {
        "Version": meta.version,
        "Finds": f"{meta.finding} in {', '.join(meta.class_names)}",
        "Learned from": meta.provenance.data,
        "Figures on": meta.figures_on,
        "Sees": f"{meta.preprocess.size} x {meta.preprocess.size} pixels",
        "Weights": f"{meta.parameters:,}",
        "Gate": "none" if meta.gate is None else "yes",
        "Re-calibrated for": ", ".join(site.site for site in meta.sites) or "no site",
    }
    for point in card.points:
        on = "held-out films" if point.held_out else "films that chose it"
        told[f"Sensitivity, {point.preset}, {on}"] = words.rate(point.sensitivity)
        told[f"Specificity, {point.preset}, {on}"] = words.rate(point.specificity)
    for group in card.groups:
        for name, value, interval, films in group.rows:
            if name.split(" (")[0] not in {"recall", "specificity"}:
                told[name] = f"{value} ({interval}; {films} films)" if interval else f"{value} ({films} films)"
    return told


def _of(known: Sequence[Known], name: str) -> Known:
    found = next((each for each in known if each.name == name), None)
    if found is None:
        raise NotFound(f"there is no bundle {name[:80]!r}", remedy="The page Models lists those there are")
    return found
