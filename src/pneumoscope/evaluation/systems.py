"""Systems under evaluation: a bundle, or any ONNX classifier with a spec file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
import numpy as np

from pneumoscope.data.labels import canonical_label
from pneumoscope.data.manifest import Manifest
from pneumoscope.data.pixels import open_film
from pneumoscope.data.split import Split
from pneumoscope.errors import ConfigError, FilmError, NotABundle
from pneumoscope.evaluation.prediction_files import finding_name, positive_classes, reference_notes
from pneumoscope.films.resample import resize
from pneumoscope.model.learned_films import LearnedFilms, learned_films
from pneumoscope.model.reader import Reader
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["BundleSystem", "FilmPrediction", "OnnxSpec", "OnnxSystem", "System", "SystemDescription", "describe_bundle"]


@dataclass(frozen=True, slots=True)
class SystemDescription:
    """What is known of a system before it reads a film. See ``PredictionTable``.

    Attributes:
        learned: The films that it learned from or was chosen by, as far as they are known.
        notes: What a reader of its figures must know, each a sentence.
    """

    name: str
    sha256: str
    classes: tuple[str, ...]
    positive: tuple[int, ...]
    finding: str
    thresholds: dict[str, float] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    band: tuple[float, float] | None = None
    learned: tuple[LearnedFilms, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilmPrediction:
    """What a system said of one film; one line of the file of parts.

    Attributes:
        path: Of the film, as in the data set.
        stamp: The file's size and time of change, so that a changed film is read again; "" for one inside a file.
        sha256: Of its bytes; None if it could not be opened.
        rows: Its height in pixels; likewise.
        columns: Its width; likewise.
        probabilities: One a class; None if it was refused.
        inside_lungs: Share of the positive evidence inside the lung fields; None where it is not known.
        code: Why it was refused, in one word; None if it was read.
        reason: Why, in words.
    """

    path: str
    stamp: str
    sha256: str | None = None
    rows: int | None = None
    columns: int | None = None
    probabilities: tuple[float, ...] | None = None
    inside_lungs: float | None = None
    code: str | None = None
    reason: str = ""


class System(Protocol):
    """Reads films; safe to share between threads."""

    @property
    def facts(self) -> SystemDescription:
        """What is known of it."""
        ...

    @property
    def threads(self) -> int:
        """Films to read at once."""
        ...

    def answer(self, root: Path, path: str, stamp: str) -> FilmPrediction:
        """Read one film. A film that cannot be read is an answer, too."""
        ...


class BundleSystem:
    """Reads films with a bundle.

    Args:
        path: Its file.
        settings: Of this machine; without them, from the environment.

    Raises:
        BundleError: It cannot be used.
    """

    def __init__(self, path: Path, *, settings: Settings | None = None) -> None:
        settings = Settings.from_environment() if settings is None else settings
        self.path = path
        self.reader = Reader(path, settings=settings)
        described = describe_bundle(self.reader.meta, self.reader.model.sha256)
        self._facts = described if described.learned else replace(described, learned=_learned_in_run(path))

    @property
    def facts(self) -> SystemDescription:
        """What the bundle says of itself."""
        return self._facts

    @property
    def threads(self) -> int:
        """Films to read at once."""
        return self.reader.settings.cpu_threads()

    def answer(self, root: Path, path: str, stamp: str) -> FilmPrediction:
        """Read one film."""
        try:
            if ".npz#" in path:
                film = open_film(root, path)
                reading = self.reader.read(film.pixels, name=path)
                sha256 = film.info.sha256
            else:
                reading = self.reader.read(root / path, name=path)
                sha256 = reading.film.sha256
        except FilmError as error:
            return FilmPrediction(path, stamp, code=error.code, reason=error.what)
        info = reading.film
        if reading.probabilities is None or reading.refusal is not None:
            code, reason = (
                ("refused", "") if reading.refusal is None else (reading.refusal.code, reading.refusal.reason)
            )
            return FilmPrediction(path, stamp, sha256, info.rows, info.columns, code=code, reason=reason)
        return FilmPrediction(
            path=path,
            stamp=stamp,
            sha256=sha256,
            rows=info.rows,
            columns=info.columns,
            probabilities=tuple(reading.probabilities.values()),
            inside_lungs=None if reading.evidence is None else reading.evidence.in_lungs,
        )


def describe_bundle(meta: BundleMeta, sha256: str = "") -> SystemDescription:
    """A bundle's classes, thresholds and band, frozen when it was made."""
    chosen = {point.preset: f"{point.rule}; {point.chosen_on}" for point in meta.operating_points}
    if meta.band is not None:
        chosen[meta.band.preset] = f"{meta.band.rule}; {meta.band.chosen_on}"
    return SystemDescription(
        name=f"{meta.name} {meta.version}",
        sha256=sha256,
        classes=meta.class_names,
        positive=meta.positive,
        finding=meta.finding,
        thresholds={point.preset: point.threshold for point in meta.operating_points},
        chosen=chosen,
        band=None if meta.band is None else (meta.band.lower, meta.band.upper),
        learned=meta.learned_films,
        notes=(meta.reference_note,) if meta.reference_note else (),
    )


def _learned_in_run(bundle: Path) -> tuple[LearnedFilms, ...]:
    """What the run that an older bundle lies in says of its films; nothing where there is no run.

    Raises:
        DatasetError: The run's files are damaged.
    """
    saved, parts = bundle.with_name("manifest.parquet"), bundle.with_name("split.json")
    if not (saved.is_file() and parts.is_file()):
        return ()
    manifest = Manifest.load(saved)
    split = Split.load(parts, manifest)
    names: tuple[Literal["train", "val"], ...] = ("train", "val")
    return tuple(
        learned_films(part, (manifest.films[row].sha256 for row in split.parts[part].tolist()), manifest.sha256[:16])
        for part in names
    )


_LOG_FATAL = 4  # of ONNX Runtime's log levels: what goes wrong comes as an exception
_INPUT_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}
_SPEC_REMEDY = 'Write: classes = ["normal", "pneumonia"], size = 224, channels = 3, and what else differs; see the docs'


class OnnxSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a foreign classifier wants its films, and what it gives.

    Attributes:
        classes: In the order of its outputs. One output alone is the probability of the second class.
        name: In words; without it, the file's name.
        size: Of the input in pixels: one number for a square, or rows and columns.
        channels: 1, or 3 (the gray film three times).
        layout: Order of the axes: "NCHW" (PyTorch) or "NHWC" (Keras).
        range: What white becomes before mean and std: 1 or 255.
        mean: Taken off, one number or one a channel.
        std: Divided by, likewise.
        fit: "squash" changes the aspect ratio; "pad" keeps it with black borders; "crop" takes the middle.
        activation: What the last layer has still to go through: "softmax", "sigmoid" or "none".
        positive: Classes that are the finding; without it, those not named like a negative one.
        finding: Its name.
        thresholds: Frozen operating points on the finding's probability, by preset.
        chosen: How and on which films they were chosen, in words, by preset.
        input: Name of the input; needed where there are several.
        output: Name of the output; without it, the first.
    """

    classes: tuple[str, ...]
    name: str = ""
    size: int | tuple[int, int] = 224
    channels: Literal[1, 3] = 3
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    range: float = 1.0
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    fit: Literal["squash", "pad", "crop"] = "squash"
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    positive: tuple[str, ...] = ()
    finding: str = ""
    thresholds: dict[str, float] = {}
    chosen: dict[str, str] = {}
    input: str = ""
    output: str = ""

    @classmethod
    def load(cls, path: str | PathLike[str]) -> OnnxSpec:
        """Read a TOML file.

        Raises:
            ConfigError: It cannot be read, or a key or a value is wrong.
        """
        try:
            spec = msgspec.toml.decode(Path(path).read_bytes(), type=cls)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"the spec cannot be read ({reason})", where=path, remedy=_SPEC_REMEDY) from error
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ConfigError(f"the spec is not understood ({error})", where=path, remedy=_SPEC_REMEDY) from error
        spec.check(path)
        return spec

    def check(self, where: str | PathLike[str]) -> None:
        """Hold the values together.

        Raises:
            ConfigError: They do not fit.
        """
        for wrong, what in (
            (len(set(self.classes)) < 2 or len(set(self.classes)) != len(self.classes), "classes must be two or more"),
            (min(self.rows_columns) < 1 or max(self.rows_columns) > 8192, "size must be from 1 to 8192"),
            (len(np.atleast_1d(self.mean)) not in {1, self.channels}, "mean must be one number, or one a channel"),
            (len(np.atleast_1d(self.std)) not in {1, self.channels}, "std must be one number, or one a channel"),
            (not (np.atleast_1d(self.std) > 0).all(), "std must be above 0"),
            (any(not 0 <= t <= 1 for t in self.thresholds.values()), "thresholds must be from 0 to 1"),
        ):
            if wrong:
                raise ConfigError(what, where=where, remedy=_SPEC_REMEDY)

    @property
    def rows_columns(self) -> tuple[int, int]:
        """Of the input."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size


class OnnxSystem:
    """Reads films with a foreign classifier, one film at a time on each thread.

    Args:
        path: The ONNX file.
        spec: What the file does not say of itself.
        settings: Of this machine; without them, from the environment.

    Raises:
        NotABundle: ONNX Runtime cannot load the file.
        ConfigError: The file's input or output is not what the spec says.
    """

    def __init__(self, path: Path, spec: OnnxSpec, *, settings: Settings | None = None) -> None:
        import onnxruntime as ort  # noqa: PLC0415 - heavy

        self._settings = Settings.from_environment() if settings is None else settings
        self.path, self.spec = path, spec
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _LOG_FATAL
        try:
            data = path.read_bytes()
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise NotABundle(f"the file cannot be read ({error.strerror})", where=path, remedy="Check it") from error
        except Exception as error:  # the runtime's own errors share no base class but Exception
            raise NotABundle(
                f"ONNX Runtime cannot load the file ({_first_line(error)})", where=path, remedy="Export the model again"
            ) from error
        self._input, self._type = self._find_input()
        self._output = self._find_output()
        classes = tuple(canonical_label(name) for name in spec.classes)
        wanted = [canonical_label(name) for name in spec.positive] or None
        positive = positive_classes(classes, wanted, path)
        # The spec is half of the system: with another one the same file says something else.
        digest = sha256(data + msgspec.json.encode(spec, order="sorted")).hexdigest()
        self._facts = SystemDescription(
            name=spec.name or path.stem,
            sha256=digest,
            classes=classes,
            positive=positive,
            finding=canonical_label(spec.finding) or finding_name(classes[number] for number in positive),
            thresholds=dict(spec.thresholds),
            chosen=dict(spec.chosen),
            notes=reference_notes(classes, positive, "the finding", named=bool(spec.positive)),
        )

    @property
    def facts(self) -> SystemDescription:
        """What the spec says."""
        return self._facts

    @property
    def threads(self) -> int:
        """Films to read at once."""
        return self._settings.cpu_threads()

    def answer(self, root: Path, path: str, stamp: str) -> FilmPrediction:
        """Read one film.

        Raises:
            ConfigError: The model does not run, or gives something else than the spec says.
        """
        try:
            film = open_film(root, path)
        except FilmError as error:
            return FilmPrediction(path, stamp, code=error.code, reason=error.what)
        return FilmPrediction(path, stamp, film.info.sha256, film.rows, film.columns, self.probabilities(film))

    def probabilities(self, film: Radiograph) -> tuple[float, ...]:
        """One a class.

        Raises:
            ConfigError: The model does not run, or gives something else than the spec says.
        """
        values = self._prepared(film)[None].astype(self._type)
        try:
            out = np.asarray(self._session.run([self._output], {self._input: values})[0], dtype=np.float64).ravel()
        except Exception as error:  # as above
            raise self._wrong(f"the model does not run ({_first_line(error)})") from error
        if not np.isfinite(out).all():
            raise self._wrong("the model gave what is no number")
        return self._activated(out)

    def _prepared(self, film: Radiograph) -> NDArray[np.float32]:
        """The model's input, float32 [C, H, W] or [H, W, C]."""
        spec = self.spec
        rows, columns = spec.rows_columns
        pixels: Any = film.pixels
        if spec.fit == "pad":
            scale = min(rows / film.rows, columns / film.columns)
            high, wide = max(1, round(film.rows * scale)), max(1, round(film.columns * scale))
            seen = np.zeros((rows, columns), dtype=np.float32)
            top, left = (rows - high) // 2, (columns - wide) // 2
            seen[top : top + high, left : left + wide] = resize(pixels, high, wide)
        elif spec.fit == "crop":
            scale = max(rows / film.rows, columns / film.columns)
            off_rows, off_columns = (film.rows - rows / scale) / 2, (film.columns - columns / scale) / 2
            box = (off_rows, off_columns, film.rows - off_rows, film.columns - off_columns)
            seen = resize(pixels, rows, columns, box)
        else:
            seen = resize(pixels, rows, columns)
        seen = seen * np.float32(spec.range / film.white)
        stack = np.repeat(seen[None], spec.channels, axis=0)
        mean, std = (np.atleast_1d(np.asarray(x, dtype=np.float32))[:, None, None] for x in (spec.mean, spec.std))
        found: NDArray[np.float32] = (stack - mean) / std
        return found if spec.layout == "NCHW" else np.moveaxis(found, 0, -1)

    def _activated(self, out: NDArray[np.float64]) -> tuple[float, ...]:
        spec, count = self.spec, len(self.spec.classes)
        if len(out) not in {count, 1} or (len(out) == 1 and count != 2):
            raise self._wrong(f"the model gave {len(out)} numbers for {count} classes")
        if spec.activation == "softmax" and len(out) > 1:
            powers = np.exp(out - out.max())
            return tuple((powers / powers.sum()).tolist())
        if spec.activation != "none":
            out = 1 / (1 + np.exp(-np.clip(out, -500, 500)))
        if out.min() < -1e-6 or out.max() > 1 + 1e-6:
            raise self._wrong(f"the model gave {out.min():.4g} to {out.max():.4g}, which are no probabilities")
        out = np.clip(out, 0, 1)
        if len(out) == 1:
            return (float(1 - out[0]), float(out[0]))
        if spec.activation == "none" and abs(out.sum() - 1) > 1e-3:
            raise self._wrong(f"the model's probabilities sum to {out.sum():.4g}")
        # Sigmoids judge each class alone; only their shares can be judged together.
        return tuple((out / out.sum()).tolist()) if out.sum() > 0 else (1 / count,) * count

    def _find_input(self) -> tuple[str, Any]:
        there = {node.name: node for node in self._session.get_inputs()}
        if len(there) != 1 and not self.spec.input:
            raise self._wrong(f"the model has {len(there)} inputs: {', '.join(there)}", "Name one: input = ...")
        node = there.get(self.spec.input) if self.spec.input else next(iter(there.values()))
        if node is None:
            raise self._wrong(f"the model has no input {self.spec.input}", f"It has: {', '.join(there)}")
        if node.type not in _INPUT_TYPES:
            raise self._wrong(f"the input is {node.type}", f"Export it with one of: {', '.join(_INPUT_TYPES)}")
        rows, columns = self.spec.rows_columns
        wanted = (
            (self.spec.channels, rows, columns) if self.spec.layout == "NCHW" else (rows, columns, self.spec.channels)
        )
        shape = list(node.shape or [])
        fixed = zip(shape[1:], wanted, strict=False)
        if len(shape) != 4 or any(isinstance(have, int) and have != want for have, want in fixed):
            raise self._wrong(f"the model takes {shape}, and the spec says {['N', *wanted]}", "Correct size and layout")
        if isinstance(shape[0], int) and shape[0] != 1:
            raise self._wrong(f"the model takes {shape[0]} films at once", "Export it with a free first axis")
        return node.name, _INPUT_TYPES[node.type]

    def _find_output(self) -> str:
        names = [node.name for node in self._session.get_outputs()]
        if self.spec.output and self.spec.output not in names:
            raise self._wrong(f"the model has no output {self.spec.output}", f"It has: {', '.join(names)}")
        return self.spec.output or names[0]

    def _wrong(self, what: str, remedy: str = "Correct the spec") -> ConfigError:
        return ConfigError(what, where=self.path, remedy=remedy)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
