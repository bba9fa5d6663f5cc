"""Rules against regression: what a candidate may lose against the bundle in use, written down before it is judged."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from pneumoscope.errors import ConfigError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["LossLimits", "RegressionRules", "SubgroupLimits", "VerdictLimits", "read_rules"]

_REMEDY = (
    'Write: preset = "balanced", [losses] auc, recall, specificity, and [subgroups] the same; see docs/retraining.md'
)


class LossLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Largest losses on all locked films, as shares: 0.01 is one point of a hundred.

    Attributes:
        auc: Of the AUC.
        recall: Of the recall, each bundle at its own frozen threshold.
        specificity: Of the specificity, likewise.
        refused: By which the share of films that are refused may grow.
        by: "interval": even the lower end of the 95 % interval of the difference must be no larger a loss than that
            (non-inferiority); "estimate": the difference itself must not.
    """

    auc: float
    recall: float
    specificity: float
    refused: float = 0.01
    by: Literal["interval", "estimate"] = "interval"


class SubgroupLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Largest losses within any one subgroup of the locked films; see ``LossLimits``.

    Attributes:
        auc: Of the AUC.
        recall: Of the recall.
        specificity: Of the specificity.
        strata: Which groups are formed; a stratum of which nothing is known forms none.
        least_films: A figure is judged in a group with so many films of each kind that it counts.
        by: As in ``LossLimits``.
    """

    auc: float
    recall: float
    specificity: float
    strata: tuple[str, ...] = ("site", "age", "view")
    least_films: int = 20
    by: Literal["interval", "estimate"] = "estimate"


class VerdictLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Largest loss on films with recent verdicts; see ``LossLimits``.

    Attributes:
        accuracy: Of the share of films that are called as the verdict says.
        by: As in ``LossLimits``.
    """

    accuracy: float
    by: Literal["interval", "estimate"] = "estimate"


class RegressionRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of one retraining.

    Attributes:
        losses: On all locked films.
        subgroups: In subgroups of them; None judges none.
        verdicts: On recent verdicts; None judges none.
        preset: The operating point of recall, specificity and accuracy.
    """

    losses: LossLimits
    subgroups: SubgroupLimits | None = None
    verdicts: VerdictLimits | None = None
    preset: str = "balanced"


def read_rules(path: str | PathLike[str]) -> tuple[RegressionRules, str]:
    """The rules of a TOML file, and the sha256 of the file.

    Raises:
        ConfigError: It cannot be read, a key is unknown or missing, or a loss is not from 0 to 1.
    """
    try:
        data = Path(path).read_bytes()
        rules = msgspec.toml.decode(data, type=RegressionRules)
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=path, remedy="Check the path") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"these are no rules ({error})", where=path, remedy=_REMEDY) from error
    for section in (rules.losses, rules.subgroups, rules.verdicts):
        for name in () if section is None else ("auc", "recall", "specificity", "refused", "accuracy"):
            loss = getattr(section, name, 0.0)
            if not 0 <= loss <= 1:
                raise ConfigError(f"a largest loss is from 0 to 1, not {loss}", where=f"{path}: {name}", remedy=_REMEDY)
    return rules, sha256(data).hexdigest()
