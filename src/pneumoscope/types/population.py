"""For whom a model was made: the sites and ages of the films that it learned from, and what to expect elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NewSiteRates", "Population", "SitePopulation"]

_BRIDGED = 2.0  # years between the ages of two sites


@dataclass(frozen=True, slots=True)
class SitePopulation:
    """The films of one site that were learned from.

    Attributes:
        name: Of the site.
        films: Number of films.
        patients: Number of their patients.
        ages: Whole years, from and to; None if they are not known.
    """

    name: str
    films: int
    patients: int
    ages: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class NewSiteRates:
    """Rates to expect at a site that was not learned from, as sites that were left out in turn showed them.

    Attributes:
        preset: Of the operating point.
        sites: Number of sites that were left out in turn.
        sensitivity: Mean over the sites, and the 95 % interval of a further site's rate.
        specificity: Likewise.
        known_sites: It learned from other films of these sites, and only a block of each was left out; what a new site
            is to expect is then not known.
    """

    preset: str
    sites: int
    sensitivity: tuple[float, float, float]
    specificity: tuple[float, float, float]
    known_sites: bool = False


@dataclass(frozen=True, slots=True)
class Population:
    """For whom a bundle was made.

    Attributes:
        sites: Those that it learned from; none if it does not say.
        new_site: The rates at a new site for the operating point in use; None where they are not known.
    """

    sites: tuple[SitePopulation, ...] = ()
    new_site: NewSiteRates | None = None

    def covers(self, age: float | None) -> bool | None:
        """Whether it learned from patients of an age; None where the age or the ages of a site are not known.

        Args:
            age: In years.
        """
        known = sorted(site.ages for site in self.sites if site.ages is not None)
        if age is None or not known:
            return None
        end = known[0][0]
        for low, high in known:
            # The ages are of most patients, not of all: a year or two between two sites' is no gap.
            if min(low, end) <= int(age) <= high and (low <= int(age) or low - end <= _BRIDGED):
                return True
            end = max(end, high)
        return False if len(known) == len(self.sites) else None
