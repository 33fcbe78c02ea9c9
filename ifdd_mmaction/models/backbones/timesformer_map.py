"""TimeSformer that keeps its tokens as a map."""

from __future__ import annotations

from mmaction.models.backbones.timesformer import TimeSformer
from mmaction.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class TimeSformerMap(TimeSformer):
    """MMAction2's TimeSformer that returns a map instead of the class token.

    The parameters are the same, so every TimeSformer checkpoint fits.

    Args:
        kwargs: Of MMAction2's ``TimeSformer``.

    Returns of ``forward``: a map ``(N, C, T, H / patch_size, W / patch_size)``.

    Example:
        >>> from ifdd_mmaction.models.backbones import TimeSformerMap
        >>> backbone = TimeSformerMap(
        ...     num_frames=8, img_size=32, patch_size=16, embed_dims=16, num_heads=2,
        ...     num_transformer_layers=2,
        ... )
        >>> backbone(torch.rand(1, 3, 8, 32, 32)).shape
        torch.Size([1, 16, 8, 2, 2])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map clips ``(N, 3, T, H, W)`` to the normalized tokens of their patches."""
        n, _, t, h, w = x.shape
        tokens: list[Tensor] = []
        with self.transformer_layers.register_forward_hook(
            lambda module, inputs, output: tokens.append(output)
        ):
            super().forward(x)
        patches = self.norm(tokens[0])[..., 1:, :]  # without the class token
        patch = self.patch_embed.patch_size
        grid = (h // patch[0], w // patch[1])
        if self.attention_type == 'space_only':  # (N T, H W, C)
            return patches.reshape(n, t, *grid, -1).permute(0, 4, 1, 2, 3)
        return patches.reshape(n, *grid, t, -1).permute(0, 4, 3, 1, 2)
