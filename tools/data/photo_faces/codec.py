"""Compress frames as a video file does, in memory."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

Array = np.ndarray

#: Probability of each codec; the rest is JPEG, frame by frame. And the range of what
#: sets its quality: the rate factor of x264, the quantizer of MPEG-4. Larger is worse.
CODECS = {'h264': 0.3, 'mpeg4': 0.2}
RATES = {'h264': (20, 34), 'mpeg4': (3, 12)}
FRAME_RATE = 25


def draw_codec(rng: np.random.Generator) -> dict[str, Any]:
    """Draw the codec, ``'jpeg'`` or a name of CODECS, and its rate."""
    shares = [1 - sum(CODECS.values()), *CODECS.values()]
    codec = str(rng.choice(['jpeg', *CODECS], p=shares))
    share = rng.random()
    low, high = RATES.get(codec, (0, 0))
    return {'codec': codec, 'rate': round(low + share * (high - low))}


def compress_video(frames: list[Array], codec: str, rate: int) -> list[Array]:
    """Return frames as a decoder of the codec returns them.

    Args:
        frames: ``(H, W, 3)`` uint8 RGB each, of one even height and width.
        codec: A name of CODECS. Without an encoder of H.264 in PyAV, MPEG-4 is used.
        rate: The quality; see RATES.

    Returns:
        As many frames of the same size.
    """
    if codec == 'h264' and 'libx264' not in av.codecs_available:
        codec = 'mpeg4'
        rate = round(np.interp(rate, RATES['h264'], RATES['mpeg4']))
    encoder: Any = av.CodecContext.create({'h264': 'libx264'}.get(codec, codec), 'w')
    encoder.height, encoder.width = frames[0].shape[:2]
    encoder.pix_fmt = 'yuv420p'
    encoder.time_base = Fraction(1, FRAME_RATE)
    encoder.framerate = Fraction(FRAME_RATE)
    # One thread: the parts of a frame that several compress depend on their number.
    encoder.thread_count = 1
    if codec == 'h264':
        encoder.options = {'preset': 'veryfast', 'crf': str(rate), 'g': '50'}
    else:
        encoder.options = {'qmin': str(rate), 'qmax': str(rate), 'g': '12'}
    packets = []
    for i, frame in enumerate(frames):
        planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420)
        picture = av.VideoFrame.from_ndarray(planes, format='yuv420p')
        picture.pts = i
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoder: Any = av.CodecContext.create(codec, 'r')
    decoder.thread_count = 1
    decoder.extradata = encoder.extradata
    decoded = [one for packet in packets for one in decoder.decode(packet)]
    decoded += decoder.decode(None)
    decoded.sort(key=lambda one: one.pts)
    return [cv2.cvtColor(p.to_ndarray(), cv2.COLOR_YUV2RGB_I420) for p in decoded]
