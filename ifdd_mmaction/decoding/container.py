"""Open a video file with PyAV, and what can go wrong in that."""

from __future__ import annotations

import os
import stat
from types import ModuleType
from typing import Any

from .promise import what_is_missing


class VideoError(ValueError):
    """A file cannot be read as a video; one line names it and says what to do."""


class StuckError(VideoError):
    """A file gives no frame for too long.

    Args:
        path: The file.
        message: The line that names it.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path

    def __str__(self) -> str:
        return str(self.args[1])


#: What FFmpeg may take a file for: videos. Not lists of other files and addresses
#: (playlists, ``concat``), nor numbered images.
FORMATS = (
    'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,asf_o,flv,live_flv,mpegts,mpeg,'
    'mpegvideo,ogg,gif,h264,hevc,vvc,av1,obu,ivf,m4v,mjpeg,dv,mxf,nut,rm,swf,wtv,'
    'yuv4mpegpipe,h263,vc1,vc1test,nsv,bink,smk,dirac,cavsvideo,apng,webp_anim'
)
#: Bits of AVStream.disposition: the stream to show first, a picture of the cover, small
#: pictures for a player's bar.
DEFAULT, ATTACHED_PICTURE, TIMED_THUMBNAILS = 0x1, 0x400, 0x800


def pyav() -> ModuleType:
    """Return PyAV, imported when it is first needed.

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
    """Refuse what cannot be a whole video, before it is opened.

    Raises:
        VideoError: If it is absent, no file, empty, or cut off.
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
        VideoError: If it is no video that FFmpeg knows.
    """
    av = pyav()
    options = {'protocol_whitelist': 'file', 'format_whitelist': FORMATS}
    try:
        # Without the protocol a name such as 10:11.mp4 would be an address.
        return av.open(f'file:{path}', options=options)
    except (av.error.FFmpegError, UnicodeError, ValueError) as error:
        raise VideoError(
            f'{path}: no video, cut off, or of an unknown kind: {_reason(error)}'
        ) from error


def choose_stream(path: str, container: Any) -> Any:
    """Return the stream that FFmpeg takes: the default one, or the largest.

    Raises:
        VideoError: If none is a film.
    """
    films = [
        stream
        for stream in container.streams.video
        if not stream.disposition.value & (ATTACHED_PICTURE | TIMED_THUMBNAILS)
    ]
    if not films:
        raise VideoError(
            f'{path}: has no picture, only sound, a cover or other streams'
        )
    film = max(films, key=_rank)
    if film.codec_context is None:
        raise VideoError(
            f'{path}: FFmpeg has no decoder for it: re-encode it, for instance to H.264'
        )
    return film


def _rank(stream: Any) -> int:
    """Return by what FFmpeg chooses: the pixels, and 5 million for the default one."""
    context = stream.codec_context
    area = context.width * context.height if context else 0
    return area + 5_000_000 * (stream.disposition.value & DEFAULT)


def _reason(error: Exception) -> str:
    return getattr(error, 'strerror', None) or str(error)
