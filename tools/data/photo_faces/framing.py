"""Crop clips to the face exactly as ``ifdd infer`` does."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ifdd_mmaction.faces import CenterFaceDetector, crop_square

Array = np.ndarray

#: Longer side of the detector's input, in pixels: the face has there the size that it
#: has in a frame of 320 pixels, the default of ``ifdd infer``, of a usual video.
DETECT_SIZE = 160
#: The same for photos, which are searched for landmarks.
PHOTO_SIZE = 480
#: Every so many frames are searched; positions in between are interpolated.
EVERY = 3
#: Standard deviation of the smoothing of boxes over frames.
SMOOTH = 1.0


class Framing:
    """Detects the face of clips and crops it."""

    def __init__(self) -> None:
        self.detect = CenterFaceDetector(DETECT_SIZE)
        self._portrait = CenterFaceDetector(PHOTO_SIZE)

    def landmarks(self, photo: Array) -> Array | None:
        """Return the five landmarks ``(5, 2)`` of the largest face of a photo.

        None if no face is found; see ``ifdd_mmaction.faces.Face``.
        """
        faces = self._portrait(photo)
        if not faces:
            return None
        areas = [np.prod(face.box[2:] - face.box[:2]) for face in faces]
        return faces[int(np.argmax(areas))].landmarks

    def boxes(self, frames: list[Array]) -> tuple[Array | None, float]:
        """Return the boxes ``(T, 4)`` of the face, smoothed over time.

        Args:
            frames: ``(s, s, 3)`` uint8 RGB each; the largest face counts.

        Returns:
            The boxes, None if no face was found; and the share of the searched frames
            in which one was.
        """
        count = len(frames)
        searched = sorted({*range(0, count, EVERY), count - 1})
        at, found = [], []
        for i in searched:
            faces = self.detect(frames[i])
            if faces:
                areas = [np.prod(face.box[2:] - face.box[:2]) for face in faces]
                at.append(i)
                found.append(faces[int(np.argmax(areas))].box)
        if not found:
            return None, 0.0
        table = np.stack(found)
        line = np.arange(count)
        boxes = np.stack([np.interp(line, at, side) for side in table.T], 1)
        boxes = gaussian_filter1d(boxes, SMOOTH, axis=0, mode='nearest')
        return boxes, len(found) / len(searched)

    @staticmethod
    def crop(frames: list[Array], boxes: Array, size: int) -> list[Array]:
        """Return the crops ``(size, size, 3)`` of frames."""
        return [
            crop_square(frame, box, size)
            for frame, box in zip(frames, boxes, strict=True)
        ]
