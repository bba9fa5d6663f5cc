"""What to expect elsewhere: the rates at sites, or of blocks of sites, that were left out of training, summarised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.engine import Block, Cell, KeyFigure, KeyFigures, Row, Section, Table, Text

if TYPE_CHECKING:
    from pneumoscope.evaluation.report.context import ReportContext
    from pneumoscope.evaluation.report.svg import FigureSet
    from pneumoscope.model.schema import BundleMetric, ExpectedRates, SiteSummary
    from pneumoscope.types.proportion import Proportion

__all__ = ["draw_sites", "expected_groups", "judged_sites_section", "sites_section"]

_WHERE = {"sites": "at a new hospital", "blocks": "on other films of the same hospitals"}
_HEADINGS = {"sites": "Leave-one-site-out validation", "blocks": "Left-out block validation"}
_CAPTIONS = {"sites": "Sites left out of training", "blocks": "Films of the lowest numbers, left out of training"}
_TEXTS = {
    "sites": "Each site was left out of training in turn, and read by a network that had not learned from it, at a "
    "threshold that the other sites chose. This, and not the performance on films of the training sites, is what a "
    "hospital that the model does not know has to expect.",
    "blocks": "The patients of the lowest numbers of each site were left out of training, and read by a network that "
    "had learned from the other films of the same sites, at a threshold that the other sites' left-out films chose. "
    "This is what the training hospitals have to expect of films of another time. A hospital that the model does not "
    "know may see less: calibrate there (calibrate-site) before relying on a threshold.",
}
_CAPTION_TEXTS = {
    "sites": "Each site as read by a network that had not learned from it. The dashed line is the mean over sites; the "
    "last bar is where a further site's rate is to be expected.",
    "blocks": "Films of the lowest numbers of each site, as read by a network that had not learned from them. The "
    "dashed line is the mean over sites.",
}


def expected_groups(facts: ReportContext) -> tuple[KeyFigures, ...]:
    """The headline where a bundle has been tried on sites, or blocks of them, that it had not learned from; else empty.

    The large figure is the mean over the sites; what one further site is to expect is the prediction interval.
    """
    return tuple(
        KeyFigures(
            f"Expected {_WHERE[one.basis]}, {one.preset}",
            tuple(_expected(name, rate, one) for name, rate in _summaries(one)),
            f"from {words.counted(len(one.sites), 'site')} left out of training in turn"
            if one.basis == "sites"
            else f"from the lowest film numbers of {words.counted(len(one.sites), 'site')}, left out of training; a "
            "new hospital may see less",
            f"Worst of these sites: {one.worst}.",
        )
        for one in _expected_rates(facts)
    )


def _expected(name: str, rate: SiteSummary, one: ExpectedRates) -> KeyFigure:
    further = f"a new site: {_percent(rate.predicted_low)} to {_percent(rate.predicted_high)}\u00a0%"
    return KeyFigure(
        name,
        f"{100 * rate.value:.1f}\u00a0%",
        further if one.basis == "sites" else "",
        f"mean of {len(one.sites)} sites: {_percent(rate.low)} to {_percent(rate.high)}\u00a0%",
    )


def sites_section(facts: ReportContext, figures: FigureSet | None = None) -> Section | None:
    """Validation on left-out sites or blocks as the bundle declares it: each, the worst, mean, prediction interval."""
    found = _expected_rates(facts)
    if not found:
        return None
    basis = found[0].basis
    blocks: list[Block] = [Text(_TEXTS[basis])]
    few = min(len(one.sites) for one in found)
    if few < 3 and basis == "sites":
        blocks.append(
            Text(f"With {few} sites the prediction interval says next to nothing: more sites are needed.", "warn")
        )
    blocks += [_site_table(one, f"sites-{one.preset}", f"{_CAPTIONS[basis]}, at {one.preset}") for one in found]
    return Section(
        "sites",
        _HEADINGS[basis],
        (*blocks, *(figures.starting("sites-") if figures is not None else ())),
    )


def judged_sites_section(facts: ReportContext) -> Section | None:
    """The sites that the judged films are of: each, the worst, the mean, a further one; None where they are of one."""
    found = facts.judgement.across_sites
    if not found:
        return None
    blocks: list[Block] = [
        Text(
            "The films are of several sites. A pooled figure hides a site that fares badly: each is judged alone, at "
            "the system's own threshold. The mean is that of a random-effects model, and the prediction interval says "
            "where the rate of a further site of this kind is to be expected."
        )
    ]
    if len(found[0].sites) < 3:
        blocks.append(Text(f"With {len(found[0].sites)} sites the prediction interval says next to nothing.", "warn"))
    blocks += [
        _site_table(one, f"judged-sites-{one.preset}", f"Sites of these films, at {one.preset}") for one in found
    ]
    return Section("judged-sites", "Performance by site", tuple(blocks))


def _site_table(one: ExpectedRates, key: str, caption: str) -> Table:
    """Each site, the mean over them, and, of whole sites, a further one."""
    rows = [
        Row(
            site.site,
            (
                Cell(f"{site.films:,}"),
                _rate(site.sensitivity),
                _rate(site.specificity),
                Cell("not computed", faint=True) if site.auc is None else _metric(site.auc),
            ),
            "worst site" if site.site == one.worst else "",
        )
        for site in one.sites
    ]
    rows.append(
        Row("Mean over sites", (Cell(""), *(_mean(rate) for _, rate in _summaries(one)), Cell("")),
            "random effects, 95 % interval")
    )  # fmt: skip
    if one.basis == "sites":
        rows.append(
            Row("A new site", (Cell(""), *(_prediction(rate) for _, rate in _summaries(one)), Cell("")),
                "95 % prediction interval")
        )  # fmt: skip
    head = ("Site", "Films", "Recall (sensitivity)", "Specificity", "AUC")
    return Table(key, caption, head, tuple(rows))


def draw_sites(facts: ReportContext, figures: FigureSet) -> None:
    """A forest plot a preset: the sites, their mean, and where a further site is to be expected."""
    from pneumoscope.evaluation.figures.subgroups import ForestCell, ForestRow, forest_plot  # noqa: PLC0415

    for one in _expected_rates(facts):
        number = sum(site.films for site in one.sites)
        summaries = [rate for _, rate in _summaries(one)]
        rows = [ForestRow("", "mean over sites", number, tuple(ForestCell(s.value, s.low, s.high) for s in summaries))]
        rows += [
            ForestRow("left out of training", site.site, site.films, tuple(
                ForestCell(rate.value, rate.low, rate.high, f"{rate.k}/{rate.n}")
                for rate in (site.sensitivity, site.specificity)
            ))
            for site in one.sites
        ]  # fmt: skip
        if one.basis == "sites":
            rows.append(
                ForestRow(
                    "prediction interval",
                    "a new site",
                    0,
                    tuple(ForestCell(s.value, s.predicted_low, s.predicted_high) for s in summaries),
                )
            )
        files = forest_plot(
            rows,
            (f"recall ({one.preset})", f"specificity ({one.preset})"),
            figures.path(f"sites_{one.preset}"),
            number=number,
            films=_CAPTIONS[one.basis],
        )
        figures.keep(
            files,
            f"{_HEADINGS[one.basis]} at {one.preset}",
            _CAPTION_TEXTS[one.basis],
            wide=True,
        )


def _expected_rates(facts: ReportContext) -> tuple[ExpectedRates, ...]:
    """As the bundle declares; bundles before 0.4 say nothing."""
    return () if facts.meta is None else facts.meta.expected


def _summaries(one: ExpectedRates) -> tuple[tuple[str, SiteSummary], ...]:
    """Recall first: a missed case costs most."""
    return ("Recall (sensitivity)", one.sensitivity), ("Specificity", one.specificity)


def _rate(rate: Proportion) -> Cell:
    return Cell(words.number(rate.value), (f"{words.number(rate.low)} to {words.number(rate.high)}",
                                           f"{rate.k:,} of {rate.n:,}"))  # fmt: skip


def _metric(metric: BundleMetric) -> Cell:
    if metric.low is None or metric.high is None:
        return Cell(words.number(metric.value))
    return Cell(words.number(metric.value), (f"{words.number(metric.low)} to {words.number(metric.high)}",))


def _mean(summary: SiteSummary) -> Cell:
    return Cell(words.number(summary.value), (f"{words.number(summary.low)} to {words.number(summary.high)}",))


def _prediction(summary: SiteSummary) -> Cell:
    return Cell(f"{words.number(summary.predicted_low)} to {words.number(summary.predicted_high)}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
