"""The least and largest film, and the errors that more than one decoder raises."""

from __future__ import annotations

from typing import NoReturn

from pneumoscope.errors import FilmTooLarge, UnreadableFilm

__all__ = ["MIN_SIDE", "check_dimensions", "damaged_file", "raise_truncated_file", "truncated_file"]

MIN_SIDE = 32
"""Shortest side of a film, in pixels; below it nothing can be judged."""


def check_dimensions(rows: int, columns: int, *, where: str, max_pixels: int) -> None:
    """Refuse a size that cannot be a film, before anything is decoded.

    Raises:
        UnreadableFilm: A side is shorter than ``MIN_SIDE``.
        FilmTooLarge: More than ``max_pixels``.
    """
    if rows <= 0 or columns <= 0:
        raise UnreadableFilm("the picture has no pixels", where=where, remedy="Export the film again")
    if rows * columns > max_pixels:
        raise FilmTooLarge(
            f"{columns} x {rows} pixels are more than the limit of {max_pixels:,}",
            where=where,
            remedy="If it is a film, make it smaller, or raise the limit with PNEUMOSCOPE_MAX_PIXELS",
        )
    if min(rows, columns) < MIN_SIDE:
        raise UnreadableFilm(
            f"too small ({columns} x {rows} pixels)",
            where=where,
            remedy=f"Give the film at its original size, at least {MIN_SIDE} pixels on each side",
        )


def truncated_file(where: str) -> UnreadableFilm:
    """The error for a file whose end is missing."""
    return UnreadableFilm("the file is cut short", where=where, remedy="Copy or export it again")


def raise_truncated_file(where: str) -> NoReturn:
    """Refuse a file whose end is missing.

    Raises:
        UnreadableFilm: Always.
    """
    raise truncated_file(where)


def damaged_file(kind: str, where: str) -> UnreadableFilm:
    """The error for a file that starts well and then makes no sense."""
    return UnreadableFilm(f"the {kind} file is damaged and cannot be decoded", where=where, remedy="Export it again")
