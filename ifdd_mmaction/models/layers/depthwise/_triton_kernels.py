"""Kernels of depthwise pooling in Triton, which ``_triton.py`` launches.

Tokens lie ``(B, T, H, W, C)``, kernels ``(t * h * w, D)``: channel c has kernel c % D.
A program has BP positions and BC channels. It sums in float32 and without atomics, so
that a result repeats to the bit.
"""
# Triton finds the types of arguments itself.
# mypy: disable-error-code="no-untyped-def"

import triton
import triton.language as tl


@triton.jit
def places(p, T, H, W):
    """Return (b, t, h, w) of positions counted along (B, T, H, W)."""
    return p // (W * H * T), (p // (W * H)) % T, (p // W) % H, p % W


@triton.jit
def forward_kernel(
    x, weight, y, n, T, H, W, C, D, To, Ho, Wo,
    ST: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    KT: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr,
    BP: tl.constexpr, BC: tl.constexpr,
):  # fmt: skip
    """Sum, for each position of the output, what its taps read."""
    p = tl.program_id(0) * BP + tl.arange(0, BP)
    c = tl.program_id(1) * BC + tl.arange(0, BC)
    there = (p < n)[:, None] & (c < C)[None, :]
    b, to, ho, wo = places(p, To, Ho, Wo)
    total = tl.zeros((BP, BC), tl.float32)
    for k in tl.static_range(KT * KH * KW):
        t = to * ST + k // (KH * KW) - KT // 2
        h = ho * SH + (k // KW) % KH - KH // 2
        w = wo * SW + k % KW - KW // 2
        inside = (t >= 0) & (t < T) & (h >= 0) & (h < H) & (w >= 0) & (w < W)
        row = (((b * T + t) * H + h) * W + w).to(tl.int64)
        values = tl.load(
            x + row[:, None] * C + c[None, :], mask=inside[:, None] & there, other=0.0
        )
        tap = tl.load(weight + k * D + c % D, mask=c < C, other=0.0)
        total += values.to(tl.float32) * tap[None, :].to(tl.float32)
    place = p.to(tl.int64)[:, None] * C + c[None, :]
    tl.store(y + place, total.to(y.dtype.element_ty), mask=there)


@triton.jit
def grad_input_kernel(
    grad, weight, x, n, T, H, W, C, D, To, Ho, Wo,
    ST: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    KT: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr,
    BP: tl.constexpr, BC: tl.constexpr,
):  # fmt: skip
    """Gather, for each position of the input, the outputs that read it."""
    p = tl.program_id(0) * BP + tl.arange(0, BP)
    c = tl.program_id(1) * BC + tl.arange(0, BC)
    there = (p < n)[:, None] & (c < C)[None, :]
    b, ti, hi, wi = places(p, T, H, W)
    total = tl.zeros((BP, BC), tl.float32)
    for k in tl.static_range(KT * KH * KW):
        t = ti + KT // 2 - k // (KH * KW)
        h = hi + KH // 2 - (k // KW) % KH
        w = wi + KW // 2 - k % KW
        reads = (t >= 0) & (h >= 0) & (w >= 0)
        reads = reads & (t % ST == 0) & (h % SH == 0) & (w % SW == 0)
        t, h, w = t // ST, h // SH, w // SW
        reads = reads & (t < To) & (h < Ho) & (w < Wo)
        row = (((b * To + t) * Ho + h) * Wo + w).to(tl.int64)
        values = tl.load(
            grad + row[:, None] * C + c[None, :], mask=reads[:, None] & there, other=0.0
        )
        tap = tl.load(weight + k * D + c % D, mask=c < C, other=0.0)
        total += values.to(tl.float32) * tap[None, :].to(tl.float32)
    place = p.to(tl.int64)[:, None] * C + c[None, :]
    tl.store(x + place, total.to(x.dtype.element_ty), mask=there)


@triton.jit
def grad_weight_kernel(
    x, grad, parts, n, blocks, T, H, W, C, To, Ho, Wo,
    ST: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr,
    KT: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, KP: tl.constexpr,
    BP: tl.constexpr, BC: tl.constexpr,
):  # fmt: skip
    """Sum one row of taps over some blocks of positions; KP is KW, or the next 2^i."""
    c = tl.program_id(1) * BC + tl.arange(0, BC)
    row_of_taps = tl.program_id(2)
    k = tl.arange(0, KP)
    total = tl.zeros((KP, BP, BC), tl.float32)
    for block in range(blocks):
        p = (tl.program_id(0) * blocks + block) * BP + tl.arange(0, BP)
        b, t, h, w = places(p, To, Ho, Wo)
        t = t * ST + row_of_taps // KH - KT // 2
        h = h * SH + row_of_taps % KH - KH // 2
        w = w[None, :] * SW + k[:, None] - KW // 2
        inside = (p < n) & (t >= 0) & (t < T) & (h >= 0) & (h < H)
        within = inside[None, :] & (w >= 0) & (w < W) & (k < KW)[:, None]
        row = (((b * T + t) * H + h)[None, :] * W + w).to(tl.int64)
        values = tl.load(
            x + row[:, :, None] * C + c[None, None, :],
            mask=within[:, :, None] & (c < C)[None, None, :],
            other=0.0,
        )
        outputs = tl.load(
            grad + p.to(tl.int64)[:, None] * C + c[None, :],
            mask=inside[:, None] & (c < C)[None, :],
            other=0.0,
        )
        total += values.to(tl.float32) * outputs[None, :, :].to(tl.float32)
    place = (tl.program_id(0) * KT * KH + row_of_taps) * KW + k
    tl.store(
        parts + place[:, None] * C + c[None, :],
        tl.sum(total, axis=1),
        mask=(k < KW)[:, None] & (c < C)[None, :],
    )
