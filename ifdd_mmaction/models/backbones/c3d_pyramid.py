"""C3D without its classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmaction.models.backbones.c3d import C3D
from mmaction.registry import MODELS
from torch import Tensor

#: The convolutions of each stage, and the pooling behind them.
STAGES = (
    (('conv1a',), 'pool1'),
    (('conv2a',), 'pool2'),
    (('conv3a', 'conv3b'), 'pool3'),
    (('conv4a', 'conv4b'), 'pool4'),
    (('conv5a', 'conv5b'), ''),
)


@MODELS.register_module()
class C3DPyramid(C3D):
    """Return the maps of the stages of MMAction2's C3D instead of a vector.

    The last pooling and the two linear layers, three quarters of the parameters, are
    left out. C3D checkpoints load except for the weights of those layers.

    Args:
        out_indices: Stages to return, from 0 (stride 1) to 4 (stride 16; T / 8).
        kwargs: Of MMAction2's ``C3D``.

    Returns of ``forward``: a tuple of maps ``(N, C_i, T_i, H_i, W_i)``, finest first.

    Example:
        >>> from ifdd_mmaction.models.backbones import C3DPyramid
        >>> with torch.device('meta'):  # shapes alone
        ...     maps = C3DPyramid(out_indices=(3, 4))(torch.empty(1, 3, 16, 112, 112))
        >>> [tuple(level.shape) for level in maps]
        [(1, 512, 4, 14, 14), (1, 512, 2, 7, 7)]
    """

    def __init__(self, out_indices: Sequence[int] = (3, 4), **kwargs: Any) -> None:
        super().__init__(**{**kwargs, 'out_dim': 1})
        del self.pool5, self.fc6, self.fc7
        self.out_indices = out_indices

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map clips ``(N, 3, T, H, W)`` to one map for each of ``out_indices``."""
        maps = []
        for i, (convolutions, pool) in enumerate(STAGES[: max(self.out_indices) + 1]):
            for name in convolutions:
                x = getattr(self, name)(x)
            if i in self.out_indices:
                maps.append(x)
            if i < max(self.out_indices):
                x = getattr(self, pool)(x)
        return tuple(maps)
