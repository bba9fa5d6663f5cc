"""The metrics engine: every figure of a set of predictions with its interval, clustered by patient.

One function a figure, used by every verb that states one: ``metrics`` makes the usual table from arrays,
``MetricCalculator`` the single rows of larger reports.

Intervals: Wilson's for proportions, with the films divided by the design effect of the patients (Rao and Scott,
Biometrics 48 (1992) 577); DeLong's for AUC, with Obuchowski's variance by patient (Biometrics 53 (1997) 567); the
percentile bootstrap over patients for all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from pneumoscope.errors import MissingExtra
from pneumoscope.stats.bootstrap import Resamples, bootstrap_sums
from pneumoscope.stats.calibration import ECE_BINS, CalibrationResamples, calibration_gaps
from pneumoscope.stats.checks import UNKNOWN_CLASS, table
from pneumoscope.stats.confusion import confusion_cells, macro_f1
from pneumoscope.stats.proportions import clustered_rate
from pneumoscope.stats.roc import RankedScores, delong

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.stats.bootstrap import Estimate

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = [
    "ONE_CLASS_ONLY",
    "Metric",
    "MetricCalculator",
    "Metrics",
    "auc_metric",
    "f1_of_sums",
    "frame_of",
    "html_table",
    "mean_metric",
    "metrics",
    "pairwise_auc",
    "proportion_metric",
    "ratio_of_sums",
]

ONE_CLASS_ONLY = "all films are of one kind"
"""Why there is no AUC, in words."""

_TINY = 1e-12
# Where more resamples than this separate the classes, the interval's far end is infinite.
_MIN_COMPUTABLE = 0.975


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure with its 95 % interval: a proportion, an area, a mean.

    Attributes:
        name: "AUC", "recall (screening)", ...
        value: None where it cannot be computed on these films (a class without films).
        low: Lower end of the 95 % interval; None with the value, or where too few resamples can be computed.
        high: Upper end.
        n: Films, or the films that a proportion is of (its denominator).
        k: How many of them, for a proportion (its numerator); else None.
        method: Whose interval: "Wilson", "DeLong" ("Wilson of pairs" for an AUC of 0 or 1) or "bootstrap".
        films: Which films: "val", "test".
        why: Why it has no value, or its value no interval, in words; empty where it has both.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    k: int | None
    method: str
    films: str = ""
    why: str = ""

    def __str__(self) -> str:
        """One line, as printed."""
        if self.value is None:
            return f"{self.name}: cannot be computed on these films{self.why and f' ({self.why})'}"
        counts = f"{self.k}/{self.n}" if self.k is not None else f"n = {self.n}"
        if self.low is None or self.high is None:
            return f"{self.name}: {self.value:.3f} (its interval cannot be computed; {counts})"
        return f"{self.name}: {self.value:.3f} ({self.low:.3f} to {self.high:.3f}; {counts})"


@dataclass(frozen=True, slots=True)
class Metrics(Sequence[Metric]):
    """The table of a set of predictions: a sequence of ``Metric``, also found by name.

    Attributes:
        rows: The figures, in their order.
        patients: Number of patients; None where each film was taken for its own.
        draws: Of the bootstrap.
        confidence: Of the intervals.
    """

    rows: tuple[Metric, ...]
    patients: int | None = None
    draws: int = 2000
    confidence: float = 0.95

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, key: int | str) -> Metric: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Metric]: ...
    def __getitem__(self, key: int | str | slice) -> Metric | Sequence[Metric]:
        """By place, or by name ("AUC").

        Raises:
            KeyError: There is no figure of this name.
        """
        if isinstance(key, str):
            found = next((row for row in self.rows if row.name == key), None)
            if found is None:
                raise KeyError(f"there is no figure {key!r}; there are: {', '.join(row.name for row in self.rows)}")
            return found
        return self.rows[key]

    def __str__(self) -> str:
        """One line a figure."""
        return "\n".join(str(row) for row in self.rows)

    def __repr__(self) -> str:
        """In one line."""
        return f"<Metrics: {', '.join(row.name for row in self.rows)}>"

    def to_frame(self) -> Any:
        """The rows as a ``pandas.DataFrame``.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return frame_of(self.rows)

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return html_table(self.rows)


class MetricCalculator:
    """Makes figures of the same films, each with its interval.

    Args:
        resamples: Of these films, for what the bootstrap must judge. Where they draw patients with several films,
            proportions are widened too (Rao and Scott), and the AUC's variance is Obuchowski's.
        films: Which films these are; stands in every row.
        confidence: Of the intervals.
    """

    def __init__(self, resamples: Resamples, *, films: str = "", confidence: float = 0.95) -> None:
        self.resamples = resamples
        self._patients = resamples.numbers
        self._films = films
        self._confidence = confidence

    def proportion(self, name: str, hits: Mask, among: Mask | None = None) -> Metric:
        """A proportion: of the films ``among`` [N] (all of them without it), those that are ``hits`` [N]."""
        return proportion_metric(name, hits, self._patients, self._films, among=among, confidence=self._confidence)

    def auc(self, name: str, truth: Mask, scores: Floats, among: Mask | None = None) -> Metric:
        """The area under the ROC curve of the films ``among`` [N]."""
        kept = slice(None) if among is None else among
        return auc_metric(
            name, truth[kept], scores[kept], self._patients[kept], self._films, confidence=self._confidence
        )

    def f1(self, name: str, truth: Mask, called: Mask, among: Mask | None = None) -> Metric:
        """F1 of calls."""
        counts = np.stack([called & truth, called ^ truth], axis=1).astype(np.float64)
        return self.sums(name, f1_of_sums, counts, among=among, otherwise="no film has the finding, and none is called")

    def brier(self, name: str, truth: Mask, p: Floats, among: Mask | None = None) -> Metric:
        """Brier score of a probability [N]."""
        return self.mean(name, (p - truth) ** 2, among)

    def log_loss(self, name: str, likelihood: Floats, among: Mask | None = None) -> Metric:
        """Mean negative log-likelihood, in nats, of the probability that each film's own class was given, [N]."""
        return self.mean(name, -np.log(np.maximum(likelihood, _TINY)), among)

    def ece(self, name: str, truth: Mask, p: Floats, among: Mask | None = None) -> Metric:
        """Expected calibration error of a probability [N]; see ``expected_calibration_error``."""
        columns = np.column_stack([calibration_gaps(truth, p, ECE_BINS), np.ones(len(truth))])
        return self.sums(name, _calibration_error, columns, among=among)

    def mean(self, name: str, values: Floats, among: Mask | None = None) -> Metric:
        """The mean of ``values`` [N]."""
        return self.sums(name, ratio_of_sums, np.stack([values, np.ones(len(values))], axis=1), among=among)

    def average_precision(self, name: str, truth: Mask, scores: Floats, among: Mask | None = None) -> Metric:
        """The area under the precision-recall curve in steps."""
        kept = np.ones(len(truth), dtype=bool) if among is None else among

        def statistic() -> Callable[[Floats], Floats]:
            ranking = RankedScores(truth[kept], scores[kept])
            return lambda weights: ranking.average_precisions(weights[:, kept])[:, None]

        return self.weights((name,), statistic, n=int(kept.sum()))[0]

    def calibration_line(self, truth: Mask, p: Floats, among: Mask | None = None) -> list[Metric]:
        """Slope and intercept of the calibration line; a resample without errors has an infinite slope: an open end."""
        kept = np.ones(len(truth), dtype=bool) if among is None else among

        def statistic() -> Callable[[Floats], Floats]:
            resampled = CalibrationResamples(truth[kept], p[kept])
            return lambda weights: resampled.lines(weights[:, kept])

        return self.weights(
            ("calibration slope", "calibration intercept"),
            statistic,
            least=_MIN_COMPUTABLE,
            otherwise="the probabilities separate the classes wholly, and the slope is infinite",
            n=int(kept.sum()),
        )

    def calibration_in_the_large(self, name: str, truth: Mask, p: Floats) -> Metric:
        """The calibration intercept where the slope is held at 1."""

        def statistic() -> Callable[[Floats], Floats]:
            resampled = CalibrationResamples(truth, p, line=False)
            return lambda weights: resampled.in_the_large(weights)[:, None]

        return self.weights((name,), statistic)[0]

    def of_confusion(
        self,
        name: str,
        statistic: Callable[[Floats], Floats],
        labels: NDArray[np.int64],
        called: NDArray[np.int64],
        classes: int,
        *,
        among: Mask | None = None,
        otherwise: str = "",
    ) -> Metric:
        """A figure of the confusion matrix.

        Args:
            name: Of the figure.
            statistic: Of ``pneumoscope.stats.confusion``: takes [draws, C, C] and gives [draws].
            labels: Class numbers, [N].
            called: Class numbers, [N].
            classes: How many there are.
            among: The films that count, [N]; None: all.
            otherwise: What films are that it cannot be computed of, in words.
        """
        cells = confusion_cells(np.maximum(labels, 0), called, classes)
        return self.sums(
            name, lambda x: statistic(x.reshape(-1, classes, classes)), cells, among=among, otherwise=otherwise
        )

    def sums(
        self,
        name: str,
        statistic: Callable[[Floats], Floats],
        values: Floats,
        *,
        among: Mask | None = None,
        otherwise: str = "",
    ) -> Metric:
        """A figure of sums over films; see ``Resamples.sums``.

        Args:
            name: Of the figure.
            statistic: Takes sums, float64 [draws, K], and gives float64 [draws].
            values: [N, K].
            among: The films that count, [N]; None: all.
            otherwise: What films are that it cannot be computed of, in words.
        """
        n = self.resamples.n if among is None else int(among.sum())
        if n == 0:
            return Metric(name, None, None, None, 0, None, "bootstrap", self._films, "there is no such film")
        counted = values if among is None else values * among[:, None]
        try:
            found = self.resamples.sums(statistic, counted)
        except ValueError as error:
            value = float(statistic(np.asarray(counted, dtype=np.float64).sum(axis=0, keepdims=True))[0])
            return self._without_interval(name, value, str(error), otherwise, n=n)
        return self._drawn(name, found, n=n)

    def weights(
        self,
        names: Sequence[str],
        statistic: Callable[[], Callable[[Floats], Floats]],
        *,
        least: float = 0.5,
        otherwise: str = "",
        n: int | None = None,
    ) -> list[Metric]:
        """Figures of the films themselves; see ``Resamples.weights_many``.

        Args:
            names: M.
            statistic: Makes the statistic, which gives [draws, M]; a ValueError of it means that these films have no
                such figure.
            least: Share of the resamples that must be computable.
            otherwise: What films are that they cannot be computed of, in words.
            n: Films that count, where not all do.
        """
        try:
            of_weights = statistic()
        except ValueError as error:
            return [self._without_interval(name, None, str(error), n=n) for name in names]
        try:
            found = self.resamples.weights_many(of_weights, least=least)
        except ValueError as error:  # the figure stands without an interval, unless it has no value either
            values = of_weights(np.ones((1, self.resamples.n)))[0]
            return [
                self._without_interval(name, float(value), str(error), otherwise, n=n)
                for name, value in zip(names, values, strict=True)
            ]
        return [self._drawn(name, one, n=n) for name, one in zip(names, found, strict=True)]

    def _drawn(self, name: str, found: Estimate, *, n: int | None = None) -> Metric:
        # Where all resamples agree (no error, no call) the bootstrap sees no doubt, and there is some: no interval.
        if found.low == found.high:
            return self._without_interval(name, found.value, "the resamples all agree, and would call it certain", n=n)
        films = found.n if n is None else n
        return Metric(name, found.value, found.low, found.high, films, None, "bootstrap", self._films)

    def _without_interval(
        self, name: str, value: float | None, why: str, otherwise: str = "", *, n: int | None = None
    ) -> Metric:
        """A row without an interval, or without a value too, and the reason."""
        known = value if value is not None and np.isfinite(value) else None
        if otherwise:
            why = otherwise if known is None else f"{why}: in the others {otherwise}"
        films = self.resamples.n if n is None else n
        return Metric(name, known, None, None, films, None, "bootstrap", self._films, why)


def metrics(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    threshold: float | Mapping[str, float] | None = 0.5,
    classes: Sequence[str] | None = None,
    positive: Sequence[int] | None = None,
    films: str = "",
    draws: int = 2000,
    seed: int | np.random.Generator = 0,
    confidence: float = 0.95,
) -> Metrics:
    """Every usual figure of a set of predictions, each with its interval.

    Args:
        labels: Class numbers, [N]: 0 or 1 for one probability a film. ``UNKNOWN_CLASS`` (-1) is a film that has the
            finding, in which of its classes nobody knows: it counts for the finding, and not for the classes. Or
            bool [N, C], the classes that each film may be of, to the same end.
        probabilities: Calibrated: of the finding, [N]; or of each class, [N, C].
        patients: The patient of each film, [N]; None: every film is its own patient.
        threshold: From which probability of the finding a film is called. With several, by name, each figure at a
            threshold carries its name: "recall (screening)". None: no figures at a threshold.
        classes: Names, C; without them, numbers.
        positive: Numbers of the classes that are the finding; without it, all but the first.
        films: Which films these are; stands in every row.
        draws: Of the bootstrap.
        seed: Of the bootstrap, or its generator.
        confidence: Of the intervals.

    Returns:
        "AUC"; "recall", "specificity", "precision", "F1", "accuracy" at each threshold; for more than two classes
        "C-class accuracy", "macro F1", "C-class log loss"; "A against B AUC" for each two classes of the finding;
        "Brier", "ECE", "log loss".

    Raises:
        ValueError: NaN, values that are no probabilities, or shapes that do not fit.
    """
    p, truth, allowed = _checked(labels, probabilities)
    count = p.shape[1]
    names = [str(number) for number in range(count)] if classes is None else list(classes)
    if len(names) != count:
        raise ValueError(f"{count} columns of probabilities need as many class names, not {len(names)}")
    sick = list(range(1, count)) if positive is None else [int(number) for number in positive]
    by_class = np.isin(truth, (*sick, UNKNOWN_CLASS))
    finding: Mask = by_class if allowed is None else np.asarray(allowed[:, sick].any(axis=1))
    score = np.clip(p[:, sick].sum(axis=1), 0, 1)
    calculator = MetricCalculator(
        Resamples(len(p), patients, draws, generator=np.random.default_rng(seed), confidence=confidence),
        films=films,
        confidence=confidence,
    )
    points = {"": threshold} if isinstance(threshold, int | float) else dict(threshold or {})
    rows = [calculator.auc("AUC", finding, score)]
    for preset, at in points.items():
        rows += _at_threshold(calculator, finding, score >= at, f" ({preset})" if preset else "")
    known, called = truth != UNKNOWN_CLASS, p.argmax(axis=1)
    if count > 2 and known.any():
        rows += [
            calculator.proportion(f"{count}-class accuracy", called == truth, known),
            calculator.of_confusion("macro F1", macro_f1, truth, called, count, among=known),
        ]
    rows += [pairwise_auc(calculator, truth, p, (a, b), names) for a, b in combinations(sick, 2)]
    rows += [
        calculator.brier("Brier", finding, score),
        calculator.ece("ECE", finding, score),
        calculator.log_loss("log loss", np.where(finding, score, 1 - score)),
    ]
    if count > 2 and known.any():
        own = p[np.arange(len(p)), np.maximum(truth, 0)]
        rows.append(calculator.log_loss(f"{count}-class log loss", own, known))
    people = None if patients is None else calculator.resamples.count
    return Metrics(tuple(rows), people, draws, confidence)


def pairwise_auc(
    calculator: MetricCalculator,
    labels: NDArray[np.int64],
    p: Floats,
    pair: tuple[int, int],
    classes: Sequence[str],
) -> Metric:
    """Two classes of the finding against each other, among their own films: the logit of one against the other."""
    a, b = pair
    ratio = np.log(np.maximum(p[:, a], _TINY)) - np.log(np.maximum(p[:, b], _TINY))
    name = f"{classes[a]} against {classes[b]} AUC"
    return calculator.auc(name, labels == a, ratio, np.isin(labels, pair))


def proportion_metric(
    name: str,
    hits: ArrayLike,
    patients: ArrayLike | None,
    films: str = "",
    *,
    among: Mask | None = None,
    confidence: float = 0.95,
) -> Metric:
    """A proportion of films, clustered by patient; without films it has no value.

    Args:
        name: Of the figure.
        hits: 0 or 1, [N].
        patients: The patient of each film, [N]; None: every film is its own patient.
        films: Which films, in words.
        among: The films that it is a share of, [N]; None: all.
        confidence: Of the interval.
    """
    values = np.asarray(hits, dtype=bool)
    people = np.arange(len(values)) if patients is None else np.asarray(patients)
    if among is not None:
        values, people = values[among], people[among]
    found = clustered_rate(values, people, confidence=confidence)
    if not found.known:
        return Metric(name, None, None, None, 0, 0, "Wilson", films, "there is no film that it is a share of")
    return Metric(name, found.value, found.low, found.high, found.n, found.k, "Wilson", films)


def auc_metric(
    name: str,
    truth: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike | None,
    films: str = "",
    *,
    confidence: float = 0.95,
) -> Metric:
    """An AUC, clustered by patient; with films of one kind only it has no value.

    Args:
        name: Of the figure.
        truth: 0 or 1, [N].
        scores: Finite, [N].
        patients: The patient of each film, [N]; None: every film is its own patient.
        films: Which films, in words.
        confidence: Of the interval.
    """
    labels = np.asarray(truth, dtype=bool)
    if not labels.any() or labels.all():
        return Metric(name, None, None, None, len(labels), None, "DeLong", films, ONE_CLASS_ONLY)
    found = delong(labels, scores, patients, confidence)
    method = "DeLong" if 0 < found.value < 1 else "Wilson of pairs"
    return Metric(name, found.value, found.low, found.high, found.n, None, method, films)


def mean_metric(
    name: str,
    values: ArrayLike,
    patients: ArrayLike | None,
    films: str = "",
    *,
    rng: np.random.Generator,
    draws: int = 1000,
) -> Metric:
    """The mean over films; patients are drawn whole. Without films it has no value.

    Args:
        name: Of the figure.
        values: Finite, [N].
        patients: The patient of each film, [N]; None: every film is its own patient.
        films: Which films, in words.
        rng: Source of chance.
        draws: Of the bootstrap.
    """
    rows = np.asarray(values, dtype=np.float64)
    if len(rows) == 0:
        return Metric(name, None, None, None, 0, None, "bootstrap", films)
    sums = np.stack([rows, np.ones(len(rows))], axis=1)
    found = bootstrap_sums(ratio_of_sums, sums, patients, draws, generator=rng)
    return Metric(name, found.value, found.low, found.high, found.n, None, "bootstrap", films)


def frame_of(rows: Sequence[Metric]) -> Any:
    """Figures as a ``pandas.DataFrame``, one row a figure.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingExtra(
            "a data frame needs the package pandas, which is not installed",
            remedy="Install it with: pip install pandas",
        ) from error
    names = ("name", "value", "low", "high", "k", "n", "method", "films", "why")
    return pd.DataFrame([{name: getattr(row, name) for name in names} for row in rows], columns=list(names))


def html_table(rows: Sequence[Metric]) -> str:
    """Figures as an HTML table, for a notebook; all text is escaped."""

    def cell(text: str) -> str:
        return f"<td>{escape(text)}</td>"

    lines = []
    for row in rows:
        value = "cannot be computed" if row.value is None else f"{row.value:.3f}"
        interval = "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
        films = str(row.n) if row.k is None else f"{row.k}/{row.n}"
        lines.append(f"<tr>{cell(row.name)}{cell(value)}{cell(interval)}{cell(films)}{cell(row.method)}</tr>")
    heads = "".join(f"<th>{head}</th>" for head in ("figure", "value", "95 % interval", "films", "method"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _at_threshold(calculator: MetricCalculator, truth: Mask, called: Mask, suffix: str) -> list[Metric]:
    return [
        calculator.proportion(f"recall{suffix}", called, truth),
        calculator.proportion(f"specificity{suffix}", ~called, ~truth),
        calculator.proportion(f"precision{suffix}", truth, called),
        calculator.f1(f"F1{suffix}", truth, called),
        calculator.proportion(f"accuracy{suffix}", called == truth),
    ]


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Floats, NDArray[np.int64], Mask | None]:
    """Probabilities [N, C], class numbers [N] (-1 where unknown), and the allowed classes [N, C] if they were given."""
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim == 1:
        p = np.stack([1 - p, p], axis=1)
    given = np.asarray(labels)
    if given.ndim == 2:
        p, _ = table(p, np.zeros(len(given), dtype=np.int64), simplex=True)
        allowed = given.astype(np.bool_)
        if allowed.shape != p.shape or not allowed.any(axis=1).all():
            raise ValueError("labels of two axes must be shaped like the probabilities, with a class for each film")
        return p, np.where(allowed.sum(axis=1) == 1, allowed.argmax(axis=1), UNKNOWN_CLASS), allowed
    numbers = given.astype(np.int64) if given.dtype == np.bool_ else given
    unknown = numbers == UNKNOWN_CLASS
    p, known = table(p, np.where(unknown, 0, numbers), simplex=True)
    return p, np.where(unknown, UNKNOWN_CLASS, known), None


def ratio_of_sums(sums: Floats) -> Floats:
    """Of sums [draws, 2], the first by the second: a mean or a proportion; NaN where there is nothing to divide by."""
    of = sums[:, 1]
    return np.where(of > 0, sums[:, 0] / np.where(of > 0, of, 1), np.nan)


def f1_of_sums(sums: Floats) -> Floats:
    """F1 of sums [draws, 2]: true positives, and wrong calls of either kind; NaN where there are neither."""
    below = 2 * sums[:, 0] + sums[:, 1]
    return np.where(below > 0, 2 * sums[:, 0] / np.where(below > 0, below, 1), np.nan)


def _calibration_error(sums: Floats) -> Floats:
    """Of sums [draws, bins + 1]: predicted less observed in each bin, and how many films."""
    return ratio_of_sums(np.stack([np.abs(sums[:, :-1]).sum(axis=1), sums[:, -1]], axis=1))
