"""Whether a film may be read: the facts, a look, a mending, a second look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.gate.codes import refusal
from pneumoscope.gate.examine import examine
from pneumoscope.gate.facts import age_years, refused_by_facts
from pneumoscope.gate.mend import INVERTED, cut_words, film_in, remended, turned_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.domain.reading import Refusal
    from pneumoscope.gate.examine import Look
    from pneumoscope.gate.spec import GateSpec
    from pneumoscope.lungs import LungField

__all__ = ["Admission", "admit"]

_MENDABLE = frozenset({"turned", "inverted"})
_MIRRORED = "the heart seems to lie on the right: a mirrored film, or a rare heart; the sides may be exchanged"


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """What the gate says of a film.

    Attributes:
        film: As it is to be read: mended, if it was.
        lungs: Its lung fields, if they were looked for.
        refusal: Why it may not be read; None if it may.
        mended: What was put right, in the order in which it was.
        warnings: What a person should know.
    """

    film: Radiograph
    lungs: LungField | None = None
    refusal: Refusal | None = None
    mended: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def admit(film: Radiograph, spec: GateSpec, *, mend: bool = True) -> Admission:
    """Ask of a film all that the gate asks.

    A film that passes as it is is never touched. One that does not is mended as the head advises (turn, inversion) and
    without its borders, and looked at again: what was mended wrongly is refused like any other picture.

    Args:
        film: As it was loaded.
        spec: The thresholds.
        mend: Whether turns, inversions and borders may be put right.

    Raises:
        BundleDamaged: The lung-field network or the head cannot be used.
    """
    told = refused_by_facts(film.facts)
    if told is not None:
        return Admission(film, refusal=told)
    if min(film.rows, film.columns) < spec.side:
        reason = f"the picture has {film.rows} x {film.columns} pixels, and fewer than {spec.side} a side are too few"
        return Admission(film, refusal=refusal("too-small", reason))
    first = look = examine(film, spec)
    code = first.code
    mended: tuple[str, ...] = ()
    if not first.fit and mend:
        for words in _plans(first):
            tried = examine(remended(film, words), spec)
            if tried.fit:
                look, mended, code = tried, words, tried.code
                break
            # What is wrong with a film that was turned upright in vain is not that it was turned.
            code = code if code not in _MENDABLE else tried.code if tried.code not in _MENDABLE else "outside-domain"
    elif not first.fit and any(examine(remended(film, cut), spec).fit for cut in _cuts(first)):
        code = "wide-borders"
    return Admission(
        look.film,
        look.lungs,
        None if code is None else refusal(code),
        mended,
        _warnings(look, spec) if code is None else (),
    )


def _plans(look: Look) -> Iterator[tuple[str, ...]]:
    """What may mend a film, the likeliest first; what could not be told with borders is asked again without."""
    advice = _advice(look)
    if advice:
        yield advice
    for cut in _cuts(look):
        yield cut
        advice = _advice(examine(remended(look.film, cut), look.spec))
        if advice:
            yield cut + advice


def _cuts(look: Look) -> Iterator[tuple[str, ...]]:
    """The borders cut off, if there are any and enough is left."""
    film = look.film
    box = film_in(look.lungs.seen, film.rows, film.columns)
    if box is not None and min(box[2] - box[0], box[3] - box[1]) >= look.spec.side:
        yield (cut_words(box),)


def _advice(look: Look) -> tuple[str, ...]:
    """The turn and the inversion that the head sees, in words."""
    turned = (turned_words(look.quarters),) if look.quarters else ()
    return turned + ((INVERTED,) if look.inverted else ())


def _warnings(look: Look, spec: GateSpec) -> tuple[str, ...]:
    warnings: tuple[str, ...] = (_MIRRORED,) if look.mirrored else ()
    age = age_years(look.film.facts)
    if age is not None and spec.ages is not None and not spec.ages[0] <= age <= spec.ages[1]:
        low, high = spec.ages
        warnings += (f"the patient is {age:.3g} years old, and the model learned from patients of {low:g} to {high:g}",)
    return warnings
