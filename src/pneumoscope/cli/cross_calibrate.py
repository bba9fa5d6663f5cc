"""``pneumoscope cross-calibrate``: a bundle and runs on folds in, the bundle calibrated out of fold out."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from pneumoscope.training.cross import Crossed

__all__ = ["cross_calibrate"]

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
    the bundle's recipe; several runs of one fold speak as their mean. Needs the extra `train`.

    Example: pneumoscope cross-calibrate standard runs/fold0 runs/fold1 runs/fold2 --out standard.onnx
    """
    from pneumoscope.cli.console import output, show
    from pneumoscope.cli.extras import need
    from pneumoscope.errors import UsageError
    from pneumoscope.settings import NOTICE

    need("torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "matplotlib", needed_for="training")
    from pneumoscope.bundle import find_bundle, read_bundle
    from pneumoscope.training.cross import cross_calibrate as calibrate

    old = find_bundle(bundle)
    if out.exists() and out.samefile(old):
        raise UsageError("the bundle would be written over itself", where=out, remedy="Give another --out")
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


def _chosen(made: Crossed) -> Table:
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
        table.add_row("left open", before, f"{new.band.lower:.4f} to {new.band.upper:.4f}")
    for level in new.conformal:
        was_level = next((each for each in old.conformal if each.coverage == level.coverage), None)
        for index, name in enumerate(new.class_names):
            was_quantile = "" if was_level is None else f"{was_level.quantiles[index]:.4f}"
            table.add_row(f"{level.coverage:.0%} set, {name}", was_quantile, f"{level.quantiles[index]:.4f}")
    return table


def _seen(made: Crossed, part: str, title: str) -> Table:
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
