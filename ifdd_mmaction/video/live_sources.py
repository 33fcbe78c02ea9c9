"""Connections to cameras, network streams, and files that are played as a stream."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from threading import Event
from typing import Any, Protocol
from urllib.parse import urlsplit

import cv2
import numpy as np

from ..decoding.container import (
    FORMATS,
    VideoError,
    check_file,
    choose_stream,
    open_container,
    pyav,
)
from ..decoding.rgb import geometry_of, to_rgb
from ..errors import InputError

#: Protocols of streams. Not ``file``: a playlist from the network must not read files.
SCHEMES = ('rtsp', 'rtsps', 'http', 'https', 'rtmp', 'rtmps', 'udp', 'rtp', 'srt')
PROTOCOLS = 'rtsp,rtsps,rtp,http,https,httpproxy,rtmp,rtmps,udp,tcp,tls,srt,crypto'
#: How FFmpeg opens a stream: RTSP over TCP, which loses no packets, and no more input
#: before the first frame than is needed to know the format.
OPTIONS = dict(
    protocol_whitelist=PROTOCOLS,
    format_whitelist=f'{FORMATS},rtsp,sdp,rtp,hls,mpjpeg',
    rtsp_transport='tcp',
    fflags='nobuffer',
    analyzeduration='1000000',
)


#: Time of ``time.monotonic``, and image ``(H, W, 3)`` uint8 RGB.
Arrival = tuple[float, np.ndarray]


class LostError(Exception):
    """A connection cannot be opened, or ended; the message is the reason."""


class LiveSource(Protocol):
    """A camera or stream that can be connected to, again and again.

    Attributes:
        name: Its number, path or URL, without user and password.
        ends: Whether its end is expected, as that of a file.
    """

    name: str
    ends: bool

    def connect(self, stop: Event, timeout: float) -> Iterator[Arrival]:
        """Yield the arrival time and the image of each frame.

        Args:
            stop: Ends the iteration when it is set.
            timeout: Seconds without data after which a stream is lost.

        Raises:
            LostError: If it cannot be connected to, or the connection is lost.
        """


class Camera:
    """A camera of this computer.

    Args:
        number: Its number, from 0; or a device that OpenCV opens, as /dev/video2.

    Example:
        >>> from ifdd_mmaction.video import Camera
        >>> Camera(0).name
        'camera 0'
    """

    ends = False

    def __init__(self, number: int | str) -> None:
        self.number = number
        self.name = f'camera {number}'

    def connect(self, stop: Event, timeout: float) -> Iterator[Arrival]:
        """Yield the frames ``(H, W, 3)``; see :class:`LiveSource`.

        Raises:
            LostError: If it cannot be opened, or gives no frame.
        """
        capture = cv2.VideoCapture(self.number)
        try:
            # The driver's queue would add the delay of its frames.
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            while not stop.is_set():
                if not capture.isOpened():
                    raise LostError(
                        f'it cannot be opened: check the number {self.number}'
                    )
                if not capture.grab():
                    raise LostError(
                        f'it gives no frame any more: is {self.number} there?'
                    )
                arrival = time.monotonic()
                ok, image = capture.retrieve()
                if ok:
                    yield arrival, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        finally:
            capture.release()


class Stream:
    """A stream from the network, or a file that is played like one, by PyAV.

    Args:
        url: URL with a scheme of :data:`SCHEMES`, or the path of a file. A file, and a
            recording that a server sends, is played by its own times; what has no
            known length is read as it comes.

    Raises:
        InputError: If the URL has another scheme.

    Example:
        >>> from ifdd_mmaction.video import Stream
        >>> Stream('rtsp://anna:secret@10.0.0.7:554/live').name
        'rtsp://10.0.0.7:554/live'
    """

    def __init__(self, url: str | os.PathLike) -> None:
        self._url = os.fspath(url)
        self.is_file = '://' not in self._url
        self.name = self._url if self.is_file else without_password(self._url)
        self.ends = self.is_file
        scheme = urlsplit(self._url).scheme
        if not self.is_file and scheme not in SCHEMES:
            raise InputError(
                f'{self.name}: {scheme} is not a scheme of streams: use one of '
                f'{", ".join(SCHEMES)}'
            )

    def connect(self, stop: Event, timeout: float) -> Iterator[Arrival]:
        """Yield the frames ``(H, W, 3)``; see :class:`LiveSource`.

        Raises:
            LostError: If it cannot be opened, or the connection is lost.
        """
        try:
            container = self._open(timeout)
            with container:
                yield from self._frames(container, stop, timeout)
        except VideoError as error:
            raise LostError(str(error).removeprefix(f'{self.name}: ')) from error
        except pyav().error.FFmpegError as error:
            # Its whole text has the URL, with a password.
            reason = error.strerror or type(error).__name__
            raise LostError(f'cannot be read: {reason}') from error

    def _open(self, timeout: float) -> Any:
        if self.is_file:
            check_file(self._url)
            return open_container(self._url)
        container = pyav().open(
            self._url, options=OPTIONS, timeout=(timeout, timeout), buffer_size=2**16
        )
        self.ends = bool(container.duration and container.duration > 0)
        return container

    def _frames(self, container: Any, stop: Event, timeout: float) -> Iterator[Arrival]:
        stream = choose_stream(self.name, container)
        # More threads would hold back a frame each.
        stream.codec_context.thread_count = 1
        geometry, started, last = None, None, time.monotonic()
        for packet in container.demux(stream):
            if self.ends and packet.dts is not None:
                due = float(packet.dts * packet.time_base)
                started = time.monotonic() - due if started is None else started
                stop.wait(max(0.0, started + due - time.monotonic()))
            arrival = time.monotonic()
            if stop.is_set():
                return
            try:
                decoded = packet.decode()
            except pyav().error.InvalidDataError:
                decoded = []  # a damaged packet; the next key frame repairs it
            for frame in decoded:
                last = arrival
                geometry = geometry or geometry_of(
                    frame, stream.sample_aspect_ratio, self.name
                )
                yield arrival, to_rgb(frame, geometry)
            if arrival - last > timeout:
                raise LostError(f'no frame could be decoded for {timeout:g} s')


def without_password(url: str) -> str:
    """Return a URL without user and password.

    Example:
        >>> from ifdd_mmaction.video.live_sources import without_password
        >>> without_password('rtsp://anna:secret@10.0.0.7:554/live')
        'rtsp://10.0.0.7:554/live'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()


def live_source(source: int | str | os.PathLike) -> LiveSource:
    """Return the camera of a number, or the stream of a URL or file.

    Raises:
        InputError: If the URL has another scheme than those of :data:`SCHEMES`.

    Example:
        >>> from ifdd_mmaction.video import live_source
        >>> live_source(0).name, live_source('rtsp://anna:secret@10.0.0.7/live').name
        ('camera 0', 'rtsp://10.0.0.7/live')
    """
    return Camera(source) if isinstance(source, int) else Stream(source)
