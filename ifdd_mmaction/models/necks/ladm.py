"""LADM: a learnable lifting step between the context and the dynamics of a clip."""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import MODELS
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers.attention import attend
from .lifting import Lifting, TokenCompression, to_tokens
from .temporal_split import pad_to_even


def context_gap(x: Tensor, y_s: Tensor, relaxed: bool = True) -> Tensor:
    """Return the gap between a clip's global context and its fine context Y_S.

    Args:
        x: Aggregated feature ``(N, C, T, H, W)``.
        y_s: Fine context ``(N, C, T/2, H, W)``.
        relaxed: Compare only averages over channels and time; otherwise compare every
            value of Y_S with the mean of its pair of frames.

    Returns:
        ``(N, H, W)`` when relaxed, else ``(N, C, T/2, H, W)``.
    """
    if relaxed:
        return x.mean(dim=(1, 2)) - y_s.mean(dim=(1, 2))
    x = pad_to_even(x)
    return (x[:, :, 0::2] + x[:, :, 1::2]) / 2 - y_s


def _to_map(tokens: Tensor, like: Tensor) -> Tensor:
    """Map tokens ``(N, L, C)`` to the shape ``(N, C, T, H, W)`` of another map."""
    return tokens.transpose(1, 2).reshape(like.shape)


class LiftingAttention(BaseModule):
    """Cross-attention of a lifting step; ``(N, L, C)`` queries and sources.

    Each query gathers from all source tokens, and with ``value_residual`` also takes
    the value of the source token at its own position; the classical lifting step,
    which pairs each odd frame with its even neighbor, is then a special case.
    """

    def __init__(self, dims: int, num_heads: int, value_residual: bool = True) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.value_residual = value_residual
        self.q = nn.Linear(dims, dims)
        self.kv = nn.Linear(dims, 2 * dims)
        self.proj = nn.Linear(dims, dims)

    def forward(self, query: Tensor, source: Tensor) -> Tensor:
        """Gather from sources for queries, ``(N, L, C)`` both and the result."""
        n, length, c = query.shape
        q = self.q(query).view(n, length, self.num_heads, -1).transpose(1, 2)
        kv = self.kv(source).view(n, source.shape[1], 2, self.num_heads, -1)
        k, v = kv.permute(2, 0, 3, 1, 4)  # (N, heads, L, C / heads) each
        out = attend(q, k, v)
        if self.value_residual:
            out = out + v
        return self.proj(out.transpose(1, 2).reshape(n, length, c))


class SelfAttention(BaseModule):
    """Plain multi-head self-attention over tokens ``(N, L, C)``."""

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dims, 3 * dims)
        self.proj = nn.Linear(dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens ``(N, L, C)``."""
        n, length, c = x.shape
        qkv = self.qkv(x).view(n, length, 3, self.num_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        out = attend(q, k, v)
        return self.proj(out.transpose(1, 2).reshape(n, length, c))


@MODELS.register_module()
class LADM(Lifting):
    """Lifting-based Aggregation-Disentanglement Module with attention.

    The updater aggregates both groups into fine context, the predictor subtracts from
    the dynamics what that context explains; self-attention and an MLP refine the
    rest, and a learned weighting of the tokens turns it into one vector::

        Y_S = X_S + U(X_D | X_S)
        Y_D = X_D - P(Y_S | X_D)          both groups layer-normalized first
        Y_D <- Y_D + Attention(Y_D);  Y_D <- MLP(Y_D);  v = sum_t w_t Y_D[t]

    As in the authors' code the MLP has no residual, so stochastic depth drops a
    clip's whole feature with probability ``drop_path`` in training.

    Args:
        in_channels: Channels C.
        input_size: (T, H, W) of the feature before the split.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of the MLP over C.
        drop_path: Stochastic depth of the two output branches.
        update_first: Update before predict; False predicts first, from X_S, and the
            updater then serves the constraint only (see :class:`IFDDNeck`).
        norm: Layer norm on both groups before lifting.
        value_residual: See :class:`LiftingAttention`.
        output_attention: Self-attention and MLP on Y_D.
        compress: Learned token weighting; False averages the tokens, so that any
            (T, H, W) may follow.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.

    Raises:
        ValueError: If ``in_channels`` is not a multiple of ``num_heads``.

    Example:
        >>> from ifdd_mmaction.models.necks import LADM
        >>> lifting = LADM(in_channels=16, input_size=(8, 7, 7), num_heads=2)
        >>> x_s, x_d = torch.rand(2, 2, 16, 4, 7, 7)
        >>> vector, y_s = lifting(x_s, x_d)
        >>> vector.shape, y_s.shape
        (torch.Size([2, 16]), torch.Size([2, 16, 4, 7, 7]))
    """

    def __init__(
        self,
        in_channels: int,
        input_size: Sequence[int],
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.2,
        update_first: bool = True,
        norm: bool = True,
        value_residual: bool = True,
        output_attention: bool = True,
        compress: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, input_size, compress, init_cfg=init_cfg)
        if in_channels % num_heads:
            raise ValueError(
                f'LADM: in_channels={in_channels} is not a multiple of '
                f'num_heads={num_heads}.'
            )
        self.update_first = update_first
        self.norm_static = nn.LayerNorm(in_channels) if norm else nn.Identity()
        self.norm_dynamic = nn.LayerNorm(in_channels) if norm else nn.Identity()
        self.updater = LiftingAttention(in_channels, num_heads, value_residual)
        self.predictor = LiftingAttention(in_channels, num_heads, value_residual)
        self.output_attention = output_attention
        if output_attention:
            self.norm1 = nn.LayerNorm(in_channels)
            self.attn = SelfAttention(in_channels, num_heads)
            self.norm2 = nn.LayerNorm(in_channels)
            hidden = int(in_channels * mlp_ratio)
            self.mlp = nn.Sequential(
                nn.Linear(in_channels, hidden),
                nn.GELU(),
                nn.Linear(hidden, in_channels),
            )
            self.drop_path = DropPath(drop_path)
        if compress:
            self.token_weight = TokenCompression(self.num_tokens)

    def lift(self, x_s: Tensor, x_d: Tensor) -> tuple[Tensor, Tensor]:
        """Return Y_S and Y_D of X_S and X_D, ``(N, C, T/2, H, W)`` all."""
        self._check(x_s, x_d)
        s = self.norm_static(to_tokens(x_s))
        d = self.norm_dynamic(to_tokens(x_d))
        if self.update_first:
            y_s = _to_map(s + self.updater(s, d), x_s)
            # From the map, so that the returned Y_S gets gradients (Grad-CAM).
            return y_s, _to_map(d - self.predictor(d, to_tokens(y_s)), x_d)
        d = d - self.predictor(d, s)
        return _to_map(s + self.updater(s, d), x_s), _to_map(d, x_d)

    def to_vector(self, y_d: Tensor) -> Tensor:
        """Mix the tokens of Y_D and compress them into the feature ``(N, C)``."""
        return self.compress(self.refine(to_tokens(y_d)))

    def refine(self, d: Tensor) -> Tensor:
        """Mix the tokens ``(N, L, C)`` of Y_D among themselves."""
        if not self.output_attention:
            return d
        d = d + self.drop_path(self.attn(self.norm1(d)))
        return self.drop_path(self.mlp(self.norm2(d)))
