"""How clips are sampled, loaded, cropped and resized."""

from .add_flipped_views import AddFlippedViews
from .load_frames import LoadFrames
from .random_resized_crop_clip import RandomResizedCropClip
from .resize_clip import ResizeClip
from .sample_clip import SampleClip

__all__ = [
    'AddFlippedViews',
    'LoadFrames',
    'RandomResizedCropClip',
    'ResizeClip',
    'SampleClip',
]
