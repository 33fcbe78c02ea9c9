import numpy as np
import pytest

from ifdd_mmaction.video import FileVideo, VideoWriter, writer
from tests.helpers.scenes import numbered_frames, numbers_of

av = pytest.importorskip('av')


@pytest.mark.parametrize('encoder', ['H.264', 'OpenCV'])
def test_written_frames_are_read_back(tmp_path, monkeypatch, encoder):
    if encoder == 'OpenCV':
        monkeypatch.setattr(writer, 'h264_encoder', lambda: None)
    frames = numbered_frames(20, (65, 49))  # H.264 needs even sides
    path = tmp_path / 'new' / 'a.mp4'
    with VideoWriter(path, (65, 49), fps=20) as video:
        for i, frame in enumerate(frames):
            video.write(frame, i / 20)
    assert video.browsers_play is (encoder == 'H.264')
    read = list(FileVideo(path))
    # OpenCV's encoder has no lossless setting.
    numbers = np.array(numbers_of([frame.image for frame in read]))
    assert len(numbers) == 20 and abs(numbers - np.arange(20)).max() <= 1
    assert read[0].image.shape == (48, 64, 3)
    np.testing.assert_allclose([f.seconds for f in read], np.arange(20) / 20, atol=1e-3)
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert codec.name == ('h264' if encoder == 'H.264' else 'mpeg4')
        assert codec.pix_fmt == 'yuv420p'


def test_times_are_kept_where_the_rate_varies(tmp_path):
    times = np.cumsum([0.0, 0.02, 0.3, 0.04, 0.04]).tolist()
    with VideoWriter(tmp_path / 'a.mp4', (64, 48)) as video:
        for frame, time in zip(numbered_frames(5), times, strict=True):
            video.write(frame, time)
    read = [frame.seconds for frame in FileVideo(tmp_path / 'a.mp4')]
    np.testing.assert_allclose(read, times, atol=1e-3)


def test_an_error_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'old')
    with pytest.raises(RuntimeError), VideoWriter(path, (64, 48)) as video:
        video.write(numbered_frames(1)[0], 0)
        raise RuntimeError
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_times_are_kept_to_a_frame_where_the_rate_is_constant(tmp_path, monkeypatch):
    """A camera of 5 frames per second is not played at 25."""
    monkeypatch.setattr(writer, 'h264_encoder', lambda: None)
    times = [0.0, 0.2, 0.21, 0.8]
    with VideoWriter(tmp_path / 'a.mp4', (64, 48), fps=25) as video:
        for gray, time in zip([0, 80, 160, 240], times, strict=True):
            video.write(np.full((48, 64, 3), gray, np.uint8), time)
    read = list(FileVideo(tmp_path / 'a.mp4'))
    assert len(read) == 21
    grays = [round(frame.image.mean() / 80) * 80 for frame in read]
    assert grays == [0] * 5 + [160] * 15 + [240]
