"""Seconds a film, by reader and arm, and how the arms differ."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.reader_study.result import ReadingTime, TimeRatio
from pneumoscope.stats.mrmc import student_interval

if TYPE_CHECKING:
    from pneumoscope.evaluation.reader_study.readings import ReaderStudyReadings

__all__ = ["reading_times", "time_ratios"]


def reading_times(readings: ReaderStudyReadings) -> tuple[ReadingTime, ...]:
    """Median and quartiles; of all readers of an arm first, then of each."""
    found = []
    for a, arm in enumerate(readings.arms):
        rows = [("all", readings.seconds[a].ravel())]
        rows += list(zip(readings.readers, readings.seconds[a], strict=True))
        for reader, row in rows:
            seconds = row[np.isfinite(row) & (row > 0)]
            if len(seconds):
                lower, median, upper = (float(part) for part in np.percentile(seconds, [25, 50, 75]))
                hours = float(seconds.sum()) / 3600
                found.append(ReadingTime(reader, arm, median, lower, upper, len(seconds), hours))
    return tuple(found)


def time_ratios(readings: ReaderStudyReadings) -> tuple[TimeRatio, ...]:
    """Arms against earlier ones: each reader's mean log ratio over films read in both, then the mean over readers."""
    found = []
    for a, b in combinations(range(len(readings.arms)), 2):
        first, second = readings.seconds[a], readings.seconds[b]
        both = np.isfinite(first) & np.isfinite(second) & (first > 0) & (second > 0)
        logs = [
            float((np.log(second[r][both[r]]) - np.log(first[r][both[r]])).mean())
            for r in range(len(readings.readers))
            if both[r].any()
        ]
        if not logs:
            continue
        mean, low, high, p = float(np.mean(logs)), None, None, None
        if len(logs) > 1:
            low, high, p, _ = student_interval(
                mean, float(np.var(logs, ddof=1)) / len(logs), float(len(logs) - 1), None, 0.95
            )
        found.append(
            TimeRatio(
                readings.arms[a],
                readings.arms[b],
                float(np.exp(mean)),
                None if low is None else float(np.exp(low)),
                None if high is None else float(np.exp(high)),
                p,
                len(logs),
            )
        )
    return tuple(found)
