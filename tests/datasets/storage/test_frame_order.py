"""The order of image files, where numbers in their names tell it or do not."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.prepare import check_clip
from ifdd_mmaction.datasets.storage import (
    FolderClipSource,
    PackedArchive,
    write_archive,
)
from ifdd_mmaction.datasets.storage.frame_order import order_frames
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import find_videos, open_video

# Each in its order.
ORDERS = {
    'plain numbers': '1.jpg 2.jpg 10.jpg',
    'padded': '00001.jpg 00002.jpg 00010.jpg',
    'size behind (InternVL#431)': '1_224x224.jpg 2_224x224.jpg 10_224x224.jpg',
    'face behind': 'frame1_aligned_0.jpg frame2_aligned_0.jpg frame10_aligned_0.jpg',
    'number in front': 'clip7_1.jpg clip7_2.jpg clip7_10.jpg',
    'several suffixes': '1.jpg 2.JPG 3.jpeg 10.png',
    'case of letters': 'img1.jpg IMG2.jpg img10.jpg',
    'words behind': '1_neutral.jpg 2_happy.jpg 10_happy.jpg',
    'decimals': 't0.25.jpg t0.5.jpg t1.0.jpg t10.0.jpg',
    'decimals and whole': '0.jpg 0.25.jpg 1.jpg 1.5.jpg',
    'decimals of one length': '1.05.jpg 1.10.jpg 1.90.jpg',
    'counters of one length': 'a1.08.jpg a1.09.jpg a1.10.jpg',
    'versions': 'v1.2.3.jpg v1.2.10.jpg v1.10.1.jpg',
    'parts and frames': 's1_f1.jpg s1_f2.jpg s2_f1.jpg s10_f1.jpg',
    'time of day': '10-11-58.jpg 10-11-59.jpg 10-12-01.jpg 11-00-00.jpg',
    'confidence behind': '1_0.98.jpg 2_0.87.jpg 3_0.99.jpg',
    'confidence in front': '0.98_1.jpg 0.87_2.jpg 0.98_3.jpg',
    'percent behind': 'f1_80.jpg f2_95.jpg f3_70.jpg',
    'one': '7.jpg',
}
REFUSED = {
    'two suffixes': ('1.jpg 1.png 2.jpg', '1.jpg and 1.png have the same number'),
    'two lengths': ('1.jpg 01.jpg', '01.jpg and 1.jpg have the same number'),
    'two decimals': ('a0.5.jpg a0.50.jpg', 'the order of a0.50.jpg and a0.5.jpg'),
    'case': ('1.jpg 1.JPG', '1.JPG and 1.jpg have the same number'),
    'two cameras': ('left_1.jpg right_1.jpg', 'have the same number'),
    'a copy': (
        '1.jpg 1 (1).jpg 2.jpg',
        '1 (1).jpg and 1.jpg is not clear: one name has',
    ),
    'no number': ('a.jpg b.jpg', 'a.jpg: no frame number in the file name'),
    'a cover': ('1.jpg cover.jpg', 'cover.jpg: no frame number in the file name'),
    'counter or decimal': (
        '1.9.jpg 1.10.jpg',
        '1.10.jpg and 1.9.jpg is not clear: the point',
    ),
    'two counters': (
        '1_5.jpg 2_4.jpg 3_3.jpg',
        '1_5.jpg and 3_3.jpg is not clear: their numbers',
    ),
    'parts and words': (
        'a1_1.jpg a1_2.jpg b2_1.jpg',
        'a1_1.jpg and b2_1.jpg is not clear: their words',
    ),
}


@pytest.mark.parametrize('names', ORDERS.values(), ids=ORDERS)
def test_order(names: str) -> None:
    wanted = names.split()
    for shuffled in itertools.islice(itertools.permutations(wanted), 24):
        assert order_frames(Path('clip'), shuffled) == wanted


@pytest.mark.parametrize(('names', 'message'), REFUSED.values(), ids=REFUSED)
def test_refusal(names: str, message: str) -> None:
    listed = names.split('.jpg ') if ' (' in names else names.split()
    listed = [n if n.endswith(('.jpg', '.JPG', '.png')) else f'{n}.jpg' for n in listed]
    messages = set()
    for shuffled in itertools.permutations(listed):
        with pytest.raises(DatasetError) as error:
            order_frames(Path('clip'), shuffled)
        messages.add(str(error.value))
    (said,) = messages  # whatever the order of the file system
    assert message in said and '\n' not in said and said.startswith('clip')
    assert 'rename' in said or 'remove' in said


@given(
    numbers=st.lists(st.integers(0, 10**12), min_size=1, max_size=30, unique=True),
    words=st.tuples(st.text('abXY_- ', max_size=5), st.text('abXY_- ', max_size=5)),
    size=st.sampled_from(['', '_224x224', '.1', '_0']),
)
def test_one_number_always_tells(
    numbers: list[int], words: tuple[str, str], size: str
) -> None:
    names = [f'{words[0]}{n}{words[1]}{size}.jpg' for n in sorted(numbers)]
    if size == '.1' and not words[1]:
        names = [name.replace('.1.jpg', 'a.1.jpg') for name in names]
    shuffled = random.Random(0).sample(names, len(names))
    assert order_frames(Path('clip'), shuffled) == names


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Frames 1, 2, 10 of brightness 10, 20, 100, with what systems leave beside."""
    folder = tmp_path / 'clip'
    folder.mkdir()
    for n in (1, 2, 10):
        image = np.full((16, 16, 3), 10 * n, np.uint8)
        assert cv2.imwrite(str(folder / f'{n}_16x16.png'), image)
    for name in ('._10_16x16.png', '.DS_Store', 'Thumbs.db', '.hidden.jpg'):
        (folder / name).write_bytes(b'\0\5\26\7')
    return folder


def brightness(images: list[np.ndarray]) -> list[int]:
    return [int(image.mean()) for image in images]


def test_every_reader_has_the_same_order(clip: Path, tmp_path: Path) -> None:
    assert brightness(FolderClipSource(clip).read([0, 1, 2])) == [10, 20, 100]
    assert brightness([f.image for f in open_video(clip)]) == [10, 20, 100]
    check = check_clip(clip)
    assert (check.frames, check.errors) == (3, [])
    write_archive(tmp_path / 'a.ifdd', [('clip', clip)], {})
    packed = PackedArchive(tmp_path / 'a.ifdd').source('clip')
    assert brightness(packed.read([0, 1, 2])) == [10, 20, 100]
    assert find_videos([clip]) == [str(clip)]


def test_every_reader_refuses_the_same(clip: Path, tmp_path: Path) -> None:
    image = (clip / '1_16x16.png').read_bytes()
    (clip / '01_16x16.jpg').write_bytes(image)
    said = '01_16x16.jpg and 1_16x16.png have the same number'
    with pytest.raises(DatasetError, match=said):
        FolderClipSource(clip)
    with pytest.raises(InputError, match=said):
        open_video(clip)
    with pytest.raises(DatasetError, match=said):
        write_archive(tmp_path / 'a.ifdd', [('clip', clip)], {})
    (error,) = check_clip(clip).errors
    assert said in error


def test_videos_that_macos_hides(tmp_path: Path) -> None:
    for name in ('._a.mp4', 'a.mp4'):
        (tmp_path / name).write_bytes(b'')
    assert find_videos([tmp_path]) == [str(tmp_path / 'a.mp4')]
