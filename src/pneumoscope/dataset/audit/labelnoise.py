"""Likely mislabelled films, by confident learning on out-of-fold probabilities.

Northcutt, Jiang, Chuang, JAIR 70 (2021) 1373, as cleanlab has it: a film is confidently of another class when its
probability there is above that class's mean probability among its own films; from these counts follow how many films of
each label are of each class, and the least plausible of them are listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.audit.report import LabelNoise, Suspect
from pneumoscope.errors import MissingExtra
from pneumoscope.quiet import quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["label_noise"]

_LEAST = 5  # films of each class


def label_noise(
    level: str,
    paths: Sequence[str],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
) -> LabelNoise:
    """Rank the films whose label is probably wrong.

    Args:
        level: "finding" or "classes", for the report.
        paths: N.
        labels: int64 [N].
        probabilities: Out-of-fold, float64 [N, C], rows that sum to 1.
        classes: Names, C.

    Raises:
        MissingExtra: cleanlab is not installed.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if len(classes) < 2 or counts.min(initial=_LEAST) < _LEAST:
        scarce = [name for name, count in zip(classes, counts.tolist(), strict=True) if count < _LEAST]
        why = f"fewer than {_LEAST} films with predictions of: {', '.join(scarce)}" if scarce else "one class only"
        return LabelNoise(level, list(classes), len(labels), [], [], why)
    try:
        with quietly():
            from cleanlab.count import compute_confident_joint, estimate_joint  # noqa: PLC0415 - heavy
            from cleanlab.filter import find_label_issues  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("cleanlab", extra="audit", needed_for="finding mislabelled films") from error
    with quietly():
        joint = estimate_joint(
            labels, probabilities, confident_joint=compute_confident_joint(labels, probabilities, calibrate=True)
        )
        ranked = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    suspects = []
    for place in np.asarray(ranked).tolist():
        suggested = int(np.argmax(probabilities[place]))
        given = int(labels[place])
        if suggested != given:
            p = probabilities[place]
            suspects.append(
                Suspect(paths[place], classes[given], classes[suggested], float(p[given]), float(p[suggested]))
            )
    return LabelNoise(level, list(classes), len(labels), (joint * len(labels)).tolist(), suspects)
