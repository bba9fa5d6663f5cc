"""All that a report may speak of, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.report import formatting as words

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.evaluation.explanation.result import ExplanationResult
    from pneumoscope.evaluation.figures.discrimination import ReaderPoint
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.evaluation.result import EvaluationResult, OperatingPointMetrics
    from pneumoscope.evaluation.robustness.result import RobustnessResult
    from pneumoscope.evaluation.training_run import FinishedRun
    from pneumoscope.model.schema import BundleMeta

__all__ = ["ReportContext"]


@dataclass(frozen=True, slots=True, eq=False)
class ReportContext:
    """What was judged, and what was found.

    Attributes:
        table: The films with what was said of them.
        judgement: Their figures.
        meta: What the bundle says of itself; None for a table of another system.
        bundle: Its file; likewise.
        bundle_sha256: Of that file; empty likewise.
        stress: The corruption sweep, if it was made.
        sanity: The checks of the evidence, if they were made.
        readers: Persons who read the same films.
        run: The run that made the bundle, if its folder is at hand.
    """

    table: PredictionTable
    judgement: EvaluationResult
    meta: BundleMeta | None = None
    bundle: Path | None = None
    bundle_sha256: str = ""
    stress: RobustnessResult | None = None
    sanity: ExplanationResult | None = None
    readers: tuple[ReaderPoint, ...] = ()
    run: FinishedRun | None = None

    @property
    def finding(self) -> str:
        """What was looked for."""
        return self.judgement.finding

    @property
    def films(self) -> str:
        """Which films, for small print: short."""
        text = self.judgement.films or "Judged films"
        return text[:1].upper() + text[1:]

    @property
    def software(self) -> str:
        """The program that judged, with its version; empty if nobody says."""
        version = self.judgement.software
        return version if not version or version.startswith("pneumoscope") else f"pneumoscope {version}"

    @property
    def network(self) -> tuple[str, str]:
        """The network's name and its options; empty without a bundle."""
        if self.meta is None:
            return "", ""
        name, _, options = self.meta.architecture.partition(" {")
        return name, f"{{{options}" if options else ""

    @property
    def first(self) -> OperatingPointMetrics | None:
        """The default operating point; None if none was frozen."""
        return self.judgement.points[0] if self.judgement.points else None

    def some(self, number: int) -> str:
        """The same for a figure of ``number`` films, which may be a part of them."""
        return self.films if number >= self.judgement.counts.films else f"Some of: {self.films}"

    @property
    def both_kinds(self) -> bool:
        """Whether there are films with and without the finding."""
        return self.judgement.counts.positives > 0 and self.judgement.counts.negatives > 0

    def errors(self, point: OperatingPointMetrics, *, missed: bool, most: int) -> NDArray[np.int64]:
        """The worst errors at an operating point: rows of the table, the surest first.

        Args:
            point: Its threshold decides.
            missed: The missed films with the finding; else the called ones without.
            most: At most so many.
        """
        score, truth = self.table.score, self.table.truth
        wrong = truth & (score < point.threshold) if missed else ~truth & (score >= point.threshold)
        rows = np.flatnonzero(wrong)
        order = np.argsort(score[rows] if missed else -score[rows], kind="stable")
        return rows[order][:most].astype(np.int64)

    def headline(self) -> str:
        """The films and the figures of the first operating point in one sentence."""
        counts = self.judgement.counts
        text = (
            f"{words.counted(counts.films, 'film')}, {counts.positives:,} with and {counts.negatives:,} without "
            f"{self.finding}"
        )
        auc = self.judgement.metric("AUC")
        if auc is not None and auc.value is not None:
            text += f"; AUC {words.value(auc)} ({words.interval(auc)})"
        for point in self.judgement.points:
            said = [
                f"{name} {words.value(row)} ({words.interval(row)}; {words.counts(row)})"
                for name in ("recall", "specificity")
                if (row := self.judgement.metric(name, point.preset)) is not None and row.value is not None
            ]
            if said:
                text += f"; at {point.preset}: {', '.join(said)}"
        return f"{text}."
