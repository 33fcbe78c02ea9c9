"""UniFormerV2 that keeps its tokens as a map."""

from __future__ import annotations

from mmaction.models.backbones.uniformerv2 import UniFormerV2
from mmaction.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class UniFormerV2Map(UniFormerV2):
    """MMAction2's UniFormerV2 that returns a map instead of the video's vector.

    Every cell is its normalized patch token plus the vector of the global blocks, so
    that these, a third of the pretrained network, serve and are trained too. The
    parameters are the same, so every UniFormerV2 checkpoint fits.

    Args:
        kwargs: Of MMAction2's ``UniFormerV2``.

    Returns of ``forward``: a map ``(N, C, T, H / patch_size, W / patch_size)``.

    Example:
        >>> from ifdd_mmaction.models.backbones import UniFormerV2Map
        >>> backbone = UniFormerV2Map(
        ...     input_resolution=32, width=16, layers=2, heads=2, t_size=8,
        ...     return_list=[0, 1], n_layers=2, n_dim=16, n_head=2,
        ...     mlp_dropout=[0.5, 0.5], clip_pretrained=False,
        ... )
        >>> backbone(torch.rand(1, 3, 8, 32, 32)).shape
        torch.Size([1, 16, 8, 2, 2])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map clips ``(N, 3, T, H, W)`` to ``(N, C, T, h, w)``."""
        n, _, _, height, width = x.shape
        tokens: list[Tensor] = []
        with self.transformer.resblocks[-1].register_forward_hook(
            lambda module, inputs, output: tokens.append(output)
        ):
            video = super().forward(x)  # (N, C)
        patches = self.transformer.norm(tokens[0][1:])  # (h w, N T, C)
        _, rows, columns = self.conv1.kernel_size
        grid = (height // rows, width // columns)
        cells = patches.reshape(*grid, n, -1, patches.shape[2])  # (h, w, N, T, C)
        return cells.permute(2, 4, 3, 0, 1) + video[:, :, None, None, None]
