"""Performance by site, where the films judged are of several: each site, the worst, the mean, and a further site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.predictions import UNKNOWN
from pneumoscope.model.schema import BundleMetric, SiteRates
from pneumoscope.stats.proportions import clustered_rate
from pneumoscope.stats.roc import delong
from pneumoscope.training.site_rates import summarize_sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.model.schema import ExpectedRates

__all__ = ["site_metrics"]


def site_metrics(table: PredictionTable) -> tuple[ExpectedRates, ...]:
    """By operating point: sensitivity, specificity and AUC at each site, and a random-effects summary of the rates.

    The mean and the prediction interval of a further site are of ``stats.meta_analysis`` (Higgins, Thompson,
    Spiegelhalter, J R Stat Soc A 172 (2009), section 4). Sites with films of one kind only are left out.

    Returns:
        Empty where fewer than two sites have films of both kinds, or no operating point is known.
    """
    names = table.strata.get("site")
    if names is None:
        return ()
    sites = [name for name in sorted(set(names.tolist()) - {UNKNOWN}) if len(set(table.truth[names == name])) == 2]
    if len(sites) < 2:
        return ()
    patients = np.array(table.paths) if table.patients is None else table.patients
    return tuple(
        summarize_sites(
            preset, tuple(_rates(table, patients, name, names == name, table.called(preset)) for name in sites)
        )
        for preset in table.thresholds
    )


def _rates(
    table: PredictionTable,
    patients: NDArray[np.str_],
    name: str,
    here: NDArray[np.bool_],
    called: NDArray[np.bool_],
) -> SiteRates:
    """One site at one operating point, with intervals by patient."""
    with_it, without = here & table.truth, here & ~table.truth
    area = delong(table.truth[here], table.score[here], patients[here])
    return SiteRates(
        site=name,
        films=int(here.sum()),
        sensitivity=clustered_rate(called[with_it], patients[with_it]),
        specificity=clustered_rate(~called[without], patients[without]),
        auc=BundleMetric(value=area.value, n=int(here.sum()), low=area.low, high=area.high),
    )
