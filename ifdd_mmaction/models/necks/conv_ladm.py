"""LADM with convolutions instead of attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mmaction.registry import MODELS
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from .lifting import Lifting, TokenCompression

#: As in the authors' code. The running statistics need thousands of steps to converge.
NORM_CFG = MappingProxyType(dict(type='BN3d', eps=1e-3, momentum=1e-3))


def separable_conv(channels: int, norm_cfg: Mapping[str, Any]) -> nn.Sequential:
    """Return 1x3x3 and 3x1x1 convolutions, a norm and a ReLU after each."""
    return nn.Sequential(
        *(
            nn.Sequential(
                nn.Conv3d(
                    channels,
                    channels,
                    kernel_size=kernel,
                    padding='same',
                    bias=False,
                ),
                build_norm_layer(dict(norm_cfg), channels)[1],
                nn.ReLU(),
            )
            for kernel in ((1, 3, 3), (3, 1, 1))
        )
    )


@MODELS.register_module()
class ConvLADM(Lifting):
    """Lifting-based Aggregation-Disentanglement Module with convolutions.

    ::

        Y_S = X_S + U(X_D)
        Y_D = X_D - P(Y_S);   v = sum_t w_t Y_D[t]

    U and P are separable 3-D convolutions that end in a ReLU: the updater only adds,
    the predictor only subtracts. There is no layer norm, self-attention or MLP
    (reference: WaveSF_CNN, which supports the regular split only; this supports any).

    Args:
        in_channels: Channels C.
        input_size: (T, H, W) of the feature before the split.
        norm_cfg: Norm after each convolution, for instance SyncBN on several GPUs.
        compress: Learned token weighting; False averages the tokens, so that any
            (T, H, W) may follow.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.

    Example:
        >>> from ifdd_mmaction.models.necks import ConvLADM
        >>> lifting = ConvLADM(in_channels=16, input_size=(8, 7, 7))
        >>> x_s, x_d = torch.rand(2, 2, 16, 4, 7, 7)
        >>> vector, y_s = lifting(x_s, x_d)
        >>> vector.shape, y_s.shape
        (torch.Size([2, 16]), torch.Size([2, 16, 4, 7, 7]))
    """

    def __init__(
        self,
        in_channels: int,
        input_size: Sequence[int],
        norm_cfg: Mapping[str, Any] = NORM_CFG,
        compress: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, input_size, compress, init_cfg=init_cfg)
        self.updater = separable_conv(in_channels, norm_cfg)
        self.predictor = separable_conv(in_channels, norm_cfg)
        if compress:
            self.token_weight = TokenCompression(self.num_tokens)

    def lift(self, x_s: Tensor, x_d: Tensor) -> tuple[Tensor, Tensor]:
        """Return Y_S and Y_D of X_S and X_D, ``(N, C, T/2, H, W)`` all."""
        self._check(x_s, x_d)
        y_s = x_s + self.updater(x_d)
        return y_s, x_d - self.predictor(y_s)
