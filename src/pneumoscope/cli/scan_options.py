"""Options of the verbs that scan a data set: renamed labels, patients, the negative class, uncertain labels."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.data.scan import ScanOptions

__all__ = [
    "LabelMap",
    "Negative",
    "PatientRegex",
    "Strict",
    "Uncertain",
    "UncertainLabels",
    "print_remarks",
    "require_negative",
    "scan_options",
]


class UncertainLabels(StrEnum):
    """What becomes of films whose finding a set calls uncertain."""

    leave_out = "leave-out"
    positive = "positive"
    negative = "negative"


LabelMap: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="LABEL=CLASS", help="Take a label for a class; LABEL= leaves its films out."),
]
PatientRegex: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--patient-pattern",
        metavar="REGEX",
        help="Finds the patient in a film's path: the group `patient`, else the first group, else all that is found.",
    ),
]
Negative: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="CLASS", help="The class without the finding, where its name does not say so; none for none."),
]
Uncertain: TypeAlias = Annotated[
    UncertainLabels,
    typer.Option(help="Films whose finding the set calls uncertain (-1 of CheXpert and MIMIC-CXR)."),
]
Strict: TypeAlias = Annotated[bool, typer.Option("--strict", help="Fail if a file is no film.")]


def scan_options(
    label: Sequence[str] | None,
    pattern: str | None,
    negative: str | None,
    uncertain: UncertainLabels = UncertainLabels.leave_out,
    *,
    strict: bool = False,
) -> ScanOptions:
    """What the person chose.

    Raises:
        UsageError: ``--label`` without an equals sign.
    """
    from pneumoscope.data.scan import ScanOptions
    from pneumoscope.errors import UsageError

    renames = {}
    for text in label or ():
        name, equals, chosen = text.rpartition("=")
        if not equals or not name:
            raise UsageError(
                "this renames nothing", where=text, remedy="Write LABEL=CLASS; LABEL= leaves the films out"
            )
        renames[name] = chosen
    named = "" if negative in {None, "none"} else str(negative)
    return ScanOptions(
        labels=renames,
        uncertain=uncertain.value,
        patient_pattern=pattern or "",
        negative=named,
        strict=strict,
    )


def print_remarks(manifest: Manifest) -> None:
    """What a person should know of these films, a line each; where nobody knows the patients, in red."""
    from rich.text import Text

    from pneumoscope.cli.console import output

    for remark in manifest.remarks:
        loud = remark.startswith("PATIENTS")
        output().print(Text(remark, style="bold red" if loud else ""), soft_wrap=True)


def require_negative(manifest: Manifest, negative: str | None) -> None:
    """Hold that a class is without the finding.

    Raises:
        DatasetError: None is, and the person did not say that this is so.
    """
    from pneumoscope.errors import DatasetError

    if negative == "none" or not manifest.classes or not all(manifest.positive):
        return
    raise DatasetError(
        f"none of the classes {', '.join(manifest.classes[:9])} is named like a normal one",
        where=manifest.root,
        remedy="Name the class without the finding with --negative CLASS, or take a label for it with --label "
        "LABEL=normal; --negative none takes the classes as they are",
    )
