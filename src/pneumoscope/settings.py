"""Settings of this machine: frozen, unit-documented, read once from ``PNEUMOSCOPE_*``."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NOTICE", "Settings"]

NOTICE = "Research use only. Not a medical device."
"""Stands on every output."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is also an environment variable: ``max_pixels`` is ``PNEUMOSCOPE_MAX_PIXELS``.

    Attributes:
        model: Bundle that is read with: the name of a shipped one, or a path.
        threads: CPU threads; 0 takes all that this process may use.
        batch: Films in hand at once; it bounds the memory and does not change a reading.
        max_pixels: Largest film, in pixels. Above it a film is refused before it is decoded.
        cache: Folder for decoded films and other things that can be made again.
        patient_key: File of the key that numbers of patients in DICOM films are hashed with, made when it is needed.
    """

    model: str = "standard"
    threads: int = 0
    batch: int = 16
    max_pixels: int = 100_000_000
    cache: Path = Path("~/.cache/pneumoscope")
    patient_key: Path = Path("~/.config/pneumoscope/patient.key")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read ``PNEUMOSCOPE_*``.

        Raises:
            ConfigError: A value is not of its field's kind.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, str | int | Path] = {}
        for field in fields(cls):
            key = f"PNEUMOSCOPE_{field.name.upper()}"
            text = environment.get(key)
            if text is None:
                continue
            if isinstance(field.default, int):
                if not text.isdecimal():
                    raise ConfigError(f"{text!r} is not a whole number", where=key, remedy="Set it to digits only")
                values[field.name] = int(text)
            else:
                values[field.name] = Path(text) if isinstance(field.default, Path) else text
        return cls(**values)  # type: ignore[arg-type]  # each value was made of its field's kind just above

    def cpu_threads(self) -> int:
        """Threads to use: the setting, else the CPUs that this process may run on."""
        if self.threads:
            return self.threads
        try:
            return len(os.sched_getaffinity(0))
        except AttributeError:  # macOS and Windows do not tell the affinity
            return os.cpu_count() or 1
