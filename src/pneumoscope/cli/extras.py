"""Whether an optional part is there, asked before anything heavy is imported."""

from __future__ import annotations

from importlib.util import find_spec

from pneumoscope.errors import MissingExtra

__all__ = ["need"]


def need(*packages: str, needed_for: str, extra: str = "train") -> None:
    """Check that packages are installed.

    Args:
        packages: As they are imported.
        needed_for: What the person asked for.
        extra: Which brings them.

    Raises:
        MissingExtra: One is not; the message has the line that installs it.
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra.named(package, extra=extra, needed_for=needed_for)
