"""A bundle opened for looking inside: its graph's bytes, and its answer to any image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import fspath
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.model.bundle import find_bundle, read_bundle
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.evidence import finding_map
from pneumoscope.model.preprocess import prepare_film
from pneumoscope.model.session import Session
from pneumoscope.types.reading import ModelRef

__all__ = ["FilmEvidence", "OpenBundle", "open_bundle"]

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.types.radiograph import Radiograph

    Frame = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class FilmEvidence:
    """A film as the network saw it, and what it made of it.

    Attributes:
        pixels: uint8 [size, size], the network's input.
        frame: What part of the film that is: (top, left, bottom, right) in film pixels.
        probability: Of the finding.
        map: float32 [h, w], the finding's evidence in natural log-odds.
        patient: Whose film.
        positive: Whether it has the finding.
        lungs: float32 [h, w], share of each place of the map that is lung; None if no lungs were found.
    """

    pixels: NDArray[np.uint8]
    frame: Frame
    probability: float
    map: NDArray[np.float32]
    patient: str = ""
    positive: bool = False
    lungs: NDArray[np.float32] | None = None

    @property
    def picture(self) -> NDArray[np.float32]:
        """The input as float32 [size, size], 0 to 1."""
        return self.pixels.astype(np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True, eq=False)
class OpenBundle:
    """A bundle.

    Attributes:
        graph: The ONNX bytes.
        meta: All that the bundle says of itself.
        model: Its name, version and sha256.
        where: Its file.
        session: Runs it; safe to share between threads.
    """

    graph: bytes
    meta: BundleMeta
    model: ModelRef
    where: str
    session: Session

    def with_graph(self, graph: bytes) -> OpenBundle:
        """The same bundle around another graph.

        Raises:
            BundleDamaged: The graph is not one that the bundle could hold.
        """
        return replace(self, graph=graph, session=Session(graph, self.meta, where=self.where))

    def look(self, picture: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        """The finding's calibrated probability and its map.

        Args:
            picture: float32 [size, size], 0 to 1, in the network's frame.
        """
        logits, maps = self.session.run(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8))
        p = calibrated_probabilities(logits, self.meta.calibrator)[list(self.meta.positive)].sum()
        return min(1.0, float(p)), finding_map(maps, logits, self.meta)

    def grad_cam(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Grad-CAM of the likeliest class of the finding: float32 [h, w], nowhere negative.

        For networks with a mean over places and one linear layer behind the last feature map it is the positive part of
        the class's own evidence (Selvaraju et al., ICCV 2017, section 3.2).

        Args:
            pixels: uint8 [size, size], the network's input.
        """
        logits, maps = self.session.run(pixels)
        likeliest = max(self.meta.positive, key=lambda number: float(logits[number]))
        positive: NDArray[np.float32] = np.maximum(maps[likeliest], np.float32(0))
        return positive

    def see(self, radiograph: Radiograph, *, patient: str = "", positive: bool = False) -> FilmEvidence:
        """A film through the reading path, up to its map."""
        prepared = prepare_film(radiograph, self.meta.preprocess)
        probability, evidence = self.look(prepared.pixels.astype(np.float32) / np.float32(255))
        return FilmEvidence(prepared.pixels, prepared.frame, probability, evidence, patient, positive)


def open_bundle(bundle: str | PathLike[str]) -> OpenBundle:
    """Open a bundle by its path or a shipped one's name.

    Raises:
        BundleError: It cannot be used.
    """
    path = find_bundle(fspath(bundle))
    graph, meta, digest = read_bundle(path)
    model = ModelRef(name=meta.name, version=meta.version, sha256=digest)
    return OpenBundle(graph, meta, model, str(path), Session(graph, meta, where=path))
