"""The change control plan that a retraining fills: change-control.html and change-control.md.

Its three parts are those of FDA's guidance "Marketing Submission Recommendations for a Predetermined Change Control
Plan for Artificial Intelligence-Enabled Device Software Functions" (2024): description of modifications, modification
protocol, impact assessment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.report.engine import (
    Block,
    Card,
    Cell,
    Notes,
    Page,
    Row,
    Section,
    Table,
    Text,
    counted,
    render_markdown,
    render_page,
)
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.evaluation.change_control.judge import RuleOutcome
    from pneumoscope.evaluation.change_control.retrain import Decision

__all__ = ["change_control_page", "write_change_control"]

_HEADS = ("Rule", "In use", "Candidate", "Difference", "Largest loss", "p", "Outcome")


def write_change_control(decision: Decision, folder: Path) -> list[Path]:
    """Write the plan as HTML and Markdown.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
        MissingExtra: jinja2 is not installed.
    """
    page = change_control_page(decision)
    files = {"change-control.html": render_page(page), "change-control.md": render_markdown(page)}
    for name, text in files.items():
        write_atomically(folder / name, text)
    return [folder / name for name in files]


def change_control_page(decision: Decision) -> Page:
    """The plan as a page."""
    verdict = "Accepted" if decision.accepted else "Rejected"
    return Page(
        title=f"Change control plan: {decision.candidate}",
        lead=f"{decision.candidate} was learned to take the place of {decision.in_use}. {verdict}: "
        f"{decision.decided_by}.",
        facts=(
            f"In use: {decision.in_use}, sha256 {decision.in_use_sha256}.",
            f"Candidate: {decision.candidate}, sha256 {decision.candidate_sha256}.",
        ),
        warnings=decision.warnings,
        cards=(Card("Decision", verdict, decision.decided_by, "good" if decision.accepted else "bad"),),
        sections=(_modifications(decision), _protocol(decision), _impact(decision)),
        foot=f"{decision.software}, {decision.created}.",
    )


def _modifications(decision: Decision) -> Section:
    learned = tuple(
        Row(site or "one site", (Cell(f"{sum(labels.values()):,}"), Cell(_counts(labels))))
        for site, labels in decision.sites.items()
    )
    changes = tuple(Row(key, (Cell(str(was)), Cell(str(now)))) for key, (was, now) in sorted(decision.changes.items()))
    blocks: list[Block] = [
        Text(
            "The weights, the calibration and the operating points are learned anew on the films below, by the recipe "
            "of the bundle in use. The intended use, the finding and the input stay."
        ),
        Table("sites", "Films of the candidate", ("Site", "Films", "Labels"), learned),
    ]
    if changes:
        blocks.append(Table("recipe", "Keys of the recipe that differ", ("Key", "In use", "Candidate"), changes))
    return Section("modifications", "Description of modifications", tuple(blocks))


def _protocol(decision: Decision) -> Section:
    protocol, rules = decision.protocol, decision.rules
    judged, left_out = decision.verdict_films
    verdicts = (
        f"Recent verdicts: {counted(judged, 'film')} judged; {counted(left_out, 'film')} left out, because a bundle "
        "learned from them. A verdict is given in sight of the bundle in use, and favours it."
        if protocol.verdicts
        else "Recent verdicts: none given."
    )
    blocks: list[Block] = [
        Notes(
            "Data management",
            (
                f"Films learned from: sha256 of the manifest {protocol.learned}.",
                f"Locked evaluation set: {counted(decision.locked_films, 'film')}, sha256 of the manifest "
                f"{protocol.locked}. No film of it was learned from, or chose an epoch or a threshold (by the "
                "sha256 of the files).",
                verdicts,
            ),
        ),
        Notes(
            "Retraining",
            (
                f"Training, calibration and choice of operating points as in the recipe; {decision.minutes:g} minutes.",
                "The candidate's folder holds its configuration, split, history and bundle.",
            ),
        ),
        Notes(
            "Performance evaluation",
            (
                f"Rules: sha256 {protocol.rules}, written down {protocol.written}, before the candidate read a locked "
                "film; a change after that is refused.",
                f"Recall, specificity and accuracy at each bundle's own frozen threshold ({rules.preset}).",
                "AUC by DeLong's paired test, rates by McNemar's, both by patient. A rule by interval asks that even "
                "the lower end of the 95 % interval of the difference is no larger a loss than allowed; one by "
                "estimate, that the difference itself is none.",
                "p-values are not corrected for their number: the rules decide, not they.",
            ),
        ),
        Notes(
            "Update procedure",
            (
                "An accepted candidate is imported and put in use by an administrator on the page Models; the audit "
                "log keeps who did so, and when. The bundle that was in use stays there, and is put back "
                "in the same way.",
            ),
        ),
    ]
    return Section("protocol", "Modification protocol", tuple(blocks))


def _impact(decision: Decision) -> Section:
    overall = [one for one in decision.outcomes if one.where in {"locked films", "verdicts"}]
    groups = [one for one in decision.outcomes if one not in overall]
    judged = [one for one in groups if one.held is not None]
    blocks: list[Block] = [Table("overall", "Against the bundle in use", _HEADS, tuple(map(_row, overall)))]
    if judged:
        blocks.append(Table("subgroups", "In subgroups of the locked films", _HEADS, tuple(map(_row, judged))))
    if unjudged := [one for one in groups if one.held is None]:
        names = tuple(f"{one.rule} on {one.where}: {one.note}" for one in unjudged)
        blocks.append(Notes("Not judged: too few films", names))
    blocks.append(Notes("Benefits and risks", _benefits_and_risks(decision)))
    return Section("impact", "Impact assessment", tuple(blocks))


def _benefits_and_risks(decision: Decision) -> tuple[str, ...]:
    known = [one for one in decision.outcomes if one.difference is not None]
    better = [f"{one.rule} on {one.where}" for one in known if one.low is not None and one.low > 0]
    worse = [f"{one.rule} on {one.where}" for one in known if one.high is not None and one.high < 0]
    broken = [one.words for one in decision.outcomes if one.held is False]
    return (
        f"Better, by the interval of the difference: {', '.join(better) or 'nothing'}.",
        f"Worse, by the interval of the difference: {', '.join(worse) or 'nothing'}.",
        f"Rules that were broken: {'; '.join(broken) or 'none'}.",
        "Not shown here: how the candidate does at sites, ages and views that the locked films do not have.",
        "A locked set that judges one candidate after the other is learned from in the end: renew it.",
    )


def _row(one: RuleOutcome) -> Row:
    def told(value: float | None, form: str = ".3f") -> str:
        return "not computed" if value is None else format(value, form)

    interval = () if one.low is None or one.high is None else (f"{one.low:+.3f} to {one.high:+.3f}",)
    held = {True: "held", False: "broken", None: "not judged"}[one.held]
    return Row(
        f"{one.rule}, {one.where}",
        (
            Cell(told(one.in_use), (counted(one.films, "film"),)),
            Cell(told(one.candidate)),
            Cell(told(one.difference, "+.3f"), interval),
            Cell(f"{one.largest_loss:g}", (f"by {one.by}",)),
            Cell("" if one.p is None else f"{one.p:.3g}"),
            Cell(held, (one.note,) if one.note else (), mark="wrong" if one.held is False else ""),
        ),
    )


def _counts(labels: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in labels.items())
