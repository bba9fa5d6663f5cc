"""The robustness result: frozen, and JSON as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.evaluation.serialization import read_document, write_document
from pneumoscope.settings import NOTICE
from pneumoscope.stats.metrics import Metric  # noqa: TC001 - likewise
from pneumoscope.types.reading import ModelRef  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["CorruptionInfo", "RobustnessCell", "RobustnessPoint", "RobustnessResult", "RobustnessSummary"]


@dataclass(frozen=True, slots=True)
class CorruptionInfo:
    """What was done to the films; see ``corruptions.Corruption``."""

    name: str
    what: str
    unit: str
    strengths: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RobustnessPoint:
    """One frozen operating point on the films of one cell.

    Attributes:
        preset: "screening", "balanced".
        threshold: Of the bundle; never one chosen on these films.
        recall: Of the read films with the finding; Wilson's interval.
        specificity: Of the read films without it; Wilson's interval.
        flipped: Share of the read films whose call is not that of the film as it came; Wilson's interval.
    """

    preset: str
    threshold: float
    recall: Metric
    specificity: Metric
    flipped: Metric


@dataclass(frozen=True, slots=True)
class RobustnessCell:
    """All films under one corruption at one severity.

    Attributes:
        corruption: Its name; "none" for the films as they came.
        severity: 1 to 5; 0 for the films as they came.
        strength: In the unit of the corruption.
        n: Films that were read.
        refused: Films with and without the finding that were refused now and had been read as they came. No
            figure below counts them.
        refusals: How often each code was given.
        mended: Films that were put right before they were read (an inverted film turned back, say).
        points: One an operating point.
        auc: DeLong's interval, by patient.
        shift: Mean change of the finding's probability: of all read films, of those with the finding, of those
            without; bootstrap over patients.
    """

    corruption: str
    severity: int
    strength: float
    n: int
    refused: tuple[int, int]
    refusals: dict[str, int]
    mended: int
    points: tuple[RobustnessPoint, ...]
    auc: Metric
    shift: tuple[Metric, Metric, Metric]


@dataclass(frozen=True, slots=True)
class RobustnessSummary:
    """One severity over all corruptions that have degrees, each with the same weight.

    Attributes:
        severity: 1 to 5.
        auc: Mean AUC; bootstrap over patients.
        worst: The corruption with the lowest AUC, and that AUC; None where there is no AUC.
        recall: Mean recall by preset; bootstrap over patients.
        specificity: Mean specificity by preset; bootstrap over patients.
    """

    severity: int
    auc: Metric
    worst: tuple[str, float] | None
    recall: dict[str, Metric]
    specificity: dict[str, Metric]


@dataclass(frozen=True, slots=True)
class RobustnessResult:
    """How the figures fall as films get worse.

    Attributes:
        model: The bundle.
        finding: "pneumonia".
        films: In the sweep, as they came.
        positives: With the finding.
        negatives: Without it.
        patients: Of those films.
        corruptions: What was done.
        clean: The films as they came.
        cells: By corruption, then severity.
        summary: By severity.
        left_out: Films that were refused as they came, with the code: in no figure.
        notice: Research use only.
    """

    model: ModelRef
    finding: str
    films: int
    positives: int
    negatives: int
    patients: int
    corruptions: tuple[CorruptionInfo, ...]
    clean: RobustnessCell
    cells: tuple[RobustnessCell, ...]
    summary: tuple[RobustnessSummary, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    notice: str = NOTICE

    def cell(self, corruption: str, severity: int) -> RobustnessCell:
        """One cell; severity 0 gives the films as they came.

        Raises:
            KeyError: It was not swept.
        """
        if severity == 0:
            return self.clean
        for cell in self.cells:
            if (cell.corruption, cell.severity) == (corruption, severity):
                return cell
        raise KeyError((corruption, severity))

    def save(self, path: str | PathLike[str]) -> None:
        """Write as JSON.

        Raises:
            StorageError: The disk is full or the folder cannot be written.
        """
        write_document(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> RobustnessResult:
        """Read what ``save`` wrote.

        Raises:
            DatasetError: The file is missing, or no such result.
        """
        return read_document(path, cls, what="stress result")

    def table(self) -> str:
        """As text: a row a corruption and severity; at the first operating point recall and specificity."""
        lines = [
            f"{'corruption':<20} sev {'AUC':>6} {'recall':>7} {'spec':>7} {'shift':>7} {'flipped':>8} {'refused':>8}"
        ]
        for cell in (self.clean, *self.cells):
            point = cell.points[0]
            numbers = [
                f"{_text(cell.auc.value):>6}",
                f"{_text(point.recall.value):>7}",
                f"{_text(point.specificity.value):>7}",
                f"{_text(cell.shift[0].value, signed=True):>7}",
                f"{_text(point.flipped.value):>8}",
                f"{sum(cell.refused):>8}",
            ]
            lines.append(f"{cell.corruption:<20} {cell.severity:>3} " + " ".join(numbers))
        lines += [f"severity {row.severity}: {row.auc}" for row in self.summary]
        return "\n".join([*lines, self.notice])


def _text(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value:+.3f}" if signed else f"{value:.3f}"
