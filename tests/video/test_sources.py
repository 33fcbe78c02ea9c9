"""Frames and times of files, folders and arrays."""

import json

import cv2
import numpy as np
import pytest

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import FileVideo, find_videos, open_video, result_folders
from tests.helpers.interpreters import run_python
from tests.helpers.scenes import numbered_frames, numbers_of, write_video


def write_images(folder, count=11):
    folder.mkdir(parents=True)
    for i, frame in enumerate(numbered_frames(count)):
        cv2.imwrite(str(folder / f'{i + 1}.jpg'), frame)
    return folder


def test_arrays_and_folders_of_images_are_videos(tmp_path):
    folder = write_images(tmp_path / 'clip')
    for source in (folder, np.stack(numbered_frames(11))):
        video = open_video(source, fps=10)
        frames = list(video)
        assert video.length == len(frames) == 11
        assert numbers_of([frame.image for frame in frames]) == list(range(11))
        np.testing.assert_allclose([f.seconds for f in frames], np.arange(11) / 10)
    assert open_video(video) is video
    assert next(iter(open_video(folder, max_side=32))).image.shape == (24, 32, 3)


@pytest.mark.parametrize(
    'array',
    [
        np.zeros((4, 8, 8), np.uint8),
        np.zeros((4, 3, 8, 8), np.uint8),
        np.zeros((4, 8, 8, 3), np.float32),
    ],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(InputError, match=r'must be \(T, H, W, 3\)'):
        open_video(array)


def test_a_damaged_image_is_named(tmp_path):
    folder = write_images(tmp_path / 'clip', 3)
    (folder / '2.jpg').write_bytes(b'no image')
    with pytest.raises(InputError, match=r'2\.jpg'):
        list(open_video(folder))


def test_videos_are_found_in_folders_and_by_patterns(tmp_path):
    for name in ('b.mp4', 'a.MOV', 'notes.txt', 'c[1].mp4', '._b.mp4'):
        (tmp_path / name).touch()
    images = write_images(tmp_path / 'clips' / '00001', 2)
    a, b, c = (str(tmp_path / name) for name in ('a.MOV', 'b.mp4', 'c[1].mp4'))
    assert find_videos([tmp_path]) == [a, b, c]
    assert find_videos([f'{tmp_path}/*.mp4', a, a]) == [b, c, a]
    assert find_videos([c]) == [c]  # a file, although its name is a pattern
    assert find_videos([images]) == [str(images)]
    assert find_videos([tmp_path / 'absent.mp4']) == [str(tmp_path / 'absent.mp4')]


@pytest.mark.parametrize(
    'source, message',
    [
        ('https://example.org/a.mp4', 'a URL'),
        ('absent/*.mp4', 'no file matches'),
        ('clips', 'contains neither a video'),
    ],
)
def test_sources_without_a_video_are_named(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'clips').mkdir()
    with pytest.raises(InputError, match=message):
        find_videos([source])


def test_images_of_a_folder_are_resized_to_the_first(tmp_path):
    folder = write_images(tmp_path / '00001')
    last = sorted(folder.iterdir())[-1]
    first = next(iter(open_video(folder))).image
    cv2.imwrite(str(last), np.zeros((31, 17, 3), np.uint8))
    assert {frame.image.shape for frame in open_video(folder)} == {first.shape}


def test_results_of_two_videos_have_different_folders(tmp_path):
    (tmp_path / '3f786850').touch()
    (tmp_path / 'link.mp4').symlink_to(tmp_path / '3f786850')
    names = ['a/x.mp4', 'b/x.mov', 'x_2.mp4', str(tmp_path / 'link.mp4'), '']
    found = [path.as_posix() for path in result_folders('out', names)]
    assert found[:4] == ['out/x', 'out/x_2', 'out/x_2_2', 'out/link']


av = pytest.importorskip('av')

#: The transformation of a QuickTime header that rotates the image: 9 numbers, the first
#: of them sine and cosine in 16.16 fixed point.
UPRIGHT = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], '>i4').tobytes()
TURNED = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], '>i4').tobytes()


def turn(path):
    """Set the rotation flag of the video track, as a phone held upright does."""
    data = path.read_bytes()
    at = data.index(UPRIGHT, data.index(b'tkhd'))
    path.write_bytes(data[:at] + TURNED + data[at + len(UPRIGHT) :])


@pytest.mark.parametrize('codec', ['libx264', 'libsvtav1'])
@pytest.mark.parametrize('varying', [False, True])
def test_frames_are_yielded_once_in_order_with_their_times(tmp_path, codec, varying):
    if codec not in av.codecs_available:
        pytest.skip(f'PyAV without {codec}')
    times = [i / 25 for i in range(24)]
    if varying:
        times = np.cumsum([0.0] + [0.02, 0.1, 0.04] * 8)[:24].tolist()
    path = write_video(tmp_path / 'a.mp4', numbered_frames(24), codec, times)
    video = FileVideo(path)
    assert video.length == 24
    for _ in range(2):  # each iteration starts at the first frame
        frames = list(video)
        assert [frame.index for frame in frames] == list(range(24))
        assert numbers_of([frame.image for frame in frames]) == list(range(24))
        seconds = [frame.seconds for frame in frames]
        np.testing.assert_allclose(seconds, times, atol=0.002)


@pytest.mark.parametrize('width', [64, 66, 160])
def test_rotation_metadata_is_applied(tmp_path, width):
    """decord returns noise for rotated frames of some widths."""
    frame = np.zeros((48, width, 3), np.uint8)
    frame[:, :16] = 250, 20, 60  # left in the file, at the top after clockwise rotation
    path = write_video(tmp_path / 'a.mp4', [frame] * 3)
    turn(path)
    image = next(iter(FileVideo(path))).image
    assert image.shape == (width, 48, 3) and image.flags.c_contiguous
    np.testing.assert_allclose(image[5, 20], [250, 20, 60], atol=8)
    assert image[24:].max() < 16


def test_large_frames_are_downscaled(tmp_path):
    path = write_video(tmp_path / 'a.mp4', numbered_frames(2, (640, 320)))
    assert next(iter(FileVideo(path, max_side=128))).image.shape == (64, 128, 3)


def audio(path):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=44100, layout='mono')
        sound = np.zeros((1, 44100), np.float32)
        frame = av.AudioFrame.from_ndarray(sound, 'fltp', 'mono')
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def cut_short(path):
    write_video(path, numbered_frames(8))
    path.write_bytes(path.read_bytes()[:-800])


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda path: None, 'no such file'),
        (lambda path: path.touch(), 'an empty file'),
        (lambda path: path.write_text('hello\n' * 999), 'no video, cut off'),
        (cut_short, 'cut off: its header promises'),
        (audio, 'no picture'),
    ],
)
def test_other_files_raise_an_error_of_one_line(tmp_path, make, message):
    path = tmp_path / 'a.mp4'
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        FileVideo(path)
    assert str(path) in str(caught.value) and '\n' not in str(caught.value)


def test_the_position_of_damage_is_named(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(60)]
    path = write_video(tmp_path / 'a.mp4', noise)
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r'damaged.*from frame \d+ \(second') as caught:
        list(FileVideo(path))
    assert '\n' not in str(caught.value)


def test_without_pyav_the_error_names_what_to_install(tmp_path):
    path = write_video(tmp_path / 'a.mp4', numbered_frames(5))
    code = f"""
import json, sys
sys.modules['av'] = sys.modules['torchcodec'] = None
from ifdd_mmaction.datasets.storage import VideoClipSource
from ifdd_mmaction.video import FileVideo, h264_encoder
for read in (FileVideo, lambda path: len(VideoClipSource(path))):
    try:
        read({str(path)!r})
    except ValueError as error:
        print(json.dumps([h264_encoder(), str(error)]))
"""
    result = run_python(['-W', 'ignore', '-c', code])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 2 and lines[0] == lines[1]
    encoder, error = lines[0]
    assert encoder is None and 'pip install "av>=17.1"' in error


def test_a_raw_stream_without_times_gets_those_of_its_rate(tmp_path):
    path = tmp_path / 'a.h264'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for image in numbered_frames(6, (64, 48)):
            frame = av.VideoFrame.from_ndarray(image, 'rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    seconds = [frame.seconds for frame in FileVideo(path)]
    np.testing.assert_allclose(seconds, np.arange(6) / 30)


def test_concatenated_streams_have_one_size_and_ascending_times(tmp_path):
    """Browsers change the size while they record."""
    parts = []
    for size in [(64, 48), (128, 96)]:
        part = tmp_path / f'{size[0]}.ts'
        write_video(part, numbered_frames(5, size))
        parts.append(part.read_bytes())
    path = tmp_path / 'a.ts'
    path.write_bytes(b''.join(parts))
    frames = list(FileVideo(path))
    assert len(frames) == 10
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert (np.diff([frame.seconds for frame in frames]) >= 0).all()
