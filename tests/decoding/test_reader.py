"""How frames are found by their index, and what is kept of a video."""

import os
import random

import numpy as np
import pytest

from ifdd_mmaction.decoding import VideoError, VideoReader, index, truncation
from ifdd_mmaction.decoding.pyav_decoder import PyAVVideo
from tests.helpers.scenes import numbered_frames, numbers_of, write_video


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / 'a.mp4', numbered_frames(30))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of its own."""
    monkeypatch.setenv(index.FOLDER, str(tmp_path / 'cache'))
    forget(monkeypatch)
    return tmp_path / 'cache'


def forget(monkeypatch):
    """Have a process that knows no video yet."""
    monkeypatch.setattr('ifdd_mmaction.decoding.reader.cache', index.IndexCache())


@pytest.fixture
def decoded(monkeypatch):
    """A list that gets a path whenever a video is decoded from its beginning."""
    frames, seen = PyAVVideo.frames, []

    def note(self):
        seen.append(self.path)
        return frames(self)

    monkeypatch.setattr(PyAVVideo, 'frames', note)
    return seen


def test_a_video_is_decoded_whole_only_once(video, folder, decoded, monkeypatch):
    for _ in range(3):
        assert numbers_of(VideoReader(video).read([7, 3])) == [7, 3]
        assert len(VideoReader(video)) == 30
    assert len(decoded) == 1
    forget(monkeypatch)  # another process
    assert numbers_of(VideoReader(video).read([29])) == [29]
    assert len(decoded) == 1


def test_a_video_that_is_replaced_is_decoded_again(video, folder, decoded):
    assert len(VideoReader(video)) == 30
    write_video(video, numbered_frames(12))
    assert len(VideoReader(video)) == 12
    assert len(decoded) == 2


@pytest.mark.parametrize(
    'damage', ['cut', 'changed', 'empty', 'other form', 'a folder']
)
def test_a_damaged_cache_is_written_again(video, folder, damage, monkeypatch, decoded):
    len(VideoReader(video))
    (file,) = [path for path in folder.rglob('*') if path.is_file()]
    data = file.read_bytes()
    if damage == 'a folder':
        file.unlink()
        (file / 'inside').mkdir(parents=True)
    else:
        file.write_bytes(
            {
                'cut': data[:-9],
                'changed': data[:200] + bytes([data[200] ^ 1]) + data[201:],
                'empty': b'',
                'other form': b'[1]\n' + data,
            }[damage]
        )
    forget(monkeypatch)
    assert numbers_of(VideoReader(video).read([9])) == [9]
    assert len(decoded) == 2
    if damage != 'a folder':
        assert file.read_bytes() == data


def test_without_a_place_for_a_cache_frames_are_read(video, monkeypatch, tmp_path):
    (tmp_path / 'file').touch()
    monkeypatch.setenv(index.FOLDER, str(tmp_path / 'file'))
    forget(monkeypatch)
    assert numbers_of(VideoReader(video).read([9])) == [9]


def test_memory_of_indexes_is_bounded(video, folder, monkeypatch, tmp_path):
    monkeypatch.setattr(index, 'IN_MEMORY', 70)
    cache = index.IndexCache()
    monkeypatch.setattr('ifdd_mmaction.decoding.reader.cache', cache)
    for number in range(4):
        path = tmp_path / f'{number}.mp4'
        path.write_bytes(video.read_bytes())
        len(VideoReader(path))
        len(VideoReader(path))
    assert len(cache._memory) == 2 and cache._frames == 60


def test_a_frame_that_is_not_the_one_asked_for_is_noticed(video, folder, decoded):
    """A seek that leads elsewhere costs time, never a wrong frame."""
    reader = VideoReader(video)
    right = reader.read(range(30))
    reader.index.places = np.array([3, 5, 999_999])  # no key frame is there
    assert all(map(np.array_equal, reader.read(range(30)), right))
    assert len(decoded) == 2
    reader.index.prints = reader.index.prints + np.uint32(1)  # no frame has these
    assert all(map(np.array_equal, reader.read(range(30)), right))
    assert all(map(np.array_equal, reader.read(range(30)), right))
    assert len(decoded) == 5  # once to see it, once for a new index, once to read


def test_a_video_that_gives_other_frames_each_time_is_refused(video, monkeypatch):
    """As damaged files do of some codecs, from memory that held something else."""
    numbers = iter(range(10**6))
    monkeypatch.setattr(PyAVVideo, 'fingerprint', lambda *_: next(numbers))
    with pytest.raises(VideoError, match=r'a\.mp4: damaged: decoding it gives other'):
        VideoReader(video).read([3])


def test_frames_may_be_asked_for_in_any_order_and_again(video, folder):
    rng = random.Random(0)
    for _ in range(20):
        wanted = [rng.randrange(30) for _ in range(8)]
        images = VideoReader(video).read(wanted)
        assert numbers_of(images) == wanted
        for number, image in enumerate(images):  # each has memory of its own
            assert image.flags.owndata and image.flags.writeable
            image[:] = number
        assert [image[0, 0, 0] for image in images] == list(range(8))
    assert VideoReader(video).read([]) == []


@pytest.mark.parametrize('wanted', [[30], [-1], [0, 99]])
def test_frames_that_are_not_there_are_refused(video, folder, wanted):
    with pytest.raises(VideoError, match=r'a\.mp4: ends after 30 frames, frame -?\d+'):
        VideoReader(video).read(wanted)


def test_reading_in_order_may_be_left_and_begun_again(video):
    reader = VideoReader(video)
    for stop in (1, 16, 17):
        frames = reader.each(lambda seconds, image: (seconds, image))
        seconds, images = zip(*(next(frames) for _ in range(stop)), strict=True)
        assert numbers_of(images) == list(range(stop))
        np.testing.assert_allclose(seconds, np.arange(stop) / 25, atol=1e-3)


@pytest.mark.parametrize('make, message', [
    (lambda path: None, 'no such file'),
    (lambda path: path.mkdir(), 'no file'),
    (lambda path: os.mkfifo(path), 'no file'),
    (lambda path: path.touch(), 'an empty file'),
])  # fmt: skip
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, make, message):
    path = tmp_path / 'a.mp4'
    make(path)
    for read in (len, lambda reader: reader.read([0]), lambda r: list(r.each(max))):
        with pytest.raises(VideoError, match=rf'a\.mp4: {message}'):
            read(VideoReader(path))


def box(name, content=b'', size=None, wide=False):
    size = len(content) + (16 if wide else 8) if size is None else size
    if wide:
        return b'\0\0\0\1' + name + size.to_bytes(8, 'big') + content
    return size.to_bytes(4, 'big') + name + content


EBML_HEAD = truncation.EBML + b'\x83abc'
GOOD = {
    'nothing known': b'\x47' * 400,
    'mp4': box(b'ftyp', b'isom') + box(b'mdat', b'12345') + box(b'moov', b'1'),
    'mp4, 64 bit': box(b'ftyp') + box(b'mdat', b'12345', wide=True),
    'mp4, last box to the end': box(b'ftyp') + box(b'mdat', b'x' * 99, size=0),
    'mp4, then zeros': box(b'ftyp', b'x' * 20) + bytes(99),
    'mp4, then something else': box(b'ftyp', b'x' * 20) + b'\xff' * 4 + b'SEFT' * 9,
    'avi': b'RIFF' + (20).to_bytes(4, 'little') + b'AVI ' + b'x' * 16,
    'avi, two parts': 2 * (b'RIFF' + (16).to_bytes(4, 'little') + b'AVI ' + b'x' * 12),
    'avi, then something else': b'RIFF\x10\0\0\0AVI ' + b'x' * 12 + b'JUNK\xff\xff',
    'avi, recorder switched off': b'RIFF\0\0\0\0AVI ' + b'x' * 99,
    'mkv': EBML_HEAD + truncation.SEGMENT + b'\x83abc',
    'mkv, 8 bytes of size': EBML_HEAD + truncation.SEGMENT + b'\1\0\0\0\0\0\0\3abc',
    'webm, live': EBML_HEAD + truncation.SEGMENT + b'\1' + b'\xff' * 7 + b'abc',
    'webm, live, short': EBML_HEAD + truncation.SEGMENT + b'\xffabc',
    'wmv': truncation.ASF + (30).to_bytes(8, 'little') + b'x' * 6,
    'flv': b'FLV\1' + bytes(20) + b'duration\0' + bytes(8),
    'flv, its size': b'FLV\1\0\0\0\0\0filesize\0' + np.array(60, '>f8').tobytes()
    + bytes(34),
    'flv, no number': b'FLV\1filesize\0' + np.array(np.nan, '>f8').tobytes(),
    'gif': b'GIF89a' + b'x' * 20 + b';',
    'gif, then zeros': b'GIF89a' + b'x' * 20 + b';\0\0',
}  # fmt: skip


@pytest.mark.parametrize('kind', GOOD)
def test_a_whole_file_is_not_refused(tmp_path, kind):
    path = tmp_path / 'a'
    path.write_bytes(GOOD[kind])
    assert truncation.what_is_missing(path) == ''


@pytest.mark.parametrize('kind, cut', [
    (box(b'ftyp') + box(b'mdat', b'x' * 99), 40),
    (box(b'ftyp') + box(b'mdat', b'x' * 99, wide=True), 40),
    (b'RIFF' + (90).to_bytes(4, 'little') + b'AVI ' + b'x' * 86, 40),
    (2 * (b'RIFF' + (90).to_bytes(4, 'little') + b'AVI ' + b'x' * 86), 140),
    (EBML_HEAD + truncation.SEGMENT + b'\xd0' + b'x' * 80, 40),
    (truncation.ASF + (90).to_bytes(8, 'little') + b'x' * 66, 40),
    (b'FLV\1\0\0\0\0\0filesize\0' + np.array(90, '>f8').tobytes() + bytes(64), 50),
    (b'GIF89a' + b'x' * 20 + b';', 20),
])  # fmt: skip
def test_a_part_of_a_file_does_not(tmp_path, kind, cut):
    path = tmp_path / 'a'
    path.write_bytes(kind)
    assert truncation.what_is_missing(path) == ''
    path.write_bytes(kind[:cut])
    assert truncation.what_is_missing(path)
