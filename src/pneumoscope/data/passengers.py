"""What travels with films and is none: masks, heat maps, thumbnails, litter of archive programs, papers.

Told by the names of folders and files, and by looking: a picture of few gray values is a mask or a drawing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["few_grays", "is_litter", "passenger_kind", "passenger_sentences", "suffix_of"]

_LITTER = frozenset(
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"}
)

_FOLDERS = {
    "mask": r"(?:lung|infection|left|right|manual|ground[\s_\-]?truth|gt|seg(?:mentation)?)?[\s_\-]*masks?"
    r"(?:[\s_\-]*(?:lung|png|images?|left|right))?|(?:lung[\s_\-]*)?segmentations?|seg|ground[\s_\-]?truths?",
    "heat map": r"heat[\s_\-]?maps?|grad[\s_\-]?cam(?:\+\+)?|cams?|saliency(?:[\s_\-]?maps?)?|"
    r"attention(?:[\s_\-]?maps?)?|overlays?|evidence",
    "thumbnail": r"\.?thumb(?:nail)?s?|previews?|icons?|\.?cache",
}
_NAMES = {
    "mask": r".*[\s_\-.](?:mask|masks|seg|segmentation|gt|groundtruth)(?:[\s_\-]?\d+)?|(?:mask|seg)[\s_\-].*",
    "heat map": r".*[\s_\-.](?:heat[\s_\-]?map|grad[\s_\-]?cam|cam|saliency|overlay)(?:[\s_\-]?\d+)?|"
    r"(?:heat[\s_\-]?map|grad[\s_\-]?cam|saliency|overlay)[\s_\-].*",
    "thumbnail": r".*[\s_\-.](?:thumb|thumbnail|preview)|(?:thumb|thumbnail|preview)[\s_\-].*",
}
_OF_FOLDER = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _FOLDERS.items()}
_OF_NAME = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _NAMES.items()}

_FEW = 8
"""Gray values of a drawing; a film has more than fifty."""

_NEAR = 12  # of 255: how far a lossy coder moves a mask's two values
_ALMOST_ALL = 0.985


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden, or left by an archive program or a file manager."""
    return name.startswith(".") or name.lower() in _LITTER


def passenger_kind(parts: Sequence[str]) -> str | None:
    """What a file is that is no film, by the names of its folders and its own: "mask", "heat map", "thumbnail".

    Args:
        parts: Folders below the data set, then the file's name; a lone folder's name ends with "/".
    """
    *folders, name = parts
    if name.endswith("/"):
        folders, name = [*folders, name[:-1]], ""
    for folder in folders:
        for kind, pattern in _OF_FOLDER.items():
            if pattern.fullmatch(folder):
                return kind
    stem = name.rpartition(".")[0] or name
    return next((kind for kind, pattern in _OF_NAME.items() if stem and pattern.fullmatch(stem)), None)


def few_grays(pixels: NDArray[np.uint8] | NDArray[np.uint16], white: int) -> bool:
    """Whether a picture has but few gray values, as a mask, a drawing or a blank has; also after a lossy coder.

    Args:
        pixels: [rows, columns].
        white: Value of full white.
    """
    small = pixels[:: max(1, pixels.shape[0] // 256), :: max(1, pixels.shape[1] // 256)]
    if len(np.unique(small)) <= _FEW and len(np.unique(pixels)) <= _FEW:
        return True
    if white > 255:
        return False
    counts = np.bincount(small.ravel(), minlength=256)[:256]
    ends = counts[: _NEAR + 1].sum() + counts[255 - _NEAR :].sum()
    both = min(counts[: _NEAR + 1].sum(), counts[255 - _NEAR :].sum())
    return bool(ends >= _ALMOST_ALL * small.size and both > 0.01 * small.size)


def suffix_of(name: str) -> str:
    """How a file's name ends, in small letters; "no suffix" where it has none."""
    _, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and suffix else "no suffix"


def passenger_sentences(passed: Mapping[str, int]) -> list[str]:
    """What was passed over, each kind of it a sentence: "3 files are no films: 2 .txt, 1 .mp4".

    Args:
        passed: Files by their kind, or by their suffix where they are no pictures.
    """
    strangers = {kind: count for kind, count in passed.items() if kind.startswith(".") or kind == "no suffix"}
    sentences = []
    if strangers:
        count = sum(strangers.values())
        told = ", ".join(f"{n} {kind}" for kind, n in sorted(strangers.items(), key=lambda item: (-item[1], item[0])))
        sentences.append(f"{count} {'file is no film' if count == 1 else 'files are no films'}: {told}")
    for kind, count in passed.items():
        if kind not in strangers:
            plural = "" if count == 1 else "es" if kind.endswith("x") else "s"
            sentences.append(f"left out: {count} {kind}{plural}")
    return sentences
