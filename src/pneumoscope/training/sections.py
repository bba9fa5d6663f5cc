"""The sections of a configuration but for the augmentation: films, network, optimisation, calibration."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["CalibrationConfig", "DataConfig", "NetworkConfig", "OptimConfig", "Section", "within"]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, by keyword, and strict: an unknown key is an error."""


def within(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Refuse a number outside its bounds.

    Raises:
        ValueError: With the name and the bounds.
    """
    if not low <= value <= high:
        bounds = f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
        raise ValueError(f"{name} must be {bounds}, not {value:g}")


class DataConfig(Section, frozen=True):
    """Which films, and how they are prepared.

    Attributes:
        labels: "pattern" tells normal, bacterial and viral apart; "binary" normal and pneumonia.
        source: Layout of the data; "" detects it.
        fractions: Shares of the patients in train, val and test.
        keep_official: Take the set's own test part as the test part.
        fold: With ``folds``: which of them is the validation part.
        folds: 0 for one split by ``fractions``; k for k folds by patient.
        hold_test: With ``folds``: keep the test part of the split by ``fractions`` out of every fold, so that the
            mean of the folds' networks (``pneumoscope ensemble``) can be judged on it.
        clusters: With 2 or more: cluster the films by how they were made (size, coding, sharpness, histogram,
            borders, markers; no anatomy, no label) and hold one whole cluster out as the test part.
        left_out: Which cluster; 0 is the largest.
        size: Side of the network's input in pixels; 0 takes the network's default.
        frame: What part of a film the network sees: all of the "film", or the box around its "lungs".
        margin: Added to the lungs' box on each side, as a share of that side.
        trim: Cut off each side of the frame when a film is read (and validated), not when it is learned from.
        gate: Give the bundle the package's gate, so that it refuses what is no whole, frontal chest film.
        ages: With a gate: years, from and to, of the patients, as [1, 5]; a reading of another patient warns, where
            the file tells the age. [] if they are not known.
        low: Percentile of a film that becomes black.
        high: Percentile that becomes white.
        balance: How unequal classes are met: "none", "weights" (in the loss), "sampling" (of films).
        guests: Folder of films without labels that sit in each batch (``training/guests.py``); "" for none.
        split_seed: Of the split by ``fractions`` and ``folds``; apart from the run's seed, so that runs with
            different seeds learn from and are judged on the same patients.
        description: What the films are, and whose; it goes into the bundle.
        licence: Under which they may be used.
        citation: How to cite them.
    """

    labels: Literal["pattern", "binary"] = "pattern"
    source: str = ""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    keep_official: bool = False
    fold: int = 0
    folds: int = 0
    hold_test: bool = False
    clusters: int = 0
    left_out: int = 0
    size: int = 0
    frame: Literal["film", "lungs"] = "film"
    margin: float = 0.06
    trim: float = 0.0
    gate: bool = False
    ages: tuple[float, ...] = ()
    low: float = 0.5
    high: float = 99.5
    balance: Literal["none", "weights", "sampling"] = "weights"
    guests: str = ""
    split_seed: int = 0
    description: str = ""
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        """Refuse ages that no patient has."""
        if self.ages and not (len(self.ages) == 2 and 0 <= self.ages[0] <= self.ages[1]):
            raise ValueError(f"ages must be [] or years from and to, as [1, 5], not {list(self.ages)}")


class NetworkConfig(Section, frozen=True):
    """Which network. ``pneumoscope networks`` lists the names and their options."""

    name: str = "residual"
    options: dict[str, Any] = {}


class OptimConfig(Section, frozen=True):
    """How it learns.

    Attributes:
        optimizer: "adamw", "adam", "rmsprop" or "sgd" (Nesterov momentum 0.9).
        learning_rate: At the top of the schedule.
        weight_decay: Not on biases and norms.
        schedule: "cosine" (with warm-up, to a hundredth), "plateau" (on the validation loss) or "constant".
        warmup: Share of all steps in which the rate rises from 0.
        epochs: At most.
        batch: Films a step.
        loss: "cross_entropy" over all classes, or "binary_cross_entropy" of the finding against its absence.
        finding_weight: Share of the binary loss that is added to the categorical one, 0 to 1.
        label_smoothing: 0 to 1.
        patience: Stop when ``monitor`` has not improved for so many epochs; 0 never stops early.
        monitor: Validation figure that chooses the epoch: "loss", "auc" or "recall"; "last" keeps the last epoch.
        ema: Decay of the weights' moving average a step; 0 for none. The average is what is validated and kept.
        clip: Largest gradient norm; 0 for no limit.
        frozen_epochs: For transfer: epochs in which only the head learns.
        body_rate: For transfer: the body's learning rate as a share of the head's.
        precision: "auto" takes bf16 where the machine has it fast, else 32 bit; or "bf16", "fp16", "fp32".
    """

    optimizer: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    warmup: float = 0.05
    epochs: int = 30
    batch: int = 32
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    finding_weight: float = 0.0
    label_smoothing: float = 0.0
    patience: int = 0
    monitor: Literal["loss", "auc", "recall", "last"] = "auc"
    ema: float = 0.99
    clip: float = 1.0
    frozen_epochs: int = 0
    body_rate: float = 0.1
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"

    def __post_init__(self) -> None:
        """Refuse what could not run."""
        within("epochs", self.epochs, 1)
        within("batch", self.batch, 2)  # one film has no batch statistics
        within("learning_rate", self.learning_rate, 1e-12)
        for name in ("warmup", "finding_weight", "label_smoothing", "ema", "body_rate"):
            within(name, getattr(self, name), 0, 1)


class CalibrationConfig(Section, frozen=True):
    """How logits become probabilities and calls. All of it on the validation part, or out of fold.

    Attributes:
        folds: 0 calibrates on the validation part. k trains k networks more, by the same recipe, each on all but one
            of k folds of the patients (and without the test part), and calibrates on what each says of the films of
            its fold (``training/folds.py``): all films but the test part, for k times the time.
        fold_epochs: Epochs of those networks; 0 for as many as of the first one.
        shifted_copies: Augmented looks at each validation film that join the plain one, so that the temperature and the
            band also fit films that are not quite like the training hospital's.
        shift: Strength of those looks, as a share of the intensity and geometry augmentation.
        l2: Pull of the bias towards 0.
        coverages: Nominal coverages of the conformal sets.
        screening_recall: Least recall of the ``screening`` preset.
        missed: Of the three-way call: largest share of the films with the finding that are said to be without.
        false_calls: Likewise: largest share of the films without it that are called.
    """

    folds: int = 0
    fold_epochs: int = 0
    shifted_copies: int = 3
    shift: float = 0.25
    l2: float = 1e-3
    coverages: tuple[float, ...] = (0.9, 0.95)
    screening_recall: float = 0.99
    missed: float = 0.01
    false_calls: float = 0.02

    def __post_init__(self) -> None:
        """Errors of nothing or of everything are no rule for a threshold."""
        for name in ("missed", "false_calls"):
            within(name, getattr(self, name), 1e-4, 0.5)
