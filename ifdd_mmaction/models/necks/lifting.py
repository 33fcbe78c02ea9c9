"""The base of the lifting steps, and the compression of tokens."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn


def to_tokens(x: Tensor) -> Tensor:
    """Map ``(N, C, T, H, W)`` to tokens ``(N, T * H * W, C)`` in (t, h, w) order."""
    return x.flatten(2).transpose(1, 2)


class TokenCompression(nn.Linear):
    """A learned weighting of tokens: ``v = sum_i w_i x_i`` (+ b)."""

    def __init__(self, num_tokens: int, bias: bool = False) -> None:
        super().__init__(num_tokens, 1, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn tokens ``(N, L, C)`` into a vector ``(N, C)``."""
        return super().forward(tokens.transpose(1, 2))[..., 0]


class Lifting(BaseModule):
    """Base of the lifting steps, from (X_S, X_D) to the feature and the context Y_S.

    A subclass implements :meth:`lift`, and builds ``token_weight``, a
    :class:`TokenCompression`, unless ``compress`` is False.

    Args:
        in_channels: Channels C.
        input_size: (T, H, W) of the feature before the split.
        compress: Learned token weighting; False averages the tokens, so that any
            (T, H, W) may follow.
    """

    token_weight: nn.Module

    def __init__(
        self,
        in_channels: int,
        input_size: Sequence[int],
        compress: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        t, h, w = input_size
        self.in_channels = in_channels
        self.num_tokens = (t + 1) // 2 * h * w
        self.compressed = compress

    def forward(self, x_s: Tensor, x_d: Tensor) -> tuple[Tensor, Tensor]:
        """Lift the two groups ``(N, C, T/2, H, W)``.

        Returns:
            The feature of the disentangled dynamics, ``(N, C)``, and the fine context
            Y_S, ``(N, C, T/2, H, W)``.
        """
        y_s, y_d = self.lift(x_s, x_d)
        return self.to_vector(y_d), y_s

    @abstractmethod
    def lift(self, x_s: Tensor, x_d: Tensor) -> tuple[Tensor, Tensor]:
        """Return Y_S and Y_D of X_S and X_D, ``(N, C, T/2, H, W)`` all."""

    def to_vector(self, y_d: Tensor) -> Tensor:
        """Turn Y_D ``(N, C, T/2, H, W)`` into the feature ``(N, C)``."""
        return self.compress(to_tokens(y_d))

    def compress(self, tokens: Tensor) -> Tensor:
        """Turn tokens ``(N, L, C)`` into a vector ``(N, C)``."""
        return self.token_weight(tokens) if self.compressed else tokens.mean(dim=1)

    def _check(self, x_s: Tensor, x_d: Tensor) -> None:
        tokens = x_s.shape[2:].numel()
        if (
            x_s.shape != x_d.shape
            or x_s.shape[1] != self.in_channels
            or (self.compressed and tokens != self.num_tokens)
        ):
            expected = f'{self.num_tokens if self.compressed else "any"} tokens'
            raise ValueError(
                f'{type(self).__name__}(in_channels={self.in_channels}) for {expected} '
                f'a group got groups of {tuple(x_s.shape)} and {tuple(x_d.shape)}, '
                f'{tokens} tokens: set in_channels and input_size=(T, H, W) of the '
                'neck to what the backbone returns, or compress=False for any size.'
            )


class NoLifting(Lifting):
    """Return both groups unchanged, and compress the dynamics.

    What the authors' code does to measure the split alone (reference:
    WaveSF_trans_CLS_onlySplit): unlike in LADM, the token weighting has a bias.

    Example:
        >>> from ifdd_mmaction.models.necks import NoLifting
        >>> lifting = NoLifting(in_channels=16, input_size=(8, 7, 7))
        >>> x_s, x_d = torch.rand(2, 2, 16, 4, 7, 7)
        >>> vector, y_s = lifting(x_s, x_d)
        >>> vector.shape, y_s is x_s
        (torch.Size([2, 16]), True)
    """

    def __init__(
        self,
        in_channels: int,
        input_size: Sequence[int],
        compress: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, input_size, compress, init_cfg=init_cfg)
        if compress:
            self.token_weight = TokenCompression(self.num_tokens, bias=True)

    def lift(self, x_s: Tensor, x_d: Tensor) -> tuple[Tensor, Tensor]:
        """Return X_S and X_D, ``(N, C, T/2, H, W)``, unchanged."""
        self._check(x_s, x_d)
        return x_s, x_d
