"""A reading in words and the few numbers that a page shows: the summary that every report and every page uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pneumoscope.types.age import parse_age
from pneumoscope.types.correction import Crop, Invert, Rotate, Straighten
from pneumoscope.types.reading import INDETERMINATE
from pneumoscope.types.report_context import ReportContext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pneumoscope.types.correction import Correction
    from pneumoscope.types.operating_point import OperatingPointSummary
    from pneumoscope.types.population import Population
    from pneumoscope.types.proportion import Proportion
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Finding, Pattern, Reading

__all__ = [
    "PATTERN_CAVEAT",
    "PRELIMINARY_NOTE",
    "SIDES_NOTE",
    "ReportContext",
    "Summary",
    "Tone",
    "capitalize_first",
    "contradicts",
    "correction_words",
    "describe_operating_point",
    "percent",
    "plain",
    "population_sentences",
    "summarize",
]


PATTERN_CAVEAT = "A pattern is a radiographic impression, not microbiology: it does not name the germ."
SIDES_NOTE = "R, L: as if facing the patient."
PRELIMINARY_NOTE = "Preliminary: read by a program, not confirmed by a person."

Tone: TypeAlias = Literal["called", "absent", "open", "refused", "forced"]

_SEX = {"F": "female", "M": "male", "O": "other"}
_AGE = {"D": "day", "W": "week", "M": "month", "Y": "year"}


@dataclass(frozen=True, slots=True)
class Summary:
    """A reading in words and the few numbers that a page draws; nothing here knows of HTML or of paper.

    Attributes:
        film: The name of its file without its folders, which may tell of people; without what is not printable.
        headline: The call, or that the film was refused.
        tone: What the headline is: "called", "absent", "open" or "refused"; "forced" if the gate refused the film and
            it was read all the same, so that the call looks like no call to rely on.
        lead: One or two sentences under it: where the call was made, or why the film was refused.
        remedy: What to do about a refusal; empty if it was read.
        meaning: What the operating point means, sentence by sentence; empty if it is not known, or does not hold since
            the reading was forced, or the patient is of an age that was not learned from.
        population: For whom the model was made, the patient's age, and what to expect at a new site, sentence by
            sentence; empty if it is not known.
        name: Of the finding; empty if refused.
        probability: Of the finding; None if refused.
        relation: Where the probability lies: "above the threshold of 30.4 %"; empty if refused.
        marks: Thresholds of the call, rising, those within [0, 1].
        classes: Name and probability, in the bundle's order; empty if refused.
        against: Those of the classes that are not the finding.
        pattern: What it looks like and its set, sentence by sentence; empty without a pattern.
        evidence: Where the evidence lies, one sentence; empty if refused.
        zones: Share by zone; empty if refused, if nothing speaks for the finding, or if it is said to be absent (shares
            of next to nothing would look like a place).
        mended: What was put right before reading.
        warnings: What a person should know; that the reading was forced stands in the lead.
        facts: What stands at the end: name and value.
        notice: Research use only.
    """

    film: str
    headline: str
    tone: Tone
    lead: str
    remedy: str
    meaning: tuple[str, ...]
    population: tuple[str, ...]
    name: str
    probability: float | None
    relation: str
    marks: tuple[float, ...]
    classes: tuple[tuple[str, float], ...]
    against: tuple[str, ...]
    pattern: tuple[str, ...]
    evidence: str
    zones: dict[str, float]
    mended: tuple[str, ...]
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    notice: str


def summarize(reading: Reading, given: ReportContext) -> Summary:
    """Put a reading into words.

    Args:
        reading: Read or refused; of a refused one no number is said.
        given: Its picture's facts, the meaning of its operating point, its time.
    """
    found, refusal = reading.finding, reading.refusal
    zones = {} if reading.evidence is None or _is_absent(found) else reading.evidence.zones
    forced, warnings = reading.forced, reading.warnings
    facts = given.facts if given.film is None else {**given.facts, **given.film.facts}
    outside = given.population is not None and given.population.covers(_age(facts)) is False
    if refusal is not None or found is None:
        headline, lead = "Refused", f"No reading was made: {refusal.reason}." if refusal else "No reading was made."
    else:
        headline = f"{capitalize_first(found.call)}{' (forced)' if forced else ''}"
        lead = f"{_forced(warnings) if forced else ''}{_threshold_sentence(found)}"
    return Summary(
        film=plain(_file_name(reading.film.path)),
        headline=headline,
        tone=_tone(found, forced=forced),
        lead=plain(lead),
        remedy=plain(f"{refusal.remedy}.") if refusal and refusal.remedy else "",
        meaning=() if forced or outside else _operating_point_sentences(given.meaning, found),
        population=()
        if given.population is None
        else population_sentences(given.population, facts, None if forced else found),
        name=found.name if found else "",
        probability=found.probability if found else None,
        relation=_relation(found) if found else "",
        marks=() if found is None else tuple(m for m in (found.lower, found.threshold) if m is not None and 0 < m <= 1),
        classes=() if found is None else tuple((reading.probabilities or {}).items()),
        against=_negative_classes(reading),
        pattern=_pattern(reading),
        evidence=_evidence(reading),
        zones=zones if any(zones.values()) else {},
        mended=tuple(correction_words(each) for each in reading.corrections),
        warnings=tuple(plain(text) for text in (warnings[1:] if forced else warnings)),
        facts=_provenance(reading, given.film, given.when()),
        notice=reading.notice,
    )


def plain(text: str) -> str:
    """A text as it may stand on a terminal or a page: what is not printable (an escape code, say) becomes "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def correction_words(correction: Correction) -> str:
    """What was put right, in words: "turned 90 degrees clockwise"."""
    match correction:
        case Invert():
            return "inverted"
        case Rotate(degrees):
            return f"turned {degrees} degrees clockwise"
        case Straighten(tilt):
            return f"straightened by {abs(tilt):g} degrees {'counter' if tilt < 0 else ''}clockwise"
        case Crop(top, left, bottom, right):
            return f"cut to rows {top} to {bottom}, columns {left} to {right}"


def percent(value: float, digits: int = 1) -> str:
    """A share as per cent; what is not quite none or all is not called so. ``web/static/js/dom.js`` does the same."""
    least = 10.0**-digits
    if 0 < 100 * value < least / 2:
        return f"< {least:.{digits}f} %"
    if 100 - least / 2 <= 100 * value < 100:
        return f"> {100 - least:.{digits}f} %"
    return f"{100 * value:.{digits}f} %"


def _tone(found: Finding | None, *, forced: bool) -> Tone:
    if found is None or forced:
        return "refused" if found is None else "forced"
    return "called" if found.call == found.name else "open" if found.call == INDETERMINATE else "absent"


def _forced(warnings: tuple[str, ...]) -> str:
    """The first warning of a forced reading says why quality control refused it."""
    return f"Forced{f': {warnings[0]}' if warnings else ''}. Nothing vouches for what follows. "


def _is_absent(found: Finding | None) -> bool:
    return found is not None and found.call == f"no {found.name}"


def _relation(found: Finding) -> str:
    """A probability of 31 % beside another class's 69 % looks like a slip without the threshold that it is above."""
    at = f"the threshold of {percent(found.threshold)}"
    if found.lower is None:
        return f"{'above' if found.probability >= found.threshold else 'below'} {at}"
    if found.probability >= found.threshold:
        return f"above {at}"
    lower = f"the threshold of {percent(found.lower)}"
    return f"below {lower}" if found.probability < found.lower else f"between {lower} and {at}"


def _threshold_sentence(found: Finding) -> str:
    if found.lower is None:
        name = capitalize_first(found.name)
        return f"{name} is called from {percent(found.threshold)} (operating point: {found.preset})."
    told = [
        f"no {found.name} below {percent(found.lower)}" if found.lower > 0 else f"no {found.name} is never said",
        f"{found.name} from {percent(found.threshold)}" if found.threshold <= 1 else f"{found.name} is never called",
        "indeterminate between",
    ]
    return f"{capitalize_first(', '.join(told))} (operating point: {found.preset})."


def _operating_point_sentences(meaning: OperatingPointSummary | None, found: Finding | None) -> tuple[str, ...]:
    if meaning is None or found is None or meaning.preset != found.preset:
        return ()
    return describe_operating_point(meaning, found.name)


def describe_operating_point(meaning: OperatingPointSummary, name: str) -> tuple[str, ...]:
    """What an operating point means for the finding of that name, sentence by sentence.

    Counts of 100 first: people understand them better than rates (Gigerenzer and Edwards, BMJ 327 (2003)).
    """
    of = _natural_denominator(meaning)
    calls, wrong = round(of * meaning.sensitivity.value), of - round(of * meaning.specificity.value)
    first = "On the films that this operating point was chosen on, it"
    if meaning.left_open is not None:
        first += (
            f" left {_count_or_none(round(of * meaning.left_open.value))} of {of} open. Of those that it decided, it"
        )
    return (
        f"{first} called {calls} of {of} with {name} and missed {_count_or_none(of - calls)}; "
        f"of {of} without {name} it wrongly "
        f"called {_count_or_none(wrong)}.",
        f"Sensitivity {_rate_with_interval(meaning.sensitivity)}, "
        f"specificity {_rate_with_interval(meaning.specificity)}.",
        plain(f"Chosen on: {meaning.chosen_on}. Other films can differ."),
    )


def population_sentences(
    population: Population,
    facts: Mapping[str, str] | None = None,
    found: Finding | None = None,
    *,
    new_site_of: str = "",
) -> tuple[str, ...]:
    """For whom a model was made, whether this patient is one of them, and what to expect at a new site.

    Args:
        population: Of the bundle.
        facts: Of the film; None where no one film is spoken of.
        found: The decision; None for a film that was refused or forced, of which no rates are said.
        new_site_of: Without a film: the operating point whose rates at a new site are told.
    """
    if not population.sites:
        return ("For whom the model was made is not known.",)
    sites = ", ".join(f"{site.name} ({site.patients} patients, {_ages(site.ages)})" for site in population.sites)
    told = [f"Made from films of: {sites}."]
    covered = None
    if facts is not None:
        age, covered = _age_words(facts), population.covers(_age(facts))
        told.append(_age_sentence(age, covered))
    preset = new_site_of if found is None else found.preset
    if not preset or covered is False:
        return tuple(plain(each) for each in told)
    told.append(_new_site_sentence(population, preset))
    return tuple(plain(each) for each in told)


def _age_sentence(age: str, covered: bool | None) -> str:
    if not age:
        return "This film: age unknown, so whether the model was made for this patient is not known."
    if covered is False:
        return f"This film: {age}, an age that the model has not learned from. No rates are known for it."
    return f"This film: {age}."


def _new_site_sentence(population: Population, preset: str) -> str:
    rates = population.new_site
    if rates is None or rates.preset != preset:
        return "At a hospital that it has not learned from, how often it is right is not known."
    if rates.known_sites:
        return (
            "At a hospital that it has not learned from, how often it is right is not known. On other films of the "
            f"{rates.sites} hospitals that it learned from: sensitivity {_rate_from_to(rates.sensitivity)}, "
            f"specificity {_rate_from_to(rates.specificity)}."
        )
    return (
        f"At a hospital that it has not learned from ({rates.sites} were left out in turn): sensitivity "
        f"{_expected_rate(rates.sensitivity)}, specificity {_expected_rate(rates.specificity)}."
    )


def _ages(ages: tuple[float, float] | None) -> str:
    return "ages not known" if ages is None else f"ages {ages[0]:g} to {ages[1]:g}"


def _rate_from_to(rate: tuple[float, float, float]) -> str:
    value, low, high = (100 * each for each in rate)
    return f"{value:.0f} % ({low:.0f} to {high:.0f} %)"


def _expected_rate(rate: tuple[float, float, float]) -> str:
    value, low, high = (100 * each for each in rate)
    return f"{value:.0f} % (a further hospital's: {low:.0f} to {high:.0f} %)"


def _age(facts: Mapping[str, str]) -> float | None:
    return parse_age(facts.get("PatientAge", ""))


def _age_words(facts: Mapping[str, str]) -> str:
    """``45 years``, ``1 day``; empty where no age is told."""
    age = facts.get("PatientAge", "")
    if not (age[:3].isdecimal() and age[3:] in _AGE) or _age(facts) is None:
        return ""
    return f"{int(age[:3])} {_AGE[age[3:]]}{'' if int(age[:3]) == 1 else 's'}"


def _natural_denominator(meaning: OperatingPointSummary) -> int:
    """Of 100 films, or of 1,000 where 100 would hide that some were missed or wrongly called."""
    hidden = any(
        share.k < share.n and round(100 * share.value) == 100 for share in (meaning.sensitivity, meaning.specificity)
    )
    return 1000 if hidden else 100


def _rate_with_interval(share: Proportion) -> str:
    return (
        f"{100 * share.value:.1f} % ({share.k} of {share.n}; 95 % interval {100 * share.low:.1f} to "
        f"{100 * share.high:.1f} %)"
    )


def _negative_classes(reading: Reading) -> tuple[str, ...]:
    """The classes that are not the finding."""
    return tuple(name for name in reading.probabilities or () if name not in reading.positive_classes)


def _pattern(reading: Reading) -> tuple[str, ...]:
    pattern, against = reading.pattern, _negative_classes(reading)
    if pattern is None:
        return ()
    told = [_pattern_sentence(pattern, reading.positive_classes)]
    if pattern.coverage is not None:
        inside = ", ".join(pattern.set) or "none: the film is unlike those of every class"
        told.append(
            f"Prediction set: {inside}. Such sets are built to hold the true class of {100 * pattern.coverage:g} of "
            "100 films."
        )
        if contradicts(reading):
            told.append(f"This one does not hold {' or '.join(against)}, as the call says: have a second look.")
    return (*told, PATTERN_CAVEAT)


def contradicts(reading: Reading) -> bool:
    """Whether the finding is said to be absent, and the prediction set rules out that it is."""
    pattern, against = reading.pattern, _negative_classes(reading)
    if pattern is None or pattern.coverage is None or not against or not _is_absent(reading.finding):
        return False
    return not set(against) & set(pattern.set)


def _pattern_sentence(pattern: Pattern, positive: Sequence[str]) -> str:
    if pattern.call is None:
        return "No pattern is named, since the finding is not called."
    if pattern.call == INDETERMINATE:
        held = [name for name in pattern.set if name in positive]
        if len(held) > 1:
            return f"Indeterminate pattern: {' and '.join(held)} are both in the prediction set."
        if held:
            return f"Indeterminate pattern: only {held[0]} is in the prediction set, and another pattern is likelier."
        return "Indeterminate pattern: the prediction set holds none of the patterns."
    return f"{capitalize_first(pattern.call)} pattern."


def _evidence(reading: Reading) -> str:
    if reading.evidence is None or reading.finding is None:
        return ""
    zones, name = reading.evidence.zones, reading.finding.name
    if not any(zones.values()):
        return f"Nowhere on the film does anything speak for {name}."
    if _is_absent(reading.finding):
        return f"Too little speaks for {name} to be called; where that little lies means nothing."
    most = max(zones, key=lambda zone: zones[zone])
    told = f"Most of what speaks for {name} lies in the {most} zone ({100 * zones[most]:.0f} % of it)."
    inside = reading.evidence.in_lungs
    return told if inside is None else f"{told} {100 * inside:.0f} % of it lies in the lung fields."


def _provenance(reading: Reading, film: Radiograph | None, when: datetime) -> tuple[tuple[str, str], ...]:
    info, model = reading.film, reading.model
    size = f", {info.columns} x {info.rows} pixels" if info.rows and info.columns else ""
    told = {
        "Read": f"{when:%Y-%m-%d %H:%M} UTC",
        "Film": f"{info.format or 'unknown format'}{size}",
        "From the file": "" if film is None else _from_header(film),
        "sha256 of the film": info.sha256 or "",
        "Bundle": f"{model.name} {model.version}" if model else "",
        "sha256 of the bundle": model.sha256 if model else "",
        "Software": f"{reading.software.name} {reading.software.version}",
    }
    return tuple((name, plain(value)) for name, value in told.items() if value)


def _from_header(film: Radiograph) -> str:
    """View, age and sex, as DICOM tells them: what helps to see that it is the right film."""
    facts = film.facts
    told = [facts[key] for key in ("Modality", "ViewPosition") if facts.get(key)]
    if age := _age_words(facts):
        told.append(age)
    if facts.get("PatientSex") in _SEX:
        told.append(_SEX[facts["PatientSex"]])
    return ", ".join(told)


def _file_name(path: str) -> str:
    """The last part of a path, of this system's or of Windows'."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def _count_or_none(number: int) -> str:
    return str(number) if number else "none"


def capitalize_first(text: str) -> str:
    """With a capital at its beginning, and the rest as it is."""
    return f"{text[:1].upper()}{text[1:]}"
