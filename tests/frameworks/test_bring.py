"""A person's own Keras classifier: exported, described, and judged like any other system."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pneumoscope.cli.main import main
from pneumoscope.errors import UsageError
from pneumoscope.films.load import load
from pneumoscope.films.resample import resize
from pneumoscope.phantom.write import write_phantoms

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def classifier(
    *, channels: int = 1, outputs: int = 1, activation: str | None = "sigmoid", scaling: bool = False
) -> Any:
    from pneumoscope.frameworks.twin import load_keras

    keras = load_keras()
    keras.utils.set_random_seed(4)
    layers = [keras.Input((30, 24, channels))]
    if scaling:
        layers.append(keras.layers.Rescaling(1 / 255))
    layers += [
        keras.layers.Conv2D(3, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(outputs, activation=activation),
    ]
    return keras.Sequential(layers)


def test_a_model_of_one_sigmoid_says_on_films_what_keras_says(tmp_path: Path) -> None:
    from pneumoscope.evaluation.dataset import evaluation_films
    from pneumoscope.evaluation.inference import predict
    from pneumoscope.evaluation.systems import OnnxSpec, OnnxSystem

    model = classifier()
    model.save(tmp_path / "mine.keras")
    out = tmp_path / "mine.onnx"
    assert main(["import-keras", str(tmp_path / "mine.keras"), "--classes", "normal,pneumonia", "--out", str(out)]) == 0
    spec = tomllib.loads(out.with_suffix(".toml").read_text())
    assert (spec["size"], spec["channels"], spec["layout"]) == ([30, 24], 1, "NHWC")
    assert (spec["activation"], spec["range"]) == ("none", 1)
    write_phantoms(tmp_path / "set", count=9, seed=1, size=96)
    system = OnnxSystem(out, OnnxSpec.load(out.with_suffix(".toml")))
    table = predict(system, evaluation_films(tmp_path / "set", part="all"))
    assert table.classes == ("normal", "pneumonia")
    film = load(tmp_path / "set" / table.paths[0])
    seen = resize(film.pixels, 30, 24)[None, :, :, None] / film.white
    assert table.score[0] == pytest.approx(float(np.asarray(model(seen))[0, 0]), abs=1e-5)


@pytest.mark.parametrize(
    ("made", "activation", "scales"),
    [
        ({"channels": 3, "outputs": 3, "activation": "softmax", "scaling": True}, "none", True),
        ({"outputs": 3, "activation": None}, "softmax", False),
        ({"outputs": 1, "activation": None}, "sigmoid", False),
    ],
)
def test_what_the_outputs_are_is_read_off_the_last_layer(
    tmp_path: Path, made: dict[str, Any], activation: str, scales: bool
) -> None:
    from pneumoscope.frameworks.export import import_keras_model

    classifier(**made).save(tmp_path / "mine.h5")
    brought = import_keras_model(tmp_path / "mine.h5")
    assert (brought.activation, brought.scales_itself) == (activation, scales)
    assert (brought.rows, brought.columns, brought.channels) == (30, 24, made.get("channels", 1))
    assert brought.difference < 1e-4


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    from pneumoscope.frameworks.export import import_keras_model

    (tmp_path / "fake.keras").write_bytes(b"not a model")
    with pytest.raises(UsageError, match="cannot load"):
        import_keras_model(tmp_path / "fake.keras")


def test_as_many_names_as_outputs_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier(outputs=3, activation="softmax").save(tmp_path / "mine.keras")
    line = ["import-keras", str(tmp_path / "mine.keras"), "--classes", "normal,pneumonia", "--out"]
    assert main([*line, str(tmp_path / "mine.onnx")]) == 2
    assert "3 numbers" in capsys.readouterr().err
    assert not (tmp_path / "mine.onnx").exists()
