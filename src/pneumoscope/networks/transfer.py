"""Transfer learning: a pretrained body of the transformers library under our evidence head."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pneumoscope.errors import ConfigError, MissingExtra, TrainingError
from pneumoscope.networks.base import GlobalAverageHead, Network, options_to_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

__all__ = ["Checkpoint", "Transfer", "TransferOptions", "load_checkpoint"]

# What nearly every network of natural pictures was trained with; used when a checkpoint does not tell.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_MOMENTUM = 0.1  # of batch statistics; torch's default


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a transformers checkpoint brings.

    Attributes:
        body: Takes ``pixel_values`` [N, channels, H, W].
        channels: Of its input.
        mean: Of the pictures that it was trained on, on a scale of 0 to 1; one a channel.
        std: Likewise.
        patch: Side in pixels of a patch, where the body says one.
    """

    body: nn.Module
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    patch: int | None


def load_checkpoint(name: str, *, revision: str | None, pretrained: bool, allow_pickle: bool) -> Checkpoint:
    """Load a body without its classification head.

    Args:
        name: A folder that ``save_pretrained`` wrote (nothing is then asked of any network), or a hub name.
        revision: Of the hub repository: a branch, tag or commit.
        pretrained: False takes the architecture alone, with fresh weights.
        allow_pickle: Accept weights in PyTorch's own format too, which is unpickled. Off by default:
            unpickling can run a stranger's code.

    Raises:
        MissingExtra: The transformers package is not installed.
        ConfigError: The name is a path, and there is no such folder.
        TrainingError: The checkpoint cannot be had, or does not fit its own description.
    """
    try:
        transformers: Any = import_module("transformers")  # heavy, and an extra
    except ImportError as error:
        raise MissingExtra.named("transformers", extra="transfer", needed_for="transfer learning") from error
    local = Path(name).is_dir()
    if not local and (Path(name).is_absolute() or name.startswith(".") or name.count("/") > 1):
        raise ConfigError("there is no such folder", where=name, remedy="Give a checkpoint's folder, or a hub name")
    source = {"revision": revision, "local_files_only": local}
    try:
        with _quiet(transformers.logging, local=local):
            config = transformers.AutoConfig.from_pretrained(name, **source)
            kind = transformers.AutoModel if type(config) in transformers.MODEL_MAPPING else transformers.AutoBackbone
            body: Any = _weights(kind, name, config, source, allow_pickle) if pretrained else kind.from_config(config)
        mean, std = _statistics(name, source)
    except TrainingError:
        raise
    # Damaged and foreign files raise many kinds: OSError, ValueError, KeyError, SafetensorError, ImportError.
    except Exception as error:
        raise TrainingError(
            f"the checkpoint cannot be loaded ({_first_line(error)})",
            where=name,
            remedy=_remedy(name, local=local),
        ) from error
    if getattr(body, "pooler", None) is not None and any(True for _ in body.pooler.parameters()):
        body.pooler = None  # reads the class token, which is not used here
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d) and module.momentum is not None and module.momentum > 0.5:
            # MobileNet's is TensorFlow's decay, 0.997; torch would keep the last batch and forget the rest.
            module.momentum = _MOMENTUM
    channels = int(getattr(config, "num_channels", 3))
    patch = getattr(config, "patch_size", None)
    return Checkpoint(
        body=body,
        channels=channels,
        mean=_per_channel(mean, channels),
        std=_per_channel(std, channels),
        patch=patch if isinstance(patch, int) else None,
    )


def _weights(kind: Any, name: str, config: Any, source: dict[str, Any], allow_pickle: bool) -> nn.Module:
    body, info = kind.from_pretrained(
        name,
        config=config,
        use_safetensors=None if allow_pickle else True,
        dtype=torch.float32,
        output_loading_info=True,
        **source,
    )
    missing = sorted(key for key in info["missing_keys"] if not key.startswith("pooler."))
    if missing:
        # transformers would fill them with random numbers and go on.
        raise TrainingError(
            f"the checkpoint lacks {len(missing)} of its weights, {missing[0]} for one",
            where=name,
            remedy="Take a checkpoint of a whole image model",
        )
    loaded: nn.Module = body
    return loaded


def _statistics(name: str, source: dict[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation that pictures were normalised with, on a scale of 0 to 1."""
    path = import_module("transformers.utils").cached_file(
        name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False, **source
    )
    settings = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    if not settings.get("do_normalize", True):
        return (0.0,), (1.0,)
    return tuple(settings.get("image_mean", _IMAGENET_MEAN)), tuple(settings.get("image_std", _IMAGENET_STD))


def _per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values if len(values) == channels else (sum(values) / len(values),) * channels


@contextmanager
def _quiet(logging: Any, *, local: bool) -> Iterator[None]:
    """Hold back remarks on weights that were not needed (those that matter are errors here).

    The progress bar stays for downloads.
    """
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if local:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _remedy(name: str, *, local: bool) -> str:
    if local:
        return "Give a folder with config.json and model.safetensors, as save_pretrained writes it"
    return (
        f"Check the name and the connection; or fetch it on another machine with 'hf download {name} "
        "--local-dir FOLDER', copy the folder here, and give the folder as the checkpoint"
    )


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """The free numbers of ``transfer``.

    Attributes:
        checkpoint: A folder that transformers' ``save_pretrained`` wrote, or a hub name; must be given.
        revision: Of the hub repository.
        pretrained: False takes the architecture alone, with fresh weights.
        allow_pickle: Accept weights that must be unpickled. Only for checkpoints that you made yourself.
        dropout: Before the last linear layer, 0 to below 1.
    """

    checkpoint: str = ""
    revision: str | None = None
    pretrained: bool = True
    allow_pickle: bool = False
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what could not be built."""
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be 0 to below 1")


class Transfer(Network):
    """Any image model of the transformers library that ends in a feature map or in patch tokens.

    Tried with ResNet, ConvNeXt V2, MobileNetV2, ViT and DINOv2 (of which RAD-DINO is one). Patch tokens are laid out as
    the grid that they came from; class and register tokens are dropped, for they have no place. Position
    encodings are interpolated, so that any multiple of the patch is a size.

    Gray goes to every channel that the body wants, each normalised as in its first training. ``mean`` and
    ``std`` of this network are the averages over the channels; what a channel differs is put right inside.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, *, classes: int, size: int, options: TransferOptions, name: str = "transfer") -> None:
        if not options.checkpoint:
            raise ConfigError(
                "the option checkpoint is missing",
                where=f"network {name}",
                remedy="Give a folder that save_pretrained wrote, or a hub name such as microsoft/resnet-18",
            )
        loaded = load_checkpoint(
            options.checkpoint,
            revision=options.revision,
            pretrained=options.pretrained,
            allow_pickle=options.allow_pickle,
        )
        mean, std = torch.tensor(loaded.mean), torch.tensor(loaded.std)
        super().__init__(
            name=name,
            classes=classes,
            size=size,
            options=options_to_dict(options),
            mean=float(mean.mean()),
            std=float(std.mean()),
        )
        self.pretrained = options.pretrained
        self.body = loaded.body
        self.register_buffer("scale", (self.std / std).reshape(1, -1, 1, 1))
        self.register_buffer("shift", ((self.mean - mean) / std).reshape(1, -1, 1, 1))
        # ViT is asked to interpolate its position encodings; the others do it, or have none.
        ask = "interpolate_pos_encoding" in signature(loaded.body.forward).parameters
        self._asked = {"interpolate_pos_encoding": True} if ask else {}
        self._side, self._prefix, channels = self._layout(loaded.patch)
        self.head = GlobalAverageHead(channels, classes, dropout=options.dropout, standardise=True)
        self.train()

    def features(self, x: Tensor) -> Tensor:
        """The last feature map, or the patch tokens as one: [N, K, h, w]."""
        output = self._output(x)
        if output.dim() == 4:
            return output
        patches = output[:, self._prefix :].transpose(1, 2)  # [N, K, h w]
        return patches.reshape(-1, patches.shape[1], self._side, self._side)

    def _output(self, x: Tensor) -> Tensor:
        """What the body says last: a map [N, K, h, w], or tokens [N, prefix + h w, K]."""
        output = self.body(pixel_values=x * self.scale + self.shift, **self._asked)
        maps = getattr(output, "feature_maps", None)
        last: Tensor = output.last_hidden_state if maps is None else maps[-1]
        return last

    def _layout(self, patch: int | None) -> tuple[int, int, int]:
        """Patches a side, tokens before the first patch, and channels K; found by one empty film."""
        where = f"network {self.name}"
        self.eval()
        try:
            with torch.no_grad():
                output = self._output(torch.zeros(1, 1, self.size, self.size))
        except (RuntimeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"the checkpoint cannot take films of {self.size} x {self.size} ({error})",
                where=where,
                remedy="Take the size that it was trained at, or another checkpoint",
            ) from error
        if output.dim() == 4:
            return 0, 0, output.shape[1]
        if patch is None or output.shape[1] < (self.size // patch) ** 2:
            raise ConfigError(
                f"the checkpoint's tokens {list(output.shape)} do not lie on the grid of its patches",
                where=where,
                remedy="Take a ResNet, ConvNeXt V2, MobileNetV2, ViT or DINOv2",
            )
        if self.size % patch:
            low = self.size // patch * patch
            raise ConfigError(
                f"a size of {self.size} is no multiple of the checkpoint's patch of {patch} pixels",
                where=where,
                remedy=f"Take {low} or {low + patch}",
            )
        side = self.size // patch
        return side, output.shape[1] - side**2, output.shape[2]
