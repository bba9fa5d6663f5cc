"""The public films of children, if they are at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.audit.acquisition import columns_of, feature_names
from pneumoscope.data.audit.duplicates import near_duplicates
from pneumoscope.data.audit.measurements import measure_manifest
from pneumoscope.data.audit.shortcuts import cluster_films
from pneumoscope.data.scan import scan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_films_of_the_public_set(real_data: Path, tmp_path: Path) -> None:
    manifest = scan(real_data / "chest_xray" / "train", limit=240)
    found = measure_manifest(manifest, tmp_path)
    assert np.isfinite(found.features).all()
    quality = found.features[:, feature_names().index("jpeg_quality")]
    assert set(quality.tolist()) == {75}
    markers = found.features[:, columns_of("markers")[0]]
    assert 0.7 < np.mean(markers > 0) < 1  # most of these films carry an R
    assert near_duplicates([film.sha256 for film in manifest.films], found.thumbnails) == []
    home = cluster_films(found.features, 2, seed=0)
    normal = manifest.targets == 0
    assert abs(home[normal].mean() - home[~normal].mean()) > 0.3  # films of the two classes were not made alike
