"""Networks, losses and augmentations of other people, by name: registered in Python, or by an installed package.

A package registers under an entry-point group, so that the command line knows the name too:

    [project.entry-points."pneumoscope.networks"]
    mine = "mypackage:family"
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Generic, TypeVar

from pneumoscope.errors import ConfigError

__all__ = ["Extensions"]

T = TypeVar("T")


class Extensions(Generic[T]):
    """Things of one kind, by name.

    Args:
        kind: In words, for messages: "network".
        group: Of entry points.
        builtin: Names that are taken.
    """

    def __init__(self, kind: str, group: str, builtin: tuple[str, ...] = ()) -> None:
        self.kind, self.group, self._builtin = kind, group, builtin
        self._registered: dict[str, T] = {}

    def register(self, name: str, thing: T) -> None:
        """Make a thing known by a name, in this process; the same name again replaces it.

        Raises:
            ConfigError: The name is one of ours.
        """
        if name in self._builtin:
            raise ConfigError(f"the {self.kind} {name!r} is built in", where=self.kind, remedy="Take another name")
        self._registered[name] = thing

    def names(self) -> tuple[str, ...]:
        """Names that were registered or that installed packages bring, sorted; nothing is imported for it."""
        return tuple(sorted({*self._registered, *(point.name for point in entry_points(group=self.group))}))

    def find(self, name: str) -> T:
        """The thing of that name; that of an installed package is imported now.

        Raises:
            ConfigError: There is none, or its package cannot be imported.
        """
        if name in self._registered:
            return self._registered[name]
        for point in entry_points(group=self.group, name=name):
            try:
                thing: T = point.load()
            except Exception as error:
                raise ConfigError(
                    f"the {self.kind} {name!r} cannot be loaded ({error})",
                    where=f"{self.group}, {point.value}",
                    remedy="Mend or uninstall the package that brings it",
                ) from error
            return thing
        known = ", ".join((*self._builtin, *self.names())) or "(none)"
        raise ConfigError(f"there is no {self.kind} {name!r}", where=self.kind, remedy=f"There are: {known}")
