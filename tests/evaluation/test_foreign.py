"""Foreign classifiers get their films as the spec says, and their outputs are read as it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pneumoscope.errors import ConfigError, NotABundle
from pneumoscope.evaluation.dataset import evaluation_films
from pneumoscope.evaluation.inference import predict
from pneumoscope.evaluation.systems import OnnxSpec, OnnxSystem
from pneumoscope.films.load import load as load_film

Make = Callable[..., Path]


def graph(path: Path, *, outputs: int, channels: int = 1, layout: str = "NCHW", size: Any = (8, 8)) -> Path:
    """A model whose outputs are the mean of its input times 1, 2, ..."""
    from onnx import TensorProto, helper, numpy_helper, save

    shape = ["N", channels, *size] if layout == "NCHW" else ["N", *size, channels]
    weights = numpy_helper.from_array(np.arange(1, outputs + 1, dtype=np.float32)[None], "weights")
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("MatMul", ["column", "weights"], ["y"]),
    ]
    body = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", outputs])],
        [weights, numpy_helper.from_array(np.array([1]), "one")],
    )
    save(helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def flat_film(path: Path, value: int = 51, shape: tuple[int, int] = (40, 40)) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(shape, value, np.uint8)
    pixels[0, 0] = value + 1  # a film of one value would be refused
    Image.fromarray(pixels).save(path)
    return load_film(path)


def test_softmax_of_a_foreign_model(tmp_path: Path) -> None:
    film = flat_film(tmp_path / "f.png")
    spec = OnnxSpec(classes=("normal", "tb", "other"), size=8, channels=1, mean=0.1, std=0.5, positive=("tb",))
    system = OnnxSystem(graph(tmp_path / "m.onnx", outputs=3), spec)
    x = (51 / 255 - 0.1) / 0.5
    powers = np.exp(np.array([1, 2, 3]) * x)
    assert system.probabilities(film) == pytest.approx(powers / powers.sum(), abs=1e-3)
    assert (system.facts.finding, system.facts.positive) == ("tb", (1,))


def test_one_sigmoid_is_two_classes(tmp_path: Path) -> None:
    film = flat_film(tmp_path / "f.png")
    file = graph(tmp_path / "m.onnx", outputs=1, channels=3, layout="NHWC", size=(8, 10))
    spec = OnnxSpec(
        classes=("Normal", "PNEUMONIA"), size=(8, 10), layout="NHWC", range=255, mean=(50, 50, 50), activation="sigmoid"
    )
    p = 1 / (1 + np.exp(-1.0))
    assert OnnxSystem(file, spec).probabilities(film) == pytest.approx((1 - p, p), abs=5e-3)


@pytest.mark.parametrize("classes", [("normal", "pneumonia"), ("pneumonia", "normal")])
def test_a_model_that_gives_the_chance_of_normal_is_not_judged_upside_down(
    tmp_path: Path, classes: tuple[str, str]
) -> None:
    """Labels that tell patterns are joined into two classes: the columns are taken by their names, not their places."""
    for number in range(3):
        flat_film(tmp_path / "set" / "NORMAL" / f"IM-{number}-0001.png", 150 + number)
        flat_film(tmp_path / "set" / "PNEUMONIA" / f"person{number}_bacteria_1.png", 60 + number)
    spec = OnnxSpec(classes=classes, size=8, channels=1, activation="none")
    system = OnnxSystem(graph(tmp_path / "m.onnx", outputs=1), spec)  # gives how bright the film is
    table = predict(system, evaluation_films(tmp_path / "set", part="all"))
    assert table.classes == ("normal", "pneumonia")
    bright = np.array([0.6 if "NORMAL" in path else 0.24 for path in table.paths])
    assert table.score == pytest.approx(bright if classes[1] == "pneumonia" else 1 - bright, abs=0.02)


def test_fits_keep_or_change_the_aspect(tmp_path: Path) -> None:
    """A film twice as wide as high, dark but for its middle half."""
    pixels = np.zeros((40, 80), np.uint8)
    pixels[:, 20:60] = 200
    Image.fromarray(pixels).save(tmp_path / "f.png")
    film = load_film(tmp_path / "f.png")
    file = graph(tmp_path / "m.onnx", outputs=1)
    seen = {}
    for fit in ("squash", "pad", "crop"):
        spec = OnnxSpec(classes=("normal", "tb"), size=8, channels=1, fit=fit, activation="none")
        seen[fit] = OnnxSystem(file, spec).probabilities(film)[1]
    full = 200 / 255
    assert seen == pytest.approx({"squash": full / 2, "pad": full / 4, "crop": full}, abs=0.03)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 9}, "the model takes"),
        ({"channels": 3}, "the model takes"),
        ({"layout": "NHWC"}, "the model takes"),
        ({"input": "z"}, "no input z"),
        ({"output": "z"}, "no output z"),
        ({"classes": ("normal", "tb", "other")}, "gave 2 numbers for 3 classes"),
        ({"activation": "none"}, "sum to"),
    ],
)
def test_a_spec_that_does_not_fit_its_model(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    values: dict[str, Any] = {"classes": ("normal", "tb"), "size": 8, "channels": 1}
    spec = OnnxSpec(**(values | changed))
    with pytest.raises(ConfigError, match=message):
        OnnxSystem(graph(tmp_path / "m.onnx", outputs=2), spec).probabilities(flat_film(tmp_path / "f.png"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes = ['a']", "two or more"),
        ("classes = ['a', 'b']\nsize = 0", "size"),
        ("classes = ['a', 'b']\nstd = 0", "std must be above 0"),
        ("classes = ['a', 'b']\nmean = [1, 2]", "mean must be"),
        ("classes = ['a', 'b']\nzize = 3", "zize"),
        ("classes = ['a', 'b']\nthresholds = {x = 2.0}", "thresholds"),
        ("size = 3", "classes"),
        ("not toml", "not understood"),
    ],
)
def test_bad_specs(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        OnnxSpec.load(tmp_path / "s.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        OnnxSpec.load(tmp_path / "none.toml")


def test_no_onnx_at_all(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"hello")
    with pytest.raises(NotABundle, match="cannot load"):
        OnnxSystem(tmp_path / "m.onnx", OnnxSpec(classes=("normal", "tb")))


def test_a_foreign_model_judges_a_folder(make_film: Make, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for seed in range(8):
        make_film(data / ("normal", "bacterial")[seed % 2] / f"film{seed}.png", seed)
    (data / "normal" / "broken.png").write_bytes(b"")
    (tmp_path / "s.toml").write_text(
        'classes = ["normal", "pneumonia"]\nsize = 8\nchannels = 1\nactivation = "sigmoid"\nthresholds = {mine = 0.5}\n'
    )
    system = OnnxSystem(graph(tmp_path / "m.onnx", outputs=1), OnnxSpec.load(tmp_path / "s.toml"))
    table = predict(system, evaluation_films(data))
    assert (len(table), table.finding, table.thresholds, len(table.refused)) == (8, "pneumonia", {"mine": 0.5}, 1)
