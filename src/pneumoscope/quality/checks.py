"""Quality control of one film: metadata, a look, a correction, a second look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.lungs.segmentation import lung_segmenter
from pneumoscope.quality.corrections import apply_corrections, find_film_within_borders
from pneumoscope.quality.head import CHEST, FIT, FRONTAL, INVERTED, RADIOGRAPH, SINGLE, TURNS, WHOLE, quality_head
from pneumoscope.quality.measures import clipped_share, plain_tone, sharpness
from pneumoscope.quality.metadata import age_in_years, metadata_warnings, refusal_from_metadata
from pneumoscope.quality.refusals import make_refusal
from pneumoscope.quality.tilt import background_level, detect_tilted_film
from pneumoscope.types.correction import Crop, Invert, Rotate, Straighten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pneumoscope.lungs.segmentation import LungSegmentation
    from pneumoscope.quality.spec import QualitySpec
    from pneumoscope.quality.tilt import TiltedFilm
    from pneumoscope.types.correction import Correction
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Refusal

__all__ = ["MIRRORED_WARNING", "FilmScores", "QualityResult", "check_quality", "score_film"]

_REFUSAL_ORDER = (
    (RADIOGRAPH, "not-a-radiograph"),
    (CHEST, "not-a-chest"),
    (SINGLE, "several-films"),
    (WHOLE, "not-whole"),
    (FRONTAL, "not-frontal"),
)
"""Asked in this order; the first that is answered with no is the reason."""


@dataclass(frozen=True, eq=False)
class FilmScores:
    """What the gate sees of a film.

    Attributes:
        film: The film.
        lungs: Its lung fields; they serve the framing too.
        answers: float32 [A], logits in the order of ``ANSWERS``.
        distance: From the films that the head has learned from.
        side: How much more it looks mirrored than its mirror image does.
        spec: The thresholds.
    """

    film: Radiograph
    lungs: LungSegmentation
    answers: NDArray[np.float32]
    distance: float
    side: float
    spec: QualitySpec

    @cached_property
    def fit(self) -> bool:
        """Whether this is a film of the kind that is read, and like those that were learned from."""
        return bool(self.answers[FIT] >= self.spec.fit) and self.distance <= self.spec.distance

    @cached_property
    def damaged(self) -> str | None:
        """The code of what is wrong with its quality, if anything."""
        if sharpness(self.lungs.seen) < self.spec.sharpness:
            return "blurred"
        return "clipped-exposure" if clipped_share(self.film.pixels) > self.spec.clipped else None

    @property
    def inverted(self) -> bool:
        """Whether its tones look turned round."""
        return bool(self.answers[INVERTED] > 0)

    @property
    def quarters(self) -> int:
        """Quarter turns, counter-clockwise, by which it looks turned."""
        return int(np.argmax(self.answers[TURNS]))

    @property
    def mirrored(self) -> bool:
        """Whether the heart looks to be on the right."""
        return self.side >= self.spec.mirrored

    @property
    def code(self) -> str | None:
        """Why it may not be read, by the code; None if it may."""
        if self.fit:
            return self.damaged
        for question, code in _REFUSAL_ORDER:
            if self.answers[question] < 0:
                return code
        if self.damaged:
            return self.damaged
        if self.inverted:
            return "inverted"
        return "turned" if self.quarters else "outside-domain"


def score_film(film: Radiograph, spec: QualitySpec) -> FilmScores:
    """Find the lungs of a film and ask the head about what was seen.

    Raises:
        BundleDamaged: The lung-field network or the head cannot be used.
    """
    lungs = lung_segmenter().find(film)
    answers, distance, side = quality_head().judge(lungs.features)
    return FilmScores(film, lungs, answers, distance, side, spec)


_CORRECTABLE = frozenset({"turned", "inverted"})
_TILT = 3.0  # degrees; films are learned from with up to 10 either way, and less than this is no tilt
_DARK = 48  # gray levels of 255: a ground up to this is black
_STACKED = 1.4  # height over width from which a film that passes may be two
_PLAIN = {
    "white": "the picture is plain white: overexposed, or shown with a wrong window",
    "black": "the picture is plain black: not exposed, or shown with a wrong window",
    "gray": "the picture is one plain gray",
}
MIRRORED_WARNING = "the heart seems to lie on the right: a mirrored film, or a rare heart; the sides may be exchanged"


@dataclass(frozen=True, slots=True, eq=False)
class QualityResult:
    """What the gate says of a film.

    Attributes:
        film: As it is to be read: corrected, if it was.
        lungs: Its lung fields, if they were looked for.
        refusal: Why it may not be read; None if it may.
        corrections: What was put right, in the order in which it was.
        warnings: What a person should know.
        forced: Whether the refusal was overruled: it then stands in the first warning.
    """

    film: Radiograph
    lungs: LungSegmentation | None = None
    refusal: Refusal | None = None
    corrections: tuple[Correction, ...] = ()
    warnings: tuple[str, ...] = ()
    forced: bool = False


def check_quality(film: Radiograph, spec: QualitySpec, *, mend: bool = True) -> QualityResult:
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
    told = refusal_from_metadata(film.facts)
    if told is not None:
        return QualityResult(film, refusal=told)
    if min(film.rows, film.columns) < spec.side:
        reason = f"the picture has {film.rows} x {film.columns} pixels, and fewer than {spec.side} a side are too few"
        return QualityResult(film, refusal=make_refusal("too-small", reason))
    plain = plain_tone(film.pixels, film.white)
    if plain is not None:
        return QualityResult(film, refusal=make_refusal("clipped-exposure", _PLAIN[plain]))
    first = look = score_film(film, spec)
    if _stacked(first):
        return QualityResult(film, first.lungs, make_refusal("several-films"))
    code = first.code
    corrections: tuple[Correction, ...] = ()
    if mend:
        for plan in _correction_plans(first):
            tried = score_film(apply_corrections(film, plan), spec)
            if tried.fit:
                look, corrections, code = tried, plan, tried.code
                break
            # What is wrong with a film that was turned upright in vain is not that it was turned.
            code = (
                code if code not in _CORRECTABLE else tried.code if tried.code not in _CORRECTABLE else "outside-domain"
            )
    elif not first.fit:
        freed = (plan for plan in _without_surroundings(first) if score_film(apply_corrections(film, plan), spec).fit)
        code = next((_refusal_code_of_plan(plan) for plan in freed), code)
    return QualityResult(
        look.film,
        look.lungs,
        None if code is None else make_refusal(code),
        corrections,
        _warnings(look, spec) if code is None else (),
    )


def _stacked(look: FilmScores) -> bool:
    """Whether two films lie one above the other: each half is then a whole film by itself, as no half of a film is.

    The network sees several films side by side. What passes is asked only where it is much higher than wide.
    """
    film = look.film
    if look.code == "several-films" or (look.fit and film.rows < _STACKED * film.columns):
        return False
    middle = film.rows // 2
    if middle < look.spec.side:
        return False
    halves: tuple[Any, Any] = film.pixels[:middle], film.pixels[middle:]
    return all(score_film(replace(film, pixels=np.ascontiguousarray(half)), look.spec).fit for half in halves)


def _correction_plans(look: FilmScores) -> Iterator[tuple[Correction, ...]]:
    """What may mend a film, the likeliest first; what could not be told as it lay is asked again when it is freed."""
    if look.fit:
        ground = background_level(look.lungs.seen)
        # Black margins that lie straight are a part of many films, and of those that were learned from.
        yield from (
            (plan for plan in _without_surroundings(look) if len(plan) > 1 or ground > _DARK)
            if ground is not None
            else ()
        )
        return
    advice = _suggested_corrections(look)
    if advice:
        yield advice
    for freed in _without_surroundings(look):
        yield freed + _suggested_corrections(score_film(apply_corrections(look.film, freed), look.spec))


def _without_surroundings(look: FilmScores) -> Iterator[tuple[Correction, ...]]:
    """The film freed of what lies around it: straightened where it is tilted, else cut free."""
    # Of several films one has four edges too, and which one is meant is not for us to say.
    aslant = detect_tilted_film(look.film) if look.code != "several-films" else None
    if aslant is not None and abs(aslant.degrees) >= _TILT:
        yield from _straightened(look, aslant)
    box = find_film_within_borders(look.lungs.seen, look.film.rows, look.film.columns)
    if box is not None and _large_enough(box, look):
        yield (Crop(*box),)
    if aslant is not None and abs(aslant.degrees) < _TILT:
        yield from _straightened(look, replace(aslant, degrees=0.0))


def _straightened(look: FilmScores, aslant: TiltedFilm) -> Iterator[tuple[Correction, ...]]:
    """The film within its four edges, if that leaves anything out and enough is left."""
    turn = (Straighten(round(-aslant.degrees, 2)),) if aslant.degrees else ()
    straight = apply_corrections(look.film, turn)
    box = aslant.on(straight.rows, straight.columns)
    if box != (0, 0, straight.rows, straight.columns) and _large_enough(box, look):
        yield (*turn, Crop(*box))


def _large_enough(box: tuple[int, int, int, int], look: FilmScores) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) >= look.spec.side


def _refusal_code_of_plan(plan: tuple[Correction, ...]) -> str:
    """The code of a film that would pass if it were freed."""
    return "tilted" if any(isinstance(each, Straighten) for each in plan) else "wide-borders"


def _suggested_corrections(look: FilmScores) -> tuple[Correction, ...]:
    """The turn and the inversion that the head sees."""
    turned: tuple[Correction, ...] = (Rotate(90 * look.quarters),) if look.quarters else ()
    return (*turned, Invert()) if look.inverted else turned


def _warnings(look: FilmScores, spec: QualitySpec) -> tuple[str, ...]:
    warnings = metadata_warnings(look.film.facts)
    if look.mirrored:
        warnings += (MIRRORED_WARNING,)
    age = age_in_years(look.film.facts)
    if age is not None and spec.ages is not None and not spec.ages[0] <= age <= spec.ages[1]:
        low, high = spec.ages
        warnings += (f"the patient is {age:.3g} years old, and the model learned from patients of {low:g} to {high:g}",)
    return warnings
