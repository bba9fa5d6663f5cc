"""``pneumoscope compare``: several systems on the same films."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pneumoscope.evaluation.compare.compare import Compared
    from pneumoscope.evaluation.compare.system import Judge
    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["compare", "tell"]


def compare(  # noqa: PLR0917 - typer makes them options
    systems: Annotated[
        list[str],
        typer.Argument(
            metavar="SYSTEM...",
            help="Two or more: run folders, bundles, tables of predictions; NAME=PATH gives a name.",
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="DATA", help="Labelled films to judge bundles (and runs) on.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Page, JSON, CSV, figures.")] = None,
    part: Annotated[
        str | None,
        typer.Option(help="Part of runs, tables and --data: test, val or all; of a run its test films without it."),
    ] = None,
    preset: Annotated[str, typer.Option(help="Operating point of the calls.")] = "balanced",
    sort: Annotated[str, typer.Option(help="Figure that orders the rows: AUC, recall, films a second, ...")] = "AUC",
    reference: Annotated[
        str | None, typer.Option(metavar="NAME", help="Test the others against this one; without it, every pair.")
    ] = None,
    every_test: Annotated[bool, typer.Option("--every-test", help="Print the tests of every figure.")] = False,
    draws: Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and nothing else.")] = False,
) -> None:
    """Compare models on the same films: the table of models, paired tests, ROC, and where they disagree.

    Runs bring their held-out films; with --data all models are judged on its films: bundles, runs, and any ONNX file
    with its spec beside it (MODEL.onnx, MODEL.toml). Films that not every system has are in no figure, and are
    listed. Needs the extra `evaluate`.

    Example: pneumoscope compare runs/classic runs/residual --out comparison
    """
    from pneumoscope.cli.console import hush_libraries
    from pneumoscope.cli.extras import need

    need("pyarrow", "scipy", "matplotlib", "jinja2", needed_for="comparing", extra="evaluate")
    from pneumoscope.evaluation.compare.compare import compare as compare_systems
    from pneumoscope.evaluation.compare.system import open_systems

    with hush_libraries():
        opened = open_systems(systems, judge=None if data is None else _judge(data, part, out), part=part)
    compared = compare_systems(
        opened, preset=preset, sort=sort, reference=reference, draws=draws, seed=seed, progress=True
    )
    tell(compared, out, every_test=every_test, json=json)


def tell(compared: Compared, out: Path | None, *, every_test: bool = False, json: bool = False) -> None:
    """Write the files, where they are wanted, and print the comparison."""
    from pneumoscope.cli.console import output, show
    from pneumoscope.evaluation.compare.files import write_files
    from pneumoscope.evaluation.compare.terminal import told

    written = [] if out is None else write_files(compared, out)
    if json:
        print(compared.result.to_json().decode(), end="")  # noqa: T201 - standard output is the product
        return
    show(told(compared.result, output().width, every_test=every_test))
    for path in written[:2]:
        output().print(f"written: {path}", markup=False, soft_wrap=True)
    output().print(f"\n{compared.result.notice}", markup=False)


def _judge(data: Path, part: str | None, out: Path | None) -> Judge:
    """Reads the films of ``data`` with a bundle, or with any ONNX classifier that has its spec beside it.

    With a folder to write to, each answer is kept as it comes: after a kill only what is missing is read.
    """
    from hashlib import sha256

    from pneumoscope.evaluation.predicting import BundleSystem, ForeignSystem, films_to_judge, predict
    from pneumoscope.evaluation.predicting.foreign import ForeignSpec

    films = films_to_judge(data, part=part)

    def judge(model: Path, spec: Path | None) -> PredictionTable:
        system = BundleSystem(model) if spec is None else ForeignSystem(model, ForeignSpec.load(spec))
        key = sha256(str(model.resolve()).encode()).hexdigest()[:12]
        parts = None if out is None else out / "parts" / f"{model.stem}-{key}.jsonl"
        return predict(system, films, parts=parts, progress=True)

    return judge
