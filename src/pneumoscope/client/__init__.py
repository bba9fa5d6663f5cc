"""A typed client of a reading room on this or another machine."""

from pneumoscope.client.client import Client
from pneumoscope.client.problem import Busy, Problem, Unreachable
from pneumoscope.client.types import (
    Evidence,
    Film,
    Finding,
    Model,
    Pattern,
    Reading,
    Refusal,
    Software,
    Stored,
    StoredFilm,
    StoredReading,
    Study,
    StudyDetail,
    Verdict,
)

__all__ = [
    "Busy",
    "Client",
    "Evidence",
    "Film",
    "Finding",
    "Model",
    "Pattern",
    "Problem",
    "Reading",
    "Refusal",
    "Software",
    "Stored",
    "StoredFilm",
    "StoredReading",
    "Study",
    "StudyDetail",
    "Unreachable",
    "Verdict",
]
