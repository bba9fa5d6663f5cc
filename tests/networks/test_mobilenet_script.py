"""scripts/mobilenet_from_tflite.py: the part after the file is read, on a tiny model."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "scripts" / "mobilenet_from_tflite.py"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = spec_from_file_location("mobilenet_from_tflite", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def filled(script: Any) -> tuple[Any, list[tuple[np.ndarray, np.ndarray]]]:
    """A tiny MobileNetV2 with folded weights, and the weights."""
    transformers = pytest.importorskip("transformers")
    config = transformers.MobileNetV2Config(depth_multiplier=0.1, finegrained_output=False, num_labels=5)
    model = transformers.MobileNetV2ForImageClassification(config)
    random = np.random.default_rng(0)
    shapes = [tuple(module.weight.shape) for module in model.modules() if isinstance(module, torch.nn.Conv2d)]
    shapes.append((*model.classifier.weight.shape, 1, 1))
    layers = [
        (random.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype("f4"), random.normal(0.3, 1, shape[0]).astype("f4"))
        for shape in shapes
    ]
    script.fill(model, layers)
    return model.eval(), layers


def test_filled_with_folded_weights_a_layer_is_its_convolution_and_bias(script: Any, filled: Any) -> None:
    model, layers = filled
    last, x = model.mobilenet_v2.conv_1x1, torch.randn(2, 32, 3, 3, generator=torch.Generator().manual_seed(0))
    weight, bias = (torch.from_numpy(part) for part in layers[-2])
    with torch.no_grad():
        torch.testing.assert_close(last(x), torch.conv2d(x, weight, bias).clamp(0, 6))
    with pytest.raises(SystemExit, match="convolutions"):
        script.fill(model, layers[1:])


def test_settled_batch_norms_keep_the_function_and_know_the_films(script: Any, filled: Any) -> None:
    model, _ = filled
    films = torch.randn(24, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = model(films).logits
        script.settle(model, films)
        after = model(films).logits
        torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
        model.mobilenet_v2.train()
        learning = model(films).logits  # by the statistics of these very films
    torch.testing.assert_close(learning, before, atol=2e-2, rtol=2e-2)
    assert before.std() > 0.1
