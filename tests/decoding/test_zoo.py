"""All entrances give FFmpeg's frames of every kind of file, or refuse alike."""

import random

import numpy as np
import pytest

from ifdd_mmaction.datasets.storage import VideoClipSource
from tests.helpers.video_entrances import (
    TOLERANCE,
    difference,
    extract,
    gray,
    read_everywhere,
)
from tests.helpers.video_zoo import (
    CUT_OFF,
    FFMPEG,
    MATRICES,
    NAMES,
    ZOO,
    encode,
    h264,
    set_matrix,
    true_frames,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FFMPEG, reason='no program ffmpeg'),
]
#: Kinds whose colors the scaler interpolates.
INTERPOLATED = ('10 bit', 'pixels', 'size', 'H.263')


def make(kind, tmp_path):
    try:
        return ZOO[kind](tmp_path / 'video')
    except RuntimeError as error:
        pytest.skip(f'this ffmpeg cannot make it: {error}')


@pytest.mark.parametrize('kind', ZOO)
def test_every_entrance_gives_the_frames_of_ffmpeg(kind, tmp_path):
    path = make(kind, tmp_path)
    frames = read_everywhere(path)
    assert not isinstance(frames, str), frames
    seen = difference(frames, true_frames(path))
    assert seen <= (TOLERANCE if any(k in kind for k in INTERPOLATED) else 0)
    rng = random.Random(kind)
    total = len(frames)
    for _ in range(6):
        start = rng.randrange(total)
        window = [min(start + i, total - 1) for i in range(8)]
        spread = rng.sample(range(total), min(4, total))
        for wanted in (window, spread):  # a fresh reader, as in training
            images = VideoClipSource(path).read(wanted)
            assert np.array_equal(np.stack(images), frames[wanted])


@pytest.mark.parametrize('kind', ['MPEG-4 ASP in avi', 'cut at 3.2 s', 'turned 90'])
def test_extracted_frames_are_those_of_ffmpeg(kind, tmp_path):
    path = make(kind, tmp_path)
    true = gray(true_frames(path))
    found = extract(path)
    assert found.shape == true.shape
    assert np.abs(found.astype(int) - true).mean() < 3


@pytest.mark.parametrize('kind', CUT_OFF)
def test_a_cut_off_file_is_refused_or_read_as_ffmpeg_reads_it(kind, tmp_path):
    path = make(kind, tmp_path)
    data = path.read_bytes()
    makes_no_promise = path.suffix in ('.ts', '.ogv', '.mpg')
    for tenth in range(1, 10):
        part = tmp_path / f'{tenth}{path.suffix}'
        part.write_bytes(data[: len(data) * tenth // 10])
        frames = read_everywhere(part)
        if isinstance(frames, str):
            assert str(part) in frames and '\n' not in frames
            assert makes_no_promise or ': cut off: ' in frames
        else:
            assert makes_no_promise
            # FFmpeg guesses what is missing of the last frame, each version otherwise.
            true = true_frames(part)
            assert len(frames) == len(true)
            assert len(frames) == 1 or difference(frames[:-1], true[:-1]) == 0


def test_a_damaged_first_key_frame_is_not_passed_over(tmp_path):
    """What can be decoded begins later: the first frames would be left out."""
    path = make('VP9 in webm', tmp_path)
    data = bytearray(path.read_bytes())
    block = data.index(b'\xa3', data.index(b'\x1f\x43\xb6\x75'))  # of a cluster
    data[block + 8 : block + 14] = bytes(6)
    path.write_bytes(data)
    assert 'damaged or ends early: cannot be decoded from frame 0' in (
        read_everywhere(path)
    )


@pytest.mark.parametrize('name', NAMES)
def test_a_file_may_have_any_name(name, tmp_path, monkeypatch):
    plain = encode('.mp4', *h264(), seconds=0.4)(tmp_path / 'plain')
    true = true_frames(plain)
    monkeypatch.chdir(tmp_path)
    plain.rename(name)
    assert np.array_equal(read_everywhere(name), true)


@pytest.mark.parametrize('matrix', [
    (0.7071, 0.7071, -0.7071, 0.7071), (1, 0.5, 0, 1), (0, 1, 0, 1),
])  # fmt: skip
def test_a_slanted_picture_is_refused(matrix, tmp_path):
    path = encode('.mp4', *h264(), seconds=0.4)(tmp_path / 'video')
    set_matrix(path, matrix)
    assert 'an angle that is not a right one' in read_everywhere(path)


def test_a_matrix_without_meaning_is_ignored_as_ffmpeg_ignores_it(tmp_path):
    path = encode('.mp4', *h264(), seconds=0.4)(tmp_path / 'video')
    set_matrix(path, (0, 0, 0, 0))
    assert difference(read_everywhere(path), true_frames(path)) == 0


def test_all_matrices_differ(tmp_path):
    """What the zoo compares is not the same picture eight times."""
    path = encode('.mp4', *h264(), seconds=0.4)(tmp_path / 'video')
    seen = {read_everywhere(path)[0].tobytes()}
    for name, matrix in MATRICES.items():
        turned = tmp_path / f'{name}.mp4'
        turned.write_bytes(path.read_bytes())
        set_matrix(turned, matrix)
        seen.add(read_everywhere(turned)[0].tobytes())
    assert len(seen) == 8


def test_a_face_of_wide_pixels_is_not_squashed(tmp_path):
    """256 x 256 in the display, stored as 180 x 256 pixels."""
    options = h264('-vf', 'scale=180:256,setsar=64/45')
    path = encode('.mp4', *options, seconds=0.2, size='256x256')(tmp_path / 'video')
    assert read_everywhere(path).shape[1:] == (256, 256, 3)


@pytest.mark.parametrize('content, message', [
    (b'', 'empty file'),
    (b'no video\n' * 99, 'no video'),
    (b'ffconcat version 1.0\nfile other.mp4\n', 'no video'),
    (b'#EXTM3U\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n', 'no video'),
])  # fmt: skip
def test_what_is_no_video_is_refused_alike(content, message, tmp_path):
    """A list of other files neither, though FFmpeg would read those."""
    encode('.mp4', *h264(), seconds=0.2)(tmp_path / 'other')
    path = tmp_path / 'video.mp4'
    path.write_bytes(content)
    refusal = read_everywhere(path)
    assert isinstance(refusal, str) and refusal.startswith(f'{path}: ')
    assert message in refusal and '\n' not in refusal
