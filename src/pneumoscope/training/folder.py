"""The folder of a run: what lies where, whose it is, and the removal of its own files."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import ConfigError, TrainingError, UsageError
from pneumoscope.storage import lock_file, make_folder, storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.training.config import TrainConfig

__all__ = ["MARK", "RUN_FILES", "OwnFiles", "RunFolder", "config_differences", "is_empty", "locked", "run_head"]

MARK = ".pneumoscope.json"
"""Name of the file by which a folder is known as this program's own."""

_VERSION = 1
_LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder that the system lets go when the process ends, however it ends.

    Raises:
        TrainingError: Another process holds it.
        StorageError: The folder cannot be written.
    """
    with lock_file(folder / _LOCK) as free:
        if not free:
            raise TrainingError(
                "another process works in this folder", where=folder, remedy="Wait for it, or give another --out"
            )
        yield


def is_empty(folder: Path) -> bool:
    """Whether a folder is not there, or holds nothing but a lock that a kill has left."""
    return not folder.exists() or all(path.name == _LOCK for path in folder.iterdir())


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The files that one kind of folder holds, and how such a folder is known.

    Attributes:
        kind: "run" or "search"; stands in the mark.
        files: Patterns of the files that are written, relative to the folder.
        older: Whether a folder without a mark was written before there were marks; it must be strict.
        nested: Folders of this program inside, as pairs of a pattern and the files that they hold.
    """

    kind: str
    files: tuple[str, ...]
    older: Callable[[Path], bool]
    nested: tuple[tuple[str, OwnFiles], ...] = ()

    def marked(self, folder: Path) -> bool:
        """Whether the folder holds a whole mark of this kind."""
        try:
            mark = json.loads((folder / MARK).read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(mark, dict) and mark.get("format") == self._format

    def own(self, folder: Path) -> bool:
        """Whether the folder is one of this kind: it has its mark, or is from before there were marks."""
        return self.marked(folder) or self.older(folder)

    def mark(self, folder: Path) -> None:
        """Leave the mark, if it is not there.

        Raises:
            StorageError: It cannot be written.
        """
        if not self.marked(folder):
            mark = {"format": self._format, "version": _VERSION, "files": list(self.files)}
            write_atomically(folder / MARK, json.dumps(mark, indent=2) + "\n")

    def remove(self, folder: Path) -> None:
        """Remove what this program wrote into the folder; what else is in it stays, and so does a folder with such.

        Links are not followed. The mark goes last, so that a removal that is broken off can be gone on with.

        Raises:
            StorageError: A file cannot be removed.
        """
        with storage_errors(folder):
            for pattern, kind in self.nested:
                for inner in _unlinked(folder, pattern):
                    if inner.is_dir() and kind.own(inner):
                        kind.remove(inner)
                        (inner / _LOCK).unlink(missing_ok=True)
                        _remove_if_empty(inner)
            parents = {Path(pattern).parent for pattern, _ in self.nested}
            for path in self._written(folder):
                path.unlink(missing_ok=True)
                parents.update(path.relative_to(folder).parents)
            for parent in sorted(parents, key=lambda each: -len(each.parts)):
                if parent.parts:
                    _remove_if_empty(folder / parent)
            (folder / MARK).unlink(missing_ok=True)
            _remove_if_empty(folder)

    def _written(self, folder: Path) -> Iterator[Path]:
        """The files that match, and what a kill left of them half-way."""
        for pattern in self.files:
            parent, slash, name = pattern.rpartition("/")
            for each in (pattern, f"{parent}{slash}.{name}.*.part"):
                yield from (path for path in _unlinked(folder, each) if path.is_symlink() or not path.is_dir())

    @property
    def _format(self) -> str:
        return f"pneumoscope {self.kind}"


def _unlinked(folder: Path, pattern: str) -> list[Path]:
    """What matches without a link to elsewhere on the way."""
    return [
        path
        for path in folder.glob(pattern)
        if not any((folder / parent).is_symlink() for parent in path.relative_to(folder).parents if parent.parts)
    ]


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()


_HEAD = re.compile(r"# pneumoscope train; films and labels: [0-9a-f]{64}")
_FIGURES = (
    "curves",
    "sample_inputs",
    "sample_outputs",
    "evidence",
    *(f"{name}_*" for name in ("confusion", "roc", "precision_recall", "reliability", "scores")),
)
_FILES = (
    "manifest.parquet",
    "split.json",
    "history.csv",
    "predictions.parquet",
    "samples.npz",
    "bundle.onnx",
    "summary.json",
    "members.json",
    "checkpoints/best.ckpt",
    "checkpoints/last.ckpt",
    "checkpoints/previous.ckpt",
    "checkpoints/epoch-*.npz",
    "checkpoints/state.json",
    "tensorboard/events.out.tfevents.*",
    "tensorboard/hparams.yaml",
    *(f"figures/{name}.{suffix}" for name in _FIGURES for suffix in ("svg", "png")),
)


def _from_before_marks(folder: Path) -> bool:
    """Whether a run without a mark lies here: its configuration says of which films, is whole, and is not alone."""
    from pneumoscope.training.config import TrainConfig  # noqa: PLC0415 - only when somebody asks

    config = folder / "config.toml"
    try:
        head = config.read_text(encoding="utf-8").partition("\n")[0]
        if not _HEAD.fullmatch(head):
            return False
        TrainConfig.load(config)
    except (OSError, ValueError, ConfigError):
        return False
    return any((folder / name).exists() for name in ("manifest.parquet", "split.json", "history.csv"))


_FOLD_FILES = OwnFiles("run", ("config.toml", *_FILES), _from_before_marks)
RUN_FILES = OwnFiles(
    "run", ("config.toml", *_FILES), _from_before_marks, nested=(("folds/*", _FOLD_FILES), ("sites/*", _FOLD_FILES))
)
"""What a run writes into its folder."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Names of a run's files.

    Attributes:
        path: The folder; a string will do.
    """

    path: Path

    def __post_init__(self) -> None:
        """Take strings, too."""
        object.__setattr__(self, "path", Path(self.path))

    @property
    def config(self) -> Path:
        """Every field of the configuration, as TOML."""
        return self.path / "config.toml"

    @property
    def manifest(self) -> Path:
        """The films and labels."""
        return self.path / "manifest.parquet"

    @property
    def split(self) -> Path:
        """Which film is in which part."""
        return self.path / "split.json"

    @property
    def history(self) -> Path:
        """One row an epoch."""
        return self.path / "history.csv"

    @property
    def predictions(self) -> Path:
        """Calibrated probabilities of the validation and test films."""
        return self.path / "predictions.parquet"

    @property
    def samples(self) -> Path:
        """Some films as the network sees them, with labels, probabilities and evidence."""
        return self.path / "samples.npz"

    @property
    def bundle(self) -> Path:
        """The model."""
        return self.path / "bundle.onnx"

    @property
    def summary(self) -> Path:
        """Times, parity and counts, as JSON."""
        return self.path / "summary.json"

    @contextmanager
    def claimed(self, config: TrainConfig, manifest: Manifest, *, fresh: bool) -> Iterator[bool]:
        """Work in the folder, alone: claim it for this run, or find that it already is this run's.

        A finished run is opened without a lock and without writing, so that it can lie where nobody may write.

        Args:
            config: Of the run that is to be.
            manifest: Of its films.
            fresh: Throw away the files of the run that is there; others stay.

        Yields:
            Whether an earlier start of this same run is gone on with.

        Raises:
            UsageError: The folder holds something that no run wrote, and no run.
            TrainingError: It holds another run, or another process works in it.
            StorageError: It cannot be written.
        """
        text = f"{run_head(manifest)}\n{config.to_toml()}"
        if self.path.exists() and not self.path.is_dir():
            raise UsageError("this is a file", where=self.path, remedy="Give a folder for the run to --out")
        if not is_empty(self.path) and not RUN_FILES.own(self.path) and not self._begun_with(text):
            raise UsageError(
                "the folder is not empty, and holds no run that this program knows as its own",
                where=self.path,
                remedy="Give another --out; what is in this folder stays as it is",
            )
        if self.summary.exists() and self.config.exists() and not fresh:
            self._check_same(text, config)
            yield True
            return
        make_folder(self.path)
        with locked(self.path):
            if fresh:
                RUN_FILES.remove(self.path)
            resumed = self.config.exists()
            if resumed:
                self._check_same(text, config)
            RUN_FILES.mark(self.path)
            if not resumed:
                write_atomically(self.config, text)
            yield resumed

    def _begun_with(self, text: str) -> bool:
        """Whether an older program was killed here before it wrote more than this very configuration."""
        return self.config.is_file() and self.config.read_bytes() == text.encode()

    def _check_same(self, text: str, config: TrainConfig) -> None:
        """Hold the folder's configuration to the one that is asked; an older one has not every key, and means it.

        Raises:
            TrainingError: They differ; names what does.
        """
        held = self.config.read_text()
        if held == text:
            return
        if held.partition("\n")[0] != text.partition("\n")[0]:
            what = "other films or labels"
        elif differences := config_differences(type(config).load(self.config), config):
            what = "another configuration: " + "; ".join(
                f"{key} is {was} there, and {asked} was asked" for key, (was, asked) in differences.items()
            )
        else:
            return
        raise TrainingError(
            f"the folder holds a run with {what}",
            where=self.path,
            remedy="Give another --out, or --fresh to throw that run away",
        )


def run_head(manifest: Manifest) -> str:
    """First line of a run's ``config.toml``: of which films and labels it is."""
    return f"# pneumoscope train; films and labels: {manifest.sha256}"


def config_differences(held: TrainConfig, asked: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """The keys that differ; "finding" had a default before 0.4.0 that now follows from the classes."""
    differences = held.differences(asked)
    if differences.get("finding") == ("pneumonia", ""):
        del differences["finding"]
    return differences
