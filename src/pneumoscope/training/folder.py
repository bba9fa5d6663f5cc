"""The folder of a run: what lies where, and whose run it is."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.storage import make_folder, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.dataset import Manifest
    from pneumoscope.training.config import TrainConfig

__all__ = ["RunFolder"]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Names of a run's files.

    Attributes:
        path: The folder.
    """

    path: Path

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

    def open(self, config: TrainConfig, manifest: Manifest, *, fresh: bool) -> bool:
        """Claim the folder for this run, or find that it already is this run's.

        Args:
            config: Of the run that is to be.
            manifest: Of its films.
            fresh: Throw away what is there.

        Returns:
            Whether an earlier start of this same run is gone on with.

        Raises:
            UsageError: The folder holds something else.
            TrainingError: It holds another run.
            StorageError: It cannot be written.
        """
        text = f"# pneumoscope train; films and labels: {manifest.sha256}\n{config.to_toml()}"
        if self.path.exists() and not self.path.is_dir():
            raise UsageError("this is a file", where=self.path, remedy="Give a folder for the run to --out")
        if fresh and self.config.exists():
            shutil.rmtree(self.path)
        if self.config.exists():
            if self._same_run(text, config):
                return True
            raise TrainingError(
                "the folder holds a run with another configuration or other films",
                where=self.path,
                remedy="Give another --out, or --fresh to throw that run away",
            )
        if self.path.exists() and any(self.path.iterdir()):
            raise UsageError("the folder is not empty, and holds no run", where=self.path, remedy="Give another --out")
        make_folder(self.path)
        write_atomically(self.config, text)
        return False

    def _same_run(self, text: str, config: TrainConfig) -> bool:
        """Whether the folder's configuration is the one that is asked; an older one has not every key, and means it."""
        held = self.config.read_text()
        if held == text:
            return True
        films, asked = held.partition("\n")[0], text.partition("\n")[0]
        return films == asked and type(config).load(self.config) == config
