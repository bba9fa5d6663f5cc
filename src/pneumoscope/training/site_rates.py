"""Rates at several sites, summarised: the worst, the mean over sites, and where a further one is to be expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pneumoscope.model.schema import ExpectedRates, SiteRates, SiteSummary
from pneumoscope.stats.meta_analysis import pool_proportions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.stats.proportions import Proportion

__all__ = ["summarize_sites"]

_SUMMARISED = 3


def summarize_sites(
    preset: str, sites: tuple[SiteRates, ...], basis: Literal["sites", "blocks"] = "sites"
) -> ExpectedRates:
    """Summarise what was seen at two sites or more by a random-effects model (``stats.meta_analysis``).

    With two sites its intervals are from nothing to everything; then the plain mean is told, and all that the sites'
    own intervals hold.
    """
    return ExpectedRates(
        preset=preset,
        sites=sites,
        sensitivity=_summary([site.sensitivity for site in sites]),
        specificity=_summary([site.specificity for site in sites]),
        worst=min(sites, key=lambda site: site.sensitivity.value + site.specificity.value).site,
        basis=basis,
    )


def _summary(rates: Sequence[Proportion]) -> SiteSummary:
    pooled = pool_proportions(rates)
    if len(rates) < _SUMMARISED:
        low, high = min(rate.low for rate in rates), max(rate.high for rate in rates)
        mean = sum(rate.value for rate in rates) / len(rates)
        return SiteSummary(mean, low, high, predicted_low=low, predicted_high=high, tau2=pooled.tau2)
    return SiteSummary(
        value=pooled.value,
        low=pooled.low,
        high=pooled.high,
        predicted_low=pooled.predicted_low,
        predicted_high=pooled.predicted_high,
        tau2=pooled.tau2,
    )
