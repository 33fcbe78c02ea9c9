"""Opening a video file with PyAV, and the errors of reading one."""

from __future__ import annotations

import os
import stat
from types import ModuleType
from typing import Any

from .truncation import what_is_missing


class VideoError(ValueError):
    """A file cannot be read as a video; the message names it and what to do."""


class StuckError(VideoError):
    """Decoding a frame of a file takes too long.

    Args:
        path: The file.
        message: The message.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path

    def __str__(self) -> str:
        return str(self.args[1])


#: Formats that FFmpeg may detect: videos. Not lists of other files and addresses
#: (playlists, ``concat``), nor numbered images.
FORMATS = (
    'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,asf_o,flv,live_flv,mpegts,mpeg,'
    'mpegvideo,ogg,gif,h264,hevc,vvc,av1,obu,ivf,m4v,mjpeg,dv,mxf,nut,rm,swf,wtv,'
    'yuv4mpegpipe,h263,vc1,vc1test,nsv,bink,smk,dirac,cavsvideo,apng,webp_anim'
)
#: Bits of AVStream.disposition: the default stream, a cover picture, thumbnails.
DEFAULT, ATTACHED_PICTURE, TIMED_THUMBNAILS = 0x1, 0x400, 0x800


def pyav() -> ModuleType:
    """Import PyAV and return it.

    Raises:
        VideoError: If it is not installed, or does not load.
    """
    try:
        import av
    except ImportError as error:
        raise VideoError(
            f'reading videos needs PyAV: pip install "av>=17.1" ({error})'
        ) from error
    return av


def check_file(path: str) -> None:
    """Refuse a file that cannot be a complete video, before it is opened.

    Raises:
        VideoError: If it is missing, not a file, empty, or truncated.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f'{path}: no file')
        if not status.st_size:
            raise VideoError(f'{path}: an empty file, no video: copy it again')
        missing = what_is_missing(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VideoError(f'{path}: no such file') from error
    except (OSError, ValueError) as error:
        if isinstance(error, VideoError):
            raise
        reason = getattr(error, 'strerror', None) or error
        raise VideoError(f'{path}: cannot be read: {reason}') from error
    if missing:
        raise VideoError(
            f'{path}: cut off: {missing}: copy it again, or keep what is there (ffmpeg '
            '-i OLD -c copy NEW)'
        )


def open_container(path: str) -> Any:
    """Open a file with PyAV.

    Raises:
        VideoError: If it is not a video of a format in :data:`FORMATS`.
    """
    av = pyav()
    options = {'protocol_whitelist': 'file', 'format_whitelist': FORMATS}
    try:
        # Without the protocol, a name such as 10:11.mp4 would be read as an address.
        return av.open(f'file:{path}', options=options)
    except (av.error.FFmpegError, UnicodeError, ValueError) as error:
        raise VideoError(
            f'{path}: no video, cut off, or of an unknown kind: {_reason(error)}'
        ) from error


def choose_stream(path: str, container: Any) -> Any:
    """Return the video stream that FFmpeg takes: the default one, or the largest.

    Raises:
        VideoError: If there is no video stream, or no decoder for it.
    """
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition.value & (ATTACHED_PICTURE | TIMED_THUMBNAILS)
    ]
    if not streams:
        raise VideoError(
            f'{path}: has no picture, only sound, a cover or other streams'
        )
    chosen = max(streams, key=_rank)
    if chosen.codec_context is None:
        raise VideoError(
            f'{path}: FFmpeg has no decoder for it: re-encode it, for instance to H.264'
        )
    return chosen


def _rank(stream: Any) -> int:
    """Return FFmpeg's score of a stream: its pixels, plus 5 million if default."""
    context = stream.codec_context
    area = context.width * context.height if context else 0
    return area + 5_000_000 * (stream.disposition.value & DEFAULT)


def _reason(error: Exception) -> str:
    return getattr(error, 'strerror', None) or str(error)
