"""What a configuration asks for: preprocessing, network, quality control, split, folds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pneumoscope.data.labels import binary_label, is_negative
from pneumoscope.data.manifest import Site
from pneumoscope.data.split import first_block, k_folds, leave_out, make_split
from pneumoscope.errors import ConfigError, DatasetError
from pneumoscope.lungs.segmentation import lung_segmenter
from pneumoscope.model.preprocess import PreprocessSpec
from pneumoscope.model.schema import LearnedSite
from pneumoscope.networks.registry import build, default_size
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.types.age import parse_age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest
    from pneumoscope.data.split import Split
    from pneumoscope.networks.base import Network
    from pneumoscope.quality.spec import QualitySpec
    from pneumoscope.training.config import TrainConfig

__all__ = [
    "finding_for",
    "fold_configs",
    "known_sites",
    "learned_sites",
    "manifest_for",
    "network_for",
    "preprocess_spec_for",
    "quality_spec_for",
    "reference_class_for",
    "site_configs",
    "split_for",
]

_NAMED = 3  # positive classes that a finding is named after


def manifest_for(manifest: Manifest, config: TrainConfig) -> Manifest:
    """The films with the labels that the configuration asks for, and the class without the finding known.

    Three classes or more of which none is without a finding are told from each other: the first is then the reference
    class of the two-way figures (``reference_class_for``).

    Raises:
        DatasetError: The labels cannot be so, or none of two classes is without the finding.
    """
    reference = reference_class_for(manifest, config)
    manifest = manifest.with_task(config.data.labels, config.data.negative or reference)
    if not any(manifest.positive) or all(manifest.positive):
        raise DatasetError(
            f"of the classes {', '.join(manifest.classes)} none is named like a normal one",
            where=manifest.root,
            remedy="Name the class without the finding: --set data.negative=CLASS (normal, negative, healthy and no "
            "finding are known)",
        )
    return manifest


def reference_class_for(manifest: Manifest, config: TrainConfig) -> str:
    """The class that the others are told from where no class is without a finding; "" where one is, or is named.

    It is the first in the order of the classes. With two classes a guess could turn every figure round: there is none.
    """
    manifest = manifest.with_task(config.data.labels)
    plain = not config.data.negative and all(manifest.positive) and len(manifest.classes) > 2
    return manifest.classes[0] if plain else ""


def finding_for(config: TrainConfig, manifest: Manifest) -> str:
    """What the positive classes are called together: as the configuration says, else after them."""
    if config.finding:
        return config.finding
    names = [name for name, positive in zip(manifest.classes, manifest.positive, strict=True) if positive]
    if all(binary_label(name) == "pneumonia" for name in names):
        return "pneumonia"
    if len(names) == 1:
        return "finding" if names[0].isdecimal() else names[0]
    if len(names) <= _NAMED:
        return " or ".join(names)
    # A class that was named with data.negative is healthy in some language; one that was not is only another class.
    named = config.data.negative or is_negative(manifest.classes[0], manifest.classes)
    return "abnormality" if named else f"a class other than {manifest.classes[0]}"


def preprocess_spec_for(config: TrainConfig) -> PreprocessSpec:
    """The preprocessing that the configuration asks for.

    Raises:
        ConfigError: It cannot be.
    """
    size = config.data.size or default_size(config.network.name)
    try:
        return PreprocessSpec(
            size=size,
            low=config.data.low,
            high=config.data.high,
            frame=config.data.frame,
            margin=config.data.margin,
            trim=config.data.trim,
            lungs=lung_segmenter().sha256 if config.data.frame == "lungs" else "",
        )
    except ValueError as error:
        where = "data.size, data.low, data.high, data.margin or data.trim"
        raise ConfigError(str(error), where=where, remedy="Change it") from error


def network_for(config: TrainConfig, manifest: Manifest, spec: PreprocessSpec) -> Network:
    """The network that the configuration asks for, with its first weights.

    Raises:
        ConfigError: There is no such network, or an option or the size cannot be.
    """
    return build(
        config.network.name,
        classes=len(manifest.classes),
        size=spec.size,
        options=config.network.options,
        seed=config.seed,
    )


def quality_spec_for(config: TrainConfig, sites: Sequence[LearnedSite] = ()) -> QualitySpec | None:
    """What a film must be for the bundle to read it, and of which ages the patients were.

    Args:
        config: Its ages, or, where it tells none,
        sites: those of the sites, if they are known of each.
    """
    if not config.data.gate:
        return None
    ages = _pair(config.data.ages)
    told = [site.ages for site in sites if site.ages is not None]
    if ages is None and told and len(told) == len(sites):
        ages = (min(low for low, _ in told), max(high for _, high in told))
    return replace(shipped_quality_spec(), ages=ages)


def split_for(manifest: Manifest, config: TrainConfig) -> Split:
    """The parts that the configuration asks for.

    Raises:
        ConfigError: There is no such fold.
        DatasetError: The films cannot be split so.
    """
    data = config.data
    if data.leave_out or data.leave_block:
        return leave_out(manifest, _left_out(manifest, config), seed=data.split_seed, val=data.fractions[1])
    if data.clusters:
        from pneumoscope.data.audit.measurements import measure_manifest  # noqa: PLC0415 - scikit-learn, and only here
        from pneumoscope.data.audit.shortcuts import cluster_films  # noqa: PLC0415 - scikit-learn, and only here

        if not 0 <= data.left_out < data.clusters:
            raise ConfigError(
                f"cluster {data.left_out} is not one of {data.clusters}", where="data.left_out", remedy="Count from 0"
            )
        alike = cluster_films(measure_manifest(manifest).features, data.clusters, data.split_seed)
        return leave_out(manifest, alike == data.left_out, seed=data.split_seed, val=data.fractions[1])
    if data.folds:
        if not 0 <= data.fold < data.folds:
            raise ConfigError(f"fold {data.fold} is not one of {data.folds}", where="data.fold", remedy="Count from 0")
        test = None
        if data.hold_test:
            test = make_split(
                manifest, seed=data.split_seed, fractions=data.fractions, keep_official=data.keep_official
            )
        return k_folds(manifest, data.folds, data.split_seed, held=test)[data.fold]
    return make_split(manifest, seed=data.split_seed, fractions=data.fractions, keep_official=data.keep_official)


def _left_out(manifest: Manifest, config: TrainConfig) -> NDArray[np.bool_]:
    """The films that ``data.leave_out`` and ``data.leave_block`` keep from learning: bool [N].

    Raises:
        ConfigError: There is no such site.
    """
    data, sites = config.data, manifest.site_names
    unknown = sorted({*data.leave_out, *filter(None, [data.block_site])} - set(sites))
    if unknown:
        raise ConfigError(
            f"there is no site {' and no site '.join(unknown)}",
            where="data.leave_out or data.block_site",
            remedy=f"The sites are: {', '.join(sites)}",
        )
    out = np.isin(np.array([film.site for film in manifest.films]), data.leave_out)
    if data.leave_block:
        out |= first_block(manifest, data.leave_block, data.block_site)
    return out


def known_sites(config: TrainConfig) -> dict[str, Site]:
    """What the configuration tells of sites, as a manifest keeps it."""
    return {
        name: Site(description=known.description, licence=known.licence, citation=known.citation)
        for name, known in config.data.sites.items()
    }


def learned_sites(config: TrainConfig, manifest: Manifest, split: Split) -> tuple[LearnedSite, ...]:
    """The sites whose films are learned from, as the bundle tells of them."""
    rows = np.concatenate([split.parts["train"], split.parts["val"]]).tolist()
    found = []
    for name in sorted({manifest.films[row].site for row in rows}):
        films = [manifest.films[row] for row in rows if manifest.films[row].site == name]
        known = manifest.sites.get(name, Site())
        found.append(
            LearnedSite(
                name=name,
                films=len(films),
                patients=len({film.patient for film in films}),
                ages=_ages_of(films) or _pair(config.data.sites[name].ages if name in config.data.sites else ()),
                licence=known.licence,
                citation=known.citation,
            )
        )
    return tuple(found)


def _ages_of(films: Sequence[FilmRow]) -> tuple[float, float] | None:
    """Years, from and to, without the highest and the lowest hundredth of patients. None where few are told."""
    told = [age for film in films if film.age is not None and (age := parse_age(film.age)) is not None]
    if len(told) < len(films) / 2:
        return None
    low, high = np.percentile(told, [1, 99], method="nearest").tolist()
    return float(low), float(high)


def _pair(ages: tuple[float, ...]) -> tuple[float, float] | None:
    return (ages[0], ages[1]) if ages else None


def site_configs(config: TrainConfig, manifest: Manifest) -> dict[str, TrainConfig]:
    """The runs by which ``calibration.sites`` or ``calibration.block`` calibrates, by the folder in the run's.

    They have the same recipe, and each leaves one site out, or a block of each.

    Raises:
        ConfigError: There are not two sites with films of both kinds, or the run leaves films out already.
    """
    calibration, data = config.calibration, config.data
    if not (calibration.sites or calibration.block):
        return {}
    sites = np.array([film.site for film in manifest.films])
    judges = [name for name in manifest.site_names if len(np.unique(manifest.finding[sites == name])) == 2]
    others = calibration.folds or (calibration.sites and calibration.block)
    if len(judges) < 2 or others or data.folds or data.clusters or data.leave_out or data.leave_block:
        raise ConfigError(
            "calibration across sites takes two sites or more with films of both kinds, and a run that leaves none out",
            where="calibration.sites" if calibration.sites else "calibration.block",
            remedy="Give several sites; or set calibration.sites=false and calibration.block=0",
        )
    change = msgspec.structs.replace
    plans: dict[str, tuple[str, dict[str, Any]]] = {
        f"sites/{name}": (f"without {name}", {"leave_out": (name,)}) for name in judges
    }
    if calibration.block:
        plans = {"block": ("without the first block", {"leave_block": calibration.block})}
    return {
        folder: change(
            config,
            name=f"{config.name} {words}",
            data=change(data, **left),
            optim=change(config.optim, epochs=calibration.fold_epochs or config.optim.epochs),
            calibration=change(calibration, sites=False, block=0.0, fold_epochs=0),
        )
        for folder, (words, left) in plans.items()
    }


def fold_configs(config: TrainConfig) -> list[TrainConfig]:
    """The runs on folds by which ``calibration.folds`` calibrates a run: the same recipe, without the test part.

    Raises:
        ConfigError: The run itself is on folds or a cluster, has no test part, or there is one fold only.
    """
    folds = config.calibration.folds
    if not folds:
        return []
    data = config.data
    elsewhere = data.clusters or data.leave_out or data.leave_block
    if folds < 2 or data.folds or elsewhere or not (data.fractions[2] or data.keep_official):
        raise ConfigError(
            "calibration out of fold takes two folds or more, and a run with a test part of its own",
            where="calibration.folds",
            remedy="Set calibration.folds=0; or data.folds=0, data.clusters=0 and data.fractions=[0.8, 0.1, 0.1]",
        )
    change = msgspec.structs.replace
    return [
        change(
            config,
            name=f"{config.name}, fold {fold}",
            seed=config.seed + fold,
            data=change(data, folds=folds, fold=fold, hold_test=True),
            optim=change(config.optim, epochs=config.calibration.fold_epochs or config.optim.epochs),
            calibration=change(config.calibration, folds=0, fold_epochs=0),
        )
        for fold in range(folds)
    ]
