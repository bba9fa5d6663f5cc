"""The command's entry point: which commands there are, and how errors leave."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from pneumoscope import __version__
from pneumoscope.errors import PneumoscopeError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["VERBS", "main"]

VERBS = {
    "phantom": "pneumoscope.cli.data:phantom",
    "sources": "pneumoscope.cli.data:sources",
    "scan": "pneumoscope.cli.data:scan",
    "manifest": "pneumoscope.cli.data:manifest",
    "audit": "pneumoscope.cli.data:audit",
    "augment": "pneumoscope.cli.train:augment",
    "networks": "pneumoscope.cli.train:networks",
    "train": "pneumoscope.cli.train:train",
    "ensemble": "pneumoscope.cli.train:ensemble",
    "cross-calibrate": "pneumoscope.cli.train:cross_calibrate",
    "search": "pneumoscope.cli.search:search",
    "baselines": "pneumoscope.cli.baselines:baselines",
    "frameworks": "pneumoscope.cli.baselines:frameworks",
    "import-keras": "pneumoscope.cli.import_keras:import_keras",
    "calibrate-site": "pneumoscope.cli.calibrate_site:calibrate_site",
    "evaluate": "pneumoscope.cli.evaluate:evaluate",
    "compare": "pneumoscope.cli.evaluate:compare",
    "dataset": "pneumoscope.cli.dataset:dataset",
    "queue": "pneumoscope.cli.dataset:queue",
    "retrain": "pneumoscope.cli.retrain:retrain",
    "panel": "pneumoscope.cli.panel:panel",
    "reader-study": "pneumoscope.cli.reader_study:reader_study",
    "bundles": "pneumoscope.cli.bundles:bundles",
    "read": "pneumoscope.cli.read:read",
    "score": "pneumoscope.cli.score:score",
    "reproduce": "pneumoscope.cli.reproduce:reproduce",
    "bench": "pneumoscope.cli.bench:bench",
    "render": "pneumoscope.cli.render:render",
    "accept": "pneumoscope.cli.accept:accept",
    "conformance": "pneumoscope.cli.accept:conformance",
    "serve": "pneumoscope.cli.server:serve",
    "node": "pneumoscope.cli.node:node",
    "users": "pneumoscope.cli.server:users",
    "log": "pneumoscope.cli.server:log",
    "backup": "pneumoscope.cli.backup:backup",
    "restore": "pneumoscope.cli.backup:restore",
}
"""The commands in workflow order, and where each is defined; its help is its docstring."""


class _Verbs(TyperGroup):
    """Imports a verb when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        home = VERBS.get(cmd_name)
        if home is None:
            return None
        module, function = home.split(":")
        verb = typer.Typer(add_completion=False, rich_markup_mode=None)
        verb.command(cmd_name)(getattr(import_module(module), function))
        return typer.main.get_command(verb)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; typer's releases do not agree on what an interruption exits with."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(_fail("interrupted; what was written is whole", 130)) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List each verb with the whole first paragraph of its help; typer would cut it."""
        with formatter.section("Commands"):
            helps = {name: (self.get_command(ctx, name).help or "").partition("\n\n")[0] for name in VERBS}
            formatter.write_dl([(name, " ".join(text.split())) for name, text in helps.items()])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name; from the command line if None.

    Returns:
        The exit code: 0 done; 1 something else; 2 wrong usage; 3 some films refused; 4 a bundle that cannot be used,
        or a leak that an audit found; 5 a disk that cannot be written; 6 a site that no re-calibration can help;
        7 an audit log that is not as it was written; 130 interrupted.
    """
    _take_any_text()
    try:
        return _run(arguments)
    except PneumoscopeError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        _forget_output()  # whoever read our output has gone: nothing to say, and nobody to say it to
        return 1
    except OSError as error:
        # A full disk behind standard output: every other file is written through pneumoscope.storage.
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT):
            raise
        _forget_output()
        reason = (error.strerror or "").lower()
        return _fail(f"standard output cannot be written ({reason}). Free some space and run it again.", 5)


def _take_any_text() -> None:
    """Let names that the terminal's coding has no letters for be written with escapes (Windows consoles, LANG=C)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            unicode = (stream.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}
            stream.reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


def _run(arguments: Sequence[str] | None) -> int:
    app = typer.Typer(
        cls=_Verbs, add_completion=False, rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False
    )
    app.callback()(pneumoscope)
    try:
        typer.main.get_command(app).main(args=arguments, prog_name="pneumoscope")
    except SystemExit as leaving:
        code = leaving.code
        sys.stdout.flush()  # here and not at the interpreter's end, so that a full disk is told like any other error
        return code if isinstance(code, int) else 0 if code is None else 1
    return 0


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"pneumoscope {__version__}")
        raise typer.Exit


def pneumoscope(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Read chest radiographs for pneumonia, and train what reads them. Research use only. Not a medical device.

    Commands are listed in workflow order; each has an example: pneumoscope read --help
    """
    del version


def _fail(message: str, code: int) -> int:
    """One line on standard error, red where there is colour."""
    line = f"pneumoscope: {' '.join(message.split())}"
    plain = not sys.stderr.isatty() or "NO_COLOR" in os.environ
    print(line if plain else f"\033[31m{line}\033[0m", file=sys.stderr)  # noqa: T201 - this is the command's voice
    return code


def _forget_output() -> None:
    """Send what is still buffered nowhere, or the interpreter would fail on it once more while closing."""
    with suppress(OSError, ValueError):  # standard output is no file, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
