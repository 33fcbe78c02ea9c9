"""Random brightness, contrast, saturation and hue of a clip, on its device.

The formulas are torchvision's; MMAction2's ``ColorJitter`` shifts the hue on another
scale and processes one frame at a time, on the CPU. Images are float32 in
[0, 255] with channels at dimension 1 and height and width last: a clip
(M, 3, T, H, W), or frames (T, 3, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

WHITE = 255.0


def adjust_brightness(images: Tensor, factor: float) -> Tensor:
    """Scale the pixels of images ``(M, 3, ..., H, W)``."""
    return (images * factor).clamp_(0, WHITE)


def adjust_contrast(images: Tensor, factor: float) -> Tensor:
    """Scale the difference to each frame's mean gray; ``(M, 3, ..., H, W)``."""
    mean = _gray(images).mean(dim=(-2, -1), keepdim=True)
    return torch.lerp(mean, images, factor).clamp_(0, WHITE)


def adjust_saturation(images: Tensor, factor: float) -> Tensor:
    """Scale the difference to each pixel's gray; ``(M, 3, ..., H, W)``."""
    return torch.lerp(_gray(images), images, factor).clamp_(0, WHITE)


def adjust_hue(images: Tensor, shift: float) -> Tensor:
    """Rotate the hue of ``(M, 3, ..., H, W)`` by -0.5 to 0.5 of the full circle.

    Conversion to HSV and back in closed form: a channel is value - chroma * max(0,
    min(k, 4 - k, 1)) with k = n + 6 hue (mod 6), and n = 5, 3, 1 for red, green, blue.
    """
    value, low = images.amax(1), images.amin(1)
    red, green, blue = images.unbind(1)
    chroma = value - low
    divisor = torch.where(chroma > 0, chroma, 1.0)
    sextant = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(
            value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor
        ),
    )
    channels = []
    for n in (5, 3, 1):
        k = (sextant + (n + 6 * shift)).remainder_(6)
        k = torch.minimum(k, 4 - k).clamp_(0, 1)
        channels.append(torch.addcmul(value, chroma, k, value=-1))
    return torch.stack(channels, dim=1)


def _gray(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)


#: In the order of the arguments of :class:`ColorJitter`.
OPERATIONS = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)


class ColorJitter:
    """Change the colors of a clip at random, in the same way in all frames.

    The operations are applied in random order, as in torchvision's ``ColorJitter``.
    Numbers are drawn from torch's CPU generator: ``torch.manual_seed`` repeats them on
    every device.

    Args:
        brightness: Factors are drawn from 1 - brightness to 1 + brightness.
        contrast: Likewise.
        saturation: Likewise.
        hue: Shifts are drawn from -hue to hue, of the full circle.

    Raises:
        ValueError: If a strength is negative, above 1, or for hue above 0.5.
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
    ) -> None:
        self.strengths = (brightness, contrast, saturation, hue)
        limits = (1.0, 1.0, 1.0, 0.5)
        if not all(0 <= s <= m for s, m in zip(self.strengths, limits, strict=True)):
            raise ValueError(
                'ColorJitter: brightness, contrast, saturation and hue are '
                f'{self.strengths}: set each to a value from 0 to that of {limits}'
            )

    def __call__(self, clip: Tensor) -> Tensor:
        """Return the clip with changed colors.

        Args:
            clip: ``(M, 3, T, H, W)`` or ``(T, 3, H, W)``, values 0 to 255.

        Returns:
            The same shape, float32 in [0, 255].
        """
        amounts = [
            middle + strength * (2 * draw - 1)
            for middle, strength, draw in zip(
                (1, 1, 1, 0),
                self.strengths,
                torch.rand(4, device='cpu').tolist(),
                strict=True,
            )
        ]
        return jitter(clip, amounts, torch.randperm(4, device='cpu').tolist())


def jitter(clip: Tensor, amounts: Sequence[float], order: Sequence[int]) -> Tensor:
    """Apply :data:`OPERATIONS` with the given amounts to ``(M, 3, ..., H, W)``."""
    # Channels first: frames arrive with red, green and blue interleaved.
    clip = clip.to(torch.float32, memory_format=torch.contiguous_format)
    for i in order:
        clip = OPERATIONS[i](clip, amounts[i])
    return clip
