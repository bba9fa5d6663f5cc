"""From validation logits to calibrator, operating points and conformal quantiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch

from pneumoscope.errors import TrainingError
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.schema import Calibrator
from pneumoscope.stats.calibration import fit_temperature_and_bias
from pneumoscope.stats.operating_points import rates_at_threshold
from pneumoscope.training.augment import apply_augmentation, draw_parameters
from pneumoscope.training.batches import allowed_classes
from pneumoscope.training.operating_points import (
    choose_bounds,
    choose_thresholds,
    conformal_levels,
    operating_point_of,
    state_band,
    threshold_rules,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pneumoscope.model.schema import Conformal, ExpectedRates, OperatingPoint, ThreeWayPoint
    from pneumoscope.training.config import AugmentConfig, CalibrationConfig

__all__ = [
    "Calibrated",
    "CalibrationLogits",
    "choose_decisions",
    "collect_logits",
    "fit_calibration",
    "fit_calibrator",
    "weakened",
]

_ERRORS = 1.0
"""The best threshold of some films is a place on a plateau: its middle is what shifts to either side harm least."""

_NEVER_SHIFTED = ("flip", "erase", "marker", "mixup")
"""A shifted look is what another scanner might have made of the film: it hides nothing and mirrors nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationLogits:
    """What the network says of the validation films.

    Attributes:
        plain: float32 [N, C], logits of the films as they are.
        shifted: float32 [K, N, C], logits of K augmented looks at each; K may be 0.
        labels: int64 [N], or bool [N, C] of the classes that each film may be of.
    """

    plain: NDArray[np.float32]
    shifted: NDArray[np.float32]
    labels: NDArray[np.int64] | NDArray[np.bool_]

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Bool [N, C], the classes that each film may be of."""
        return allowed_classes(self.labels, self.plain.shape[1])

    def calibrated(self, calibrator: Calibrator) -> CalibrationLogits:
        """The same, as logits that need no calibrator any more."""
        bias = np.array(calibrator.bias, dtype=np.float32)
        scale = np.float32(calibrator.temperature)
        return CalibrationLogits(self.plain / scale + bias, self.shifted / scale + bias, self.labels)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What goes into the bundle."""

    calibrator: Calibrator
    operating_points: tuple[OperatingPoint, ...]
    band: ThreeWayPoint
    conformal: tuple[Conformal, ...]
    expected: tuple[ExpectedRates, ...] = ()


def weakened(config: AugmentConfig, share: float) -> AugmentConfig:
    """The same kinds of augmentation at a share of their strengths, and without what hides parts of a film."""
    return msgspec.structs.replace(config.scaled(share), **dict.fromkeys(_NEVER_SHIFTED, 0.0))


def collect_logits(
    say: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    films: NDArray[np.uint8],
    labels: NDArray[np.int64] | NDArray[np.bool_],
    *,
    augment: AugmentConfig,
    config: CalibrationConfig,
    seed: int,
) -> CalibrationLogits:
    """Show the validation films to a network, plain and shifted.

    Args:
        say: What it says of films: logits float32 [n, C] of uint8 [n, S, S].
        films: uint8 [N, S, S].
        labels: int64 [N], or bool [N, C] of the classes that each film may be of.
        augment: As in training; the shifted looks are a weaker form of it.
        config: How many, and how much weaker.
        seed: Of the looks.
    """
    plain = say(films)
    milder = weakened(augment, config.shift)
    generator = torch.Generator().manual_seed(seed)
    shifted = np.empty((config.shifted_copies, *plain.shape), dtype=np.float32)
    for copy in range(config.shifted_copies):
        for start in range(0, len(films), 64):
            part = torch.from_numpy(np.ascontiguousarray(films[start : start + 64]))[:, None].float() / 255
            seen = apply_augmentation(part, draw_parameters(milder, len(part), generator))
            rounded = torch.round(seen * 255).to(torch.uint8)[:, 0].numpy()
            shifted[copy, start : start + len(part)] = say(rounded)
    return CalibrationLogits(plain, shifted, labels)


def fit_calibration(
    looks: CalibrationLogits,
    positive: tuple[bool, ...],
    config: CalibrationConfig,
    *,
    films: str = "validation films",
    patients: Sequence[str] | None = None,
) -> Calibrated:
    """Fit everything that a bundle decides by, on the same films: ``fit_calibrator``, then ``choose``."""
    return choose_decisions(looks, fit_calibrator(looks, config), positive, config, films=films, patients=patients)


def fit_calibrator(looks: CalibrationLogits, config: CalibrationConfig) -> Calibrator:
    """Fit temperature and bias, on the plain and the shifted looks together.

    Published audits and our own find that on another scanner's films the ranking survives and the calibration does not.

    Args:
        looks: Logits of films that the network has not learned from.
        config: How.
    """
    pooled = np.concatenate([looks.plain, looks.shifted.reshape(-1, looks.plain.shape[1])])
    allowed = np.tile(looks.allowed, (1 + len(looks.shifted), 1))
    temperature, bias = fit_temperature_and_bias(pooled, allowed, l2=config.l2)
    return Calibrator(temperature=temperature, bias=tuple(bias.tolist()))


def choose_decisions(
    looks: CalibrationLogits,
    calibrator: Calibrator,
    positive: tuple[bool, ...],
    config: CalibrationConfig,
    *,
    films: str,
    patients: Sequence[str] | None = None,
) -> Calibrated:
    """Choose the thresholds, the band and the sets on calibrated probabilities.

    The band keeps its stated errors on the plain films, and on these and their shifted looks together. The
    thresholds of the two-way calls are chosen on the plain films alone: chosen with the shifted looks they call too
    little, on another batch too (docs/experiments.md). The conformal quantiles and the stated sensitivities are of
    the plain films alone as well: those are the films that they speak of.

    Args:
        looks: Logits of the films.
        calibrator: From logits to probabilities.
        positive: One bool a class.
        config: How.
        films: What they are, in words; their number is put before it.
        patients: The patient of each film, [N], for the intervals of the stated rates; None: each film its own.

    Raises:
        TrainingError: The films are of one class only.
    """
    classes = looks.plain.shape[1]
    is_positive = np.array(positive)
    truth = (looks.allowed & is_positive).any(axis=1)
    if truth.all() or not truth.any():
        raise TrainingError(
            "the validation films are all positive or all negative, so no threshold can be chosen",
            remedy="Give more patients to the validation part (data.fractions), or check the labels",
        )
    plain = calibrated_probabilities(looks.plain, calibrator)
    score = plain[:, is_positive].sum(axis=1)
    pooled = np.concatenate([looks.plain, looks.shifted.reshape(-1, classes)])
    every_truth = np.tile(truth, 1 + len(looks.shifted))
    every_score = calibrated_probabilities(pooled, calibrator)[:, is_positive].sum(axis=1)
    plainly = f"{len(looks.labels):,} {films}"
    with_shifted = (
        f"{plainly} with {len(looks.shifted)} shifted looks at each; the rates are those of the films as they are"
    )
    points = []
    for preset, threshold in choose_thresholds(
        truth, score, threshold_rules(config.screening_recall, errors=_ERRORS)
    ).items():
        seen = rates_at_threshold(truth, score, threshold.value, patients)
        points.append(operating_point_of(preset, threshold, seen.sensitivity, seen.specificity, plainly))
    stated = (config.missed, config.false_calls)
    as_they_are, also_shifted = choose_bounds(truth, score, stated), choose_bounds(every_truth, every_score, stated)
    bounds = replace(
        as_they_are,
        lower=min(as_they_are.lower, also_shifted.lower),
        upper=max(as_they_are.upper, also_shifted.upper),
    )
    return Calibrated(
        calibrator=calibrator,
        operating_points=tuple(points),
        band=state_band(
            bounds, truth, score, stated, with_shifted if len(looks.shifted) else plainly, patients=patients
        ),
        conformal=conformal_levels(plain, looks.allowed, is_positive, config.coverages),
    )
