"""``pneumoscope node``: the DICOM node beside the web application, and a look at its rules."""

from __future__ import annotations

import logging
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.cli.console import require_packages
from pneumoscope.cli.options import DatabaseURL, FilmsPlace, LogFormat, Workers  # noqa: TC001 - typer reads the annotations
from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.server.node.run import Node

__all__ = ["NODE_PACKAGES", "node"]

NODE_PACKAGES = ("pynetdicom", "fastapi", "sqlalchemy", "alembic", "argon2", "prometheus_client", "httpx")
"""What the node needs, as it is imported."""


def node(  # noqa: PLR0917 - typer makes them options
    study: Annotated[
        Path | None, typer.Argument(help="With --check-rules: a DICOM file, or a folder of them.", show_default=False)
    ] = None,
    aet: Annotated[str | None, typer.Option(help="AE title of the node; PNEUMOSCOPE without it.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 127.0.0.1 without it, which is this machine alone.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port, 11112 without it; 0 takes a free one.")
    ] = None,
    send_to: Annotated[
        list[str] | None,
        typer.Option(metavar="AET@HOST:PORT", help="Where results go; also tls://AET@HOST:PORT, or DICOMweb's URL."),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(metavar="AET@HOST:PORT", help="Another application entity, for storage commitment."),
    ] = None,
    allow_aet: Annotated[list[str] | None, typer.Option(metavar="AET", help="Who may call; all without it.")] = None,
    allow_address: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="From where they may call: 10.1.0.0/16.")
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(metavar="KINDS", help="What is sent, with commas: sr,sc,gsps,seg,map,pdf,kos; sr,sc without it."),
    ] = None,
    stable_seconds: Annotated[
        float | None, typer.Option(min=0, help="A study is read when nothing of it came for so long; 5 without it.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of all settings; options go before it.")
    ] = None,
    check_rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Tell which films of STUDY the file's rules read, and stop.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Data folder, as of serve: the worklist is the same.")
    ] = None,
    database: DatabaseURL = None,
    films: FilmsPlace = None,
    model: Annotated[str | None, typer.Option(help="The bundle in use until another is chosen.")] = None,
    workers: Workers = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of 127.0.0.1 where Prometheus may ask; none without it.")
    ] = None,
    log_format: LogFormat = None,
) -> None:
    """Start the DICOM node: take films from modalities and the PACS, read them, and send the results back.

    It answers C-ECHO, takes what C-STORE brings, reads the films that the rules name as soon as their study is stable,
    files them in the worklist of the web application (same --data or --database), and sends the results of each to
    --send-to until they have arrived. Its queue survives a kill at any moment. `pneumoscope serve --node` runs both in
    one process. Settings, rules and TLS: docs/dicom-node.md. Ctrl+C stops it when the films in hand are done. Research
    use only.

    Example: pneumoscope node --aet PNEUMOSCOPE --port 11112 --send-to ORTHANC@127.0.0.1:4242
    """
    require_packages("pydicom", needed_for="the DICOM node", extra="node")
    if check_rules is not None:
        _check_rules(check_rules, study)
        return
    if study is not None:
        raise UsageError("a study is looked at with --check-rules alone", where=study, remedy="Leave it out")
    require_packages(*NODE_PACKAGES, needed_for="the DICOM node", extra="node")
    from pneumoscope.model.bundle import find_bundle
    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.node.config import load_config
    from pneumoscope.server.node.run import run_node

    allow = {"aets": allow_aet, "addresses": allow_address}
    settings = load_config(
        config,
        aet=aet,
        host=host,
        port=port,
        send_to=send_to or None,
        peers=peer or None,
        results=None if results is None else results.replace(",", " ").split(),
        stable_seconds=stable_seconds,
        allow={name: value for name, value in allow.items() if value} or None,
    )
    settings.check_open()
    web = WebConfig.from_environment(
        data=None if data is None else data.expanduser(),
        database=database,
        films=films,
        model=model,
        workers=workers,
        log_format=log_format,
    )
    find_bundle(web.model)  # says no before anything is opened
    run_node(web, settings, _tell, metrics_port=metrics_port)
    typer.echo("The node is closed.")


def _tell(started: Node) -> None:
    from pneumoscope.settings import NOTICE

    config = started.config
    typer.echo(f"The node is open: {config.aet}@{config.host}:{started.port}")
    typer.echo(f"Results go to: {', '.join(config.send_to) or 'nobody (--send-to)'}")
    typer.echo(f"{NOTICE} Stop it with Ctrl+C.")


def _check_rules(file: Path, study: Path | None) -> None:
    """Print what becomes of each object of a study."""
    from rich import box
    from rich.table import Table

    from pneumoscope.cli.console import show
    from pneumoscope.server.node.config import load_config
    from pneumoscope.server.node.incoming import decision_of

    config = load_config(file)
    if study is None:
        raise UsageError("which study?", where=file, remedy="Give a DICOM file, or a folder: --check-rules FILE STUDY/")
    if not study.exists():
        raise UsageError("there is nothing here", where=study, remedy="Give a DICOM file, or a folder of them")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("file", "read", "rule"):
        table.add_column(column, overflow="fold")
    read = found = 0
    for path in _files(study):
        decision = decision_of(path, config)
        if decision is None:
            table.add_row(str(path), "no", "not DICOM")
            continue
        found += 1
        read += decision.read
        table.add_row(str(path), "yes" if decision.read else "no", decision.rule)
    show(table)
    typer.echo(f"{read} of {found} DICOM objects would be read.")


def _files(study: Path) -> Iterator[Path]:
    if study.is_file():
        yield study
        return
    yield from sorted(path for path in study.rglob("*") if path.is_file() and not path.name.startswith("."))
