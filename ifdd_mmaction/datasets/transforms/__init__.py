"""How clips are sampled, loaded, cropped, resized and normalized."""

from .add_flipped_views import AddFlippedViews
from .clip_data_preprocessor import ClipDataPreprocessor
from .load_frames import LoadFrames
from .random_resized_crop_clip import RandomResizedCropClip
from .replace_frames import ReplaceFrames
from .resize_clip import ResizeClip
from .sample_clip import SampleClip
from .sample_frame import SampleFrame

__all__ = [
    'AddFlippedViews',
    'ClipDataPreprocessor',
    'LoadFrames',
    'RandomResizedCropClip',
    'ReplaceFrames',
    'ResizeClip',
    'SampleClip',
    'SampleFrame',
]
