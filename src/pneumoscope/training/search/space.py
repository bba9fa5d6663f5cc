"""What is searched: keys of the configuration, each with a range or a list of choices."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec

from pneumoscope.errors import ConfigError
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.search.dimensions import Choices, as_json, read_choices, read_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pneumoscope.training.search.dimensions import Range

__all__ = ["STRENGTH", "Space"]

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
        for key, leaf in _flattened(table):
            place = f"{where}, space.{key}"
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
