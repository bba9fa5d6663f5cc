"""What is searched and how: the space of configuration keys, and the plan of the search."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pneumoscope.errors import ConfigError
from pneumoscope.training.config import TrainConfig, current_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

__all__ = [
    "DEFAULT",
    "OBJECTIVES",
    "STRENGTH",
    "Choices",
    "Range",
    "SearchPlan",
    "Space",
    "as_json",
    "read_choices",
    "read_plan",
    "read_range",
]

_RANGE = "Write { low = 1e-4, high = 1e-2, log = true }, { low = 16, high = 48, step = 16 }, or a list of choices"


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low: Smallest.
        high: Largest.
        log: Even on a logarithmic scale.
        step: Distance of neighbours from ``low`` on; None for any number (1 for whole ones).
        whole: Whole numbers only.
    """

    low: float
    high: float
    log: bool
    step: float | None
    whole: bool

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that show whether all can be used."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Whether a value is one of these."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return not self.whole or float(value).is_integer()
        return math.isclose(remainder := (value - self.low) / self.step, round(remainder), abs_tol=1e-9)

    @property
    def points(self) -> tuple[Any, ...] | None:
        """All values, or None where they cannot be counted."""
        step = self.step if self.step is not None else 1 if self.whole and not self.log else None
        if step is None:
            return None
        count = round((self.high - self.low) / step) + 1
        # Rounded, so that 0.1 + 2 x 0.1 is the 0.3 that a person would have written.
        return tuple(self.low + i * step if self.whole else round(self.low + i * step, 12) for i in range(count))


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of values; those that are no plain value (lists) are called by their JSON."""

    values: tuple[Any, ...]

    @property
    def labels(self) -> tuple[str | float | bool, ...]:
        """What a choice is called in the study: itself, or its JSON."""
        return tuple(value if isinstance(value, str | int | float) else as_json(value) for value in self.values)

    def value(self, label: Any) -> Any:
        """The value of that label."""
        return self.values[self.labels.index(label)]

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that show whether all can be used: all of them."""
        return self.labels

    @property
    def points(self) -> tuple[Any, ...]:
        """All labels."""
        return self.labels


def read_choices(leaf: list[Any], place: str) -> Choices:
    """The choices of a list in a space file.

    Args:
        leaf: As TOML gave it.
        place: File and key, for messages.

    Raises:
        ConfigError: It is empty, or has a value twice.
    """
    if not leaf:
        raise ConfigError("the list of choices is empty", where=place, remedy="Give two values or more")
    if any(isinstance(value, float) and not math.isfinite(value) for value in leaf):
        raise ConfigError("a choice is not a finite number", where=place, remedy="Give finite numbers")
    written = [as_json(value) for value in leaf]
    for value in written:
        if written.count(value) > 1:
            raise ConfigError(f"the choice {value} stands there twice", where=place, remedy="Keep one of the two")
    return Choices(tuple(leaf))


def read_range(leaf: Any, place: str, default: Any) -> Range:
    """The range of a table in a space file.

    Args:
        leaf: As TOML gave it.
        place: File and key, for messages.
        default: Of the field, which tells its kind; None if it is not known.

    Raises:
        ConfigError: It is no range, or one that cannot be.
    """
    if not isinstance(leaf, dict):
        raise ConfigError(f"{leaf!r} is one value, and no range", where=place, remedy=_RANGE)
    unknown = sorted(set(leaf) - {"low", "high", "log", "step"})
    if unknown:
        raise ConfigError(f"a range has no {unknown[0]!r}", where=place, remedy=_RANGE)
    missing = [name for name in ("low", "high") if name not in leaf]
    if missing:
        raise ConfigError(f"the range has no {missing[0]!r}", where=place, remedy=_RANGE)
    if isinstance(default, str | bool):
        raise ConfigError(
            f"this key is no number (its default is {as_json(default)})",
            where=place,
            remedy="Give a list of choices",
        )
    log = _checked(leaf, place)
    numbers = [leaf[name] for name in ("low", "high", "step") if name in leaf]
    whole = all(isinstance(number, int) for number in numbers) and not isinstance(default, float)
    if isinstance(default, int) and not whole:
        raise ConfigError(
            "this key takes whole numbers", where=place, remedy="Write low, high and step without a point"
        )
    low, high = (leaf[name] if whole else float(leaf[name]) for name in ("low", "high"))
    if not low < high:
        raise ConfigError(f"low ({low:g}) is not below high ({high:g})", where=place, remedy="Change one of the two")
    if log and low <= 0:
        raise ConfigError(f"a logarithmic range cannot begin at {low:g}", where=place, remedy="Let low be above 0")
    step = leaf.get("step")
    if step is None:
        return Range(low, high, log, None, whole)
    if log:
        raise ConfigError("a logarithmic range has no even steps", where=place, remedy="Take step or log away")
    steps = (high - low) / step if step > 0 else 0.0
    if steps < 1 or not math.isclose(steps, round(steps), rel_tol=1e-9):
        last = low + max(1, math.floor(steps)) * step if step > 0 else high
        raise ConfigError(
            f"steps of {step:g} do not lead from {low:g} to {high:g}",
            where=place,
            remedy=f"Let high be {last:g}, or change step",
        )
    return Range(low, high, log=False, step=step if whole else float(step), whole=whole)


def _checked(leaf: dict[str, Any], place: str) -> bool:
    """Whether the range is logarithmic; its numbers are numbers."""
    log = leaf.get("log", False)
    if not isinstance(log, bool):
        raise ConfigError(f"log is true or false, not {log!r}", where=place, remedy=_RANGE)
    for name in ("low", "high", "step"):
        value = leaf.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{name} is no finite number: {value!r}", where=place, remedy=_RANGE)
    return log


def as_json(value: Any) -> str:
    """A value as it is written in messages, and as a choice that is no plain value is called."""
    return msgspec.json.encode(value).decode()


STRENGTH = "augment.strength"
"""A key of the space that is no field: it scales every strength of ``augment``."""

_SECTIONS = ("data", "network", "network.options", "optim", "augment", "calibration")
_WHOSE_FILMS = "it decides which films there are and who judges"
_NEVER = {
    **{
        f"data.{name}": _WHOSE_FILMS
        for name in ("labels", "source", "fractions", "keep_official", "fold", "folds", "split_seed")
    },
    **{f"data.{name}": "it only describes the films" for name in ("description", "licence", "citation")},
    **dict.fromkeys(("name", "version", "finding"), "it only names the bundle"),
    "seed": "each trial has its own, derived from --seed",
    "threads": "it changes the time and nothing else",
}
_MOST_POINTS = 1_000_000


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        dimensions: By key of the configuration, in the file's order.
        where: The file, for messages.
    """

    dimensions: Mapping[str, Range | Choices]
    where: str

    @classmethod
    def parse(cls, table: Mapping[str, Any], where: str) -> Space:
        """Read the table ``space`` of a file.

        Raises:
            ConfigError: A key is none of the configuration's, or may not be searched, or a range or list cannot be.
        """
        found: dict[str, Range | Choices] = {}
        for written, leaf in _flattened(table):
            key, place = current_key(written), f"{where}, space.{written}"
            _check_key(key, place)
            if key in found:
                raise ConfigError("this key stands there twice", where=place, remedy="Keep one of the two")
            found[key] = read_choices(leaf, place) if isinstance(leaf, list) else read_range(leaf, place, _default(key))
        return cls(found, where)

    def config(self, base: TrainConfig, params: Mapping[str, Any]) -> TrainConfig:
        """The configuration of a point of the space.

        Args:
            base: What is not searched.
            params: A value or label for each key, or for some of them.

        Raises:
            ConfigError: A value that the configuration does not take.
        """
        data: dict[str, Any] = msgspec.to_builtins(base)
        for key, given in params.items():
            dimension = self.dimensions[key]
            if key == STRENGTH:
                continue
            *sections, last = key.split(".")
            section = data
            for name in sections:
                section = section[name]
            section[last] = dimension.value(given) if isinstance(dimension, Choices) else given
        try:
            config = msgspec.convert(data, TrainConfig)
        except msgspec.ValidationError as error:
            raise ConfigError(
                f"the configuration does not take {_listed(params)} ({str(error).rstrip('.')})",
                where=f"{self.where}, space.{next(iter(params), '')}",
                remedy="`pneumoscope train --show-config` prints every key with its default; change the range or list",
            ) from error
        if STRENGTH in params:
            config = msgspec.structs.replace(config, augment=config.augment.scaled(float(params[STRENGTH])))
        return config

    def start(self, base: TrainConfig, *, options: Mapping[str, Any], size: int) -> dict[str, Any] | None:
        """The point of ``base`` itself, or None if the space does not hold it.

        Args:
            base: The configuration that the search starts from.
            options: All options of its network, with their defaults.
            size: Of its network's input, in pixels.
        """
        data: dict[str, Any] = msgspec.to_builtins(base)
        data["network"]["options"] = dict(options)
        data["data"]["size"] = size
        point: dict[str, Any] = {}
        for key, dimension in self.dimensions.items():
            value: Any = data
            for name in key.split("."):
                value = 1.0 if key == STRENGTH else value[name]
            if isinstance(dimension, Choices):
                label = next((name for name in dimension.labels if _same(dimension.value(name), value)), None)
                if label is None:
                    return None
                point[key] = label
            elif dimension.holds(value):
                point[key] = int(value) if dimension.whole else float(value)
            else:
                return None
        return point

    def without(self, keys: set[str]) -> Space:
        """The space without some keys."""
        return Space({key: value for key, value in self.dimensions.items() if key not in keys}, self.where)

    def grid(self) -> list[dict[str, Any]]:
        """Every point, the last key changing fastest.

        Raises:
            ConfigError: A range has no steps, or there are more points than anybody could try.
        """
        columns = []
        for key, dimension in self.dimensions.items():
            points = dimension.points
            if points is None:
                raise ConfigError(
                    "a grid needs steps here",
                    where=f"{self.where}, space.{key}",
                    remedy="Give the range a step, or give a list of choices, or take another sampler",
                )
            columns.append(points)
        count = math.prod(len(column) for column in columns)
        if count > _MOST_POINTS:
            raise ConfigError(
                f"the grid has {count:,} points", where=self.where, remedy="Give larger steps, or take another sampler"
            )
        return [dict(zip(self.dimensions, point, strict=True)) for point in product(*columns)]

    def to_builtins(self) -> dict[str, Any]:
        """As JSON could hold it."""
        plain: dict[str, Any] = msgspec.to_builtins(dict(self.dimensions))
        return plain


def _flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with dots, and their leaves; only the configuration's own sections are opened."""
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and key in _SECTIONS:
            yield from _flattened(value, f"{key}.")
        else:
            yield key, value


def _fields() -> dict[str, Any]:
    """Every field that is no section, by its key with dots, with its default."""
    plain: dict[str, Any] = msgspec.to_builtins(TrainConfig())
    flat = {key: value for key, value in plain.items() if not isinstance(value, dict)}
    for section, values in plain.items():
        if isinstance(values, dict):
            flat |= {f"{section}.{key}": value for key, value in values.items() if f"{section}.{key}" not in _SECTIONS}
    return flat


def _default(key: str) -> Any:
    """The field's default; None of a network's option, whose network knows it."""
    return 1.0 if key == STRENGTH else _fields().get(key)


def _check_key(key: str, place: str) -> None:
    if key.startswith("calibration."):
        raise ConfigError(
            "calibration is not searched: it is fitted when the trials are over",
            where=place,
            remedy="Take the key out of the space; set it with --set",
        )
    if key in _NEVER:
        raise ConfigError(
            f"this key is not searched: {_NEVER[key]}",
            where=place,
            remedy="Take it out of the space; set it with --set",
        )
    known = {name for name in _fields() if name not in _NEVER and not name.startswith("calibration.")} | {STRENGTH}
    if key in known or (key.startswith("network.options.") and key.count(".") == 2):
        return
    near = difflib.get_close_matches(key, sorted(known), n=1) or [
        name for name in sorted(known) if name.rpartition(".")[2] == key.rpartition(".")[2]
    ]
    hint = f"Did you mean {near[0]}? " if near else ""
    raise ConfigError(
        f"the configuration has no key {key!r}",
        where=place,
        remedy=f"{hint}`pneumoscope train --show-config` prints every key",
    )


def _same(one: Any, other: Any) -> bool:
    """Equal as numbers or words, or as JSON (a list and a tuple)."""
    return bool(one == other) or as_json(one) == as_json(other)


def _listed(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {as_json(value)}" for key, value in params.items())


DEFAULT = Path(str(files("pneumoscope"))) / "training" / "search" / "default.toml"
"""What is searched, and how, when nobody says otherwise."""

OBJECTIVES = {"auc": "AUC", "recall": "recall at specificity"}
"""What can be sought, in words."""

_KEYS = "`pneumoscope search --show-space` prints every key of [search] with its default"


class SearchPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the space is searched.

    Attributes:
        sampler: Who proposes configurations: "tpe" (Tree-structured Parzen Estimator: Bergstra et al., NeurIPS 2011),
            "random" (Bergstra and Bengio, JMLR 13 (2012) 281), or "grid": every point, in a shuffled order.
        trials: How many configurations are tried; a grid with fewer points ends sooner.
        folds: Folds by patient; each trial learns as many networks.
        objective: Mean over the folds of the validation "auc", or of the "recall" at ``specificity``.
        specificity: For the objective "recall": the least specificity at which recall is measured.
        pruner: Who ends hopeless trials: "median" (worse than the median of the others at the same epoch),
            "hyperband" (Li et al., JMLR 18 (2018) 185), or "none".
        start: The first trial is the configuration that the search starts from, if the space holds it.
    """

    sampler: Literal["tpe", "random", "grid"] = "tpe"
    trials: int = 30
    folds: int = 3
    objective: Literal["auc", "recall"] = "auc"
    specificity: float = 0.9
    pruner: Literal["median", "hyperband", "none"] = "median"
    start: bool = True

    def __post_init__(self) -> None:
        """Refuse what could not be searched."""
        if self.trials < 1:
            raise ValueError(f"trials must be 1 or more, not {self.trials}")
        if self.folds < 2:
            raise ValueError(f"folds must be 2 or more, not {self.folds}")
        if not 0 < self.specificity < 1:
            raise ValueError(f"specificity must be between 0 and 1, not {self.specificity:g}")

    @property
    def sought(self) -> str:
        """The objective in words: ``AUC``, ``recall at specificity 0.9``."""
        return OBJECTIVES[self.objective] + (f" {self.specificity:g}" if self.objective == "recall" else "")


def read_plan(
    path: str | PathLike[str] | None, changes: Mapping[str, Any] | None = None
) -> tuple[SearchPlan, dict[str, Any]]:
    """Read a file of a plan and a space.

    Args:
        path: A TOML file with the tables ``search`` and ``space``; None takes what comes with pneumoscope.
        changes: Fields of the plan that win over the file; None leaves the file's.

    Returns:
        The plan, and the table ``space`` as it stands there.

    Raises:
        ConfigError: The file cannot be read, has another table, or a key of ``search`` is unknown or wrong.
    """
    file = Path(path or DEFAULT)
    try:
        data: dict[str, Any] = msgspec.toml.decode(file.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot be read ({reason})", where=file, remedy="Check the path given to --space") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        remedy = "Write it like what `pneumoscope search --show-space` prints"
        raise ConfigError(f"is no TOML ({str(error).rstrip('.')})", where=file, remedy=remedy) from error
    others = sorted(set(data) - {"search", "space"})
    if others:
        raise ConfigError(
            f"there is a table or key {others[0]!r}", where=file, remedy="A space file holds [search] and [space] only"
        )
    given = {name: value for name, value in (changes or {}).items() if value is not None}
    table = data.get("search", {})
    if not isinstance(table, dict):
        raise ConfigError("search is a value, not a table", where=file, remedy=_KEYS)
    try:
        plan = msgspec.convert({**table, **given}, SearchPlan)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"the search cannot be done so ({str(error).rstrip('.')})", where=f"{file}, [search]", remedy=_KEYS
        ) from error
    space = data.get("space", {})
    if not isinstance(space, dict) or not space:
        raise ConfigError(
            "there is no table [space], or nothing in it",
            where=file,
            remedy="Give one key or more, like optim.learning_rate = { low = 1e-4, high = 1e-2, log = true }",
        )
    return plan, space
