"""How to search: the plan of a search and the file that it is read from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pneumoscope.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

__all__ = ["DEFAULT", "OBJECTIVES", "SearchPlan", "read_plan"]

DEFAULT = Path(str(files("pneumoscope"))) / "training" / "search" / "default.toml"
"""What is searched, and how, when nobody says otherwise."""

OBJECTIVES = {"auc": "AUC", "recall": "recall at specificity"}
"""What can be sought, in words."""

_KEYS = "`pneumoscope search --show-space` prints every key of [search] with its default"


class SearchPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the space is searched.

    Attributes:
        sampler: Who proposes configurations: "tpe" (Tree-structured Parzen Estimator: Bergstra et al., NeurIPS 2011),
            "random" (Bergstra and Bengio, JMLR 13 (2012) 281), or "grid": every point, in a shuffled order.
        trials: How many configurations are tried; a grid with fewer points ends sooner.
        folds: Folds by patient; each trial learns as many networks.
        objective: Mean over the folds of the validation "auc", or of the "recall" at ``specificity``.
        specificity: For the objective "recall": the least specificity at which recall is measured.
        pruner: Who ends hopeless trials: "median" (worse than the median of the others at the same epoch),
            "hyperband" (Li et al., JMLR 18 (2018) 185), or "none".
        start: The first trial is the configuration that the search starts from, if the space holds it.
    """

    sampler: Literal["tpe", "random", "grid"] = "tpe"
    trials: int = 30
    folds: int = 3
    objective: Literal["auc", "recall"] = "auc"
    specificity: float = 0.9
    pruner: Literal["median", "hyperband", "none"] = "median"
    start: bool = True

    def __post_init__(self) -> None:
        """Refuse what could not be searched."""
        if self.trials < 1:
            raise ValueError(f"trials must be 1 or more, not {self.trials}")
        if self.folds < 2:
            raise ValueError(f"folds must be 2 or more, not {self.folds}")
        if not 0 < self.specificity < 1:
            raise ValueError(f"specificity must be between 0 and 1, not {self.specificity:g}")

    @property
    def sought(self) -> str:
        """The objective in words: ``AUC``, ``recall at specificity 0.9``."""
        return OBJECTIVES[self.objective] + (f" {self.specificity:g}" if self.objective == "recall" else "")


def read_plan(
    path: str | PathLike[str] | None, changes: Mapping[str, Any] | None = None
) -> tuple[SearchPlan, dict[str, Any]]:
    """Read a file of a plan and a space.

    Args:
        path: A TOML file with the tables ``search`` and ``space``; None takes what comes with pneumoscope.
        changes: Fields of the plan that win over the file; None leaves the file's.

    Returns:
        The plan, and the table ``space`` as it stands there.

    Raises:
        ConfigError: The file cannot be read, has another table, or a key of ``search`` is unknown or wrong.
    """
    file = Path(path or DEFAULT)
    try:
        data: dict[str, Any] = msgspec.toml.decode(file.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot be read ({reason})", where=file, remedy="Check the path given to --space") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        remedy = "Write it like what `pneumoscope search --show-space` prints"
        raise ConfigError(f"is no TOML ({str(error).rstrip('.')})", where=file, remedy=remedy) from error
    others = sorted(set(data) - {"search", "space"})
    if others:
        raise ConfigError(
            f"there is a table or key {others[0]!r}", where=file, remedy="A space file holds [search] and [space] only"
        )
    given = {name: value for name, value in (changes or {}).items() if value is not None}
    table = data.get("search", {})
    if not isinstance(table, dict):
        raise ConfigError("search is a value, not a table", where=file, remedy=_KEYS)
    try:
        plan = msgspec.convert({**table, **given}, SearchPlan)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"the search cannot be done so ({str(error).rstrip('.')})", where=f"{file}, [search]", remedy=_KEYS
        ) from error
    space = data.get("space", {})
    if not isinstance(space, dict) or not space:
        raise ConfigError(
            "there is no table [space], or nothing in it",
            where=file,
            remedy="Give one key or more, like optim.learning_rate = { low = 1e-4, high = 1e-2, log = true }",
        )
    return plan, space
