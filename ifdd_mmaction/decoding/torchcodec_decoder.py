"""Decoding with torchcodec: the exact decoder where PyAV does not load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .container import VideoError
from .open_video import Facts, Picture, Step, checksum
from .rgb import Geometry

if TYPE_CHECKING:
    from .index import Index

#: What files begin with that torchcodec may open: it cannot be kept from opening lists
#: of other files, as PyAV is. The numbers are positions.
STARTS = (
    (4, b'ftyp'), (4, b'moov'), (4, b'mdat'), (4, b'free'), (4, b'wide'), (4, b'skip'),
    (0, b'RIFF'), (0, b'\x1a\x45\xdf\xa3'), (0, b'\x30\x26\xb2\x75'), (0, b'FLV'),
    (0, b'GIF8'), (0, b'OggS'), (0, b'\0\0\1'), (0, b'\0\0\0\1'), (0, b'G'), (4, b'G'),
)  # fmt: skip
#: Pixel formats whose colors equal those of PyAV to the bit, whatever their FFmpegs.
#: The scaler interpolates the others, each version in its way.
EQUAL = ('yuv420p', 'yuvj420p', 'yuv422p', 'yuv444p', 'bgr24', 'argb', 'bgra')
REMEDY = 'PyAV reads such files: pip install --force-reinstall "av>=17.1"'


class TorchcodecVideo:
    """The video stream of one open file.

    Args:
        path: The file.
        step: Called for each frame.

    Raises:
        VideoError: If torchcodec does not open it.
    """

    def __init__(self, path: str, step: Step) -> None:
        from torchcodec.decoders import VideoDecoder

        self.path, self.step = path, step
        self.keys: dict[int, int] = {}
        with open(path, 'rb') as file:
            start = file.read(16)
        if not any(start[at:].startswith(sign) for at, sign in STARTS):
            raise VideoError(f'{path}: no video, or of an unknown kind')
        try:
            # Without the protocol, a name such as 10:11.mp4 would be an address.
            self._video = VideoDecoder(
                f'file:{path}',
                dimension_order='NHWC',
                num_ffmpeg_threads=1,
                device='cpu',
                seek_mode='exact',
            )
        except (RuntimeError, ValueError) as error:
            raise VideoError(
                f'{path}: torchcodec does not open it: {_last_line(error)}. {REMEDY}'
            ) from error

    def __enter__(self) -> TorchcodecVideo:
        return self

    def __exit__(self, *_: object) -> None:
        del self._video

    def facts(self) -> Facts:
        """Return the values of the header."""
        about = self._video.metadata
        return Facts(about.num_frames, about.average_fps)

    def geometry_of(self, frame: Picture) -> Geometry:
        """Return the geometry of the frames, from the first one.

        Raises:
            VideoError: If PyAV would return other pixels: torchcodec ignores mirroring
                and the shape of pixels.
        """
        about = self._video.metadata
        height, width = frame.image.shape[:2]
        unlike = ''
        if about.rotation is not None:
            unlike = 'its header turns or mirrors it'
        elif about.pixel_aspect_ratio not in (None, 0, 1):
            unlike = f'its pixels have the shape {about.pixel_aspect_ratio}'
        elif about.pixel_format not in EQUAL:
            unlike = f'its pixels are {about.pixel_format}'
        elif '420' in about.pixel_format and (height % 2 or width % 2):
            unlike = f'{width} x {height} of {about.pixel_format} is odd'
        if unlike:
            raise VideoError(f'{self.path}: not for torchcodec: {unlike}. {REMEDY}')
        return Geometry(width, height)

    def frames(self) -> Iterator[Picture]:
        """Yield all frames of a file that was just opened.

        Raises:
            VideoError: If one cannot be decoded, or there is none, or their number or
                size is not what the file announces.
        """
        count, shape = 0, None
        for count, picture in enumerate(self.in_order(), start=1):
            shape = shape or picture.image.shape
            if picture.image.shape != shape:
                raise self._unlike(f'the size changes in frame {count - 1}')
            if picture.pts is not None and not self.keys:
                self.keys[picture.pts] = picture.pts
            yield picture
        if count != len(self._video):
            raise self._unlike(f'{count} of {len(self._video)} frames can be decoded')

    def in_order(self) -> Iterator[Picture]:
        """Yield the frames that torchcodec decodes, without seeking.

        Raises:
            VideoError: If one cannot be decoded.
        """
        # The public functions seek to the first frame, which loses some of ts and avi.
        from torchcodec._core import get_next_frame

        while True:
            try:
                data, seconds, _ = get_next_frame(self._video._decoder)
            except IndexError:
                return
            except RuntimeError as error:
                raise self._unlike(_last_line(error)) from error
            self.step()
            yield Picture(data.numpy(), float(seconds))

    def at(self, numbers: Sequence[int]) -> list[Picture]:
        """Return frames by number, as torchcodec seeks them.

        Raises:
            Exception: Of any kind, if it does not find one.
        """
        self.step()
        found = self._video.get_frames_at(list(numbers))
        self.step()
        times = found.pts_seconds.tolist()
        return [Picture(*pair) for pair in zip(found.data.numpy(), times, strict=True)]

    def find(
        self, wanted: Sequence[int], index: Index, place: int
    ) -> dict[int, np.ndarray] | None:
        """Return images ``(H, W, 3)`` by number, or None if one is not in the index.

        Args:
            wanted: Numbers of frames, increasing.
            index: The index of the video.
            place: Not used: torchcodec seeks by itself.
        """
        try:
            pictures = self.at(wanted)
        except (RuntimeError, IndexError):
            return None
        images = {}
        for number, picture in zip(wanted, pictures, strict=True):
            same = picture.pts == index.stamps[number]
            if not same or not index.holds(number, checksum(picture.image)):
                return None
            images[number] = picture.image.copy()
        return images

    def to_rgb(self, frame: Picture, geometry: Geometry) -> np.ndarray:
        """Return the image ``(H, W, 3)`` uint8 RGB as a new array."""
        return frame.image.copy()

    def fingerprint(self, frame: Picture) -> int:
        """Return a 32-bit checksum of an image."""
        return checksum(frame.image)

    def _unlike(self, reason: str) -> VideoError:
        return VideoError(
            f'{self.path}: damaged, or not for torchcodec: {reason}. Copy it again. '
            f'{REMEDY}'
        )


def _last_line(error: Any) -> str:
    """Return what torchcodec says; the lines before are of its source."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].rpartition('cpp')[2].strip(' :,')[:200] if lines else 'no reason'
