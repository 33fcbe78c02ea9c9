import pickle

import numpy as np
import pytest

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.storage import (
    FolderClipSource,
    Segment,
    VideoClipSource,
    open_source,
)
from tests.helpers.layouts import end_early, write_frames, write_video


def grays(images):
    return [round(image.mean() / 10) for image in images]


def test_frames_come_in_the_order_asked_for(tmp_path):
    write_video(tmp_path / 'a.mp4', 20)
    source = VideoClipSource(tmp_path / 'a.mp4')
    images = source.read([5, 0, 19, 5])
    assert grays(images) == [6, 1, 20, 6]
    assert images[0].shape == (32, 32, 3) and images[0].dtype == np.uint8
    images[0][:] = 0
    assert grays(images)[3] == 6
    assert len(source) == 20


def test_an_opened_video_pickles_without_its_reader(tmp_path):
    write_video(tmp_path / 'a.mp4', 4)
    source = VideoClipSource(tmp_path / 'a.mp4')
    small = len(pickle.dumps(source))
    source.read([0])
    again = pickle.loads(pickle.dumps(source))
    assert len(pickle.dumps(source)) == small
    assert grays(again.read([2])) == [3]


def test_an_absent_or_empty_file_is_found_when_listing(tmp_path):
    (tmp_path / 'empty.mp4').touch()
    for name in ('empty.mp4', 'none.mp4'):
        with pytest.raises(DatasetError, match=name):
            VideoClipSource(tmp_path / name)


@pytest.mark.parametrize('damage', ['text', 'cut', 'zeroed'])
def test_a_video_that_does_not_open_or_ends_early_is_named(tmp_path, damage):
    path = tmp_path / 'bad.mp4'
    write_video(path, 60)
    if damage == 'text':
        path.write_text('no video')
    elif damage == 'cut':
        path.write_bytes(path.read_bytes()[:-500])
    else:
        end_early(path)
    with pytest.raises(DatasetError, match=r'bad\.mp4'):
        source = VideoClipSource(path)
        source.read(range(len(source)))


def test_frames_behind_the_end_are_not_made_up(tmp_path):
    write_video(tmp_path / 'a.mp4', 4)
    with pytest.raises(DatasetError, match=r'a\.mp4: ends after 4 frames, frame 4'):
        VideoClipSource(tmp_path / 'a.mp4').read([3, 4])


def test_a_path_is_opened_as_what_it_is(tmp_path):
    write_frames(tmp_path / 'clip.mp4', 3)  # a folder with a video's name
    write_frames(tmp_path, 2)
    write_video(tmp_path / 'B.MP4', 3)
    for name, kind, length in (
        ('clip.mp4', FolderClipSource, 3),
        ('2.jpg', FolderClipSource, 1),
        ('B.MP4', VideoClipSource, 3),
    ):
        source = open_source(tmp_path / name)
        assert isinstance(source, kind) and len(source) == length
    assert grays(open_source(tmp_path / '2.jpg').read([0])) == [2]
    with pytest.raises(DatasetError, match=r'9\.jpg: no such file'):
        open_source(tmp_path / '9.jpg')


def test_a_segment_counts_from_its_start(tmp_path):
    write_frames(tmp_path, 10)
    whole = FolderClipSource(tmp_path)
    part = Segment(whole, 3, 7)
    assert len(part) == 4 and grays(part.read([0, 3])) == [4, 7]
    assert len(Segment(whole, 3, None)) == 7
    with pytest.raises(DatasetError, match=r'\[3:11\]: the clip has 10 frames'):
        len(Segment(whole, 3, 11))
