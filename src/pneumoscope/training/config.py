"""The configuration of a run: every key with its default and unit. A config file is a diff from these."""

from __future__ import annotations

import inspect
import logging
import math
import re
import textwrap
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from pneumoscope.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

__all__ = [
    "AugmentConfig",
    "CalibrationConfig",
    "DataConfig",
    "ExportConfig",
    "NetworkConfig",
    "OptimConfig",
    "Section",
    "SiteConfig",
    "TrainConfig",
    "check_range",
    "current_key",
    "find_recipe",
]

_LOG = logging.getLogger(__name__)


_ANY = float("inf")


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, by keyword, and strict: an unknown key is an error, and so is a number outside its bounds.

    Attributes:
        ranges: Lowest and highest value of each number.
    """

    ranges: ClassVar[dict[str, tuple[float, float]]] = {}

    def __post_init__(self) -> None:
        """Hold each number to its bounds."""
        for name, (low, high) in self.ranges.items():
            check_range(name, getattr(self, name), low, high)


def check_range(name: str, value: float, low: float, high: float = _ANY) -> None:
    """Refuse a number outside its bounds, and one that is not finite.

    Raises:
        ValueError: With the name and the bounds.
    """
    if not (low <= value <= high and math.isfinite(value)):
        raise ValueError(f"{name} must be {_bounds(low, high)}, not {value:g}")


def _bounds(low: float, high: float) -> str:
    return f"at least {low:.10g}" if high == _ANY else f"{low:.10g} to {high:.10g}"


def _check_ages(name: str, ages: tuple[float, ...]) -> None:
    if ages and not (len(ages) == 2 and 0 <= ages[0] <= ages[1]):
        raise ValueError(f"{name} must be [] or years from and to, as [1, 5], not {list(ages)}")


class SiteConfig(Section, frozen=True):
    """What is known of a site; it goes into the bundle if films of the site are learned from.

    Attributes:
        description: What the films are, and whose.
        licence: Under which they may be used.
        citation: How to cite them.
        ages: Years, from and to, of its patients, where the films do not tell; [] if they are not known.
    """

    description: str = ""
    licence: str = ""
    citation: str = ""
    ages: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse ages that no patient has."""
        _check_ages("ages", self.ages)


class DataConfig(Section, frozen=True):
    """Which films, and how they are prepared.

    Attributes:
        labels: "pattern" tells normal, bacterial and viral apart; "binary" normal and pneumonia.
        negative: The class without the finding, where its name does not say so (normal, negative, healthy, no finding
            and the like do).
        source: Layout of the data; "" detects it.
        rename: Labels to take for a class, by label; "" leaves their films out.
        uncertain: Films whose finding a set calls uncertain (-1 of CheXpert and MIMIC-CXR): "leave-out", "positive" or
            "negative".
        patient_pattern: A regular expression that finds the patient in a film's path; "" for none.
        fractions: Shares of the patients in train, val and test.
        keep_official: Take the set's own test part as the test part. Not given: where there is one. False (or
            ``--resplit``): pool the set's parts and split anew.
        leave_out: Sites whose films are not learned from and become the test part.
        leave_block: Share of patients with the lowest numbers, of those with and of those without the finding, whose
            films are not learned from and become the test part; 0 for none. Numbers follow time, if anything.
        block_site: With ``leave_block``: of which site; "" for each.
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
            the file tells the age. [] takes those of the sites, where they are known.
        pattern_ages: Years, from and to, of the patients whose patterns are known; a reading of another patient warns
            that the pattern is not to be relied on. [] says nothing.
        low: Percentile of a film that becomes black.
        high: Percentile that becomes white.
        balance: How unequal classes are met: "none", "weights" (in the loss), "sampling" (of films), or "site-class"
            (of films: each site as often as each other, half of its films with the finding, its labels alike).
        unlabelled: Folder of films without labels that sit in each batch (``training/batches.py``); "" for none.
        split_seed: Of the split by ``fractions`` and ``folds``; apart from the run's seed, so that runs with
            different seeds learn from and are judged on the same patients.
        description: What the films are, and whose; it goes into the bundle.
        licence: Under which they may be used.
        citation: How to cite them.
        sites: What is known of each site, by name; of those that films are learned from, it joins the three above.
    """

    labels: Literal["pattern", "binary"] = "pattern"
    negative: str = ""
    source: str = ""
    rename: dict[str, str] = {}
    uncertain: Literal["leave-out", "positive", "negative"] = "leave-out"
    patient_pattern: str = ""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    keep_official: bool | None = None
    leave_out: tuple[str, ...] = ()
    leave_block: float = 0.0
    block_site: str = ""
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
    pattern_ages: tuple[float, ...] = ()
    low: float = 0.5
    high: float = 99.5
    balance: Literal["none", "weights", "sampling", "site-class"] = "weights"
    unlabelled: str = ""
    split_seed: int = 0
    description: str = ""
    licence: str = ""
    citation: str = ""
    sites: dict[str, SiteConfig] = {}

    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        "leave_block": (0, 0.9),
        **dict.fromkeys(("fold", "folds", "clusters", "left_out", "size", "split_seed"), (0, _ANY)),
        "margin": (0, 1),
        "trim": (0, 0.4),
        "low": (0, 100),
        "high": (0, 100),
    }

    def __post_init__(self) -> None:
        """Refuse ages that no patient has, and shares that share nothing out."""
        Section.__post_init__(self)
        train, val, test = self.fractions
        if not (min(train, val) > 0 and test >= 0 and abs(train + val + test - 1) <= 1e-6):
            raise ValueError(
                "fractions must be shares of train, val and test that sum to 1, something for train and for val, "
                f"not {list(self.fractions)}"
            )
        _check_ages("ages", self.ages)
        _check_ages("pattern_ages", self.pattern_ages)


class NetworkConfig(Section, frozen=True):
    """Which network.

    Attributes:
        name: ``pneumoscope networks`` lists the names and their options.
        options: What differs from the family's defaults.
        flip: Read each film and its mirror image, and take the mean; twice the time.
    """

    name: str = "residual"
    options: dict[str, Any] = {}
    flip: bool = False


class ExportConfig(Section, frozen=True):
    """How the bundle is written.

    Attributes:
        half: Keep the weights in 16 bit: half the bytes. They are rounded before anything is calibrated or judged, and
            the graph computes in 32 bit.
        int8: Compute in 8-bit integers, with ranges that films of the training part have shown: a quarter of the bytes,
            and about twice as fast. Calibrated and judged is this graph. Not together with ``half``.
        caution: What the bundle's intended use says besides: what is known of films of elsewhere, and what is not.
    """

    half: bool = False
    int8: bool = False
    caution: str = ""

    def __post_init__(self) -> None:
        """Refuse two kinds of rounding at once."""
        Section.__post_init__(self)
        if self.half and self.int8:
            raise ValueError("half and int8 are two ways to round: choose one")


class OptimConfig(Section, frozen=True):
    """How it learns.

    Attributes:
        optimizer: "adamw", "adam", "rmsprop" or "sgd" (Nesterov momentum 0.9).
        learning_rate: At the top of the schedule.
        weight_decay: Not on biases and norms.
        schedule: "cosine" (with warm-up, to a hundredth), "plateau" (on the validation loss) or "constant".
        warmup: Share of all steps in which the rate rises from 0.
        epochs: At most.
        epoch_films: Films of an epoch, drawn anew for each; 0 for as many as there are.
        batch: Films a step.
        loss: "cross_entropy" over all classes, "binary_cross_entropy" of the finding against its absence, or the name
            of an own one (``register_loss``, or an entry point of the group "pneumoscope.losses").
        finding_weight: Share of the binary loss that is added to the categorical one, 0 to 1.
        label_smoothing: 0 to 1.
        patience: Stop when ``monitor`` has not improved for so many epochs; 0 never stops early.
        monitor: Validation figure that chooses the epoch: "loss", "auc" or "recall" (at a specificity of 90 %, so that
            an epoch that calls everything is none to keep); "last" keeps the last epoch.
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
    epoch_films: int = 0
    batch: int = 32
    loss: str = "cross_entropy"
    finding_weight: float = 0.0
    label_smoothing: float = 0.0
    patience: int = 0
    monitor: Literal["loss", "auc", "recall", "last"] = "auc"
    ema: float = 0.99
    clip: float = 1.0
    frozen_epochs: int = 0
    body_rate: float = 0.1
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"

    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        "epochs": (1, _ANY),
        "batch": (2, _ANY),  # one film has no batch statistics
        "learning_rate": (1e-12, _ANY),
        **dict.fromkeys(("warmup", "finding_weight", "label_smoothing", "ema", "body_rate"), (0, 1)),
        **dict.fromkeys(("epoch_films", "weight_decay", "patience", "clip", "frozen_epochs"), (0, _ANY)),
    }


class CalibrationConfig(Section, frozen=True):
    """How logits become probabilities and calls. All of it on the validation part, or out of fold.

    Attributes:
        folds: 0 calibrates on the validation part. k trains k networks more, by the same recipe, each on all but one
            of k folds of the patients (and without the test part), and calibrates on what each says of the films of
            its fold (``training/out_of_fold.py``): all films but the test part, for k times the time.
        sites: Train a network more for each site, by the same recipe without it, and calibrate on what each says of the
            site that it has not learned from (``training/across_sites.py``): thresholds that carry over, and rates to
            expect at a new hospital. Not together with ``folds``.
        block: Share of the patients with the lowest numbers of each site. Train a network more, by the same recipe
            without them, and calibrate on what it says of them: films of the same hospitals, but of another time. 0
            for none. For two sites; with three or more, ``sites`` says more.
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
    sites: bool = False
    block: float = 0.0
    fold_epochs: int = 0
    shifted_copies: int = 3
    shift: float = 0.25
    l2: float = 1e-3
    coverages: tuple[float, ...] = (0.9, 0.95)
    screening_recall: float = 0.99
    missed: float = 0.01
    false_calls: float = 0.02

    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        **dict.fromkeys(("folds", "fold_epochs", "shifted_copies", "shift", "l2"), (0, _ANY)),
        "block": (0, 0.5),
        "screening_recall": (0.01, 1),
        **dict.fromkeys(("missed", "false_calls"), (1e-4, 0.5)),  # nothing or everything is no rule for a threshold
    }

    def __post_init__(self) -> None:
        """Refuse coverages that are none."""
        Section.__post_init__(self)
        if not all(0 < coverage < 1 for coverage in self.coverages):
            raise ValueError(f"coverages must be above 0 and below 1, not {list(self.coverages)}")


_AUGMENT_RANGES = {
    "flip": (0.0, 1.0),
    "crop": (0.0, 0.9),
    "background_swap": (0.0, 1.0),
    "unlabelled": (0.0, 4.0),
    "mixup": (0.0, 0.5),
    "jpeg": (0.0, 100.0),
}


class AugmentConfig(Section, frozen=True):
    """What is done to a film before each look. 0 switches a kind off.

    Attributes:
        rotation: Degrees either way.
        translation: Share of half the film either way.
        zoom: Natural log of the scale either way.
        aspect: Natural log of width over height either way: the public films were squared, others are not.
        shear: Degrees either way.
        flip: Probability of a horizontal flip.
        crop: Largest share of the side that is cut away.
        contrast: Natural log of the slope either way.
        brightness: Shift in units of full white either way.
        gamma: Natural log of the exponent either way.
        curve: Steepness of an S-shaped film curve either way.
        local: Share of the local mean that is taken away, or doubled.
        local_probability: Of that.
        blur: Largest sigma in pixels.
        blur_probability: Of that.
        sharpen: Largest unsharp-mask amount.
        sharpen_probability: Of that.
        coarse: Largest factor of resampling down and up again; 1 for none.
        coarse_probability: Of that.
        jpeg: Lowest JPEG quality.
        jpeg_probability: Of that.
        noise: Largest standard deviation of grain, in units of full white.
        noise_probability: Of that.
        erase: Largest side of an erased box, as a share of the film's.
        erase_probability: Of that.
        marker: Largest side of a painted marker, likewise.
        marker_probability: Of that.
        border: Largest width of a painted collimation edge, likewise.
        border_probability: Of that.
        background_swap: Share of the films that get another film's surroundings, laid by the lungs
            (``training/background_swap.py``).
        unlabelled: How many sit in a batch, as a share of its films (``data.unlabelled``).
        mixup: Largest share of another film that is mixed in, up to 0.5.
        mixup_probability: Of that.
        extra: Names of own augmentations, applied last and in this order (``register_augmentation``, or entry points of
            the group "pneumoscope.augmentations").
    """

    rotation: float = 10.0
    translation: float = 0.06
    zoom: float = 0.12
    aspect: float = 0.2
    shear: float = 3.0
    flip: float = 0.5
    crop: float = 0.12
    contrast: float = 0.25
    brightness: float = 0.05
    gamma: float = 0.3
    curve: float = 0.4
    local: float = 0.4
    local_probability: float = 0.3
    blur: float = 1.2
    blur_probability: float = 0.2
    sharpen: float = 1.5
    sharpen_probability: float = 0.2
    coarse: float = 2.0
    coarse_probability: float = 0.2
    jpeg: float = 30.0
    jpeg_probability: float = 0.3
    noise: float = 0.03
    noise_probability: float = 0.2
    erase: float = 0.25
    erase_probability: float = 0.2
    marker: float = 0.14
    marker_probability: float = 0.3
    border: float = 0.1
    border_probability: float = 0.2
    background_swap: float = 0.0
    unlabelled: float = 0.25
    mixup: float = 0.0
    mixup_probability: float = 0.5
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could not be drawn."""
        for name in self.__struct_fields__:
            if name != "extra":
                low, high = _AUGMENT_RANGES.get(name, (0.0, 1.0 if "probability" in name else _ANY))
                check_range(name, getattr(self, name), low, high)

    @classmethod
    def none(cls) -> AugmentConfig:
        """Everything off."""
        off: dict[str, Any] = {name: 1.0 if name == "coarse" else 0.0 for name in cls.__struct_fields__}
        return cls(**{**off, "extra": ()})

    def scaled(self, share: float) -> AugmentConfig:
        """The same kinds with the same probabilities, at a share of their strengths; 0 switches off all but the flip.

        Above 1 they are stronger, as far as each can be.
        """
        limits = {"crop": 0.9, "mixup": 0.5}
        changed: dict[str, float] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "coarse":
                changed[name] = 1 + (value - 1) * share
            elif name == "jpeg":
                changed[name] = max(1.0, 100 - (100 - value) * share)
            elif name not in {"flip", "extra"} and not name.endswith("probability"):
                changed[name] = min(value * share, limits.get(name, float("inf")))
        return msgspec.structs.replace(self, **changed)


_OLD_KEYS = {
    ("data", "guests"): "unlabelled",
    ("augment", "guests"): "unlabelled",
    ("augment", "outside"): "background_swap",
}
"""Section and key of before 0.5, and what the key is called now."""


def current_key(key: str) -> str:
    """What a key with dots is called now: "augment.outside" is "augment.background_swap"."""
    section, _, name = key.partition(".")
    new = _OLD_KEYS.get((section, name))
    return key if new is None else f"{section}.{new}"


class TrainConfig(Section, frozen=True):
    """A whole run.

    Attributes:
        name: Of the bundle.
        version: Of the bundle.
        finding: What a positive class is a kind of; "" names it after the classes.
        seed: Of everything that is drawn.
        threads: CPU threads; 0 takes all.
    """

    ranges: ClassVar[dict[str, tuple[float, float]]] = {"seed": (0, 2**32), "threads": (0, 4096)}

    name: str = "pneumoscope"
    version: str = "0.1.0"
    finding: str = ""
    seed: int = 0
    threads: int = 0
    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    optim: OptimConfig = OptimConfig()
    augment: AugmentConfig = AugmentConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    export: ExportConfig = ExportConfig()

    @classmethod
    def load(cls, path: str | PathLike[str] | None = None, changes: list[str] | None = None) -> TrainConfig:
        """Read a config: the defaults, then the file, then ``section.key=value`` changes.

        Raises:
            ConfigError: The file cannot be read, a key is unknown, or a value is of the wrong kind.
        """
        where = "the configuration" if path is None else str(path)
        data: dict[str, Any] = {}
        try:
            if path is not None:
                data = msgspec.toml.decode(Path(path).read_bytes())
            for change in changes or []:
                _change(data, change)
            return cls.from_dict(data, tell=_LOG.warning)
        except OSError as error:
            raise ConfigError(f"cannot be read ({error.strerror})", where=where, remedy="Check the path") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                _explained(error),
                where=where,
                remedy="`pneumoscope train --show-config` prints every key with its default",
            ) from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, tell: Callable[[str], None] = lambda _: None) -> TrainConfig:
        """Plain values as a configuration; keys by their names of before 0.5 are taken, too.

        Args:
            data: As in a bundle's provenance, or read from TOML.
            tell: Told of each old name.

        Raises:
            msgspec.ValidationError: A key is unknown, or a value is of the wrong kind.
        """
        plain = {name: dict(value) if isinstance(value, dict) else value for name, value in data.items()}
        for (section, old), new in _OLD_KEYS.items():
            values = plain.get(section)
            if isinstance(values, dict) and old in values:
                tell(f"{section}.{old} is called {section}.{new} now; the old name is read until 0.6")
                values.setdefault(new, values[old])
                del values[old]
        return msgspec.convert(plain, cls)

    def changed(self, changes: Sequence[str]) -> TrainConfig:
        """The same with ``section.key=value`` changes.

        Raises:
            ConfigError: A key is unknown, or a value is of the wrong kind.
        """
        data = msgspec.to_builtins(self)
        for change in changes:
            _change(data, change)
        try:
            return TrainConfig.from_dict(data, tell=_LOG.warning)
        except msgspec.ValidationError as error:
            raise ConfigError(
                _explained(error),
                where="--set",
                remedy="`pneumoscope train --show-config` prints every key with its default",
            ) from error

    def differences(self, other: TrainConfig) -> dict[str, tuple[Any, Any]]:
        """The keys in which two configurations differ, each with this one's value and the other's."""
        own, theirs = _flat(self), _flat(other)
        return {key: (own.get(key), theirs.get(key)) for key in own | theirs if own.get(key) != theirs.get(key)}

    def documented(self) -> str:
        """The whole configuration as TOML, each key below its meaning and range; reading it back gives an equal one."""
        lines = _documented(self)
        for section in self.__struct_fields__:
            if isinstance(values := getattr(self, section), Section):
                summary = (inspect.getdoc(type(values)) or "").partition("\n")[0]
                lines += ["", f"# {summary}", f"[{section}]", *_documented(values)]
        return "\n".join(lines) + "\n"

    def to_toml(self) -> str:
        """The whole configuration as TOML; reading it back gives an equal one."""
        plain = msgspec.to_builtins(self)
        lines = [f"{key} = {_toml(value)}" for key, value in plain.items() if not isinstance(value, dict)]
        for section, values in plain.items():
            if isinstance(values, dict):
                lines += ["", f"[{section}]"]
                lines += [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
        return "\n".join(lines) + "\n"


def _explained(error: Exception) -> str:
    """What is wrong, with the key as a person writes it: msgspec says "... - at `$.optim`" of a whole section."""
    what, at, place = str(error).rstrip(".").partition(" - at `$.")
    section = place.rstrip("`")
    if not at:
        return what
    return f"{section}.{what}" if " must be " in what else f"{section}: {what}"


def _flat(config: TrainConfig) -> dict[str, Any]:
    """Each value by its key with dots."""
    plain = msgspec.to_builtins(config)
    flat = {key: value for key, value in plain.items() if not isinstance(value, dict)}
    for section, values in plain.items():
        if isinstance(values, dict):
            flat |= {f"{section}.{key}": value for key, value in values.items()}
    return flat


def _documented(section: Section) -> list[str]:
    """The values of a section that are no sections, each below its meaning, from the docstring, and its range."""
    plain = msgspec.to_builtins(section)
    _, _, told = (inspect.getdoc(type(section)) or "").partition("Attributes:")
    meanings = {
        name: " ".join(text.split()) for name, text in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", told, re.MULTILINE)
    }
    lines = []
    for name in section.__struct_fields__:
        if isinstance(getattr(section, name), Section):
            continue
        low, high = _range(section, name)
        bounds = "" if low is None else f" [{_bounds(low, high)}]"
        lines += textwrap.wrap(f"{meanings.get(name, '')}{bounds}", 110, initial_indent="# ", subsequent_indent="#   ")
        given = plain[name] is not None
        lines.append(f"{name} = {_toml(plain[name])}" if given else f"# {name} = (not given)")
    return lines


def _range(section: Section, name: str) -> tuple[float | None, float]:
    """Bounds of a number; (None, 0) of anything else."""
    if name in section.ranges:
        return section.ranges[name]
    if isinstance(section, AugmentConfig) and name != "extra":
        return _AUGMENT_RANGES.get(name, (0.0, 1.0 if "probability" in name else _ANY))
    return None, 0.0


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # Strings, numbers and booleans are written alike in both, but for DEL, which TOML wants escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    """A key of an inline table: bare where TOML takes it so, else in quotes."""
    bare = name.replace("-", "").replace("_", "")
    return name if bare.isascii() and bare.isalnum() else _toml(name)


def _change(data: dict[str, Any], change: str) -> None:
    """Apply one ``section.key=value``; the value is TOML, or a bare word for a string."""
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"{change!r} is not of the form key=value", where="--set", remedy="Write --set optim.epochs=10"
        )
    try:
        value = msgspec.toml.decode(f"value = {text.strip()}".encode())["value"]
    except msgspec.DecodeError:
        value = text.strip()
    *sections, last = key.strip().split(".")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise ConfigError(f"{section!r} is a value, not a section", where=f"--set {change}", remedy="Check the key")
    data[last] = value


_OLD_RECIPES = {"guests": "unlabelled"}
_RECIPES = Path(str(files("pneumoscope"))) / "training" / "recipes"


def find_recipe(name: str) -> Path:
    """The file of a recipe.

    Raises:
        UsageError: There is none of that name.
    """
    name = _OLD_RECIPES.get(name, name)
    recipes = {path.stem: path for path in sorted(_RECIPES.glob("*.toml"))}
    if name not in recipes:
        raise UsageError(f"there is no recipe {name!r}", remedy=f"The recipes are: {', '.join(recipes) or '(none)'}")
    return recipes[name]
