"""The templates of pages: everything that is put in is escaped, and a name that is missing is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.errors import MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    import jinja2

__all__ = ["templates_of"]


def templates_of(folder: Path, *, extra: str, needed_for: str) -> jinja2.Environment:
    """The templates of a folder; those that end in ``html.j2`` escape what is put in.

    Args:
        folder: Where they are.
        extra: That brings jinja2.
        needed_for: What cannot be made without it, in words.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - waits until a page is made
    except ImportError as error:
        raise MissingExtra.named("jinja2", extra=extra, needed_for=needed_for) from error
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
