"""Videos with drawn faces, encoded to several formats."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from tests.helpers.golden import ROOT

sys.path.insert(0, str(ROOT / 'tools' / 'data'))
from sample_faces import Actions, Identity, Pose, draw_face

#: Position of a face in a frame: center x, center y, side of its square, in pixels.
Place = tuple[int, int, int]


@cache
def face(person: int, smile: float = 0.0) -> np.ndarray:
    """Return a drawn face ``(256, 256, 3)``, RGB."""
    image = np.full((256, 256, 3), 170, np.uint8)
    who = Identity(np.random.default_rng(person))
    draw_face(
        image, who, Actions(cheek_raise=smile, corner_up=smile), Pose(), (0.0, 0.0)
    )
    return image[..., ::-1]


def scene(
    places: Sequence[Place | None], size: tuple[int, int] = (640, 384), smile=0.0
) -> np.ndarray:
    """Return a frame ``(H, W, 3)`` RGB with person i at position i, or absent.

    CenterFace takes the drawing for a face where it is 60 to 90 pixels of 640.
    """
    frame = np.full((size[1], size[0], 3), 170, np.uint8)
    for person, place in enumerate(places):
        if place is not None:
            x, y, edge = place
            small = cv2.resize(
                face(person + 1, smile), (edge, edge), interpolation=cv2.INTER_AREA
            )
            frame[y - edge // 2 :, x - edge // 2 :][:edge, :edge] = small
    return frame


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = 'libx264',
    times: Sequence[float] | None = None,
    fps: int = 25,
) -> Path:
    """Encode frames at times in seconds, by default ``fps`` per second."""
    import av

    height, width = frames[0].shape[:2]
    with av.open(str(path), 'w') as container:
        options = {'preset': 'ultrafast'} if codec == 'libx264' else {'preset': '12'}
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), 'rgb24')
            frame.pts = round(1000 * (i / fps if times is None else times[i]))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbered_frames(count: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Return gray frames that encode their number: each is 6 brighter than the last."""
    return [np.full((size[1], size[0], 3), 20 + 6 * i, np.uint8) for i in range(count)]


def numbers_of(images: Sequence[np.ndarray]) -> list[int]:
    """Return the numbers of decoded :func:`numbered_frames`."""
    return [round((float(image.mean()) - 20) / 6) for image in images]
