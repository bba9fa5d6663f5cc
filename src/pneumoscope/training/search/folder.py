"""The folder of a search: what lies where, whose search it is, and that one process works in it."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.storage import make_folder, write_atomically
from pneumoscope.training.folder import RUN_FILES, OwnFiles, is_empty, locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SEARCH_FILES", "TRIAL_FILES", "SearchFolder"]

_HEAD = re.compile(r"# pneumoscope search [0-9a-f]{64}")
_FOLD = ("history.csv", "checkpoints/*.ckpt", "tensorboard/events.out.tfevents.*", "tensorboard/hparams.yaml")


def _from_before_marks(folder: Path) -> bool:
    """Whether a search without a mark lies here: its plan says whose it is, and the folder has its name."""
    try:
        head = (folder / "search.toml").read_text(encoding="utf-8").partition("\n")[0]
        name = (folder / ".name").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return bool(_HEAD.fullmatch(head)) and re.fullmatch(r"[0-9a-f]{32}", name) is not None


TRIAL_FILES = OwnFiles(
    "trial", ("config.toml", "fold-*.json", *(f"fold-*/{name}" for name in _FOLD)), older=lambda _: False
)
"""What a trial writes into its folder in the folder of a search."""

SEARCH_FILES = OwnFiles(
    "search",
    (
        "search.toml",
        *(f"study.db{suffix}" for suffix in ("", "-journal", "-wal", "-shm")),
        "trials.csv",
        "best.toml",
        "search.json",
        "search.html",
        ".name",
        *(f"figures/{name}.{suffix}" for name in ("history", "slices", "importance") for suffix in ("svg", "png")),
        *(f"trials/[0-9][0-9][0-9][0-9]/{name}" for name in TRIAL_FILES.files),
    ),
    _from_before_marks,
    nested=(("winner", RUN_FILES),),
)
"""What a search writes into its folder."""


@dataclass(frozen=True, slots=True)
class SearchFolder:
    """Names of a search's files.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def plan(self) -> Path:
        """The plan, the space, and the configuration that the search starts from; the first line says whose."""
        return self.path / "search.toml"

    @property
    def database(self) -> Path:
        """The study, where no other database was given."""
        return self.path / "study.db"

    @property
    def trials(self) -> Path:
        """One folder a trial."""
        return self.path / "trials"

    @property
    def table(self) -> Path:
        """One row a trial."""
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        """The best configuration, for ``pneumoscope train --config``."""
        return self.path / "best.toml"

    @property
    def record(self) -> Path:
        """All that the search found, as JSON."""
        return self.path / "search.json"

    @property
    def winner(self) -> Path:
        """The run of the best configuration: a folder of ``pneumoscope train``."""
        return self.path / "winner"

    @contextmanager
    def claimed(self, head: str, text: str, *, fresh: bool) -> Iterator[str]:
        """Work in the folder, alone.

        Args:
            head: First line of ``search.toml``: whose search it is.
            text: The rest of it.
            fresh: Throw away the files of the search that is there; others stay.

        Yields:
            A name for this folder that no other has.

        Raises:
            UsageError: The folder holds something else, or is a file.
            TrainingError: It holds another search, or another process works in it.
            StorageError: It cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError("this is a file", where=self.path, remedy="Give a folder for the search to --out")
        own = SEARCH_FILES.own(self.path)
        if not own and not is_empty(self.path):
            raise UsageError(
                "the folder is not empty, and holds no search that this program knows as its own",
                where=self.path,
                remedy="Give another --out; what is in this folder stays as it is",
            )
        known = own and self.plan.exists()
        if known and not fresh and self.plan.read_text().partition("\n")[0] != head:
            raise TrainingError(
                "the folder holds a search of another plan, space, configuration or films",
                where=self.path,
                remedy="Give another --out, or --fresh to throw that search away",
            )
        make_folder(self.path)
        with locked(self.path):
            if own and fresh:
                SEARCH_FILES.remove(self.path)
            SEARCH_FILES.mark(self.path)
            write_atomically(self.plan, f"{head}\n{text}")
            name = self.path / ".name"
            if not name.exists():
                write_atomically(name, uuid.uuid4().hex)
            yield name.read_text()
