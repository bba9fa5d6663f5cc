"""Configurations that come with pneumoscope, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pneumoscope.errors import UsageError

__all__ = ["find_recipe"]

_RECIPES = Path(str(files("pneumoscope"))) / "training" / "recipes"


def find_recipe(name: str) -> Path:
    """The file of a recipe.

    Raises:
        UsageError: There is none of that name.
    """
    recipes = {path.stem: path for path in sorted(_RECIPES.glob("*.toml"))}
    if name not in recipes:
        raise UsageError(f"there is no recipe {name!r}", remedy=f"The recipes are: {', '.join(recipes) or '(none)'}")
    return recipes[name]
