"""Reading the newest frames of cameras and streams."""

import subprocess
import time
from threading import Event

import numpy as np
import pytest

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import Camera, LiveVideo, LostError, live, live_source
from tests.helpers.golden import ROOT
from tests.helpers.processes import fork, free_port, wait_for
from tests.helpers.scenes import numbered_frames, numbers_of, write_video
from tests.helpers.stream_server import serve

pytest.importorskip('av')

#: The bindings of GStreamer are packages of the system.
SYSTEM_PYTHON = '/usr/bin/python3'
RTSP_SERVER = ROOT / 'tests' / 'helpers' / 'rtsp_server.py'
#: Exits with 0 if there is all that the server of the test needs.
NEEDED = """
import gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ('videotestsrc', 'jpegenc', 'rtpjpegpay')))
"""


def has_rtsp_server():
    command = [SYSTEM_PYTHON, '-c', NEEDED]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class Script:
    """A source that yields what a list of functions does."""

    name, ends = 'script', False

    def __init__(self, *connections, ends=False):
        self.connections, self.ends = list(connections), ends

    def connect(self, stop, timeout):
        yield from self.connections.pop(0)()


def images(*grays):
    for gray in grays:
        yield time.monotonic(), np.full((4, 6, 3), gray, np.uint8)


def start_server(port, rate=100.0, count=100_000, playlist=''):
    process = fork(serve, port, rate, count, playlist)
    wait_for(port)
    return process


@pytest.fixture
def rtsp_server():
    """Return what starts a server at a port, and kill all that it started."""
    caps = 'video/x-raw,format=I420,width=64,height=48,framerate=25/1'
    words = f'videotestsrc is-live=true ! {caps} ! jpegenc ! rtpjpegpay name=pay0'
    started = []

    def start(port):
        command = [SYSTEM_PYTHON, RTSP_SERVER, str(port), words]
        started.append(subprocess.Popen(command))
        wait_for(port)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_slow_reader_gets_the_newest_frame_and_no_queue():
    first, rest, last = Event(), Event(), Event()

    def frames():
        yield from images(0)
        first.wait()
        yield from images(*range(1, 200))
        rest.set()
        last.wait()
        yield from images(200)

    seen = []
    with LiveVideo(Script(frames, ends=True)) as video:
        for frame in video:
            if frame is None:
                continue
            seen.append((frame.index, int(frame.image[0, 0, 0])))
            if frame.index == 0:
                first.set()
                rest.wait()
            if frame.index == 199:
                last.set()
    assert seen == [(0, 0), (199, 199), (200, 200)]
    assert video.arrived == 201


def watch_a_restart(url, start, wait):
    """Read a stream whose server is killed after five frames; return the last image."""
    said, seen = [], []
    server, is_killed = start(), False
    with LiveVideo(url, reconnect=60, report=said.append) as video:
        for frame in video:
            if frame is None and said and is_killed:
                server, is_killed = start(), False
            if frame is None:
                continue
            seen.append(frame)
            if len(seen) == 5:
                server.kill()
                wait(server)
                is_killed = True
            if video.reopened and len(seen) > 10:
                break
    server.kill()
    wait(server)
    assert [f.index for f in seen] == sorted({f.index for f in seen})
    assert (np.diff([f.seconds for f in seen]) > 0).all()
    lost, back = said
    assert f'{url.replace("anna:secret@", "")}: lost (' in lost and 'back after' in back
    return frame.image


@pytest.mark.parametrize('path', ['mjpeg', 'ts'])
def test_a_stream_whose_server_restarts_is_opened_again(path):
    port = free_port()
    image = watch_a_restart(
        f'http://anna:secret@127.0.0.1:{port}/{path}',
        lambda: start_server(port),
        lambda server: server.join(),
    )
    assert image.shape == (48, 64, 3)


@pytest.mark.skipif(not has_rtsp_server(), reason='no GStreamer RTSP server for Python')
def test_a_camera_that_speaks_rtsp_is_opened_again(rtsp_server):
    port = free_port()
    image = watch_a_restart(
        f'rtsp://anna:secret@127.0.0.1:{port}/live',
        lambda: rtsp_server(port),
        lambda server: server.wait(),
    )
    assert image.shape == (48, 64, 3) and np.ptp(image) > 200  # color bars


def test_what_is_lost_for_too_long_is_named_without_its_password(monkeypatch):
    monkeypatch.setattr(live, 'FIRST_WAIT', 0.01)
    port = free_port()
    server = start_server(port, 0, 3)
    url = f'http://anna:secret@127.0.0.1:{port}/mjpeg'
    with LiveVideo(url, reconnect=0.1) as video, pytest.raises(InputError) as lost:
        for frame in video:
            if frame is not None:
                server.kill()
                server.join()
    assert f'http://127.0.0.1:{port}/mjpeg: lost: no frame for' in str(lost.value)
    assert 'secret' not in str(lost.value)


@pytest.mark.parametrize('path', ['none', 'mjpeg'])
def test_what_cannot_be_opened_at_first_is_not_tried_again(path):
    port = free_port()
    server = start_server(port) if path == 'none' else None
    url = f'http://anna:secret@127.0.0.1:{port}/{path}'
    with (
        LiveVideo(url, reconnect=1e6) as video,
        pytest.raises(InputError, match='no frame has arrived: cannot be read') as said,
    ):
        list(video)
    assert 'secret' not in str(said.value)
    if server is not None:
        server.kill()


def test_a_playlist_from_the_network_reads_no_files(tmp_path):
    path = write_video(tmp_path / 'secret.ts', numbered_frames(10))
    port = free_port()
    playlist = f'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\nfile://{path}\n'
    server = start_server(port, playlist=f'{playlist}#EXT-X-ENDLIST\n')
    with (
        LiveVideo(f'http://127.0.0.1:{port}/live.m3u8') as video,
        pytest.raises(InputError, match='no frame has arrived'),
    ):
        list(video)
    server.kill()


def test_times_and_size_go_on_after_a_loss(monkeypatch):
    monkeypatch.setattr(live, 'FIRST_WAIT', 0.01)
    end = Event()

    def small():
        yield from images(1)
        raise LostError('unplugged')

    def large():
        yield time.monotonic(), np.full((8, 12, 3), 2, np.uint8)
        end.wait()

    with LiveVideo(Script(small, large)) as video:
        seen = []
        for frame in video:
            if frame is not None:
                seen.append(frame)
            if len(seen) == 2:
                break
        end.set()
    assert [f.image.shape for f in seen] == [(4, 6, 3)] * 2
    assert seen[1].seconds > seen[0].seconds and video.reopened == 1


def test_a_file_is_played_by_its_times_and_ends(tmp_path):
    path = write_video(tmp_path / 'a.mp4', numbered_frames(10), fps=50)
    with LiveVideo(path) as video:
        frames = [frame for frame in video if frame is not None]
    assert video.arrived == 10 and frames[-1].seconds > 0.17
    assert numbers_of([frames[-1].image]) == [9]
    with LiveVideo(tmp_path / 'b.mp4') as video, pytest.raises(InputError) as missing:
        list(video)
    assert str(missing.value).count('b.mp4') == 1 and 'no such file' in str(missing)


def test_cameras_are_read_and_a_missing_one_is_named(tmp_path):
    # OpenCV opens a file like a camera; it is read at full speed.
    path = write_video(tmp_path / 'camera.mp4', numbered_frames(10))
    with LiveVideo(Camera(str(path)), reconnect=0) as video:
        frames = []
        with pytest.raises(InputError, match='it gives no frame any more'):
            frames += [frame for frame in video if frame is not None]
    assert video.arrived == 10
    with (
        LiveVideo(77) as video,
        pytest.raises(InputError, match=r'^camera 77: no frame has arrived: it cannot'),
    ):
        list(video)


def test_an_unknown_scheme_is_named():
    with pytest.raises(InputError, match='gopher is not a scheme of streams'):
        live_source('gopher://host/video')
    with pytest.raises(InputError, match='reconnect=-1'):
        LiveVideo(0, reconnect=-1)
