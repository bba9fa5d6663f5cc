"""One key of a space: a range of numbers, or a list of choices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec

from pneumoscope.errors import ConfigError

__all__ = ["Choices", "Range", "as_json", "read_choices", "read_range"]

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
