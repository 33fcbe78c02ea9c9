"""Depthwise pooling of tokens on a CPU: what oneDNN does fast, by dtype.

Measured on one thread of a Zen 4 (torch 2.13) for 96 channels at 8 x 56 x 56:

- The gradient of the input is the convolution of the output's gradient, dilated by the
  stride, with the mirrored kernel: 1.5 ms, where the backward kernel takes 17.
- bfloat16 takes 1.4 ms where the processor has the instructions for it, and 200 where
  it has not. float16 takes 180. These go through float32.
- The gradient of the weight in bfloat16 is a reference kernel, 260 ms, and is wrong
  where a clip is as short as the kernel. It is taken in float32, by a convolution in
  two dimensions for each row of the kernel, for which oneDNN has a fast kernel: 7 ms,
  of which 3 are the casts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight, conv3d_weight

from ....processor import bf16_instructions
from . import pytorch
from .pytorch import over_heads, repeat, to_map


def forward(x: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Convolve tokens ``(B, T, H, W, heads * C)`` with kernels ``(C, 1, t, h, w)``."""
    return pytorch.forward(_cast(x), weight, stride).to(x.dtype)


def grad_input(
    grad: Tensor, weight: Tensor, size: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """Return the gradient of tokens of (T, H, W) = ``size`` from the output's."""
    spread = _cast(grad)
    if any(s > 1 for s in stride):
        t, h, w = stride
        dilated = spread.new_zeros(len(grad), *size, grad.shape[-1])
        dilated[:, ::t, ::h, ::w] = spread
        spread = dilated
    kernels = repeat(weight.to(spread.dtype), grad).flip(2, 3, 4)
    padding = [k // 2 for k in weight.shape[2:]]
    x = F.conv3d(to_map(spread), kernels, None, 1, padding, groups=len(kernels))
    return x.movedim(1, -1).to(grad.dtype)


def grad_weight(
    x: Tensor, grad: Tensor, shape: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """Return the gradient of kernels of ``shape`` ``(C, 1, t, h, w)``.

    It is float32 for float16 and bfloat16.
    """
    if x.dtype in (torch.float16, torch.bfloat16):
        return over_heads(_by_rows(x.float(), grad.float(), shape, stride), shape)
    channels = x.shape[-1]
    kernels = conv3d_weight(
        to_map(x), (channels, *shape[1:]), to_map(grad), tuple(stride),
        [k // 2 for k in shape[2:]], groups=channels,
    )  # fmt: skip
    return over_heads(kernels, shape)


def _by_rows(
    x: Tensor, grad: Tensor, shape: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """Return the gradient of the repeated kernels, by convolutions of single frames."""
    channels, (kt, kh, kw) = x.shape[-1], shape[2:]
    kernels = x.new_zeros(channels, 1, kt, kh, kw)
    for row in range(kt):
        shift = row - kt // 2
        # The frames of the output that read a frame inside of the clip, and those.
        first = -(min(shift, 0) // stride[0])
        count = min(grad.shape[1], (x.shape[1] - 1 - shift) // stride[0] + 1) - first
        if count < 1:
            continue
        start = first * stride[0] + shift
        read = x[:, start : start + (count - 1) * stride[0] + 1 : stride[0]]
        frames, outputs = (
            part.flatten(0, 1).movedim(-1, 1)
            for part in (read, grad[:, first : first + count])
        )
        kernels[:, :, row] = conv2d_weight(
            frames, (channels, 1, kh, kw), outputs, tuple(stride[1:]),
            (kh // 2, kw // 2), groups=channels,
        )  # fmt: skip
    return kernels


def _cast(x: Tensor) -> Tensor:
    """Return tokens in the dtype to compute in."""
    if x.dtype == torch.bfloat16 and 'avx512_bf16' in bf16_instructions():
        return x
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
