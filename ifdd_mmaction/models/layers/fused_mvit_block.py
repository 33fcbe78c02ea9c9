"""MViT's block with fused attention: same parameters, same output."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.models.backbones.mvit import MultiScaleAttention, MultiScaleBlock
from torch import Tensor

from .attention import attend
from .depthwise.choice import chosen
from .relative_position import Size, key_codes, query_codes
from .token_pooling import pool_heads, to_map, to_tokens


class FusedMultiScaleAttention(MultiScaleAttention):
    """MViT's attention without the attention map.

    The relative position is folded into query and key (see
    :mod:`~ifdd_mmaction.models.layers.relative_position`), so that one call of
    ``scaled_dot_product_attention`` computes the output. The class token is not pooled
    and has no relative position; its attention is computed in a second call, which
    saves a copy of all queries.
    """

    def forward(self, x: Tensor, in_size: Size) -> tuple[Tensor, Size]:
        """Map tokens ``(B, [1 +] T * H * W, C)`` to pooled tokens and their size."""
        cls = None
        if self.with_cls_token:
            cls, x = x.split([1, x.shape[1] - 1], dim=1)
            x = x.contiguous()
            cls = self.qkv(cls).unflatten(-1, (3, self.num_heads, -1))  # one token
        # Three matrix products: the result of a single one would have to be copied.
        weights = self.qkv.weight.chunk(3)
        biases = (None,) * 3 if self.qkv.bias is None else self.qkv.bias.chunk(3)
        pools = (self.pool_q, self.pool_k, self.pool_v)
        (q, q_size), (k, k_size), (v, _) = (
            pool_heads(F.linear(x, weight, bias), pool, in_size, self.num_heads)
            for weight, bias, pool in zip(weights, biases, pools, strict=True)
        )
        q, k, v = (part.unflatten(-1, (self.num_heads, -1)) for part in (q, k, v))
        if cls is not None:
            q_cls, k_cls, v_cls = cls.unbind(2)
            k, v = torch.cat([k_cls, k], dim=1), torch.cat([v_cls, v], dim=1)
        q, k, v = self.norm_q(q), self.norm_k(k), self.norm_v(v)
        query, k, v = self._append_position(q, k, v, q_size, k_size)
        out = self._attend(query, k, v)
        if self.residual_pooling:
            out = out + q
        if cls is not None:
            q_cls = self.norm_q(q_cls)
            q_cls = F.pad(q_cls, (0, k.shape[-1] - q_cls.shape[-1]))
            out = torch.cat([self._attend(q_cls, k, v).to(out.dtype), out], dim=1)
        return self.proj(out.flatten(2)), q_size

    def _append_position(
        self, q: Tensor, k: Tensor, v: Tensor, q_size: Size, k_size: Size
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Append the relative position to q, k ``(B, L, heads, C)``, and zeros to v."""
        if not self.rel_pos_embed:
            return q, k, v
        # The fused kernels need q, k and v of the same width, a multiple of 8.
        width = sum(k_size) + -(q.shape[-1] + sum(k_size)) % 8
        tables = (self.rel_pos_t, self.rel_pos_h, self.rel_pos_w)
        codes = query_codes(q.unflatten(1, q_size), k_size, tables, self.scale, width)
        query = torch.cat([q.to(codes.dtype), codes], dim=-1)
        codes = key_codes(k_size, width, k.device, k.dtype)
        if self.with_cls_token:
            codes = F.pad(codes, (0, 0, 1, 0))
        codes = codes[None, :, None].expand(*k.shape[:3], -1)
        return query, torch.cat([k, codes], dim=-1), F.pad(v, (0, width))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend with tokens ``(B, L, heads, width)``; returns ``(B, L, heads, C)``."""
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        q, k, v = q.to(v.dtype), k.to(v.dtype), v
        out = attend(q, k, v, self.scale)
        return out.transpose(1, 2)[..., : self.out_dims // self.num_heads]


class FusedMultiScaleBlock(MultiScaleBlock):
    """MViT's block around :class:`FusedMultiScaleAttention`."""

    def forward(self, x: Tensor, in_size: Size) -> tuple[Tensor, Size]:
        """Map tokens ``(B, [1 +] T * H * W, C)`` to pooled tokens and their size."""
        normed = self.norm1(x)
        attended, out_size = self.attn(normed, in_size)
        widen_first = self.dim_mul_in_attention and self.proj is not None
        skip = self.proj(normed) if widen_first else x
        if self.pool_skip is not None:
            skip = self._pool(skip, in_size)
        x = skip + self.drop_path(attended)
        normed = self.norm2(x)
        widen_last = not self.dim_mul_in_attention and self.proj is not None
        skip = self.proj(normed) if widen_last else x
        return skip + self.drop_path(self.mlp(normed)), out_size

    def _pool(self, x: Tensor, size: Size) -> Tensor:
        if not self.with_cls_token:
            return to_tokens(self.pool_skip(to_map(x, size)))[0]
        cls, x = x.split([1, x.shape[1] - 1], dim=1)
        return torch.cat([cls, to_tokens(self.pool_skip(to_map(x, size)))[0]], dim=1)


def fuse(block: MultiScaleBlock) -> None:
    """Make a block of MMAction2's MViT use fused attention.

    Only the classes of the block and of its attention change; parameters and
    sub-modules stay the same objects.

    Raises:
        InputError: If ``$IFDD_DEPTHWISE`` is none of its values.
    """
    chosen()
    block.__class__ = FusedMultiScaleBlock
    block.attn.__class__ = FusedMultiScaleAttention
