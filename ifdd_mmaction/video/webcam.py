"""Record from a camera, to work on the recording as on any other video."""

from __future__ import annotations

import time
from pathlib import Path

import cv2

from ..errors import InputError
from .writer import VideoWriter


def record_webcam(camera: int | str, path: str | Path, seconds: float = 10.0) -> Path:
    """Record a camera to a video file; an interrupt ends the recording, not the run.

    Args:
        camera: Number of the camera, from 0; or a device or file that OpenCV opens.
        path: The file to write.
        seconds: How long to record.

    Returns:
        The file.

    Raises:
        InputError: If there is no such camera, it gives no picture, or there is no
            time to record.
    """
    if not seconds > 0:
        raise InputError(f'{seconds:g} seconds to record: must be more than 0')
    capture = cv2.VideoCapture(camera)
    try:
        ok, image = capture.read() if capture.isOpened() else (False, None)
        if not ok or image is None:
            raise InputError(f'camera {camera} cannot be opened')
        begin = time.monotonic()
        height, width = image.shape[:2]
        with VideoWriter(path, (width, height)) as writer:
            try:
                while ok and (now := time.monotonic() - begin) < seconds:
                    writer.write(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), now)
                    ok, image = capture.read()
            except KeyboardInterrupt:
                pass
    finally:
        capture.release()
    return Path(path)
