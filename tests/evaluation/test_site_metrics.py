"""Films of several sites: each site by itself, the worst, and the summary over them."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.predictions import PredictionTable
from pneumoscope.evaluation.site_metrics import site_metrics
from pneumoscope.stats.meta_analysis import pool_proportions


def table(sites: dict[str, float], each: int = 80) -> PredictionTable:
    """Films of sites whose sensitivity at 0.5 is as given, and whose specificity is 0.9."""
    paths, labels, scores, names = [], [], [], []
    for site, recall in sites.items():
        for number in range(each):
            sick = number % 2 == 0
            right = (number // 2) < (recall if sick else 0.9) * each / 2
            paths.append(f"{site}/{number}.png")
            labels.append(int(sick))
            scores.append((0.8 if sick == right else 0.2) + number * 1e-4)
            names.append(site)
    score = np.array(scores)
    return PredictionTable(
        paths=tuple(paths),
        labels=np.array(labels),
        probabilities=np.stack([1 - score, score], axis=1),
        classes=("normal", "pneumonia"),
        positive=(1,),
        finding="pneumonia",
        thresholds={"balanced": 0.5},
        strata={"site": np.array(names)},
    )


def test_the_worst_site_is_named_and_the_mean_is_that_of_the_sites() -> None:
    (found,) = site_metrics(table({"a": 0.95, "b": 0.9, "c": 0.5}))
    assert found.worst == "c"
    assert [site.sensitivity.value for site in found.sites] == pytest.approx([0.95, 0.9, 0.5])
    pooled = pool_proportions([site.sensitivity for site in found.sites])
    assert (found.sensitivity.value, found.sensitivity.predicted_low) == (pooled.value, pooled.predicted_low)
    assert found.sensitivity.predicted_low < found.sensitivity.low
    assert compute_metrics(table({"a": 0.95, "b": 0.9}), draws=100).across_sites[0].worst == "b"


def test_one_site_alone_has_no_summary() -> None:
    assert site_metrics(table({"a": 0.95})) == ()
