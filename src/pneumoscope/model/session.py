"""The bundle's graph in ONNX Runtime, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from pneumoscope.errors import BundleDamaged
from pneumoscope.model.graph import check_graph

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta

__all__ = ["Session"]

_INPUT = "film"
_OUTPUTS = ["logits", "evidence"]
_REMEDY = "Fetch or export the bundle again"
_FATAL = 4  # ONNX Runtime's log level: what goes wrong comes as an exception, and standard error stays the person's


class Session:
    """A graph that is ready to run; safe to use from many threads at once.

    The network sees one film at a time, on one thread; many films are read by many threads. A reading then cannot
    depend on the films that came with it, on the size of a batch or on the number of threads, to the last bit,
    whatever the graph and the processor; and on a CPU it is no slower than a batch.

    Args:
        graph: The ONNX bytes, already checked against their sha256 by ``read_bundle``.
        meta: What the graph promises to take and to give.
        where: The bundle's file, for messages.

    Raises:
        BundleDamaged: The graph may not be run (see ``check_graph``), the runtime cannot load it, or its inputs and
            outputs are not those of a bundle.
    """

    def __init__(self, graph: bytes, meta: BundleMeta, *, where: str | PathLike[str]) -> None:
        self._where = where
        self._classes = len(meta.classes)
        self._size = meta.preprocess.size
        check_graph(graph, where=where)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL
        try:
            self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own errors share no base class but Exception
            raise self._damaged(f"ONNX Runtime cannot load the graph ({_first_line(error)})") from error
        self._check_signature()

    def run(self, film: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the network on one film.

        Args:
            film: uint8 [size, size], as ``preprocess`` gives it.

        Returns:
            Logits float32 [C] and evidence maps float32 [C, h, w].

        Raises:
            BundleDamaged: The graph fails, or gives what is no number or has the wrong shape.
        """
        try:
            logits, evidence = self._session.run(_OUTPUTS, {_INPUT: film[None, None]})
        except Exception as error:  # as above
            raise self._damaged(f"the graph does not run ({_first_line(error)})") from error
        if logits.shape != (1, self._classes) or evidence.ndim != 4 or evidence.shape[:2] != logits.shape:
            raise self._damaged(
                f"the graph gave logits {logits.shape} and evidence {evidence.shape} for {self._classes} classes"
            )
        if not (np.isfinite(logits).all() and np.isfinite(evidence).all()):
            raise self._damaged("the graph gave what is not a number")
        return logits[0], evidence[0]

    def _check_signature(self) -> None:
        """Hold the graph to the contract: names, types, and every size that is fixed."""
        size, classes = self._size, self._classes
        wanted = {
            "input film": (_INPUT, "tensor(uint8)", (None, 1, size, size), self._session.get_inputs()),
            "output logits": ("logits", "tensor(float)", (None, classes), self._session.get_outputs()),
            "output evidence": ("evidence", "tensor(float)", (None, classes, None, None), self._session.get_outputs()),
        }
        if len(self._session.get_inputs()) != 1:
            raise self._damaged("the graph does not have just one input, film")
        for what, (name, kind, shape, nodes) in wanted.items():
            node = next((node for node in nodes if node.name == name), None)
            if node is None:
                raise self._damaged(f"the graph has no {what}")
            if node.type != kind or not _fits(node.shape, shape):
                raise self._damaged(f"the graph's {what} is {node.type} {node.shape}, not {kind} {list(shape)}")

    def _damaged(self, what: str) -> BundleDamaged:
        return BundleDamaged(what, where=self._where, remedy=_REMEDY)


def _fits(shape: list[int | str | None] | None, wanted: tuple[int | None, ...]) -> bool:
    """Whether a graph's declared shape, in which a name or None means any size, allows the wanted one.

    The first axis must be free: a batch is as long as it is.
    """
    if not shape or len(shape) != len(wanted) or isinstance(shape[0], int):
        return False
    pairs = zip(shape[1:], wanted[1:], strict=True)
    return all(want is None or not isinstance(have, int) or have == want for have, want in pairs)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
