"""Crop a random box from a clip and resize it."""

from __future__ import annotations

from mmaction.datasets.transforms import RandomResizedCrop
from mmaction.registry import TRANSFORMS

from .resize_clip import ResizeClip


@TRANSFORMS.register_module()
class RandomResizedCropClip(ResizeClip):
    """Crop one random box from all frames of a clip, and resize it, antialiased.

    MMAction2's ``RandomResizedCrop`` draws the box by the same rule, and its ``Resize``
    has no antialiasing. The authors resize FERV39k in floating point and keep the
    values of bicubic interpolation outside [0, 1]; here they are clipped.

    Required keys: ``imgs`` (images (H, W, 3) uint8 of one size). Changed keys:
    ``imgs`` (one array (T, H, W, 3) uint8), ``img_shape``.

    Args:
        size: Edge of the square, or height and width, in pixels.
        area_range: Area of the box, as a fraction of the frame.
        aspect_ratio_range: Width over height of the box.
        interpolation: ``'bilinear'`` or ``'bicubic'``.

    Raises:
        ValueError: If a range is not ordered or the interpolation is unknown.

    Example:
        >>> from ifdd_mmaction.datasets.transforms import RandomResizedCropClip
        >>> clip = dict(imgs=list(np.zeros((8, 48, 64, 3), np.uint8)))
        >>> RandomResizedCropClip(size=32)(clip)['imgs'].shape
        (8, 32, 32, 3)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        area_range: tuple[float, float] = (0.5, 1.0),
        aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: str = 'bilinear',
    ) -> None:
        super().__init__(size, interpolation)
        if not 0 < area_range[0] <= area_range[1] <= 1:
            raise ValueError(
                f'{type(self).__name__}: area_range={area_range} must be two '
                'fractions of the frame, above 0 and at most 1, the smaller first'
            )
        if not 0 < aspect_ratio_range[0] <= aspect_ratio_range[1]:
            raise ValueError(
                f'{type(self).__name__}: aspect_ratio_range={aspect_ratio_range} must '
                'be two numbers above 0, the smaller first'
            )
        self.area_range = area_range
        self.aspect_ratio_range = aspect_ratio_range

    def transform(self, results: dict) -> dict:
        """Draw the box, crop and resize."""
        left, top, right, bottom = RandomResizedCrop.get_crop_bbox(
            results['imgs'][0].shape[:2], self.area_range, self.aspect_ratio_range
        )
        crops = [image[top:bottom, left:right] for image in results['imgs']]
        return self.resize(results, crops)
