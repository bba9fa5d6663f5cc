"""The audit as one HTML file that needs nothing else: no network, no fonts, no scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.evaluation.audit_page.pictures import Gallery
from pneumoscope.evaluation.audit_page.view import areas, cards, class_table, copies_view, noise_view, odd_view, plural
from pneumoscope.evaluation.templates import templates_of

if TYPE_CHECKING:
    from pneumoscope.dataset.audit import Audit

__all__ = ["audit_page"]

_LISTED = 25
"""Rows of a long list on the page; all of them are in audit.json."""


def audit_page(found: Audit) -> str:
    """The page's HTML. Films are opened once more for their pictures; one that is gone has none.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    environment = templates_of(Path(__file__).parent, extra="audit", needed_for="the audit's page")
    environment.filters["plural"] = plural
    template = environment.get_template("page.html.j2")
    report, gallery = found.report, Gallery(found.manifest.root)
    return template.render(
        r=report,
        cards=cards(report),
        areas=areas(report),
        classes=class_table(found),
        copies=copies_view(report, gallery),
        odd=odd_view(report, gallery),
        noises=[noise_view(noise, gallery) for noise in report.label_noise],
        clusters=[
            (cluster, gallery.picture(cluster.example), _shares(cluster.by_class))
            for cluster in report.clusters.clusters
        ],
        listed=_LISTED,
    )


def _shares(by_class: dict[str, int]) -> list[tuple[str, int, float]]:
    """Each class with its films and its percent of the cluster."""
    total = max(1, sum(by_class.values()))
    return [(name, count, 100 * count / total) for name, count in by_class.items()]
