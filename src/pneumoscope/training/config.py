"""The configuration of a run: every field with its default and unit. A config file is a diff from these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pneumoscope.errors import ConfigError
from pneumoscope.training.augmentation import AugmentConfig
from pneumoscope.training.sections import CalibrationConfig, DataConfig, NetworkConfig, OptimConfig, Section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

__all__ = ["AugmentConfig", "CalibrationConfig", "DataConfig", "NetworkConfig", "OptimConfig", "TrainConfig"]


class TrainConfig(Section, frozen=True):
    """A whole run.

    Attributes:
        name: Of the bundle.
        version: Of the bundle.
        finding: What a positive class is a kind of.
        seed: Of everything that is drawn.
        threads: CPU threads; 0 takes all.
    """

    name: str = "pneumoscope"
    version: str = "0.1.0"
    finding: str = "pneumonia"
    seed: int = 0
    threads: int = 0
    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    optim: OptimConfig = OptimConfig()
    augment: AugmentConfig = AugmentConfig()
    calibration: CalibrationConfig = CalibrationConfig()

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
            return msgspec.convert(data, cls)
        except OSError as error:
            raise ConfigError(f"cannot be read ({error.strerror})", where=where, remedy="Check the path") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{str(error).rstrip('.')}",
                where=where,
                remedy="`pneumoscope train --show-config` prints every key with its default",
            ) from error

    def changed(self, changes: Sequence[str]) -> TrainConfig:
        """The same with ``section.key=value`` changes.

        Raises:
            ConfigError: A key is unknown, or a value is of the wrong kind.
        """
        data = msgspec.to_builtins(self)
        for change in changes:
            _change(data, change)
        try:
            return msgspec.convert(data, TrainConfig)
        except msgspec.ValidationError as error:
            raise ConfigError(
                f"{str(error).rstrip('.')}",
                where="--set",
                remedy="`pneumoscope train --show-config` prints every key with its default",
            ) from error

    def to_toml(self) -> str:
        """The whole configuration as TOML; reading it back gives an equal one."""
        plain = msgspec.to_builtins(self)
        lines = [f"{key} = {_toml(value)}" for key, value in plain.items() if not isinstance(value, dict)]
        for section, values in plain.items():
            if isinstance(values, dict):
                lines += ["", f"[{section}]"]
                lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
        return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # Strings, numbers and booleans are written alike in both, but for DEL, which TOML wants escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


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
