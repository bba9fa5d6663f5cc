"""Make a transformers checkpoint of MobileNetV2 from a quantised TFLite file.

    pip install tflite 'pneumoscope[transfer]'
    python scripts/mobilenet_from_tflite.py FILE.tflite FILMS OUT [--size 192] [--output-stride 16]

For machines that reach no model hub. FILE is ``tf2_mobilenet_v2_1.0_224_ptq.tflite`` of google-coral/test_data at
commit 104342d2 (Apache-2.0): MobileNetV2 1.0 (Sandler et al., CVPR 2018), learned on ImageNet, int8 after training.

Weights are brought back to floats by the scales that the file states. The file's batch norms are folded into its
convolutions. Each is unfolded on FILMS (a folder with at least 64): its mean and variance are those that its input
has on the films, and its own scale and shift undo them and add the folded bias. So the network computes what the
file does, and batch statistics change little when it goes into train mode.
"""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from pneumoscope.films.load import load
from pneumoscope.model.preprocess import PreprocessSpec, preprocess
from pneumoscope.storage import make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Layer = tuple[NDArray[np.float32], NDArray[np.float32]]

SUFFIXES = frozenset({".jpeg", ".jpg", ".png"})
# Of the pictures that the file's network learned: x = pixel / 127.5 - 1.
MEAN = STD = 0.5


def main() -> None:
    """Read the file, fill the model, and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="MobileNetV2 as TFLite, int8")
    parser.add_argument("films", type=Path, help="folder of films for the batch statistics")
    parser.add_argument("out", type=Path, help="folder of the checkpoint")
    parser.add_argument("--size", type=int, default=192, help="side of a film in pixels, as it will be trained at")
    parser.add_argument("--output-stride", type=int, default=32, choices=(8, 16, 32), help="pixels a place of the map")
    parser.add_argument("--count", type=int, default=256, help="films for the batch statistics")
    asked = parser.parse_args()
    transformers: Any = import_module("transformers")
    transformers.utils.logging.disable_progress_bar()
    config = transformers.MobileNetV2Config(output_stride=asked.output_stride, num_labels=1001, tf_padding=True)
    model = transformers.MobileNetV2ForImageClassification(config).eval()
    fill(model, layers_of(asked.file))
    settle(model, films_of(asked.films, asked.count, asked.size))
    folder = make_folder(asked.out)
    model.save_pretrained(folder)
    normal = {"do_normalize": True, "image_mean": [MEAN] * 3, "image_std": [STD] * 3}
    write_atomically(folder / "preprocessor_config.json", json.dumps(normal, indent=2) + "\n")


def layers_of(path: Path) -> list[Layer]:
    """Weight [out, in / groups, h, w] and bias [out] of every convolution, in the order of computation."""
    tflite: Any = import_module("tflite")
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    layers = []
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Old files keep the code in one byte, and newer ones in both places.
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        # TFLite has [out, h, w, in], and [1, h, w, out] where each channel has a kernel of its own.
        if kind == tflite.BuiltinOperator.CONV_2D:
            order = (0, 3, 1, 2)
        elif kind == tflite.BuiltinOperator.DEPTHWISE_CONV_2D:
            order = (3, 0, 1, 2)
        else:
            continue
        weight, bias = (_floats(model, graph.Tensors(operator.Inputs(i)), tflite.TensorType) for i in (1, 2))
        layers.append((np.ascontiguousarray(weight.transpose(order)), bias))
    return layers


def _floats(model: Any, tensor: Any, types: Any) -> NDArray[np.float32]:
    """A constant tensor: (integer - zero point) x scale, along the axis that the scales belong to."""
    kinds = {types.INT8: np.int8, types.UINT8: np.uint8, types.INT32: np.int32, types.FLOAT32: np.float32}
    raw = model.Buffers(tensor.Buffer()).DataAsNumpy().view(np.dtype(kinds[tensor.Type()]).newbyteorder("<"))
    values = raw.reshape(tensor.ShapeAsNumpy())
    quantised = tensor.Quantization()
    if quantised is None or not quantised.ScaleLength():
        return np.asarray(values, np.float32)
    shape = [1] * values.ndim
    if quantised.ScaleLength() > 1:
        shape[quantised.QuantizedDimension()] = -1
    scale, zero = quantised.ScaleAsNumpy().reshape(shape), quantised.ZeroPointAsNumpy().reshape(shape)
    return np.asarray((values.astype(np.float64) - zero) * scale, np.float32)


def fill(model: nn.Module, layers: Sequence[Layer]) -> None:
    """Put the folded weights into the model; each batch norm adds the folded bias and does no more."""
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    if len(layers) != len(convolutions) + 1:
        raise SystemExit(f"the file has {len(layers)} convolutions, and MobileNetV2 has {len(convolutions) + 1}")
    classifier: Any = model.classifier
    with torch.no_grad():
        for convolution, norm, (weight, bias) in zip(convolutions, norms, layers[:-1], strict=True):
            _copy(convolution.weight, weight)
            _unfold(norm, torch.from_numpy(bias), torch.zeros(len(bias)), torch.full((len(bias),), 1 - norm.eps))
        _copy(classifier.weight, layers[-1][0][:, :, 0, 0])
        _copy(classifier.bias, layers[-1][1])


def settle(model: nn.Module, films: torch.Tensor) -> None:
    """Give every batch norm the mean and variance of its input on films [N, 3, S, S]; the function stays."""
    sums: dict[nn.Module, torch.Tensor] = {}
    counts: dict[nn.Module, int] = {}

    def add(module: nn.Module, arguments: tuple[torch.Tensor]) -> None:
        values = arguments[0].double()
        moments = torch.stack([values.sum(dim=(0, 2, 3)), values.square().sum(dim=(0, 2, 3))])
        sums[module] = sums.get(module, 0) + moments
        counts[module] = counts.get(module, 0) + values.numel() // values.shape[1]

    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [module.register_forward_pre_hook(add) for module in norms]
    model.eval()
    with torch.no_grad():
        for start in range(0, len(films), 8):
            model(films[start : start + 8])
        for hook in hooks:
            hook.remove()
        for norm in norms:
            mean, square = sums[norm] / counts[norm]
            variance = (square - mean.square()).clamp(min=0)
            # What is added to the input now, before anything is changed.
            bias = norm(torch.zeros(1, norm.num_features, 1, 1)).flatten()
            _unfold(norm, bias, mean.float(), variance.float())


def _unfold(norm: nn.BatchNorm2d, bias: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> None:
    _copy(norm.running_mean, mean)
    _copy(norm.running_var, variance)
    _copy(norm.weight, (variance.double() + norm.eps).sqrt())
    _copy(norm.bias, bias + mean)


def _copy(target: Any, values: Any) -> None:
    values = torch.as_tensor(values)
    if target.shape != values.shape:
        raise SystemExit(f"a tensor is {list(values.shape)} in the file and {list(target.shape)} in MobileNetV2")
    target.copy_(values)


def films_of(folder: Path, count: int, size: int) -> torch.Tensor:
    """Films of a folder, evenly taken and prepared as for learning: gray on three channels, [N, 3, size, size]."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(found) < 64:
        raise SystemExit(f"{folder}: {len(found)} films are too few for batch statistics; give at least 64")
    chosen = [found[i] for i in np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)]
    gray = np.stack([preprocess(load(path), PreprocessSpec(size=size)) for path in chosen])
    return ((torch.from_numpy(gray)[:, None].float() / 255 - MEAN) / STD).repeat(1, 3, 1, 1)


if __name__ == "__main__":
    main()
