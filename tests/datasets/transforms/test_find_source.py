"""Clips that MMAction2's datasets, inferencers and demos describe."""

import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.dataset import Compose

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.transforms.find_source import find_source
from tests.helpers.layouts import write_frames, write_lines
from tests.helpers.scenes import numbered_frames, numbers_of, write_video

PIPELINE = [
    dict(type='SampleClip', clip_len=4, test_mode=True),
    dict(type='LoadFrames'),
]


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp('v') / 'a.mp4', numbered_frames(10))


def test_a_video_of_mmaction2s_dataset_is_read_as_ours(video):
    write_lines(video.with_name('list.txt'), [f'{video.name} 3'])
    dataset = DATASETS.build(
        dict(
            type='VideoDataset', ann_file=str(video.with_name('list.txt')),
            data_prefix=dict(video=str(video.parent)), pipeline=PIPELINE,
        )
    )  # fmt: skip
    assert numbers_of(dataset[0]['imgs']) == [3, 4, 5, 6]
    own = dict(source=find_source(dict(filename=str(video))), total_frames=10)
    expected = Compose(PIPELINE)(own)['imgs']
    np.testing.assert_array_equal(dataset[0]['imgs'], expected)


@pytest.mark.parametrize(('line', 'first'), [('a 9 3', 1), ('a 2 7 3', 3)])
def test_numbered_frames_of_mmaction2s_dataset(tmp_path, line, first):
    """With an offset, too: frames 3 to 9 of a longer video."""
    write_frames(tmp_path / 'a', 9, name='img_{:05}.jpg')
    write_lines(tmp_path / 'list.txt', [line])
    dataset = DATASETS.build(
        dict(
            type='RawframeDataset', ann_file=str(tmp_path / 'list.txt'),
            data_prefix=dict(img=str(tmp_path)), with_offset=first > 1,
            pipeline=PIPELINE,
        )
    )  # fmt: skip
    middle = (10 - first - 4) // 2
    greys = [round(image.mean() / 10) for image in dataset[0]['imgs']]
    assert greys == [first + middle + i for i in range(4)]


@pytest.mark.parametrize('form', [list, np.stack])
def test_an_array_gives_copies(form):
    frames = form(numbered_frames(10))
    results = Compose(PIPELINE)(dict(array=frames))
    assert results['total_frames'] == 10 and numbers_of(results['imgs']) == [3, 4, 5, 6]
    results['imgs'][0][:] = 0
    assert numbers_of(frames) == list(range(10))


def test_frames_that_are_chosen_already():
    """As MMAction2's long_video_demo.py gives them: without their number."""
    load = TRANSFORMS.build(PIPELINE[1])
    found = load(dict(array=numbered_frames(3), frame_inds=np.arange(3)))
    assert numbers_of(found['imgs']) == [0, 1, 2] and found['img_shape'] == (48, 64)


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        (dict(label=-1, audio_path='a.npy'), 'was given label, audio_path: give a f'),
        (dict(), 'was given nothing: give a filename'),
        (dict(array=np.zeros((0, 8, 8, 3), np.uint8)), '0 frames of no kind: give at'),
        (dict(array=np.zeros((2, 8, 8, 3))), r'2 frames of float64 \(8, 8, 3\): give'),
        (dict(array=np.zeros((2, 8, 8), np.uint8)), r'2 frames of uint8 \(8, 8\): g'),
        (dict(array=np.zeros((2, 8, 8, 2), np.uint8), modality='Flow'), "='Flow': gi"),
        (dict(filename='absent.mp4'), 'absent.mp4: cannot be read'),
        (dict(frame_dir='x', total_frames=0, filename_tmpl='{}.png'), 'x: no file is '),
        (dict(frame_dir='x', total_frames=2, start_index=1), 'x/img_00001.jpg: no suc'),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(given, said):
    with pytest.raises(DatasetError, match=said) as caught:
        Compose(PIPELINE)(given)
    assert '\n' not in str(caught.value)


def test_another_count_of_the_frames_is_refused(video):
    """What MMAction2's DecordInit counts decides which frames are sampled."""
    pipeline = Compose([dict(type='DecordInit'), *PIPELINE])
    assert numbers_of(pipeline(dict(filename=str(video)))['imgs']) == [3, 4, 5, 6]
    counted = dict(filename=str(video), video_reader=None, total_frames=12)
    with pytest.raises(DatasetError, match=r'10 frames, but the video_reader .* 12: '):
        Compose(PIPELINE)(counted)
