"""``pneumoscope reproduce``: a reading made again from its film and its bundle: the same numbers, or why not."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pneumoscope.errors import NotABundle, UsageError
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pneumoscope.types.reading import Reading

__all__ = ["reproduce"]

_DIFFERENT = 1
_LEFT_OUT = frozenset({"path", "software", "notice", "version"})
"""Keys that may differ without the reading being another one; the software is told of by itself."""


def reproduce(
    reading: Annotated[
        Path, typer.Argument(metavar="READING", help="JSON, as `read --json` prints it; or lines of it.")
    ],
    film: Annotated[Path, typer.Option("--film", metavar="FILM", help="The film's file.")],
    model: Annotated[
        str | None, typer.Option(help="The bundle's file, if it is no shipped one; its sha256 must be the reading's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a reading again from film and bundle, and compare every number, call, correction and warning.

    The film's and the bundle's sha256 must be those that stand in the reading; preset, coverage and forcing are
    taken from it. Where the numbers differ, the versions of the software are told, which are then the likely cause.
    Research use only.

    Exit code 0: the same; 1: not the same; 2: another film, or no reading; 4: the bundle is not here.

    Example: pneumoscope reproduce reading.json --film film.jpeg
    """
    given = _reading_of(reading, film)
    document, again = _made_again(given, model, film)
    differences = list(_differences(_plain(given), _plain(document)))
    software = {"reading": given.get("software", {}), "now": document["software"]}
    if as_json:
        said: dict[str, Any] = {"same": not differences, "differences": differences, "software": software}
        print(json.dumps({**said, "model": document["model"], "notice": NOTICE}))  # noqa: T201 - the product
    else:
        _tell(differences, software, again)
    if differences:
        raise typer.Exit(_DIFFERENT)


def _reading_of(path: Path, film: Path) -> dict[str, Any]:
    """The reading of this film among those of the file.

    Raises:
        UsageError: The file holds no reading, or none of this film.
    """
    try:
        digest = sha256(film.read_bytes()).hexdigest()
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or "no text").lower()
        raise UsageError(
            f"the file cannot be read ({reason})",
            where=getattr(error, "filename", None) or path,
            remedy="Give a reading and its film",
        ) from error
    try:
        found = _documents(text)
    except ValueError as error:
        raise UsageError("this is no JSON", where=path, remedy="Give what `pneumoscope read --json` printed") from error
    for document in found:
        if isinstance(document, dict) and document.get("film", {}).get("sha256") == digest:
            return document
    raise UsageError(
        f"no reading of this film is in the file (the film's sha256 is {digest[:12]}...)",
        where=path,
        remedy="Give the very file that was read: one byte more or less makes another film",
    )


def _documents(text: str) -> list[Any]:
    """One document, a list of them, or one a line."""
    try:
        whole = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return whole if isinstance(whole, list) else [whole]


def _made_again(given: Mapping[str, Any], model: str | None, film: Path) -> tuple[dict[str, Any], Reading]:
    from pneumoscope.errors import FilmError
    from pneumoscope.model.reader import Reader
    from pneumoscope.reports.json import from_dict, to_dict
    from pneumoscope.settings import Settings

    old = from_dict(given)
    if old.model is None:
        raise UsageError("the reading names no bundle", remedy="Give a reading of pneumoscope 0.2 or later")
    bundle = _bundle(old.model.sha256, model)
    corrected = bool(old.corrections)
    readers = [
        Reader(
            bundle,
            preset=None if old.finding is None else old.finding.preset,
            coverage=None if old.pattern is None else old.pattern.coverage,
            mend=mend,
            force=old.forced,
            settings=Settings.from_environment(),
        )
        for mend in ((True,) if corrected else (True, False))  # --no-mend leaves no trace in a reading
    ]
    found = []
    for reader in readers:
        try:
            found.append(reader.read(film))
        except FilmError as error:
            found.append(reader.refuse(error, str(film)))
    wanted = _plain(given)
    best = next((each for each in found if not list(_differences(wanted, _plain(to_dict(each))))), found[0])
    return to_dict(best), best


def _bundle(digest: str, model: str | None) -> Path:
    """The bundle of this sha256.

    Raises:
        NotABundle: It is not here, or the one that was given is another.
    """
    from pneumoscope.model.bundle import find_bundle, shipped_bundles

    candidates = list(shipped_bundles().values()) if model is None else [find_bundle(model)]
    for path in candidates:
        if sha256(path.read_bytes()).hexdigest() == digest:
            return path
    raise NotABundle(
        f"the reading was made by a bundle of sha256 {digest[:12]}..., which is not here",
        where=model,
        remedy="Give that bundle's file with --model; releases of pneumoscope keep their shipped bundles",
    )


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same: all but names, versions and the notice; as JSON has it."""
    from pneumoscope.reports.json import from_dict, to_dict

    whole: dict[str, Any] = json.loads(json.dumps(to_dict(from_dict(document))))
    whole["film"].pop("path")
    return {key: value for key, value in whole.items() if key not in _LEFT_OUT}


def _differences(old: Any, new: Any, where: str = "") -> Iterator[dict[str, Any]]:
    """Each value that is not the same, by its place in the document."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _differences(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    elif old != new:
        yield {"where": where, "reading": old, "now": new}


def _tell(differences: list[dict[str, Any]], software: Mapping[str, Any], again: Reading) -> None:
    if not differences:
        say = "the same numbers, call, corrections and warnings"
    else:
        say = "not the same:\n" + "\n".join(
            f"  {each['where']}: {each['reading']}, now {each['now']}" for each in differences
        )
    versions = f"{software['reading'].get('version', 'unknown')}, now {software['now']['version']}"
    why = ""
    if differences and software["reading"] != software["now"]:
        why = "\nFilm and bundle are the same; the software is not, and is the likely cause."
    elif differences:
        why = (
            "\nFilm, bundle and version are the same: look at settings (PNEUMOSCOPE_MAX_PIXELS, --no-mend), "
            "at the versions of onnxruntime and pillow, and at the processor."
        )
    model = again.model
    name = "" if model is None else f"bundle {model.name} {model.version} ({model.sha256[:12]}...); "
    print(f"{say}\n{name}software {versions}{why}\n{NOTICE}")  # noqa: T201 - standard output is the product
