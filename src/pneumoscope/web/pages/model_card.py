"""The card of a bundle: what it is for, what it was made of, how good it was, and what it does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.bundle import Rate
from pneumoscope.web.charts import PlanePoint, RateRow, plane, rate_rows, reach_of
from pneumoscope.web.pages.words import bytes_of, percent

if TYPE_CHECKING:
    from markupsafe import Markup

    from pneumoscope.bundle import Band, BundleMeta, Figure
    from pneumoscope.web.engine import Known

__all__ = ["Confusion", "Group", "ModelCard", "Point", "confusions", "figure", "grouped", "held_out", "model_card"]

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
    sensitivity: Rate
    specificity: Rate
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


def held_out(meta: BundleMeta, preset: str) -> tuple[Rate, Rate] | None:
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


def figure(name: str, value: Figure) -> tuple[str, str, str, str]:
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


def _row(label: str, value: Rate, point: Point) -> RateRow:
    return RateRow(label, value.value, value.low, value.high, int(point.held_out))


def _as_rate(value: Figure | None) -> Rate | None:
    if value is None or value.low is None or value.high is None:
        return None
    return Rate(value.value, value.low, value.high, round(value.value * value.n), value.n)


def _band(band: Band, finding: str, truths: tuple[str, str]) -> Confusion:
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
        return "the first films that it meets in a reading room"
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
