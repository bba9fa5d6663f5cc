"""For whom a bundle was made, as reports tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.types.population import NewSiteRates, Population, SitePopulation

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta, SiteSummary

__all__ = ["bundle_population"]


def bundle_population(meta: BundleMeta, preset: str) -> Population:
    """The sites and ages that a bundle learned from, and its rates at a new site for an operating point.

    Args:
        meta: Of the bundle.
        preset: The operating point in use.
    """
    rates = next((each for each in meta.expected if each.preset == preset), None)
    return Population(
        sites=tuple(SitePopulation(site.name, site.films, site.patients, site.ages) for site in meta.learned_from),
        new_site=None
        if rates is None
        else NewSiteRates(
            preset,
            len(rates.sites),
            _predicted(rates.sensitivity),
            _predicted(rates.specificity),
            rates.basis == "blocks",
        ),
    )


def _predicted(rate: SiteSummary) -> tuple[float, float, float]:
    return rate.value, rate.predicted_low, rate.predicted_high
