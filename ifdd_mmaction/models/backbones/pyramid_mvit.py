"""MViTv2 that returns its intermediate stages without normalization."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmaction.models.backbones.mvit import MViT
from mmaction.registry import MODELS
from mmengine.model.weight_init import trunc_normal_
from torch import Tensor, nn

from ..layers.conv_stem import ConvStem
from ..layers.fused_mvit_block import fuse

#: The paper's initialization: biases start at 0 (MMAction2's MViT starts them at 0.02)
#: and convolutions keep PyTorch's default.
INIT_CFG = (
    dict(type='TruncNormal', layer='Linear', std=0.02, bias=0.0),
    dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
)

Patches = tuple[Tensor, tuple[int, int, int]]


def pool_time(factor: int, module: nn.Module, inputs: Any, output: Patches) -> Patches:
    """Average every ``factor`` frames of embedded patches ``(N, T * H * W, C)``.

    Raises:
        ValueError: If the clip has fewer frames than that.
    """
    tokens, (t, h, w) = output
    if t < factor:
        raise ValueError(
            f'PyramidMViT(temporal_pool={factor}) got a clip of {t} embedded frames: '
            'lower temporal_pool or give more frames.'
        )
    n, _, c = tokens.shape
    t //= factor  # as in any pooling, a remainder is dropped
    whole = tokens[:, : t * factor * h * w].view(n, t, factor, h * w, c)
    return whole.mean(dim=2).flatten(1, 2), (t, h, w)


@MODELS.register_module()
class PyramidMViT(MViT):
    """MMAction2's MViT that normalizes only the last of its output stages.

    MMAction2 normalizes the map of every output scale *and passes the normalized map
    to the next stage*, so that each additional output scale changes the network. IFDD
    aggregates the raw maps and normalizes only the last stage (Sec. "Pyramid
    aggregation"): the other norms are replaced by identities, so that output scales
    change nothing else, and every MViT checkpoint loads.

    Args:
        out_scales: Stages to return, from 0 (stride 4) to 3 (stride 32), or one of
            them; below 0 they count from the last.
        output_cls_token: Whether each stage is ``[map, class token]`` instead of the
            map alone; the necks of this package take maps alone.
        temporal_pool: Average this many frames after the patch embedding, for longer
            clips at the cost of a short one. With 2, clips of 32 frames (the authors'
            MAFW) become the 8 temporal tokens of 16; ``temporal_size`` stays 16, and
            so do all parameters.
        fused: Compute attention without storing the attention map: same parameters,
            same output, less time and memory (docs/benchmarks.md). False runs
            MMAction2's own.
        stem_channels: Channels of convolutions of stride 2 in front of the patches,
            which then must not overlap; see :class:`ConvStem`. A small model learns
            from few clips with them what it does not learn without.
        init_cfg: Initial weights, as of any ``mmengine.model.BaseModule``.
        kwargs: Everything else of MMAction2's ``MViT``.

    Raises:
        AssertionError: If ``out_scales`` is no number and no sequence, as MViT's does.
        ValueError: If a scale is the one after the last, for which MViT has no map.

    Returns of ``forward``: a tuple of maps ``(N, C_i, T, H_i, W_i)``, finest first.

    Example:
        >>> from ifdd_mmaction.models.backbones import PyramidMViT
        >>> arch = dict(embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1])
        >>> backbone = PyramidMViT(
        ...     arch, spatial_size=32, temporal_size=8, out_scales=(0, 1)
        ... )
        >>> [tuple(level.shape) for level in backbone(torch.rand(1, 3, 8, 32, 32))]
        [(1, 8, 4, 8, 8), (1, 16, 4, 4, 4)]
    """

    def __init__(
        self,
        *args: Any,
        out_scales: int | Sequence[int] = (2, 3),
        output_cls_token: bool = False,
        temporal_pool: int = 1,
        fused: bool = True,
        stem_channels: Sequence[int] = (),
        init_cfg: Any = INIT_CFG,
        **kwargs: Any,
    ) -> None:
        # MViT copies init_cfg and writes into out_scales: give it new lists.
        init_cfg = list(init_cfg) if isinstance(init_cfg, tuple) else init_cfg
        if isinstance(out_scales, (list, tuple)):
            out_scales = list(out_scales)
        super().__init__(
            *args,
            out_scales=out_scales,
            output_cls_token=output_cls_token,
            init_cfg=init_cfg,
            **kwargs,
        )
        # MViT accepts the scale after the last one, and returns no map for it.
        if self.num_scales in self.out_scales:
            raise ValueError(
                f'PyramidMViT(out_scales={out_scales}): the scales of this arch are 0 '
                f'to {self.num_scales - 1}'
            )
        for scale in self.out_scales:
            if scale != self.num_scales - 1:
                setattr(self, f'norm{scale}', nn.Identity())
        if fused:
            for block in self.blocks:
                fuse(block)
        if stem_channels:
            stem = ConvStem(self.patch_embed.projection, stem_channels)
            self.add_module('patch_embed', stem)
        if temporal_pool > 1:
            # A hook, so that no parameter changes its name.
            self.patch_embed.register_forward_hook(partial(pool_time, temporal_pool))

    def init_weights(self, pretrained: str | None = None) -> None:
        """Initialize as the paper does; a ``Pretrained`` init_cfg is kept."""
        super().init_weights(pretrained)
        if isinstance(self.init_cfg, list):
            trunc_normal_(self.cls_token, std=0.02)
