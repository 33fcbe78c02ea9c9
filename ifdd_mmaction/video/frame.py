"""What a video is to the rest of the package: frames with their times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

#: Rate, in frames a second, of what has none: arrays and folders of frames.
DEFAULT_FPS = 25.0
#: Longest side of a frame. Faces are cut to a few hundred pixels in the end, and a
#: frame of 8K takes 100 MB.
MAX_SIDE = 1280


@dataclass(frozen=True)
class Frame:
    """A frame of a video, ``image`` as ``(H, W, 3)`` uint8 RGB."""

    index: int
    seconds: float
    image: np.ndarray


class Video(Protocol):
    """Frames in order of time; each ``iter`` starts anew and holds few at a time.

    Attributes:
        name: The path, or what stands for it.
        length: Frames as far as they are known, else None; for progress alone.
    """

    name: str
    length: int | None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; InputError names the place of a damage."""


def shrink(image: np.ndarray, max_side: int) -> np.ndarray:
    """Return an image ``(H, W, 3)`` of sides ``max_side`` at most, its shape kept."""
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def one_size(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield frames, each as large as the first.

    Browsers change the size while they record, and images of a folder may differ;
    boxes and clips know one size.
    """
    size = None
    for frame in frames:
        height, width = frame.image.shape[:2]
        size = size or (width, height)
        if (width, height) != size:
            frame = replace(frame, image=cv2.resize(frame.image, size))
        yield frame
