"""Image backbones of timm, with the maps of their stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor


@MODELS.register_module()
class TimmPyramid(BaseModule):
    """An image backbone of timm that returns several of its stages.

    For ``Recognizer2D``, which reduces its own ``timm.*`` and ``torchvision.*``
    backbones to a single cell. torchvision's weights are in timm too, under tags like
    ``resnet50.tv2_in1k``. Needs ``pip install "ifdd-mmaction[timm]"``.

    Args:
        model_name: Name in ``timm.list_models()``, with or without a weights' tag.
        out_indices: Stages to return; negative ones count from the last.
        pretrained: Whether timm downloads the weights.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.
        kwargs: Of ``timm.create_model``, such as ``checkpoint_path`` or
            ``drop_path_rate``.

    Returns of ``forward``: a tuple of maps ``(N * T, C_i, H_i, W_i)``, finest first.

    Raises:
        ImportError: If timm is not installed.

    Example:
        >>> from ifdd_mmaction.models.backbones import TimmPyramid
        >>> backbone = TimmPyramid('resnet18')
        >>> frames = torch.rand(4, 3, 64, 64)
        >>> [tuple(level.shape) for level in backbone(frames)]
        [(4, 256, 4, 4), (4, 512, 2, 2)]
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] = (-2, -1),
        pretrained: bool = False,
        init_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        try:
            import timm
        except ImportError as error:
            raise ImportError(
                'TimmPyramid needs timm: pip install "ifdd-mmaction[timm]"'
            ) from error
        self.model = timm.create_model(
            model_name,
            features_only=True,
            out_indices=tuple(out_indices),
            pretrained=pretrained,
            **kwargs,
        )
        self.channels_last = getattr(self.model, 'output_fmt', 'NCHW') == 'NHWC'

    def init_weights(self) -> None:
        """Do nothing without an ``init_cfg``: timm initializes what it builds."""
        if self.init_cfg:
            super().init_weights()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map frames ``(N * T, 3, H, W)`` to maps ``(N * T, C_i, H_i, W_i)``."""
        maps = self.model(x)
        if self.channels_last:
            maps = [level.permute(0, 3, 1, 2) for level in maps]
        return tuple(maps)
