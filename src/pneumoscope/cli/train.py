"""The verbs of training: ``networks``, ``augment``, ``train``, ``ensemble``, ``cross-calibrate``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.cli.options import Changes, ConfigFile, Labels, LabelScheme, RandomSeed  # noqa: TC001 - typer reads the annotations
from pneumoscope.cli.scan_options import LabelMap, PatientRegex  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from pneumoscope.data.manifest import FilmRow, Manifest
    from pneumoscope.model.schema import BundleMeta, ExpectedRates
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.out_of_fold import OutOfFoldCalibration

__all__ = [
    "augment",
    "cross_calibrate",
    "ensemble",
    "load_config",
    "load_manifest",
    "networks",
    "print_run",
    "show_sites",
    "train",
]


def networks(
    classes: Annotated[int, typer.Option(min=2, help="Number of classes, for the number of weights.")] = 3,
) -> None:
    """List the families of networks with their sizes, weights and options.

    Example: pneumoscope train chest_xray --network classic-4conv --out runs/classic
    """
    from pneumoscope.cli.console import require_packages

    require_packages("torch", needed_for="building networks")
    from rich.table import Table

    from pneumoscope.cli.console import show
    from pneumoscope.networks.base import parameters_count
    from pneumoscope.networks.registry import build, default_size, families

    table = Table("network", "input", "weights", "options (set with --set network.options.KEY=VALUE)")
    for name in families():
        size = default_size(name)
        if name == "transfer":
            table.add_row(name, f"{size}", "", "checkpoint: a hub name, or a folder of the transformers library")
            continue
        # The weights of natural pictures are in packages of their own; the list does without.
        known = {"pretrained": False} if name.startswith("efficientnet") else None
        network = build(name, classes=classes, size=size, options=known)
        network.options |= dict.fromkeys(known or {}, True)
        options = ", ".join(f"{key}={json.dumps(value)}" for key, value in network.options.items())
        table.add_row(name, f"{size}", f"{parameters_count(network):,}", options)
    show(table)


def augment(  # noqa: PLR0917 - typer makes them options
    data: Annotated[Path, typer.Argument(help="Labelled films, as for train.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The PNG to write.")] = Path("augment.png"),
    config: ConfigFile = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key, like augment.gamma=0.")
    ] = None,
    films: Annotated[int, typer.Option(min=1, max=24, help="Films, one a row.")] = 6,
    looks: Annotated[int, typer.Option(min=1, max=24, help="Augmented copies of each.")] = 7,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> None:
    """Draw a grid of augmented films, one film a row.

    Example: pneumoscope augment chest_xray --out augment.png --set augment.mixup=0.3
    """
    from pneumoscope.cli.console import require_packages

    require_packages("torch", "pyarrow", "matplotlib", needed_for="augmentation")
    from pneumoscope.cli.console import output
    from pneumoscope.data.scan import scan
    from pneumoscope.training.augment import augmentation_grid
    from pneumoscope.training.config import TrainConfig

    settings = TrainConfig.load(config, change)
    manifest = scan(data, source=settings.data.source or None, labels=settings.data.labels, limit=max(2, 4 * films))
    augmentation_grid(manifest, settings, out, films=films, looks=looks, seed=seed)
    output().print(f"written: {out}", markup=False)


def train(  # noqa: PLR0917 - typer makes them options
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="A folder of labelled films, a table of them, a .npz file, or a saved manifest (.parquet). Several "
            "are several sites, each called as its folder, or as NAME=PATH says."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="RUN", help="Folder of the run.")] = None,
    network: Annotated[str | None, typer.Option(help="Network family; `pneumoscope networks` lists them.")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A shipped configuration: shipped, guangzhou, residual, unlabelled."),
    ] = None,
    config: ConfigFile = None,
    change: Changes = None,
    seed: RandomSeed = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--leave-out", metavar="SITE", help="Leave this site out of training, and test on it."),
    ] = None,
    resplit: Annotated[
        bool,
        typer.Option("--resplit", help="Pool the train, val and test parts that the films come in, and split anew."),
    ] = False,
    labels: Labels = None,
    label: LabelMap = None,
    patient_pattern: PatientRegex = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away an earlier run in RUN.")] = False,
    show_config: Annotated[
        bool,
        typer.Option("--show-config", help="Print each key with its meaning and range, and stop."),
    ] = False,
) -> None:
    """Train a network, calibrate it, choose its operating points, export the bundle, and draw the run's figures.

    Started again after a kill, the same command goes on where it stopped. Needs the extra `train`.

    Example: pneumoscope train chest_xray --network residual --out runs/first --set optim.epochs=20
    """
    from pneumoscope.cli.console import require_packages
    from pneumoscope.cli.scan_options import scan_options
    from pneumoscope.errors import UsageError

    require_packages(
        "torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "matplotlib", needed_for="training"
    )
    changes = [*(change or []), *([f"data.leave_out={json.dumps(leave_out)}"] if leave_out else [])]
    changes += ["data.keep_official=false"] if resplit else []
    if label:
        renames = scan_options(label, None, None).labels
        changes.append(
            "data.rename={" + ", ".join(f"{json.dumps(k)}={json.dumps(v)}" for k, v in renames.items()) + "}"
        )
    changes += [f"data.patient_pattern={json.dumps(patient_pattern)}"] if patient_pattern else []
    chosen = load_config(recipe, config, changes, network, seed, labels=labels)
    if show_config:
        typer.echo(chosen.documented(), nl=False)
        return
    if not data or out is None:
        raise UsageError("training needs films and a folder for the run", remedy="Give DATA and --out RUN")
    from pneumoscope.cli.console import output
    from pneumoscope.training.run import train as run_training

    run = run_training(load_manifest(data, chosen), out, chosen, fresh=fresh, tell=output().print)
    print_run(run.folder.path)


def load_config(
    recipe: str | None,
    config: Path | None,
    changes: list[str],
    network: str | None = None,
    seed: int | None = None,
    *,
    labels: LabelScheme | None = None,
) -> TrainConfig:
    """The defaults, then the recipe or the file, then the changes; as every verb that learns reads them.

    Raises:
        ConfigError: A file or a change cannot be used.
    """
    from pneumoscope.errors import UsageError
    from pneumoscope.training.config import TrainConfig, find_recipe

    if recipe and config:
        raise UsageError("a recipe is a configuration, too", remedy="Give --recipe or --config; change keys with --set")
    changes = list(changes)
    if network is not None:
        changes.append(f"network.name={network}")
    if seed is not None:
        changes.append(f"seed={seed}")
    if labels is not None:
        changes.append(f"data.labels={labels.value}")
    return TrainConfig.load(find_recipe(recipe) if recipe else config, changes)


def load_manifest(data: Path | Sequence[str], config: TrainConfig) -> Manifest:
    """The films that DATA means, and a line of how many of whom at each site.

    Raises:
        DatasetError: It is no data set.
    """
    from pneumoscope.cli.console import output
    from pneumoscope.cli.scan_options import print_remarks
    from pneumoscope.data.scan import ScanOptions
    from pneumoscope.data.sites import scan_sites, site_arguments
    from pneumoscope.training.setup import known_sites

    manifest = scan_sites(
        site_arguments([str(data)] if isinstance(data, Path) else data),
        known=known_sites(config),
        source=config.data.source or None,
        labels=config.data.labels,
        progress=True,
        options=ScanOptions(
            labels=config.data.rename, uncertain=config.data.uncertain, patient_pattern=config.data.patient_pattern
        ),
    ).with_task(config.data.labels, config.data.negative)
    if len(manifest.site_names) > 1:
        for name in manifest.site_names:
            output().print(f"{name}: {_told([film for film in manifest.films if film.site == name])}", markup=False)
    output().print(_told(manifest.films))
    print_remarks(manifest)
    if manifest.problems:
        output().print(f"left out: {len(manifest.problems)} files; `pneumoscope manifest` lists them with the reasons")
    return manifest


def _told(films: Sequence[FilmRow]) -> str:
    """How many films of how many patients, and of each label."""
    from pneumoscope.data.labels import order_classes

    labels = Counter(film.label for film in films)
    counts = ", ".join(f"{labels[name]} {name}" for name in order_classes(labels))
    return f"{len(films)} films of {len({film.patient for film in films})} patients: {counts}"


def print_run(run: Path) -> None:
    """The run's table, and where the figures are."""
    from rich.table import Table

    from pneumoscope.cli.console import output, show
    from pneumoscope.evaluation.training_run import run_figures
    from pneumoscope.model.bundle import read_bundle
    from pneumoscope.settings import NOTICE

    figures = run_figures(run)
    _, meta, sha256 = read_bundle(run / "bundle.onnx")
    table = Table("figure", "value", "95 % interval", "films", title=f"On {meta.figures_on}", title_justify="left")
    for name, figure in meta.figures.items():
        interval = "" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"
        table.add_row(name, f"{figure.value:.4f}", interval, str(figure.n))
    show(table)
    if meta.expected:
        show_expected(meta)
    for point in meta.operating_points:
        output().print(f"{point.preset}: threshold {point.threshold:.4f} ({point.rule}; {point.chosen_on})")
    output().print(f"bundle:  {run / 'bundle.onnx'} (sha256 {sha256[:12]})", markup=False)
    if figures:
        output().print(f"figures: {figures[0].parent}", markup=False)
    output().print(NOTICE)


def ensemble(  # noqa: PLR0917 - typer takes them by name
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of finished runs.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Folder of the ensemble run.")],
    name: Annotated[str, typer.Option(help="Name of the bundle.")] = "ensemble",
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change how it is calibrated or exported: export.half=true."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away an earlier run in RUN.")] = False,
) -> None:
    """Build an ensemble bundle of several runs: the mean of their logits, calibrated and evaluated anew.

    The runs must have the same films, split and preprocessing; they may differ in seed, network, optimisation and
    augmentation. Needs the extra `train`.

    Example: pneumoscope ensemble runs/one runs/two --out runs/both --name best
    """
    from pneumoscope.cli.console import require_packages

    require_packages(
        "torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "matplotlib", needed_for="training"
    )
    from pneumoscope.training.ensemble import ensemble as join

    joined = join(runs, out, name=name, version=version, changes=change or [], fresh=fresh)
    print_run(joined.folder.path)


_SHOWN = ("AUC", "recall", "specificity", "accuracy", "Brier", "ECE")


def cross_calibrate(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's file, or the name of a shipped one.")],
    folds: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of finished runs on folds.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The new bundle.")],
    version: Annotated[str | None, typer.Option(help="Of the new bundle.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one key, like calibration.shift=0.25."),
    ] = None,
) -> None:
    """Choose a bundle's temperature, thresholds and prediction sets out of fold: on all films, not on a tenth.

    The runs have learned from the bundle's films in folds, without its test part (`data.folds`, `data.hold_test`), by
    the bundle's recipe; several runs of one fold speak as their mean. Runs that each left one site out (`--leave-out`)
    choose on the sites that they have not seen, and the bundle then says what to expect at a new hospital; runs that
    left a block of each site out (`data.leave_block`) choose on these films of another time. Needs the extra `train`.

    Example: pneumoscope cross-calibrate standard runs/fold0 runs/fold1 runs/fold2 --out standard.onnx
    """
    from pneumoscope.cli.console import output, require_packages, show
    from pneumoscope.errors import UsageError
    from pneumoscope.settings import NOTICE

    require_packages(
        "torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "matplotlib", needed_for="training"
    )
    from pneumoscope.model.bundle import find_bundle, read_bundle
    from pneumoscope.training.across_sites import calibrate_across_sites, left_sites_out
    from pneumoscope.training.out_of_fold import cross_calibrate as calibrate

    old = find_bundle(bundle)
    if out.exists() and out.samefile(old):
        raise UsageError("the bundle would be written over itself", where=out, remedy="Give another --out")
    if left_sites_out(folds):
        if change:
            raise UsageError("the configuration is the bundle's own here", where="--set", remedy="Leave --set out")
        show_expected(calibrate_across_sites(old, folds, out, version=version))
        output().print(f"bundle: {out} (sha256 {read_bundle(out)[2][:12]})", markup=False)
        output().print(NOTICE)
        return
    made = calibrate(old, folds, out, version=version, changes=change or [])
    output().print(
        f"{made.before.name} {made.before.version}: calibrated on {made.meta.operating_points[0].chosen_on}",
        markup=False,
    )
    show(_chosen(made))
    for part, title in (
        ("val", "On the bundle's own validation part (on which its temperature and bias are fitted)"),
        ("test", "On the test part (which chose nothing)"),
    ):
        show(_seen(made, part, title))
    output().print(f"bundle: {out} (sha256 {read_bundle(out)[2][:12]})", markup=False)
    output().print(NOTICE)


def show_expected(meta: BundleMeta) -> None:
    """What to expect elsewhere: each left-out site or block, and over the sites."""
    blocks = any(expected.basis == "blocks" for expected in meta.expected)
    title = (
        "On films of the lowest numbers of each hospital, which were not learned from, by thresholds that the other "
        "hospitals' films chose. A new hospital may see less"
        if blocks
        else "At hospitals that were not learned from, by thresholds that other hospitals chose"
    )
    show_sites(meta.expected, title)


def show_sites(summaries: Sequence[ExpectedRates], title: str) -> None:
    """Each site, the mean over them, and, of whole sites, a further one: by preset."""
    from rich.table import Table

    from pneumoscope.cli.console import show

    table = Table("preset", "site", "films", "sensitivity", "specificity", "AUC", title=title, title_justify="left")
    for expected in summaries:
        for site in expected.sites:
            worst = " (worst)" if site.site == expected.worst else ""
            area = "" if site.auc is None else f"{site.auc.value:.3f}"
            table.add_row(
                expected.preset,
                f"{site.site}{worst}",
                str(site.films),
                *(
                    f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
                    for rate in (site.sensitivity, site.specificity)
                ),
                area,
            )
        means = (expected.sensitivity, expected.specificity)
        table.add_row(
            expected.preset,
            "mean over sites",
            "",
            *(f"{mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f})" for mean in means),
        )
        if expected.basis == "sites":
            table.add_row(
                expected.preset,
                "a further site",
                "",
                *(f"{mean.predicted_low:.3f} to {mean.predicted_high:.3f}" for mean in means),
            )
        table.add_section()
    show(table)


def _chosen(made: OutOfFoldCalibration) -> Table:
    """What the bundle decides by, before and after."""
    from rich.table import Table

    table = Table("", "before", "after", title="Chosen", title_justify="left")
    old, new = made.before, made.meta
    table.add_row("temperature", f"{old.calibrator.temperature:.3f}", f"{new.calibrator.temperature:.3f}")
    for name, was, now in zip(new.class_names, old.calibrator.bias, new.calibrator.bias, strict=True):
        table.add_row(f"bias, {name}", f"{was:+.3f}", f"{now:+.3f}")
    known = {point.preset: point for point in old.operating_points}
    for point in new.operating_points:
        threshold = f"{known[point.preset].threshold:.4f}" if point.preset in known else ""
        table.add_row(f"threshold, {point.preset}", threshold, f"{point.threshold:.4f}")
    if new.band is not None:
        before = "" if old.band is None else f"{old.band.lower:.4f} to {old.band.upper:.4f}"
        table.add_row("indeterminate", before, f"{new.band.lower:.4f} to {new.band.upper:.4f}")
    for level in new.conformal:
        was_level = next((each for each in old.conformal if each.coverage == level.coverage), None)
        for index, name in enumerate(new.class_names):
            was_quantile = "" if was_level is None else f"{was_level.quantiles[index]:.4f}"
            table.add_row(f"{level.coverage:.0%} set, {name}", was_quantile, f"{level.quantiles[index]:.4f}")
    return table


def _seen(made: OutOfFoldCalibration, part: str, title: str) -> Table:
    """What it then is like on films that it has not learned from, before and after."""
    from rich.table import Table

    table = Table("figure", "before", "after", "95 % interval", "films", title=title, title_justify="left")
    before = {each.name: each for each in made.figures[part, "before"]}
    for after in made.figures[part, "after"]:
        if not after.name.startswith(_SHOWN) or after.value is None:
            continue
        was = before.get(after.name)
        interval = "" if after.low is None or after.high is None else f"{after.low:.3f} to {after.high:.3f}"
        told = "" if was is None or was.value is None else f"{was.value:.4f}"
        table.add_row(after.name, told, f"{after.value:.4f}", interval, str(after.n))
    for level, shares in made.covered[part, "after"].items():
        was_shares = made.covered[part, "before"].get(level)
        for index, name in enumerate(made.meta.class_names):
            told = "" if was_shares is None else f"{was_shares[index]:.4f}"
            table.add_row(f"{level:.0%} sets hold {name}", told, f"{shares[index]:.4f}", "", "")
    return table
