"""``pneumoscope read``: films in, readings out, to the terminal and to files."""

from __future__ import annotations

import glob
import io
import os
import re
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.errors import UsageError
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.progress import Progress

    from pneumoscope.cli.deliveries import Deliveries
    from pneumoscope.model.reader import Reader
    from pneumoscope.reports.csv import CsvFile
    from pneumoscope.reports.formats import Format
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = [
    "STANDARD_INPUT",
    "Outputs",
    "ReportFolder",
    "find_films",
    "open_outputs",
    "picture_name",
    "read",
    "report_name",
    "wanted_formats",
]

STANDARD_INPUT = "-"
_REMEDY = "Give files, folders, patterns in quotes, or - for a list on standard input"


def find_films(arguments: Sequence[str], passed: Counter[str] | None = None) -> Iterator[str]:
    """The films that the arguments mean, one by one: memory does not grow with their number.

    A file is taken as it is; a folder gives what looks like a film in it and below, in the order of the names;
    a zip or tar archive gives those inside it, a DICOMDIR those that it lists; a pattern gives what it matches; ``-``
    gives the lines of standard input.

    Args:
        arguments: Of the command line.
        passed: Counts files of folders and archives that are no films, by their suffix.

    Raises:
        UsageError: An argument is nothing of these, or a folder or pattern has no film. This is found before the
            first film is given out.
    """
    if not arguments:
        raise UsageError("no film was given", remedy=_REMEDY)
    if list(arguments).count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can be read once only", where=STANDARD_INPUT, remedy="Give - once")
    return chain.from_iterable([_films_of(argument, Counter() if passed is None else passed) for argument in arguments])


def _films_of(argument: str, passed: Counter[str]) -> Iterable[str]:
    from pneumoscope.films.archives import is_archive, split_path

    if argument == STANDARD_INPUT:
        return _from_standard_input()
    if os.path.isdir(argument):  # noqa: PTH112 - a name that the system refuses is no folder, and no error
        return _at_least_one(_below(argument, passed), argument, "the folder has no film in it")
    if is_archive(argument):
        return _at_least_one(_inside(argument, passed), argument, "the archive has no film in it")
    if Path(argument).name.upper() == "DICOMDIR" and Path(argument).is_file():
        return _at_least_one(_listed(Path(argument)), argument, "the DICOM directory lists no film")
    if os.path.lexists(argument) or split_path(argument) is not None:
        return [argument]
    if glob.has_magic(argument):
        matches = chain.from_iterable(
            _below(match, passed) if Path(match).is_dir() else _inside(match, passed) if is_archive(match) else [match]
            for match in sorted(glob.iglob(argument, recursive=True))  # noqa: PTH207 - pathlib's glob needs a root
        )
        return _at_least_one(matches, argument, "nothing matches this pattern")
    raise UsageError("there is no such file or folder", where=argument, remedy=_REMEDY)


def _at_least_one(films: Iterator[str], where: str, nothing: str) -> Iterable[str]:
    """The films, after a look that there is at least one."""
    first = next(films, None)
    if first is None:
        raise UsageError(nothing, where=where, remedy="Films are JPEG, PNG, TIFF, BMP and DICOM files")
    return chain([first], films)


def _below(folder: str, passed: Counter[str]) -> Iterator[str]:
    """What looks like a film in a folder and below, in the order of the names; archives are looked into."""
    from pneumoscope.films.archives import is_archive
    from pneumoscope.films.sniff import looks_like_film

    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield folder  # a folder that cannot be opened is told as a film that cannot be read, not passed over
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__MACOSX":
                yield from _below(entry.path, passed)
        elif is_archive(entry.path):
            yield from _inside(entry.path, passed)
        elif looks_like_film(Path(entry.path)):
            yield entry.path
        elif entry.name.upper() not in _LITTER:
            passed[_suffix(entry.name)] += 1


_LITTER = frozenset({"DICOMDIR", "THUMBS.DB", "DESKTOP.INI"})


def _suffix(name: str) -> str:
    return Path(name).suffix.lower() or "no suffix"


def _inside(archive: str, passed: Counter[str]) -> Iterator[str]:
    """What looks like a film in an archive, in the order of the names, by paths through it."""
    from pneumoscope.errors import FilmError
    from pneumoscope.films.archives import open_archive
    from pneumoscope.films.sniff import looks_like_film

    try:
        found = open_archive(archive)
    except FilmError:
        yield archive  # told as a film that cannot be read, with the reason
        return
    for name in sorted(found.sizes):
        path = f"{archive}/{name}"
        parts = name.split("/")
        if any(part.startswith(".") or part == "__MACOSX" for part in parts) or parts[-1].upper() in _LITTER:
            continue
        if looks_like_film(path):
            yield path
        else:
            passed[_suffix(name)] += 1
    if found.unsafe:
        passed["entry of an archive that leads out of it"] += sum(found.unsafe.values())


def _listed(directory: Path) -> Iterator[str]:
    """The files that a DICOMDIR lists (PS3.3 annex F), in its order; a name leads nowhere but below its folder."""
    from pneumoscope.films.dicom_directory import listed_files

    return map(str, listed_files(directory))


def _from_standard_input() -> Iterator[str]:
    """The paths on standard input, one a line; empty lines are passed over."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # a file's name need not be text
    for line in sys.stdin:
        path = line.rstrip("\r\n")
        if path:
            yield path


_STEM = 60  # characters of a film's name; file systems take 255 bytes, and a character can be four


def wanted_formats(folder: Path | None, names: str | None) -> tuple[Format, ...]:
    """The formats of the option, each once, before the first film is read.

    Args:
        folder: Where reports go; None if none are wanted.
        names: With commas between; HTML without it.

    Raises:
        UsageError: An unknown format, or formats without a folder.
        MissingExtra: What one of them needs is not installed.
    """
    if folder is None:
        if names is not None:
            raise UsageError("--format is of the reports, and none are written", remedy="Give --report DIR too")
        return ()
    from pneumoscope.reports.formats import find_format

    asked = re.split(r"[,\s]+", (names or "html").strip(", "))
    wanted = tuple(dict.fromkeys(find_format(name) for name in asked))
    for each in wanted:
        each.check()
    return wanted


def wanted_kinds(folder: Path | None, names: str | None) -> tuple[str, ...]:
    """The DICOM results of the option, before the first film is read.

    Args:
        folder: Where they go; None if none are wanted.
        names: With commas between; report and capture without it.

    Raises:
        UsageError: An unknown kind, or kinds without a folder.
        MissingExtra: What one of them needs is not installed.
    """
    if folder is None:
        if names is not None:
            raise UsageError(
                "--dicom-kinds is of DICOM results, and none are written", remedy="Give --dicom-out DIR too"
            )
        return ()
    from pneumoscope.reports.dicom.results import DEFAULT_KINDS, parse_kinds

    return parse_kinds(DEFAULT_KINDS if names is None else names)


class ReportFolder:
    """Writes the reports of each reading as it comes, of refused ones too."""

    def __init__(self, folder: Path, formats: Sequence[Format], reader: Reader) -> None:
        self._folder = folder
        self._formats = formats

        self._reader = reader

    def write(self, reading: Reading, film: Radiograph | None) -> None:
        """Write one file a format, whole or not at all.

        Args:
            reading: Read or refused.
            film: As it was read; None if it could not be decoded.

        Raises:
            StorageError: The disk is full.
        """
        from pneumoscope.films.load import film_bytes
        from pneumoscope.storage import write_atomically

        source = film_bytes(reading.film.path) if reading.film.format == "DICOM" else None
        given = self._reader.report_context(reading, film, source=source)
        for each in self._formats:
            write_atomically(self._folder / report_name(reading, each.suffix), each.write(reading, given))


class DicomFolder:
    """Writes the results of each DICOM film as objects, one file each, as a PACS takes them."""

    def __init__(self, folder: Path, kinds: Sequence[str], reader: Reader) -> None:
        self._folder = folder
        self._kinds = kinds
        self._reader = reader

    def write(self, reading: Reading, film: Radiograph | None) -> None:
        """Write the objects, each whole or not at all; a film that is no DICOM gives none.

        Args:
            reading: Read or refused.
            film: As it was read; None if it could not be decoded.

        Raises:
            StorageError: The disk is full.
        """
        from pneumoscope.cli.deliveries import dicom_bytes
        from pneumoscope.reports.dicom.results import dicom_results, to_bytes
        from pneumoscope.reports.dicom.source import dicom_source
        from pneumoscope.storage import write_atomically

        source = dicom_bytes(reading)
        origin = dicom_source(source)
        if origin is None:
            return
        given = self._reader.report_context(
            reading, film, source=source, header=origin.header, lungs="seg" in self._kinds
        )
        for kind in self._kinds:
            for made in dicom_results(reading, origin.header, (kind,), given):
                write_atomically(self._folder / report_name(reading, f".{kind}.dcm"), to_bytes(made))


def report_name(reading: Reading, suffix: str) -> str:
    """The film's stem and the start of its sha256, or of its path's where the film could not be read."""
    film = reading.film
    digest = film.sha256 or sha256(film.path.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{Path(film.path).stem[:_STEM]}-{digest[:12]}{suffix}"


_TABLE_ROWS = 300
"""Rows that are held back to set a table's columns; a longer run prints several tables, and memory stays as it is."""


_OPTIONS = {
    **dict.fromkeys(("turned", "inverted", "tilted", "wide-borders"), ", or leave out --no-mend"),
    "outside-domain": "; --force gives a number that nothing vouches for",
}
"""What this command line can do about a refusal, by its code: added to the remedy."""


@contextmanager
def open_outputs(
    reader: Reader,
    *,
    json: bool,
    csv: Path | None,
    evidence: Path | None,
    report: Path | None = None,
    formats: Sequence[Format] = (),
    dicom: Path | None = None,
    kinds: Sequence[str] = (),
    deliveries: Deliveries | None = None,
) -> Iterator[Outputs]:
    """Open all outputs before the first film is read, and print what is held back whatever happens.

    Raises:
        StorageError: One of them cannot be made.
    """
    from pneumoscope.reports.csv import CsvFile, header
    from pneumoscope.storage import make_folder

    with ExitStack() as stack:
        rows = None
        if csv is not None:
            rows = stack.enter_context(CsvFile(csv, header(reader.meta.class_names, reader.meta.finding)))
        folder = None if evidence is None else make_folder(evidence)
        reports = None if report is None else ReportFolder(make_folder(report), formats, reader)
        objects = None if dicom is None else DicomFolder(make_folder(dicom), kinds, reader)
        outputs = Outputs(
            reader, json=json, rows=rows, pictures=folder, reports=reports, objects=objects, deliveries=deliveries
        )
        try:
            yield outputs
        except BaseException:
            outputs.show_held()
            raise
        outputs.finish()


class Outputs:
    """Takes readings one by one and keeps none of them for long.

    Attributes:
        bar: A progress bar that has to step aside while a table is printed.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        json: bool,
        rows: CsvFile | None,
        pictures: Path | None,
        reports: ReportFolder | None = None,
        objects: DicomFolder | None = None,
        deliveries: Deliveries | None = None,
    ) -> None:
        from pneumoscope.model.population import bundle_population

        self._reader = reader
        self._json = json
        self._rows = rows
        self._pictures = pictures
        self._reports = reports
        self._objects = objects
        self._deliveries = deliveries
        self._held: list[Reading] = []
        self.bar: Progress | None = None
        self._population = bundle_population(reader.meta, reader.point.preset)
        self._ages_unknown = 0
        self._outside: list[str] = []
        self._counts = {"read": 0, "refused": 0, "called": 0, "indeterminate": 0}

    @property
    def quiet(self) -> bool:
        """Whether there is room for a progress bar: JSON lines on the same terminal would tear it."""
        return not (self._json and sys.stdout.isatty())

    @property
    def wants_films(self) -> bool:
        """Whether anything draws the films or tells of their patients."""
        if not self._json:  # the table tells whose age the model has not learned from
            return True
        return any(each is not None for each in (self._pictures, self._reports, self._objects, self._deliveries))

    def take(self, reading: Reading, film: Radiograph | None = None) -> None:
        """Write one reading everywhere it is wanted: files first, then the terminal.

        Args:
            reading: Read or refused.
            film: As it was read, where ``wants_films``; None if it could not be decoded.

        Raises:
            StorageError: The disk is full.
        """
        from pneumoscope.types.reading import INDETERMINATE

        meta = self._reader.meta
        self._counts[reading.status] += 1
        self._counts["called"] += reading.finding is not None and reading.finding.call == meta.finding
        self._counts["indeterminate"] += reading.finding is not None and reading.finding.call == INDETERMINATE
        if self._rows is not None:
            from pneumoscope.reports.csv import row

            self._rows.write(row(reading, meta.class_names))
        if self._pictures is not None and film is not None and reading.status == "read":
            from pneumoscope.reports.overlay import overlay_png
            from pneumoscope.storage import write_atomically

            write_atomically(self._pictures / picture_name(reading), overlay_png(film, reading))
        if self._reports is not None:
            self._reports.write(reading, film)
        if self._objects is not None:
            self._objects.write(reading, film)
        if self._deliveries is not None:
            self._deliveries.send(reading, film, self._reader)
        if self._json:
            from pneumoscope.reports.json import to_json

            print(to_json(reading), flush=True)  # noqa: T201 - standard output is the product
            return
        self._note_age(reading, film)
        self._held.append(reading)
        if len(self._held) >= _TABLE_ROWS:
            self.show_held()

    def _note_age(self, reading: Reading, film: Radiograph | None) -> None:
        from pneumoscope.quality.metadata import age_in_years

        if reading.finding is None:
            return
        age = None if film is None else age_in_years(film.facts)
        self._ages_unknown += age is None
        if age is not None and self._population.covers(age) is False:
            self._outside.append(f"{reading.film.path}: {age:.3g} years")

    def finish(self) -> None:
        """Print what is held back, the sum, and the notice."""
        from pneumoscope.model.schema import ThreeWayPoint

        if self._json:
            return
        self.show_held()
        counts, meta, point = self._counts, self._reader.meta, self._reader.point
        if isinstance(point, ThreeWayPoint):
            left_open = f", {counts['indeterminate']} indeterminate"
            how = f"three-way: no {meta.finding} below {point.lower:.3g}, {meta.finding} from {point.upper:.3g}"
        else:
            left_open, how = "", f"{point.preset} operating point: {point.threshold:.3g}"
        sum_line = (
            f"{counts['read']} read, {counts['refused']} refused, {counts['called']} called {meta.finding}{left_open} "
            f"({how}; bundle {meta.name} {meta.version})"
        )
        self._print_population(counts["read"])
        pattern = "A pattern is a radiographic impression, not microbiology. " if len(meta.positive) > 1 else ""
        print(f"\n{sum_line}\n{pattern}{NOTICE}", flush=True)  # noqa: T201 - as above

    def _print_population(self, read: int) -> None:
        """For whom the model was made, and whose films were of others, or may be."""
        from pneumoscope.reports.summary import plain, population_sentences

        told = list(population_sentences(self._population, new_site_of=self._reader.point.preset))
        if self._ages_unknown:
            told.append(f"Age unknown: {self._ages_unknown} of {read} films read.")
        if self._outside:
            told.append("Of an age that it has not learned from, so that no rates are known:")
            told += [f"  {plain(each)}" for each in self._outside[:_OUTSIDE_SHOWN]]
            left = len(self._outside) - _OUTSIDE_SHOWN
            told += [f"  and {left} more"] if left > 0 else []
        print("\n" + "\n".join(told), flush=True)  # noqa: T201 - standard output is the product

    def show_held(self) -> None:
        """Print the table's rows that are held back."""
        if not self._held:
            return
        from pneumoscope.cli.console import output
        from pneumoscope.reports.table import table

        held, self._held = self._held, []
        meta, console = self._reader.meta, output()
        width = console.width if console.is_terminal else None
        if self.bar is not None:
            self.bar.stop()
        console.print(table([_with_options(reading) for reading in held], meta.class_names, meta.finding, width))
        sys.stdout.flush()
        if self.bar is not None:
            self.bar.start()


def _with_options(reading: Reading) -> Reading:
    """The reading with what the command line can do about its refusal, for people at a terminal."""
    if reading.refusal is None or reading.refusal.code not in _OPTIONS:
        return reading
    refusal = reading.refusal
    return replace(reading, refusal=replace(refusal, remedy=f"{refusal.remedy}{_OPTIONS[refusal.code]}"))


def picture_name(reading: Reading) -> str:
    """The film's stem and the start of its sha256: films of one stem in two folders get a picture each."""
    return f"{Path(reading.film.path).stem}-{(reading.film.sha256 or '')[:12]}.png"


_OUTSIDE_SHOWN = 20
"""Films of an age that the model has not learned from, named under the table."""

_MANY = 8
"""A progress bar is worth its place from this many films on."""


def read(  # noqa: PLR0917 - typer makes them options
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Films, folders, zip and tar archives, a DICOMDIR, patterns in quotes, or - for a list on standard "
            "input.",
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one reading per line as JSON.")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write one row per film.")] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="DIR", help="Write one picture per film with its evidence.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Write reports of each film, also of those that are refused."),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAMES",
            help="Report formats, with commas: html (the default), pdf, fhir, fhir-r5, hl7, sr, json.",
        ),
    ] = None,
    dicom_out: Annotated[
        Path | None,
        typer.Option("--dicom-out", metavar="DIR", help="Write results of each DICOM film as DICOM objects."),
    ] = None,
    dicom_kinds: Annotated[
        str | None,
        typer.Option(
            "--dicom-kinds",
            metavar="NAMES",
            help="Which, with commas: sr and sc (the default), gsps, seg, map, pdf, kos.",
        ),
    ] = None,
    fhir_post: Annotated[
        str | None,
        typer.Option(
            "--fhir-post",
            metavar="URL",
            help="Post each reading to a FHIR server; credentials from PNEUMOSCOPE_FHIR_TOKEN, or _USER and _PASSWORD.",
        ),
    ] = None,
    fhir_release: Annotated[str, typer.Option(help="R4 or R5.")] = "R4",
    fhir_subject: Annotated[
        str | None,
        typer.Option(metavar="REF", help="The patient, such as Patient/123; the DICOM film's Patient ID without it."),
    ] = None,
    hl7_send: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Send each reading as HL7 v2 ORU^R01 over MLLP."),
    ] = None,
    hl7_tls: Annotated[bool, typer.Option("--hl7-tls", help="Over TLS.")] = False,
    model: Annotated[str | None, typer.Option(help="A shipped bundle's name, or a bundle's path.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="The operating point: three-way (with indeterminate calls), screening or balanced."),
    ] = None,
    coverage: Annotated[float | None, typer.Option(help="Nominal coverage of the prediction set: 0.9 or 0.95.")] = None,
    no_mend: Annotated[
        bool,
        typer.Option(
            "--no-mend",
            help="Correct nothing: refuse films that are rotated, tilted or inverted, or have wide borders.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Read films that quality control refuses, too; each such reading is marked as forced."
        ),
    ] = False,
    batch: Annotated[int | None, typer.Option(min=1, help="Films processed concurrently; bounds the memory.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Worker threads; one per CPU without it.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if a folder or archive holds files that are no films.")
    ] = False,
) -> None:
    """Read films: a probability of the finding, a call, and the evidence for it.

    Prints a table for people, or JSON; writes CSV, pictures of the evidence, and reports (HTML, PDF, FHIR, DICOM).
    What is no whole, frontal chest film is refused, with a reason and without a number; what is only rotated,
    tilted or inverted is corrected. Research use only.

    Exit code 0: all films read; 1: a reading could not be delivered; 3: some refused; 2: wrong usage; 4: the bundle
    cannot be used; 5: disk full.

    Example: pneumoscope read films/ --csv readings.csv --evidence pictures/
    """
    from dataclasses import replace

    from pneumoscope.cli.deliveries import wanted_deliveries
    from pneumoscope.model.reader import load
    from pneumoscope.settings import Settings

    settings = Settings.from_environment()
    settings = replace(settings, threads=settings.threads if threads is None else threads)
    wanted = wanted_formats(report, formats)
    kinds = wanted_kinds(dicom_out, dicom_kinds)
    deliveries = wanted_deliveries(fhir_post, hl7_send, release=fhir_release, subject=fhir_subject, hl7_tls=hl7_tls)
    passed: Counter[str] = Counter()
    films = find_films(paths, passed)
    reader = load(model, preset=preset, coverage=coverage, mend=not no_mend, force=force, settings=settings)
    with open_outputs(
        reader,
        json=json,
        csv=csv,
        evidence=evidence,
        report=report,
        formats=wanted,
        dicom=dicom_out,
        kinds=kinds,
        deliveries=deliveries,
    ) as outputs:
        refused = _read_all(reader, films, outputs, batch=batch, total=_count(paths))
    if passed:
        _tell_passed(passed)
    if deliveries is not None and deliveries.failed:
        raise typer.Exit(1)
    if refused or (strict and passed):
        raise typer.Exit(3)


def _tell_passed(passed: Counter[str]) -> None:
    """Say on standard error what was no film: "3 files are no films: 2 .txt, 1 .mp4"."""
    count = passed.total()
    told = ", ".join(
        f"{number} {kind}" for kind, number in sorted(passed.items(), key=lambda each: (-each[1], each[0]))
    )
    typer.echo(f"{count} {'file is no film' if count == 1 else 'files are no films'}: {told}", err=True)


def _read_all(reader: Reader, films: Iterator[str], outputs: Outputs, *, batch: int | None, total: int | None) -> int:
    """Give each reading to the outputs as it comes; the number of refused films."""
    from pneumoscope.cli.console import progress, silence_libraries

    refused = 0
    with silence_libraries(), progress(total, wanted=outputs.quiet and (total is None or total >= _MANY)) as bar:
        outputs.bar = bar
        readings: Iterator[tuple[Reading, Radiograph | None]]
        if outputs.wants_films:
            readings = reader.read_with_films(films, batch=batch)
        else:
            readings = ((reading, None) for reading in reader.read_many(films, batch=batch))
        for reading, film in readings:
            outputs.take(reading, film)
            refused += reading.status == "refused"
            if bar is not None:
                bar.advance(bar.task_ids[0])
        outputs.bar = None
    return refused


def _count(paths: list[str]) -> int | None:
    """How many films there are, for the progress bar; None where counting would use them up or nobody looks."""
    if STANDARD_INPUT in paths or not sys.stderr.isatty():
        return None
    return sum(1 for _ in find_films(paths))
