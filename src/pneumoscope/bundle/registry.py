"""Which bundles there are: those in the package, and any file."""

from __future__ import annotations

from pathlib import Path

from pneumoscope.errors import NotABundle

__all__ = ["find_bundle", "shipped_bundles"]

_SHIPPED = Path(__file__).parent / "shipped"


def shipped_bundles() -> dict[str, Path]:
    """The bundles that come with the package, by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.onnx"))}


def find_bundle(name: str) -> Path:
    """The file of a bundle, by the name of a shipped one or by its path.

    Raises:
        NotABundle: There is neither.
    """
    shipped = shipped_bundles()
    if name in shipped:
        return shipped[name]
    if Path(name).is_file():
        return Path(name)
    raise NotABundle(
        "there is no such bundle",
        where=name,
        remedy=f"Give a path to an .onnx bundle, or one of the shipped ones: {', '.join(shipped) or '(none)'}",
    )
