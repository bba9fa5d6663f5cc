"""Where an artefact came from, so that the same run can be made again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Provenance"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """The record that every artefact carries.

    Attributes:
        created: ISO 8601, UTC, to the second.
        software: Version of every package that had a part ("pneumoscope", "torch", "onnxruntime", ...).
        manifest_sha256: Hash of the films and labels learned from.
        split_sha256: Hash of which patient was in which part.
        films: Number of films in each part.
        seed: Of the run.
        config: The whole configuration, every field.
        data: What the films are, and whose.
        data_licence: Under which they may be used.
        citation: How to cite the data.
        machine: CPU or GPU, in words (no host name).
        minutes: Wall-clock time of the training.
    """

    created: str
    software: dict[str, str] = field(default_factory=dict)
    manifest_sha256: str = ""
    split_sha256: str = ""
    films: dict[str, int] = field(default_factory=dict)
    seed: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    data_licence: str = ""
    citation: str = ""
    machine: str = ""
    minutes: float = 0.0
