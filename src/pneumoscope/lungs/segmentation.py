"""Lung field segmentation: the network, its mask cleaned, and the box around the lungs."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import BundleDamaged
from pneumoscope.films.resample import resize, resize_and_stretch, triangle_weights

if TYPE_CHECKING:
    import onnxruntime as ort
    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

__all__ = [
    "LungSegmentation",
    "LungSegmenter",
    "connected_components",
    "lung_box",
    "lung_segmenter",
    "segmenter_input",
    "two_largest_components",
]

_LEAST = 0.25  # of the larger lung: a second part that is smaller is a stray spot


def two_largest_components(on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part of a mask, and the second if it could be the other lung.

    Args:
        on: bool [h, w].

    Returns:
        bool [h, w]; ``on`` itself if nothing is left out.
    """
    lengths, parts = _runs(on)
    sizes: dict[int, int] = {}
    for part, length in zip(parts, lengths.tolist(), strict=True):
        sizes[part] = sizes.get(part, 0) + length
    order = sorted(sizes, key=lambda part: (-sizes[part], -part))[:2]
    kept = {part for part in order if sizes[part] >= _LEAST * sizes[order[0]]}
    if len(kept) == len(sizes):
        return on
    chosen = on.copy()
    chosen[on] = np.repeat([part in kept for part in parts], lengths)
    return chosen


def connected_components(on: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Label 4-connected parts: int64 [h, w], 0 outside, 1 for the part whose last place comes first."""
    lengths, parts = _runs(on)
    _, part = np.unique(np.array(parts, dtype=np.int64), return_inverse=True)
    labels = np.zeros(on.shape, dtype=np.int64)
    labels[on] = np.repeat(part + 1, lengths)
    return labels


def _runs(on: NDArray[np.bool_]) -> tuple[NDArray[np.int64], list[int]]:
    """The runs of a mask, row by row: their lengths, and for each the last run of its part.

    Places of a row that follow one another are a run, and runs of neighbouring rows that touch are joined. The lungs of
    a 64 x 64 mask have some eighty runs, so this takes no time beside a network.
    """
    height, width = on.shape
    padded = np.zeros((height, width + 2), dtype=np.bool_)
    padded[:, 1:-1] = on
    ends = np.flatnonzero(padded[:, 1:] != padded[:, :-1])  # where a run starts and where it has ended, in turn
    first, last = ends[::2], ends[1::2]
    # A run moved down by a row touches those of the next row that it overlaps: from the first that ends beyond its
    # start to the last that starts before its end.
    low = np.searchsorted(last + width + 1, first, side="right").tolist()
    high = np.searchsorted(first + width + 1, last, side="left").tolist()
    root = list(range(len(low)))
    for run, (above, until) in enumerate(zip(low, high, strict=True)):
        for other in range(above, until):
            one = other
            while root[one] != one:
                root[one] = root[root[one]]
                one = root[one]
            root[one] = run  # a later run is always a root still: the last run of a part names it
    for run in reversed(range(len(root))):
        root[run] = root[root[run]]
    return last - first, root


_LUNG = 0.5  # probability from which a place is lung
_TAIL = 0.005  # share of the lungs that may lie beyond each side of the box: a stray spot does not move it
_TAILS = (_TAIL, 1 - _TAIL)
_LEAST_AREA = 0.04  # of the film; lungs smaller than this were not found
_LEAST_SIDE = 0.2  # of the film, for each side of the box


@dataclass(frozen=True, eq=False)
class LungSegmentation:
    """Where the lungs of a film are.

    Attributes:
        probability: float32 [h, w], probability of lung at each place of the film, on the network's coarse grid.
        rows: Height of the film in pixels.
        columns: Its width.
        features: float32 [K], what the network saw of the whole film; for the gate (``pneumoscope.quality.head``).
        seen: uint8 [S, S], the film squared, as the network saw it; likewise.
    """

    probability: NDArray[np.float32]
    rows: int
    columns: int
    features: NDArray[np.float32]
    seen: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((1, 1), dtype=np.uint8))

    @cached_property
    def lung(self) -> NDArray[np.bool_]:
        """Which places of the grid are lung, bool [h, w]: the largest connected part, and perhaps the second."""
        return two_largest_components(self.probability >= _LUNG)

    @property
    def enough(self) -> bool:
        """Whether there is enough lung to say what lies in it; less than ``found`` asks, and quicker told."""
        return _enough(self.lung)

    @cached_property
    def relative_box(self) -> tuple[float, float, float, float] | None:
        """Box around the lungs as (top, left, bottom, right), each 0 to 1 of the film; None if they were not found."""
        return lung_box(self.probability, self.lung)

    @property
    def found(self) -> bool:
        """Whether there are lungs to frame."""
        return self.relative_box is not None

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """The box in film pixels."""
        box = self.relative_box
        if box is None:
            return None
        return (box[0] * self.rows, box[1] * self.columns, box[2] * self.rows, box[3] * self.columns)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Bool [rows, columns], at the film's own size."""
        kept = np.where(self.lung, self.probability, 0.0)
        raised = resize(np.rint(kept * 255).astype(np.uint8), self.rows, self.columns)
        mask: NDArray[np.bool_] = raised >= _LUNG * 255
        return mask

    def within(self, frame: tuple[float, float, float, float], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Share of each place of a grid over a part of the film that is lung.

        Args:
            frame: (top, left, bottom, right) in film pixels.
            shape: (h, w) of the grid.

        Returns:
            float32 [h, w], 0 to 1.
        """
        h, w = self.probability.shape
        down = triangle_weights(h, shape[0], frame[0] / self.rows, frame[2] / self.rows)
        across = triangle_weights(w, shape[1], frame[1] / self.columns, frame[3] / self.columns)
        share: NDArray[np.float32] = down @ self.lung.astype(np.float32) @ across.T
        return share


def lung_box(
    probability: NDArray[np.float32], lung: NDArray[np.bool_] | None = None
) -> tuple[float, float, float, float] | None:
    """Box around the lungs, so that ``_TAIL`` of their area lies beyond each side.

    Args:
        probability: float32 [h, w].
        lung: Bool [h, w], which places are lung, if that is known already.

    Returns:
        (top, left, bottom, right), each 0 to 1 of the film; None if there is too little lung.
    """
    on = two_largest_components(probability >= _LUNG) if lung is None else lung
    if not _enough(on):
        return None
    weights = probability * on
    top, bottom = _ends(weights.sum(axis=1, dtype=np.float64).tolist())
    left, right = _ends(weights.sum(axis=0, dtype=np.float64).tolist())
    if bottom - top < _LEAST_SIDE or right - left < _LEAST_SIDE:
        return None
    return (top, left, bottom, right)


def _enough(lung: NDArray[np.bool_]) -> bool:
    return bool(np.count_nonzero(lung) >= _LEAST_AREA * lung.size)


def _ends(profile: list[float]) -> tuple[float, float]:
    """Where the tails of a profile end, 0 to 1, between cells by linear interpolation."""
    below = list(accumulate(profile))
    low, high = (_place(below, tail * below[-1]) / len(below) for tail in _TAILS)
    return low, high


def _place(below: list[float], amount: float) -> float:
    """In how many cells, fractions counted, an amount lies; ``below`` are the sums up to and with each cell."""
    cell = bisect_left(below, amount)
    before = below[cell - 1] if cell else 0.0
    return cell + (amount - before) / (below[cell] - before)


_SHIPPED_NETWORK = Path(__file__).with_name("lungs.onnx")
_LOW, _HIGH = 0.5, 99.5  # percentiles of the film that become black and white
_FATAL = 4  # ONNX Runtime's log level: what goes wrong comes as an exception


def segmenter_input(film: Radiograph, size: int) -> NDArray[np.uint8]:
    """A film as the lung-field network sees it: squared, uint8 [size, size]."""
    return resize_and_stretch(film.pixels, size, _LOW, _HIGH, quick=True)


class LungSegmenter:
    """The lung-field network, ready to run; safe to share between threads.

    Attributes:
        sha256: Of the network's file: what was framed by another network is another picture.
    """

    def __init__(self, path: Path = _SHIPPED_NETWORK) -> None:
        self._path = path
        try:
            self._graph = path.read_bytes()
        except OSError as error:
            raise BundleDamaged(
                f"the lung-field network cannot be read ({error.strerror})",
                where=path,
                remedy="Install pneumoscope again",
            ) from error
        self.sha256 = sha256(self._graph).hexdigest()

    def find(self, film: Radiograph) -> LungSegmentation:
        """The lung fields of a film.

        Raises:
            BundleDamaged: The network's file cannot be used.
        """
        seen = segmenter_input(film, self.size)
        probability, features = self.see(seen)
        return LungSegmentation(probability, film.rows, film.columns, features, seen)

    def see(self, seen: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the network.

        Args:
            seen: uint8 [size, size], of ``lungs_input``.

        Returns:
            The probability of lung, float32 [h, w], and the features, float32 [K].

        Raises:
            BundleDamaged: The network's file cannot be used.
        """
        probability, features = self._session.run(["lungs", "features"], {"film": seen[None, None]})
        return probability[0, 0], features[0]

    @cached_property
    def size(self) -> int:
        """Side of what the network sees, in pixels."""
        return int(self._session.get_inputs()[0].shape[-1])

    @cached_property
    def _session(self) -> ort.InferenceSession:
        import onnxruntime as ort  # noqa: PLC0415 - waits until a film is framed

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL
        try:
            return ort.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own errors share no base class but Exception
            raise BundleDamaged(
                "ONNX Runtime cannot load the lung-field network", where=self._path, remedy="Install pneumoscope again"
            ) from error


@lru_cache(maxsize=1)
def lung_segmenter() -> LungSegmenter:
    """The one that comes with the package, loaded once a process."""
    return LungSegmenter()
