"""Whether every end of a space can be built, asked before the first trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import ConfigError
from pneumoscope.networks import build
from pneumoscope.training.plan import spec_of

if TYPE_CHECKING:
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.search.space import Space

__all__ = ["Checked", "check_space"]

_OPTION = "network.options."


@dataclass(frozen=True, slots=True)
class Checked:
    """A space whose ends can all be built.

    Attributes:
        space: It.
        start: The point of the configuration that the search starts from; None if the space does not hold it.
        epochs: The most that a trial can have.
    """

    space: Space
    start: dict[str, Any] | None
    epochs: int


def check_space(space: Space, base: TrainConfig, classes: int, *, drop: bool = False) -> Checked:
    """Build what lies at each end of each range, and at each choice.

    Args:
        space: What is to be searched.
        base: The configuration that the search starts from.
        classes: Of the films.
        drop: Leave out options that the network has not, as for the space that comes with pneumoscope.

    Raises:
        ConfigError: A value that the configuration, the network or the preprocessing does not take.
    """
    size = spec_of(base).size
    network = build(base.network.name, classes=classes, size=size, options=base.network.options)
    options = network.options
    if drop:
        space = space.without(
            {key for key in space.dimensions if key.startswith(_OPTION) and key.removeprefix(_OPTION) not in options}
        )
    del network
    epochs = base.optim.epochs
    for key, dimension in space.dimensions.items():
        for end in dimension.ends:
            config = space.config(base, {key: end})
            epochs = max(epochs, config.optim.epochs)
            if not key.startswith(("network.", "data.")):
                continue
            try:
                made = spec_of(config)
                if key.startswith("network.") or key == "data.size":
                    build(config.network.name, classes=classes, size=made.size, options=config.network.options)
            except ConfigError as error:
                raise ConfigError(
                    f"{end!r} cannot be used ({error.what})",
                    where=f"{space.where}, space.{key}",
                    remedy=error.remedy or "Change the range or the list",
                ) from error
    return Checked(space, space.start(base, options=options, size=size), epochs)
