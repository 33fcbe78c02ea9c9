"""A camera in the network: an HTTP server that sends a stream while it is read.

    python tests/helpers/stream_server.py PORT FRAMES_PER_SECOND COUNT

``/mjpeg`` sends JPEG images and ``/ts`` H.264 in MPEG-TS: COUNT frames that encode
their number, each at its time; 0 frames per second sends them at once.
"""

from __future__ import annotations

import io
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

SIZE = 64, 48


def gray(number: int) -> np.ndarray:
    """Return frame ``(48, 64, 3)`` of a number; 35 brightnesses take turns."""
    return np.full((SIZE[1], SIZE[0], 3), 20 + 6 * (number % 35), np.uint8)


class Handler(BaseHTTPRequestHandler):
    """Sends a stream to each who asks."""

    rate, count, playlist = 25.0, 10, ''

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a request."""
        if self.path not in ('/mjpeg', '/ts', '/live.m3u8'):
            self.send_error(404)
            return
        if self.path == '/live.m3u8':
            self.send_response(200)
            self.send_header('Content-Type', 'application/vnd.apple.mpegurl')
            self.end_headers()
            self.wfile.write(self.playlist.encode())
            return
        self.send_response(200)
        if self.path == '/mjpeg':
            kind, parts = 'multipart/x-mixed-replace; boundary=frame', jpegs(self.count)
        else:
            kind, parts = 'video/mp2t', packets(self.count)
        self.send_header('Content-Type', kind)
        self.end_headers()
        start = time.monotonic()
        try:
            for number, part in enumerate(parts):
                if self.rate:
                    time.sleep(max(0, start + number / self.rate - time.monotonic()))
                self.wfile.write(part)
        except OSError:  # the reader has gone
            return


def jpegs(count: int):
    """Yield the parts of ``/mjpeg``."""
    import cv2

    for number in range(count):
        data = cv2.imencode('.jpg', gray(number))[1].tobytes()
        head = f'--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}'
        yield head.encode() + b'\r\n\r\n' + data + b'\r\n'


def packets(count: int):
    """Yield the parts of ``/ts``."""
    import av

    file = io.BytesIO()
    options = {'preset': 'ultrafast', 'tune': 'zerolatency', 'g': '10'}
    with av.open(file, 'w', format='mpegts', options={'flush_packets': '1'}) as out:
        stream = out.add_stream('libx264', rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, 'yuv420p'
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(gray(number), 'rgb24')
            out.mux(stream.encode(frame))
            yield file.getvalue()
            file.seek(0)
            file.truncate()
        out.mux(stream.encode())
    yield file.getvalue()


def serve(port: int, rate: float, count: int, playlist: str = '') -> None:
    """Serve until the process is killed; ``/live.m3u8`` is the given playlist."""
    Handler.rate, Handler.count, Handler.playlist = rate, count, playlist
    ThreadingHTTPServer(('127.0.0.1', port), Handler).serve_forever()


if __name__ == '__main__':
    serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
