"""Finding the lung fields of a film, with ONNX Runtime on the CPU."""

from __future__ import annotations

from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import BundleDamaged
from pneumoscope.lungs.field import LungField
from pneumoscope.resample import stretched

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime as ort
    from numpy.typing import NDArray

    from pneumoscope.domain.radiograph import Radiograph

__all__ = ["LungFinder", "lung_finder", "lungs_input"]

_SHIPPED = Path(__file__).with_name("lungs.onnx")
_LOW, _HIGH = 0.5, 99.5  # percentiles of the film that become black and white
_FATAL = 4  # ONNX Runtime's log level: what goes wrong comes as an exception


def lungs_input(film: Radiograph, size: int) -> NDArray[np.uint8]:
    """A film as the lung-field network sees it: squared, uint8 [size, size]."""
    return stretched(film.pixels, size, _LOW, _HIGH, quick=True)


class LungFinder:
    """The lung-field network, ready to run; safe to share between threads.

    Attributes:
        sha256: Of the network's file: what was framed by another network is another picture.
    """

    def __init__(self, path: Path = _SHIPPED) -> None:
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

    def find(self, film: Radiograph) -> LungField:
        """The lung fields of a film.

        Raises:
            BundleDamaged: The network's file cannot be used.
        """
        seen = lungs_input(film, self.size)
        probability, features = self.see(seen)
        return LungField(probability, film.rows, film.columns, features, seen)

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
def lung_finder() -> LungFinder:
    """The one that comes with the package, loaded once a process."""
    return LungFinder()
