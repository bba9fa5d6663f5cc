"""The digital chest phantom: films of nobody, with everything about them known."""

from __future__ import annotations

from pneumoscope.films.phantom.draw import KINDS, Kind, Phantom, draw_phantom, phantom_radiograph
from pneumoscope.films.phantom.write import PlannedFilm, plan_phantoms, write_phantoms

__all__ = [
    "KINDS",
    "Kind",
    "Phantom",
    "PlannedFilm",
    "draw_phantom",
    "phantom_radiograph",
    "plan_phantoms",
    "write_phantoms",
]
