"""UniFormerV2 that returns its tokens as a map."""

from __future__ import annotations

from mmaction.models.backbones.uniformerv2 import UniFormerV2
from mmaction.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class UniFormerV2Map(UniFormerV2):
    """MMAction2's UniFormerV2 that returns a map instead of the video's vector.

    Every cell is its normalized patch token plus the vector of the global blocks, so
    that these, a third of the pretrained network, contribute and are trained too. The
    parameters are the same, so every UniFormerV2 checkpoint loads.

    Args:
        kwargs: Of MMAction2's ``UniFormerV2``.

    Returns of ``forward``: a map ``(N, C, T, H / patch_size, W / patch_size)``.
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
