"""What a configuration asks for: preprocessing, network, quality control, split, folds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pneumoscope.data.manifest import Site
from pneumoscope.data.split import first_block, k_folds, leave_out, make_split
from pneumoscope.errors import ConfigError
from pneumoscope.lungs.segmentation import lung_segmenter
from pneumoscope.model.preprocess import PreprocessSpec
from pneumoscope.networks.registry import build, default_size
from pneumoscope.quality.spec import shipped_quality_spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.data.split import Split
    from pneumoscope.networks.base import Network
    from pneumoscope.quality.spec import QualitySpec
    from pneumoscope.training.config import TrainConfig

__all__ = ["fold_configs", "known_sites", "network_for", "preprocess_spec_for", "quality_spec_for", "split_for"]


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


def quality_spec_for(config: TrainConfig) -> QualitySpec | None:
    """What a film must be for the bundle to read it, and of which ages the patients were."""
    if not config.data.gate:
        return None
    ages = config.data.ages
    return replace(shipped_quality_spec(), ages=(ages[0], ages[1]) if ages else None)


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
    return {name: Site(**msgspec.structs.asdict(known)) for name, known in config.data.sites.items()}


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
