"""MViT's block with fused attention: same parameters, same output."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmaction.models.backbones.mvit import MLP, MultiScaleAttention, MultiScaleBlock
from torch import Tensor, nn

from .attention import attend
from .autocast_layer_norm import HALF, AutocastLayerNorm
from .depthwise.choice import chosen
from .recompute import CHEAP, in_autocast_dtype, linear, linears
from .relative_position import Size, append_codes, key_codes
from .token_pooling import max_pool, pool_heads, to_map, to_tokens


class FusedMultiScaleAttention(MultiScaleAttention):
    """MViT's attention without the attention map.

    The relative position is folded into query and key (see
    :mod:`~ifdd_mmaction.models.layers.relative_position`), so that one call of
    ``scaled_dot_product_attention`` computes the output. The class token is not pooled
    and has no relative position; its attention is computed in a second call, which
    saves a copy of all queries.
    """

    def forward(
        self,
        x: Tensor,
        in_size: Size,
        norm: nn.Module | None = None,
        source: Tensor | None = None,
    ) -> tuple[Tensor, Size]:
        """Map tokens ``(B, [1 +] T * H * W, C)`` to pooled tokens and their size.

        With ``norm`` and ``source``, of which the tokens are the output and the input,
        the tokens are not stored (see :mod:`~ifdd_mmaction.models.layers.recompute`).
        """
        # A view, in whose gradient those of query, key and value are added first.
        cls, x = None, x.view_as(x)
        if self.with_cls_token:
            cls, x = x.split([1, x.shape[1] - 1], dim=1)
            # A copy, so that one token does not keep the memory of all.
            cls, x = cls.clone(), x.contiguous()
            cls = self.qkv(cls).unflatten(-1, (3, self.num_heads, -1))
        # Three matrix products: the result of a single one would have to be copied.
        weights = self.qkv.weight.chunk(3)
        biases = (None,) * 3 if self.qkv.bias is None else self.qkv.bias.chunk(3)
        layers = list(zip(weights, biases, strict=True))
        pools = (self.pool_q, self.pool_k, self.pool_v)
        (q, q_size), (k, k_size), (v, _) = (
            pool_heads(part, pool, in_size, self.num_heads)
            for part, pool in zip(
                linears(layers, x, self._patches_of(norm), source), pools, strict=True
            )
        )
        q, k, v = (part.unflatten(-1, (self.num_heads, -1)) for part in (q, k, v))
        if cls is not None:
            q_cls, k_cls, v_cls = cls.unbind(2)
            k, v = torch.cat([k_cls, k], dim=1), torch.cat([v_cls, v], dim=1)
        q, k, v = in_autocast_dtype(self.norm_q(q)), self.norm_k(k), self.norm_v(v)
        query, q, k, v = self._append_position(q, k, v, q_size, k_size)
        out = self._attend(query, k, v)
        if cls is not None:
            q_cls = self.norm_q(q_cls)
            q_cls = F.pad(q_cls, (0, k.shape[-1] - q_cls.shape[-1]))
            cls = self._attend(q_cls, k, v).to(out.dtype)
        joined = self._join(out, q, cls)
        # The queries are stored in one tensor with what is appended to them.
        parts = [out, query[..., : q.shape[-1]], *(() if cls is None else [cls])]
        return linear(self.proj, joined, self._join, *parts), q_size

    def _patches_of(self, norm: nn.Module | None) -> Callable[..., Tensor] | None:
        """Return what computes all tokens but the class token from a norm's input."""
        if not self.with_cls_token or not isinstance(norm, CHEAP):
            return norm
        return lambda x: norm.forward(x)[:, 1:].contiguous()

    def _join(self, out: Tensor, q: Tensor, cls: Tensor | None = None) -> Tensor:
        """Return what the last projection takes, ``(B, [1 +] L, heads * C)``."""
        if self.residual_pooling:
            out = out + q
        if cls is not None:
            out = torch.cat([cls, out], dim=1)
        return out.flatten(2)

    def _append_position(
        self, q: Tensor, k: Tensor, v: Tensor, q_size: Size, k_size: Size
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Append the relative position to q, k ``(B, L, heads, C)``, and zeros to v.

        Returns q with it, q, k with it and v.
        """
        if not self.rel_pos_embed:
            return q, q, k, v
        width = appended_width(q.shape[-1], sum(k_size), q.device.type, q.dtype)
        tables = (self.rel_pos_t, self.rel_pos_h, self.rel_pos_w)
        q = q.unflatten(1, q_size)
        query, q = append_codes(q, k_size, tables, self.scale, width)
        codes = key_codes(k_size, width, k.device, k.dtype)
        if self.with_cls_token:
            codes = F.pad(codes, (0, 0, 1, 0))
        codes = codes[None, :, None].expand(*k.shape[:3], -1)
        return query, q, torch.cat([k, codes], dim=-1), F.pad(v, (0, width))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend with tokens ``(B, L, heads, width)``; returns ``(B, L, heads, C)``."""
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        q, k, v = q.to(v.dtype), k.to(v.dtype), v
        out = attend(q, k, v, self.scale)
        return out.transpose(1, 2)[..., : self.out_dims // self.num_heads]


def appended_width(channels: int, codes: int, device: str, dtype: torch.dtype) -> int:
    """Return how many numbers to append to heads of a number of channels.

    The fused kernels take query, key and value of one width, a multiple of 8. On a GPU,
    in 16 bits, those of 128 are the fastest for whatever is wider than 64.

    Example:
        >>> import torch
        >>> from ifdd_mmaction.models.layers.fused_mvit_block import appended_width
        >>> appended_width(96, 22, 'cpu', torch.float32)
        24
        >>> appended_width(96, 22, 'cuda', torch.bfloat16)
        32
    """
    width = codes + -(channels + codes) % 8
    if device == 'cuda' and dtype in HALF and 64 < channels + width < 128:
        return 128 - channels
    return width


class FusedMLP(MLP):
    """MViT's two linear layers, without storing the input of either."""

    def forward(
        self, x: Tensor, norm: nn.Module | None = None, source: Tensor | None = None
    ) -> Tensor:
        """Map tokens ``(B, L, C)``, the output of ``norm`` for ``source`` if given."""
        hidden = linear(self.fc1, x, norm, source)
        return linear(self.fc2, self.act(hidden), self.act, hidden)


class FusedMultiScaleBlock(MultiScaleBlock):
    """MViT's block around :class:`FusedMultiScaleAttention`."""

    def forward(self, x: Tensor, in_size: Size) -> tuple[Tensor, Size]:
        """Map tokens ``(B, [1 +] T * H * W, C)`` to pooled tokens and their size."""
        x = in_autocast_dtype(x)  # float32 before the first block, for the class token
        normed = self.norm1(x)
        attended, out_size = self.attn(normed, in_size, self.norm1, x)
        widen_first = self.dim_mul_in_attention and self.proj is not None
        skip = linear(self.proj, normed, self.norm1, x) if widen_first else x
        if self.pool_skip is not None:
            skip = self._pool(skip, in_size)
        x = skip + self.drop_path(attended)
        normed = self.norm2(x)
        widen_last = not self.dim_mul_in_attention and self.proj is not None
        skip = linear(self.proj, normed, self.norm2, x) if widen_last else x
        return skip + self.drop_path(self.mlp(normed, self.norm2, x)), out_size

    def _pool(self, x: Tensor, size: Size) -> Tensor:
        cls = None
        if self.with_cls_token:
            cls, x = x.split([1, x.shape[1] - 1], dim=1)
        x = to_tokens(max_pool(to_map(x, size), self.pool_skip))[0]
        return x if cls is None else torch.cat([cls.to(x.dtype), x], dim=1)


def fuse(block: MultiScaleBlock) -> None:
    """Make a block of MMAction2's MViT use fused attention and store less.

    Only the classes of the block, its attention, MLP and layer norms change; parameters
    and sub-modules stay the same objects.

    Raises:
        InputError: If ``$IFDD_DEPTHWISE`` is none of its values.
    """
    chosen()
    block.__class__ = FusedMultiScaleBlock
    block.attn.__class__ = FusedMultiScaleAttention
    block.mlp.__class__ = FusedMLP
    for module in block.modules():
        if type(module) is nn.LayerNorm:
            module.__class__ = AutocastLayerNorm
