"""Whether a film may be read: the facts, a look, a mending, a second look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pneumoscope.gate.codes import refusal
from pneumoscope.gate.examine import examine
from pneumoscope.gate.facts import age_years, refused_by_facts
from pneumoscope.gate.mend import INVERTED, cut_words, film_in, remended, straightened_words, turned_words
from pneumoscope.gate.tilt import film_aslant, ground_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.domain.reading import Refusal
    from pneumoscope.gate.examine import Look
    from pneumoscope.gate.spec import GateSpec
    from pneumoscope.gate.tilt import Aslant
    from pneumoscope.lungs import LungField

__all__ = ["Admission", "admit"]

_MENDABLE = frozenset({"turned", "inverted"})
_TILT = 3.0  # degrees; films are learned from with up to 10 either way, and less than this is no tilt
_DARK = 48  # gray levels of 255: a ground up to this is black
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

    A film that passes as it is is not touched, unless it lies aslant or on a bright ground: then it is freed of that,
    because it is read worse with it. One that does not pass is mended as the head advises (turn, inversion),
    straightened, and freed of what lies around it, and looked at again: what was mended wrongly is refused like any
    other picture.

    Args:
        film: As it was loaded.
        spec: The thresholds.
        mend: Whether turns, inversions, tilts and borders may be put right.

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
    if mend:
        for words in _plans(first):
            tried = examine(remended(film, words), spec)
            if tried.fit:
                look, mended, code = tried, words, tried.code
                break
            # What is wrong with a film that was turned upright in vain is not that it was turned.
            code = code if code not in _MENDABLE else tried.code if tried.code not in _MENDABLE else "outside-domain"
    elif not first.fit:
        freed = (words for words in _freed(first) if examine(remended(film, words), spec).fit)
        code = next((_named(words) for words in freed), code)
    return Admission(
        look.film,
        look.lungs,
        None if code is None else refusal(code),
        mended,
        _warnings(look, spec) if code is None else (),
    )


def _plans(look: Look) -> Iterator[tuple[str, ...]]:
    """What may mend a film, the likeliest first; what could not be told as it lay is asked again when it is freed."""
    if look.fit:
        ground = ground_of(look.lungs.seen)
        # Black margins that lie straight are a part of many films, and of those that were learned from.
        yield from (words for words in _freed(look) if len(words) > 1 or ground > _DARK) if ground is not None else ()
        return
    advice = _advice(look)
    if advice:
        yield advice
    for freed in _freed(look):
        yield freed + _advice(examine(remended(look.film, freed), look.spec))


def _freed(look: Look) -> Iterator[tuple[str, ...]]:
    """The film freed of what lies around it: straightened where it is tilted, else cut free."""
    # Of several films one has four edges too, and which one is meant is not for us to say.
    aslant = film_aslant(look.film) if look.code != "several-films" else None
    if aslant is not None and abs(aslant.degrees) >= _TILT:
        yield from _straightened(look, aslant)
    box = film_in(look.lungs.seen, look.film.rows, look.film.columns)
    if box is not None and _large_enough(box, look):
        yield (cut_words(box),)
    if aslant is not None and abs(aslant.degrees) < _TILT:
        yield from _straightened(look, replace(aslant, degrees=0.0))


def _straightened(look: Look, aslant: Aslant) -> Iterator[tuple[str, ...]]:
    """The film within its four edges, if that leaves anything out and enough is left."""
    words = (straightened_words(-aslant.degrees),) if aslant.degrees else ()
    straight = remended(look.film, words)
    box = aslant.on(straight.rows, straight.columns)
    if box != (0, 0, straight.rows, straight.columns) and _large_enough(box, look):
        yield (*words, cut_words(box))


def _large_enough(box: tuple[int, int, int, int], look: Look) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) >= look.spec.side


def _named(words: tuple[str, ...]) -> str:
    """The code of a film that would pass if it were freed."""
    return "wide-borders" if len(words) == 1 else "tilted"


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
