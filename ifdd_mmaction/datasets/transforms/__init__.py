from .load_frames import LoadFrames
from .sample_clip import SampleClip

__all__ = ['LoadFrames', 'SampleClip']
