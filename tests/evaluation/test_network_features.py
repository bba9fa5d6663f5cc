"""A network's features are what its logits are a linear map of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.scan import scan
from pneumoscope.evaluation.network_features import network_features
from pneumoscope.films.load import load
from pneumoscope.model.bundle import find_bundle, read_bundle
from pneumoscope.model.preprocess import preprocess
from pneumoscope.model.session import Session
from pneumoscope.phantom.write import write_phantoms

if TYPE_CHECKING:
    from pathlib import Path


def test_logits_differ_by_what_a_linear_map_of_the_features_says(tmp_path: Path) -> None:
    """Two films halfway between which a third lies in the features have its logits halfway, too."""
    write_phantoms(tmp_path / "set", count=9, seed=2, size=160)
    manifest = scan(tmp_path / "set")
    path = find_bundle("standard")
    name, features = network_features("standard", manifest)
    graph, meta, _ = read_bundle(path)
    session = Session(graph, meta, where=path)
    logits = np.array(
        [session.run(preprocess(load(manifest.root / row.path), meta.preprocess))[0] for row in manifest.films]
    )
    assert name.startswith("standard")
    assert features.shape[0] == len(manifest)
    assert features.shape[1] > len(meta.classes)
    # Columns of zeros tell nothing; the weights are found from eight films and say the ninth only if all is linear in
    # the features, which the smallest norm solution tells where the ninth is put among the eight by itself.
    weights = np.linalg.lstsq(np.c_[features, np.ones(len(features))], logits, rcond=None)[0]
    assert np.abs(np.c_[features, np.ones(len(features))] @ weights - logits).max() < 1e-3
