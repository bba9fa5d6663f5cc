"""pneumoscope reads chest radiographs for pneumonia. Research use only; not a medical device.

    >>> import pneumoscope as ps
    >>> reader = ps.load()                       # the shipped bundle
    >>> reading = reader.read("film.jpeg")       # a path, bytes, a PIL image or an array
    >>> reading.finding.call, reading.probabilities

Importing is instant: everything heavy waits until it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pneumoscope.errors import PneumoscopeError
    from pneumoscope.model.reader import Reader, load
    from pneumoscope.types.reading import Reading

__all__ = ["PneumoscopeError", "Reader", "Reading", "__version__", "load"]

__version__ = "0.3.0"

_HOMES = {
    "PneumoscopeError": "pneumoscope.errors",
    "Reader": "pneumoscope.model.reader",
    "Reading": "pneumoscope.types.reading",
    "load": "pneumoscope.model.reader",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home at its first use (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pneumoscope' has no attribute {name!r}")
