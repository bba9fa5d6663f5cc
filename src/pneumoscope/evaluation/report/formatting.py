"""Metrics in words: one way to write a value, an interval and its counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.report.engine import Cell

if TYPE_CHECKING:
    from pneumoscope.stats.metrics import Metric

__all__ = [
    "NO_INTERVAL",
    "NO_VALUE",
    "cell",
    "counted",
    "counts",
    "interval",
    "label",
    "meaning",
    "percent",
    "percent_interval",
    "value",
]

NO_VALUE = "cannot be computed"
NO_INTERVAL = "no interval"

_LARGE = "observed share of {finding} less the mean probability: 0 is perfect; above 0 the probabilities are too low"
_LABELS = {
    "recall": ("Recall (sensitivity)", "of the films with {finding}, those called"),
    "specificity": ("Specificity", "of the films without {finding}, those not called"),
    "precision": ("Precision (PPV)", "of the called films, those with {finding}, at the share of these films"),
    "NPV": ("NPV", "of the films not called, those without {finding}, at the share of these films"),
    "F1": ("F1", "harmonic mean of recall and precision"),
    "accuracy": ("Accuracy", "of all films, those called correctly"),
    "balanced accuracy": ("Balanced accuracy", "mean of the recalls of both sides"),
    "MCC": ("Matthews' correlation", "-1 to 1; 0 is chance"),
    "Cohen's kappa": ("Cohen's kappa", "agreement beyond chance; 0 is chance"),
    "AUC": ("ROC AUC", "chance that a film with {finding} has a higher probability than one without; 0.5 is chance"),
    "average precision": (
        "Average precision",
        "area under the precision-recall curve; chance is the share of {finding}",
    ),
    "Brier": ("Brier score", "mean squared error of the probability; 0 is perfect"),
    "ECE": (
        "Expected calibration error",
        "distance of predicted and observed over 15 bins; biased upwards on few films",
    ),
    "log loss": ("Log loss", "in nats; 0 is perfect"),
    "calibration slope": ("Calibration slope", "1 is perfect; below 1 the probabilities are too extreme"),
    "calibration intercept": ("Calibration intercept", "0 is perfect; above 0 the probabilities are too low"),
    "calibration in the large": (
        "Calibration-in-the-large (intercept)",
        "intercept with the slope held at 1: 0 is perfect; above 0 the probabilities are too low on the whole",
    ),
    "observed less predicted": ("Calibration-in-the-large (difference)", _LARGE),
    "calibration-in-the-large": ("Calibration-in-the-large (difference)", _LARGE),
    "macro recall": ("Macro recall", "mean over the classes; balanced accuracy"),
    "macro specificity": ("Macro specificity", "mean over the classes"),
    "macro NPV": ("Macro NPV", "mean over the classes"),
    "macro AUC": ("Macro ROC AUC", "mean over the classes, each against all others"),
    "macro average precision": ("Macro average precision", "mean over the classes, each against all others"),
    "macro precision": ("Macro precision", "mean over the classes"),
    "macro F1": ("Macro F1", "mean over the classes"),
}


def label(name: str) -> str:
    """What people call a figure."""
    return _LABELS.get(name, (name[:1].upper() + name[1:], ""))[0]


def meaning(name: str, finding: str) -> str:
    """What it says, in a clause."""
    return _LABELS.get(name, ("", ""))[1].format(finding=finding)


def value(metric: Metric | None) -> str:
    """``0.982``."""
    return NO_VALUE if metric is None or metric.value is None else number(metric.value)


def number(x: float) -> str:
    """Three digits; more where they would say 1.000 of less, and one more where they would say 0.000 of more."""
    return _short(x, 3, 1.0).replace("-", "\u2212")


def interval(metric: Metric | None) -> str:
    """``0.963 to 0.991``; empty without one."""
    if metric is None or metric.low is None or metric.high is None:
        return ""
    return f"{number(metric.low)} to {number(metric.high)}"


def counts(metric: Metric | None) -> str:
    """``380 of 387``, or ``n = 521``."""
    if metric is None:
        return ""
    return f"{metric.k:,} of {metric.n:,}" if metric.k is not None else f"n = {metric.n:,}"


def percent(metric: Metric | None) -> str:
    """``98.2 %``, kept on one line."""
    if metric is None or metric.value is None:
        return NO_VALUE
    return f"{_hundredth(metric.value)}\u00a0%"


def percent_interval(metric: Metric | None) -> str:
    """``96.3 to 99.1 %``; empty without one."""
    if metric is None or metric.low is None or metric.high is None:
        return ""
    return f"{_hundredth(metric.low)} to {_hundredth(metric.high)}\u00a0%"


def cell(metric: Metric | None, *, faint: bool = False) -> Cell:
    """A figure as a cell: its value, and below it interval and counts."""
    if metric is None:
        return Cell("not computed", faint=True)
    if metric.value is None:
        return Cell(NO_VALUE, (metric.why or counts(metric),), faint=True)
    return Cell(value(metric), (interval(metric) or NO_INTERVAL, counts(metric)), faint=faint)


def counted(number_of: int, noun: str) -> str:
    """``1,043 films``, ``1 film``."""
    return f"{number_of:,} {noun}" if number_of == 1 else f"{number_of:,} {noun}s"


def _hundredth(share: float) -> str:
    return _short(100 * share, 1, 100.0)


def _short(x: float, digits: int, whole: float) -> str:
    """As few digits as asked for; up to three more where they would say the whole of less, one more to stay off 0."""
    least = f"{x:.{digits}f}"
    if float(least) == 0:
        text = f"{x:.{digits + 1}f}"
        return text if float(text) else f"{0:.{digits}f}"
    if float(least) != whole or x == whole:
        return least
    return next((t for n in (1, 2, 3) if float(t := f"{x:.{digits + n}f}") != whole), f"{x:.{digits + 3}f}")
