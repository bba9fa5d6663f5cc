"""The free numbers of a family: a frozen dataclass of defaults, and what a person changes in it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pneumoscope.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

__all__ = ["as_mapping", "changed"]

Options = TypeVar("Options", bound="DataclassInstance")


def changed(defaults: Options, given: Mapping[str, Any], *, family: str) -> Options:
    """The defaults with what a person gave on top.

    Args:
        defaults: A dataclass; its ``__post_init__`` raises ValueError for impossible values.
        given: By field name, as TOML or JSON would hold them (lists for tuples).
        family: Named in errors.

    Raises:
        ConfigError: A name that the family does not have, or a value that cannot be.
    """
    known = [field.name for field in fields(defaults)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigError(
            f"the network {family} has no option {', '.join(unknown)}",
            where=f"network {family}",
            remedy=f"Its options are: {', '.join(known) or '(none)'}",
        )
    try:
        return msgspec.convert({**as_mapping(defaults), **given}, type(defaults))
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"an option cannot be used ({error})",
            where=f"network {family}",
            remedy=f"The defaults are: {as_mapping(defaults)}",
        ) from error


def as_mapping(options: DataclassInstance) -> dict[str, Any]:
    """All options by name, in values that JSON and TOML can hold."""
    mapping: dict[str, Any] = msgspec.to_builtins(options)
    return mapping
