"""``pneumoscope import-keras``: a Keras classifier as ONNX, ready to be evaluated like any other."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Any

import typer

__all__ = ["import_keras"]


def import_keras(
    model: Annotated[Path, typer.Argument(help="A .keras or .h5 file of a whole classifier.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.onnx", help="The ONNX file to write.")],
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="In the order of its outputs, with commas; one output alone is the probability of the second class.",
        ),
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A spec (TOML) with what differs; see docs/comparison.md.")
    ] = None,
) -> None:
    """Turn a Keras classifier into ONNX, and write its spec beside it, so that evaluate and compare can judge it.

    Size, channels and activation are read off the model. What no file tells is the range of gray levels that it was
    trained on: look at the spec that is written, and correct it. Needs the extra `keras`.

    Example: pneumoscope import-keras mine.keras --classes normal,pneumonia --out mine.onnx
    """
    import msgspec

    from pneumoscope.cli.console import output, require_packages, silence_libraries
    from pneumoscope.errors import UsageError

    require_packages("tensorflow", "keras", "tf2onnx", "onnx", needed_for="a Keras model", extra="keras")
    from pneumoscope.evaluation.systems import OnnxSpec
    from pneumoscope.frameworks.export import import_keras_model
    from pneumoscope.storage import write_atomically

    if out.suffix != ".onnx":
        raise UsageError("the file to write ends in .onnx", where=out, remedy="Give --out mine.onnx")
    given = _given(spec, classes)
    size = given.get("size")
    with silence_libraries():
        brought = import_keras_model(
            model, size=(size, size) if isinstance(size, int) else tuple(size) if size else None
        )
    found: dict[str, Any] = {
        "name": model.stem,
        "size": [brought.rows, brought.columns],
        "channels": brought.channels,
        "layout": "NHWC",
        "range": 255 if brought.scales_itself else 1,
        "activation": brought.activation,
        **given,
    }
    expected = len(found["classes"])
    if brought.outputs not in {expected, 1} or (brought.outputs == 1 and expected != 2):
        raise UsageError(
            f"the model gives {brought.outputs} numbers, and {expected} classes are named",
            where=model,
            remedy="Name one class for each output, or two for a single one",
        )
    msgspec.convert(found, OnnxSpec).check(out.with_suffix(".toml"))
    write_atomically(out, brought.graph)
    write_atomically(out.with_suffix(".toml"), _toml(found))
    console = output()
    console.print(
        f"{out} and {out.with_suffix('.toml')}: {brought.parameters:,} weights, films of {brought.rows} x "
        f"{brought.columns} x {brought.channels}; Keras and ONNX Runtime differ by {brought.difference:.1g} at most",
        markup=False,
        soft_wrap=True,
    )
    console.print(
        f"white is {found['range']:g} for this model (as the spec says): correct the spec if it was trained otherwise",
        markup=False,
        soft_wrap=True,
    )
    console.print(
        f"next: pneumoscope evaluate {out} DATA --spec {out.with_suffix('.toml')}", markup=False, soft_wrap=True
    )


def _given(spec: Path | None, classes: str | None) -> dict[str, Any]:
    """What the person said: the spec file, then the classes.

    Raises:
        ConfigError: The spec cannot be read.
        UsageError: Nobody named the classes.
    """
    import msgspec

    from pneumoscope.errors import ConfigError, UsageError

    given: dict[str, Any] = {}
    if spec is not None:
        try:
            given = msgspec.toml.decode(spec.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeError) as error:
            raise ConfigError(f"the spec cannot be read ({error})", where=spec, remedy="Check it") from error
    if classes is not None:
        given["classes"] = [name.strip() for name in classes.split(",") if name.strip()]
    if not given.get("classes"):
        raise UsageError("nobody named the classes", where="--classes", remedy="Write --classes normal,pneumonia")
    return given


def _toml(values: dict[str, Any]) -> str:
    """Plain values first, then tables, as TOML wants it; JSON writes strings and numbers alike."""
    import msgspec

    def line(key: str, value: object) -> str:
        return f"{key} = {msgspec.json.encode(value).decode()}"

    lines = [line(key, value) for key, value in values.items() if not isinstance(value, dict)]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(line(msgspec.json.encode(name).decode(), item) for name, item in value.items())]
    return "\n".join(lines) + "\n"
