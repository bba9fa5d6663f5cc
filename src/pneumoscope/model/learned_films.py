"""Which films a bundle learned from, as short salted hashes that travel in it.

A film is known again by the sha256 of its bytes. The bundle keeps six bytes of a hash of that with a salt: enough to
count the films of an evaluation that it has met (of ten thousand others, one is mistaken for one of ten thousand with a
chance below 1 in a million), and too little to look a film up elsewhere.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["LearnedFilms", "learned_films", "overlap_notes"]

_BYTES = 6
_NOTES = {
    "train": "The network learned from {count} of the {films} films: the figures flatter.",
    "val": "{count} of the {films} films chose the epoch, the calibration and the thresholds: the figures flatter.",
}


@dataclass(frozen=True, slots=True)
class LearnedFilms:
    """The films of one part of a training.

    Attributes:
        part: "train", whose films were learned from, or "val", whose films chose the epoch and the thresholds.
        salt: Of the hashes; the same for trainings on the same films.
        digests: Base64 of the hashes, six bytes a film, in rising order.
    """

    part: Literal["train", "val"]
    salt: str
    digests: str

    def __len__(self) -> int:
        """Number of films."""
        return len(b64decode(self.digests)) // _BYTES

    def count(self, digests: Iterable[str]) -> int:
        """How many of some films are among these; films are told by their sha256."""
        data = b64decode(self.digests)
        known = {data[at : at + _BYTES] for at in range(0, len(data), _BYTES)}
        return sum(_short(self.salt, digest) in known for digest in digests)


def learned_films(part: Literal["train", "val"], digests: Iterable[str], salt: str) -> LearnedFilms:
    """Keep films by their hashes.

    Args:
        part: Of the training.
        digests: sha256 of the films' bytes, in hexadecimal.
        salt: Any text; the hash of the manifest, so that trainings on the same films share it.
    """
    short = sorted({_short(salt, digest) for digest in digests})
    return LearnedFilms(part, salt, b64encode(b"".join(short)).decode("ascii"))


def overlap_notes(learned: Sequence[LearnedFilms], digests: Sequence[str]) -> tuple[str, ...]:
    """What must be said of figures on films that a bundle has met, each a sentence.

    Args:
        learned: Of the bundle.
        digests: sha256 of the films that it is evaluated on.
    """
    notes = []
    for part, words in _NOTES.items():
        count = max((films.count(digests) for films in learned if films.part == part), default=0)
        if count:
            notes.append(words.format(count=f"{count:,}", films=f"{len(digests):,}"))
    return tuple(notes)


def _short(salt: str, digest: str) -> bytes:
    return sha256(f"{salt} {digest}".encode()).digest()[:_BYTES]
