"""The verb of retraining: ``retrain``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from pneumoscope.cli.options import Changes, ConfigFile  # noqa: TC001 - typer reads the annotations

__all__ = ["retrain"]


def retrain(  # noqa: PLR0917 - typer makes them options
    bundle: Annotated[str, typer.Argument(help="The bundle in use: a path, or a shipped one's name.")],
    sites: Annotated[
        list[str],
        typer.Argument(metavar="SITE [SITE...]", help="Films to learn from, as for train; NAME=PATH names one."),
    ],
    locked: Annotated[
        list[str],
        typer.Option("--locked", metavar="DATA", help="Locked films, a manifest or a folder; several are sites."),
    ],
    rules: Annotated[Path, typer.Option("--rules", metavar="FILE", help="TOML file: the largest losses allowed.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Candidate, decision, plan.")],
    verdicts: Annotated[
        Path | None, typer.Option(metavar="EXPORT", help="Recent verdicts, as `dataset export` writes them.")
    ] = None,
    config: ConfigFile = None,
    change: Changes = None,
) -> None:
    """Learn a candidate on more films, and judge it against the bundle in use by rules that were written down before.

    Learns by the bundle's own recipe, compares both on locked films by paired tests and in subgroups, decides, and
    fills a change control plan. Nothing is put in use. Started again after a kill, the same command goes on where it
    stopped. Needs the extras `train` and `evaluate`. Research use only.

    Example: pneumoscope retrain standard chest_xray grown --locked locked.parquet --rules rules.toml --out retraining
    """
    from pneumoscope.cli.console import output, require_packages, show

    require_packages("torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "jinja2", needed_for="retraining")
    from rich.table import Table

    from pneumoscope.cli.train import load_manifest
    from pneumoscope.data.scan import ScanOptions, scan
    from pneumoscope.evaluation.change_control.retrain import bundle_recipe
    from pneumoscope.evaluation.change_control.retrain import retrain as run_retraining
    from pneumoscope.evaluation.change_control.rules import read_rules
    from pneumoscope.model.bundle import find_bundle, read_bundle
    from pneumoscope.training.config import TrainConfig

    read_rules(rules)  # refused before films are scanned
    in_use = find_bundle(bundle)
    chosen = TrainConfig.load(config) if config else bundle_recipe(read_bundle(in_use)[1], in_use)
    chosen = chosen.changed(change or [])
    told = output()
    told.print("Locked films:")
    held = load_manifest(locked, chosen)
    recent = None
    if verdicts is not None:
        data = chosen.data
        options = ScanOptions(labels=data.rename, uncertain=data.uncertain, patient_pattern=data.patient_pattern)
        # Verdicts of one class judge, too.
        recent = scan(verdicts, labels=data.labels, progress=True, site="verdicts", least=1, options=options)
    told.print("Films to learn from:")
    decision = run_retraining(
        in_use,
        load_manifest(sites, chosen),
        held,
        rules,
        out,
        config=chosen,
        verdicts=recent,
        tell=lambda words: told.print(words, markup=False),
    )
    table = Table("rule", "on", "in use", "candidate", "difference", "largest loss", "outcome")
    for one in decision.outcomes:
        figures = ["" if x is None else f"{x:.3f}" for x in (one.in_use, one.candidate, one.difference)]
        outcome = {True: "held", False: "broken", None: "not judged"}[one.held]
        table.add_row(one.rule, one.where, *figures, f"{one.largest_loss:g} ({one.by})", outcome)
    show(table)
    told.print(f"decision: {decision.decision} ({decision.decided_by})", markup=False, soft_wrap=True)
    told.print(f"plan:     {out / 'change-control.html'}", markup=False, soft_wrap=True)
    told.print(f"bundle:   {out / 'candidate' / 'bundle.onnx'} (not in use)", markup=False, soft_wrap=True)
    told.print(decision.notice, markup=False)
